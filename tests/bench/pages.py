"""Queue, case and dashboard at 1,000,000 cases against hello, plain parts and 10,000 cases (goals G2, G3, G7, G9)."""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from db import session as database
from lib.reports.queries import read_dashboard
from lib.reports.rules import Days
from lib.shared import clock
from lib.shared.work import look, system
from tests.bench.hello import ours
from tests.bench.machine import (
    Line,
    Reruns,
    machine,
    measure_reruns,
    median_of,
    print_table,
    ratio_of,
)
from tests.bench.stores import Desk, Store, desk, store

PEER_HELLO_MS = 3.1
"""CPU of our hello on the machine where the peers' figures were taken."""

PEER_LIST_MS, PEER_TICKET_MS = 113.0, 41.0
"""django-helpdesk at 100,000 tickets, CPU of its list and of a ticket: the lowest that were measured."""


def main(arguments: Sequence[str]) -> int:
    """Print the table; 1 when a goal is missed."""
    options = argparse.ArgumentParser(prog="./run bench pages")
    options.add_argument("--cases", type=int, default=1_000_000)
    options.add_argument("--small", type=int, default=10_000)
    options.add_argument("--stores", nargs="+", default=["sqlite", "postgresql"])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--count", type=int, default=120)
    options.add_argument("--long", action="store_true", help="5,000,000 cases on SQLite too.")
    chosen = options.parse_args(arguments)
    print(machine(), flush=True)
    lines: list[Line] = []
    for kind in chosen.stores:
        lines += measure(kind, chosen.cases, chosen.small, chosen.rounds, chosen.count)
    if chosen.long:
        lines += measure("sqlite", 5_000_000, chosen.small, chosen.rounds, chosen.count)
    return print_table(lines)


def measure(kind: str, cases: int, small: int, rounds: int, count: int) -> list[Line]:
    """All goals of one store; every side is asked in turns."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="curtaincall-bench-")))
        large_store = stack.enter_context(store(kind, cases))
        # The server of PostgreSQL runs already: the second store shares it.
        small_store = stack.enter_context(store(kind, small))
        large = stack.enter_context(desk(large_store))
        little = stack.enter_context(desk(small_store))
        apps = {
            name: stack.enter_context(ours(f"tests.bench.apps.{module}:app", folder))
            for name, module in (
                ("hello", "ours"),
                ("table", "ours_table"),
                ("charts", "ours_charts"),
            )
        }
        ticket = _some_ticket(large_store)
        sides = {
            "queue": lambda: _rerun(large, "tickets_queue", count),
            "small": lambda: _rerun(little, "tickets_queue", count),
            "ticket": lambda: _rerun(large, "tickets_detail", count // 2, f"ticket={ticket}"),
            "dashboard": lambda: _rerun(large, "reports_dashboard", count // 3),
        }
        for name, side in apps.items():
            sides[name] = lambda side=side: measure_reruns(side.wire, side.pid, count=count)
        found: dict[str, list[Reruns]] = {name: [] for name in sides}
        for number in range(rounds):
            for name, ask in sides.items():
                found[name].append(ask())
                last = found[name][-1]
                print(
                    f"{kind} round {number + 1} {name:<10} CPU {last.cpu_ms:6.2f} ms  p50 {last.p50_ms:6.1f}  "
                    f"p95 {last.p95_ms:6.1f}  {last.messages} messages  {last.size} bytes",
                    flush=True,
                )
        tiles = _tiles_ms(large_store)
    return _lines(kind, cases, small, found, tiles)


def _rerun(side: Desk, page: str, count: int, query: str = "") -> Reruns:
    return measure_reruns(side.wire, side.pid, page=page, query=query, count=count)


def _some_ticket(kept: Store) -> int:
    """A closed case of the middle of the years."""
    return kept.cases // 2


def _tiles_ms(kept: Store) -> float:
    """All questions of the dashboard's tiles, days and causes, median of 15 times, without the page."""
    database.configure(kept.address)
    try:
        spent = []
        for _ in range(15):
            began = time.perf_counter()
            look(read_dashboard, actor=system("bench"), now=clock.now(), days=Days.MONTH)
            spent.append((time.perf_counter() - began) * 1000)
        return statistics.median(spent[3:])
    finally:
        database.dispose()


def _lines(
    kind: str, cases: int, small: int, found: dict[str, list[Reruns]], tiles: float
) -> list[Line]:
    queue, hello, table = found["queue"], found["hello"], found["table"]
    at = f"{kind}, {cases:,} cases"
    by_hello = ratio_of(queue, hello, "cpu_ms")
    by_table = ratio_of(queue, table, "cpu_ms")
    beyond = median_of(queue, "p50_ms") - median_of(hello, "p50_ms")
    tail = statistics.median(each.p95_ms / each.p50_ms for each in queue)
    grown = ratio_of(queue, found["small"], "cpu_ms"), ratio_of(queue, found["small"], "p50_ms")
    limit = 1.25 if cases > 1_000_000 else 1.15
    scale = median_of(hello, "cpu_ms") / PEER_HELLO_MS
    cheaper = PEER_LIST_MS * scale / median_of(queue, "cpu_ms")
    ticket = median_of(found["ticket"], "cpu_ms") / (PEER_TICKET_MS * scale)
    page = median_of(found["dashboard"], "p50_ms") - median_of(found["charts"], "p50_ms")
    return [
        Line("G2", f"queue page / hello, CPU ({at})", f"{by_hello:.1f}x", "<= 8x", by_hello <= 8),
        Line(
            "G2",
            f"queue page / 50-row table, CPU ({at})",
            f"{by_table:.1f}x",
            "<= 3.5x",
            by_table <= 3.5,
        ),
        Line(
            "G2",
            f"queue page p50 beyond hello ({at})",
            f"{beyond:.0f} ms",
            "<= 25 ms",
            beyond <= 25,
        ),
        Line("G2", f"queue page p95 / p50 ({at})", f"{tail:.1f}x", "<= 3x", tail <= 3),
        Line(
            "G3",
            f"queue page against {small:,} cases, CPU and p50 ({at})",
            f"{grown[0]:.2f}x, {grown[1]:.2f}x",
            f"<= {limit}x",
            max(grown) <= limit,
        ),
        Line(
            "G7",
            f"queue page cheaper than the peer's list at 100,000 ({at})",
            f"{cheaper:.1f}x",
            ">= 5x",
            cheaper >= 5,
        ),
        Line(
            "G7",
            f"ticket page / the peer's ticket, CPU ({at})",
            f"{ticket:.2f}x",
            "<= 0.8x",
            ticket <= 0.8,
        ),
        Line(
            "G9",
            f"all of the dashboard's queries ({at})",
            f"{tiles:.1f} ms",
            "<= 10 ms",
            tiles <= 10,
        ),
        Line(
            "G9",
            f"dashboard page beyond its two charts, p50 ({at})",
            f"{page:.0f} ms",
            "<= 10 ms",
            page <= 10,
        ),
    ]
