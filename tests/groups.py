"""Has what several threads ask of the write door come together in one group."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from time import monotonic, sleep
from typing import Any

from lib.shared import work as door
from lib.shared.work import Actor, Look, Work, grouped, perform, permit, system

PATIENCE = 20.0


@grouped
@permit()
def hold_up(work: Work) -> None:
    """Writes nothing."""


@contextmanager
def one_group(now: datetime) -> Iterator[Callable[..., Future[Any]]]:
    """Gives `ask(action, **arguments)`, a `perform` of a grouped action; the group is written when the block ends."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(_look: Look) -> Actor:
        begun.set()
        go_on.wait(PATIENCE)
        return system("test")

    with ThreadPoolExecutor(door.LARGEST_GROUP + 1) as threads:
        before = threads.submit(perform, hold_up, actor=slow, now=now)
        assert begun.wait(PATIENCE)

        def ask(action: Callable[..., Any], **arguments: Any) -> Future[Any]:
            waiting = len(door._groups) + 1
            future = threads.submit(perform, action, **arguments)
            until(lambda: len(door._groups) == waiting or future.done())
            return future

        try:
            yield ask
        finally:
            go_on.set()
        before.result()


def until(condition: Callable[[], Any]) -> None:
    """Wait for it; an AssertionError when it does not come true."""
    deadline = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < deadline
        sleep(0.001)
