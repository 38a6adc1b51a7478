"""The parts of the page of customers: the search, the list of those without an owner, the card, the contacts."""

import streamlit as st

from db.codes import Role
from lib.customers.actions import REMEMBER_LENGTH, add_customer, change_card, verify_contact
from lib.customers.queries import CustomerCard, list_contacts
from lib.people.queries import list_holders
from lib.ui import doors
from lib.ui.components import callers
from lib.ui.labels import escape, label

SCREEN = "customers.card"
SEEN = f"{SCREEN}.seen"
SERVICE_ROLES = (Role.HOTLINE, Role.DISPATCHER, Role.TECHNICIAN, Role.SUPERVISOR)
"""Whose holders may look after a customer's service."""


def asked_customer() -> int | None:
    """The id of the customer in the page's address, None when there is none."""
    asked = st.query_params.get("customer", "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else None


def show_search() -> None:
    """The same search as at the hotline; a new name writes the customer down."""
    form = doors.form_key(f"{SCREEN}.search")
    callers.show(
        f"{SCREEN}.callers",
        generation=form,
        chosen="",
        on_known=lambda customer, _contact: _open(customer),
        on_new=_write_down,
        on_begin=lambda _since: None,
        next_field=".st-key-customers_card_form input",
        save_button=".st-key-customers_card_save button",
        timed=False,
        title=label("card.search"),
    )


def _open(customer_id: int) -> None:
    st.query_params["customer"] = str(customer_id)
    doors.renew_form(f"{SCREEN}.search")


def _write_down(name: str) -> None:
    form = doors.form_key(f"{SCREEN}.search")
    customer_id = doors.submit(add_customer, key=form, name=name)
    if customer_id is not None:
        st.query_params["customer"] = str(customer_id)


def show_unowned(cards: list[CustomerCard], total: int) -> None:
    """The list that is to be empty (S-01); an alarm as long as it is not."""
    if not total:
        st.success(label("card.all_owned"), icon=":material/task_alt:")
        return
    st.warning(label("card.unowned", count=total), icon=":material/warning:")
    with st.container(border=True, gap="xsmall", key="customers_card_unowned"):
        for card in cards:
            lacking = [
                label(f"card.lacks_{kind}")
                for kind, owner in (
                    ("service", card.service_owner_id),
                    ("sales", card.sales_owner_id),
                )
                if owner is None
            ]
            st.button(
                f"{escape(card.name)} · {' · '.join(lacking)}",
                key=f"{SCREEN}.open.{card.id}",
                type="tertiary",
                on_click=_open,
                args=(card.id,),
            )
        if total > len(cards):
            st.caption(label("card.more", shown=len(cards), total=total))


def show_form(card: CustomerCard) -> None:
    """Owners and notes; the form keeps the version it was opened with."""
    form = doors.form_key(f"{SCREEN}.{card.id}")
    seen: dict[str, int] = st.session_state.setdefault(SEEN, {})
    seen.setdefault(form, card.version)
    service = {
        each.id: each.name for role in SERVICE_ROLES for each in doors.read(list_holders, role=role)
    }
    sales = {each.id: each.name for each in doors.read(list_holders, role=Role.SALES)}
    # Who left stays on the card until somebody else is chosen.
    if card.service_owner_id is not None:
        service.setdefault(card.service_owner_id, card.service_owner)
    if card.sales_owner_id is not None:
        sales.setdefault(card.sales_owner_id, card.sales_owner)
    with st.container(border=True, key="customers_card_form", gap="small"):
        st.subheader(escape(card.name), anchor=False)
        _owner("service", form, service, card.service_owner_id)
        _owner("sales", form, sales, card.sales_owner_id)
        st.text_area(
            label("card.remember"),
            key=_start_with(_key(form, "remember"), card.remember),
            max_chars=REMEMBER_LENGTH,
            height=96,
            placeholder=label("card.remember_example"),
        )
        with st.container(key="customers_card_save"):
            st.button(
                label("card.save"),
                type="primary",
                icon=":material/save:",
                shortcut="Ctrl+Enter",
                key=_key(form, "save"),
                on_click=_save,
                args=(card.id, form),
            )


def _owner(kind: str, form: str, people: dict[int, str], chosen: int | None) -> None:
    st.selectbox(
        label(f"card.{kind}_owner"),
        list(people),
        format_func=lambda person: people.get(person, ""),
        placeholder=label("card.nobody"),
        index=None,
        key=_start_with(_key(form, kind), chosen),
    )


def _key(form: str, field: str) -> str:
    return f"{SCREEN}.{field}.{form}"


def _start_with(name: str, value: object) -> str:
    st.session_state.setdefault(name, value)
    return name


def _save(customer_id: int, form: str) -> None:
    told = st.session_state
    saved = doors.submit(
        change_card,
        key=form,
        customer_id=customer_id,
        version=told[SEEN][form],
        service_owner_id=told.get(_key(form, "service")) or None,
        sales_owner_id=told.get(_key(form, "sales")) or None,
        remember=told.get(_key(form, "remember")) or "",
    )
    if saved is not None:
        doors.say("card.saved")


def show_contacts(card: CustomerCard) -> None:
    """The customer's contacts; one that was checked gets its tick (S-20)."""
    contacts = doors.read(list_contacts, customer_id=card.id)
    with st.container(border=True, key="customers_card_contacts", gap="xsmall"):
        st.markdown(f"**{label('card.contacts', count=len(contacts))}**")
        for contact in contacts:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                mark = f":material/verified: {label('card.verified')}" if contact.verified else ""
                st.markdown(
                    f"{escape(contact.name)} · {escape(contact.phone)} {mark}", width="stretch"
                )
                if not contact.verified:
                    st.button(
                        label("card.verify"),
                        key=f"{SCREEN}.verify.{contact.id}.{contact.version}",
                        icon=":material/check:",
                        on_click=_verify,
                        args=(contact.id, contact.version),
                    )


def _verify(contact_id: int, version: int) -> None:
    doors.submit(verify_contact, contact_id=contact_id, version=version)
    if not doors.refused():
        doors.say("card.is_verified")
