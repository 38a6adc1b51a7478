"""The empty page: our launcher against stock `streamlit run` (goal G1: at most 1/6 of its CPU, p50 12 ms)."""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.machine import Reruns, machine, measure_reruns, running
from tests.serving import ROOT, child_environment, free_port, staff
from tests.wire import Wire

APPS = Path(__file__).parent / "apps"
SERVE = (
    "import asyncio, sys, uvicorn\n"
    "from lib import launcher\n"
    "launcher.prepare_interpreter()\n"
    "config = launcher.server_config(sys.argv[1], '127.0.0.1', int(sys.argv[2]))\n"
    "asyncio.run(uvicorn.Server(config).serve())\n"
)
COOKIE = (
    "from db import session as database\n"
    "from lib import launcher\n"
    "from lib.people import actions\n"
    "from lib.shared import clock\n"
    "from lib.shared.work import perform, system\n"
    "launcher.prepare()\n"
    "print(perform(actions.open_session_for, actor=system('bench'), now=clock.now(), person_id=1))\n"
)
GOAL_RATIO = 1 / 6
GOAL_P50_MS = 12.0


def main(arguments: Sequence[str]) -> int:
    """Print the figures; 1 when a goal is missed."""
    options = argparse.ArgumentParser(prog="./run bench hello")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--count", type=int, default=300)
    chosen = options.parse_args(arguments)
    print(machine())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="curtaincall-bench-")))
        sides = {
            "stock": stack.enter_context(stock(folder)),
            "ours": stack.enter_context(ours("tests.bench.apps.ours:app", folder)),
            "walled": stack.enter_context(
                ours("tests.bench.apps.ours_walled:app", folder, signed_in=True)
            ),
        }
        figures: dict[str, list[Reruns]] = {name: [] for name in sides}
        print(
            f"{'round':>5} {'side':<7} {'CPU ms':>7} {'p50 ms':>7} {'p95 ms':>7} {'msgs':>5} {'bytes':>6}"
        )
        for number in range(1, chosen.rounds + 1):
            for name, side in sides.items():
                found = measure_reruns(side.wire, side.pid, count=chosen.count)
                figures[name].append(found)
                print(
                    f"{number:>5} {name:<7} {found.cpu_ms:7.2f} {found.p50_ms:7.2f} "
                    f"{found.p95_ms:7.2f} {found.messages:5d} {found.size:6d}"
                )
    return _verdict(figures)


def _verdict(figures: dict[str, list[Reruns]]) -> int:
    well = True
    for name in ("ours", "walled"):
        ratio = statistics.median(
            side.cpu_ms / plain.cpu_ms
            for side, plain in zip(figures[name], figures["stock"], strict=True)
        )
        p50 = statistics.median(each.p50_ms for each in figures[name])
        kept = ratio <= GOAL_RATIO and p50 <= GOAL_P50_MS
        well = well and kept
        print(
            f"{name}: {ratio:.3f} of stock CPU (goal {GOAL_RATIO:.3f}), p50 {p50:.1f} ms "
            f"(goal {GOAL_P50_MS:.0f}): {'met' if kept else 'MISSED'}"
        )
    return 0 if well else 1


@dataclass(frozen=True)
class Side:
    """One of the servers compared, and a client on it."""

    pid: int
    wire: Wire


@contextmanager
def stock(folder: Path) -> Iterator[Side]:
    """`streamlit run` as it comes: in a folder without settings of ours."""
    port = free_port()
    home = folder / "stock"
    home.mkdir()
    (home / "hello.py").write_text((APPS / "hello.py").read_text())
    address = f"http://127.0.0.1:{port}"
    command = [
        *[sys.executable, "-m", "streamlit", "run", "hello.py"],
        *["--server.port", str(port), "--server.headless", "true"],
        *["--server.address", "127.0.0.1", "--browser.gatherUsageStats", "false"],
    ]
    with (
        running(
            command,
            cwd=home,
            health=f"{address}/_stcore/health",
            environment=child_environment(folder / "var", HOME=str(home)),
        ) as process,
        Wire(address) as wire,
    ):
        yield Side(process.pid, wire)


@contextmanager
def ours(app: str, folder: Path, *, signed_in: bool = False) -> Iterator[Side]:
    """The launcher's server with `app`; `signed_in`: the client holds a session of the small cast."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = child_environment(folder / "var")
    cookie = None
    if signed_in:
        staff(folder / "var")
        told = subprocess.run(
            [sys.executable, "-c", COOKIE],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        cookie = f"desk_session={told.stdout.strip()}"
    command = [sys.executable, "-c", SERVE, app, str(port)]
    health = f"{address}/_stcore/health"
    with (
        running(command, cwd=ROOT, health=health, environment=environment) as process,
        Wire(address, cookie) as wire,
    ):
        yield Side(process.pid, wire)
