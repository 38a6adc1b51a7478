"""The figures kept per day are those of a recount, whatever is written, and spare a report every closed case."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, func, select, update

from db import migrate
from db import session as store
from db.codes import FaultCode, MissedCause, TicketStatus, TimerKind, TimerPhase
from db.models.feedback import SurveyAnswer, SurveyInvitation
from db.models.reports import DayFigure
from db.models.tickets import Ticket, Timer
from lib import verification
from lib.jobs import JOBS
from lib.reports.day_figures import check_figures, compact_figures
from lib.reports.queries import read_dashboard
from lib.reports.rules import Days
from lib.shared.work import Look, look, perform, system
from tests.conftest import fresh_address
from tests.reports.stores import a_ticket, a_timer, calendar_id, write, write_own_cases

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
SYSTEM = system("test")
DAY = timedelta(days=1)
STORES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


def fault():
    return look(check_figures, actor=SYSTEM, now=NOW).fault


def rows():
    with store.ReadSession() as session:
        return session.scalar(select(func.count()).select_from(DayFigure))


def answer(number: int, at: datetime, satisfaction: int) -> None:
    write(
        SurveyInvitation,
        [
            {
                "id": number,
                "ticket_id": number,
                "cycle": 1,
                "nonce": f"{number:064x}",
                "token_hash": f"{number:064x}",
                "created_at": at,
                "expires_at": at + 30 * DAY,
                "answered_at": at,
            }
        ],
    )
    score = {"id": number, "invitation_id": number, "ticket_id": number, "at": at, "words": ""}
    write(SurveyAnswer, [score | {"satisfaction": satisfaction}])


def change(session, chance: random.Random) -> None:
    """One change that a desk's writes, or somebody below the desk, could make."""

    def instant() -> datetime:
        return (NOW - chance.random() * 40 * DAY).replace(microsecond=0)

    ended = chance.choice([TicketStatus.CLOSED, TicketStatus.CANCELLED])
    case = chance.choice(
        [
            {"fault": chance.choice(list(FaultCode))},
            {"status": ended, "closed_at": instant()},
            {"status": TicketStatus.NEW, "closed_at": None},
            {"received_at": instant()},
            {"words": "nothing that counts"},
        ]
    )
    timer = chance.choice(
        [
            {"phase": TimerPhase.STOPPED, "stopped_at": instant()},
            {"phase": TimerPhase.RUNNING, "stopped_at": None, "missed_cause": None},
            {"phase": TimerPhase.PAUSED, "due_at": None},
            {"due_at": instant()},
            {"missed_cause": chance.choice([None, *MissedCause])},
            {"left_out": chance.random() < 0.5},
            {"remaining_seconds": 5},
        ]
    )
    some = chance.randrange(1, 40)
    session.execute(update(Ticket).where(Ticket.id == some).values(case))
    session.execute(update(Timer).where(Timer.ticket_id == some).values(timer))
    if chance.random() < 0.1:
        session.execute(delete(Timer).where(Timer.ticket_id == chance.randrange(1, 40)))


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_written_the_figures_are_those_of_a_recount(database, seed):
    chance = random.Random(seed)
    write_own_cases(NOW, 40)
    for number in range(1, 20):
        answer(number, NOW - number * DAY, chance.randrange(1, 6))
    assert fault() is None
    for _ in range(12):
        with store.writing() as session:
            for _ in range(10):
                change(session, chance)
        assert fault() is None
        if chance.random() < 0.3:
            perform(compact_figures, actor=SYSTEM, now=NOW)
            assert fault() is None


def test_what_is_undone_leaves_nothing_behind(database):
    before = rows()
    with pytest.raises(ZeroDivisionError), store.writing() as session:
        session.add(Ticket(**a_ticket(1, NOW)))
        session.flush()
        raise ZeroDivisionError
    assert rows() == before


def test_imported_history_is_in_no_figure(database):
    ticket = a_ticket(1, NOW - DAY, source="old-desk", external_id="1")
    write(Ticket, [ticket | {"status": TicketStatus.CLOSED, "closed_at": NOW - DAY}])
    assert rows() == 0


def test_other_timers_than_those_of_the_rates_are_in_no_figure(database):
    write(Ticket, [a_ticket(1, NOW - DAY)])
    before = rows()
    stopped = {"phase": TimerPhase.STOPPED, "stopped_at": NOW, "due_at": NOW}
    write(Timer, [a_timer(a_ticket(1, NOW - DAY), TimerKind.HOP, calendar_id(), **stopped)])
    assert rows() == before


def test_summing_up_keeps_one_row_a_figure_and_every_sum(database):
    write_own_cases(NOW, 300, days=10)
    before = look(read_dashboard, actor=SYSTEM, now=NOW, days=Days.MONTH)
    many = rows()
    while perform(compact_figures, actor=SYSTEM, now=NOW):
        continue
    assert rows() < many / 2
    with store.writing() as session:
        group = (DayFigure.day, DayFigure.figure, DayFigure.detail)
        assert not session.execute(select(*group).group_by(*group).having(func.count() > 1)).all()
    assert look(read_dashboard, actor=SYSTEM, now=NOW, days=Days.MONTH) == before
    assert fault() is None
    assert perform(compact_figures, actor=SYSTEM, now=NOW) == 0


def test_a_job_sums_up_several_times_an_hour():
    (job,) = [job for job in JOBS if job.name == "sum_up_figures"]
    assert job.is_due(NOW, NOW, NOW + timedelta(minutes=11))


def test_a_figure_that_was_changed_below_the_app_is_found(database):
    write_own_cases(NOW, 20)
    finding = look(verification.check_figures, actor=SYSTEM, now=NOW)
    assert finding.ok
    with store.writing() as session:
        session.execute(
            update(DayFigure)
            .where(DayFigure.id == select(func.max(DayFigure.id)).scalar_subquery())
            .values(number=DayFigure.number + 1)
        )
    finding = look(verification.check_figures, actor=SYSTEM, now=NOW)
    assert not finding.ok
    assert "by recount" in finding.told


@pytest.mark.parametrize("kind", STORES)
def test_a_desk_that_is_there_already_gets_its_figures(kind, tmp_path):
    with fresh_address(kind, tmp_path, migrated=False) as address:
        migrate.upgrade(address, "0006")
        store.configure(address)
        write_own_cases(NOW, 60)
        answer(1, NOW - DAY, 4)
        migrate.upgrade(address)
        report = look(check_figures, actor=SYSTEM, now=NOW)
        store.dispose()
    assert report.fault is None
    assert report.figures > 60


def test_ten_times_the_closed_cases_are_no_more_work_for_the_dashboard(tmp_path):
    """Counted in steps of SQLite's machine, which no busy hour changes; PostgreSQL does not tell any."""
    steps = []
    with fresh_address("sqlite", tmp_path) as address:
        store.configure(address)
        for cases, first in ((300, 1), (2700, 1000)):
            write_closed(cases, first)
            while perform(compact_figures, actor=SYSTEM, now=NOW):
                continue
            steps.append(steps_of_the_dashboard())
        store.dispose()
    assert steps[1] < 1.5 * steps[0], steps


def write_closed(cases: int, first: int) -> None:
    """Closed in time on the days of the last month but today and the first."""
    tickets, timers = [], []
    for number in range(first, first + cases):
        received = NOW - (1.2 + 26 * (number - first) / cases) * DAY
        ended = {"status": TicketStatus.CLOSED, "closed_at": received + DAY / 24}
        ticket = a_ticket(number, received, **ended)
        tickets.append(ticket)
        for kind in (TimerKind.FIRST_RESPONSE, TimerKind.RESOLUTION):
            met = {"due_at": received + DAY, "stopped_at": received + DAY / 24}
            timers.append(a_timer(ticket, kind, calendar_id(), phase=TimerPhase.STOPPED, **met))
    write(Ticket, tickets)
    write(Timer, timers)


def steps_of_the_dashboard() -> int:
    """Hundreds of steps that SQLite takes for all its queries."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    with store.reader().connect() as connection:
        driver = connection.connection.dbapi_connection
        driver.set_progress_handler(count, 100)
        with store.ReadSession(bind=connection) as session:
            read_dashboard(Look(session, SYSTEM, NOW), days=Days.MONTH)
        driver.set_progress_handler(None, 100)
    return taken
