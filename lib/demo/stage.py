"""The clock and the hands of the sample story: cases are told side by side, each step at its own instant."""

import heapq
import io
import random
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import count
from typing import Any

from PIL import Image, ImageDraw
from sqlalchemy import select

from db.models.people import Person
from lib.shared.calendar import WorkingCalendar, epoch, moment
from lib.shared.clock import SHANGHAI
from lib.shared.work import Actor, Together, together

STEPS_AT_ONCE = 2500
"""Steps in one transaction; on PostgreSQL others can write between two of them."""

Telling = Iterator[datetime]
"""A thread of the story: yields the instant at which it goes on."""

SLOTS = (time(9, 0), time(10, 30), time(13, 30), time(15, 0), time(16, 30))
VISIT = timedelta(minutes=75)


class Stage:
    """Tells threads in the order of time up to `now`, through the real actions."""

    steps: Together

    def __init__(self, now: datetime, calendar: WorkingCalendar, chance: random.Random) -> None:
        self.end = self.now = now
        self.calendar = calendar
        self.chance = chance
        self._threads: list[tuple[datetime, int, Telling]] = []
        self._serial = count()
        self._booked: set[tuple[int, datetime]] = set()
        self.signatures = [signature(chance) for _ in range(12)]
        self.photos = [photo(chance) for _ in range(8)]

    def add(self, start: datetime, thread: Telling) -> None:
        """Let a thread begin at an instant."""
        heapq.heappush(self._threads, (start, next(self._serial), thread))

    def play(self) -> None:
        """Tell all that happens up to the end."""
        while self._threads and self._threads[0][0] <= self.end:
            with together() as self.steps:
                # Everybody is in memory: reading an actor between a version and its use would flush and raise it.
                self.steps.session.scalars(select(Person)).all()
                for _ in range(STEPS_AT_ONCE):
                    if not self._threads or self._threads[0][0] > self.end:
                        break
                    self.now, _, thread = heapq.heappop(self._threads)
                    again_at = next(thread, None)
                    if again_at is not None:
                        self.add(max(again_at, self.now), thread)

    def do(self, action: Any, by: Actor, **arguments: Any) -> Any:
        """One action at the instant of the story."""
        return self.steps.perform(action, actor=by, now=self.now, **arguments)

    def row(self, model: Any, row_id: int) -> Any:
        """A row as a user sees it who is about to act on it."""
        return self.steps.session.get(model, row_id)

    def after(self, start: datetime, minutes: float) -> datetime:
        """So many working minutes later."""
        return self.calendar.due_after(start, int(minutes * 60))

    def ago(self, minutes: float) -> datetime:
        """So many working minutes before the end of the story."""
        counted = self.calendar.counted_until(epoch(self.end)) - int(minutes * 60)
        return moment(self.calendar.instant_of(counted))

    def free_slot(self, technicians: list[int], not_before: datetime) -> tuple[int, datetime]:
        """A technician and a time of his that nobody has taken, as early as can be."""
        day = not_before.astimezone(SHANGHAI).date()
        while True:
            for technician, slot in self._slots_of(day, technicians):
                if slot >= not_before and (technician, slot) not in self._booked:
                    self._booked.add((technician, slot))
                    return technician, slot
            day += timedelta(days=1)

    def _slots_of(self, day: date, technicians: list[int]) -> Iterator[tuple[int, datetime]]:
        if not self.calendar.is_working_day(day):
            return
        for slot in SLOTS:
            order = self.chance.sample(technicians, len(technicians))
            for technician in order:
                yield technician, datetime.combine(day, slot, SHANGHAI)

    def book(self, technician: int, start: datetime) -> None:
        """Keep every slot free that a visit at `start` would meet."""
        day = start.astimezone(SHANGHAI).date()
        for slot in SLOTS:
            at = datetime.combine(day, slot, SHANGHAI)
            if at < start + VISIT and start < at + VISIT:
                self._booked.add((technician, at))

    def pick(self, words: Any) -> Any:
        return self.chance.choice(words)

    def happens(self, share: float) -> bool:
        return self.chance.random() < share


def signature(chance: random.Random) -> bytes:
    """A PNG of a few strokes of the pen."""
    image = Image.new("L", (160, 60), 255)
    pen = ImageDraw.Draw(image)
    x, y = 10, 34
    for _ in range(9):
        further = (x + chance.randint(8, 18), 30 + chance.randint(-20, 20))
        pen.line((x, y, *further), fill=24, width=2)
        x, y = further
    return _file(image, "PNG")


def photo(chance: random.Random) -> bytes:
    """A small JPEG that stands for a curtain: folds of one colour."""
    image = Image.new("RGB", (320, 240))
    pen = ImageDraw.Draw(image)
    red, green, blue = (chance.randint(80, 200) for _ in range(3))
    for x in range(0, 320, 8):
        shade = 40 if (x // 8) % 2 else 0
        pen.rectangle((x, 0, x + 7, 240), fill=(red - shade, green - shade, blue - shade))
    pen.rectangle((0, 0, 320, 14), fill=(70, 70, 70))
    return _file(image, "JPEG")


def _file(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()
