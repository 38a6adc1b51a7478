"""Generated histories against a counter that walks every minute or second: no difference at all."""

import pytest

from db.codes import MissedCause, TimerKind, TimerPhase
from tests.tickets.counted_histories import by_engine, difference, history_of, world

MINUTES, SECONDS = 60, 1
BLOCK = 100


@pytest.mark.parametrize("block", range(10))
def test_a_thousand_histories_equal_a_walk_minute_by_minute(block):
    assert_equal(block * BLOCK, BLOCK, MINUTES)


def test_fifty_histories_equal_a_walk_second_by_second():
    assert_equal(0, 50, SECONDS)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_ten_thousand_histories_equal_a_walk_minute_by_minute(block):
    assert_equal(1_000 + block * 1_000, 1_000, MINUTES)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_a_thousand_histories_equal_a_walk_second_by_second(block):
    assert_equal(50 + block * 100, 100, SECONDS)


def test_the_generated_histories_meet_every_turn_that_a_timer_can_take():
    place = world(MINUTES)
    told = [timer for seed in range(400) for timer in by_engine(history_of(seed, MINUTES), place)]
    assert {timer.missed_cause for timer in told} == {None, *MissedCause}
    assert {timer.phase for timer in told} == set(TimerPhase)
    assert max(timer.cycle for timer in told) > 1
    assert max(timer.plan for timer in told) > 1
    assert any(timer.second_remaining_seconds for timer in told)
    hops = [timer for timer in told if timer.kind is TimerKind.HOP]
    assert {timer.phase for timer in hops} == set(TimerPhase)
    assert max(timer.cycle for timer in hops) > 1


def assert_equal(first: int, number: int, step: int) -> None:
    found = [told for seed in range(first, first + number) if (told := difference(seed, step))]
    assert not found, f"{len(found)} differ\n{found[0]}"
