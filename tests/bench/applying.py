"""Applying a calendar or a policy to 3,000 open cases: the preview and the batches, ms per case on both stores."""

import argparse
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import func, select

from db import session as database
from db.codes import DayKind, Role, TargetUnit, TimerKind
from db.models.people import AuditRow, Person, PersonRole
from lib.shared import clock
from lib.shared.calendars import CalendarDraft, DayByHand, calendar_named
from lib.shared.work import Actor, actor_of, look, perform
from lib.tickets.applying import Preview, preview_calendar, preview_policies
from lib.tickets.calendars import edit_calendar
from lib.tickets.open_cases import CASES_AT_ONCE
from lib.tickets.policies import PolicyDraft, apply_targets
from tests import postgresql
from tests.bench.machine import machine
from tests.bench.stores import BENCH_DIR, Store, store

CASES = 150_000
"""About 2 % of them are open."""

DRAFT = PolicyDraft(TimerKind.RESOLUTION, TargetUnit.WORKING_DAYS, 2, 1, "Q-11")


class Spent(NamedTuple):
    """Milliseconds on the wall, and of this process's CPU: others on the machine do not lengthen those."""

    wall: float
    cpu: float

    def for_each(self, cases: int) -> "Spent":
        return Spent(self.wall / cases, self.cpu / cases)


def main(arguments: Sequence[str]) -> int:
    """Print the table; there is no goal to miss."""
    options = argparse.ArgumentParser(prog="./run bench applying")
    options.add_argument("--stores", nargs="+", default=["sqlite", "postgresql"])
    options.add_argument("--cases", type=int, default=CASES)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args(arguments)
    print(machine(), flush=True)
    lines = [measure(kind, chosen.cases, chosen.rounds) for kind in chosen.stores]
    print("A case, in brackets the CPU of this process:")
    print("| store | open cases | applied to | policy's preview | calendar's preview | applying |")
    print("|---|--:|--:|--:|--:|--:|")
    print("\n".join(lines))
    return 0


def measure(kind: str, cases: int, rounds: int) -> str:
    """Medians of the rounds, each on a fresh copy of the store."""
    spent: dict[str, list[Spent]] = {"policy": [], "calendar": [], "apply": []}
    with store(kind, cases) as kept:
        for _ in range(rounds):
            with copy(kept) as address:
                database.configure(address)
                try:
                    preview = _round(spent)
                finally:
                    database.dispose()
            told = ", ".join(f"{name} {times[-1].wall:.3f} ms" for name, times in spent.items())
            print(f"{kind}: {told} per case", flush=True)
    figures = " | ".join(
        f"{statistics.median(each.wall for each in times):.2f} ms"
        f" ({statistics.median(each.cpu for each in times):.2f})"
        for times in spent.values()
    )
    return f"| {kind} | {preview.cases:,} | {len(_concerned(preview)):,} | {figures} |"


def _round(spent: dict[str, list[Spent]]) -> Preview:
    """One preview of each kind, and applying the calendar's, as if it were a minute after the store was loaded."""
    supervisor, now = _who_and_when()
    draft = CalendarDraft({_next_working_day(now): DayByHand(DayKind.CLOSED, (), "盘点")})
    told: dict[str, Any] = {"calendar_id": 1, "version": 1, "draft": draft}
    # The first look builds what each process keeps: policies, calendars.
    look(preview_policies, actor=supervisor, now=now)
    policy, taken = _timed(lambda: look(preview_policies, actor=supervisor, now=now, draft=DRAFT))
    spent["policy"].append(taken.for_each(policy.cases))
    preview, taken = _timed(lambda: look(preview_calendar, actor=supervisor, now=now, **told))
    spent["calendar"].append(taken.for_each(preview.cases))
    perform(edit_calendar, actor=supervisor, now=now, **told)
    concerned = _concerned(preview)

    def apply() -> Preview:
        for start in range(0, len(concerned), CASES_AT_ONCE):
            batch = concerned[start : start + CASES_AT_ONCE]
            perform(
                apply_targets,
                actor=supervisor,
                now=now,
                key=f"bench.{start}",
                ticket_ids=batch,
                policies=False,
            )
        return preview

    _, taken = _timed(apply)
    spent["apply"].append(taken.for_each(len(concerned)))
    left = look(preview_policies, actor=supervisor, now=now + timedelta(seconds=1))
    if left.moves:
        raise RuntimeError(f"{len(left.moves)} dues would still move")
    return preview


def _timed(work: Callable[[], Preview]) -> tuple[Preview, Spent]:
    began, before = time.perf_counter(), time.process_time()
    answer = work()
    cpu = time.process_time() - before
    return answer, Spent((time.perf_counter() - began) * 1000, cpu * 1000)


def _concerned(preview: Preview) -> list[int]:
    return [*preview.provisional, *preview.others]


@contextmanager
def copy(kept: Store) -> Iterator[str]:
    """The address of a copy that is thrown away."""
    if kept.url is None:
        folder = BENCH_DIR / f"sqlite-{kept.cases}-copy"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for file in kept.var_dir.glob("desk.db*"):
            shutil.copy(file, folder)
        try:
            yield f"sqlite:///{folder / 'desk.db'}"
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    server = postgresql.start(BENCH_DIR / "postgresql")
    name = f"desk_{kept.cases}_copy"
    postgresql.drop(server, name)
    postgresql.create(server, name, template=f"desk_{kept.cases}")
    try:
        yield postgresql.address(server, name)
    finally:
        postgresql.drop(server, name)


def _who_and_when() -> tuple[Actor, datetime]:
    with database.ReadSession() as session:
        supervisor = session.scalars(
            select(Person).join(PersonRole).where(PersonRole.role == Role.SUPERVISOR).limit(1)
        ).one()
        loaded_at: datetime = session.scalars(select(func.max(AuditRow.at))).one()
        return actor_of(supervisor), loaded_at + timedelta(minutes=1)


def _next_working_day(now: datetime) -> date:
    with database.ReadSession() as session:
        calendar = calendar_named(session).time
    day = now.astimezone(clock.SHANGHAI).date() + timedelta(days=1)
    while not calendar.is_working_day(day):
        day += timedelta(days=1)
    return day
