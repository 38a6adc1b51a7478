"""Every goal in one go: `./run bench everything`; what was measured is kept, and only the rest is measured again."""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict

from tests.bench import load, pages, search, sessions, timers, writing
from tests.bench.machine import Line, machine, print_table
from tests.bench.stores import BENCH_DIR


def main(arguments: Sequence[str]) -> int:
    """Print the table of the README; 1 when a goal is missed. `--again NAME ...` measures those parts anew."""
    options = argparse.ArgumentParser(prog="./run bench everything")
    options.add_argument("--cases", type=int, default=1_000_000)
    options.add_argument("--small", type=int, default=10_000)
    options.add_argument("--stores", nargs="+", default=["sqlite", "postgresql"])
    options.add_argument("--again", nargs="*", default=[], help="Names of parts, or `all`.")
    options.add_argument("--seconds", type=int, default=60, help="Of each part with sessions.")
    chosen = options.parse_args(arguments)
    parts: dict[str, Callable[[], list[Line]]] = {"timers": timers.measure}
    for kind in chosen.stores:
        parts[f"load-{kind}"] = lambda kind=kind: load.measure([kind], chosen.cases)
        parts[f"pages-{kind}"] = lambda kind=kind: pages.measure(
            kind, chosen.cases, chosen.small, 3, 120
        )
        parts[f"search-{kind}"] = lambda kind=kind: search.measure(kind, chosen.cases)
        parts[f"writing-{kind}"] = lambda kind=kind: writing.measure(kind, 400, 3)
    parts["sessions-sqlite"] = lambda: sessions.measure(
        "sqlite", chosen.cases, 100, chosen.seconds, 5_000
    )
    print(machine(), flush=True)
    BENCH_DIR.mkdir(parents=True, exist_ok=True)
    file = BENCH_DIR / f"results-{chosen.cases}.json"
    kept: dict[str, list[dict[str, object]]] = json.loads(file.read_text()) if file.exists() else {}
    for name, measure in parts.items():
        if name in kept and not {name, "all"} & set(chosen.again):
            continue
        began = time.monotonic()
        kept[name] = [asdict(line) for line in measure()]
        file.write_text(json.dumps(kept, ensure_ascii=False, indent=1))
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    lines = [Line(**told) for name in parts for told in kept[name]]  # type: ignore[arg-type]
    return print_table(sorted(lines, key=_by_goal))


def _by_goal(line: Line) -> tuple[int, str]:
    """G2 before G10; what has no number last."""
    number = line.goal.removeprefix("G")
    return (int(number) if number.isdigit() else 99, line.goal)
