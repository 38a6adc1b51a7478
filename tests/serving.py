"""The real app for tests: started by the launcher in a process of its own, with the small cast in its database."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 240
SOON = 10.0
"""Seconds that a change may take in a test. The goal of one second is measured and printed by the whole case: a busy
machine is no defect of the desk."""


@dataclass
class Server:
    """A running desk; `log` is what it printed."""

    address: str
    port: int
    var_dir: Path
    log: Path
    process: subprocess.Popen[bytes]

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """End it and wait; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(15)

    def printed(self) -> str:
        return self.log.read_text()


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(
    var_dir: Path,
    *options: str,
    port: int | None = None,
    database_url: str | None = None,
    module: str = "lib.command",
    **environment: str,
) -> Server:
    """Start `serve` on the folder and wait until it answers. Raises RuntimeError with its output if it does not.

    `module="tests.daytime"` starts it in a working morning, whatever the time is.
    """
    port = port or free_port()
    var_dir.mkdir(parents=True, exist_ok=True)
    log = var_dir / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, "serve", "--port", str(port), *options],
            cwd=ROOT,
            env=child_environment(var_dir, database_url, HOST="127.0.0.1", **environment),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(f"http://127.0.0.1:{port}", port, var_dir, log, process)
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _is_up(server.address):
            return server
        time.sleep(0.05)
    server.stop(signal.SIGKILL)
    raise RuntimeError(f"the server did not come up:\n{server.printed()}")


def _is_up(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def serving(var_dir: Path, *options: str, **settings: str | int | None) -> Iterator[Server]:
    """`start`, then stop."""
    server = start(var_dir, *options, **settings)  # type: ignore[arg-type]
    try:
        yield server
    finally:
        server.stop()


def child_environment(
    var_dir: Path, database_url: str | None = None, **further: str
) -> dict[str, str]:
    """The environment of a process that works on the folder."""
    environment = {**os.environ, "VAR_DIR": str(var_dir), "PYTHONPATH": str(ROOT), **further}
    environment.pop("DATABASE_URL", None)
    if database_url:
        environment["DATABASE_URL"] = database_url
    return environment


def staff(var_dir: Path, database_url: str | None = None) -> None:
    """Make the folder's keys and database (or migrate the given one) and hire the small cast."""
    command = [sys.executable, "-m", "tests.serving"]
    environment = child_environment(var_dir, database_url)
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def staffed_copy(run_dir: Path, var_dir: Path) -> Path:
    """A var folder with the small cast, copied from the run's first. Call it under a lock."""
    template = run_dir / "staffed"
    if not template.exists():
        draft = run_dir / "staffed.draft"
        staff(draft)
        draft.rename(template)
    shutil.copytree(template, var_dir, dirs_exist_ok=True)
    return var_dir


if __name__ == "__main__":
    from db import session as database
    from lib import launcher
    from lib.shared import clock
    from tests.cast import hire_cast

    launcher.prepare()
    hire_cast(clock.now())
    database.dispose()
