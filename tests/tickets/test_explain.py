"""The explainer: what is counted, why not, and a running total that ends at the target with the due."""

import random
from itertools import pairwise

import pytest

from db.codes import TimerKind, WaitingFor
from lib.tickets.explain import Why, explained
from lib.tickets.timers import Facts, Pause
from tests.tickets.test_timers import at, book_of, policy, timers_by

RESOLUTION = book_of(policy(1, TimerKind.RESOLUTION, 240))


def lines_of(facts: Facts, now: str):
    (timer,) = timers_by(facts, RESOLUTION)
    return explained(timer, facts, at(now)).lines


def test_each_stretch_says_why_it_counts_or_not():
    pause = Pause(at("09-24 17:15"), at("09-24 17:30"), WaitingFor.PARTS)
    told = lines_of(Facts(at("09-24 17:00"), pauses=(pause,)), "09-24 17:20")
    assert [(line.start_at, line.why, line.total_seconds // 60) for line in told] == [
        (at("09-24 17:00"), Why.COUNTED, 15),
        (at("09-24 17:15"), Why.PAUSED, 15),
        (at("09-24 17:30"), Why.COUNTED, 45),
        (at("09-24 18:00"), Why.OUTSIDE_HOURS, 45),
        (at("09-25 00:00"), Why.DAY_OFF, 45),
        (at("09-26 00:00"), Why.DAY_OFF, 45),
        (at("09-27 00:00"), Why.DAY_OFF, 45),
        (at("09-28 00:00"), Why.OUTSIDE_HOURS, 45),
        (at("09-28 09:00"), Why.COUNTED, 240),
    ]
    assert told[1].waiting_for is WaitingFor.PARTS


def test_while_paused_the_table_ends_now():
    facts = Facts(at("09-22 09:00"), pauses=(Pause(at("09-22 10:00"), None, WaitingFor.CUSTOMER),))
    told = lines_of(facts, "09-22 12:00")
    assert [(line.end_at, line.why) for line in told] == [
        (at("09-22 10:00"), Why.COUNTED),
        (at("09-22 12:00"), Why.PAUSED),
    ]


@pytest.mark.parametrize("seed", range(40))
def test_the_total_at_the_due_is_the_target(seed):
    chance = random.Random(seed)

    def day() -> str:
        return f"09-{chance.randint(21, 29)} {chance.randint(8, 19):02}:{chance.randint(0, 59):02}"

    pauses = []
    for _ in range(3):
        first, last = sorted([day(), day()])
        if first != last:
            pauses.append(Pause(at(first), at(last), WaitingFor.CUSTOMER))
    facts = Facts(at("09-21 16:00"), pauses=tuple(pauses))
    (timer,) = timers_by(facts, RESOLUTION)
    told = explained(timer, facts, at("12-01 10:00")).lines
    assert told[-1].end_at == timer.due_at
    assert told[-1].total_seconds == 240 * 60
    assert all(one.end_at == other.start_at for one, other in pairwise(told))
