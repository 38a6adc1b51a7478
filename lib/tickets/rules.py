"""How a case may move, and what its facts mean for the timers. One table holds states and moves."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from db.codes import (
    CancelReason,
    CustomerLevel,
    EventKind,
    Priority,
    ReturnCallResult,
    TicketStatus,
    TimerKind,
    TimerPhase,
    WaitingFor,
)
from lib.shared.errors import Refusal
from lib.tickets.merge_facts import change_of, instants, undone_merges
from lib.tickets.promises import is_withdrawal
from lib.tickets.targets import ANY_MATTER, Matter, next_second
from lib.tickets.timers import Change, Facts, Pause, Promise, TimerState

S = TicketStatus

MOVES: dict[TicketStatus, tuple[TicketStatus, ...]] = {
    S.NEW: (S.ASSIGNED, S.CONTACTED, S.SCHEDULED, S.WAITING, S.COMPLETED, S.CANCELLED),
    S.ASSIGNED: (S.CONTACTED, S.SCHEDULED, S.ON_SITE, S.WAITING, S.COMPLETED, S.CANCELLED),
    S.CONTACTED: (S.ASSIGNED, S.SCHEDULED, S.ON_SITE, S.WAITING, S.COMPLETED, S.CANCELLED),
    S.SCHEDULED: (S.ASSIGNED, S.CONTACTED, S.ON_SITE, S.WAITING, S.COMPLETED, S.CANCELLED),
    S.ON_SITE: (S.ASSIGNED, S.WAITING, S.COMPLETED),
    S.WAITING: (S.ASSIGNED, S.CONTACTED, S.SCHEDULED, S.ON_SITE, S.COMPLETED, S.CANCELLED),
    S.COMPLETED: (S.NEW, S.ASSIGNED, S.CLOSED),
    S.CLOSED: (),
    S.CANCELLED: (),
    S.MERGED: (),
}
"""From each state the states that may follow. From completed, new and assigned are the reopening (S-25)."""

OPEN_STATUSES = tuple(status for status, following in MOVES.items() if following)
ENDED_STATUSES = tuple(status for status, following in MOVES.items() if not following)
MERGE_EVENTS = (EventKind.MERGED, EventKind.ABSORBED)
PROMISE_EVENTS = (
    EventKind.PROMISED,
    EventKind.PROMISE_KEPT,
    EventKind.PROMISE_CHANGED,
    EventKind.PROMISE_ENDED,
)
TOLD_BY_INSTANT = (
    EventKind.ATTEMPTED,
    EventKind.INBOUND,
    EventKind.DIAGNOSED,
    EventKind.RESTORED,
)
"""Events that timers read by their instant alone."""
HANDING_OVER = frozenset(
    {EventKind.ASSIGNED, EventKind.SCHEDULED, EventKind.ARRIVED, EventKind.REOPENED}
)
"""Events by which a technician gets a case, by hand, by a visit or by being there; a reopening gives it back."""
LEFT_OUT = frozenset({CancelReason.DUPLICATE, CancelReason.SPAM})
"""A case cancelled for such a reason was none: its verdicts leave the rate (rule 18)."""
NO_MOVE = (
    EventKind.NOTE,
    EventKind.FILE_ADDED,
    EventKind.FILE_REMOVED,
    EventKind.TARGETS_APPLIED,
)
"""Events that are written beside the work and bring a case no further (S-06)."""
LONGEST_WAIT = timedelta(days=366)
FARTHEST_ACTION = timedelta(days=366)
USUAL_WAIT: dict[WaitingFor, timedelta] = {
    WaitingFor.CUSTOMER: timedelta(days=1),
    WaitingFor.PARTS: timedelta(days=3),
    WaitingFor.MAKER: timedelta(days=5),
    WaitingFor.APPRAISAL: timedelta(days=3),
}
"""How long a wait is expected to last unless somebody knows better."""
RETURN_CALL_TRIES = 3
"""After this many unanswered tries a return call counts as ended (S-25)."""


def legal_moves(status: TicketStatus) -> tuple[TicketStatus, ...]:
    """The states that may follow `status`."""
    return MOVES[status]


def ensure_can_move(status: TicketStatus, to: TicketStatus) -> None:
    """Refuse `move_not_allowed` when `to` does not follow `status`."""
    if to not in MOVES[status]:
        raise Refusal("move_not_allowed", status=status, to=to)


def ensure_open(status: TicketStatus) -> None:
    """Refuse `ticket_ended` on a closed, cancelled or absorbed case."""
    if status in ENDED_STATUSES:
        raise Refusal("ticket_ended", status=status)


def ensure_received_in_time(received_at: datetime, now: datetime) -> None:
    """A case is received when it was received, which may be long ago but not to come (rule 3)."""
    if received_at > now:
        raise Refusal("received_in_future")


def ensure_until(until_at: datetime | None, now: datetime) -> datetime:
    """The expected end of a wait: named, to come, within a year (rule 10).

    Refuses `waiting_until_missing` and `waiting_until_past`.
    """
    if until_at is None:
        raise Refusal("waiting_until_missing")
    if not now < until_at <= now + LONGEST_WAIT:
        raise Refusal("waiting_until_past")
    return until_at.replace(microsecond=0)


def ensure_words(words: str, *, limit: int = 4000) -> str:
    """The words without outer space. Refuses `words_missing`, `words_too_long`, `words_unreadable`."""
    told = words.strip()
    if not told:
        raise Refusal("words_missing")
    return ensure_readable(told, limit=limit)


def ensure_readable(words: str, *, limit: int = 4000) -> str:
    """The words, when both databases can store them as typed."""
    if len(words) > limit:
        raise Refusal("words_too_long", limit=limit)
    if "\x00" in words or any("\ud800" <= letter <= "\udfff" for letter in words):
        raise Refusal("words_unreadable")
    return words


def return_call_ends(result: ReturnCallResult, tries: int) -> bool:
    """Whether a return call is over after `tries` tries of which the last brought `result` (S-25)."""
    return result is not ReturnCallResult.NO_ANSWER or tries >= RETURN_CALL_TRIES


@dataclass(frozen=True, slots=True)
class Fact:
    """What timers read of an event."""

    kind: EventKind
    at: datetime
    waiting_for: WaitingFor | None = None
    outbound: bool = False
    to_status: TicketStatus | None = None
    from_status: TicketStatus | None = None
    recorded_at: datetime | None = None
    actor_id: int | None = None
    details: Mapping[str, Any] | None = None
    id: int | None = None


def holder_of(
    kind: EventKind, actor_id: int | None, details: Mapping[str, Any] | None
) -> int | None:
    """The technician whom an event gives the case to; None when it names nobody new (rule 16)."""
    if kind is EventKind.ARRIVED:
        return actor_id
    if kind in (EventKind.ASSIGNED, EventKind.SCHEDULED):
        return (details or {}).get("technician_id")
    return None


def handovers(events: Iterable[Fact]) -> Iterator[datetime]:
    """When the case went to another technician, or after a reopening back to the same one (rule 16).

    Who holds it follows the order of recording, so that it is the case's own technician: an arrival that was told
    late begins no earlier than what was decided at the desk before it.
    """
    holder: int | None = None
    last: datetime | None = None
    for event in sorted(events, key=lambda each: each.recorded_at or each.at):
        to = holder_of(event.kind, event.actor_id, event.details)
        is_same = to is None or to == holder
        holder = holder if to is None else to
        if holder is None or (is_same and event.kind is not EventKind.REOPENED):
            continue
        last = event.at if last is None else max(event.at, last)
        yield last


def standing(events: Iterable[Fact]) -> list[Fact]:
    """The events without those that were withdrawn: as if they had never been (rules 13, 14)."""
    told = list(events)
    gone = {
        event.details["withdrawn_id"]
        for event in told
        if event.kind is EventKind.WITHDRAWN and event.details
    }
    return [event for event in told if event.id not in gone] if gone else told


def facts_of(received_at: datetime, events: Iterable[Fact], matter: Matter = ANY_MATTER) -> Facts:
    """The timers' facts from a timeline in the order of events.

    matter: what the case is now, but the level that it has unless its receipt tells another.
    """
    contacts: list[datetime] = []
    completed, reopened, pauses = [], [], []
    at_of: dict[EventKind, list[datetime]] = {kind: [] for kind in TOLD_BY_INSTANT}
    calls_ended, entered, handed_over = [], [], []
    changed: list[_Changed] = []
    absorbed: list[Change] = []
    told: dict[int, _Told] = {}
    open_pause: tuple[datetime, WaitingFor] | None = None
    # A merge ended the pause and was undone: only what was done to the case since then may have ended it.
    is_left_open = left_out = False
    ended_at = None
    events = standing(events)
    undone = undone_merges((event.kind, event.details) for event in events)
    for event in events:
        if event.kind is EventKind.RECEIVED and event.details and "level" in event.details:
            matter = matter._replace(level=CustomerLevel(event.details["level"]))
        if event.kind is EventKind.MERGE_UNDONE:
            contacts += instants((event.details or {}).get("contacts", ()))
            messages = instants((event.details or {}).get("inbound", ()))
            at_of[EventKind.INBOUND] += messages
            if open_pause is not None and open_pause[1] is WaitingFor.CUSTOMER and messages:
                pauses.append(Pause(open_pause[0], min(messages), open_pause[1]))
                open_pause = None
            is_left_open = is_left_open and event.to_status is not TicketStatus.WAITING
            continue
        if event.kind in MERGE_EVENTS and event.details and event.details["merge_id"] in undone:
            waited, waits = (
                each is TicketStatus.WAITING for each in (event.from_status, event.to_status)
            )
            is_left_open = is_left_open or (waited and not waits)
            continue
        is_step = event.to_status is not None and event.to_status is not event.from_status
        if is_left_open and is_step and open_pause is not None:
            pauses.append(Pause(open_pause[0], event.at, open_pause[1]))
            open_pause, is_left_open = None, False
        if event.outbound:
            contacts.append(event.at)
        if is_step:
            entered.append(event.at)
        if event.kind in at_of:
            at_of[event.kind].append(event.at)
        if event.kind in HANDING_OVER:
            handed_over.append(event)
        if event.kind is EventKind.INBOUND and open_pause is not None:
            # A customer who got in touch is no longer waited for (rule 10).
            if open_pause[1] is WaitingFor.CUSTOMER:
                pauses.append(Pause(open_pause[0], event.recorded_at or event.at, open_pause[1]))
                open_pause = None
        elif event.kind is EventKind.RETURN_CALL and event.details:
            if return_call_ends(ReturnCallResult(event.details["result"]), event.details["try"]):
                calls_ended.append(event.at)
        elif event.kind in (EventKind.CHANGED, EventKind.TARGETS_APPLIED):
            _note_change(changed, event)
        elif event.kind is EventKind.ABSORBED and event.details:
            taken_in = change_of(event.recorded_at or event.at, event.actor_id, event.details)
            if not absorbed:
                received_at = datetime.fromisoformat(event.details["own_received_at"])
            absorbed.append(taken_in)
            # Its messages end the wait for the customer at the merge, not earlier (rule 17).
            if (
                open_pause is not None
                and open_pause[1] is WaitingFor.CUSTOMER
                and any(open_pause[0] <= message <= event.at for message in taken_in.inbound)
            ):
                pauses.append(Pause(open_pause[0], event.at, open_pause[1]))
                open_pause = None
        elif event.kind in PROMISE_EVENTS:
            _note_promise(told, event)
        if event.kind is EventKind.COMPLETED:
            completed.append(event.at)
        elif event.kind is EventKind.REOPENED:
            reopened.append(event.at)
            ended_at = None
        elif event.kind in (EventKind.CLOSED, EventKind.CANCELLED, EventKind.MERGED):
            ended_at = event.at
            is_none = (event.details or {}).get("reason") in LEFT_OUT
            left_out = left_out or is_none or event.kind is EventKind.MERGED
        elif event.kind is EventKind.WAITING_STARTED and event.waiting_for is not None:
            open_pause = (event.at, event.waiting_for)
        elif event.kind is EventKind.WAITING_ENDED and open_pause is not None:
            pauses.append(Pause(open_pause[0], event.at, open_pause[1]))
            open_pause = None
    if open_pause is not None:
        pauses.append(Pause(open_pause[0], None, open_pause[1]))
    for change in reversed(changed):
        if "priority" in change.before:
            matter = matter._replace(priority=change.before["priority"])
    return Facts(
        received_at,
        contacts=tuple(contacts),
        completed=tuple(completed),
        reopened=tuple(reopened),
        pauses=tuple(pauses),
        ended_at=ended_at,
        calls_ended=tuple(calls_ended),
        entered=tuple(entered),
        matter=matter,
        changes=(*_in_order(matter, changed), *absorbed),
        left_out=left_out,
        attempts=tuple(at_of[EventKind.ATTEMPTED]),
        inbound=tuple(at_of[EventKind.INBOUND]),
        diagnosed=tuple(at_of[EventKind.DIAGNOSED]),
        usable=tuple(at_of[EventKind.RESTORED]),
        held=tuple(handovers(handed_over)),
        promises=tuple(each.promise for each in told.values() if not each.is_elsewhere),
    )


@dataclass(slots=True)
class _Told:
    """A promise so far; `is_elsewhere`: a merge, or its undoing, moved it to another case."""

    promise: Promise
    placed_at: datetime
    is_elsewhere: bool = False


def _note_promise(told: dict[int, _Told], event: Fact) -> None:
    """Rule 28: only what the customer was told, was given or agreed to says something of a promise."""
    details = event.details or {}
    number = int(details["commitment_id"])
    recorded_at = event.recorded_at or event.at
    if event.kind is EventKind.PROMISED:
        if number not in told:
            due_at = datetime.fromisoformat(details["due_at"])
            told[number] = _Told(Promise(event.at, due_at), recorded_at)
        elif recorded_at >= told[number].placed_at:
            told[number].placed_at, told[number].is_elsewhere = recorded_at, False
        return
    known = told.get(number)
    if known is None:
        return
    if event.kind is EventKind.PROMISE_KEPT:
        kept_at = known.promise.kept_at
        earliest = event.at if kept_at is None else min(kept_at, event.at)
        known.promise = replace(known.promise, kept_at=earliest)
    elif "moved_to" in details:
        if recorded_at >= known.placed_at:
            known.placed_at, known.is_elsewhere = recorded_at, True
    else:
        known.promise = replace(known.promise, changed_at=event.at)


@dataclass(frozen=True, slots=True)
class _Changed:
    """A change with the fields of the matter before and after it."""

    change: Change
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)


MATTERS: Mapping[str, type[Priority] | type[CustomerLevel]] = {
    "priority": Priority,
    "level": CustomerLevel,
}
"""Fields that policies are matched by and that may change while a case is open."""


def _in_order(matter: Matter, changed: Iterable[_Changed]) -> Iterator[Change]:
    """Each change with what the case was from then on."""
    for change in changed:
        matter = matter._replace(**change.after)
        yield replace(change.change, matter=matter if change.after else None)


def _note_change(changed: list[_Changed], event: Fact) -> None:
    """Changes count from their recording; one taken back by its author within 10 minutes never was (rule 14)."""
    at = event.recorded_at or event.at
    details = event.details or {}
    if event.kind is EventKind.TARGETS_APPLIED:
        # What was saved in the same second begins with the next one.
        applied_at = next_second(at)
        policies = applied_at if details.get("policies") else None
        calendars = applied_at if details.get("calendars") else None
        changed.append(_Changed(Change(at, event.actor_id, None, policies, calendars)))
        return
    told = details.get("values", {})
    before, after = (
        {name: code(told[name][place]) for name, code in MATTERS.items() if name in told}
        for place in (0, 1)
    )
    if not after:
        return
    last = changed[-1] if changed else None
    if (
        last is not None
        and (last.before, last.after) == (after, before)
        and is_withdrawal(last.change.at, last.change.author_id, at, event.actor_id)
    ):
        changed.pop()
        return
    changed.append(_Changed(Change(at, event.actor_id), before, after))


@dataclass(frozen=True, slots=True)
class NextDue:
    """What an open list shows of a case's timers: the next due that runs, else what is paused."""

    kind: TimerKind | None = None
    due_at: datetime | None = None
    paused: bool = False
    remaining_seconds: int | None = None


def next_due(timers: Iterable[TimerState], return_call_due_at: datetime | None = None) -> NextDue:
    """The earliest due that runs; paused only when nothing runs. A paused timer that was missed shows no rest."""
    open_timers = [
        timer for timer in timers if timer.phase in (TimerPhase.RUNNING, TimerPhase.PAUSED)
    ]
    running = [
        NextDue(timer.kind, timer.due_at)
        for timer in open_timers
        if timer.phase is TimerPhase.RUNNING and timer.due_at is not None
    ]
    if return_call_due_at is not None:
        running.append(NextDue(TimerKind.RETURN_CALL, return_call_due_at))
    if running:
        return min(running, key=lambda due: (due.due_at, due.kind))
    for timer in open_timers:
        if timer.phase is TimerPhase.PAUSED:
            return NextDue(timer.kind, None, True, timer.remaining_seconds)
    return NextDue()
