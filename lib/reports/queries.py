"""The dashboard's reads: figures kept per day, and ranges of indexes over the desk's own cases and timers.

Imported history has no timers and stays out of rates, days and causes; its open cases are in the open queue and
are counted there. Definitions are in `rules`; each query says which one it counts.
"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Executable,
    Select,
    String,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    union_all,
)

from db import session as database
from db.codes import (
    FaultCode,
    MissedCause,
    ReturnCallState,
    Role,
    TicketStatus,
    TimerKind,
    TimerPhase,
    Verdict,
)
from db.models.customers import Customer
from db.models.feedback import SurveyAnswer
from db.models.reports import DayFigure
from db.models.tickets import QueueRow, ReturnCall, Ticket, Timer
from lib.reports import rules
from lib.reports.day_figures import JUDGED, MET, MISSED, UNDATED, UNDATED_AT, Figures
from lib.reports.rules import Behind, Cause, DayCount, Days, Figure, Measure, Period, Rate, Span
from lib.shared.calendar import epoch
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.shared.work import Look, read_change_number
from lib.tickets.queue_filter import HOUR, QueueFilter, QueueView, conditions
from lib.tickets.tally import tallies

READERS = frozenset({Role.SUPERVISOR, Role.QUALITY, Role.SALES, Role.AUDITOR})
"""Who reads reports."""

TIMER_OF = {
    Measure.RESPONSE: TimerKind.FIRST_RESPONSE,
    Measure.RESOLUTION: TimerKind.RESOLUTION,
}
ENDED_CALLS = tuple(state for state in ReturnCallState if state is not ReturnCallState.OPEN)
MOST_CASES = 100
OWN = Ticket.external_id.is_(None)
"""The desk's own cases, as the partial indexes have it."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """All of one view at one moment."""

    period: Period
    figures: list[Figure]
    days: list[DayCount]
    causes: list[Cause]


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case behind a figure. `at` is the moment that put it there: receipt, close, stop, due or answer."""

    ticket_id: int
    number: str
    company: str
    fault: FaultCode
    status: TicketStatus
    at: datetime
    due_at: datetime | None = None
    verdict: Verdict | None = None
    cause: MissedCause | None = None
    satisfaction: int | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Apart:
    """Of the missed ones: by a change and by a merge; and those left out of the rate although late (rule 18)."""

    changed: int = 0
    merged: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class CaseList:
    """At most MOST_CASES rows of `total`; `apart` for the rates only."""

    rows: list[CaseRow]
    total: int
    apart: Apart | None = None


def read_dashboard(look: Look, *, days: Days) -> Dashboard:
    """Every figure, day and cause of the period. Refuses `no_longer_allowed`.

    They are read from the figures that are kept per day; what is open and what runs on past its due is counted.
    """
    _ensure_reader(look)
    period = rules.period_of(days, look.now)
    ask = _Moments(look, period).ask
    kept = _kept(ask)
    by_fault = Counter(
        {FaultCode(told): number for told, number in kept.of(Figures.NEW, current=True).items()}
    )
    return Dashboard(
        period,
        [*_moment_figures(look, ask, kept), *_rate_figures(ask, kept), _satisfaction(kept)],
        rules.days_of(period.days, kept.by_day(Figures.NEW), kept.by_day(Figures.CLOSED)),
        rules.causes_of(by_fault),
    )


class BoardKeeper:
    """The last dashboard of each period in this process, taken again for the same change within the same second.

    A change has every open dashboard drawn anew at once: one of them asks the store.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Days, tuple[tuple[str, int, int], Dashboard]] = {}

    def current(self, look: Look, days: Days) -> Dashboard:
        """The dashboard as `read_dashboard` gives it, exact for the second of `look.now`."""
        asked = (database.url(), read_change_number(look), epoch(look.now))
        with self._lock:
            kept = self._kept.get(days)
            if kept is None or kept[0] != asked:
                kept = self._kept[days] = (asked, read_dashboard(look, days=days))
            return kept[1]


boards = BoardKeeper()


def share_dashboard(look: Look, *, days: Days) -> Dashboard:
    """`read_dashboard`, asked of the store once for all who look at it at once. Refuses `no_longer_allowed`."""
    _ensure_reader(look)
    return boards.current(look, days)


def list_cases(look: Look, *, days: Days, behind: Behind) -> CaseList:
    """The cases behind a figure of the period. Refuses `no_longer_allowed`."""
    _ensure_reader(look)
    period = rules.period_of(days, look.now)
    if behind.measure in TIMER_OF:
        return _cases_judged(look, TIMER_OF[behind.measure], period)
    if behind.measure is Measure.SATISFACTION:
        return _cases_scored(look, period.current)
    if behind.closed_on is not None:
        return _cases_closed(look, rules.span_of_day(behind.closed_on))
    if behind.new_on is not None:
        return _cases_received(look, rules.span_of_day(behind.new_on), None)
    return _cases_received(look, period.current, behind.fault)


def _ensure_reader(look: Look) -> None:
    if look.actor.person_id is not None and not look.actor.has(*READERS):
        raise Refusal("no_longer_allowed")


class _At:
    """The moments of a period, as the dashboard's statements ask for them; `_Moments` says what each is."""

    NOW: BindParameter[Any] = bindparam("now")
    NOW_SECONDS: BindParameter[int] = bindparam("now_seconds", type_=BigInteger)
    SINCE: BindParameter[Any] = bindparam("since")
    BEFORE: BindParameter[Any] = bindparam("before")
    THEN: BindParameter[Any] = bindparam("then")
    SOON_THEN: BindParameter[Any] = bindparam("soon_then")
    SINCE_DAY: BindParameter[str] = bindparam("since_day", type_=String)
    BEFORE_DAY: BindParameter[str] = bindparam("before_day", type_=String)
    TODAY_DAY: BindParameter[str] = bindparam("today_day", type_=String)


Ask = Callable[[Executable], Sequence[Any]]
"""Answers the rows of one of the statements below."""


class _Moments:
    """Asks the dashboard's statements, which are built once, of one period."""

    def __init__(self, look: Look, period: Period) -> None:
        self._look = look
        self._told: dict[str, Any] = {
            "now": look.now,
            "now_seconds": epoch(look.now),
            "since": period.current.since,
            "before": period.previous.since,
            "then": period.then,
            "soon_then": period.then + timedelta(seconds=HOUR),
            "since_day": _day(period.current.since),
            "before_day": _day(period.previous.since),
            "today_day": period.days[-1].isoformat(),
        }

    def ask(self, statement: Executable) -> Sequence[Any]:
        return self._look.ask(statement, **self._told).all()


def _day(instant: datetime) -> str:
    return instant.astimezone(SHANGHAI).date().isoformat()


@dataclass(frozen=True, slots=True)
class _Kept:
    """Sums of the figures kept per day: by whether the days are those of the current period, and by its days."""

    sums: dict[tuple[bool, str, str], int]
    days: dict[tuple[str, str], int]

    def of(self, figure: str, *, current: bool) -> dict[str, int]:
        """What a figure comes to, by its detail."""
        return {
            detail: number
            for (is_current, name, detail), number in self.sums.items()
            if is_current is current and name == figure
        }

    def total(self, figure: str, *, current: bool) -> int:
        return sum(self.of(figure, current=current).values())

    def by_day(self, figure: str) -> dict[date, int]:
        """What a figure comes to on each day of the current period, for new and closed cases."""
        return {
            date.fromisoformat(day): number
            for (name, day), number in self.days.items()
            if name == figure
        }


def _kept_statement() -> CompoundSelect[Any]:
    """Sums over both periods, then new and closed cases of the current period's days."""
    is_current = case((DayFigure.day >= _At.SINCE_DAY, 1), else_=0).label("is_current")
    named, added = (DayFigure.figure, DayFigure.detail), func.sum(DayFigure.number)
    return union_all(
        select(literal("", String), is_current, *named, added)
        .where(DayFigure.day >= _At.BEFORE_DAY, DayFigure.day <= _At.TODAY_DAY)
        .group_by(is_current, *named),
        select(DayFigure.day, literal(1), DayFigure.figure, literal("", String), added)
        .where(
            DayFigure.day >= _At.SINCE_DAY,
            DayFigure.day <= _At.TODAY_DAY,
            DayFigure.figure.in_((Figures.NEW, Figures.CLOSED)),
        )
        .group_by(DayFigure.day, DayFigure.figure),
    )


KEPT = _kept_statement()


def _kept(ask: Ask) -> _Kept:
    kept = _Kept({}, {})
    for day, is_current, figure, detail, number in ask(KEPT):
        if day:
            kept.days[figure, day] = int(number)
        else:
            kept.sums[bool(is_current), figure, detail] = int(number)
    return kept


def _count(*held: ColumnElement[bool]) -> Any:
    return select(func.count()).select_from(Ticket).where(OWN, *held).scalar_subquery()


def _closed(since: Any, until: Any) -> Sequence[ColumnElement[bool]]:
    return (
        OWN,
        Ticket.closed_at >= since,
        Ticket.closed_at < until,
        Ticket.status == TicketStatus.CLOSED,
    )


MOMENT_VIEWS = (QueueView.ALL, QueueView.OVERDUE, QueueView.DUE_SOON)
MOMENT = select(
    *(
        select(func.count())
        .select_from(QueueRow)
        .where(*conditions(QueueFilter(view), _At.NOW_SECONDS))
        .scalar_subquery()
        for view in MOMENT_VIEWS
    )
)


def _then_statement() -> Select[Any]:
    """How many cases had a due before the end of the hour after the moment a period ago, and how many were overdue;
    then what came and what went on the rest of that day.

    Told from the timers as they are known today: pauses that ran at that moment are not taken out.
    """
    then, soon = _At.THEN, _At.SOON_THEN
    parts: list[Any] = [
        select(Timer.ticket_id, Timer.due_at).where(
            Timer.kind.in_(JUDGED),
            Timer.stopped_at > then,
            Timer.stopped_at > Timer.due_at,
            _unindexed(Timer.due_at) < then,
        ),
        select(Timer.ticket_id, Timer.due_at).where(
            Timer.phase == TimerPhase.RUNNING, Timer.due_at < then
        ),
        select(Timer.ticket_id, Timer.due_at).where(
            Timer.kind.in_(JUDGED),
            Timer.due_at >= then,
            Timer.due_at < soon,
            Timer.started_at <= then,
            or_(Timer.stopped_at > then, Timer.phase == TimerPhase.RUNNING),
        ),
        select(ReturnCall.ticket_id, ReturnCall.due_at).where(
            ReturnCall.ended_at > then,
            ReturnCall.ended_at > ReturnCall.due_at,
            _unindexed(ReturnCall.due_at) < then,
        ),
        # A return call due within the hour was open: its due lies a working day after its opening.
        select(ReturnCall.ticket_id, ReturnCall.due_at).where(
            ReturnCall.state.in_(ENDED_CALLS),
            ReturnCall.due_at >= then,
            ReturnCall.due_at < soon,
            ReturnCall.ended_at > then,
        ),
        select(ReturnCall.ticket_id, ReturnCall.due_at).where(
            ReturnCall.state == ReturnCallState.OPEN, ReturnCall.due_at < soon
        ),
    ]
    dues = union_all(*parts).subquery()
    next_dues = (
        select(func.min(dues.c.due_at).label("due_at")).group_by(dues.c.ticket_id).subquery()
    )
    counts: list[Any] = [func.count(), func.count(case((next_dues.c.due_at < then, 1)))]
    counts += [_count(at > then, at < _At.SINCE) for at in (Ticket.received_at, Ticket.closed_at)]
    return select(*counts).select_from(next_dues)


def _unindexed(column: Any) -> Any:
    """The column so that no index is entered by it: SQLite takes "before then" for as narrow as "after then"."""
    return func.coalesce(column, column)


MOMENT_THEN = _then_statement()


def _moment_figures(look: Look, ask: Ask, kept: _Kept) -> list[Figure]:
    """Open, overdue and due soon as the open queue counts them, now and the same moment a period ago.

    The moment lies on the day before the period's first: what came since is the rest of that day and the days kept.
    """
    tally = tallies.counted(read_change_number(look), epoch(look.now))
    if tally is None:
        opened, overdue, soon = ask(MOMENT)[0]
    else:
        counts = tally.counts(QueueFilter())
        opened, overdue, soon = (counts[view] for view in MOMENT_VIEWS)
    all_then, late_then, came, went = ask(MOMENT_THEN)[0]
    came += kept.total(Figures.NEW, current=True)
    went += kept.total(Figures.ENDED, current=True)
    return [
        Figure(Measure.OPEN, opened, opened - came + went, opened),
        Figure(Measure.OVERDUE, overdue, late_then, opened),
        Figure(Measure.DUE_SOON, soon, all_then - late_then, opened),
    ]


def _counted(
    since: Any, until: Any, now: Any
) -> list[tuple[Verdict, Any, tuple[ColumnElement[bool], ...]]]:
    """`rules.counted_as` for the database: each verdict, the moment that puts it into the span, and when it holds."""
    return [
        (verdict, at, (at >= since, at < until, holds, Timer.left_out.is_(False)))
        for verdict, at, holds in _judged(now)
    ]


def _judged(now: Any) -> list[tuple[Verdict, Any, ColumnElement[bool]]]:
    """Each verdict, the moment it belongs to, and when it holds: what is written, and what runs on past its due."""
    runs_on = and_(Timer.stopped_at.is_(None), Timer.due_at < now)
    return [
        (Verdict.MET, Timer.stopped_at, MET),
        (Verdict.MISSED, Timer.due_at, or_(MISSED, runs_on)),
        (Verdict.MISSED, UNDATED_AT, UNDATED),
    ]


def _late_statement() -> CompoundSelect[Any]:
    """Timers that run on past their due, by kind and whether of the current period: no write told that it passed."""
    # One range of an index each: counted in groups, the store would sort what it counts.
    return union_all(
        *(
            select(literal(kind.value), literal(int(current)), func.count())
            .select_from(Timer)
            .where(
                Timer.kind == kind,
                Timer.stopped_at.is_(None),
                Timer.due_at >= since,
                Timer.due_at < until,
                Timer.missed_cause.is_(None),
                Timer.left_out.is_(False),
            )
            for kind in JUDGED
            for current, since, until in (
                (True, _At.SINCE, _At.NOW),
                (False, _At.BEFORE, _At.SINCE),
            )
        )
    )


LATE = _late_statement()


def _rate_figures(ask: Ask, kept: _Kept) -> list[Figure]:
    """First response and resolution in the period and the one before (rule 18, `rules.counted_as`)."""
    counts: Counter[tuple[str, bool, str]] = Counter()
    for verdict in (Verdict.MET, Verdict.MISSED):
        for current in (True, False):
            for kind, timers in kept.of(verdict, current=current).items():
                counts[kind, current, verdict] += timers
    for kind, current, timers in ask(LATE):
        counts[kind, bool(current), Verdict.MISSED] += timers
    figures = []
    for measure, kind in TIMER_OF.items():
        now, before = (
            Rate(
                counts[kind, current, Verdict.MET],
                counts[kind, current, Verdict.MISSED],
            )
            for current in (True, False)
        )
        figures.append(Figure(measure, now.share, before.share, now.of))
    return figures


def _apart(look: Look, kind: TimerKind, span: Span) -> Apart:
    """What rule 18 lists beside the rate, in one statement."""
    parts = [
        select(Timer.missed_cause, Timer.left_out, func.count())
        .where(Timer.kind == kind, at >= span.since, at < span.until, holds)
        .group_by(Timer.missed_cause, Timer.left_out)
        for verdict, at, holds in _judged(look.now)
        if verdict is Verdict.MISSED
    ]
    counts: Counter[str] = Counter()
    for cause, left_out, timers in look.session.execute(union_all(*parts)):
        counts["left_out" if left_out else str(cause)] += timers
    return Apart(counts[MissedCause.CHANGE], counts[MissedCause.MERGE], counts["left_out"])


def _satisfaction(kept: _Kept) -> Figure:
    """Mean of the satisfaction scores answered in the period."""
    scores, scores_before = (
        kept.total(Figures.SATISFACTION, current=current) for current in (True, False)
    )
    answers, answers_before = (
        kept.total(Figures.ANSWERS, current=current) for current in (True, False)
    )
    return Figure(
        Measure.SATISFACTION,
        scores / answers if answers else None,
        scores_before / answers_before if answers_before else None,
        answers,
    )


def _cases_judged(look: Look, kind: TimerKind, period: Period) -> CaseList:
    """Missed ones first, the newest first; then those met."""
    rows: list[CaseRow] = []
    total = 0
    span = period.current
    counted = sorted(
        _counted(span.since, span.until, look.now), key=lambda each: each[0] is Verdict.MET
    )
    for verdict, at, held_then in counted:
        held = (Timer.kind == kind, *held_then)
        total += _total(look, select(func.count()).select_from(Timer).where(*held))
        if len(rows) == MOST_CASES:
            continue
        rows += [
            _row(row, at=row[6] or row[5] or row[7], due_at=row[5], verdict=verdict, cause=row[8])
            for row in look.session.execute(
                _cases(Timer.due_at, Timer.stopped_at, Timer.started_at, Timer.missed_cause)
                .join(Timer, Timer.ticket_id == Ticket.id)
                .where(*held)
                .order_by(at.desc(), Timer.id.desc())
                .limit(MOST_CASES - len(rows))
            )
        ]
    return CaseList(rows, total, _apart(look, kind, period.current))


def _cases_scored(look: Look, span: Span) -> CaseList:
    """The least satisfied first."""
    held = (SurveyAnswer.at >= span.since, SurveyAnswer.at < span.until)
    rows = look.session.execute(
        _cases(SurveyAnswer.at, SurveyAnswer.satisfaction, SurveyAnswer.words)
        .join(SurveyAnswer, SurveyAnswer.ticket_id == Ticket.id)
        .where(*held)
        .order_by(SurveyAnswer.satisfaction, SurveyAnswer.at.desc())
        .limit(MOST_CASES)
    )
    return CaseList(
        [_row(row, at=row[5], satisfaction=row[6], words=row[7]) for row in rows],
        _total(look, select(func.count()).select_from(SurveyAnswer).where(*held)),
    )


def _cases_received(look: Look, span: Span, fault: FaultCode | None) -> CaseList:
    held = [OWN, Ticket.received_at >= span.since, Ticket.received_at < span.until]
    if fault is not None:
        held.append(Ticket.fault == fault)
    return _cases_by(look, Ticket.received_at, held)


def _cases_closed(look: Look, span: Span) -> CaseList:
    return _cases_by(look, Ticket.closed_at, _closed(span.since, span.until))


def _cases_by(look: Look, at: Any, held: Sequence[ColumnElement[bool]]) -> CaseList:
    rows = look.session.execute(
        _cases(at).where(*held).order_by(at.desc(), Ticket.id.desc()).limit(MOST_CASES)
    )
    return CaseList(
        [_row(row, at=row[5]) for row in rows],
        _total(look, select(func.count()).select_from(Ticket).where(*held)),
    )


def _cases(*further: Any) -> Select[Any]:
    columns: tuple[Any, ...] = (
        Ticket.id,
        Ticket.number,
        func.coalesce(Customer.name, ""),
        Ticket.fault,
        Ticket.status,
        *further,
    )
    return (
        select(*columns).select_from(Ticket).outerjoin(Customer, Customer.id == Ticket.customer_id)
    )


def _row(row: Sequence[Any], **further: Any) -> CaseRow:
    ticket_id, number, company, fault, status = row[:5]
    return CaseRow(ticket_id, number, company, fault, status, **further)


def _total(look: Look, counting: Select[int]) -> int:
    return look.session.scalar(counting) or 0
