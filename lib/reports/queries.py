"""The dashboard's reads: figures kept per day, and for today ranges of indexes over the desk's own cases and timers.

Imported history has no timers and stays out of rates, days and causes; its open cases are in the open queue and
are counted there. Definitions are in `rules`; each query says which one it counts.
"""

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
from lib.shared.work import Look
from lib.tickets.queue import HOUR, QueueFilter, QueueView, conditions

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

    Days that are over come from the figures that are kept per day; today, and what is not stopped, is counted.
    """
    _ensure_reader(look)
    period = rules.period_of(days, look.now)
    ask = _Moments(look, period).ask
    kept = _kept_sums(ask)
    new, closed = _kept_by_day(ask)
    by_fault = Counter(
        {FaultCode(told): number for told, number in kept.of(Figures.NEW, current=True).items()}
    )
    for fault, cases in ask(NEW_TODAY):
        by_fault[fault] += cases
        new[period.days[-1]] += cases
    closed[period.days[-1]] += ask(CLOSED_TODAY)[0][0]
    return Dashboard(
        period,
        [*_moment_figures(ask, kept), *_rate_figures(ask, kept), _satisfaction(ask, kept)],
        rules.days_of(period.days, new, closed),
        rules.causes_of(by_fault),
    )


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
    UNTIL: BindParameter[Any] = bindparam("until")
    SINCE: BindParameter[Any] = bindparam("since")
    BEFORE: BindParameter[Any] = bindparam("before")
    TODAY: BindParameter[Any] = bindparam("today")
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
        today = rules.span_of_day(period.days[-1]).since
        self._told: dict[str, Any] = {
            "now": look.now,
            "now_seconds": epoch(look.now),
            "until": period.current.until,
            "since": period.current.since,
            "before": period.previous.since,
            "today": today,
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
    """Sums of the figures kept per day, by whether the days are those of the current period: today left out."""

    sums: dict[tuple[bool, str, str], int]

    def of(self, figure: str, *, current: bool) -> dict[str, int]:
        """What a figure comes to, by its detail."""
        return {
            detail: number
            for (is_current, name, detail), number in self.sums.items()
            if is_current is current and name == figure
        }

    def total(self, figure: str, *, current: bool) -> int:
        return sum(self.of(figure, current=current).values())


def _kept_statement() -> Select[Any]:
    is_current = case((DayFigure.day >= _At.SINCE_DAY, 1), else_=0).label("is_current")
    return (
        select(is_current, DayFigure.figure, DayFigure.detail, func.sum(DayFigure.number))
        .where(DayFigure.day >= _At.BEFORE_DAY, DayFigure.day < _At.TODAY_DAY)
        .group_by(is_current, DayFigure.figure, DayFigure.detail)
    )


KEPT = _kept_statement()
KEPT_BY_DAY = (
    select(DayFigure.day, DayFigure.figure, func.sum(DayFigure.number))
    .where(
        DayFigure.day >= _At.SINCE_DAY,
        DayFigure.day < _At.TODAY_DAY,
        DayFigure.figure.in_((Figures.NEW, Figures.CLOSED)),
    )
    .group_by(DayFigure.day, DayFigure.figure)
)
"""New and closed cases of the current period's days, without today."""


def _kept_sums(ask: Ask) -> _Kept:
    return _Kept(
        {(bool(current), name, detail): int(told) for current, name, detail, told in ask(KEPT)}
    )


def _kept_by_day(ask: Ask) -> tuple[Counter[date], Counter[date]]:
    counts: dict[str, Counter[date]] = {Figures.NEW: Counter(), Figures.CLOSED: Counter()}
    for day, figure, number in ask(KEPT_BY_DAY):
        counts[figure][date.fromisoformat(day)] += int(number)
    return counts[Figures.NEW], counts[Figures.CLOSED]


def _count(*held: ColumnElement[bool]) -> Any:
    return select(func.count()).select_from(Ticket).where(OWN, *held).scalar_subquery()


def _closed(since: Any, until: Any) -> Sequence[ColumnElement[bool]]:
    return (
        OWN,
        Ticket.closed_at >= since,
        Ticket.closed_at < until,
        Ticket.status == TicketStatus.CLOSED,
    )


NEW_TODAY = (
    select(Ticket.fault, func.count())
    .where(OWN, Ticket.received_at >= _At.TODAY, Ticket.received_at < _At.UNTIL)
    .group_by(Ticket.fault)
)
CLOSED_TODAY = select(func.count()).select_from(Ticket).where(*_closed(_At.TODAY, _At.UNTIL))


def _moment_statement() -> Select[Any]:
    """Open, overdue and due soon as the open queue counts them, then what came and what went: before the first day
    that is kept, and today."""
    views = (QueueView.ALL, QueueView.OVERDUE, QueueView.DUE_SOON)
    counts: list[Any] = [
        select(func.count())
        .select_from(QueueRow)
        .where(*conditions(QueueFilter(view), _At.NOW_SECONDS))
        .scalar_subquery()
        for view in views
    ]
    for at in (Ticket.received_at, Ticket.closed_at):
        counts += [_count(at > _At.THEN, at < _At.SINCE), _count(at >= _At.TODAY, at < _At.UNTIL)]
    return select(*counts)


def _then_statement() -> Select[Any]:
    """How many cases had a due before the end of the hour after the moment a period ago, and how many were overdue.

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
    return select(*counts).select_from(next_dues)


def _unindexed(column: Any) -> Any:
    """The column so that no index is entered by it: SQLite takes "before then" for as narrow as "after then"."""
    return func.coalesce(column, column)


MOMENT = _moment_statement()
MOMENT_THEN = _then_statement()


def _moment_figures(ask: Ask, kept: _Kept) -> list[Figure]:
    """Open, overdue and due soon, now and the same moment a period ago.

    The moment lies on the day before the period's first: what came since is the rest of that day, the days that are
    kept, and today.
    """
    opened, overdue, soon, *since = ask(MOMENT)[0]
    came = sum(since[:2]) + kept.total(Figures.NEW, current=True)
    went = sum(since[2:]) + kept.total(Figures.ENDED, current=True)
    all_then, late_then = ask(MOMENT_THEN)[0]
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


def _rates_statement() -> CompoundSelect[Any]:
    """Timers by kind, whether of the current period, and verdict: of today, and what is late and runs on."""

    def count(kind: TimerKind, current: bool, verdict: Verdict, *held: ColumnElement[bool]) -> Any:
        told = literal(kind.value), literal(int(current)), literal(verdict.value), func.count()
        return select(*told).select_from(Timer).where(Timer.kind == kind, *held)

    # One range of an index each: counted in groups, the store would sort what it counts.
    parts = [
        count(kind, True, verdict, *held)
        for kind in JUDGED
        for verdict, _, held in _counted(_At.TODAY, _At.UNTIL, _At.NOW)
    ]
    # What runs on past its due is in no figure of a day: no write told that it passed.
    parts += [
        count(
            kind,
            current,
            Verdict.MISSED,
            Timer.stopped_at.is_(None),
            Timer.due_at >= since,
            Timer.due_at < until,
            Timer.missed_cause.is_(None),
            Timer.left_out.is_(False),
        )
        for kind in JUDGED
        for current, since, until in (
            (True, _At.SINCE, _At.TODAY),
            (False, _At.BEFORE, _At.SINCE),
        )
    ]
    return union_all(*parts)


RATES = _rates_statement()


def _rate_figures(ask: Ask, kept: _Kept) -> list[Figure]:
    """First response and resolution in the period and the one before (rule 18, `rules.counted_as`)."""
    counts: Counter[tuple[str, bool, str]] = Counter()
    for verdict in (Verdict.MET, Verdict.MISSED):
        for current in (True, False):
            for kind, timers in kept.of(verdict, current=current).items():
                counts[kind, current, verdict] += timers
    for kind, current, told, timers in ask(RATES):
        counts[kind, bool(current), told] += timers
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


SCORES_TODAY = select(func.coalesce(func.sum(SurveyAnswer.satisfaction), 0), func.count()).where(
    SurveyAnswer.at >= _At.TODAY, SurveyAnswer.at < _At.UNTIL
)


def _satisfaction(ask: Ask, kept: _Kept) -> Figure:
    """Mean of the satisfaction scores answered in the period."""
    scores, answers = ask(SCORES_TODAY)[0]
    scores += kept.total(Figures.SATISFACTION, current=True)
    answers += kept.total(Figures.ANSWERS, current=True)
    scores_before = kept.total(Figures.SATISFACTION, current=False)
    answers_before = kept.total(Figures.ANSWERS, current=False)
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
