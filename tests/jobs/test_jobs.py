"""The clock's work on both databases: one at a time, made up for when missed, and no more than it should."""

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, insert, select, update

from db import session as database
from db.codes import SignInOutcome
from db.models.people import (
    AuditRow,
    Change,
    ChangeHead,
    DeskSession,
    IdempotencyKey,
    JobLease,
    JobRun,
    SignInAttempt,
    SignInCode,
)
from lib import jobs
from lib.jobs import HELD_FOR, JOBS, Beating, Job, LeaseLost, Worker
from lib.shared import audit
from lib.shared.audit import verify_chain
from lib.shared.clock import SHANGHAI
from lib.shared.work import perform, system
from tests.conftest import fresh_address
from tests.serving import ROOT, child_environment


class Clock:
    """A clock that the test moves."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_time(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def clock(cast, now):
    return Clock(now)


@pytest.fixture(autouse=True)
def heads_of_this_test(tmp_path, monkeypatch):
    monkeypatch.setattr(audit, "heads_file", lambda: tmp_path / "audit-heads.log")


def counting_job(runs, name="counted"):
    return Job(name, jobs._nightly(3, 10), lambda fence, moment: runs.append(fence))


def runs_of(name):
    with database.ReadSession() as session:
        return session.scalars(
            select(JobRun.error).where(JobRun.job == name).order_by(JobRun.id)
        ).all()


@pytest.mark.postgres_smoke
def test_of_two_workers_only_the_one_with_the_lease_works(clock):
    runs = []
    one, other = (Worker(moment=clock, jobs=[counting_job(runs)]) for _ in range(2))
    assert one.beat()
    assert not other.beat()
    for _ in range(5):
        clock.pass_time(seconds=20)
        assert one.beat()
        assert not other.beat()
    assert runs == [1]


def test_a_worker_that_fell_silent_is_followed_after_a_minute(clock):
    runs = []
    one, other = (Worker(moment=clock, jobs=[counting_job(runs)]) for _ in range(2))
    assert one.beat()
    clock.pass_time(seconds=HELD_FOR.total_seconds() - 1)
    assert not other.beat()
    clock.pass_time(seconds=1)
    assert other.beat()
    assert not one.beat()
    clock.pass_time(days=1)
    assert one.beat()
    assert runs == [1, 3]


def test_one_that_stops_hands_over_at_once(clock):
    one, other = (Worker(moment=clock, jobs=[]) for _ in range(2))
    assert one.beat()
    one.stop()
    assert other.beat()


@pytest.mark.postgres_smoke
def test_one_who_slept_through_the_end_of_his_lease_changes_nothing_more(clock):
    old_key(clock.now - timedelta(days=60))
    fence = perform(jobs.take_lease, actor=jobs.ACTOR, now=clock.now, holder="sleeper")
    clock.pass_time(minutes=5)
    assert perform(jobs.take_lease, actor=jobs.ACTOR, now=clock.now, holder="awake") == fence + 1
    arguments = {"actor": jobs.ACTOR, "now": clock.now, "fence": fence}
    with pytest.raises(LeaseLost):
        perform(jobs.delete_old_rows, kind="idempotency_keys", **arguments)
    with pytest.raises(LeaseLost):
        perform(jobs.export_head, **arguments)
    assert count(IdempotencyKey) == 1
    assert count(AuditRow) == 0


def test_a_job_that_loses_the_lease_on_its_way_leaves_no_record(clock):
    def lose(fence, moment):
        clock.pass_time(minutes=5)
        perform(jobs.take_lease, actor=jobs.ACTOR, now=clock.now, holder="another")
        perform(jobs.export_head, actor=jobs.ACTOR, now=clock.now, fence=fence)

    assert not Worker(moment=clock, jobs=[Job("lost", jobs._nightly(3, 10), lose)]).beat()
    assert runs_of("lost") == []


@pytest.mark.postgres_smoke
def test_of_twelve_that_want_the_lease_at_once_one_gets_it(clock):
    start = threading.Barrier(12)

    def take(nth):
        start.wait()
        return perform(jobs.take_lease, actor=jobs.ACTOR, now=clock.now, holder=f"process {nth}")

    for expected in (1, 2):
        with ThreadPoolExecutor(12) as processes:
            fences = list(processes.map(take, range(12)))
        assert sorted(filter(None, fences)) == [expected]
        clock.pass_time(minutes=2)
        with database.writing() as session:
            session.execute(update(JobLease).values(holder=f"gone {expected}"))


@pytest.mark.postgres_smoke
@pytest.mark.slow
def test_two_schedulers_side_by_side_never_work_at_once(cast):
    runs, at_work = [], threading.Lock()

    def work(fence, moment):
        assert at_work.acquire(blocking=False)
        threading.Event().wait(0.05)
        runs.append(fence)
        at_work.release()

    always = Job("always", jobs.CronTrigger(second="*", timezone=SHANGHAI), work)
    pair = [Beating(Worker(jobs=[always]), beat_seconds=0.1) for _ in range(2)]
    for beating in pair:
        beating.start()
    threading.Event().wait(2.5)
    for beating in pair:
        beating.stop()
    assert len(runs) >= 2
    assert set(runs_of("always")) == {""}
    with database.ReadSession() as session:
        assert session.get(JobLease, "jobs").holder == ""


def test_every_job_runs_once_a_night_and_a_missed_night_is_made_up_for(clock):
    runs = []
    worker = Worker(moment=clock, jobs=[counting_job(runs)])
    clock.now = datetime(2026, 11, 24, 9, 0, tzinfo=SHANGHAI)
    worker.beat()
    assert len(runs) == 1
    for hour, expected in ((12, 1), (23, 1)):
        clock.now = datetime(2026, 11, 24, hour, 0, tzinfo=SHANGHAI)
        worker.beat()
        assert len(runs) == expected
    clock.now = datetime(2026, 11, 25, 3, 9, tzinfo=SHANGHAI)
    worker.beat()
    assert len(runs) == 1
    clock.now = datetime(2026, 11, 25, 3, 10, tzinfo=SHANGHAI)
    worker.beat()
    assert len(runs) == 2
    clock.now = datetime(2026, 11, 29, 10, 0, tzinfo=SHANGHAI)
    worker.beat()
    worker.beat()
    assert len(runs) == 3


def test_a_job_that_fails_keeps_no_other_from_running_and_is_tried_again(clock):
    runs, tries = [], []

    def fail(fence, moment):
        tries.append(fence)
        raise OSError("a secret of the file system")

    failing = Job("failing", jobs._nightly(3, 10), fail)
    worker = Worker(moment=clock, jobs=[failing, counting_job(runs)])
    assert worker.beat()
    assert (len(tries), len(runs)) == (1, 1)
    assert runs_of("failing") == ["OSError"]
    clock.pass_time(minutes=9)
    worker.beat()
    assert len(tries) == 1
    clock.pass_time(minutes=1)
    worker.beat()
    assert len(tries) == 2


def count(model):
    with database.ReadSession() as session:
        return session.scalar(select(func.count()).select_from(model))


def old_key(at, key="form-1"):
    with database.writing() as session:
        session.add(
            IdempotencyKey(key=key, actor="x", action="x", arguments_hash="x", answer=None, at=at)
        )


@pytest.mark.postgres_smoke
def test_what_is_kept_for_a_time_only_goes_and_the_rest_stays(cast, clock, monkeypatch):
    monkeypatch.setattr(jobs, "CHANGES_KEPT", 100)
    monkeypatch.setattr(jobs, "ROWS_AT_ONCE", 7)
    now, day = clock.now, timedelta(days=1)
    person_id = cast.hotline.person_id
    for nth in range(20):
        old_key(now - 31 * day, f"old {nth}")
    old_key(now - 29 * day, "young")
    with database.writing() as session:
        for expires_at in (now - 2 * day, now + day):
            session.add(
                SignInCode(code_hash=str(expires_at), person_id=person_id, expires_at=expires_at)
            )
            session.add(
                DeskSession(
                    token_hash=str(expires_at),
                    person_id=person_id,
                    epoch=1,
                    created_at=now - 3 * day,
                    last_seen_at=now - 3 * day,
                    expires_at=expires_at,
                )
            )
        for at in (now - 91 * day, now - 89 * day):
            session.add(
                SignInAttempt(account_key="x", address_key="x", outcome=SignInOutcome.OK, at=at)
            )
            session.add(JobRun(job="old", started_at=at))
        session.execute(update(ChangeHead).values(number=130))
        session.execute(
            insert(Change),
            [{"number": number, "ticket_id": case} for number in range(1, 131) for case in (0, 5)],
        )
    assert Worker(moment=clock).beat()
    assert set(runs_of("delete_outdated")) == {""}
    assert count(IdempotencyKey) == count(SignInCode) == count(DeskSession) == 1
    assert count(SignInAttempt) == 1
    assert count(JobRun) == 1 + len(JOBS)
    with database.ReadSession() as session:
        assert session.scalar(select(func.min(Change.number))) == 31
        cases = select(func.count()).select_from(Change).where(Change.ticket_id >= 0)
        assert session.scalar(cases) == 200
        assert verify_chain(session) is None


@pytest.mark.postgres_smoke
def test_the_head_of_the_chain_goes_out_every_night(cast, clock):
    worker = Worker(moment=clock)
    for _ in range(3):
        worker.beat()
        clock.pass_time(days=1)
    heads = audit.read_exported_heads()
    assert len(heads) == 3
    with database.ReadSession() as session:
        assert verify_chain(session, heads) is None


def test_only_the_system_runs_jobs(cast, clock):
    for actor in cast.everybody():
        with pytest.raises(Exception, match="no_longer_allowed"):
            perform(jobs.take_lease, actor=actor, now=clock.now, holder="x")
    assert perform(jobs.take_lease, actor=system("jobs"), now=clock.now, holder="x") == 1


def test_a_database_that_is_away_is_waited_for(clock):
    address = database.url()
    database.configure("postgresql+psycopg://nobody@127.0.0.1:1/none")
    worker = Worker(moment=clock, jobs=[])
    assert not worker.beat()
    database.configure(address, durable=False)
    assert worker.beat()


@pytest.mark.slow
@pytest.mark.postgres
def test_run_jobs_works_beside_the_apps_on_postgresql_and_ends_in_order(tmp_path):
    var_dir = tmp_path / "var"
    with fresh_address("postgresql", tmp_path) as address:
        database.configure(address)
        process = subprocess.Popen(
            [sys.executable, "-m", "lib.command", "jobs"],
            cwd=ROOT,
            env=child_environment(var_dir, address),
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + 60
        while count(JobRun) < len(JOBS):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=30)
        assert process.returncode == 0, told
        with database.ReadSession() as session:
            assert session.get(JobLease, "jobs").holder == ""
        database.dispose()
    assert (var_dir / "audit-heads.log").read_text().count("\n") == 1


@pytest.mark.slow
def test_run_jobs_says_that_the_app_does_it_on_sqlite(tmp_path):
    told = subprocess.run(
        [sys.executable, "-m", "lib.command", "jobs"],
        cwd=ROOT,
        env=child_environment(tmp_path / "var"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1
    assert "the app does this itself" in told.stderr
