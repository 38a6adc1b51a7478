"""Group commit: what several threads ask for at the same moment is written in one transaction, by one of them.

While one group is being written the next one gathers, so nobody waits for company: who is alone is a group of one.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from db import session as database

Asked = TypeVar("Asked")


class Undone(Exception):
    """Something in the group failed, and nothing of the group is written: each of it goes on alone."""


class _Place(Generic[Asked]):
    """What one thread asks for, where it waits, and what it is told there."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.leads = self.is_done = self.is_undone = False
        self.answer: Any = None
        self._called = threading.Lock()
        self._called.acquire()

    def call(self) -> None:
        """Wake the thread: it is answered, or leads the next group."""
        self._called.release()

    def wait(self, seconds: float = -1) -> bool:
        """Whether it was called; without `seconds` it always is."""
        return self._called.acquire(timeout=seconds)


class GroupCommit(Generic[Asked]):
    """Lets one thread at a time write for all that wait.

    `write(take)` writes one group in one transaction: `take()` answers what has gathered by then, at most `most`;
    the answers come in the same order, when all is committed.
    """

    def __init__(
        self, write: Callable[[Callable[[], Sequence[Asked]]], Sequence[Any]], *, most: int
    ) -> None:
        self._write = write
        self._most = most
        self._lock = threading.Lock()
        self._waiting: deque[_Place[Asked]] = deque()
        self._is_led = False

    def __len__(self) -> int:
        """How many wait to be taken into a group."""
        return len(self._waiting)

    def run(self, asked: Asked) -> Any:
        """The answer to `asked`, committed.

        Raises Busy for who was in no group within `LONGEST_WAIT`, what `write` raised for a group of one, and Undone
        in a larger one.
        """
        place = _Place(asked)
        with self._lock:
            self._waiting.append(place)
            leads, self._is_led = not self._is_led, True
        if not leads:
            self._wait(place)
        if not place.is_done:
            self._lead(place)
        if place.is_undone:
            raise Undone
        return place.answer

    def _wait(self, place: _Place[Asked]) -> None:
        if place.wait(database.LONGEST_WAIT):
            return
        with self._lock:
            # Neither in a group that is being written nor called to lead the next one.
            gone = place in self._waiting and not place.leads
            if gone:
                self._waiting.remove(place)
        if gone:
            raise database.Busy
        place.wait()

    def _lead(self, place: _Place[Asked]) -> None:
        group: list[_Place[Asked]] = []

        def take() -> list[Asked]:
            with self._lock:
                while self._waiting and len(group) < self._most:
                    group.append(self._waiting.popleft())
            return [each.asked for each in group]

        try:
            for each, answer in zip(group, self._write(take), strict=True):
                each.answer = answer
        except BaseException as error:
            for each in group:
                each.is_undone = True
            if len(group) < 2 or not isinstance(error, Exception):
                raise
        finally:
            self._pass_on(place, group)

    def _pass_on(self, place: _Place[Asked], group: Sequence[_Place[Asked]]) -> None:
        with self._lock:
            if place in self._waiting:
                self._waiting.remove(place)
            following = self._waiting[0] if self._waiting else None
            self._is_led = following is not None
            if following is not None:
                following.leads = True
        for each in group:
            each.is_done = True
            if each is not place:
                each.call()
        if following is not None:
            following.call()
