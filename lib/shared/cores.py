"""The one core that the desk's Python runs on.

One interpreter runs one thread at a time, whatever the machine has. On several cores its threads hand the lock, and
the caches with it, from one to another: a page for one of eight people at once cost half as much again as on one core.
So the threads stay together. What works outside the interpreter, such as passwords and pictures, may take any core.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Set
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import uniform
from time import monotonic, sleep

from lib.shared.settings import settings

CROWDED = 0.25
"""The share of a core that others may take before the desk looks for a quieter one."""
WORTH_MOVING = 0.2
"""How much quieter another core has to be, as a share."""
LOOK_SECONDS = 0.1
"""How long the start looks which core is quiet; whoever is not seen then is evaded later."""
PERIOD_SECONDS = (5.0, 15.0)
"""Between two looks, not the same for two desks of one machine: they would change places forever."""


class _Place:
    """Where this process is kept; `core` is None where it is not."""

    allowed: frozenset[int] = frozenset()
    core: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """Seconds so far: of the clock, of CPU of this process, and that each core was busy."""

    at: float
    own: float
    busy: Mapping[int, float]


def keep_to_one() -> None:
    """Keep this process to one of the cores it may use, unless `ONE_CORE` says no."""
    if not settings().one_core or not hasattr(os, "sched_setaffinity"):
        return
    _Place.allowed = frozenset(os.sched_getaffinity(0))
    if len(_Place.allowed) > 1:
        _Place.core = _quietest(_Place.allowed)
        _bring(_Place.core)


def _quietest(allowed: frozenset[int]) -> int:
    """By a short look; of several the last, because the first one answers most devices."""
    before = _read()
    sleep(LOOK_SECONDS)
    after = _read()
    if before is None or after is None:
        return max(allowed)
    shares = _shares(before, after, allowed)
    return min(sorted(allowed, reverse=True), key=lambda core: shares.get(core, 0.0))


@contextmanager
def any_core() -> Iterator[None]:
    """For this thread, while it works outside the interpreter."""
    if _Place.core is None:
        yield
        return
    _send(0, _Place.allowed)
    try:
        yield
    finally:
        _send(0, {_Place.core})


@asynccontextmanager
async def staying_where_it_is_quiet() -> AsyncIterator[None]:
    """The app's companion: moves the desk when others crowd its core."""
    watching = asyncio.create_task(_watch())
    try:
        yield
    finally:
        watching.cancel()


async def _watch() -> None:
    before = _read()
    while _Place.core is not None and before is not None:
        await asyncio.sleep(uniform(*PERIOD_SECONDS))
        after = _read()
        if after is None:
            return
        quieter = quieter_core(before, after, _Place.core, _Place.allowed)
        gather(_Place.core if quieter is None else quieter)
        before = after


def quieter_core(before: Reading, after: Reading, core: int, allowed: frozenset[int]) -> int | None:
    """Where to go from `core`: None while others leave it alone, or when it is no better elsewhere."""
    shares = _shares(before, after, allowed)
    if core not in shares or len(shares) < 2:
        return None
    others = shares[core] - (after.own - before.own) / (after.at - before.at)
    best = min((each for each in shares if each != core), key=shares.__getitem__)
    if others > CROWDED and others - shares[best] > WORTH_MOVING:
        return best
    return None


def _shares(before: Reading, after: Reading, allowed: frozenset[int]) -> dict[int, float]:
    """How busy each core was in between, of those that the system tells of."""
    elapsed = after.at - before.at
    return {
        core: (after.busy[core] - before.busy[core]) / elapsed
        for core in allowed
        if core in before.busy and core in after.busy
    }


def gather(core: int) -> None:
    """Bring all threads to a core, but for those that may take any at the moment."""
    _Place.core = core
    _bring(core, but_for=_Place.allowed)


def _bring(core: int, *, but_for: frozenset[int] = frozenset()) -> None:
    for thread in (int(each.name) for each in Path("/proc/self/task").iterdir()):
        with suppress(ProcessLookupError):
            if os.sched_getaffinity(thread) != but_for:
                _send(thread, {core})


def _send(thread: int, cores: Set[int]) -> None:
    # A thread may have ended, a core may have been taken from us: then the system decides.
    with suppress(OSError):
        os.sched_setaffinity(thread, cores)


def _read() -> Reading | None:
    """None where the system does not tell."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
        ticks = os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return None
    busy = {}
    for name, *spent in (line.split() for line in lines):
        if name.startswith("cpu") and name[3:].isdigit():
            # User, nice, system, idle, waiting for disks, interrupts of two kinds, stolen by other guests.
            user, nice, system, _, _, *rest = map(int, spent)
            busy[int(name[3:])] = (user + nice + system + sum(rest[:3])) / ticks
    own = os.times()
    return Reading(monotonic(), own.user + own.system, busy)
