"""A process that takes ticket numbers and prints them: `taking_numbers ADDRESS COUNT`."""

import sys
from datetime import UTC, datetime

from db import session as database
from lib.shared.work import Work, perform, permit, system
from lib.tickets.actions import next_number


@permit()
def take_number(work: Work) -> str:
    return next_number(work)


if __name__ == "__main__":
    database.configure(sys.argv[1], durable=False)
    now = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
    for _ in range(int(sys.argv[2])):
        print(perform(take_number, actor=system("test"), now=now), flush=True)
