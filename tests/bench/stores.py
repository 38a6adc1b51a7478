"""Stores of any size for the benches, loaded once by `./run demo --tickets N` and kept in BENCH_DIR."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests import postgresql
from tests.bench.machine import running
from tests.serving import ROOT, child_environment, free_port
from tests.wire import Wire

BENCH_DIR = Path(os.environ.get("BENCH_DIR") or Path(tempfile.gettempdir()) / "curtaincall-bench")
SESSIONS = (
    "import sys\n"
    "from sqlalchemy import select, update\n"
    "from db import session as database\n"
    "from db.codes import Role\n"
    "from db.models.people import PersonRole, Person\n"
    "from lib import launcher\n"
    "from lib.people import actions\n"
    "from lib.shared import clock\n"
    "from lib.shared.work import system, together\n"
    "launcher.prepare()\n"
    "role, wanted = Role(sys.argv[1]), int(sys.argv[2])\n"
    "with database.writing() as session:\n"
    "    session.execute(update(Person).values(must_change_password=False, pledge_accepted_at=clock.now()))\n"
    "    held = select(PersonRole.person_id).where(PersonRole.role == role).order_by(PersonRole.person_id)\n"
    "    people = session.scalars(held).all()\n"
    "with together() as steps:\n"
    "    for nth in range(wanted):\n"
    "        print(steps.perform(actions.open_session_for, actor=system('bench'), now=clock.now(),\n"
    "                            person_id=people[nth % len(people)]))\n"
)


@dataclass(frozen=True)
class Store:
    """A loaded desk; `load_seconds` as it was when it was loaded."""

    kind: str
    cases: int
    var_dir: Path
    url: str | None
    load_seconds: float

    @property
    def address(self) -> str:
        return self.url or f"sqlite:///{self.var_dir / 'desk.db'}"

    def sessions(self, count: int, role: str = "supervisor") -> list[str]:
        """Cookies of so many fresh sessions of people of the role."""
        told = subprocess.run(
            [sys.executable, "-c", SESSIONS, role, str(count)],
            cwd=ROOT,
            env=child_environment(self.var_dir, self.url),
            capture_output=True,
            text=True,
            check=True,
        )
        return [f"desk_session={token}" for token in told.stdout.split()[-count:]]


@dataclass(frozen=True)
class Desk:
    """A served store."""

    pid: int
    address: str
    cookie: str
    wire: Wire


@contextmanager
def store(kind: str, cases: int) -> Iterator[Store]:
    """The store of so many cases on "sqlite" or "postgresql", loaded now unless it is there in the newest shape."""
    BENCH_DIR.mkdir(parents=True, exist_ok=True)
    BENCH_DIR.chmod(0o755)
    var_dir = BENCH_DIR / f"{kind}-{cases}"
    if kind == "sqlite":
        yield _loaded(kind, cases, var_dir, None)
        return
    folder = BENCH_DIR / "postgresql"
    server = postgresql.start(folder)
    try:
        name = f"desk_{cases}"
        url = postgresql.address(server, name)
        if not _is_fresh(var_dir):
            postgresql.drop(server, name)
            postgresql.create(server, name, template="template0")
        yield _loaded(kind, cases, var_dir, url)
    finally:
        _stop(folder)


def _stop(folder: Path) -> None:
    pid_file = folder / "postmaster.pid"
    if pid_file.exists():
        os.kill(int(pid_file.read_text().splitlines()[0]), signal.SIGINT)
        deadline = time.monotonic() + 20
        while pid_file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    postgresql.forget(folder)


def _loaded(kind: str, cases: int, var_dir: Path, url: str | None) -> Store:
    if not _is_fresh(var_dir):
        shutil.rmtree(var_dir, ignore_errors=True)
        var_dir.mkdir()
        print(f"loading {cases:,} cases into {kind} ...", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "lib.command", "demo", "--tickets", str(cases)]
        environment = child_environment(var_dir, url)
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        seconds = float(done.stderr.split(" cases in ")[1].split(" s")[0])
        if url is not None:
            with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
        _mark(var_dir).write_text(json.dumps({"shape": shape(), "seconds": seconds}))
    told = json.loads(_mark(var_dir).read_text())
    return Store(kind, cases, var_dir, url, told["seconds"])


def _mark(var_dir: Path) -> Path:
    return var_dir / "loaded.json"


def _is_fresh(var_dir: Path) -> bool:
    mark = _mark(var_dir)
    return mark.exists() and json.loads(mark.read_text())["shape"] == shape()


def shape() -> str:
    """Changes with the tables and with what a load writes."""
    files = [*sorted((ROOT / "db" / "migrations" / "versions").glob("*.py"))]
    files += [ROOT / "lib" / "demo" / name for name in ("bulk.py", "lives.py")]
    told = hashlib.sha256()
    for file in files:
        told.update(file.read_bytes())
    return told.hexdigest()[:16]


@contextmanager
def desk(kept: Store, *, role: str = "supervisor", further: tuple[str, ...] = ()) -> Iterator[Desk]:
    """The real app on the store, and a client with a session of somebody of the role."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    (cookie,) = kept.sessions(1, role)
    environment = child_environment(kept.var_dir, kept.url, HOST="127.0.0.1")
    command = [sys.executable, "-m", "lib.command", "serve", "--port", str(port), "--empty"]
    with (
        running(command, cwd=ROOT, health=f"{address}/healthz", environment=environment) as process,
        Wire(address, cookie) as wire,
    ):
        yield Desk(process.pid, address, cookie, wire)
