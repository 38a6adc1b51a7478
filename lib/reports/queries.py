"""The dashboard's reads: figures kept per day, and for today ranges of indexes over the desk's own cases and timers.

Imported history has no timers and stays out of rates, days and causes; its open cases are in the open queue and
are counted there. Definitions are in `rules`; each query says which one it counts.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
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
    kept = _kept_sums(look, period)
    new, closed = _kept_by_day(look, period)
    by_fault = Counter(
        {FaultCode(told): number for told, number in kept.of(Figures.NEW, current=True).items()}
    )
    for fault, cases in _new_today(look, period):
        by_fault[fault] += cases
        new[period.days[-1]] += cases
    closed[period.days[-1]] += _closed_today(look, period)
    return Dashboard(
        period,
        [
            *_moment_figures(look, period, kept),
            *_rate_figures(look, period, kept),
            _satisfaction(look, period, kept),
        ],
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


def _kept_sums(look: Look, period: Period) -> _Kept:
    is_current = case((DayFigure.day >= _day(period.current.since), 1), else_=0)
    rows = look.session.execute(
        select(is_current, DayFigure.figure, DayFigure.detail, func.sum(DayFigure.number))
        .where(*_past_days(period.previous.since, period))
        .group_by(is_current, DayFigure.figure, DayFigure.detail)
    )
    return _Kept({(bool(current), name, detail): int(told) for current, name, detail, told in rows})


def _kept_by_day(look: Look, period: Period) -> tuple[Counter[date], Counter[date]]:
    """New and closed cases of the current period's days, without today."""
    rows = look.session.execute(
        select(DayFigure.day, DayFigure.figure, func.sum(DayFigure.number))
        .where(
            *_past_days(period.current.since, period),
            DayFigure.figure.in_((Figures.NEW, Figures.CLOSED)),
        )
        .group_by(DayFigure.day, DayFigure.figure)
    )
    counts: dict[str, Counter[date]] = {Figures.NEW: Counter(), Figures.CLOSED: Counter()}
    for day, figure, number in rows:
        counts[figure][date.fromisoformat(day)] += int(number)
    return counts[Figures.NEW], counts[Figures.CLOSED]


def _past_days(since: datetime, period: Period) -> tuple[ColumnElement[bool], ...]:
    return DayFigure.day >= _day(since), DayFigure.day < period.days[-1].isoformat()


def _day(instant: datetime) -> str:
    return instant.astimezone(SHANGHAI).date().isoformat()


def _today(period: Period) -> Span:
    return Span(rules.span_of_day(period.days[-1]).since, period.current.until)


def _moment_figures(look: Look, period: Period, kept: _Kept) -> list[Figure]:
    """Open, overdue and due soon as the open queue counts them, now and the same moment a period ago.

    The moment lies on the day before the period's first: what came since is the rest of that day, the days that are
    kept, and today.
    """
    now = epoch(look.now)
    views = (QueueView.ALL, QueueView.OVERDUE, QueueView.DUE_SOON)
    counts: list[Any] = [
        select(func.count())
        .select_from(QueueRow)
        .where(*conditions(QueueFilter(view), now))
        .scalar_subquery()
        for view in views
    ]
    first, today = period.current.since, _today(period)
    for at in (Ticket.received_at, Ticket.closed_at):
        counts += [
            _count(at > period.then, at < first),
            _count(at >= today.since, at < today.until),
        ]
    row: Sequence[Any] = look.session.execute(select(*counts)).one()
    opened, overdue, soon, *since = row
    came = sum(since[:2]) + kept.total(Figures.NEW, current=True)
    went = sum(since[2:]) + kept.total(Figures.ENDED, current=True)
    late_then, soon_then = _late_and_soon_at(look, period.then)
    return [
        Figure(Measure.OPEN, opened, opened - came + went, opened),
        Figure(Measure.OVERDUE, overdue, late_then, opened),
        Figure(Measure.DUE_SOON, soon, soon_then, opened),
    ]


def _count(*held: ColumnElement[bool]) -> Any:
    return select(func.count()).select_from(Ticket).where(OWN, *held).scalar_subquery()


def _late_and_soon_at(look: Look, then: datetime) -> tuple[int, int]:
    """How many cases were overdue at an earlier moment, and for how many others the next due lay within the hour.

    Told from the timers as they are known today: pauses that ran at that moment are not taken out.
    """
    soon = then + timedelta(seconds=HOUR)
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
    late = func.count(case((next_dues.c.due_at < then, 1)))
    all_, late_cases = look.session.execute(select(func.count(), late).select_from(next_dues)).one()
    return late_cases, all_ - late_cases


def _unindexed(column: Any) -> Any:
    """The column so that no index is entered by it: SQLite takes "before then" for as narrow as "after then"."""
    return func.coalesce(column, column)


def _rate_figures(look: Look, period: Period, kept: _Kept) -> list[Figure]:
    """First response and resolution in the period and the one before (rule 18, `rules.counted_as`)."""
    counts: Counter[tuple[str, bool, str]] = Counter()
    for verdict in (Verdict.MET, Verdict.MISSED):
        for current in (True, False):
            for kind, timers in kept.of(verdict, current=current).items():
                counts[kind, current, verdict] += timers
    parts: list[Any] = [
        select(Timer.kind, literal(1), literal(verdict.value), func.count())
        .where(Timer.kind.in_(JUDGED), *held)
        .group_by(Timer.kind)
        for verdict, _, held in _counted(_today(period), look.now)
    ]
    # What runs on past its due is in no figure of a day: no write told that it passed.
    is_current = case((Timer.due_at >= period.current.since, 1), else_=0).label("current")
    parts.append(
        select(Timer.kind, is_current, literal(Verdict.MISSED.value), func.count())
        .where(
            Timer.kind.in_(JUDGED),
            Timer.stopped_at.is_(None),
            Timer.due_at >= period.previous.since,
            Timer.due_at < _today(period).since,
            Timer.missed_cause.is_(None),
            Timer.left_out.is_(False),
        )
        .group_by(Timer.kind, is_current)
    )
    for kind, current, told, timers in look.session.execute(union_all(*parts)):
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


def _counted(
    span: Span, now: datetime
) -> list[tuple[Verdict, Any, tuple[ColumnElement[bool], ...]]]:
    """`rules.counted_as` for the database: each verdict, the moment that puts it into the span, and when it holds."""
    return [
        (verdict, at, (at >= span.since, at < span.until, holds, Timer.left_out.is_(False)))
        for verdict, at, holds in _judged(now)
    ]


def _judged(now: datetime) -> list[tuple[Verdict, Any, ColumnElement[bool]]]:
    """Each verdict, the moment it belongs to, and when it holds: what is written, and what runs on past its due."""
    runs_on = and_(Timer.stopped_at.is_(None), Timer.due_at < now)
    return [
        (Verdict.MET, Timer.stopped_at, MET),
        (Verdict.MISSED, Timer.due_at, or_(MISSED, runs_on)),
        (Verdict.MISSED, UNDATED_AT, UNDATED),
    ]


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


def _satisfaction(look: Look, period: Period, kept: _Kept) -> Figure:
    """Mean of the satisfaction scores answered in the period."""
    today = _today(period)
    scores, answers = look.session.execute(
        select(func.coalesce(func.sum(SurveyAnswer.satisfaction), 0), func.count()).where(
            SurveyAnswer.at >= today.since, SurveyAnswer.at < today.until
        )
    ).one()
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


def _new_today(look: Look, period: Period) -> list[tuple[FaultCode, int]]:
    today = _today(period)
    rows = look.session.execute(
        select(Ticket.fault, func.count())
        .where(OWN, Ticket.received_at >= today.since, Ticket.received_at < today.until)
        .group_by(Ticket.fault)
    )
    return [(fault, cases) for fault, cases in rows]


def _closed_today(look: Look, period: Period) -> int:
    counting = select(func.count()).select_from(Ticket).where(*_closed(_today(period)))
    return look.session.scalar(counting) or 0


def _closed(span: Span) -> Sequence[ColumnElement[bool]]:
    return (
        OWN,
        Ticket.closed_at >= span.since,
        Ticket.closed_at < span.until,
        Ticket.status == TicketStatus.CLOSED,
    )


def _cases_judged(look: Look, kind: TimerKind, period: Period) -> CaseList:
    """Missed ones first, the newest first; then those met."""
    rows: list[CaseRow] = []
    total = 0
    counted = sorted(_counted(period.current, look.now), key=lambda each: each[0] is Verdict.MET)
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
    return _cases_by(look, Ticket.closed_at, _closed(span))


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
