"""Every verb that changes a case. Each adds facts; timers and the open list follow from the facts."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.orm import aliased

from db.codes import (
    CancelReason,
    Channel,
    CommitmentKind,
    CoverageState,
    CustomerLevel,
    EventKind,
    FaultCode,
    NoticeKind,
    Priority,
    ReturnCallResult,
    ReturnCallState,
    Role,
    TicketStatus,
    TimerKind,
    WaitingFor,
)
from db.models.customers import Contact, Customer, Site
from db.models.items import Item
from db.models.people import Counter, Person
from db.models.tickets import (
    ReturnCall,
    ReturnCallTry,
    Ticket,
    TicketEvent,
)
from lib.coverage.rules import coverage_state
from lib.messages.actions import notify
from lib.shared.calendar import FARTHEST_DUE, NoDue, epoch
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.shared.work import WITH_ROLES, Work, grouped, permit
from lib.tickets import rules
from lib.tickets.derivation import BEGUN, recompute
from lib.tickets.facts import add_event as add_event
from lib.tickets.facts import end_promises, keep_promises
from lib.tickets.policies import matter_now, rulebook_of
from lib.tickets.timers import earliest

KEPT_BY_CONTACT = (CommitmentKind.CALL_BACK,)
KEPT_BY_ARRIVAL = (CommitmentKind.CALL_BACK, CommitmentKind.VISIT)
"""What a contact by a person keeps, and what the technician's arrival keeps."""
NEXT_NUMBER = (
    update(Counter)
    .where(Counter.name == bindparam("of_year"))
    .values(value=Counter.value + 1)
    .returning(Counter.value)
)
_site_of_item = aliased(Site)
BESIDE = (
    select(
        Customer.name.label("customer_name"),
        Customer.search_key.label("customer_key"),
        Customer.level,
        Customer.sales_owner_id,
        Contact.customer_id.label("contact_of"),
        Contact.name.label("contact_name"),
        Contact.search_key.label("contact_key"),
        Contact.phone_digits,
        Site.customer_id.label("site_of"),
        _site_of_item.customer_id.label("item_of"),
        Item.site_id.label("item_at"),
        Item.warranty_start_on,
        Item.warranty_months,
    )
    .select_from(Customer)
    .outerjoin(Contact, Contact.id == bindparam("of_contact"))
    .outerjoin(Site, Site.id == bindparam("of_site"))
    .outerjoin(Item, Item.id == bindparam("of_item"))
    .outerjoin(_site_of_item, _site_of_item.id == Item.site_id)
    .where(Customer.id == bindparam("of_customer"))
)
"""A customer, and the contact, site and item that a case is to name, each with whose it is."""
LAST_REOPENED = select(func.max(TicketEvent.at)).where(
    TicketEvent.ticket_id == bindparam("of_ticket"), TicketEvent.kind == EventKind.REOPENED
)


@grouped
@permit(Role.HOTLINE, Role.SUPERVISOR)
def open_ticket(
    work: Work,
    *,
    customer_id: int,
    contact_id: int | None,
    site_id: int | None,
    item_id: int | None,
    channel: Channel,
    received_at: datetime,
    fault: FaultCode,
    words: str,
    priority: Priority,
    answered: bool = False,
) -> int:
    """Open a case with its number and timers (S-21 to S-23). Answers its id.

    `answered`: it came by a call that a person took, which is the first response at once (rule 12).
    Refuses `received_in_future`, and `not_of_customer` for a contact, site or item of somebody else.
    """
    received_at = received_at.replace(microsecond=0)
    rules.ensure_received_in_time(received_at, work.now)
    beside = _ensure_of_customer(work, customer_id, contact_id, site_id, item_id)
    ticket = work.insert(
        Ticket(
            number=next_number(work),
            status=TicketStatus.NEW,
            priority=priority,
            channel=channel,
            fault=fault,
            words=rules.ensure_readable(words.strip()),
            customer_id=customer_id,
            contact_id=contact_id,
            site_id=site_id,
            item_id=item_id,
            coverage=_coverage(None if item_id is None else beside, received_at),
            owner_id=work.actor.person_id,
            received_at=received_at,
            entered_at=work.now,
        )
    )
    work.session.info.setdefault(BEGUN, {})[ticket.id] = beside
    level = beside.level
    add_event(
        work,
        ticket,
        EventKind.RECEIVED,
        at=received_at,
        to_status=TicketStatus.NEW,
        outbound=answered,
        details={} if level is CustomerLevel.STANDARD else {"level": level},
    )
    work.record("ticket.opened", ticket, channel=channel, fault=fault, priority=priority)
    recompute(work, ticket)
    return ticket.id


@permit(Role.HOTLINE, Role.DISPATCHER, Role.SUPERVISOR)
def change_ticket(
    work: Work,
    *,
    ticket_id: int,
    version: int,
    priority: Priority | None = None,
    fault: FaultCode | None = None,
    words: str | None = None,
    contact_id: int | None = None,
    site_id: int | None = None,
    item_id: int | None = None,
) -> None:
    """Change what is told, what is None stays. Another item brings its own coverage at report time (W-01)."""
    ticket = work.get(Ticket, ticket_id, version=version)
    rules.ensure_open(ticket.status)
    if (contact_id, site_id, item_id) != (None, None, None):
        if ticket.customer_id is None:
            raise Refusal("not_of_customer")
        _ensure_of_customer(work, ticket.customer_id, contact_id, site_id, item_id)
    wanted: dict[str, Any] = {
        "priority": priority,
        "fault": fault,
        "words": None if words is None else rules.ensure_readable(words.strip()),
        "contact_id": contact_id,
        "site_id": site_id,
        "item_id": item_id,
    }
    changed = {
        name: value
        for name, value in wanted.items()
        if value is not None and getattr(ticket, name) != value
    }
    if not changed:
        return
    told = {
        name: [getattr(ticket, name), value] for name, value in changed.items() if name != "words"
    }
    for name, value in changed.items():
        setattr(ticket, name, value)
    if "item_id" in changed:
        ticket.coverage = coverage_of(work, ticket.item_id, ticket.received_at)
    add_event(work, ticket, EventKind.CHANGED, details={"fields": sorted(changed), "values": told})
    work.record("ticket.changed", ticket, fields=sorted(changed))
    recompute(work, ticket)


@permit(Role.HOTLINE, Role.DISPATCHER, Role.SUPERVISOR)
def take_ticket(work: Work, *, ticket_id: int, version: int) -> None:
    """Make the actor the owner of the case; whose it is already keeps it."""
    ticket = work.get(Ticket, ticket_id, version=version)
    rules.ensure_open(ticket.status)
    if ticket.owner_id == work.actor.person_id:
        return
    ticket.owner_id = work.actor.person_id
    add_event(work, ticket, EventKind.CHANGED, details={"fields": ["owner_id"], "values": {}})
    work.record("ticket.taken", ticket)
    recompute(work, ticket)


@permit(Role.DISPATCHER, Role.SUPERVISOR)
def assign_technician(work: Work, *, ticket_id: int, version: int, technician_id: int) -> None:
    """Name the technician who is responsible (S-23). Refuses `not_a_technician`."""
    ticket = work.get(Ticket, ticket_id, version=version)
    rules.ensure_open(ticket.status)
    technician = ensure_technician(work, technician_id)
    if ticket.status is TicketStatus.COMPLETED:
        raise Refusal("move_not_allowed", status=ticket.status, to=TicketStatus.ASSIGNED)
    ticket.technician_id = technician.id
    to = TicketStatus.ASSIGNED if ticket.status is TicketStatus.NEW else ticket.status
    _move(work, ticket, to, EventKind.ASSIGNED, details={"technician_id": technician.id})
    work.record("ticket.assigned", ticket, technician_id=technician.id)
    recompute(work, ticket)


@permit(Role.HOTLINE, Role.DISPATCHER, Role.TECHNICIAN, Role.SUPERVISOR)
def log_contact(
    work: Work, *, ticket_id: int, version: int, words: str, at: datetime | None = None
) -> None:
    """Record that a person spoke to the customer: the first one is the first response (rule 12).

    `at` may be dated back to the receipt. Refuses `contact_out_of_time`.
    """
    ticket = work.get(Ticket, ticket_id, version=version)
    rules.ensure_open(ticket.status)
    ensure_own_work(work, ticket)
    at = (at or work.now).replace(microsecond=0)
    if not ticket.received_at <= at <= work.now:
        raise Refusal("contact_out_of_time")
    first_steps = (TicketStatus.NEW, TicketStatus.ASSIGNED)
    to = TicketStatus.CONTACTED if ticket.status in first_steps else ticket.status
    _move(
        work,
        ticket,
        to,
        EventKind.CONTACTED,
        at=at,
        outbound=True,
        words=rules.ensure_readable(words.strip()),
    )
    keep_promises(work, ticket, KEPT_BY_CONTACT, at)
    work.record("ticket.contacted", ticket, at=at.isoformat())
    recompute(work, ticket)


@permit(Role.HOTLINE, Role.DISPATCHER, Role.TECHNICIAN, Role.SUPERVISOR)
def log_attempt(work: Work, *, ticket_id: int, version: int, words: str) -> None:
    """The desk tried to reach the customer in vain; waiting after that pauses the first response too."""
    ticket = work.get(Ticket, ticket_id, version=version)
    rules.ensure_open(ticket.status)
    ensure_own_work(work, ticket)
    add_event(work, ticket, EventKind.ATTEMPTED, words=rules.ensure_readable(words.strip()))
    work.record("ticket.attempted", ticket)
    recompute(work, ticket)


@permit(Role.HOTLINE, Role.DISPATCHER, Role.TECHNICIAN, Role.SUPERVISOR)
def log_inbound(work: Work, *, ticket_id: int, version: int, words: str) -> None:
    """The customer got in touch: ends waiting for the customer; who waits for others is told of it (rule 10)."""
    ticket = work.get(Ticket, ticket_id, version=version)
    rules.ensure_open(ticket.status)
    ensure_own_work(work, ticket)
    if ticket.waiting_for is WaitingFor.CUSTOMER:
        has_technician = ticket.technician_id is not None
        _move(
            work, ticket, TicketStatus.ASSIGNED if has_technician else TicketStatus.CONTACTED, None
        )
    elif ticket.status is TicketStatus.WAITING and ticket.waiting_owner_id is not None:
        notify(
            work,
            kind=NoticeKind.REMINDER,
            key=f"inbound:{ticket.id}:{epoch(work.now)}",
            people=[ticket.waiting_owner_id],
            ticket_id=ticket.id,
            details={"inbound": True, "waiting_for": ticket.waiting_for},
        )
    add_event(work, ticket, EventKind.INBOUND, words=rules.ensure_words(words))
    work.record("ticket.inbound", ticket)
    recompute(work, ticket)


@permit(Role.HOTLINE, Role.DISPATCHER, Role.TECHNICIAN, Role.SUPERVISOR)
def start_waiting(
    work: Work,
    *,
    ticket_id: int,
    version: int | None,
    waiting_for: WaitingFor,
    words: str,
    until_at: datetime | None,
    owner_id: int | None = None,
) -> None:
    """Let the case wait: for whom, why, until when, and who of the desk waits and is reminded (rule 10).

    Some reasons pause the resolution (rule 9, Q-15). `owner_id` None: the actor, else the case's owner. Refuses
    `waits_already`, `waiting_until_missing`, `waiting_until_past`, `waiting_owner_unknown`, `words_missing`.
    """
    ticket = work.get(Ticket, ticket_id, version=version)
    if ticket.status is TicketStatus.WAITING:
        if ticket.waiting_for is waiting_for:
            raise Refusal("waits_already")
        _end_waiting_fact(work, ticket)
    else:
        rules.ensure_can_move(ticket.status, TicketStatus.WAITING)
    ensure_own_work(work, ticket)
    until_at = rules.ensure_until(until_at, work.now)
    owner_id = owner_id or work.actor.person_id or ticket.owner_id
    if owner_id is not None:
        owner = work.session.get(Person, owner_id)
        if owner is None or not owner.active:
            raise Refusal("waiting_owner_unknown")
    before = ticket.status
    ticket.status = TicketStatus.WAITING
    ticket.waiting_for = waiting_for
    ticket.waiting_until = until_at
    ticket.waiting_owner_id = owner_id
    add_event(
        work,
        ticket,
        EventKind.WAITING_STARTED,
        from_status=before,
        to_status=TicketStatus.WAITING,
        waiting_for=waiting_for,
        words=rules.ensure_words(words),
        details={"until_at": until_at.isoformat(), "waiting_owner_id": owner_id},
    )
    work.record(
        "ticket.waiting_started", ticket, waiting_for=waiting_for, until_at=until_at.isoformat()
    )
    recompute(work, ticket)


@permit(Role.HOTLINE, Role.DISPATCHER, Role.TECHNICIAN, Role.SUPERVISOR)
def end_waiting(work: Work, *, ticket_id: int, version: int) -> None:
    """Take the case out of waiting; it goes back to its technician, or to the unassigned."""
    ticket = work.get(Ticket, ticket_id, version=version)
    if ticket.status is not TicketStatus.WAITING:
        raise Refusal("does_not_wait")
    ensure_own_work(work, ticket)
    has_technician = ticket.technician_id is not None
    _move(
        work,
        ticket,
        TicketStatus.ASSIGNED if has_technician else TicketStatus.CONTACTED,
        None,
    )
    work.record("ticket.waiting_ended", ticket)
    recompute(work, ticket)


@permit(Role.HOTLINE, Role.DISPATCHER, Role.TECHNICIAN, Role.SUPERVISOR)
def complete_ticket(
    work: Work,
    *,
    ticket_id: int,
    version: int | None,
    words: str,
    at: datetime | None = None,
    stamp: dict[str, Any] | None = None,
) -> None:
    """The fault is gone: stop the resolution and open the return call, due in one working day (S-25).

    `at` may be dated back within the cycle (rule 1); `stamp`: what a tablet's own clock told of it (rule 22). Refuses
    `completed_out_of_time`.
    """
    ticket = work.get(Ticket, ticket_id, version=version)
    rules.ensure_can_move(ticket.status, TicketStatus.COMPLETED)
    ensure_own_work(work, ticket)
    at = (at or work.now).replace(microsecond=0)
    if not _cycle_start(work, ticket) <= at <= work.now:
        raise Refusal("completed_out_of_time")
    _move(
        work,
        ticket,
        TicketStatus.COMPLETED,
        EventKind.COMPLETED,
        at=at,
        words=rules.ensure_words(words),
        details=stamp,
    )
    ticket.completed_at = at
    work.session.add(
        ReturnCall(
            ticket_id=ticket.id,
            cycle=ticket.cycle,
            state=ReturnCallState.OPEN,
            opened_at=work.now,
            due_at=_return_call_due(work, ticket, at),
        )
    )
    work.record("ticket.completed", ticket, cycle=ticket.cycle)
    recompute(work, ticket)


def note_completion(
    work: Work, ticket: Ticket, *, at: datetime, words: str, stamp: dict[str, Any]
) -> None:
    """The fault was gone at `at`, says somebody whose word came after the completion: the earlier of both counts.

    The resolution stops there and the open return call is due from there (rule 21); the other stays on the timeline.
    One that is no earlier, or of a cycle before, or of a case whose return call is done, is kept as a note.
    """
    is_earlier = (
        ticket.status is TicketStatus.COMPLETED
        and ticket.completed_at is not None
        and _cycle_start(work, ticket) <= at < ticket.completed_at
    )
    if not is_earlier:
        add_event(work, ticket, EventKind.NOTE, words=words)
        work.touch_ticket(ticket.id)
        return
    add_event(work, ticket, EventKind.COMPLETED, at=at, words=words, details=stamp)
    ticket.completed_at = at
    work.session.execute(
        update(ReturnCall)
        .where(
            ReturnCall.ticket_id == ticket.id,
            ReturnCall.cycle == ticket.cycle,
            ReturnCall.state == ReturnCallState.OPEN,
        )
        .values(due_at=_return_call_due(work, ticket, at))
        .execution_options(synchronize_session=False)
    )
    work.record("ticket.completed_earlier", ticket, cycle=ticket.cycle)
    recompute(work, ticket)


def _return_call_due(work: Work, ticket: Ticket, completed_at: datetime) -> datetime:
    """The due of a return call; one that is never reached is the error of its timer alone (rule 6).

    Refuses `no_return_call_target`.
    """
    at = epoch(completed_at)
    target = rulebook_of(work).target_of(
        TimerKind.RETURN_CALL, matter_now(work.session, ticket), at, at
    )
    if target is None:
        raise Refusal("no_return_call_target")
    try:
        return earliest(target, completed_at)
    except NoDue:
        return completed_at + timedelta(seconds=FARTHEST_DUE)


@permit(Role.HOTLINE, Role.SUPERVISOR)
def cancel_ticket(
    work: Work, *, ticket_id: int, version: int, reason: CancelReason | None, words: str
) -> None:
    """End a case that needs no service, with a reason in words.

    A miss stays a miss, but a duplicate and spam leave the rate (rule 18). Refuses `cancel_reason_missing`.
    """
    ticket = work.get(Ticket, ticket_id, version=version)
    if reason is None:
        raise Refusal("cancel_reason_missing")
    rules.ensure_can_move(ticket.status, TicketStatus.CANCELLED)
    _move(
        work,
        ticket,
        TicketStatus.CANCELLED,
        EventKind.CANCELLED,
        words=rules.ensure_words(words),
        details={"reason": reason},
    )
    ticket.closed_at = work.now
    ticket.cancel_reason = reason
    end_promises(work, ticket, words.strip())
    work.record("ticket.cancelled", ticket, reason=reason)
    recompute(work, ticket)


@permit(Role.HOTLINE, Role.DISPATCHER, Role.TECHNICIAN, Role.SUPERVISOR)
def set_next_action(
    work: Work, *, ticket_id: int, version: int, at: datetime | None, words: str = ""
) -> None:
    """When the case is to be followed up next (S-24); None takes the date away. Refuses `next_action_past`."""
    ticket = work.get(Ticket, ticket_id, version=version)
    rules.ensure_open(ticket.status)
    ensure_own_work(work, ticket)
    if at is not None:
        at = at.replace(microsecond=0)
        if not work.now < at <= work.now + rules.FARTHEST_ACTION:
            raise Refusal("next_action_past")
    if at == ticket.next_action_at:
        return
    before, ticket.next_action_at = ticket.next_action_at, at
    told = [None if each is None else each.isoformat() for each in (before, at)]
    add_event(
        work,
        ticket,
        EventKind.CHANGED,
        words=rules.ensure_readable(words.strip()),
        details={"fields": ["next_action_at"], "values": {"next_action_at": told}},
    )
    work.record("ticket.next_action_set", ticket, at=told[1])
    recompute(work, ticket)


@permit(Role.HOTLINE, Role.DISPATCHER, Role.TECHNICIAN, Role.SUPERVISOR, Role.SALES, Role.QUALITY)
def add_note(work: Work, *, ticket_id: int, words: str) -> None:
    """Add a note that colleagues read; no fact for any timer."""
    ticket = work.get(Ticket, ticket_id)
    ensure_own_work(work, ticket)
    add_event(work, ticket, EventKind.NOTE, words=rules.ensure_words(words))
    work.record("ticket.note_added", ticket)
    work.touch_ticket(ticket.id)


@permit(Role.HOTLINE, Role.SUPERVISOR)
def try_return_call(
    work: Work, *, return_call_id: int, version: int, result: ReturnCallResult, words: str
) -> dict[str, bool]:
    """One try of the return call: it closes the case, reopens it, or stays open for another try (S-25).

    Answers whether the case was `closed` or `reopened`. Refuses `return_call_ended`.
    """
    call = work.get(ReturnCall, return_call_id, version=version)
    if call.state is not ReturnCallState.OPEN:
        raise Refusal("return_call_ended")
    ticket = work.get(Ticket, call.ticket_id)
    call.tries += 1
    told = rules.ensure_readable(words.strip())
    work.write(
        ReturnCallTry,
        return_call_id=call.id,
        at=work.now,
        person_id=work.actor.person_id,
        result=result,
        words=told,
    )
    add_event(
        work,
        ticket,
        EventKind.RETURN_CALL,
        outbound=result is not ReturnCallResult.NO_ANSWER,
        words=told,
        details={"result": result, "try": call.tries},
    )
    if result is not ReturnCallResult.NO_ANSWER:
        keep_promises(work, ticket, KEPT_BY_CONTACT, work.now)
    closed = reopened = False
    if rules.return_call_ends(result, call.tries):
        call.ended_at = work.now
        call.state = {
            ReturnCallResult.DECLINED: ReturnCallState.DECLINED,
            ReturnCallResult.NO_ANSWER: ReturnCallState.UNREACHED,
        }.get(result, ReturnCallState.DONE)
        if result is ReturnCallResult.NOT_FIXED:
            _reopen(work, ticket)
            reopened = True
        else:
            _move(work, ticket, TicketStatus.CLOSED, EventKind.CLOSED)
            end_promises(work, ticket, "")
            ticket.closed_at = work.now
            work.record("ticket.closed", ticket, result=result)
            closed = True
    work.record("return_call.tried", call, result=result, tries=call.tries)
    recompute(work, ticket)
    return {"closed": closed, "reopened": reopened}


def note_scheduled(
    work: Work, ticket: Ticket, visit_id: int, technician_id: int, starts_at: datetime
) -> None:
    """A visit was planned or moved: the technician is responsible, the case is scheduled."""
    if ticket.status not in (TicketStatus.SCHEDULED, TicketStatus.ON_SITE):
        rules.ensure_can_move(ticket.status, TicketStatus.SCHEDULED)
    ticket.technician_id = technician_id
    to = ticket.status if ticket.status is TicketStatus.ON_SITE else TicketStatus.SCHEDULED
    _move(
        work,
        ticket,
        to,
        EventKind.SCHEDULED,
        details={
            "visit_id": visit_id,
            "technician_id": technician_id,
            "starts_at": starts_at.isoformat(),
        },
    )
    recompute(work, ticket)


def note_on_site(work: Work, ticket: Ticket, technician_id: int) -> None:
    """Whoever was there is the case's technician, also when the desk had given it to another meanwhile (rule 16)."""
    if ticket.technician_id != technician_id:
        ticket.technician_id = technician_id
        add_event(work, ticket, EventKind.ASSIGNED, details={"technician_id": technician_id})
        recompute(work, ticket)


def note_visit_cancelled(work: Work, ticket: Ticket, visit_id: int) -> None:
    """A visit fell away: a scheduled case goes back to its technician."""
    back = ticket.status is TicketStatus.SCHEDULED
    to = TicketStatus.ASSIGNED if back else ticket.status
    _move(work, ticket, to, EventKind.VISIT_CANCELLED, details={"visit_id": visit_id})
    recompute(work, ticket)


def note_on_the_way(
    work: Work, ticket: Ticket, visit_id: int, at: datetime, stamp: dict[str, Any]
) -> None:
    """The technician set out at `at`; `stamp`: what the tablet's own clock told of it (rule 22)."""
    add_event(work, ticket, EventKind.ON_THE_WAY, at=at, details={"visit_id": visit_id, **stamp})
    recompute(work, ticket)


def note_arrived(
    work: Work, ticket: Ticket, visit_id: int, at: datetime, stamp: dict[str, Any]
) -> None:
    """The technician is with the customer since `at`; as a contact it also stops the first response (rule 22)."""
    _move(
        work,
        ticket,
        TicketStatus.ON_SITE,
        EventKind.ARRIVED,
        at=at,
        outbound=True,
        details={"visit_id": visit_id, **stamp},
    )
    keep_promises(work, ticket, KEPT_BY_ARRIVAL, at)
    recompute(work, ticket)


def ensure_technician(work: Work, person_id: int) -> Person:
    """The person, when active and a technician. Refuses `not_a_technician`."""
    person = work.session.get(Person, person_id, options=WITH_ROLES)
    if (
        person is None
        or not person.active
        or Role.TECHNICIAN not in {held.role for held in person.roles}
    ):
        raise Refusal("not_a_technician")
    return person


def next_number(work: Work) -> str:
    """The next number CC-YYYY-NNNNNN of the year in Shanghai; a number is never given twice."""
    year = work.now.astimezone(SHANGHAI).year
    name = f"tickets-{year}"
    value = work.store.execute(NEXT_NUMBER, {"of_year": name}).scalar()
    if value is None:
        # Two first cases of a year at once: the loser's key collides and `perform` runs it again.
        value = 1
        work.session.execute(insert(Counter).values(name=name, value=value))
    return f"CC-{year}-{value:06d}"


def _move(
    work: Work,
    ticket: Ticket,
    to: TicketStatus,
    kind: EventKind | None,
    **facts: Any,
) -> None:
    """Bring the case to `to` with the event `kind` (None: the end of waiting is the event)."""
    before = ticket.status
    if to is not before:
        rules.ensure_can_move(before, to)
        if before is TicketStatus.WAITING:
            _end_waiting_fact(work, ticket, to if kind is None else None)
        ticket.status = to
        ticket.waiting_for = ticket.waiting_until = ticket.waiting_owner_id = None
    if kind is not None:
        add_event(work, ticket, kind, from_status=before, to_status=to, **facts)


def _cycle_start(work: Work, ticket: Ticket) -> datetime:
    """When the running cycle began: the receipt, or the last reopening."""
    if ticket.cycle == 1:
        return ticket.received_at
    reopened_at: datetime | None = work.ask(LAST_REOPENED, of_ticket=ticket.id).scalar()
    return ticket.received_at if reopened_at is None else reopened_at


def _end_waiting_fact(work: Work, ticket: Ticket, to: TicketStatus | None = None) -> None:
    add_event(
        work,
        ticket,
        EventKind.WAITING_ENDED,
        from_status=TicketStatus.WAITING,
        to_status=to,
        waiting_for=ticket.waiting_for,
    )


def _reopen(work: Work, ticket: Ticket) -> None:
    """Not fixed: a new cycle of the same case (rule 13)."""
    ticket.cycle += 1
    ticket.completed_at = None
    to = TicketStatus.NEW if ticket.technician_id is None else TicketStatus.ASSIGNED
    _move(work, ticket, to, EventKind.REOPENED)
    work.record("ticket.reopened", ticket, cycle=ticket.cycle)


def ensure_own_work(work: Work, ticket: Ticket) -> None:
    """One who is only a technician works on his own cases alone. Refuses `not_your_ticket`."""
    desk = (Role.HOTLINE, Role.DISPATCHER, Role.SUPERVISOR, Role.SALES, Role.QUALITY)
    only_technician = work.actor.has(Role.TECHNICIAN) and not work.actor.has(*desk)
    if only_technician and ticket.technician_id != work.actor.person_id:
        raise Refusal("not_your_ticket")


def _ensure_of_customer(
    work: Work,
    customer_id: int,
    contact_id: int | None,
    site_id: int | None,
    item_id: int | None,
) -> Any:
    """The row of BESIDE. Refuses `not_found` and `not_of_customer`."""
    asked = {"of_contact": contact_id, "of_site": site_id, "of_item": item_id}
    beside = work.ask(BESIDE, of_customer=customer_id, **asked).one_or_none()
    if beside is None:
        raise Refusal("not_found")
    named = (
        (contact_id, beside.contact_of),
        (site_id, beside.site_of),
        (item_id, beside.item_of),
    )
    if any(named_id is not None and whose is None for named_id, whose in named):
        raise Refusal("not_found")
    if any(named_id is not None and whose != customer_id for named_id, whose in named):
        raise Refusal("not_of_customer")
    if item_id is not None and site_id not in (None, beside.item_at):
        raise Refusal("not_of_customer")
    return beside


def coverage_of(work: Work, item_id: int | None, reported_at: datetime) -> CoverageState:
    """The coverage of an item as it was at report time (W-01)."""
    return _coverage(None if item_id is None else work.get(Item, item_id), reported_at)


def _coverage(item: Any, reported_at: datetime) -> CoverageState:
    """item: what has the columns of its warranty; None when nobody knows which it is."""
    if item is None:
        return CoverageState.UNKNOWN
    reported_on = reported_at.astimezone(SHANGHAI).date()
    return coverage_state(item.warranty_start_on, item.warranty_months, reported_on)
