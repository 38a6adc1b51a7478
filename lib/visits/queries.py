"""The day of every technician, what still wants a visit, and a technician's own visits with phone and address."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from sqlalchemy import Executable, and_, bindparam, func, or_, select

from db.codes import (
    ActorKind,
    CoverageState,
    FaultCode,
    Priority,
    Role,
    TicketStatus,
    VisitFileKind,
    VisitOutcome,
    VisitStatus,
    WaitingFor,
)
from db.models.customers import Contact, Customer, Site
from db.models.items import Item
from db.models.people import Person, PersonRole
from db.models.stock import Part
from db.models.tickets import QueueRow, Ticket
from db.models.visits import Visit, VisitFile, VisitPart
from lib.coverage.rules import warranty_at
from lib.customers.queries import contact_row, sees_full, site_row
from lib.shared import images
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.shared.work import Look
from lib.tickets.rules import ENDED_STATUSES
from lib.visits import rules

PLANNERS = frozenset({Role.DISPATCHER, Role.SUPERVISOR, Role.AUDITOR})
"""Roles that read the schedule of everybody."""

FILE_READERS = frozenset({Role.HOTLINE, Role.DISPATCHER, Role.SUPERVISOR, Role.QUALITY})
"""Roles that see photos and signatures of any visit; a technician sees those of his own."""

WANT_VISIT = (
    TicketStatus.NEW,
    TicketStatus.ASSIGNED,
    TicketStatus.CONTACTED,
    TicketStatus.WAITING,
)


@dataclass(frozen=True)
class VisitBar:
    """A visit on the schedule. `late`: the technician should be there and is not (W-18)."""

    id: int
    ticket_id: int
    number: str
    technician_id: int
    status: VisitStatus
    starts_at: datetime
    ends_at: datetime
    priority: Priority
    fault: FaultCode
    customer_name: str
    late: bool
    ticket_open: bool
    version: int


@dataclass(frozen=True)
class TechnicianDay:
    """A technician with his visits of one day in the order of time; `minutes` planned or done."""

    person_id: int
    name: str
    minutes: int
    visits: tuple[VisitBar, ...] = ()


@dataclass(frozen=True)
class UnplannedRow:
    """An open case without a visit to come; `due_at` in epoch seconds, a far future when nothing runs."""

    ticket_id: int
    number: str
    priority: Priority
    fault: FaultCode
    status: TicketStatus
    waiting_for: WaitingFor | None
    customer_name: str
    technician_name: str
    due_at: int
    version: int


@dataclass(frozen=True)
class Unplanned:
    rows: tuple[UnplannedRow, ...]
    total: int


@dataclass(frozen=True)
class TicketBrief:
    """A case as its planner needs it; the address is masked by role."""

    ticket_id: int
    number: str
    version: int
    status: TicketStatus
    priority: Priority
    fault: FaultCode
    technician_id: int | None
    customer_name: str
    site_name: str
    address: str
    visit: VisitBar | None


@dataclass(frozen=True)
class TechnicianName:
    person_id: int
    name: str


@dataclass(frozen=True)
class UsedPart:
    id: int
    part_id: int
    number: str
    name: str
    name_en: str
    unit: str
    quantity: int


@dataclass(frozen=True)
class VisitCard:
    """A visit as its technician works on it, or as the case's page shows it."""

    id: int
    version: int
    status: VisitStatus
    starts_at: datetime
    ends_at: datetime
    on_the_way_at: datetime | None
    arrived_at: datetime | None
    done_at: datetime | None
    outcome: VisitOutcome | None
    report: str
    signed_by: str
    technician_name: str
    ticket_id: int
    number: str
    ticket_status: TicketStatus
    priority: Priority
    fault: FaultCode
    words: str
    customer_name: str
    contact_name: str
    phone: str
    site_name: str
    address: str
    masked: bool
    item_name: str
    room: str
    coverage: CoverageState
    warranty_ends_on: date | None
    late: bool
    parts: tuple[UsedPart, ...] = ()
    photo_ids: tuple[int, ...] = ()
    signature_id: int | None = None


@dataclass(frozen=True)
class StoredFile:
    media_type: str
    content: bytes = field(repr=False)


def day_span(on: date) -> tuple[datetime, datetime]:
    """The first instant of a day in Shanghai and of the next."""
    start = datetime.combine(on, time(), SHANGHAI)
    return start, start + timedelta(days=1)


def list_day(look: Look, *, on: date) -> list[TechnicianDay]:
    """Every active technician, and whoever has a visit, with the visits of the day; cancelled ones left out."""
    _ensure_planner(look)
    start, end = day_span(on)
    statement = (
        select(Visit, Ticket, func.coalesce(Customer.name, ""))
        .join(Ticket, Ticket.id == Visit.ticket_id)
        .outerjoin(Customer, Customer.id == Ticket.customer_id)
        .where(
            Visit.starts_at < end,
            Visit.starts_at >= start - rules.LONGEST,
            Visit.ends_at > start,
            Visit.status != VisitStatus.CANCELLED,
        )
        .order_by(Visit.starts_at, Visit.id)
    )
    bars: dict[int, list[VisitBar]] = {}
    for visit, ticket, customer_name in look.session.execute(statement):
        bar = _bar(visit, ticket, customer_name, look.now)
        bars.setdefault(visit.technician_id, []).append(bar)
    return [
        TechnicianDay(
            technician.person_id,
            technician.name,
            rules.planned_minutes(
                [(bar.starts_at, bar.ends_at) for bar in bars.get(technician.person_id, [])]
            ),
            tuple(bars.get(technician.person_id, [])),
        )
        for technician in _technicians(look, also=list(bars))
    ]


def list_technicians(look: Look) -> list[TechnicianName]:
    """Who can be sent: active holders of the role, by name."""
    _ensure_planner(look)
    return _technicians(look)


def list_unplanned(look: Look, *, most: int = 50) -> Unplanned:
    """Open cases without a visit to come, next due first; at most `most` of `total`."""
    _ensure_planner(look)
    booked = select(Visit.ticket_id).where(Visit.status.in_(rules.LIVE))
    wanted = (QueueRow.status.in_(WANT_VISIT), QueueRow.ticket_id.not_in(booked))
    rows = look.session.execute(
        select(
            QueueRow.ticket_id,
            QueueRow.number,
            QueueRow.priority,
            QueueRow.fault,
            QueueRow.status,
            QueueRow.waiting_for,
            QueueRow.customer_name,
            QueueRow.technician_name,
            QueueRow.due_at,
            QueueRow.version,
        )
        .where(*wanted)
        .order_by(QueueRow.due_at, QueueRow.ticket_id)
        .limit(most)
    )
    shown = tuple(UnplannedRow(**row._mapping) for row in rows)
    total = len(shown)
    if total == most:
        counted = select(func.count()).select_from(QueueRow).where(*wanted)
        total = look.session.scalar(counted) or total
    return Unplanned(shown, total)


def find_ticket_to_plan(look: Look, *, ticket_id: int) -> TicketBrief:
    """The case a visit is planned for, with the visit to come if there is one. Refuses `not_found`."""
    _ensure_planner(look)
    found = look.session.execute(
        select(Ticket, Customer, Site)
        .outerjoin(Customer, Customer.id == Ticket.customer_id)
        .outerjoin(Site, Site.id == Ticket.site_id)
        .where(Ticket.id == ticket_id)
    ).one_or_none()
    if found is None:
        raise Refusal("not_found")
    ticket, customer, site = found
    visit = look.session.scalar(
        select(Visit)
        .where(Visit.ticket_id == ticket_id, Visit.status.in_(rules.LIVE))
        .order_by(Visit.starts_at)
        .limit(1)
    )
    customer_name = customer.name if customer else ""
    place = site_row(site, full=sees_full(look.actor)) if site else None
    return TicketBrief(
        ticket.id,
        ticket.number,
        ticket.version,
        ticket.status,
        ticket.priority,
        ticket.fault,
        ticket.technician_id,
        customer_name,
        place.name if place else "",
        place.address if place else "",
        _bar(visit, ticket, customer_name, look.now) if visit else None,
    )


CARDS = (
    select(Visit, Ticket, Customer, Contact, Site, Item, Person.name)
    .join(Ticket, Ticket.id == Visit.ticket_id)
    .join(Person, Person.id == Visit.technician_id)
    .outerjoin(Customer, Customer.id == Ticket.customer_id)
    .outerjoin(Contact, Contact.id == Ticket.contact_id)
    .outerjoin(Site, Site.id == Ticket.site_id)
    .outerjoin(Item, Item.id == Ticket.item_id)
    .order_by(Visit.starts_at, Visit.id)
)
IS_OWN = Visit.technician_id == bindparam("technician")
OF_TICKET = CARDS.where(Visit.ticket_id == bindparam("of_ticket"))
OWN_OF_TICKET = OF_TICKET.where(IS_OWN)
OF_DAY = CARDS.where(
    IS_OWN,
    Visit.status != VisitStatus.CANCELLED,
    or_(
        and_(Visit.starts_at >= bindparam("since"), Visit.starts_at < bindparam("until")),
        Visit.status.in_((VisitStatus.ON_THE_WAY, VisitStatus.ARRIVED)),
    ),
)


def list_own_visits(look: Look, *, on: date) -> list[VisitCard]:
    """The actor's own visits of a day, and those of other days that he has begun and not ended, in order of time."""
    start, end = day_span(on)
    return _cards(look, OF_DAY, technician=look.actor.person_id, since=start, until=end)


def count_coming_visits(look: Look, *, on: date) -> int:
    """How many visits of the actor are planned after a day."""
    _, end = day_span(on)
    return (
        look.session.scalar(
            select(func.count())
            .select_from(Visit)
            .where(
                Visit.technician_id == look.actor.person_id,
                Visit.status == VisitStatus.PLANNED,
                Visit.starts_at >= end,
            )
        )
        or 0
    )


def list_visits_of_ticket(look: Look, *, ticket_id: int) -> list[VisitCard]:
    """All visits of a case, oldest first, for its page; a technician reads those of his own cases."""
    only_own = look.actor.has(Role.TECHNICIAN) and not look.actor.has(
        *FILE_READERS, Role.SALES, Role.AUDITOR
    )
    if only_own:
        return _cards(look, OWN_OF_TICKET, of_ticket=ticket_id, technician=look.actor.person_id)
    return _cards(look, OF_TICKET, of_ticket=ticket_id)


def read_file(look: Look, *, file_id: int, small: bool = False) -> StoredFile:
    """A photo or signature, or its thumbnail. Refuses `not_found` to whoever may not see it."""
    file = look.session.get(VisitFile, file_id)
    visit = look.session.get(Visit, file.visit_id) if file is not None else None
    if file is None or visit is None or not _may_see_files(look, visit):
        raise Refusal("not_found")
    if small:
        return StoredFile("image/jpeg", images.thumbnail(file.content))
    return StoredFile(file.media_type, file.content)


def _cards(look: Look, statement: Executable, **asked: object) -> list[VisitCard]:
    found = look.session.execute(statement, asked).all()
    visit_ids = [row[0].id for row in found]
    parts, files = _parts(look, visit_ids), _files(look, visit_ids)
    cards = []
    for visit, ticket, customer, contact, site, item, technician_name in found:
        own = visit.technician_id == look.actor.person_id
        full = sees_full(look.actor) or (
            own and rules.may_read_contact(visit.done_at or visit.ends_at, look.now)
        )
        reached = contact_row(contact, full=full) if contact else None
        place = site_row(site, full=full) if site else None
        warranty = (
            warranty_at(
                ticket.received_at, start_on=item.warranty_start_on, months=item.warranty_months
            )
            if item
            else None
        )
        of_visit = files.get(visit.id, [])
        signatures = [id_ for id_, kind in of_visit if kind is VisitFileKind.SIGNATURE]
        cards.append(
            VisitCard(
                id=visit.id,
                version=visit.version,
                status=visit.status,
                starts_at=visit.starts_at,
                ends_at=visit.ends_at,
                on_the_way_at=visit.on_the_way_at,
                arrived_at=visit.arrived_at,
                done_at=visit.done_at,
                outcome=visit.outcome,
                report=visit.report,
                signed_by=visit.signed_by,
                technician_name=technician_name,
                ticket_id=ticket.id,
                number=ticket.number,
                ticket_status=ticket.status,
                priority=ticket.priority,
                fault=ticket.fault,
                words=ticket.words,
                customer_name=customer.name if customer else "",
                contact_name=reached.name if reached else "",
                phone=reached.phone if reached else "",
                site_name=place.name if place else "",
                address=place.address if place else "",
                masked=not full,
                item_name=item.name if item else "",
                room=item.room if item else "",
                coverage=ticket.coverage,
                warranty_ends_on=warranty.ends_on if warranty else None,
                late=rules.is_late(visit.status, visit.starts_at, look.now),
                parts=tuple(parts.get(visit.id, ())),
                photo_ids=tuple(id_ for id_, kind in of_visit if kind is VisitFileKind.PHOTO),
                signature_id=signatures[-1] if signatures else None,
            )
        )
    return cards


def _parts(look: Look, visit_ids: Sequence[int]) -> dict[int, list[UsedPart]]:
    parts: dict[int, list[UsedPart]] = {}
    if not visit_ids:
        return parts
    for used, part in look.session.execute(
        select(VisitPart, Part)
        .join(Part, Part.id == VisitPart.part_id)
        .where(VisitPart.visit_id.in_(visit_ids))
        .order_by(VisitPart.id)
    ):
        parts.setdefault(used.visit_id, []).append(
            UsedPart(
                used.id, part.id, part.number, part.name, part.name_en, part.unit, used.quantity
            )
        )
    return parts


def _files(look: Look, visit_ids: Sequence[int]) -> dict[int, list[tuple[int, VisitFileKind]]]:
    files: dict[int, list[tuple[int, VisitFileKind]]] = {}
    if not visit_ids:
        return files
    for visit_id, file_id, kind in look.session.execute(
        select(VisitFile.visit_id, VisitFile.id, VisitFile.kind)
        .where(VisitFile.visit_id.in_(visit_ids))
        .order_by(VisitFile.id)
    ):
        files.setdefault(visit_id, []).append((file_id, kind))
    return files


def _technicians(look: Look, also: Sequence[int] = ()) -> list[TechnicianName]:
    holders = select(PersonRole.person_id).where(PersonRole.role == Role.TECHNICIAN)
    rows = look.session.execute(
        select(Person.id, Person.name)
        .where(or_(Person.active & Person.id.in_(holders), Person.id.in_(also)))
        .order_by(Person.name, Person.id)
    )
    return [TechnicianName(*row) for row in rows]


def _bar(visit: Visit, ticket: Ticket, customer_name: str, now: datetime) -> VisitBar:
    return VisitBar(
        visit.id,
        ticket.id,
        ticket.number,
        visit.technician_id,
        visit.status,
        visit.starts_at,
        visit.ends_at,
        ticket.priority,
        ticket.fault,
        customer_name,
        rules.is_late(visit.status, visit.starts_at, now),
        ticket.status not in ENDED_STATUSES,
        visit.version,
    )


def _ensure_planner(look: Look) -> None:
    if look.actor.kind is not ActorKind.SYSTEM and not look.actor.has(*PLANNERS):
        raise Refusal("not_found")


def _may_see_files(look: Look, visit: Visit) -> bool:
    if look.actor.kind is ActorKind.SYSTEM or look.actor.has(*FILE_READERS):
        return True
    ended_at = visit.done_at or visit.ends_at
    own = visit.technician_id == look.actor.person_id
    return own and (visit.status in rules.LIVE or rules.may_read_contact(ended_at, look.now))
