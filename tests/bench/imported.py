"""Queue and dashboard with four imported logs against a desk of 100 cases: `./run bench imported DIR`."""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.hello import Side
from tests.bench.machine import Reruns, machine, measure_reruns, running
from tests.serving import ROOT, child_environment, free_port
from tests.wire import Wire

PAGES = ("tickets_queue", "reports_dashboard")
STORY = ("demo", "--open", "40", "--closed", "60")
COOKIE = (
    "from sqlalchemy import select\n"
    "from db import session as database\n"
    "from db.codes import Role\n"
    "from db.models.people import PersonRole, Person\n"
    "from lib import launcher\n"
    "from lib.people import actions\n"
    "from lib.shared import clock\n"
    "from lib.shared.work import perform, system\n"
    "launcher.prepare()\n"
    "with database.writing() as session:\n"
    "    held = select(PersonRole.person_id).where(PersonRole.role == Role.SUPERVISOR)\n"
    "    person = session.get(Person, session.scalars(held).first())\n"
    "    person.must_change_password, person.pledge_accepted_at = False, clock.now()\n"
    "    chosen = person.id\n"
    "print(perform(actions.open_session_for, actor=system('bench'), now=clock.now(), person_id=chosen))\n"
)


def main(arguments: Sequence[str]) -> int:
    """Print the figures of both pages on both desks, in turns, and the ratio."""
    options = argparse.ArgumentParser(prog="./run bench imported")
    options.add_argument("folder", type=Path, help="The folder that try-data reads.")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--count", type=int, default=100)
    chosen = options.parse_args(arguments)
    print(machine())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="curtaincall-bench-")))
        for name in ("small", "imported"):
            verb(folder / name, *STORY)
        for log in logs(chosen.folder):
            verb(folder / "imported", "import", "tickets", str(log), "--mapping", mapping_of(log))
        sides = {name: stack.enter_context(desk(folder / name)) for name in ("small", "imported")}
        print(f"{'page':<18} {'desk':<9} {'CPU ms':>7} {'p50 ms':>7} {'p95 ms':>7} {'bytes':>6}")
        for page in PAGES:
            compare(sides, page, chosen.rounds, chosen.count)
    return 0


def compare(sides: dict[str, Side], page: str, rounds: int, count: int) -> None:
    found: dict[str, list[Reruns]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            found[name].append(measure_reruns(side.wire, side.pid, page=page, count=count))
    for name, rows in found.items():
        middle = [
            statistics.median(getattr(row, field) for row in rows)
            for field in ("cpu_ms", "p50_ms", "p95_ms", "size")
        ]
        print(
            f"{page:<18} {name:<9} {middle[0]:7.1f} {middle[1]:7.1f} {middle[2]:7.1f} {middle[3]:6.0f}"
        )
    pairs = zip(found["imported"], found["small"], strict=True)
    ratios = [(large.cpu_ms / small.cpu_ms, large.p50_ms / small.p50_ms) for large, small in pairs]
    cpu, p50 = (statistics.median(ratio) for ratio in zip(*ratios, strict=True))
    print(f"{page:<18} ratio: CPU {cpu:.2f}, p50 {p50:.2f}")


def logs(folder: Path) -> list[Path]:
    """The logs in the folder that a mapping of ours can read."""
    from lib.tickets.mapping import MAPPINGS

    names = {mapping.stem for mapping in MAPPINGS.glob("*.toml")}
    return [
        path
        for path in sorted(folder.glob("*/*"))
        if mapping_of(path) in names and path.parent.name != "expected"
    ]


def mapping_of(log: Path) -> str:
    return log.name.partition(".")[0]


def verb(var_dir: Path, *arguments: str) -> str:
    """Run a verb of `./run` on the folder; what it printed."""
    var_dir.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "lib.command", *arguments],
        cwd=ROOT,
        env=child_environment(var_dir),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@contextmanager
def desk(var_dir: Path) -> Iterator[Side]:
    """The real app on the folder, and a supervisor's client on it."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = child_environment(var_dir, HOST="127.0.0.1")
    told = subprocess.run(
        [sys.executable, "-c", COOKIE],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    command = [sys.executable, "-m", "lib.command", "serve", "--port", str(port), "--empty"]
    with (
        running(command, cwd=ROOT, health=f"{address}/healthz", environment=environment) as process,
        Wire(address, f"desk_session={told.stdout.strip().splitlines()[-1]}") as wire,
    ):
        yield Side(process.pid, wire)
