"""What the page of a case shows: facts in cards, and the timeline. Stored text passes `escape` of html, always."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from html import escape

import streamlit as st

from db.codes import (
    ActorKind,
    CallStep,
    CustomerLevel,
    EventKind,
    FaultCode,
    Priority,
    ReturnCallResult,
    VisitStatus,
)
from lib.shared.clock import SHANGHAI
from lib.tickets.queries import EventRow, TicketDetail
from lib.tickets.rules import ENDED_STATUSES
from lib.ui import chips
from lib.ui.components.picture import picture
from lib.ui.labels import code_label, label, span, when
from lib.visits.queries import VisitCard

LATE_ENTRY = timedelta(minutes=1)
MOST_EVENTS = 200
WORDS_OF_FIELDS = (
    "priority",
    "fault",
    "words",
    "contact_id",
    "site_id",
    "item_id",
    "owner_id",
    "next_action_at",
    "level",
)

STAMPED = (EventKind.ON_THE_WAY, EventKind.ARRIVED, EventKind.COMPLETED)
"""Events that a tablet may tell with its own time."""
OF_OTHER_CASES = (
    EventKind.MERGED,
    EventKind.ABSORBED,
    EventKind.MERGE_UNDONE,
    EventKind.SPLIT_OFF,
    EventKind.LINKED,
)
"""Events that name another case."""

Fact = tuple[str, str]


def show_head(ticket: TicketDetail, others: list[str]) -> None:
    """Number, company and fault in one line, then the marks; `others` have the case open too."""
    title = " · ".join(filter(None, (ticket.company, code_label(ticket.fault))))
    st.html(f'<h1 class="desk-case-title">{escape(ticket.number)}<span>{escape(title)}</span></h1>')
    marks = [
        chips.status_chip(ticket.status, ticket.waiting_for),
        chips.priority_chip(ticket.priority),
        chips.warranty_chip(ticket.warranty),
    ]
    if ticket.cycle > 1:
        marks.append(chips.Chip("status", label("ticket.cycle", cycle=ticket.cycle)))
    if ticket.source:
        marks.append(chips.Chip("status", label("ticket.imported", source=ticket.source)))
    if others:
        marks.append(chips.Chip("open", label("ticket.open_by", names="、".join(others))))
    chips.show(marks)


def show_customer(ticket: TicketDetail) -> None:
    """Who to call and where to go; masked by the query."""
    facts: list[Fact] = [(label("ticket.company"), ticket.company)]
    if ticket.contact is not None:
        verified = "" if ticket.contact.verified else f" ({label('entry.caller.unverified')})"
        facts += [
            (label("ticket.contact"), f"{ticket.contact.name}{verified}"),
            (label("ticket.phone"), ticket.contact.phone),
            (label("ticket.email"), ticket.contact.email),
        ]
    if ticket.site is not None:
        facts += [
            (label("ticket.site"), ticket.site.name),
            (label("ticket.address"), ticket.site.address),
        ]
    _card(label("ticket.customer"), facts)


def show_item(ticket: TicketDetail) -> None:
    """The item with its warranty as judged when it was reported (W-01)."""
    item, warranty = ticket.item, ticket.warranty
    if item is None:
        _card(label("ticket.item"), [], empty=label("coverage.item_unknown"))
        return
    facts = [
        (label("ticket.item_name"), f"{code_label(item.kind)} · {item.name}"),
        (label("ticket.place"), " ".join(filter(None, (item.room, item.opening)))),
        (label("ticket.fabric_lot"), item.fabric_lot),
        (label("ticket.warranty"), chips.warranty_words(warranty)),
        (label("ticket.warranty_term"), chips.term_words(warranty)),
    ]
    _card(label("ticket.item"), facts)


def show_facts(ticket: TicketDetail) -> None:
    """What was told and when, and who is responsible."""
    _card(
        label("ticket.facts"),
        [
            (label("ticket.words"), ticket.words or ticket.title),
            (label("ticket.channel"), code_label(ticket.channel)),
            (label("ticket.received_at"), when(ticket.received_at)),
            (label("ticket.entered_at"), when(ticket.entered_at)),
            (label("ticket.technician"), ticket.technician or label("ticket.nobody")),
            (label("ticket.owner"), ticket.owner or label("ticket.nobody")),
            (label("ticket.field.next_action_at"), when(ticket.next_action_at)),
        ],
    )


def show_script(done: dict[CallStep, datetime]) -> None:
    """When each step of the hotline's script was done, for a case that a call brought (S-18 to S-25)."""
    if not done:
        return
    times = [done.get(step) for step in CallStep]
    _card(
        label("script.title"),
        [
            (code_label(step), when(at, seconds=True) if at else label("script.open"))
            for step, at in zip(CallStep, times, strict=True)
        ],
        look="desk-card desk-script",
    )


def _card(title: str, facts: Iterable[Fact], *, empty: str = "", look: str = "desk-card") -> None:
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{_lines(value)}</dd>" for name, value in facts if value
    )
    body = f"<dl>{rows}</dl>" if rows else f"<p>{escape(empty)}</p>"
    st.html(f'<section class="{look}"><h2>{escape(title)}</h2>{body}</section>')


def show_visits(visits: list[VisitCard]) -> None:
    """The visits of the case with report and parts; its photos."""
    for visit in reversed(visits):
        facts = [
            (label("ticket.visit_time"), f"{when(visit.starts_at)} – {_time(visit.ends_at)}"),
            (label("ticket.technician"), visit.technician_name),
            (label("ticket.visit_arrived"), when(visit.arrived_at)),
            (label("ticket.visit_done"), when(visit.done_at)),
            (label("ticket.visit_report"), visit.report),
            (
                label("ticket.visit_parts"),
                "、".join(f"{part.name} × {part.quantity}" for part in visit.parts),
            ),
            (label("ticket.visit_signed"), visit.signed_by),
        ]
        state = code_label(visit.status)
        if visit.outcome is not None and visit.status is VisitStatus.DONE:
            state = f"{state} · {code_label(visit.outcome)}"
        _card(f"{label('ticket.visit')} · {state}", facts)
        if visit.photo_ids:
            with st.container(horizontal=True, gap="xsmall"):
                for place, file_id in enumerate(visit.photo_ids, 1):
                    told = label("visits.photo.nth", place=place)
                    picture("visit", file_id, words=told, width=120)


def show_timeline(events: list[EventRow], now: datetime) -> None:
    """Every step, the newest first: when it happened, what, by whom, and how long its state lasted."""
    rows = "".join(_event(event, now) for event in events[:MOST_EVENTS])
    st.html(
        f'<section class="desk-card"><h2>{escape(label("ticket.timeline"))}</h2>'
        f'<ol class="desk-timeline">{rows}</ol></section>'
    )


def _event(event: EventRow, now: datetime) -> str:
    head = " · ".join(filter(None, (code_label(event.kind), *_details(event))))
    state = ""
    if event.begins_stage and event.to_status is not None:
        until = event.stage_until
        lasted = (until or now) - event.at
        words = label(
            "ticket.stage_lasts" if until is None else "ticket.stage_lasted",
            status=code_label(event.to_status),
            until=_short(until, now) if until else "",
            span=span(lasted),
        )
        if event.to_status in ENDED_STATUSES:
            words = code_label(event.to_status)
        state = f'<span class="stage">{escape(words)}</span>'
    late = ""
    if event.recorded_at - event.at > LATE_ENTRY and event.kind is not EventKind.IMPORTED:
        late = f'<span class="stage">{escape(label("ticket.late_entry", at=_short(event.recorded_at, now)))}</span>'
    words = f"<p>{_lines(event.words)}</p>" if event.words else ""
    return (
        f'<li class="{escape(event.kind)}"><time>{escape(_short(event.at, now))}</time>'
        f"<div><b>{escape(head)}</b><i>{escape(actor_words(event))}</i>{words}{state}{late}</div></li>"
    )


def actor_words(event: EventRow) -> str:
    """Who did it: a name, the system or the customer."""
    if event.actor_kind is ActorKind.PERSON and event.actor:
        return event.actor
    return code_label(event.actor_kind)


def _details(event: EventRow) -> list[str]:
    told = event.details
    if event.kind is EventKind.SCHEDULED and "starts_at" in told:
        return [event.person, when(datetime.fromisoformat(told["starts_at"]))]
    if event.kind is EventKind.ASSIGNED:
        return [event.person]
    if event.kind in STAMPED and told.get("clock_off"):
        return [label("ticket.clock_off")]
    if event.kind is EventKind.NOTE and told.get("wish"):
        return [label("offer.wish_for", name=event.person)]
    if event.kind in (EventKind.WAITING_STARTED, EventKind.WAITING_ENDED) and event.waiting_for:
        return [code_label(event.waiting_for)]
    if event.kind is EventKind.RETURN_CALL and told.get("result") in set(ReturnCallResult):
        return [
            code_label(ReturnCallResult(told["result"])),
            label("ticket.try", number=told.get("try", 1)),
        ]
    if event.kind is EventKind.SURVEY_ANSWERED and "satisfaction" in told:
        return [label("ticket.satisfaction", score=told["satisfaction"])]
    if event.kind in OF_OTHER_CASES and "number" in told:
        return [str(told["number"])]
    if event.kind is EventKind.CHANGED:
        return [_changed(field, told.get("values", {})) for field in told.get("fields", ())]
    return []


def _changed(field: str, values: dict[str, list[str]]) -> str:
    if field not in WORDS_OF_FIELDS:
        return ""
    name = label(f"ticket.field.{field}")
    if field == "next_action_at" and field in values:
        at = values[field][1]
        return f"{name} {when(datetime.fromisoformat(at))}" if at else name
    kinds = {"priority": Priority, "fault": FaultCode, "level": CustomerLevel}
    kind = kinds.get(field)
    if kind is None or field not in values:
        return name
    before, after = (code_label(kind(value)) for value in values[field])
    return f"{name} {before} → {after}"


def _lines(stored: str) -> str:
    return escape(stored).replace("\n", "<br>")


def _time(at: datetime) -> str:
    return when(at)[-5:]


def _short(at: datetime, now: datetime) -> str:
    """Date and time without the year, unless it is another year."""
    words = when(at)
    return words[5:] if at.astimezone(SHANGHAI).year == now.astimezone(SHANGHAI).year else words


def asked_ticket() -> int | None:
    """The id of the case in the page's address, None when there is none."""
    asked = st.query_params.get("ticket", "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else None
