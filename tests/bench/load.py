"""Loading in bulk with timers, counters and search keys, both stores (goal G11: 3,000 and 1,500 cases a second)."""

import argparse
import shutil
from collections.abc import Sequence

from tests.bench.machine import Line, machine, print_table
from tests.bench.stores import BENCH_DIR, store

GOALS = {"sqlite": 3_000, "postgresql": 1_500}


def main(arguments: Sequence[str]) -> int:
    """Print the table; a store that is there already tells how long its own load took."""
    options = argparse.ArgumentParser(prog="./run bench load")
    options.add_argument("--cases", type=int, default=1_000_000)
    options.add_argument("--stores", nargs="+", default=[*GOALS])
    options.add_argument("--again", action="store_true", help="Load anew though it is there.")
    chosen = options.parse_args(arguments)
    print(machine(), flush=True)
    return print_table(measure(chosen.stores, chosen.cases, again=chosen.again))


def measure(kinds: Sequence[str], cases: int, *, again: bool = False) -> list[Line]:
    """Cases a second of each store's load."""
    lines = []
    for kind in kinds:
        if again:
            shutil.rmtree(BENCH_DIR / f"{kind}-{cases}", ignore_errors=True)
        with store(kind, cases) as kept:
            pace = kept.cases / kept.load_seconds
        what = f"bulk load, cases a second ({kind}, {cases:,} cases)"
        goal = GOALS[kind]
        lines.append(Line("G11", what, f"{pace:,.0f}", f">= {goal:,}", pace >= goal))
    return lines
