"""The figures kept per day: what they count, whether they are right, and how they are summed up."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    String,
    and_,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from db.codes import TicketStatus, TimerKind, TimerPhase, Verdict
from db.models.feedback import SurveyAnswer
from db.models.reports import DayFigure
from db.models.tickets import Ticket, Timer
from lib.shared.work import Look, Work, permit

JUDGED = (TimerKind.FIRST_RESPONSE, TimerKind.RESOLUTION)
MET = and_(
    Timer.phase == TimerPhase.STOPPED,
    Timer.missed_cause.is_(None),
    or_(Timer.due_at.is_(None), Timer.stopped_at <= Timer.due_at),
)
MISSED = or_(Timer.missed_cause.is_not(None), Timer.stopped_at > Timer.due_at)
"""What is written of a verdict: met belongs to its stop, missed to its due."""
UNDATED = and_(Timer.due_at.is_(None), Timer.missed_cause.is_not(None))
UNDATED_AT = func.coalesce(Timer.stopped_at, Timer.started_at)
"""What a merge made missed has no due while it is paused; it counts at its stop, else at its start."""

SUMMED_AT_ONCE = 5_000

Key = tuple[str, str, str]
"""Day, figure, detail."""


class Figures(StrEnum):
    """The figures that are kept per day; `Verdict` names two more: met and missed timers by kind."""

    NEW = "new"
    CLOSED = "closed"
    ENDED = "ended"
    ANSWERS = "answers"
    SATISFACTION = "satisfaction"


@dataclass(frozen=True, slots=True)
class FigureReport:
    """How many figures agree, or the first that does not: its key, what is kept and what a recount gives."""

    figures: int
    fault: tuple[Key, int, int] | None


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


def recounted() -> list[Select[Any]]:
    """Every figure of every day, counted anew from cases, timers and answers: day, figure, detail, number."""
    own = Ticket.external_id.is_(None)
    judged = and_(Timer.kind.in_(JUDGED), Timer.left_out.is_(False))
    one: Any = func.count()
    closed = Ticket.status == TicketStatus.CLOSED
    parts: list[tuple[Any, str, Any, Any, Any]] = [
        (Ticket.received_at, Figures.NEW, Ticket.fault, one, own),
        (Ticket.closed_at, Figures.CLOSED, None, one, and_(own, closed)),
        (Ticket.closed_at, Figures.ENDED, None, one, own),
        (Timer.stopped_at, Verdict.MET, Timer.kind, one, and_(judged, MET)),
        (Timer.due_at, Verdict.MISSED, Timer.kind, one, and_(judged, MISSED)),
        (UNDATED_AT, Verdict.MISSED, Timer.kind, one, and_(judged, UNDATED)),
        (SurveyAnswer.at, Figures.ANSWERS, None, one, SurveyAnswer.id.is_not(None)),
        (
            SurveyAnswer.at,
            Figures.SATISFACTION,
            None,
            func.sum(SurveyAnswer.satisfaction),
            SurveyAnswer.id.is_not(None),
        ),
    ]
    queries = []
    for at, figure, column, number, holds in parts:
        day = LocalDay(at)
        detail = literal("") if column is None else cast(column, String)
        groups = [day] if column is None else [day, column]
        queries.append(
            select(day, literal(str(figure)), detail, number)
            .where(holds, at.is_not(None))
            .group_by(*groups)
        )
    return queries


def fill_figures(store: Connection) -> None:
    """Count everything once, for cases that were written while nothing watched."""
    store.execute(delete(DayFigure))
    columns = ["day", "figure", "detail", "number"]
    for query in recounted():
        store.execute(insert(DayFigure).from_select(columns, query))


@permit()
def compact_figures(work: Work) -> int:
    """Sum up what several writes have told of a figure; how many rows that were. Sums stay as they are.

    The rows that are deleted are the ones that are summed: one that another writer adds meanwhile stays beside them.
    """
    group = (DayFigure.day, DayFigure.figure, DayFigure.detail)
    several = select(*group).group_by(*group).having(func.count() > 1).limit(SUMMED_AT_ONCE)
    taken = work.session.execute(
        delete(DayFigure)
        .where(tuple_(*group).in_(several))
        .returning(*group, DayFigure.number)
        .execution_options(synchronize_session=False)
    ).all()
    sums: Counter[Key] = Counter()
    for day, figure, detail, number in taken:
        sums[day, figure, detail] += number
    rows = [
        {"day": day, "figure": figure, "detail": detail, "number": number}
        for (day, figure, detail), number in sums.items()
        if number
    ]
    if rows:
        work.store.execute(insert(DayFigure), rows)
    return len(taken)


def check_figures(look: Look) -> FigureReport:
    """The figures kept per day against a recount of everything, in one snapshot."""
    group = (DayFigure.day, DayFigure.figure, DayFigure.detail)
    kept: Counter[Key] = Counter()
    for day, figure, detail, number in look.session.execute(
        select(*group, func.sum(DayFigure.number)).group_by(*group)
    ):
        kept[day, figure, detail] = int(number)
    found: Counter[Key] = Counter()
    for day, figure, detail, number in look.session.execute(union_all(*recounted())):
        found[day, figure, detail] += int(number)
    for key in sorted({*kept, *found}):
        if kept[key] != found[key]:
            return FigureReport(len(found), (key, kept[key], found[key]))
    return FigureReport(len(found), None)
