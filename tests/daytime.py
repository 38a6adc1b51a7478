"""The verbs of `./run` with the clock set to the next working morning, so that a day's work is tested at night too."""

import sys
from datetime import datetime, timedelta

import time_machine

from lib.command import main
from lib.shared import clock

MORNING = 10


def next_morning(now: datetime) -> datetime:
    """10:00 in Shanghai of the first weekday after `now`; sessions and keys made before stay good."""
    day = now.astimezone(clock.SHANGHAI) + timedelta(days=1)
    while day.weekday() > 4:
        day += timedelta(days=1)
    return day.replace(hour=MORNING, minute=0, second=0, microsecond=0)


if __name__ == "__main__":
    with time_machine.travel(next_morning(clock.now()), tick=True):
        sys.exit(main())
