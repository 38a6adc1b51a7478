"""Dues and whole timers a second in one process (goals: 200,000 and 20,000)."""

import random
import sys
from time import process_time

from lib.shared.calendar import epoch
from lib.tickets.timers import timers_of
from tests.bench.machine import Line, print_table
from tests.tickets.counted_histories import START, book_of, facts_of, history_of, world

DUES, CASES, ROUNDS = 200_000, 4_000, 3


def main(arguments: list[str]) -> int:
    """Print the table; 1 when a goal is missed."""
    return print_table(measure())


def measure() -> list[Line]:
    """The best of three rounds, by the processor time of this one process."""
    dues, timers = max(dues_a_second() for _ in range(ROUNDS)), timers_a_second()
    whole = "whole timers a second, pauses and changes included"
    return [
        Line("timers", "dues a second", f"{dues:,.0f}", ">= 200,000", dues >= 200_000),
        Line("timers", whole, f"{timers:,.0f}", ">= 20,000", timers >= 20_000),
    ]


def dues_a_second() -> float:
    """Working time added to an instant, in epoch seconds."""
    chance = random.Random(3)
    calendar = world(60).working[1]
    first = epoch(START)
    asked = [
        (first + chance.randrange(90 * 86_400), chance.randrange(1, 200_000)) for _ in range(DUES)
    ]
    began = process_time()
    for start, seconds in asked:
        calendar.due_second(start, seconds)
    return DUES / (process_time() - began)


def timers_a_second() -> float:
    """Every timer of generated cases, with their pauses, changes, reopenings and policies."""
    place = world(60)
    histories = [history_of(seed, 60) for seed in range(CASES)]
    books = [book_of(history, place) for history in histories[:8]]
    cases = [
        (facts_of(history.case, place), books[number % len(books)])
        for number, history in enumerate(histories)
    ]
    best = 0.0
    for _ in range(ROUNDS):
        began, told = process_time(), 0
        for facts, book in cases:
            told += len(timers_of(facts, book))
        best = max(best, told / (process_time() - began))
    return best


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
