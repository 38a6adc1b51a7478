"""The dashboard's reads: every count is a range of an index over the desk's own cases and timers.

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
    String,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

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
from db.models.tickets import QueueRow, ReturnCall, Ticket, Timer
from lib.reports import rules
from lib.reports.rules import Behind, Cause, DayCount, Days, Figure, Measure, Period, Rate, Span
from lib.shared.calendar import epoch
from lib.shared.errors import Refusal
from lib.shared.work import Look
from lib.tickets.queue import HOUR, QueueFilter, QueueView, conditions

READERS = frozenset({Role.SUPERVISOR, Role.QUALITY, Role.SALES, Role.AUDITOR})
"""Who reads reports."""

TIMER_OF = {
    Measure.RESPONSE: TimerKind.FIRST_RESPONSE,
    Measure.RESOLUTION: TimerKind.RESOLUTION,
}
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
    """Every figure, day and cause of the period. Refuses `no_longer_allowed`."""
    _ensure_reader(look)
    period = rules.period_of(days, look.now)
    new = _new_by_day_and_fault(look, period.current)
    by_day: dict[date, int] = {}
    by_fault: dict[FaultCode, int] = {}
    for day, fault, cases in new:
        by_day[day] = by_day.get(day, 0) + cases
        by_fault[fault] = by_fault.get(fault, 0) + cases
    return Dashboard(
        period,
        [*_moment_figures(look, period), *_rate_figures(look, period), _satisfaction(look, period)],
        rules.days_of(period.days, by_day, _closed_by_day(look, period.current)),
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


def _moment_figures(look: Look, period: Period) -> list[Figure]:
    """Open, overdue and due soon as the open queue counts them, now and the same moment a period ago."""
    now = epoch(look.now)
    views = (QueueView.ALL, QueueView.OVERDUE, QueueView.DUE_SOON)
    counts: list[Any] = [
        select(func.count())
        .select_from(QueueRow)
        .where(*conditions(QueueFilter(view), now))
        .scalar_subquery()
        for view in views
    ]
    since, until = period.then, period.current.until
    came = _count(Ticket.received_at > since, Ticket.received_at < until)
    went = _count(Ticket.closed_at > since, Ticket.closed_at < until)
    row: Sequence[Any] = look.session.execute(select(*counts, came, went)).one()
    opened, overdue, soon, came_since, went_since = row
    late_then, soon_then = _late_and_soon_at(look, since)
    return [
        Figure(Measure.OPEN, opened, opened - came_since + went_since, opened),
        Figure(Measure.OVERDUE, overdue, late_then, opened),
        Figure(Measure.DUE_SOON, soon, soon_then, opened),
    ]


def _count(*held: ColumnElement[bool]) -> Any:
    return select(func.count()).select_from(Ticket).where(OWN, *held).scalar_subquery()


def _late_and_soon_at(look: Look, then: datetime) -> tuple[int, int]:
    """How many cases were overdue at an earlier moment, and for how many others the next due lay within the hour.

    Told from the timers as they are known today: pauses that ran at that moment are not taken out.
    """
    kinds = list(TIMER_OF.values())
    soon = then + timedelta(seconds=HOUR)
    parts: list[Any] = [
        select(Timer.ticket_id, Timer.due_at).where(
            Timer.kind.in_(kinds), Timer.stopped_at > then, _unindexed(Timer.due_at) < then
        ),
        select(Timer.ticket_id, Timer.due_at).where(
            Timer.phase == TimerPhase.RUNNING, Timer.due_at < then
        ),
        select(Timer.ticket_id, Timer.due_at).where(
            Timer.kind.in_(kinds),
            Timer.due_at >= then,
            Timer.due_at < soon,
            Timer.started_at <= then,
            or_(Timer.stopped_at > then, Timer.phase == TimerPhase.RUNNING),
        ),
        # A return call due within the hour was open: its due lies a working day after its opening.
        select(ReturnCall.ticket_id, ReturnCall.due_at).where(
            ReturnCall.ended_at > then, ReturnCall.due_at < soon
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


def _rate_figures(look: Look, period: Period) -> list[Figure]:
    """First response and resolution in the period and the one before (rule 18, `rules.counted_as`)."""
    counts: Counter[tuple[TimerKind, bool, Verdict]] = Counter()
    span = Span(period.previous.since, period.current.until)
    parts = []
    for verdict, at, held in _counted(span, look.now):
        is_current = case((at >= period.current.since, 1), else_=0).label("current")
        parts.append(
            select(Timer.kind, is_current, literal(verdict.value), func.count())
            .where(Timer.kind.in_(list(TIMER_OF.values())), *held)
            .group_by(Timer.kind, is_current)
        )
    for kind, current, verdict, cases in look.session.execute(union_all(*parts)):
        counts[kind, bool(current), Verdict(verdict)] += cases
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
    """Each verdict, the moment it belongs to, and when it holds.

    What a merge made missed has no due while it is paused; it counts at its stop, else at its start.
    """
    met = and_(
        Timer.phase == TimerPhase.STOPPED,
        Timer.missed_cause.is_(None),
        or_(Timer.due_at.is_(None), Timer.stopped_at <= Timer.due_at),
    )
    missed = or_(
        Timer.missed_cause.is_not(None),
        Timer.stopped_at > Timer.due_at,
        and_(Timer.stopped_at.is_(None), Timer.due_at < now),
    )
    undated = and_(Timer.due_at.is_(None), Timer.missed_cause.is_not(None))
    ended = func.coalesce(Timer.stopped_at, Timer.started_at)
    return [
        (Verdict.MET, Timer.stopped_at, met),
        (Verdict.MISSED, Timer.due_at, missed),
        (Verdict.MISSED, ended, undated),
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


def _satisfaction(look: Look, period: Period) -> Figure:
    """Mean of the satisfaction scores answered in the period."""
    is_current = case((SurveyAnswer.at >= period.current.since, 1), else_=0)
    found = {
        bool(current): (float(mean), answers)
        for current, mean, answers in look.session.execute(
            select(is_current, func.avg(SurveyAnswer.satisfaction), func.count())
            .where(SurveyAnswer.at >= period.previous.since, SurveyAnswer.at < period.current.until)
            .group_by(is_current)
        )
    }
    now, before = found.get(True), found.get(False)
    return Figure(
        Measure.SATISFACTION,
        now[0] if now else None,
        before[0] if before else None,
        now[1] if now else 0,
    )


def _new_by_day_and_fault(look: Look, span: Span) -> list[tuple[date, FaultCode, int]]:
    day = LocalDay(Ticket.received_at)
    rows = look.session.execute(
        select(day, Ticket.fault, func.count())
        .where(OWN, Ticket.received_at >= span.since, Ticket.received_at < span.until)
        .group_by(day, Ticket.fault)
    )
    return [(date.fromisoformat(on), fault, cases) for on, fault, cases in rows]


def _closed_by_day(look: Look, span: Span) -> dict[date, int]:
    day = LocalDay(Ticket.closed_at)
    rows = look.session.execute(select(day, func.count()).where(*_closed(span)).group_by(day))
    return {date.fromisoformat(on): cases for on, cases in rows}


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


class LocalDay(FunctionElement[str]):
    """The day in Shanghai of an instant, as ISO text; Shanghai has kept UTC+8 since 1991."""

    name = "local_day"
    type = String()
    inherit_cache = True


@compiles(LocalDay, "sqlite")
def _compile_local_day(element: LocalDay, compiler: Any, **options: Any) -> str:
    return f"date({compiler.process(element.clauses, **options)}, '+8 hours')"


@compiles(LocalDay, "postgresql")
def _compile_local_day_zone(element: LocalDay, compiler: Any, **options: Any) -> str:
    column = compiler.process(element.clauses, **options)
    return f"to_char({column} AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD')"
