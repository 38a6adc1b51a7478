"""What applying policies or a calendar to open cases would do, found by the code that will do it (rules 14, 15)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from db.codes import MissedCause, TimerKind, TimerPhase
from lib.shared.calendar import epoch
from lib.shared.calendars import CalendarDraft, drafted
from lib.shared.work import Look
from lib.tickets.open_cases import open_cases
from lib.tickets.policies import PolicyDraft, drafted_policies, rulebook
from lib.tickets.targets import Edition, Rulebook, next_second
from lib.tickets.timers import Change, Facts, TimerState, timers_of

OPEN = (TimerPhase.RUNNING, TimerPhase.PAUSED)


@dataclass(frozen=True, slots=True)
class Due:
    """When a timer is due, or what remains of it while it is paused; neither: it has no due (rule 6)."""

    at: datetime | None = None
    remaining_seconds: int | None = None
    second_remaining_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A due that applying moves. before None: the timer had no target."""

    ticket_id: int
    number: str
    kind: TimerKind
    cycle: int
    before: Due | None
    after: Due
    missed: bool
    provisional: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What applying now would do: `provisional` and `others` are the cases to apply it to, apart.

    A case is among them when a due moves, or when what remains of a paused timer will be counted otherwise.
    Provisional: a due of it lies in a year of which the official days were not known (rule 6).
    """

    cases: int
    moves: tuple[Move, ...]
    provisional: tuple[int, ...]
    others: tuple[int, ...]


def preview_policies(look: Look, *, draft: PolicyDraft | None = None) -> Preview:
    """What applying the policies that are in force would do, with `draft` among them.

    Refuses as `add_policy` does. A draft that comes into force later moves nothing yet.
    """
    book = rulebook(look.session)
    new = book if draft is None else drafted_policies(book, draft, look.now)
    at = next_second(look.now)
    change = Change(look.now, look.actor.person_id, policies_at=at, calendars_at=at)
    return _previewed(look, book, new, change, None)


def preview_calendar(
    look: Look, *, calendar_id: int, version: int, draft: CalendarDraft
) -> Preview:
    """What saving a calendar's draft and applying it would do. Refuses as `edit_calendar` does."""
    time = drafted(look.session, calendar_id=calendar_id, version=version, draft=draft)
    book = rulebook(look.session)
    at = next_second(look.now)
    edition = Edition(epoch(at), version + 1, time)
    editions = [*book.calendars[calendar_id], edition]
    new = Rulebook(book.policies, {**book.calendars, calendar_id: editions})
    change = Change(look.now, look.actor.person_id, calendars_at=at)
    return _previewed(look, book, new, change, calendar_id)


def _previewed(
    look: Look, book: Rulebook, new: Rulebook, change: Change, calendar_id: int | None
) -> Preview:
    cases = 0
    moves: list[Move] = []
    provisional, others = [], []
    for ticket, facts in open_cases(look.session):
        cases += 1
        found = list(_compared(facts, book, new, change))
        is_moved = any(before is None or _differs(before, after) for before, after in found)
        reaches = calendar_id is not None and any(
            before is not None
            and before.target is not None
            and before.target.calendar_id == calendar_id
            and is_provisional(before)
            for before, _ in found
        )
        if reaches:
            provisional.append(ticket.id)
        elif is_moved:
            others.append(ticket.id)
        for before, after in found:
            due = None if before is None else _due(before)
            missed = _is_missed(before, after)
            if due != _due(after) or missed:
                moves.append(
                    Move(
                        ticket.id,
                        ticket.number,
                        after.kind,
                        after.cycle,
                        due,
                        _due(after),
                        missed,
                        before is not None and is_provisional(before),
                    )
                )
    return Preview(cases, tuple(moves), tuple(provisional), tuple(others))


def _compared(
    facts: Facts, book: Rulebook, new: Rulebook, change: Change
) -> Iterator[tuple[TimerState | None, TimerState]]:
    """Each open timer as it is and as it would be."""
    before = {(timer.kind, timer.cycle): timer for timer in timers_of(facts, book)}
    changed = replace(facts, changes=(*facts.changes, change))
    for after in timers_of(changed, new):
        stood = before.get((after.kind, after.cycle))
        if (stood is None and after.phase in OPEN) or (stood is not None and stood.phase in OPEN):
            yield stood, after


def _due(timer: TimerState) -> Due:
    return Due(timer.due_at, timer.remaining_seconds, timer.second_remaining_seconds)


def _is_missed(before: TimerState | None, after: TimerState) -> bool:
    missed = after.missed_cause is MissedCause.CHANGE
    return missed and (before is None or before.missed_cause is not MissedCause.CHANGE)


def _differs(before: TimerState, after: TimerState) -> bool:
    is_paused = after.phase is TimerPhase.PAUSED
    return (
        _due(before) != _due(after)
        or _is_missed(before, after)
        or (is_paused and before.target != after.target)
    )


def is_provisional(timer: TimerState) -> bool:
    """Whether a timer is due in a year of which the official days were not known (rule 6)."""
    if timer.target is None or timer.due_at is None:
        return False
    return timer.target.calendar.is_provisional(epoch(timer.due_at))
