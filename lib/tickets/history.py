"""Taking over the history of another help desk: in one transaction, once per case, without alarms.

Imported cases get no timers of the policies and stand in the queue as "no target": their clocks ran under
somebody else's promises. What happened is kept as facts, so reports count it like everything else.
"""

from collections import Counter as Tally
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from db.codes import Channel as ChannelCode
from db.codes import CoverageState, EventKind, FaultCode, Priority, TicketStatus, WaitingFor
from db.models.customers import Contact, Customer
from db.models.people import Counter
from db.models.tickets import NEVER_DUE, ImportRun, QueueRow, Ticket, TicketEvent
from lib.customers.bulk import ensure_contacts, ensure_customers
from lib.shared.calendar import epoch
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.shared.work import Look, Work, look, perform, permit, system
from lib.tickets.log_cases import PlannedCase
from lib.tickets.log_readers import file_hash
from lib.tickets.mapping import Mapping
from lib.tickets.rules import ENDED_STATUSES
from lib.tickets.search import names_key, put_terms
from lib.tickets.staging import Progress, Stage, no_progress
from lib.tickets.terms import terms_of, text_key

BATCH = 1000
LONGEST_SOURCE = 60
TO_STATUS = {
    EventKind.RECEIVED: TicketStatus.NEW,
    EventKind.CONTACTED: TicketStatus.CONTACTED,
    EventKind.WAITING_STARTED: TicketStatus.WAITING,
    EventKind.COMPLETED: TicketStatus.COMPLETED,
    EventKind.CLOSED: TicketStatus.CLOSED,
}


@dataclass(frozen=True)
class Imported:
    """What an import did, or with a dry run would do."""

    source: str
    rows_read: int
    cases_new: int
    cases_known: int
    cases_refused: int
    events: int = 0


def import_history(
    path: Path,
    mapping: Mapping,
    stage: Stage,
    *,
    now: datetime,
    source: str | None = None,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> Imported:
    """Write a staged log under `source` (else the mapping's name); a case known there is left as it is.

    Refuses `source_unclear` for a name that is empty or longer than 60 characters.
    """
    source = (mapping.name if source is None else source).strip()
    if not source or len(source) > LONGEST_SOURCE:
        raise Refusal("source_unclear", limit=LONGEST_SOURCE)
    actor = system("import")
    if dry_run:
        known = look(count_known, actor=actor, now=now, stage=stage, source=source)
        return Imported(source, stage.rows_read, stage.cases - known, known, stage.cases_refused)
    told = perform(
        import_cases,
        actor=actor,
        now=now,
        stage=stage,
        source=source,
        mapping=mapping.name,
        file=file_hash(path),
        progress=progress,
    )
    return Imported(**told)


def count_known(look: Look, *, stage: Stage, source: str) -> int:
    """How many staged cases the desk has already from this source."""
    return sum(len(_known_ids(look.session, source, batch)) for batch in stage.batches(BATCH))


@permit()
def import_cases(
    work: Work, *, stage: Stage, source: str, mapping: str, file: str, progress: Progress
) -> dict[str, Any]:
    """Write the staged cases with customers, contacts and facts; one audit row with counts and file hash."""
    new = known = events = 0
    for batch in stage.batches(BATCH):
        there = _known_ids(work.session, source, batch)
        fresh = [case for case in batch if case.id not in there]
        known += len(batch) - len(fresh)
        new += len(fresh)
        if fresh:
            events += _write(work, source, fresh)
        progress("writing", new + known, stage.cases)
    run = ImportRun(
        source=source,
        file_hash=file,
        at=work.now,
        rows_read=stage.rows_read,
        cases_new=new,
        cases_known=known,
        cases_refused=stage.cases_refused,
    )
    work.session.add(run)
    work.session.flush()
    imported = Imported(source, stage.rows_read, new, known, stage.cases_refused, events)
    work.record("tickets.imported", run, mapping=mapping, file_hash=file, **asdict(imported))
    if new:
        work.touch_ticket(0)
    return asdict(imported)


def _known_ids(session: Session, source: str, batch: Iterable[PlannedCase]) -> set[str]:
    query = select(Ticket.external_id).where(
        Ticket.source == source, Ticket.external_id.in_([case.id for case in batch])
    )
    return set(session.scalars(query))


def _write(work: Work, source: str, cases: list[PlannedCase]) -> int:
    """Write a batch; answers how many facts it brought."""
    customers = ensure_customers(work, {case.company for case in cases})
    contacts = ensure_contacts(
        work, {(customers[case.company], case.contact) for case in cases if case.contact}
    )
    numbers = _numbers(work, cases)
    tickets: list[dict[str, Any]] = []
    for case, number in zip(cases, numbers, strict=True):
        customer_id = customers.get(case.company)
        contact_id = None if customer_id is None else contacts.get((customer_id, case.contact))
        tickets.append(_ticket(work, source, case, number, customer_id, contact_id))
    # Through the connection: the ORM's insert would break a batch wherever a value is None.
    store = work.store
    store.execute(insert(Ticket), tickets)
    ids = dict(
        store.execute(select(Ticket.number, Ticket.id).where(Ticket.number.in_(numbers))).all()
    )
    facts: list[dict[str, Any]] = []
    open_rows: list[dict[str, Any]] = []
    for case, ticket in zip(cases, tickets, strict=True):
        ticket_id = ids[ticket["number"]]
        facts += _facts(work, ticket_id, case)
        if ticket["status"] not in ENDED_STATUSES:
            open_rows.append(_queue_row(ticket_id, ticket, case, work.now))
    store.execute(insert(TicketEvent), facts)
    keys = _search_keys(work, tickets)
    put_terms(store, [(ids[number], terms_of(*keys[number])) for number in numbers])
    if open_rows:
        for row in open_rows:
            row["search_key"], row["text_key"], row["phone_digits"] = keys[row["number"]]
        store.execute(insert(QueueRow), open_rows)
    return len(facts)


def _numbers(work: Work, cases: list[PlannedCase]) -> list[str]:
    """Numbers of the year of receipt, so that old history does not use up this year's."""
    years = [_instant(case.arrival).astimezone(SHANGHAI).year for case in cases]
    following: dict[int, int] = {}
    for year, wanted in sorted(Tally(years).items()):
        name = f"tickets-{year}"
        last = work.session.scalar(
            update(Counter)
            .where(Counter.name == name)
            .values(value=Counter.value + wanted)
            .returning(Counter.value)
        )
        if last is None:
            last = wanted
            work.session.execute(insert(Counter).values(name=name, value=last))
        following[year] = last - wanted
    numbers = []
    for year in years:
        following[year] += 1
        numbers.append(f"CC-{year}-{following[year]:06d}")
    return numbers


def _ticket(
    work: Work,
    source: str,
    case: PlannedCase,
    number: str,
    customer_id: int | None,
    contact_id: int | None,
) -> dict[str, Any]:
    return {
        "number": number,
        "source": source,
        "external_id": case.id,
        "status": TicketStatus(case.status),
        "waiting_for": None if case.waiting_for is None else WaitingFor(case.waiting_for),
        "priority": Priority(case.priority),
        "channel": ChannelCode(case.channel),
        "fault": FaultCode(case.fault),
        "title": case.title,
        "words": case.text,
        "customer_id": customer_id,
        "contact_id": contact_id,
        "coverage": CoverageState.UNKNOWN,
        "received_at": _instant(case.arrival),
        "entered_at": work.now,
        "target_at": _instant_or_none(case.target),
        "completed_at": None if case.closed is None else _instant_or_none(case.resolved),
        "closed_at": _instant_or_none(case.closed),
    }


def _facts(work: Work, ticket_id: int, case: PlannedCase) -> list[dict[str, Any]]:
    facts = []
    for event in case.events:
        kind = EventKind(event.kind)
        facts.append(
            {
                "ticket_id": ticket_id,
                "kind": kind,
                "at": _instant(event.at),
                "recorded_at": work.now,
                "actor_kind": work.actor.kind,
                "actor_id": None,
                "to_status": TO_STATUS.get(kind),
                "waiting_for": None if event.waiting_for is None else WaitingFor(event.waiting_for),
                "outbound": kind is EventKind.CONTACTED,
                "words": event.words,
            }
        )
    return facts


def _queue_row(
    ticket_id: int, ticket: dict[str, Any], case: PlannedCase, now: datetime
) -> dict[str, Any]:
    same = ("number", "priority", "status", "waiting_for", "fault", "coverage", "customer_id")
    return {name: ticket[name] for name in same} | {
        "ticket_id": ticket_id,
        "customer_name": case.company,
        "contact_name": case.contact,
        "received_at": case.arrival,
        "due_at": NEVER_DUE,
        "imported": True,
        "moved_at": epoch(now),
        "version": 1,
    }


def _search_keys(work: Work, tickets: list[dict[str, Any]]) -> dict[str, tuple[str, str, str]]:
    """What a search reads of each case, by number: names, text and phone; two statements a batch."""
    contact_ids = {ticket["contact_id"] for ticket in tickets} - {None}
    customer_ids = {ticket["customer_id"] for ticket in tickets} - {None}
    store = work.store
    customers = dict(
        store.execute(
            select(Customer.id, Customer.search_key).where(Customer.id.in_(customer_ids))
        ).all()
    )
    contacts = {
        contact_id: (key, digits)
        for contact_id, key, digits in store.execute(
            select(Contact.id, Contact.search_key, Contact.phone_digits).where(
                Contact.id.in_(contact_ids)
            )
        )
    }
    found = {}
    for ticket in tickets:
        contact_key, digits = contacts.get(ticket["contact_id"], ("", ""))
        names = names_key(ticket["number"], customers.get(ticket["customer_id"]), contact_key)
        found[ticket["number"]] = names, text_key(ticket["title"], ticket["words"]), digits
    return found


def _instant(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def _instant_or_none(second: int | None) -> datetime | None:
    return None if second is None else _instant(second)
