"""How a case may move, and what its facts mean for the timers. One table holds states and moves."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from db.codes import (
    EventKind,
    ReturnCallResult,
    TicketStatus,
    TimerKind,
    TimerPhase,
    WaitingFor,
)
from lib.shared.errors import Refusal
from lib.tickets.timers import Facts, Pause, TimerState

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
}
"""From each state the states that may follow. From completed, new and assigned are the reopening (S-25)."""

OPEN_STATUSES = tuple(status for status, following in MOVES.items() if following)
ENDED_STATUSES = tuple(status for status, following in MOVES.items() if not following)
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
    """Refuse `ticket_ended` on a closed or cancelled case."""
    if status in ENDED_STATUSES:
        raise Refusal("ticket_ended", status=status)


def ensure_received_in_time(received_at: datetime, now: datetime) -> None:
    """A case is received when it was received, which may be long ago but not to come (rule 3)."""
    if received_at > now:
        raise Refusal("received_in_future")


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


def facts_of(received_at: datetime, events: Iterable[Fact]) -> Facts:
    """The timers' facts from a timeline in the order of events."""
    contacts, completed, reopened, pauses = [], [], [], []
    open_pause: tuple[datetime, WaitingFor] | None = None
    ended_at = None
    for event in events:
        if event.outbound:
            contacts.append(event.at)
        if event.kind is EventKind.COMPLETED:
            completed.append(event.at)
        elif event.kind is EventKind.REOPENED:
            reopened.append(event.at)
        elif event.kind in (EventKind.CLOSED, EventKind.CANCELLED):
            ended_at = event.at
        elif event.kind is EventKind.WAITING_STARTED and event.waiting_for is not None:
            open_pause = (event.at, event.waiting_for)
        elif event.kind is EventKind.WAITING_ENDED and open_pause is not None:
            pauses.append(Pause(open_pause[0], event.at, open_pause[1]))
            open_pause = None
    if open_pause is not None:
        pauses.append(Pause(open_pause[0], None, open_pause[1]))
    return Facts(
        received_at,
        contacts=tuple(contacts),
        completed=tuple(completed),
        reopened=tuple(reopened),
        pauses=tuple(pauses),
        ended_at=ended_at,
    )


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
