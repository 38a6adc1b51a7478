"""The fields of a call at the hotline: who, where, what, how. They stand in session state until the call is saved."""

from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any

import streamlit as st

from db.codes import Channel, FaultCode, ItemKind, Priority
from lib.coverage.queries import CoveredItem, list_covered_items
from lib.customers.queries import ContactRow, find_customer, list_contacts, list_sites
from lib.customers.rules import is_phone, phone_fragment
from lib.items.actions import WARRANTY_MONTHS
from lib.shared.clock import SHANGHAI
from lib.tickets.intake import Caller, NewItem, Place
from lib.ui import call_clock, chips, doors
from lib.ui.labels import code_label, label, language

SCREEN = "tickets.entry"
CALLER = f"{SCREEN}.caller"
SPOKEN = f"{SCREEN}.spoken"


class Other(StrEnum):
    """What a list of known places or items offers beside the known ones."""

    NEW = "new"
    UNKNOWN = "unknown"


class Received(StrEnum):
    """Whether the call is told now or was received earlier."""

    NOW = "now"
    EARLIER = "earlier"


NEW, UNKNOWN = Other.NEW, Other.UNKNOWN
NOW, EARLIER = Received.NOW, Received.EARLIER
Chosen = int | Other
FAULT_KEYS = "1234567890-="
CHOICES_OF_IDS = ("contact", "site", "item")


@dataclass(frozen=True, slots=True)
class Known:
    """What the form knows of the caller; all empty before a caller is chosen."""

    customer_id: int | None = None
    company: str = ""
    contact: str = ""
    contact_told: bool = False

    @property
    def is_chosen(self) -> bool:
        return bool(self.customer_id or self.company)

    @property
    def words(self) -> str:
        """What the caller's field shows once it is chosen."""
        return f"{self.company} · {self.contact}" if self.contact else self.company


def key(form: str, field: str, *more: object) -> str:
    """The key of a widget in this instance of the form."""
    return ".".join([SCREEN, field, form, *map(str, more)])


def keep_choices(form: str) -> None:
    """Hold chosen contacts, sites and items while their labels change with the language."""
    if st.session_state.setdefault(SPOKEN, language()) is language():
        return
    st.session_state[SPOKEN] = language()
    for field in CHOICES_OF_IDS:
        for name in [name for name in st.session_state if str(name).startswith(key(form, field))]:
            st.session_state[name] = st.session_state[name]


def choose_known(form: str, customer_id: int, contact_id: int | None) -> None:
    """A caller was chosen from the hits, by the ids that were on the screen."""
    st.session_state[CALLER] = {"form": form, "customer_id": customer_id}
    st.session_state[key(form, "contact", customer_id)] = contact_id if contact_id else NEW


def choose_new(form: str, words: str) -> None:
    """The caller is of a company that is not on record; a phone typed instead of a name is kept as such."""
    st.session_state[CALLER] = {"form": form, "customer_id": None}
    if phone_fragment(words):
        st.session_state[key(form, "phone")] = words
        st.session_state[key(form, "company")] = ""
    else:
        st.session_state[key(form, "company")] = words


def forget_caller() -> None:
    """Nothing of the last caller is left for the next."""
    st.session_state.pop(CALLER, None)


def known(form: str) -> Known:
    """The caller of this form as stored now."""
    told = chosen_caller(form)
    if told is None:
        return Known()
    customer_id, company = told
    if customer_id is None:
        return Known(None, company or label("entry.new_company"), contact_told=_told(form))
    customer = doors.read(find_customer, customer_id=customer_id)
    chosen = st.session_state.get(key(form, "contact", customer_id), NEW)
    contacts = {row.id: row for row in doors.read(list_contacts, customer_id=customer_id)}
    contact = contacts.get(chosen)
    return Known(
        customer_id,
        customer.name,
        contact.name if contact else "",
        contact_told=contact is not None or _told(form),
    )


def chosen_caller(form: str) -> tuple[int | None, str] | None:
    """Whom the form is about, without asking the store: a known customer, or a new company's name; None: nobody."""
    told = st.session_state.get(CALLER)
    if not isinstance(told, dict) or told.get("form") != form:
        return None
    return told["customer_id"], st.session_state.get(key(form, "company"), "")


def _told(form: str) -> bool:
    name = st.session_state.get(key(form, "contact_name"), "")
    return bool(name.strip()) and is_phone(st.session_state.get(key(form, "phone"), ""))


def show_caller(form: str, caller: Known) -> None:
    """Company and contact: chosen ones to check, new ones to fill in (S-18, S-20)."""
    if caller.customer_id is None:
        company, name, phone = st.columns([3, 2, 2], gap="small")
        company.text_input(label("entry.company"), key=key(form, "company"), max_chars=120)
        _new_contact(form, name, phone)
        return
    contacts = {row.id: row for row in doors.read(list_contacts, customer_id=caller.customer_id)}
    contact, site = st.columns(2, gap="small")
    options: list[Chosen] = [*contacts, NEW]
    chosen = contact.selectbox(
        label("entry.contact"),
        options,
        format_func=lambda value: _contact_words(contacts.get(value)),
        key=key(form, "contact", caller.customer_id),
    )
    with site:
        _choose_site(form, caller.customer_id)
    if chosen == NEW:
        name, phone = st.columns(2, gap="small")
        _new_contact(form, name, phone)


def _new_contact(form: str, name: Any, phone: Any) -> None:
    name.text_input(label("entry.contact_name"), key=key(form, "contact_name"), max_chars=80)
    phone.text_input(
        label("entry.phone"),
        key=key(form, "phone"),
        max_chars=40,
        placeholder=label("entry.phone_example"),
    )


def _contact_words(row: ContactRow | None) -> str:
    if row is None:
        return f"+ {label('entry.new_contact')}"
    mark = "" if row.verified else f" ({label('entry.caller.unverified')})"
    return f"{row.name} {row.phone}{mark}"


def _choose_site(form: str, customer_id: int) -> None:
    sites = {row.id: row for row in doors.read(list_sites, customer_id=customer_id)}

    def words(value: Chosen) -> str:
        if isinstance(value, int):
            row = sites[value]
            return f"{row.name} · {row.address}" if row.address else row.name
        return f"+ {label('entry.new_site')}" if value == NEW else label("entry.site_unknown")

    st.selectbox(
        label("entry.site"),
        [UNKNOWN, *sites, NEW],
        format_func=words,
        key=start_with(
            key(form, "site", customer_id), next(iter(sites)) if len(sites) == 1 else UNKNOWN
        ),
    )


def show_place(form: str, caller: Known) -> CoveredItem | None:
    """Site and item with its warranty; either may be unknown and is then found out on site (S-21)."""
    site = _site_of(form, caller.customer_id)
    if caller.customer_id is None or site == NEW:
        name, address = st.columns([2, 3], gap="small")
        name.text_input(
            label("entry.site_name"),
            key=key(form, "site_name"),
            max_chars=120,
            placeholder=label("entry.site_example"),
        )
        address.text_input(label("entry.address"), key=key(form, "address"), max_chars=240)
    items: dict[int, CoveredItem] = {}
    if caller.customer_id is not None:
        items = {
            covered.item.id: covered
            for covered in doors.read(
                list_covered_items,
                customer_id=caller.customer_id,
                site_id=site if isinstance(site, int) else None,
            )
        }
    chosen = st.selectbox(
        label("entry.item"),
        [UNKNOWN, *items, NEW],
        format_func=lambda value: _item_words(items.get(value), value),
        key=key(form, "item", caller.customer_id, site),
    )
    if chosen == NEW:
        _new_item(form)
    if chosen in items:
        warranty = items[chosen].warranty
        chips.show([chips.warranty_chip(warranty), chips.Chip("", chips.term_words(warranty))])
    return items.get(chosen) if isinstance(chosen, int) else None


def _item_words(covered: CoveredItem | None, value: Chosen) -> str:
    if covered is None:
        return f"+ {label('entry.new_item')}" if value == NEW else label("entry.item_unknown")
    item = covered.item
    place = " ".join(filter(None, (item.site_name, item.room, item.opening)))
    return " · ".join(filter(None, (item.name, place, chips.warranty_words(covered.warranty))))


def _new_item(form: str) -> None:
    kind, name, room, start, term = st.columns([3, 4, 3, 3, 2], gap="small")
    kind.selectbox(
        label("entry.item_kind"), list(ItemKind), format_func=code_label, key=key(form, "item_kind")
    )
    name.text_input(label("entry.item_name"), key=key(form, "item_name"), max_chars=120)
    room.text_input(label("entry.room"), key=key(form, "room"), max_chars=80)
    start.date_input(
        label("entry.warranty_start"),
        value=None,
        min_value=date(1990, 1, 1),
        format="YYYY-MM-DD",
        key=key(form, "warranty_start"),
    )
    term.number_input(
        label("entry.warranty_months"), 0, 600, WARRANTY_MONTHS, key=key(form, "warranty_months")
    )


def show_fault(form: str) -> None:
    """Fault code and the caller's words (S-21)."""
    st.pills(
        label("entry.fault"),
        list(FaultCode),
        format_func=_fault_words,
        key=key(form, "fault"),
    )
    st.text_area(
        label("entry.words"),
        key=key(form, "words"),
        height=76,
        max_chars=4000,
        placeholder=label("entry.words_example"),
    )


def _fault_words(fault: FaultCode) -> str:
    """The fault with the key that chooses it while the focus is in the row."""
    return f"{FAULT_KEYS[list(FaultCode).index(fault)]} {code_label(fault)}"


def show_manner(form: str, now: datetime) -> None:
    """Priority, channel, and when it was received if not just now."""
    with st.container(
        horizontal=True, gap="medium", vertical_alignment="bottom", key="tickets_entry_manner"
    ):
        st.segmented_control(
            label("entry.priority"),
            list(Priority),
            required=True,
            format_func=code_label,
            key=start_with(key(form, "priority"), Priority.P3),
        )
        st.selectbox(
            label("entry.channel"),
            list(Channel),
            format_func=code_label,
            key=key(form, "channel"),
            width=110,
        )
        received = st.segmented_control(
            label("entry.received"),
            [NOW, EARLIER],
            required=True,
            format_func=lambda value: label(f"entry.received_{value}"),
            key=start_with(key(form, "received"), NOW),
        )
        if received == EARLIER:
            local = now.astimezone(SHANGHAI)
            st.date_input(
                label("entry.received_day"),
                value=local.date(),
                format="YYYY-MM-DD",
                key=key(form, "received_day"),
                width=140,
            )
            st.time_input(
                label("entry.received_time"),
                value=local.time().replace(second=0),
                step=300,
                key=key(form, "received_time"),
                width=110,
            )


def start_with(name: str, value: Any) -> str:
    """The key of a widget that starts with `value`; as state, since a language switch assigns it again."""
    st.session_state.setdefault(name, value)
    return name


def told(form: str) -> dict[str, Any]:
    """What the form says now, as arguments of `take_call`; for the callback of its button."""
    customer_id, company = chosen_caller(form) or (None, "")
    return {
        "caller": _caller(form, customer_id, company),
        "place": _place(form, customer_id),
        "channel": chosen_channel(form),
        "received_at": received_at(form),
        "fault": _value(form, "fault", None),
        "words": _value(form, "words", ""),
        "priority": chosen_priority(form),
        "call": call_clock.told(form) if is_live(form) else None,
    }


def is_live(form: str) -> bool:
    """Whether the caller is on the telephone now, so that the call is kept and something can be promised."""
    return chosen_channel(form) is Channel.PHONE and _value(form, "received", NOW) == NOW


def chosen_channel(form: str) -> Channel:
    """The channel chosen so far."""
    channel: Channel = _value(form, "channel", Channel.PHONE)
    return channel


def chosen_priority(form: str) -> Priority | None:
    """The priority chosen so far."""
    priority: Priority | None = _value(form, "priority", Priority.P3)
    return priority


def _value(form: str, field: str, default: Any, *more: object) -> Any:
    value = st.session_state.get(key(form, field, *more), default)
    return default if value is None else value


def _caller(form: str, customer_id: int | None, company: str) -> Caller:
    if customer_id is not None:
        company = ""
        contact = _value(form, "contact", NEW, customer_id)
        if isinstance(contact, int):
            return Caller(customer_id, contact_id=contact)
    return Caller(
        customer_id,
        company,
        contact=_value(form, "contact_name", ""),
        phone=_value(form, "phone", ""),
    )


def _site_of(form: str, customer_id: int | None) -> Chosen:
    if customer_id is None:
        return NEW
    site: Chosen = _value(form, "site", UNKNOWN, customer_id)
    return site


def _place(form: str, customer_id: int | None) -> Place:
    site = _site_of(form, customer_id)
    item = _value(form, "item", UNKNOWN, customer_id, site)
    fresh = None
    if item == NEW:
        fresh = NewItem(
            kind=_value(form, "item_kind", ItemKind.CURTAIN),
            name=_value(form, "item_name", ""),
            room=_value(form, "room", ""),
            warranty_start_on=_value(form, "warranty_start", None),
            warranty_months=int(_value(form, "warranty_months", WARRANTY_MONTHS)),
        )
    return Place(
        site_id=site if isinstance(site, int) else None,
        site=_value(form, "site_name", "") if site == NEW else "",
        address=_value(form, "address", "") if site == NEW else "",
        item_id=item if isinstance(item, int) else None,
        new_item=fresh,
    )


def received_at(form: str) -> datetime | None:
    """When it was received, as typed; None for now."""
    if _value(form, "received", NOW) == NOW:
        return None
    on, at = _value(form, "received_day", None), _value(form, "received_time", None)
    if not isinstance(on, date) or not isinstance(at, time):
        return None
    return datetime.combine(on, at, SHANGHAI)


def chosen_fault(form: str) -> FaultCode | None:
    """The fault code chosen so far."""
    fault: FaultCode | None = _value(form, "fault", None)
    return fault
