"""The numbers above the queue: open cases per view, counted once for everybody in this process."""

import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from time import monotonic

from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import Session

from db import session as database
from db.models.tickets import NEVER_DUE, QueueRow
from lib.tickets.queue_filter import (
    HOUR,
    NOBODY,
    UNMOVED,
    QueueFilter,
    QueueLine,
    QueueView,
    conditions,
    lines_query,
    matches,
)

TALLY_SECONDS = 1.0
MOST_SAVED = 100
SAVED_SECONDS = 60.0
"""Saved lists that nobody has looked at for so long are not counted."""
AHEAD_SECONDS = 60
MOST_AHEAD = 2_000
"""How far ahead the lines are read that time alone moves, and how many of them at most."""
COUNTED_VIEWS = (
    QueueView.OVERDUE,
    QueueView.DUE_SOON,
    QueueView.NEXT_BREACH,
    QueueView.WAITING_PARTS,
    QueueView.RETURN_CALLS,
    QueueView.FOLLOW_UP,
    QueueView.NOT_MOVED,
)
"""Views with a number of their own; the others are told by technician and owner."""
People = tuple[int | None, int | None]
"""Technician and owner of cases (None: nobody)."""


@dataclass(frozen=True)
class Tally:
    """Open cases by technician and owner (None: nobody) at change `number` and second `at`.

    Before second `next_crossing` time alone changes no number.
    """

    by_people: Mapping[People, Mapping[QueueView, int]]
    number: int
    at: int
    next_crossing: int
    further: Mapping[QueueFilter, Mapping[People, int]] = field(default_factory=dict)
    """The same of further filters, as `countable` makes them."""
    coming: Sequence[QueueLine] = ()
    known_from: int = 0
    known_until: int = 0
    """`coming` are all lines that time alone moves after `known_from` and up to `known_until`."""

    def crossed(self, since: int, now: int) -> Sequence[QueueLine] | None:
        """The lines that time alone moved after `since` and up to `now`; None when that is not known."""
        if self.at <= since and now < self.next_crossing:
            return ()
        if self.known_from <= since and now <= self.known_until:
            return [line for line in self.coming if _crosses(line, since, now)]
        return None

    def later(self, now: int) -> "Tally | None":
        """The numbers at a later second of the same change; None when what crosses until then is not known."""
        if self.at <= now < self.next_crossing:
            return self
        crossed = self.crossed(self.at, now) if self.at <= now else None
        if crossed is None:
            return None
        by_people = dict(self.by_people)
        further = {where: dict(counts) for where, counts in self.further.items()}
        for line in crossed:
            people = (line.technician_id, line.owner_id)
            if people not in by_people:  # the line is newer than the numbers
                return None
            by_people[people] = {
                view: count + _gain(QueueFilter(view), line, self.at, now)
                for view, count in by_people[people].items()
            }
            for where, counts in further.items():
                counts[people] = counts.get(people, 0) + _gain(where, line, self.at, now)
        moments = (moment for line in self.coming for moment in crossings(line) if moment > now)
        next_crossing = min(moments, default=NEVER_DUE)
        return replace(
            self,
            by_people=by_people,
            further=further,
            at=now,
            next_crossing=min(next_crossing, self.known_until + 1),
        )

    def counts(self, where: QueueFilter) -> dict[str, int]:
        """Cases per view for somebody who looks with `where`."""
        if where.only_of is None:
            mine = self._of_person.get(where.person_id, 0) if where.person_id is not None else 0
            return self._of_all | {QueueView.MINE: mine}
        return _counted(
            [each for each in self.by_people.items() if each[0][0] == where.only_of],
            where.person_id,
        )

    @cached_property
    def _of_all(self) -> dict[str, int]:
        """What everybody gets who sees all, counted once: a hundred streams ask every second."""
        return _counted(list(self.by_people.items()), None)

    @cached_property
    def _of_person(self) -> Mapping[int | None, int]:
        """All cases of each technician or owner."""
        found: Counter[int | None] = Counter()
        for people, counts in self.by_people.items():
            for person_id in set(people):
                found[person_id] += counts[QueueView.ALL]
        return found

    def count_of(self, where: QueueFilter) -> int | None:
        """Cases that a filter holds; None when it was not among those counted this second."""
        by_people = self.further.get(countable(where))
        if by_people is None:
            return None
        return sum(
            count
            for (technician, owner), count in by_people.items()
            if _concerns(where, technician, owner)
        )


def _counted(
    seen: Sequence[tuple[People, Mapping[QueueView, int]]], person_id: int | None
) -> dict[str, int]:
    totals = {view.value: sum(counts.get(view, 0) for _, counts in seen) for view in QueueView}
    totals[QueueView.MINE] = sum(
        counts[QueueView.ALL]
        for people, counts in seen
        if person_id is not None and person_id in people
    )
    totals[QueueView.UNASSIGNED] = sum(
        counts[QueueView.ALL] for (technician, _), counts in seen if technician is None
    )
    return totals


def countable(where: QueueFilter) -> QueueFilter:
    """The part of a filter that is counted for everybody; whom it concerns is told by technician and owner."""
    by_people = where.view in (QueueView.MINE, QueueView.UNASSIGNED)
    return QueueFilter(
        view=QueueView.ALL if by_people else where.view,
        status=where.status,
        priority=where.priority,
        customer_id=where.customer_id,
    )


def _concerns(where: QueueFilter, technician: int | None, owner: int | None) -> bool:
    if where.only_of is not None and technician != where.only_of:
        return False
    if where.technician is not None and (technician or NOBODY) != where.technician:
        return False
    if where.view is QueueView.UNASSIGNED:
        return technician is None
    if where.view is QueueView.MINE:
        return where.person_id is not None and where.person_id in (technician, owner)
    return True


def crossings(line: QueueLine) -> list[int]:
    """The seconds at which time alone moves a line into a view or out of one, as `matches` has it."""
    moments = [line.due_at + 1, line.due_at - HOUR + 1, line.moved_at + UNMOVED + 1]
    return moments if line.next_action_at is None else [*moments, line.next_action_at + 1]


def _crosses(line: QueueLine, since: int, now: int) -> bool:
    return any(since < moment <= now for moment in crossings(line))


def _gain(where: QueueFilter, line: QueueLine, since: int, now: int) -> int:
    return matches(where, line, now) - matches(where, line, since)


def find_crossing(
    session: Session, since: int, now: int, most: int | None = None
) -> dict[int, QueueLine]:
    """The lines that time alone moves into a view or out of one, after `since` and up to `now`; `most` at most."""
    due, action, moved = QueueRow.due_at, QueueRow.next_action_at, QueueRow.moved_at
    crossed = or_(
        and_(due >= since, due < now),
        and_(due >= since + HOUR, due < now + HOUR),
        and_(action >= since, action < now),
        and_(moved >= since - UNMOVED, moved < now - UNMOVED),
    )
    found = session.execute(lines_query([crossed]).limit(most))
    return {line.id: line for line in (QueueLine(*row) for row in found)}


class TallyKeeper:
    """The tally of this process: counted at most once a second, and only when a change or the hour asks for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[str, Tally, float] | None = None
        self._wanted: dict[QueueFilter, float] = {}

    def current(
        self, session: Session, number: int, now: int, wanted: Collection[QueueFilter] = ()
    ) -> Tally:
        """The tally at change `number` and `now`, at most a second old; `wanted`: countable filters to count too."""
        with self._lock:
            self._want(wanted)
            if self._kept is not None and self._kept[0] == database.url():
                _, tally, loaded_at = self._kept
                if tally.number == number and all(each in tally.further for each in wanted):
                    later = tally.later(now) or _look_ahead(session, tally, now)
                    if later is not None:
                        self._kept = (database.url(), later, loaded_at)
                        return later
                if monotonic() - loaded_at < TALLY_SECONDS:
                    return tally
            tally = read_tally(session, number, now, list(self._wanted))
            self._kept = (database.url(), tally, monotonic())
            return tally

    def counted(self, number: int, now: int) -> Tally | None:
        """The tally if it is exact at change `number` and `now`; None where it would have to be counted."""
        with self._lock:
            if self._kept is None or self._kept[0] != database.url():
                return None
            tally = self._kept[1]
            return tally.later(now) if tally.number == number else None

    def _want(self, wanted: Collection[QueueFilter]) -> None:
        at = monotonic()
        self._wanted.update(dict.fromkeys(wanted, at))
        if len(self._wanted) > MOST_SAVED:
            newest = sorted(self._wanted, key=self._wanted.__getitem__, reverse=True)
            self._wanted = {each: self._wanted[each] for each in newest[:MOST_SAVED]}
        for each in [each for each, last in self._wanted.items() if at - last > SAVED_SECONDS]:
            del self._wanted[each]

    def forget(self) -> None:
        """Count anew at the next question; for tests that write and count within one second."""
        with self._lock:
            self._kept = None
            self._wanted.clear()


tallies = TallyKeeper()


def _look_ahead(session: Session, tally: Tally, now: int) -> Tally | None:
    """The tally moved to `now` by what is read ahead from the store; None when that is too much, or time ran back."""
    if now < tally.at:
        return None
    until = now + AHEAD_SECONDS
    coming = list(find_crossing(session, tally.at, until, MOST_AHEAD + 1).values())
    if len(coming) > MOST_AHEAD:
        return None
    return replace(tally, coming=coming, known_from=tally.at, known_until=until).later(now)


def read_tally(
    session: Session, number: int, now: int, further: Collection[QueueFilter] = ()
) -> Tally:
    """Count the open cases per technician, owner, view and further filter in one statement."""
    filters = [QueueFilter(view) for view in COUNTED_VIEWS] + list(further)
    sums = [func.sum(_one_if(conditions(where, now))) for where in filters]
    # What time alone will change next, of each kind (`crossings`).
    limits = [
        (QueueRow.due_at, now, 0),
        (QueueRow.due_at, now + HOUR, HOUR),
        (QueueRow.next_action_at, now, 0),
        (QueueRow.moved_at, now - UNMOVED, -UNMOVED),
    ]
    nexts = [func.min(case((column >= at, column))) for column, at, _ in limits]
    people = (QueueRow.technician_id, QueueRow.owner_id)
    found = session.execute(select(*people, func.count(), *nexts, *sums).group_by(*people)).all()
    by_people: dict[People, dict[QueueView, int]] = {}
    of_further: dict[QueueFilter, dict[People, int]] = {where: {} for where in further}
    coming = [NEVER_DUE]
    for technician, owner, all_, *rest in found:
        firsts, totals = rest[: len(nexts)], [int(total) for total in rest[len(nexts) :]]
        by_people[technician, owner] = {
            QueueView.ALL: int(all_),
            **dict(zip(COUNTED_VIEWS, totals, strict=False)),
        }
        for where, total in zip(further, totals[len(COUNTED_VIEWS) :], strict=True):
            of_further[where][technician, owner] = total
        coming += [
            first - ahead + 1
            for first, (_, _, ahead) in zip(firsts, limits, strict=True)
            if first is not None
        ]
    return Tally(by_people, number, now, min(coming), of_further)


def _one_if(held: Collection[ColumnElement[bool]]) -> ColumnElement[int]:
    return case((and_(*held), 1), else_=0) if held else literal(1)
