"""What every bench needs: the machine's name, the CPU time of a process, medians, servers to compare."""

import os
import platform
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.wire import Wire


def machine() -> str:
    """Processor, cores, memory and versions, for the head of a report."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}"
    )


def cpu_seconds(pid: int) -> float:
    """User and system time of the process and its children so far."""
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


@dataclass(frozen=True)
class Reruns:
    """Figures of one round of reruns in a row."""

    cpu_ms: float
    p50_ms: float
    p95_ms: float
    messages: int
    size: int


def measure_reruns(
    wire: Wire, pid: int, *, page: str = "", query: str = "", count: int, warm_up: int = 20
) -> Reruns:
    """Ask for `count` reruns one after the other and weigh them."""
    for _ in range(warm_up):
        wire.rerun(page, query=query)
    before = cpu_seconds(pid)
    answers = [wire.rerun(page, query=query) for _ in range(count)]
    spent = cpu_seconds(pid) - before
    times = sorted(answer.seconds * 1000 for answer in answers)
    return Reruns(
        cpu_ms=spent * 1000 / count,
        p50_ms=statistics.median(times),
        p95_ms=times[int(len(times) * 0.95) - 1],
        messages=len(answers[-1].messages),
        size=answers[-1].size,
    )


@contextmanager
def running(
    command: Sequence[str],
    *,
    cwd: Path,
    health: str,
    environment: dict[str, str],
    seconds: float = 60,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until `health` answers, and end it afterwards. Raises RuntimeError when it does not come up."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                with urllib.request.urlopen(health, timeout=2):
                    break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"did not come up: {' '.join(command)}") from None
                time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Line:
    """One goal as it was measured, for the table of the README."""

    goal: str
    what: str
    measured: str
    limit: str
    met: bool


def print_table(lines: Sequence[Line]) -> int:
    """Print the table; 1 when a goal is missed."""
    print("| goal | what | measured | goal | |\n|---|---|---|---|---|")
    for line in lines:
        state = "met" if line.met else "**missed**"
        print(f"| {line.goal} | {line.what} | {line.measured} | {line.limit} | {state} |")
    return 0 if all(line.met for line in lines) else 1


def median_of(rounds: Sequence[Reruns], field: str) -> float:
    return statistics.median(getattr(each, field) for each in rounds)


def ratio_of(above: Sequence[Reruns], below: Sequence[Reruns], field: str) -> float:
    """The median of the rounds' ratios."""
    pairs = zip(above, below, strict=True)
    return statistics.median(getattr(a, field) / getattr(b, field) for a, b in pairs)
