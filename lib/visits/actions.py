"""Every verb of a visit: the dispatcher plans, moves and cancels it, its technician carries it out."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from db import session as database
from db.codes import (
    EventKind,
    Role,
    TicketStatus,
    VisitFileKind,
    VisitOutcome,
    VisitStatus,
    WaitingFor,
)
from db.models.tickets import Ticket
from db.models.visits import Visit, VisitFile, VisitPart
from lib.shared import images
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.shared.work import Work, permit
from lib.stock import actions as stock
from lib.tickets import actions as tickets
from lib.tickets import rules as ticket_rules
from lib.tickets.promises import stamp_of
from lib.visits import rules

MOST_PHOTOS = 10
NO_SKEW = timedelta()

HOLD_VISIT = select(Visit.id).where(Visit.id == bindparam("of_visit")).with_for_update()
FILES_OF_VISIT = select(VisitFile.id).where(
    VisitFile.visit_id == bindparam("of_visit"), VisitFile.kind == bindparam("kind")
)
LIVE_VISIT_OF_TICKET = select(Visit.starts_at, Visit.ends_at).where(
    Visit.ticket_id == bindparam("of_ticket"), Visit.status.in_(rules.LIVE)
)
VISITS_IN_THE_WAY = (
    select(Visit.starts_at, Visit.ends_at, Ticket.number)
    .join(Ticket, Ticket.id == Visit.ticket_id)
    .where(
        Visit.technician_id == bindparam("of_technician"),
        Visit.status.in_(rules.LIVE),
        Visit.starts_at < bindparam("ends_at"),
        Visit.ends_at > bindparam("starts_at"),
        Visit.id != bindparam("but"),
    )
    .order_by(Visit.starts_at)
    .limit(1)
)


@permit(Role.DISPATCHER, Role.SUPERVISOR)
def plan_visit(
    work: Work,
    *,
    ticket_id: int,
    version: int,
    technician_id: int,
    starts_at: datetime,
    minutes: int,
) -> int:
    """Send a technician at a time. `version` is the ticket's. Answers the visit's id.

    Refuses `visit_overlaps`, `visit_in_past`, `visit_length_wrong`, `not_a_technician`, and `visit_planned_already`
    while the case has a visit to come.
    """
    ticket = work.get(Ticket, ticket_id, version=version)
    starts_at, ends_at = rules.span_of(starts_at, minutes, work.now)
    tickets.ensure_technician(work, technician_id)
    _ensure_no_other_visit(work, ticket_id)
    _ensure_free(work, technician_id, starts_at, ends_at)
    visit = Visit(
        ticket_id=ticket.id,
        technician_id=technician_id,
        status=VisitStatus.PLANNED,
        starts_at=starts_at,
        ends_at=ends_at,
        created_at=work.now,
    )
    work.session.add(visit)
    work.session.flush()
    tickets.note_scheduled(work, ticket, visit.id, technician_id, starts_at)
    work.record(
        "visit.planned", visit, technician_id=technician_id, starts_at=starts_at.isoformat()
    )
    return visit.id


@permit(Role.DISPATCHER, Role.SUPERVISOR)
def move_visit(
    work: Work,
    *,
    visit_id: int,
    version: int,
    technician_id: int,
    starts_at: datetime,
    minutes: int,
) -> None:
    """Give a planned visit another time, length or technician. Refuses like `plan_visit`."""
    visit = work.get(Visit, visit_id, version=version)
    if visit.status is not VisitStatus.PLANNED:
        raise Refusal("visit_under_way", status=visit.status)
    starts_at, ends_at = rules.span_of(starts_at, minutes, work.now)
    tickets.ensure_technician(work, technician_id)
    _ensure_free(work, technician_id, starts_at, ends_at, but=visit.id)
    visit.technician_id, visit.starts_at, visit.ends_at = technician_id, starts_at, ends_at
    work.session.flush()
    ticket = work.get(Ticket, visit.ticket_id)
    tickets.note_scheduled(work, ticket, visit.id, technician_id, starts_at)
    work.record("visit.moved", visit, technician_id=technician_id, starts_at=starts_at.isoformat())


@permit(Role.DISPATCHER, Role.SUPERVISOR)
def cancel_visit(work: Work, *, visit_id: int, version: int, reason: str) -> None:
    """Take a visit back that has not begun, with a reason that stands on the case."""
    visit = work.get(Visit, visit_id, version=version)
    rules.ensure_can_move(visit.status, VisitStatus.CANCELLED)
    told = ticket_rules.ensure_words(reason, limit=rules.REASON_LENGTH)
    visit.status = VisitStatus.CANCELLED
    ticket = work.get(Ticket, visit.ticket_id)
    tickets.add_event(work, ticket, EventKind.NOTE, words=told)
    tickets.note_visit_cancelled(work, ticket, visit.id)
    work.record("visit.cancelled", visit)


@permit(Role.TECHNICIAN)
def set_out(
    work: Work,
    *,
    visit_id: int,
    version: int,
    device_at: datetime | None = None,
    skew: timedelta = NO_SKEW,
) -> None:
    """The technician is on the way.

    `device_at`: when it was tapped, by the tablet's own clock, which is `skew` ahead of the server's (rule 22); None:
    now. Refuses `not_your_visit`, `stamp_before_previous`, and `ticket_ended` when nobody is needed any more.
    """
    visit, ticket = _moved_visit(work, visit_id, version, VisitStatus.ON_THE_WAY)
    at, stamp = _stamped(work, visit, device_at, skew)
    visit.on_the_way_at = at
    tickets.note_on_the_way(work, ticket, visit.id, at, stamp)
    work.record("visit.on_the_way", visit, at=at.isoformat(), **stamp)


@permit(Role.TECHNICIAN)
def arrive(
    work: Work,
    *,
    visit_id: int,
    version: int,
    device_at: datetime | None = None,
    skew: timedelta = NO_SKEW,
) -> None:
    """The technician is with the customer; whoever is on site is the case's technician from now on.

    The instant is found and refused as for `set_out`.
    """
    visit, ticket = _moved_visit(work, visit_id, version, VisitStatus.ARRIVED)
    at, stamp = _stamped(work, visit, device_at, skew)
    visit.arrived_at = at
    ticket.technician_id = visit.technician_id
    tickets.note_arrived(work, ticket, visit.id, at, stamp)
    work.record("visit.arrived", visit, at=at.isoformat(), **stamp)


def _moved_visit(work: Work, visit_id: int, version: int, to: VisitStatus) -> tuple[Visit, Ticket]:
    """The own visit, brought to its next step; its case has to be open."""
    visit, ticket = _own_visit(work, visit_id, version)
    rules.ensure_can_move(visit.status, to)
    ticket_rules.ensure_open(ticket.status)
    visit.status = to
    return visit, ticket


def _stamped(
    work: Work, visit: Visit, device_at: datetime | None, skew: timedelta
) -> tuple[datetime, dict[str, Any]]:
    """The instant that counts for a step, and what is kept of the tablet's clock. Refuses `stamp_before_previous`."""
    if device_at is None:
        return work.now, {}
    previous_at = visit.arrived_at or visit.on_the_way_at or visit.created_at
    stamp = stamp_of(device_at, skew, work.now, previous_at)
    return stamp.at, {
        "device_at": device_at.replace(microsecond=0).isoformat(),
        "skew_seconds": round(skew.total_seconds()),
        "clock_off": stamp.flagged,
    }


@permit(Role.TECHNICIAN)
def undo_set_out(work: Work, *, visit_id: int, version: int) -> None:
    """Take "on the way" back within 10 seconds. The timeline keeps the tap and says that it was taken back."""
    visit, ticket = _own_visit(work, visit_id, version)
    if visit.status is not VisitStatus.ON_THE_WAY or not rules.can_undo(
        visit.on_the_way_at, work.now
    ):
        raise Refusal("undo_too_late")
    visit.status = VisitStatus.PLANNED
    visit.on_the_way_at = None
    tickets.add_event(
        work,
        ticket,
        EventKind.CHANGED,
        details={"visit_id": visit.id, "fields": ["on_the_way"], "values": {}},
    )
    work.touch_ticket(ticket.id)
    work.record("visit.on_the_way_undone", visit)


@permit(Role.TECHNICIAN)
def keep_draft(work: Work, *, visit_id: int, report: str, signed_by: str) -> None:
    """Keep what the technician has typed so far, so that a reload or another tablet shows it again.

    Leaves the version alone: a draft that arrives with the tap on "done" must not refuse it.
    """
    visit, _ = _own_visit(work, visit_id, None)
    if visit.status is VisitStatus.ARRIVED:
        work.session.execute(
            update(Visit)
            .where(Visit.id == visit_id)
            .values(
                report=ticket_rules.ensure_readable(report, limit=rules.REPORT_LENGTH),
                signed_by=ticket_rules.ensure_readable(signed_by, limit=rules.SIGNER_LENGTH),
            )
            .execution_options(synchronize_session=False)
        )


@permit(Role.TECHNICIAN)
def add_photo(work: Work, *, visit_id: int, sent: bytes) -> int:
    """Store a photo of the visit, drawn anew. Answers the file's id. Refuses `photos_too_many` beyond 10."""
    visit, ticket = _begun_visit(work, visit_id)
    picture = images.photo(sent)
    _lock(work, visit)
    if _count_photos(work, visit_id) >= MOST_PHOTOS:
        raise Refusal("photos_too_many", most=MOST_PHOTOS)
    file = _store(work, visit, VisitFileKind.PHOTO, picture)
    work.touch_ticket(ticket.id)
    work.record("visit.photo_added", file, visit_id=visit.id, sha256=picture.sha256)
    return file.id


@permit(Role.TECHNICIAN)
def remove_photo(work: Work, *, visit_id: int, file_id: int) -> None:
    """Remove a photo that was taken by mistake, as long as the visit is not done."""
    _, ticket = _begun_visit(work, visit_id)
    file = work.get(VisitFile, file_id)
    if file.visit_id != visit_id or file.kind is not VisitFileKind.PHOTO:
        raise Refusal("not_found")
    work.session.delete(file)
    work.touch_ticket(ticket.id)
    work.record("visit.photo_removed", file, visit_id=visit_id, sha256=file.sha256)


@permit(Role.TECHNICIAN)
def sign_visit(work: Work, *, visit_id: int, sent: bytes) -> int:
    """Store the customer's signature; a new one takes the place of the one before. Answers the file's id."""
    visit, ticket = _begun_visit(work, visit_id)
    picture = images.signature(sent)
    _lock(work, visit)
    signed = work.ask(FILES_OF_VISIT, of_visit=visit_id, kind=VisitFileKind.SIGNATURE)
    for before in signed.scalars().all():
        work.session.delete(work.get(VisitFile, before))
    file = _store(work, visit, VisitFileKind.SIGNATURE, picture)
    work.touch_ticket(ticket.id)
    work.record("visit.signed", file, visit_id=visit.id, sha256=picture.sha256)
    return file.id


@permit(Role.TECHNICIAN)
def use_part(work: Work, *, visit_id: int, part_id: int, quantity: int) -> int:
    """Take a part for the visit: it leaves the ledger now. Answers the id of the line. Refuses `stock_short`."""
    visit, ticket = _begun_visit(work, visit_id)
    movement_id = stock.issue_part(
        work, part_id=part_id, quantity=quantity, ticket_id=ticket.id, visit_id=visit.id
    )
    used = VisitPart(
        visit_id=visit.id, part_id=part_id, movement_id=movement_id, quantity=quantity, at=work.now
    )
    work.session.add(used)
    work.session.flush()
    work.touch_ticket(ticket.id)
    work.record("visit.part_used", used, part_id=part_id, quantity=quantity)
    return used.id


@permit(Role.TECHNICIAN)
def give_part_back(work: Work, *, visit_id: int, visit_part_id: int) -> None:
    """Undo a part that was taken by mistake: it returns to the ledger, as long as the visit is not done."""
    visit, ticket = _begun_visit(work, visit_id)
    used = work.session.execute(
        delete(VisitPart)
        .where(VisitPart.id == visit_part_id, VisitPart.visit_id == visit_id)
        .returning(VisitPart.part_id, VisitPart.quantity)
    ).one_or_none()
    if used is None:
        raise Refusal("not_found")
    stock.return_part(
        work,
        part_id=used.part_id,
        quantity=used.quantity,
        ticket_id=ticket.id,
        visit_id=visit.id,
    )
    work.touch_ticket(ticket.id)
    work.record("visit.part_given_back", visit, part_id=used.part_id, quantity=used.quantity)


@permit(Role.TECHNICIAN)
def finish_visit(
    work: Work,
    *,
    visit_id: int,
    version: int,
    report: str,
    outcome: VisitOutcome | None,
    signed_by: str = "",
    signature: bytes | None = None,
    waiting_until: datetime | None = None,
    device_at: datetime | None = None,
    skew: timedelta = NO_SKEW,
) -> None:
    """End a visit: the case is completed, or waits for what the outcome names, until `waiting_until` is expected.

    None: as long as such a wait usually lasts. `signature` is needed only where `sign_visit` has not stored one.
    The instant is found and refused as for `set_out`: it is the completion's (rules 1, 22), a wait begins now.
    Refuses `visit_incomplete` with what is missing, `waiting_until_past`, and `visit_move_not_allowed` before arrival.
    """
    visit, ticket = _own_visit(work, visit_id, version)
    rules.ensure_can_move(visit.status, VisitStatus.DONE)
    if signature is not None:
        sign_visit(work, visit_id=visit_id, sent=signature)
    is_signed = signature is not None or _has_signature(work, visit_id)
    missing = rules.missing_for(outcome, report, signed_by, has_signature=is_signed)
    if missing or outcome is None:
        raise Refusal("visit_incomplete", missing=",".join(missing))
    until_at = rules.wait_after(outcome, waiting_until, work.now)
    told = ticket_rules.ensure_words(report, limit=rules.REPORT_LENGTH)
    at, stamp = _stamped(work, visit, device_at, skew)
    visit.status = VisitStatus.DONE
    visit.done_at = at
    visit.outcome = outcome
    visit.report = told
    visit.signed_by = ticket_rules.ensure_readable(signed_by.strip(), limit=rules.SIGNER_LENGTH)
    _carry_on(work, ticket, visit, rules.WAITING_AFTER.get(outcome), until_at, stamp)
    work.record("visit.done", visit, outcome=outcome, at=at.isoformat(), **stamp)


def _carry_on(
    work: Work,
    ticket: Ticket,
    visit: Visit,
    waiting_for: WaitingFor | None,
    until_at: datetime | None,
    stamp: dict[str, Any],
) -> None:
    """What the visit means for its case. One that was completed meanwhile, but after this visit, was done by it
    (rule 21); any other that has ended keeps the report as a note."""
    if ticket.status is TicketStatus.COMPLETED and waiting_for is None and visit.done_at:
        tickets.note_completion(work, ticket, at=visit.done_at, words=visit.report, stamp=stamp)
        return
    if ticket.status in (TicketStatus.COMPLETED, *ticket_rules.ENDED_STATUSES):
        tickets.add_event(work, ticket, EventKind.NOTE, words=visit.report)
        work.touch_ticket(ticket.id)
        return
    tickets.note_on_site(work, ticket, visit.technician_id)
    if waiting_for is None:
        tickets.complete_ticket(
            work,
            ticket_id=ticket.id,
            version=None,
            words=visit.report,
            at=visit.done_at,
            stamp=stamp,
        )
        return
    if ticket.waiting_for is waiting_for:
        # A colleague let it wait meanwhile; whoever was there knows better until when.
        tickets.end_waiting(work, ticket_id=ticket.id, version=ticket.version)
    tickets.start_waiting(
        work,
        ticket_id=ticket.id,
        version=None,
        waiting_for=waiting_for,
        words=visit.report,
        until_at=until_at,
    )


def _own_visit(work: Work, visit_id: int, version: int | None) -> tuple[Visit, Ticket]:
    """The visit and its case, for its own technician. Refuses `not_your_visit`."""
    visit = work.get(Visit, visit_id, version=version)
    if work.actor.person_id is not None and visit.technician_id != work.actor.person_id:
        raise Refusal("not_your_visit")
    return visit, work.get(Ticket, visit.ticket_id)


def _begun_visit(work: Work, visit_id: int) -> tuple[Visit, Ticket]:
    """The own visit between arrival and end. Refuses `visit_not_begun`."""
    visit, ticket = _own_visit(work, visit_id, None)
    if visit.status is not VisitStatus.ARRIVED:
        raise Refusal("visit_not_begun", status=visit.status)
    return visit, ticket


def _lock(work: Work, visit: Visit) -> None:
    """Hold the visit's row, so that two uploads are counted one after the other; on SQLite all writers are."""
    if not database.is_sqlite():
        work.ask(HOLD_VISIT, of_visit=visit.id)


def _store(work: Work, visit: Visit, kind: VisitFileKind, picture: images.Picture) -> VisitFile:
    file = VisitFile(
        visit_id=visit.id,
        kind=kind,
        media_type=picture.media_type,
        sha256=picture.sha256,
        size_bytes=len(picture.content),
        content=picture.content,
        person_id=work.actor.person_id,
        at=work.now,
    )
    work.session.add(file)
    work.session.flush()
    return file


def _count_photos(work: Work, visit_id: int) -> int:
    photos = work.ask(FILES_OF_VISIT, of_visit=visit_id, kind=VisitFileKind.PHOTO)
    return len(photos.all())


def _has_signature(work: Work, visit_id: int) -> bool:
    signatures = work.ask(FILES_OF_VISIT, of_visit=visit_id, kind=VisitFileKind.SIGNATURE)
    return signatures.first() is not None


def _ensure_no_other_visit(work: Work, ticket_id: int) -> None:
    other = work.ask(LIVE_VISIT_OF_TICKET, of_ticket=ticket_id).first()
    if other is not None:
        raise Refusal("visit_planned_already", **_span(other.starts_at, other.ends_at))


def _ensure_free(
    work: Work, technician_id: int, starts_at: datetime, ends_at: datetime, but: int = 0
) -> None:
    """Refuse a span in which the technician is booked; the database's own constraint guards the race."""
    other = work.ask(
        VISITS_IN_THE_WAY,
        of_technician=technician_id,
        starts_at=starts_at,
        ends_at=ends_at,
        but=but,
    ).first()
    if other is not None:
        raise Refusal(
            "visit_overlaps", number=other.number, **_span(other.starts_at, other.ends_at)
        )


def _span(starts_at: datetime, ends_at: datetime) -> dict[str, str]:
    start, end = starts_at.astimezone(SHANGHAI), ends_at.astimezone(SHANGHAI)
    return {"on": f"{start:%m-%d}", "start": f"{start:%H:%M}", "end": f"{end:%H:%M}"}
