"""The newest 50 of 1,000,000 cases by whatever is typed: the query alone, both stores (goal G8: 10 ms)."""

import argparse
import statistics
import time
from collections.abc import Sequence

from sqlalchemy import select

from db import session as database
from db.models.customers import Contact, Customer
from db.models.tickets import Ticket
from lib.customers.rules import spellings
from lib.shared import clock
from lib.shared.work import look, system
from lib.tickets.closed import read_cases
from lib.tickets.queue_filter import QueueFilter, Scope
from tests.bench.machine import Line, machine, print_table
from tests.bench.stores import store

TIMES = 15
GOAL_MS = 10.0


def main(arguments: Sequence[str]) -> int:
    """Print the table; 1 when a goal is missed."""
    options = argparse.ArgumentParser(prog="./run bench search")
    options.add_argument("--cases", type=int, default=1_000_000)
    options.add_argument("--stores", nargs="+", default=["sqlite", "postgresql"])
    chosen = options.parse_args(arguments)
    print(machine(), flush=True)
    return print_table([line for kind in chosen.stores for line in measure(kind, chosen.cases)])


def measure(kind: str, cases: int) -> list[Line]:
    """Each kind of words, median of TIMES; the slowest of all is the goal's."""
    with store(kind, cases) as kept:
        database.configure(kept.address)
        try:
            times = {what: _median_ms(words) for what, words in _asked(cases).items()}
        finally:
            database.dispose()
    for what, spent in times.items():
        print(f"{kind} {what:<28} {spent:6.1f} ms", flush=True)
    slowest = max(times, key=lambda what: times[what])
    told = f"{times[slowest]:.1f} ms ({slowest}), median {statistics.median(times.values()):.1f} ms"
    what = f"newest 50 by {len(times)} kinds of words, the slowest ({kind}, {cases:,} cases)"
    return [Line("G8", what, told, f"<= {GOAL_MS:.0f} ms", times[slowest] <= GOAL_MS)]


def _asked(cases: int) -> dict[str, str]:
    """Common and rare words of the store itself."""
    with database.ReadSession() as session:
        company, phone, number, words = session.execute(
            select(Customer.short_name, Contact.phone_digits, Ticket.number, Ticket.words)
            .join(Contact, Contact.id == Ticket.contact_id)
            .join(Customer, Customer.id == Ticket.customer_id)
            .where(Ticket.id == cases // 3)
        ).one()
    lot = words.partition("批号 ")[2][:9]
    return {
        "two Chinese, common": "电机",
        "two Chinese, a company": company[:2],
        "four Chinese, common": "客人投诉",
        "four Chinese, a company": company[:4],
        "Latin, common": "cc",
        "Latin, rare": lot,
        "phone, four digits": phone[-4:],
        "phone, all": phone,
        "initials": "".join(each[0] for each in spellings(company)[0]),
        "full pinyin": "".join(spellings(company)[0]),
        "number": number,
        "nothing has it": "飓风海啸",
    }


def _median_ms(words: str) -> float:
    where = QueueFilter(text=words, scope=Scope.ALL)
    spent = []
    for _ in range(TIMES):
        began = time.perf_counter()
        look(read_cases, actor=system("bench"), now=clock.now(), where=where)
        spent.append((time.perf_counter() - began) * 1000)
    return statistics.median(spent[2:])
