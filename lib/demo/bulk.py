"""A store of any size: so many cases over the years, written in bulk.

Timers, open list and counters come from the facts by the same rules as those of told cases, so that every check holds.
The same number of cases at the same moment gives the same store, but for the first passwords.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any

from sqlalchemy import Connection, insert, select, text

from db.bulk import (
    raise_sequence,
    without_checks,
    without_indexes,
    without_triggers,
    write_rows,
)
from db.codes import (
    ActorKind,
    Channel,
    Priority,
    ReturnCallResult,
    ReturnCallState,
    Role,
    TicketStatus,
    TimerKind,
)
from db.models.customers import CallerKey, Contact, Customer, Site
from db.models.feedback import SurveyAnswer, SurveyInvitation
from db.models.items import Item
from db.models.people import Counter, Person
from db.models.tickets import QueueRow, ReturnCall, ReturnCallTry, Ticket, TicketEvent, Timer
from lib.coverage.rules import coverage_state
from lib.customers import rules as callers
from lib.demo import words
from lib.demo.lives import LONGEST, Life, Teller
from lib.people import actions as people
from lib.people.passwords import dummy_hash
from lib.reports.day_figures import fill_figures
from lib.shared.calendar import epoch
from lib.shared.calendars import calendar_named
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.shared.work import Work, perform, permit, system, together
from lib.tickets import rules
from lib.tickets.derivation import queue_values, timer_values
from lib.tickets.live import NO_TICKET
from lib.tickets.policies import matter_of, rulebook
from lib.tickets.search import copy_terms, filling
from lib.tickets.targets import Matter, Rulebook
from lib.tickets.terms import caller_terms, terms_beside, text_key
from lib.tickets.timers import TimerState, timers_of

SEED = 20261
YEARS = 5
SINCE = timedelta(days=365 * (YEARS + 1))
"""People and customers are there so long before the end."""
AT_ONCE = 5_000
OPEN_SHARE, MOST_OPEN = 0.02, 20_000
CASES_PER_CUSTOMER, MOST_CUSTOMERS = 100, 50_000
TECHNICIANS, AGENTS = 30, 12
FAMILIES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗"
GIVEN = (
    "建国",
    "敏",
    "丽娜",
    "志强",
    "晓燕",
    "浩然",
    "雪梅",
    "文博",
    "海燕",
    "佳怡",
    "伟",
    "静",
    "子轩",
    "丹",
)
FIRMS = "惠锦瑞明永新银海东天和德乐桥泰华盛源润康"
TRADES = ("酒店", "医院", "窗饰", "学校", "置业", "物业", "商贸", "科技")
SCORES = (5, 5, 5, 4, 4, 3, 2, 1)

OF_CUSTOMER = (Customer, Contact, Site, Item, CallerKey)
OF_CASE = (
    Ticket,
    TicketEvent,
    Timer,
    ReturnCall,
    ReturnCallTry,
    QueueRow,
    SurveyInvitation,
    SurveyAnswer,
)
"""Tables of a case, those first that others refer to."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a case may happen, with what its queue row shows."""

    customer_id: int
    contact_id: int
    site_id: int
    item_id: int
    warranty_months: int
    warranty_start_on: Any
    company: str
    contact: str
    company_key: str
    contact_key: str
    phone_digits: str
    terms: frozenset[str]


@dataclass(slots=True)
class Numbers:
    """The last ids given, and the last case number of each year."""

    ticket: int = 0
    call: int = 0
    invitation: int = 0
    by_year: dict[int, int] | None = None


def load(
    now: datetime, cases: int, people_ids: tuple[Sequence[int], Sequence[int]], progress: Progress
) -> None:
    """Write `cases` cases that end at `now`, for hotline agents and technicians, in one transaction.

    Refuses `desk_not_empty`. Only a batch of them is ever in memory.
    """
    hotline, technicians = people_ids
    perform(
        write_store,
        actor=system("demo"),
        now=now,
        cases=cases,
        hotline=hotline,
        technicians=technicians,
        progress=progress,
    )


@permit()
def write_store(
    work: Work,
    *,
    cases: int,
    hotline: Sequence[int],
    technicians: Sequence[int],
    progress: Progress,
) -> None:
    """Customers, cases and the counters that follow from them. Refuses `desk_not_empty`."""
    session, now = work.session, work.now.astimezone(UTC)
    if session.scalar(select(Ticket.id).limit(1)) is not None:
        raise Refusal("desk_not_empty")
    chance = random.Random(SEED)
    time = calendar_named(session).time
    book = rulebook(session)
    named = session.execute(select(Person.id, Person.name).where(Person.id.in_(technicians)))
    names: dict[int, str] = dict(named.all())
    teller = Teller(chance, time, list(hotline), list(technicians))
    lives = _lives(teller, chance, time.counted_until(epoch(now)), cases)
    numbers = Numbers(by_year={})
    store = session.connection()
    if store.dialect.name == "postgresql":
        store.execute(text("SET LOCAL statement_timeout = 0"))
    tables: list[Any] = [model.__table__ for model in (*OF_CUSTOMER, *OF_CASE)]
    with without_triggers(store, tables), without_indexes(store, tables), filling(store):
        places = _write_places(store, now, cases, chance, progress)
        # The store's own work leaves the interpreter free for the next batch.
        with ThreadPoolExecutor(1) as aside:
            writing: Future[None] | None = None
            for done in range(0, cases, AT_ONCE):
                rows = _Rows(book, numbers, chance, names)
                for life in islice(lives, AT_ONCE):
                    rows.add(life, chance.choice(places))
                if writing is not None:
                    writing.result()
                writing = aside.submit(rows.write, store, checked=done == 0)
                progress("cases", min(done + AT_ONCE, cases), cases)
            if writing is not None:
                writing.result()
    fill_figures(store)
    for table in tables:
        raise_sequence(store, table)
    session.execute(
        insert(Counter),
        [
            {"name": f"tickets-{year}", "value": value}
            for year, value in (numbers.by_year or {}).items()
        ],
    )
    work.record("demo.store_written", cases=cases)
    work.touch_ticket(NO_TICKET)


def hire(now: datetime) -> tuple[list[int], list[int]]:
    """So many agents and technicians more, who cannot sign in. Their ids."""
    found: dict[Role, list[int]] = {Role.HOTLINE: [], Role.TECHNICIAN: []}
    hashed = dummy_hash()
    with together() as steps:
        for role, wanted in ((Role.HOTLINE, AGENTS), (Role.TECHNICIAN, TECHNICIANS)):
            for nth in range(wanted):
                name = FAMILIES[nth % len(FAMILIES)] + GIVEN[(nth * 5 + len(role)) % len(GIVEN)]
                told = {"login": f"{role.value}.{nth + 1:02d}", "name": name, "roles": (role,)}
                person_id = steps.perform(
                    people.create_person,
                    actor=system("demo"),
                    now=now,
                    password_hash=hashed,
                    **told,
                )
                found[role].append(person_id)
    return found[Role.HOTLINE], found[Role.TECHNICIAN]


def _lives(teller: Teller, chance: random.Random, now: int, cases: int) -> Iterator[Life]:
    """The closed ones over the years in the order of receipt, then the open ones, the oldest first."""
    still_open = min(int(cases * OPEN_SHARE), MOST_OPEN)
    over = cases - still_open
    last = now - LONGEST
    first = last - YEARS * 250 * 9 * 3600
    for nth in range(over):
        begins = first + (last - first) * nth // over
        until = first + (last - first) * (nth + 1) // over
        yield teller.closed(begins + chance.randrange(max(until - begins, 1)))
    ages = sorted(
        (int(chance.expovariate(1 / 36_000)) + 60 for _ in range(still_open)), reverse=True
    )
    for age in ages:
        yield teller.open(now - min(age, LONGEST), now)


@lru_cache(256)
def _matter(channel: Channel, priority: Priority) -> Matter:
    return matter_of(Ticket(channel=channel, priority=priority))


class _Rows:
    """The rows of a batch of cases, by table."""

    def __init__(
        self, book: Rulebook, numbers: Numbers, chance: random.Random, names: dict[int, str]
    ) -> None:
        self._book, self._numbers, self._chance, self._names = book, numbers, chance, names
        self._terms: list[tuple[int, list[str]]] = []
        self._by_table: dict[Any, list[dict[str, Any]]] = {model: [] for model in OF_CASE}

    def write(self, store: Connection, *, checked: bool) -> None:
        """Insert all; what the same teller tells after a `checked` batch is taken as right."""
        with nullcontext() if checked else without_checks(store):
            for model, rows in self._by_table.items():
                write_rows(store, model.__table__, rows)
            copy_terms(store, self._terms)

    def add(self, life: Life, place: Place) -> None:
        """A case with all that its life left behind."""
        numbers = self._numbers
        numbers.ticket += 1
        ticket_id = numbers.ticket
        reported_on = life.received_at.astimezone(SHANGHAI).date()
        assert numbers.by_year is not None
        number = numbers.by_year[reported_on.year] = numbers.by_year.get(reported_on.year, 0) + 1
        matter = _matter(life.channel, life.priority)
        facts = rules.facts_of(life.received_at, life.facts, matter)
        states = timers_of(facts, self._book)
        coverage = coverage_state(place.warranty_start_on, place.warranty_months, reported_on)
        values: dict[str, Any] = {
            "id": ticket_id,
            "number": f"CC-{reported_on.year}-{number:06d}",
            "status": life.status,
            "waiting_for": life.waiting_for,
            "priority": life.priority,
            "channel": life.channel,
            "fault": life.fault,
            "words": life.words,
            "customer_id": place.customer_id,
            "contact_id": place.contact_id,
            "site_id": place.site_id,
            "item_id": place.item_id,
            "coverage": coverage,
            "technician_id": life.technician_id,
            "owner_id": life.owner_id,
            "received_at": life.received_at,
            "entered_at": life.received_at,
            "completed_at": life.completed_at,
            "closed_at": life.closed_at,
            "cycle": life.cycle,
            "cancel_reason": life.cancel_reason,
            "version": len(life.facts),
        }
        terms = terms_beside(place.terms, values["number"], text_key("", life.words))
        self._terms.append((ticket_id, terms))
        add = self._by_table
        add[Ticket].append(values)
        for fact, (cycle, told) in zip(life.facts, life.told, strict=True):
            add[TicketEvent].append(
                {
                    "ticket_id": ticket_id,
                    "cycle": cycle,
                    "kind": fact.kind,
                    "at": fact.at,
                    "recorded_at": fact.recorded_at,
                    "actor_kind": ActorKind.PERSON,
                    "actor_id": fact.actor_id,
                    "from_status": fact.from_status,
                    "to_status": fact.to_status,
                    "waiting_for": fact.waiting_for,
                    "outbound": fact.outbound,
                    "words": told,
                    "details": fact.details,
                }
            )
        for state in states:
            key = {"ticket_id": ticket_id, "cycle": state.cycle, "kind": state.kind}
            add[Timer].append(key | timer_values(state))
        call_due_at = self._add_calls(ticket_id, life, states)
        if life.status not in rules.ENDED_STATUSES:
            shown = queue_values(
                Ticket(**values, source="", title=""),
                states,
                place.company,
                place.contact,
                self._names.get(life.technician_id or 0),
                call_due_at,
                place.company_key,
                place.contact_key,
                place.phone_digits,
                max(each.at for each in life.facts if each.kind not in rules.NO_MOVE),
            )
            add[QueueRow].append({"ticket_id": ticket_id} | shown)
        elif life.status is TicketStatus.CLOSED and self._chance.random() < 0.25:
            self._add_answer(ticket_id, life)

    def _add_calls(
        self, ticket_id: int, life: Life, states: Sequence[TimerState]
    ) -> datetime | None:
        """The return calls; answers when the open one is due."""
        dues = {
            state.cycle: state.due_at for state in states if state.kind is TimerKind.RETURN_CALL
        }
        open_due_at = None
        for call in life.calls:
            due_at = dues.get(call.cycle)
            if due_at is None:
                raise Refusal("no_return_call_target")
            self._numbers.call += 1
            call_id, is_open = self._numbers.call, call.ended_at is None
            state = ReturnCallState.OPEN if is_open else ReturnCallState.DONE
            self._by_table[ReturnCall].append(
                {
                    "id": call_id,
                    "ticket_id": ticket_id,
                    "cycle": call.cycle,
                    "state": state,
                    "opened_at": call.opened_at,
                    "due_at": due_at,
                    "ended_at": call.ended_at,
                    "tries": 0 if is_open else 1,
                }
            )
            if is_open:
                open_due_at = due_at
                continue
            result = call.result or ReturnCallResult.FIXED
            self._by_table[ReturnCallTry].append(
                {
                    "return_call_id": call_id,
                    "at": call.ended_at,
                    "person_id": life.owner_id,
                    "result": result,
                    "words": words.CALL_WORDS[result][0],
                }
            )
        return open_due_at

    def _add_answer(self, ticket_id: int, life: Life) -> None:
        assert life.closed_at is not None
        self._numbers.invitation += 1
        nth, nonce = self._numbers.invitation, f"{self._chance.getrandbits(256):064x}"
        self._by_table[SurveyInvitation].append(
            {
                "id": nth,
                "ticket_id": ticket_id,
                "cycle": life.cycle,
                "nonce": nonce,
                # No link leads here: it is the hash of no token.
                "token_hash": nonce,
                "created_at": life.closed_at,
                "expires_at": life.closed_at + timedelta(days=30),
                "answered_at": life.closed_at,
            }
        )
        satisfaction, punctuality, quality = (self._chance.choice(SCORES) for _ in range(3))
        self._by_table[SurveyAnswer].append(
            {
                "invitation_id": nth,
                "ticket_id": ticket_id,
                "satisfaction": satisfaction,
                "punctuality": punctuality,
                "quality": quality,
                "words": self._chance.choice(words.SURVEY_WORDS),
                "at": life.closed_at,
            }
        )


def _write_places(
    store: Connection, now: datetime, cases: int, chance: random.Random, progress: Progress
) -> list[Place]:
    """Customers with two contacts, a site and two items each, with all that finds them."""
    wanted = min(max(cases // CASES_PER_CUSTOMER, 25), MOST_CUSTOMERS)
    since = now - SINCE
    places: list[Place] = []
    taken: set[str] = set()
    for begins in range(0, wanted, 1000):
        rows: dict[Any, list[dict[str, Any]]] = {model: [] for model in OF_CUSTOMER}
        for nth in range(begins, min(begins + 1000, wanted)):
            places += _place(nth + 1, since, chance, rows, taken)
        rows[CallerKey].sort(key=lambda row: row["key"])
        for model, told in rows.items():
            write_rows(store, model.__table__, told)
        progress("customers", min(begins + 1000, wanted), wanted)
    return places


def _place(
    customer_id: int,
    since: datetime,
    chance: random.Random,
    rows: dict[Any, list[dict[str, Any]]],
    taken: set[str],
) -> Iterator[Place]:
    district = chance.choice(words.DISTRICTS)
    short = chance.choice(FIRMS) + chance.choice(FIRMS) + chance.choice(TRADES)
    name = f"{district[:2]}{short}有限公司"
    if name in taken:
        name = f"{district[:2]}{short}（{customer_id} 店）"
    taken.add(name)
    company_key = callers.search_key(name, short, limit=600)
    _keys(rows, callers.name_keys(name, short), customer_id, 0)
    rows[Customer].append(
        {
            "id": customer_id,
            "name": name,
            "short_name": short,
            "search_key": company_key,
            "created_at": since,
        }
    )
    street = f"{chance.choice(FIRMS)}{chance.choice(FIRMS)}路{chance.randrange(1, 999)}号"
    rows[Site].append(
        {
            "id": customer_id,
            "customer_id": customer_id,
            "name": f"{short} {chance.choice(words.SITES)}",
            "address": district + street,
            "district": callers.district_of(district + street),
            "created_at": since,
        }
    )
    for nth in (1, 0):
        row_id = customer_id * 2 - nth
        person = chance.choice(FAMILIES) + chance.choice(GIVEN)
        phone = f"1{chance.choice('35789')}{chance.randrange(10**9):09d}"
        contact_key, keys = _found_by(person)
        _keys(rows, keys | callers.phone_keys(phone), customer_id, row_id)
        rows[Contact].append(
            {
                "id": row_id,
                "customer_id": customer_id,
                "name": person,
                "phone": phone,
                "phone_digits": phone,
                "verified": True,
                "search_key": contact_key,
                "created_at": since,
            }
        )
        item = chance.choice(words.ITEMS)
        started_on = (since + timedelta(days=chance.randrange(365 * YEARS))).date()
        rows[Item].append(
            {
                "id": row_id,
                "site_id": customer_id,
                "kind": item.kind,
                "name": item.name,
                "room": chance.choice(words.ROOMS),
                "warranty_start_on": started_on,
                "warranty_months": 24,
                "created_at": since,
            }
        )
        yield Place(
            customer_id,
            row_id,
            customer_id,
            row_id,
            24,
            started_on,
            name,
            person,
            company_key,
            contact_key,
            phone,
            frozenset(caller_terms(company_key + contact_key, phone)),
        )


@lru_cache(4096)
def _found_by(person: str) -> tuple[str, frozenset[str]]:
    return callers.search_key(person, limit=400), frozenset(callers.name_keys(person))


def _keys(
    rows: dict[Any, list[dict[str, Any]]], keys: Iterable[str], customer_id: int, contact_id: int
) -> None:
    rows[CallerKey] += [
        {"key": key, "customer_id": customer_id, "contact_id": contact_id} for key in keys
    ]
