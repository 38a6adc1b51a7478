"""Histories made by chance, and what their timers must be: found by counting every minute or second, one by one.

Nothing of the engine's arithmetic is used here: open time is a flag for each step of time, a due is where a walk ends,
and at each change only what was known at that instant is looked at.
"""

import random
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from db.codes import MissedCause, Priority, TargetUnit, TimerKind, TimerPhase, WaitingFor
from lib.shared.calendar import WorkingCalendar
from lib.tickets.targets import Amount, Edition, Matter, Policy, Rulebook
from lib.tickets.timers import Change, Facts, Pause, merged, timers_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 9, 18, 0, tzinfo=SHANGHAI)
DAYS = 45
U, K = TargetUnit, TimerKind
KINDS = (K.FIRST_RESPONSE, K.RESOLUTION, K.RETURN_CALL)
"""Hops are made by a chance of their own, so that the other histories stay what they were."""

WEEKS = (
    dict.fromkeys(range(5), ((540, 1080),)),
    dict.fromkeys(range(6), ((510, 720), (780, 1050))),
    dict.fromkeys((0, 2, 4, 6), ((480, 690), (690, 700), (840, 1200))),
    {0: ((0, 1440),), 1: ((0, 360), (1300, 1440)), 3: ((600, 601),), 4: ((540, 1080),)},
    dict.fromkeys(range(7), ((0, 1440),)),
)


@dataclass(frozen=True)
class World:
    """Calendars in steps of `step` seconds: whether each step counts, and the same for the engine."""

    step: int
    working: tuple[WorkingCalendar, ...]
    counts: tuple[bytes, ...]
    closed_days: tuple[frozenset[int], ...]

    def at(self, tick: int) -> datetime:
        return START + timedelta(seconds=tick * self.step)

    def tick(self, instant: datetime | None) -> int | None:
        if instant is None:
            return None
        ticks, rest = divmod(instant - START, timedelta(seconds=self.step))
        assert not rest, instant
        return ticks

    @property
    def a_day(self) -> int:
        return 86_400 // self.step


@cache
def world(step: int, seed: int = 1) -> World:
    chance = random.Random(seed)
    working, counts, closed = [], [], []
    for week in (*WEEKS, *WEEKS):
        exceptions = {}
        for _ in range(4):
            on = START.date() + timedelta(days=chance.randrange(10))
            exceptions[on] = chance.choice(
                [(), ((540, 720),), ((600, 700), (720, 1440)), WEEKS[0][0]]
            )
        working.append(WorkingCalendar.build(week, exceptions, years=(2026, 2031)))
        minutes = bytearray()
        for number in range(DAYS):
            on: date = START.date() + timedelta(days=number)
            hours = exceptions.get(on, week.get(on.weekday(), ()))
            minutes += bytes(
                any(opens <= minute < closes for opens, closes in hours) for minute in range(1440)
            )
        each = 60 // step if step <= 60 else 1
        flags = bytes(flag for flag in minutes for _ in range(each))
        counts.append(flags)
        a_day = 86_400 // step
        closed.append(
            frozenset(day for day in range(DAYS) if not any(flags[day * a_day : (day + 1) * a_day]))
        )
    return World(step, tuple(working), tuple(counts), tuple(closed))


@dataclass
class Row:
    """A policy as the counter reads it."""

    kind: TimerKind
    parts: list[tuple[TargetUnit, int]]
    calendar: int
    priority: Priority | None
    since: int
    until: int | None


@dataclass
class Case:
    received: int
    priority: Priority
    contacts: list[int]
    attempts: list[int]
    steps: list[int]
    calls: list[int]
    pauses: list[tuple[int, int | None, WaitingFor]]
    ended: int | None
    changes: list[dict] = field(default_factory=list)
    held: list[int] = field(default_factory=list)


@dataclass
class History:
    """A case, policies in effective-dated rows, editions of calendars, and perhaps a case that is merged into it."""

    case: Case
    rows: list[Row]
    editions: list[list[tuple[int, int]]]
    absorbed: Case | None
    merge: int | None


def amount_of(chance: random.Random, step: int) -> tuple[TargetUnit, int]:
    kind = chance.random()
    longest = 900 if step == 60 else 240
    if kind < 0.55:
        return U.WORKING_MINUTES, chance.randint(1, longest)
    if kind < 0.75:
        return U.CALENDAR_MINUTES, chance.randint(1, longest * 2)
    if kind < 0.8 and step == 1:
        return U.CLOCK_SECONDS, chance.randint(1, 9_000)
    return U.WORKING_DAYS, chance.randint(1, 3 if step == 60 else 1)


def history_of(seed: int, step: int) -> History:
    chance = random.Random(seed)
    length = (6 if step == 60 else 2) * 86_400 // step
    grid = chance.choice([1, 1, 30 * 60 // step]) if step == 60 else chance.choice([1, 60, 1800])

    def moment(low: int = 0) -> int:
        # Coarse instants often: two things at once is where rules differ.
        return low + chance.randrange(max(length - low, 1)) // grid * grid

    rows = []
    for kind in KINDS:
        for priority in (None, Priority.P1, Priority.P2):
            if priority is not None and chance.random() < 0.4:
                continue
            bounds = [-(10**6), *sorted(moment() for _ in range(chance.randint(0, 2)))]
            for place, since in enumerate(bounds):
                until = bounds[place + 1] if place + 1 < len(bounds) else None
                if chance.random() < 0.06 or since == until:
                    continue
                parts = [amount_of(chance, step) for _ in range(2 if chance.random() < 0.3 else 1)]
                rows.append(Row(kind, parts, chance.randrange(2), priority, since, until))
    editions = []
    for _ in range(2):
        sets = chance.sample(range(10), 3)
        bounds = [-(10**6), *sorted({moment() for _ in range(chance.randint(0, 2))})]
        editions.append(list(zip(bounds, sets, strict=False)))
    case = case_of(chance, moment, length)
    absorbed = merge = None
    if chance.random() < 0.4:
        absorbed = case_of(chance, moment, length)
        absorbed.ended, absorbed.changes = None, absorbed.changes[:1]
        merge = moment(max(case.received, absorbed.received)) + chance.randrange(2)
        absorbed.contacts = [at for at in absorbed.contacts if at <= merge]
        if case.ended is not None and case.ended <= merge:
            absorbed = merge = None
    history = History(case, rows, editions, absorbed, merge)
    add_hops(history, random.Random(f"hops {seed}"), length, step)
    return history


def add_hops(history: History, chance: random.Random, length: int, step: int) -> None:
    for case in filter(None, (history.case, history.absorbed)):
        instants = [*case.steps, *(chance.randrange(case.received, length) for _ in range(3))]
        case.held = [chance.choice(instants) for _ in range(chance.choice([0, 1, 2, 4]))]
    for priority in chance.sample([None, Priority.P1, Priority.P2], chance.choice([0, 1, 2])):
        parts = [amount_of(chance, step) for _ in range(chance.choice([1, 1, 2]))]
        since = chance.choice([-(10**6), chance.randrange(length)])
        history.rows.append(Row(K.HOP, parts, chance.randrange(2), priority, since, None))


def case_of(chance: random.Random, moment, length: int) -> Case:
    received = moment() // 2
    later = sorted({moment(received) + 1 for _ in range(chance.choice([0, 0, 1, 1, 2, 3]))})
    longest = length // 2
    pauses = []
    for _ in range(chance.choice([0, 1, 1, 2, 3])):
        opens = moment()
        closes = None if chance.random() < 0.25 else opens + chance.randint(1, longest)
        pauses.append((opens, closes, chance.choice(list(WaitingFor))))
    changes = []
    for _ in range(chance.choice([0, 0, 1, 2, 3])):
        told: dict = {"at": moment(received)}
        told |= chance.choice(
            [
                {"priority": chance.choice(list(Priority)[:3])},
                {"priority": chance.choice(list(Priority)[:3])},
                {"policies": True},
                {"calendars": True},
                {"policies": True, "calendars": True},
            ]
        )
        changes.append(told)
    ended = None if chance.random() < 0.7 else max([moment(received), *later])
    return Case(
        received,
        chance.choice(list(Priority)[:3]),
        [moment(received) for _ in range(chance.choice([0, 1, 1, 2]))],
        [moment() for _ in range(chance.choice([0, 1]))],
        later,
        [moment(received) for _ in range(chance.choice([0, 0, 1]))],
        pauses,
        ended,
        changes,
    )


# What the engine says


def by_engine(history: History, world: World):
    book = book_of(history, world)
    facts = facts_of(history.case, world)
    if history.absorbed is not None:
        absorbed = facts_of(history.absorbed, world)
        facts, _ = merged(facts, absorbed, world.at(history.merge), book)
    return timers_of(facts, book)


def book_of(history: History, world: World) -> Rulebook:
    at = world.at
    policies = [
        Policy(
            number,
            row.kind,
            Amount(*row.parts[0]),
            row.calendar,
            at(row.since),
            None if row.until is None else at(row.until),
            priority=row.priority,
            second=Amount(*row.parts[1]) if len(row.parts) > 1 else None,
        )
        for number, row in enumerate(history.rows)
    ]
    return Rulebook(
        policies,
        {
            number: [
                Edition(int(at(since).timestamp()), version, world.working[which])
                for version, (since, which) in enumerate(editions)
            ]
            for number, editions in enumerate(history.editions)
        },
    )


def facts_of(case: Case, world: World) -> Facts:
    at = world.at
    return Facts(
        at(case.received),
        contacts=tuple(map(at, case.contacts)),
        attempts=tuple(map(at, case.attempts)),
        completed=tuple(map(at, case.steps[::2])),
        reopened=tuple(map(at, case.steps[1::2])),
        calls_ended=tuple(map(at, case.calls)),
        held=tuple(map(at, case.held)),
        pauses=tuple(
            Pause(at(opens), None if closes is None else at(closes), why)
            for opens, closes, why in case.pauses
        ),
        ended_at=None if case.ended is None else at(case.ended),
        matter=Matter(priority=case.priority),
        changes=tuple(
            Change(
                at(told["at"]),
                matter=Matter(priority=told["priority"]) if "priority" in told else None,
                policies_at=at(told["at"]) if "policies" in told else None,
                calendars_at=at(told["at"]) if "calendars" in told else None,
            )
            for told in case.changes
        ),
    )


# What counting says


@dataclass
class Counted:
    kind: TimerKind
    number: int
    start: int
    phase: TimerPhase
    due: int | None
    remaining: list[int]
    end: int | None
    cause: MissedCause | None


def by_counting(history: History, world: World) -> list[Counted]:
    case = history.case
    merge = None
    if history.absorbed is not None:
        absorbed = replace(history.absorbed, ended=history.merge)
        told = counted_case(absorbed, history, world, None)
        missed = {timer.kind for timer in told if timer.cause is not None}
        missed |= {
            timer.kind
            for timer in told
            if timer.due is not None
            and (history.merge if timer.end is None else timer.end) > timer.due
        }
        merge = {
            "at": history.merge,
            "received": absorbed.received,
            "contacts": absorbed.contacts,
            "missed": missed,
        }
        pauses = []
        for opens, closes, why in case.pauses:
            written = opens <= absorbed.received <= history.merge and why is WaitingFor.CUSTOMER
            if written and opens < history.merge and (closes is None or closes > history.merge):
                closes = history.merge
            pauses.append((opens, closes, why))
        case = replace(case, pauses=pauses)
    return counted_case(case, history, world, merge)


def counted_case(case: Case, history: History, world: World, merge: dict | None) -> list[Counted]:
    changes = sorted([*case.changes, *([merge] if merge else [])], key=lambda told: told["at"])
    rounds, start, before = [], case.received, None
    completed: int | None = None
    for place, at in enumerate(case.steps):
        if place % 2 == 0:
            completed = at
        else:
            rounds.append((start, completed, at, before))
            start, before, completed = at, completed, None
    rounds.append((start, completed, None, before))
    answer = []
    first = min(case.contacts, default=None)
    answered = [
        pause
        for pause in case.pauses
        if pause[2] is WaitingFor.CUSTOMER and any(at <= pause[0] for at in case.attempts)
    ]
    answer.append(
        counted(
            K.FIRST_RESPONSE,
            1,
            case.received,
            first,
            None,
            case.ended,
            answered,
            changes,
            case,
            history,
            world,
        )
    )
    waits = [pause for pause in case.pauses if pause[2] is not WaitingFor.MAKER]
    for number, (start, stop, until, before) in enumerate(rounds, 1):
        own = [pause for pause in waits if before is None or pause[0] >= before]
        answer.append(
            counted(
                K.RESOLUTION,
                number,
                start,
                stop,
                until,
                case.ended,
                own,
                changes,
                case,
                history,
                world,
            )
        )
    for number, (_, stop, until, _) in enumerate(rounds, 1):
        if stop is None:
            continue
        ended = case.ended if until is None else until
        calls = [at for at in case.calls if at >= stop and (until is None or at <= until)]
        answer.append(
            counted(
                K.RETURN_CALL,
                number,
                stop,
                min(calls, default=None),
                until,
                ended,
                [],
                changes,
                case,
                history,
                world,
            )
        )
    hops = [at for at in sorted(case.held) if not is_between(at, rounds)]
    for number, start in enumerate(hops, 1):
        later = hops[number : number + 1]
        over = [done for _, done, _, _ in rounds if done is not None and done >= start]
        answer.append(
            counted(
                K.HOP,
                number,
                start,
                min([*later, *over], default=None),
                min(later, default=None),
                case.ended,
                waits,
                changes,
                case,
                history,
                world,
            )
        )
    return [timer for timer in answer if timer is not None]


def is_between(at: int, rounds: list) -> bool:
    """Whether the case was completed then, and not yet opened again."""
    return any(
        done is not None and done < at and (until is None or at < until)
        for _, done, until, _ in rounds
    )


def target_of(
    history: History, kind: TimerKind, priority: Priority, policies_at: int, calendars_at: int
):
    """The parts and calendar in force, or None."""
    in_force = [
        row
        for row in history.rows
        if row.kind is kind
        and row.since <= policies_at
        and (row.until is None or policies_at < row.until)
        and row.priority in (None, priority)
    ]
    for row in sorted(in_force, key=lambda row: row.priority is None):
        editions = history.editions[row.calendar]
        place = max(bisect_right([since for since, _ in editions], calendars_at) - 1, 0)
        return row.parts, editions[place][1]
    return None


def counted(kind, number, start, stop, until, ended, pauses, changes, case, history, world):
    """Live through the changes with what was known at each of them."""
    receipt = kind is K.FIRST_RESPONSE or (kind is K.RESOLUTION and number == 1)
    if stop is not None and ended is not None and stop > ended:
        stop = None
    priority = case.priority
    pending = []
    for told in changes:
        if told["at"] > start or (receipt and "received" in told):
            pending.append(told)
        elif "priority" in told:
            priority = told["priority"]
    policies_at = calendars_at = start
    target = target_of(history, kind, priority, policies_at, calendars_at)
    cause = frozen_due = gone = None
    for told in pending:
        at = told["at"]
        if until is not None and at >= until:
            break
        over = ended if stop is None else stop
        is_over = over is not None and over <= at
        pooled = stop
        if kind is K.FIRST_RESPONSE and "contacts" in told and not is_over:
            pooled = min([*told["contacts"], *([] if stop is None else [stop])], default=None)
        if target is not None:
            due, _ = walk(target, start, known(pauses, at, stop, ended), at, world)
            if due is not None and due < at:
                over = pooled if pooled is not None else ended
                if over is None or over > due:
                    cause, frozen_due = MissedCause.TIME, due
                    break
            if kind in told.get("missed", ()):
                cause = MissedCause.MERGE
                break
        if is_over:
            continue
        stop = pooled
        priority = told.get("priority", priority)
        policies_at = at if "policies" in told else policies_at
        calendars_at = at if "calendars" in told else calendars_at
        if receipt and "received" in told:
            start = min(start, told["received"])
        new = target_of(history, kind, priority, policies_at, calendars_at)
        if new is None:
            gone = at if target is not None else gone
            target = None
            continue
        target, gone = new, None
        due, _ = walk(target, start, known(pauses, at, stop, ended), at, world)
        if due is not None and due < at and (stop is None or stop > due):
            cause, frozen_due = MissedCause.CHANGE, due
            break
    if target is None:
        if gone is None:
            return None
        return Counted(kind, number, start, TimerPhase.CANCELLED, None, [], gone, None)
    end = stop
    phase = TimerPhase.STOPPED if stop is not None else TimerPhase.RUNNING
    if stop is None and ended is not None:
        phase, end = TimerPhase.CANCELLED, max(ended, start)
    all_known = [
        (opens, end if closes is None else closes if end is None else min(closes, end))
        for opens, closes, _ in pauses
    ]
    due, remaining = walk(target, start, all_known, None, world)
    assert frozen_due is None or frozen_due == due
    is_waiting = any(closes is None for _, closes in all_known)
    if phase is TimerPhase.RUNNING and is_waiting:
        phase = TimerPhase.PAUSED
    if cause is None and due is not None and end is not None and end > due:
        cause = MissedCause.TIME
    return Counted(kind, number, start, phase, due, remaining, end, cause)


def known(pauses, at: int, stop: int | None, ended: int | None):
    """The pauses as they looked at that instant."""
    over = stop if stop is not None else ended
    found = []
    for opens, closes, _ in pauses:
        if opens >= at:
            continue
        closed = closes if closes is not None and closes <= at else None
        if over is not None and over <= at:
            closed = over if closed is None else min(over, closed)
        found.append((opens, closed))
    return found


def walk(target, start: int, pauses, limit: int | None, world: World):
    """The step at which a part of the target has been counted, or None and what remains of each part in seconds."""
    parts, calendar = target
    flags, step = world.counts[calendar], world.step
    lefts = []
    for unit, number in parts:
        if unit is U.WORKING_DAYS:
            lefts.append((flags, in_working_days(flags, calendar, start, number, world)))
        elif unit is U.WORKING_MINUTES:
            lefts.append((flags, number * 60 // step))
        else:
            seconds = number if unit is U.CLOCK_SECONDS else number * 60
            lefts.append((None, seconds // step))
    open_from = min((max(opens, start) for opens, closes in pauses if closes is None), default=None)
    waiting = set()
    for opens, closes in pauses:
        if closes is not None:
            waiting.update(range(max(opens, start), closes))
    left = [number for _, number in lefts]
    every = [flag is None for flag, _ in lefts]
    now = start
    while True:
        if 0 in left:
            return now, []
        if now == open_from:
            return None, [number * step for number in left]
        if limit is not None and now > limit:
            return None, []
        if now not in waiting:
            is_open = flags[now]
            for place, always in enumerate(every):
                if always or is_open:
                    left[place] -= 1
        now += 1


def in_working_days(flags, calendar: int, start: int, days: int, world: World) -> int:
    """How many steps count until the same clock time so many working days after the first open step."""
    opening = start
    while not flags[opening]:
        opening += 1
    day, clock = divmod(opening, world.a_day)
    for _ in range(days):
        day += 1
        while day in world.closed_days[calendar]:
            day += 1
    return sum(flags[start : day * world.a_day + clock])


# Side by side


def difference(seed: int, step: int) -> str | None:
    """What the engine and the counter say differently about the history of this seed, or None."""
    place = world(step)
    history = history_of(seed, step)
    engine = [
        Counted(
            state.kind,
            state.cycle,
            place.tick(state.started_at),
            state.phase,
            place.tick(state.due_at),
            [
                left
                for left in (state.remaining_seconds, state.second_remaining_seconds)
                if left is not None
            ],
            place.tick(state.stopped_at),
            state.missed_cause,
        )
        for state in by_engine(history, place)
    ]
    counting = by_counting(history, place)
    if {(told.kind, told.number): told for told in engine} == {
        (told.kind, told.number): told for told in counting
    }:
        return None
    return f"seed {seed}, step {step}:\n{history}\nengine   {engine}\ncounting {counting}"
