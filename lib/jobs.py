"""Work that the clock starts: notices are sent, the audit chain's head goes out, what is kept for a time is deleted.

On SQLite one thread of the app does it, on PostgreSQL a process of its own (`./run jobs`); in both cases only while
it holds the lease. Each write carries the lease's fence, so that one who slept through its end changes nothing more.
"""

import asyncio
import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import Select, case, delete, func, insert, select, update

from db import session as database
from db.models.people import (
    Change,
    ChangeHead,
    DeskSession,
    IdempotencyKey,
    JobLease,
    JobRun,
    SignInAttempt,
    SignInCode,
)
from lib.reports.day_figures import compact_figures
from lib.shared import audit, clock
from lib.shared.clock import SHANGHAI
from lib.shared.logs import log
from lib.shared.work import KEY_DAYS, Work, perform, permit, system
from lib.tickets import alarms

LEASE = "jobs"
HELD_FOR = timedelta(seconds=60)
BEAT_SECONDS = 20
TRIED_AGAIN_AFTER = timedelta(minutes=10)
ROWS_AT_ONCE = 5000
"""Deleted in one transaction, so that nobody waits long for the write lock."""

LOOKS_AT_ONCE = 20
"""Transactions of notices in one beat; a flood goes on at the next, so that the lease is renewed in between."""

CHANGES_KEPT = 100_000
ATTEMPTS_KEPT = timedelta(days=90)
RUNS_KEPT = timedelta(days=90)
EXPIRED_KEPT = timedelta(days=1)

ACTOR = system("jobs")


class LeaseLost(Exception):
    """Somebody else holds the lease now; what was begun in this transaction is undone."""


@permit()
def take_lease(work: Work, *, holder: str) -> int | None:
    """Take or renew the lease; answers its fence, or None while another holds it."""
    fence: int | None = work.session.scalar(
        update(JobLease)
        .where(JobLease.name == LEASE, (JobLease.holder == holder) | (JobLease.until <= work.now))
        .values(
            fence=case((JobLease.holder == holder, JobLease.fence), else_=JobLease.fence + 1),
            holder=holder,
            until=work.now + HELD_FOR,
        )
        .returning(JobLease.fence)
    )
    if fence is None and work.session.get(JobLease, LEASE) is None:
        # Two first ones at once: the loser's row collides, and `perform` lets it look again.
        fence = 1
        work.session.execute(
            insert(JobLease).values(
                name=LEASE, holder=holder, until=work.now + HELD_FOR, fence=fence
            )
        )
    return fence


@permit()
def give_lease_back(work: Work, *, holder: str) -> None:
    """Let the next one take the lease at once; for an orderly end."""
    work.session.execute(
        update(JobLease)
        .where(JobLease.name == LEASE, JobLease.holder == holder)
        .values(until=work.now, holder="")
    )


def ensure_lease(work: Work, fence: int) -> None:
    """Lock and renew the lease for this transaction. Raises LeaseLost when another has taken it."""
    held = work.session.scalar(
        update(JobLease)
        .where(JobLease.name == LEASE, JobLease.fence == fence)
        .values(until=work.now + HELD_FOR)
        .returning(JobLease.fence)
    )
    if held is None:
        raise LeaseLost


@permit()
def export_head(work: Work, *, fence: int) -> dict[str, Any]:
    """The audit chain's head, to be kept outside the database."""
    ensure_lease(work, fence)
    return audit.export_audit_head(work)


@permit()
def delete_old_rows(work: Work, *, fence: int, kind: str) -> int:
    """Delete some of what is no longer kept; answers how many, less than `ROWS_AT_ONCE` at the end."""
    ensure_lease(work, fence)
    model, outdated = OUTDATED[kind]
    key = model.__mapper__.primary_key
    # The keys are read apart: a DELETE cannot be limited on either database.
    found = work.session.execute(outdated(work.now).with_only_columns(*key).limit(ROWS_AT_ONCE))
    keys = found.all()
    if not keys:
        return 0
    which = (
        key[0].in_([row[0] for row in keys])
        if len(key) == 1
        else key[0].between(keys[0][0], keys[-1][0])
    )
    work.session.execute(
        delete(model).where(which), execution_options={"synchronize_session": False}
    )
    work.record("jobs.rows_deleted", rows=kind, count=len(keys))
    return len(keys)


def _oldest(model: Any, moment: Any, kept: timedelta) -> Callable[[datetime], Select[Any]]:
    return lambda now: select(model).where(moment < now - kept).order_by(moment)


def _seen_changes(_now: datetime) -> Select[Any]:
    newest = select(func.coalesce(func.max(ChangeHead.number), 0)).scalar_subquery()
    return select(Change).where(Change.number <= newest - CHANGES_KEPT).order_by(Change.number)


OUTDATED: dict[str, tuple[Any, Callable[[datetime], Select[Any]]]] = {
    "idempotency_keys": (
        IdempotencyKey,
        _oldest(IdempotencyKey, IdempotencyKey.at, timedelta(days=KEY_DAYS)),
    ),
    "sign_in_codes": (SignInCode, _oldest(SignInCode, SignInCode.expires_at, EXPIRED_KEPT)),
    "desk_sessions": (DeskSession, _oldest(DeskSession, DeskSession.expires_at, EXPIRED_KEPT)),
    "sign_in_attempts": (SignInAttempt, _oldest(SignInAttempt, SignInAttempt.at, ATTEMPTS_KEPT)),
    "job_runs": (JobRun, _oldest(JobRun, JobRun.started_at, RUNS_KEPT)),
    "changes": (Change, _seen_changes),
}
"""What is kept for a time only, and which rows that time has left behind."""


@permit()
def note_run(work: Work, *, fence: int, job: str, started_at: datetime, error: str) -> None:
    """Remember when a job ended and how; `error` is a type's name, empty when all went well."""
    ensure_lease(work, fence)
    work.write(JobRun, job=job, started_at=started_at, ended_at=work.now, error=error)


Clock = Callable[[], datetime]


@permit()
def tell_what_is_due(work: Work, *, fence: int) -> int:
    """Warnings, overdues, escalations and reminders of some cases; 0 when none is left to be looked at."""
    ensure_lease(work, fence)
    return alarms.tell_what_is_due(work)


@permit()
def tell_of_callbacks(work: Work, *, fence: int) -> int:
    """Callers to be called back by now."""
    ensure_lease(work, fence)
    return alarms.tell_of_callbacks(work)


@permit()
def tell_of_missing_days(work: Work, *, fence: int) -> int:
    """Calendars that lack the official days of a year."""
    ensure_lease(work, fence)
    return alarms.tell_of_missing_days(work)


@permit()
def sum_up_figures(work: Work, *, fence: int) -> int:
    """Figures of days that several writes have told of."""
    ensure_lease(work, fence)
    return compact_figures(work)


@dataclass(frozen=True)
class Job:
    """`run` does its work in small transactions under the fence; `schedule` is told in Shanghai time."""

    name: str
    schedule: CronTrigger
    run: Callable[[int, Clock], None]

    def is_due(
        self, succeeded_at: datetime | None, tried_at: datetime | None, now: datetime
    ) -> bool:
        """Whether a time of the schedule has passed since the last success; a missed night is made up for.

        After a failure it is tried again ten minutes later.
        """
        if tried_at is not None and tried_at != succeeded_at and now < tried_at + TRIED_AGAIN_AFTER:
            return False
        if succeeded_at is None:
            return True
        due_at = self.schedule.get_next_fire_time(None, succeeded_at + timedelta(seconds=1))
        return due_at is not None and due_at <= now


def _export_audit_head(fence: int, moment: Clock) -> None:
    head = perform(export_head, actor=ACTOR, now=moment(), fence=fence)
    audit.keep_exported_head(head, moment())


def _delete_outdated(fence: int, moment: Clock) -> None:
    for kind in OUTDATED:
        deleted = ROWS_AT_ONCE
        while deleted >= ROWS_AT_ONCE:
            deleted = perform(delete_old_rows, actor=ACTOR, now=moment(), fence=fence, kind=kind)


def _tell_what_is_due(fence: int, moment: Clock) -> None:
    for _ in range(LOOKS_AT_ONCE):
        if not perform(tell_what_is_due, actor=ACTOR, now=moment(), fence=fence):
            break
    perform(tell_of_callbacks, actor=ACTOR, now=moment(), fence=fence)


def _tell_of_missing_days(fence: int, moment: Clock) -> None:
    perform(tell_of_missing_days, actor=ACTOR, now=moment(), fence=fence)


def _sum_up_figures(fence: int, moment: Clock) -> None:
    while perform(sum_up_figures, actor=ACTOR, now=moment(), fence=fence):
        continue


def _nightly(hour: int, minute: int) -> CronTrigger:
    return CronTrigger(hour=hour, minute=minute, timezone=SHANGHAI)


JOBS = (
    Job("export_audit_head", _nightly(3, 10), _export_audit_head),
    Job("delete_outdated", _nightly(3, 20), _delete_outdated),
    Job("sum_up_figures", CronTrigger(minute="*/10", timezone=SHANGHAI), _sum_up_figures),
    Job("tell_of_missing_days", _nightly(8, 30), _tell_of_missing_days),
)

EVERY_BEAT = (_tell_what_is_due,)
"""Done at each beat, and noted nowhere: the notices themselves are the record."""


class Worker:
    """One that would do the work: at every beat it takes or renews the lease, then runs what is due."""

    def __init__(
        self,
        *,
        moment: Clock = clock.now,
        jobs: Sequence[Job] = JOBS,
        every_beat: Sequence[Callable[[int, Clock], None]] = EVERY_BEAT,
        holder: str | None = None,
    ) -> None:
        self.holder = holder or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"[-80:]
        self._moment = moment
        self._jobs = jobs
        self._every_beat = every_beat
        self._stopping = threading.Event()

    def beat(self) -> bool:
        """One beat; whether the lease is held. Never raises: the next beat tries again."""
        try:
            fence = perform(take_lease, actor=ACTOR, now=self._moment(), holder=self.holder)
            if fence is None:
                return False
            for task in self._every_beat:
                self._try(task, fence)
            for job in self._due():
                if self._stopping.is_set():
                    break
                self._run(job, fence)
        except LeaseLost:
            log.warning("jobs.lease_lost")
            return False
        except Exception:
            log.exception("jobs.beat_failed")
            return False
        return True

    def _try(self, task: Callable[[int, Clock], None], fence: int) -> None:
        """A task that fails holds up no other; it is tried again at the next beat."""
        try:
            task(fence, self._moment)
        except LeaseLost:
            raise
        except Exception:
            log.exception("jobs.failed", job=task.__name__.strip("_"))

    def _due(self) -> list[Job]:
        succeeded_at = case((JobRun.error == "", JobRun.started_at))
        with database.ReadSession() as session:
            last = {
                row.job: (row[1], row[2])
                for row in session.execute(
                    select(
                        JobRun.job, func.max(succeeded_at), func.max(JobRun.started_at)
                    ).group_by(JobRun.job)
                )
            }
        now = self._moment()
        return [job for job in self._jobs if job.is_due(*last.get(job.name, (None, None)), now)]

    def _run(self, job: Job, fence: int) -> None:
        started_at = self._moment()
        error = ""
        try:
            job.run(fence, self._moment)
        except LeaseLost:
            raise
        except Exception as failure:
            log.exception("jobs.failed", job=job.name)
            error = type(failure).__name__
        perform(
            note_run,
            actor=ACTOR,
            now=self._moment(),
            fence=fence,
            job=job.name,
            started_at=started_at,
            error=error,
        )
        log.info("jobs.ran", job=job.name, error=error)

    def stop(self) -> None:
        """Begin no further job and give the lease back."""
        self._stopping.set()
        try:
            perform(give_lease_back, actor=ACTOR, now=self._moment(), holder=self.holder)
        except Exception:
            log.exception("jobs.lease_not_given_back")


class Beating:
    """A worker on APScheduler's thread, beating until stopped."""

    def __init__(self, worker: Worker | None = None, *, beat_seconds: float = BEAT_SECONDS) -> None:
        # It tells every beat; ours tell what was done.
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        self._worker = worker or Worker()
        self._scheduler = BackgroundScheduler(timezone=SHANGHAI, daemon=True)
        self._scheduler.add_job(
            self._worker.beat,
            "interval",
            seconds=beat_seconds,
            next_run_time=clock.precise_now(),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        """Wait for the job under way, then give the lease back."""
        self._scheduler.shutdown(wait=True)
        self._worker.stop()


@asynccontextmanager
async def working() -> AsyncIterator[None]:
    """The app's companion: works on SQLite while the app runs; PostgreSQL has `./run jobs`."""
    if not database.is_sqlite():
        yield
        return
    beating = Beating()
    beating.start()
    try:
        yield
    finally:
        await asyncio.to_thread(beating.stop)


def run_until_stopped() -> None:
    """`./run jobs`: work until SIGTERM or Ctrl-C."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    beating = Beating()
    beating.start()
    ended.wait()
    beating.stop()
