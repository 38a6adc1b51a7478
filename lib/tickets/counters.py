"""Whether the numbers above the queue are exact: one tally against a full recount, in one snapshot of the store."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from sqlalchemy import select

from db.codes import ReturnCallState, WaitingFor
from db.models.tickets import ReturnCall, SavedView, Ticket
from lib.shared.calendar import epoch
from lib.shared.work import Look, read_change_number
from lib.tickets.queue_filter import QueueFilter, QueueLine, QueueView, Scope, lines_query, matches
from lib.tickets.rules import ENDED_STATUSES
from lib.tickets.tally import People, countable, read_tally
from lib.tickets.views import filter_of

OF_PEOPLE = (QueueView.MINE, QueueView.UNASSIGNED)
"""Views that a tally tells by technician and owner, not by a number of their own."""

ROWS_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class CounterFault:
    """A number that is wrong: of a view or saved list, for the cases of a technician and an owner (None: nobody)."""

    what: str
    people: People
    counted: int
    is_so: int


@dataclass(frozen=True, slots=True)
class CounterReport:
    at: int
    numbers: int
    fault: CounterFault | None


def check_counters(look: Look) -> CounterReport:
    """Tally once as the desk does, then recount case by case; the first number that differs.

    How many cases there are, whose they are, what they wait for and which return calls are open is recounted from
    the cases themselves; what depends on the second, from the rows at the same second.
    """
    now = epoch(look.now)
    saved = {
        countable(where)
        for query in look.session.scalars(select(SavedView.query))
        if (where := filter_of(dict(parse_qsl(query)))).scope is Scope.OPEN
    }
    tally = read_tally(look.session, read_change_number(look), now, saved)
    of_rows = {where: Counter[People]() for where in saved}
    of_views: defaultdict[QueueView, Counter[People]] = defaultdict(Counter)
    views = [QueueFilter(view) for view in QueueView if view not in OF_PEOPLE]
    rows = look.session.execute(lines_query([]).execution_options(yield_per=ROWS_AT_ONCE))
    for line in (QueueLine(*row) for row in rows):
        people = (line.technician_id, line.owner_id)
        for where in views:
            of_views[where.view][people] += matches(where, line, now)
        for where, total in of_rows.items():
            total[people] += matches(where, line, now)
    numbers = 0
    told = {
        view: {people: counts[view] for people, counts in tally.by_people.items()}
        for view in (where.view for where in views)
    }
    from_cases = _recounted(look)
    comparisons: Iterable[tuple[str, Mapping[People, int], Mapping[People, int]]] = [
        *((str(view), told[view], of_views[view]) for view in told),
        *((f"{view} of the cases", told[view], from_cases[view]) for view in from_cases),
        *(("saved list", tally.further[where], of_rows[where]) for where in saved),
    ]
    for what, counted, is_so in comparisons:
        for people in sorted({*counted, *is_so}, key=str):
            numbers += 1
            if counted.get(people, 0) != is_so.get(people, 0):
                fault = CounterFault(what, people, counted.get(people, 0), is_so.get(people, 0))
                return CounterReport(now, numbers, fault)
    return CounterReport(now, numbers, None)


def _recounted(look: Look) -> dict[QueueView, Counter[People]]:
    """What can be told from the cases themselves, without the open list's rows."""
    counts = {
        view: Counter[People]()
        for view in (QueueView.ALL, QueueView.WAITING_PARTS, QueueView.RETURN_CALLS)
    }
    waiting = set(
        look.session.scalars(
            select(ReturnCall.ticket_id).where(ReturnCall.state == ReturnCallState.OPEN)
        )
    )
    cases = look.session.execute(
        select(Ticket.id, Ticket.technician_id, Ticket.owner_id, Ticket.waiting_for)
        .where(Ticket.status.not_in(ENDED_STATUSES))
        .execution_options(yield_per=ROWS_AT_ONCE)
    )
    for ticket_id, technician, owner, waiting_for in cases:
        people = (technician, owner)
        counts[QueueView.ALL][people] += 1
        counts[QueueView.WAITING_PARTS][people] += waiting_for is WaitingFor.PARTS
        counts[QueueView.RETURN_CALLS][people] += ticket_id in waiting
    return counts
