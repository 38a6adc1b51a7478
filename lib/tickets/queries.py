"""Reads of cases: one case with its timeline and timers, and what is open at a customer.

Who may see which case is `visible_to`; phones and addresses are masked here, by role and visit (P-05).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    false,
    func,
    literal,
    or_,
    select,
    true,
)

from db.codes import (
    ActorKind,
    Channel,
    CoverageState,
    EventKind,
    FaultCode,
    Priority,
    Role,
    TargetUnit,
    TicketStatus,
    TimerKind,
    TimerPhase,
    Verdict,
    VisitStatus,
    WaitingFor,
)
from db.models.customers import Contact, Customer, Site
from db.models.items import Item
from db.models.messages import Notice, NoticeReceipt
from db.models.people import Person
from db.models.tickets import Ticket, TicketEvent, Timer
from db.models.visits import Visit
from lib.coverage.rules import UNKNOWN, Warranty, warranty_at
from lib.customers.queries import (
    ContactRow,
    SiteRow,
    contact_row,
    revealed,
    sees_full,
    site_row,
)
from lib.customers.rules import AFTER_VISIT
from lib.items.queries import ItemRow, item_row
from lib.shared.calendar import epoch
from lib.shared.calendars import calendar_named
from lib.shared.errors import Refusal
from lib.shared.work import Actor, Look
from lib.tickets.policies import rulebook_of
from lib.tickets.promises import promise_told
from lib.tickets.rules import ENDED_STATUSES, OPEN_STATUSES
from lib.tickets.steps import Step, legal_steps
from lib.tickets.targets import Matter
from lib.tickets.timers import TimerState, is_late_entry, verdict

READERS = frozenset(
    {
        Role.HOTLINE,
        Role.DISPATCHER,
        Role.SUPERVISOR,
        Role.SALES,
        Role.QUALITY,
        Role.STOREKEEPER,
        Role.AUDITOR,
    }
)
"""Roles that see every case; a technician sees those assigned to him or with a visit of his."""

MINUTES = frozenset({TargetUnit.WORKING_MINUTES, TargetUnit.CALENDAR_MINUTES})

Question = TypeVar("Question", bound=Select[*tuple[Any, ...]])

REVEALERS = frozenset({Role.SALES, Role.QUALITY, Role.TECHNICIAN})
"""Roles that read masked contacts and may ask, with a reason, to see one in full."""


@dataclass(frozen=True, slots=True)
class NumberToRead:
    """A case's number with whose it is, and the technician's name if there is one."""

    id: int
    number: str
    company: str
    technician: str


@dataclass(frozen=True, slots=True)
class TicketDetail:
    """A case as its page shows it. `warranty` is judged on the day of the report and frozen (W-01)."""

    id: int
    number: str
    version: int
    cycle: int
    source: str
    status: TicketStatus
    waiting_for: WaitingFor | None
    priority: Priority
    channel: Channel
    fault: FaultCode
    title: str
    words: str
    received_at: datetime
    entered_at: datetime
    completed_at: datetime | None
    closed_at: datetime | None
    customer_id: int | None
    company: str
    contact: ContactRow | None
    site: SiteRow | None
    item: ItemRow | None
    coverage: CoverageState
    warranty: Warranty
    technician_id: int | None
    technician: str
    owner_id: int | None
    owner: str
    next_action_at: datetime | None
    may_reveal: bool
    steps: list[Step]


@dataclass(frozen=True, slots=True)
class EventRow:
    """A fact on the timeline. `stage_until`: when the state it brought was left; None while it lasts.

    `details` holds ids and codes; `person` is the technician they name, if any.
    """

    id: int
    cycle: int
    kind: EventKind
    at: datetime
    recorded_at: datetime
    actor_kind: ActorKind
    actor: str
    from_status: TicketStatus | None
    to_status: TicketStatus | None
    waiting_for: WaitingFor | None
    words: str
    details: dict[str, Any]
    person: str
    begins_stage: bool
    stage_until: datetime | None


@dataclass(frozen=True, slots=True)
class TimerRow:
    """A timer now. `outside_hours`: it runs, but the desk is closed, so nothing is counted (not a pause).

    late_entry: stopped in time, but written down only after the due (rule 1).
    """

    kind: TimerKind
    cycle: int
    verdict: Verdict
    phase: TimerPhase
    started_at: datetime
    due_at: datetime | None
    remaining_seconds: int | None
    stopped_at: datetime | None
    target_seconds: int
    outside_hours: bool
    late_entry: bool = False


@dataclass(frozen=True, slots=True)
class SimilarTicket:
    """Another case of the same customer."""

    id: int
    number: str
    fault: FaultCode
    status: TicketStatus
    waiting_for: WaitingFor | None
    received_at: datetime
    words: str
    item: str
    same_item: bool
    same_fault: bool


@dataclass(frozen=True, slots=True)
class PromiseToTell:
    """By when somebody gets in touch; minutes as the policy has them, None for another unit."""

    until: datetime
    minutes: int | None
    policy_id: int | None


def reads_all(actor: Actor) -> bool:
    """Whether the actor may see every ticket."""
    return actor.kind is ActorKind.SYSTEM or actor.has(*READERS)


def visible_to(actor: Actor) -> ColumnElement[bool]:
    """Which tickets the actor may see, as a condition on `Ticket`."""
    if reads_all(actor):
        return true()
    if actor.has(Role.TECHNICIAN):
        visited = select(Visit.ticket_id).where(
            Visit.technician_id == actor.person_id, Visit.status != VisitStatus.CANCELLED
        )
        # Somebody who stands in for a colleague reads the cases that he was told of (rule 19).
        told = (
            select(Notice.ticket_id)
            .join(NoticeReceipt, NoticeReceipt.notice_id == Notice.id)
            .where(NoticeReceipt.person_id == actor.person_id, Notice.ticket_id.is_not(None))
        )
        return or_(
            Ticket.technician_id == actor.person_id,
            Ticket.id.in_(visited),
            Ticket.id.in_(told),
        )
    return false()


def only_visible(statement: Question, actor: Actor) -> Question:
    """The statement over tickets, narrowed to those that the actor may see."""
    return statement if reads_all(actor) else statement.where(visible_to(actor))


BESIDE = (
    select(Customer, Contact, Item, Site)
    .select_from(Ticket)
    .outerjoin(Customer, Customer.id == Ticket.customer_id)
    .outerjoin(Contact, Contact.id == Ticket.contact_id)
    .outerjoin(Item, Item.id == Ticket.item_id)
    .outerjoin(Site, Site.id == func.coalesce(Ticket.site_id, Item.site_id))
    .where(Ticket.id == bindparam("of_ticket"))
)
"""The case's customer, contact, item and site, the item's where the case names none."""
READ_OUT = (
    select(
        Ticket.id, Ticket.number, Customer.name.label("company"), Person.name.label("technician")
    )
    .outerjoin(Customer, Customer.id == Ticket.customer_id)
    .outerjoin(Person, Person.id == Ticket.technician_id)
    .where(Ticket.id == bindparam("of_ticket"))
)
EVENTS = (
    select(TicketEvent)
    .where(TicketEvent.ticket_id == bindparam("of_ticket"))
    .order_by(TicketEvent.id)
)
TIMERS = select(Timer).where(Timer.ticket_id == bindparam("of_ticket"))
RECORDED = (
    select(TicketEvent.at, func.min(TicketEvent.recorded_at))
    .where(
        TicketEvent.ticket_id == bindparam("of_ticket"),
        TicketEvent.at.in_(bindparam("instants", expanding=True)),
    )
    .group_by(TicketEvent.at)
)
NAMES = select(Person.id, Person.name).where(Person.id.in_(bindparam("ids", expanding=True)))
"""What every case's page asks, built once."""


def find_visible(look: Look, ticket_id: int) -> Ticket:
    """The case, if the actor may see it; at hand for the rest of the transaction. Refuses `ticket_not_found`."""
    seen: dict[tuple[str, int], Ticket] = look.session.info.setdefault("visible_tickets", {})
    asked = look.actor.label, ticket_id
    if asked not in seen:
        held = Ticket.id == ticket_id, visible_to(look.actor)
        ticket = look.session.scalars(select(Ticket).where(*held)).first()
        if ticket is None:
            raise Refusal("ticket_not_found")
        seen[asked] = ticket
    return seen[asked]


def sees_contact_in_full(look: Look, ticket: Ticket) -> bool:
    """Whether the actor reads this case's phone and address: by role, or as its technician (P-05).

    A technician does while the case is his and no visit of his is planned yet, and until 24 hours after the last one.
    """
    actor = look.actor
    if sees_full(actor):
        return True
    if not actor.has(Role.TECHNICIAN):
        return False
    visits = look.session.execute(
        select(Visit.status, Visit.ends_at, Visit.done_at).where(
            Visit.ticket_id == ticket.id,
            Visit.technician_id == actor.person_id,
            Visit.status != VisitStatus.CANCELLED,
        )
    ).all()
    if not visits:
        return ticket.technician_id == actor.person_id and ticket.status not in ENDED_STATUSES
    return any(look.now < (visit.done_at or visit.ends_at) + AFTER_VISIT for visit in visits)


def find_ticket(look: Look, *, ticket_id: int) -> TicketDetail:
    """One case with its customer, item and the steps that the actor may take. Refuses `ticket_not_found`."""
    ticket = find_visible(look, ticket_id)
    session = look.session
    customer, contact, item, site = session.execute(BESIDE, {"of_ticket": ticket_id}).one()
    full = sees_contact_in_full(look, ticket)
    contact_full = full or (contact is not None and bool(revealed(look, "contacts", [contact.id])))
    site_full = full or (site is not None and bool(revealed(look, "sites", [site.id])))
    names = _names(look, [ticket.technician_id, ticket.owner_id])
    warranty = UNKNOWN
    if item is not None:
        warranty = warranty_at(
            ticket.received_at, start_on=item.warranty_start_on, months=item.warranty_months
        )
    hidden = (contact is not None and not contact_full) or (site is not None and not site_full)
    return TicketDetail(
        id=ticket.id,
        number=ticket.number,
        version=ticket.version,
        cycle=ticket.cycle,
        source=ticket.source,
        status=ticket.status,
        waiting_for=ticket.waiting_for,
        priority=ticket.priority,
        channel=ticket.channel,
        fault=ticket.fault,
        title=ticket.title,
        words=ticket.words,
        received_at=ticket.received_at,
        entered_at=ticket.entered_at,
        completed_at=ticket.completed_at,
        closed_at=ticket.closed_at,
        customer_id=ticket.customer_id,
        company=customer.name if customer else "",
        contact=contact_row(contact, full=contact_full) if contact else None,
        site=site_row(site, full=site_full) if site else None,
        item=item_row(item, site.name if site else "") if item else None,
        coverage=ticket.coverage,
        warranty=warranty,
        technician_id=ticket.technician_id,
        technician=names.get(ticket.technician_id, ""),
        owner_id=ticket.owner_id,
        owner=names.get(ticket.owner_id, ""),
        next_action_at=ticket.next_action_at,
        may_reveal=hidden and look.actor.has(*REVEALERS),
        steps=legal_steps(
            ticket.status,
            look.actor,
            technician_id=ticket.technician_id,
            owner_id=ticket.owner_id,
        ),
    )


def find_number_to_read(look: Look, *, ticket_id: int) -> NumberToRead:
    """What the caller is told of the case just saved (S-23). Refuses `ticket_not_found`."""
    row = look.ask(only_visible(READ_OUT, look.actor), of_ticket=ticket_id).one_or_none()
    if row is None:
        raise Refusal("ticket_not_found")
    return NumberToRead(row.id, row.number, row.company or "", row.technician or "")


def find_ticket_id(look: Look, *, number: str) -> int | None:
    """The id behind a number, if the actor may see the case."""
    return look.session.scalar(
        select(Ticket.id).where(Ticket.number == number.strip().upper(), visible_to(look.actor))
    )


def list_events(look: Look, *, ticket_id: int) -> list[EventRow]:
    """The timeline, newest first, each state with the time it was entered and left. Refuses `ticket_not_found`."""
    find_visible(look, ticket_id)
    events = look.session.scalars(EVENTS, {"of_ticket": ticket_id}).all()
    left = _stage_ends(events)
    names = _names(
        look,
        [
            person
            for event in events
            for person in (event.actor_id, event.details.get("technician_id"))
        ],
    )
    rows = [
        EventRow(
            id=event.id,
            cycle=event.cycle,
            kind=event.kind,
            at=event.at,
            recorded_at=event.recorded_at,
            actor_kind=event.actor_kind,
            actor=names.get(event.actor_id, ""),
            from_status=event.from_status,
            to_status=event.to_status,
            waiting_for=event.waiting_for,
            words=event.words,
            details=event.details,
            person=names.get(event.details.get("technician_id"), ""),
            begins_stage=event.id in left,
            stage_until=left.get(event.id),
        )
        for event in events
    ]
    return sorted(rows, key=lambda row: (row.at, row.id), reverse=True)


def _stage_ends(events: Iterable[TicketEvent]) -> dict[int, datetime | None]:
    """For each event that brought a new state (in the order of recording): when that state was left."""
    left: dict[int, datetime | None] = {}
    current: TicketEvent | None = None
    for event in events:
        if event.to_status is None or event.to_status == event.from_status:
            continue
        if current is not None:
            left[current.id] = max(event.at, current.at)
        left[event.id] = None
        current = event
    if current is not None and current.to_status in ENDED_STATUSES:
        left[current.id] = current.at
    return left


def list_timers(look: Look, *, ticket_id: int) -> list[TimerRow]:
    """The timers of the running cycle: first response, resolution, and the open return call if there is one."""
    ticket = find_visible(look, ticket_id)
    timers = look.session.scalars(TIMERS, {"of_ticket": ticket_id}).all()
    newest = {
        kind: max((timer for timer in timers if timer.kind is kind), key=lambda timer: timer.cycle)
        for kind in TimerKind
        if any(timer.kind is kind for timer in timers)
    }
    call = newest.get(TimerKind.RETURN_CALL)
    if call is not None and (call.cycle != ticket.cycle or call.stopped_at is not None):
        del newest[TimerKind.RETURN_CALL]
    # Of several promises the one counts that is due next; those that are over stand among the promises.
    open_promises = [
        timer
        for timer in timers
        if timer.kind is TimerKind.PROMISE and timer.phase is TimerPhase.RUNNING
    ]
    newest.pop(TimerKind.PROMISE, None)
    if open_promises:
        newest[TimerKind.PROMISE] = min(open_promises, key=lambda timer: timer.due_at or look.now)
    recorded = _recorded_at(look, ticket_id, {timer.stopped_at for timer in newest.values()})
    closed_now = not calendar_named(look.session).time.is_open(look.now)
    return [
        _timer_row(
            TimerState(
                timer.kind,
                timer.cycle,
                timer.started_at,
                timer.phase,
                timer.due_at,
                timer.remaining_seconds,
                timer.stopped_at,
                timer.missed_cause,
            ),
            timer.target_seconds,
            look.now,
            closed_now,
            recorded.get(timer.stopped_at),
        )
        for timer in newest.values()
    ]


def _recorded_at(
    look: Look, ticket_id: int, stops: Collection[datetime | None]
) -> dict[datetime | None, datetime]:
    """When what stopped a timer at an instant was written down."""
    wanted = {stop for stop in stops if stop is not None}
    if not wanted:
        return {}
    found = look.ask(RECORDED, of_ticket=ticket_id, instants=list(wanted))
    return {row[0]: row[1] for row in found}


def _timer_row(
    state: TimerState,
    target_seconds: int,
    now: datetime,
    closed_now: bool,
    recorded_at: datetime | None,
) -> TimerRow:
    judged = verdict(state, now)
    return TimerRow(
        kind=state.kind,
        cycle=state.cycle,
        verdict=judged,
        phase=state.phase,
        started_at=state.started_at,
        due_at=state.due_at,
        remaining_seconds=state.remaining_seconds,
        stopped_at=state.stopped_at,
        target_seconds=target_seconds,
        outside_hours=closed_now and judged is Verdict.RUNNING,
        late_entry=recorded_at is not None and is_late_entry(state, recorded_at),
    )


def find_promise(
    look: Look,
    *,
    received_at: datetime | None = None,
    channel: Channel = Channel.PHONE,
    priority: Priority | None = None,
    customer_id: int | None = None,
) -> PromiseToTell | None:
    """The instant to read out to a caller, received then (None: now): by when somebody gets in touch (S-22, rule 28).

    By the policy for the case as it is told so far. None when no policy gives a target.
    """
    received_at = received_at or look.now
    customer = None if customer_id is None else look.session.get(Customer, customer_id)
    matter = Matter(
        level=None if customer is None else customer.level, channel=channel, priority=priority
    )
    at = epoch(received_at)
    target = rulebook_of(look).target_of(TimerKind.FIRST_RESPONSE, matter, at, at)
    if target is None:
        return None
    minutes = None
    if target.second is None and target.amount.unit in MINUTES:
        minutes = target.amount.number
    return PromiseToTell(promise_told(received_at, target), minutes, target.policy_id)


def list_legal_moves(look: Look, *, ticket_id: int) -> list[Step]:
    """The steps that the actor may take on the case now, the usual next one first. Refuses `ticket_not_found`."""
    ticket = find_visible(look, ticket_id)
    return legal_steps(
        ticket.status,
        look.actor,
        technician_id=ticket.technician_id,
        owner_id=ticket.owner_id,
    )


def find_similar(
    look: Look,
    *,
    customer_id: int,
    item_id: int | None = None,
    fault: FaultCode | None = None,
    limit: int = 5,
) -> list[SimilarTicket]:
    """Open cases of a customer, same item and fault first, then the newest: shown before a new one is saved."""
    return _of_customer(look, customer_id, Ticket.status.in_(OPEN_STATUSES), item_id, fault, limit)


def list_last_faults(look: Look, *, customer_id: int, limit: int = 3) -> list[SimilarTicket]:
    """The newest ended cases of a customer (S-19)."""
    return _of_customer(look, customer_id, Ticket.status.in_(ENDED_STATUSES), None, None, limit)


def _of_customer(
    look: Look,
    customer_id: int,
    which: ColumnElement[bool],
    item_id: int | None,
    fault: FaultCode | None,
    limit: int,
) -> list[SimilarTicket]:
    same_item = case((Ticket.item_id == (item_id or -1), 0), else_=1)
    same_fault = case((Ticket.fault == fault, 0), else_=1) if fault is not None else literal(1)
    found = look.session.execute(
        select(Ticket, Item.name)
        .outerjoin(Item, Item.id == Ticket.item_id)
        .where(and_(Ticket.customer_id == customer_id, which, visible_to(look.actor)))
        .order_by(same_item, same_fault, Ticket.received_at.desc(), Ticket.id.desc())
        .limit(limit)
    ).all()
    return [
        SimilarTicket(
            ticket.id,
            ticket.number,
            ticket.fault,
            ticket.status,
            ticket.waiting_for,
            ticket.received_at,
            ticket.words,
            item_name or "",
            item_id is not None and ticket.item_id == item_id,
            ticket.fault is fault,
        )
        for ticket, item_name in found
    ]


def _names(look: Look, ids: Collection[int | None]) -> dict[int | None, str]:
    wanted = {person_id for person_id in ids if person_id is not None}
    if not wanted:
        return {}
    return {row.id: row.name for row in look.ask(NAMES, ids=list(wanted))}
