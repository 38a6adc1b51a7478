"""Finding the caller among many on both stores: `./run bench lookup --data DIR` (surnames, given names, districts)."""

import argparse
import csv
import gzip
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import insert

from db import migrate
from db import session as database
from db.models.customers import CallerKey, Contact, Customer
from lib.customers import queries, rules
from lib.shared import clock
from lib.shared.work import look, system
from tests import postgresql
from tests.bench.machine import machine

FIRMS = "惠锦瑞明永新银海东天和德乐桥泰华盛源润康"
TRADES = ("酒店", "医院", "窗饰", "学校", "置业", "物业", "商贸", "科技")


def main(arguments: Sequence[str]) -> int:
    """Print p50, p95 and the share of right callers among the first five."""
    options = argparse.ArgumentParser(prog="./run bench lookup")
    options.add_argument("--customers", type=int, default=50_000)
    options.add_argument("--contacts", type=int, default=150_000)
    options.add_argument("--queries", type=int, default=400)
    options.add_argument("--data", type=Path, required=True, help="Folder with surnames.csv etc.")
    options.add_argument("--stores", nargs="+", default=["sqlite", "postgresql"])
    chosen = options.parse_args(arguments)
    print(machine())
    with tempfile.TemporaryDirectory(prefix="curtaincall-bench-") as folder:
        Path(folder).chmod(0o755)
        for store in chosen.stores:
            if store == "sqlite":
                address = f"sqlite:///{folder}/desk.db"
            else:
                server = postgresql.start(Path(folder) / "postgresql")
                postgresql.create(server, "desk", template="template0")
                address = postgresql.address(server, "desk")
            try:
                migrate.upgrade(address)
                database.configure(address, durable=False)
                asked = load(chosen.customers, chosen.contacts, chosen.queries, chosen.data)
                measure(store, asked)
                database.dispose()
            finally:
                if store != "sqlite":
                    postgresql.stop(Path(folder) / "postgresql")
    return 0


def load(customers: int, contacts: int, count: int, data: Path) -> list[tuple[int, str]]:
    """Fill the store; questions as (contact's id, words)."""
    chance = random.Random(4711)
    now = clock.now()
    with (data / "surnames.csv").open(encoding="utf-8-sig") as file:
        surnames = [(row["surname"], float(row["ppm.1930_2008"])) for row in csv.DictReader(file)]
    with gzip.open(data / "top1000_given_names.csv.gz", "rt", encoding="utf-8-sig") as packed:
        given = [row["name"] for row in csv.DictReader(packed)]
    with (data / "divisions_areas.csv").open(encoding="utf-8-sig") as file:
        places = [row["name"].rstrip("市区县") for row in csv.DictReader(file)]
    family = chance.choices(*zip(*surnames, strict=True), k=contacts)
    people = [surname + chance.choice(given) for surname in family]
    names: dict[str, None] = {}
    while len(names) < customers:
        firm = chance.choice(FIRMS) + chance.choice(FIRMS)
        names[f"{chance.choice(places)}{firm}{chance.choice(TRADES)}有限公司"] = None
    companies = list(names)
    phones = [f"1{chance.choice('35789')}{chance.randrange(10**9):09d}" for _ in people]
    for at in range(0, contacts, 8):
        phones[at] = f"021-{chance.randrange(20_000_000, 69_999_999)}转{chance.randrange(100, 999)}"
    with database.writing() as session:
        connection = session.connection()
        for at in range(0, customers, 2000):
            rows = [
                {
                    "id": row_id,
                    "name": name,
                    "search_key": rules.search_key(name, limit=600),
                    "created_at": now,
                }
                for row_id, name in enumerate(companies[at : at + 2000], at + 1)
            ]
            connection.execute(insert(Customer), rows)
            connection.execute(
                insert(CallerKey),
                [
                    {"key": key, "customer_id": row["id"], "contact_id": 0}
                    for row in rows
                    for key in rules.name_keys(str(row["name"]))
                ],
            )
        for at in range(0, contacts, 2000):
            rows = [
                {
                    "id": row_id,
                    "customer_id": row_id % customers + 1,
                    "name": name,
                    "phone": phones[row_id - 1],
                    "phone_digits": rules.phone_digits(phones[row_id - 1]),
                    "search_key": rules.search_key(name, limit=400),
                    "created_at": now,
                }
                for row_id, name in enumerate(people[at : at + 2000], at + 1)
            ]
            connection.execute(insert(Contact), rows)
            connection.execute(
                insert(CallerKey),
                [
                    {"key": key, "customer_id": row["customer_id"], "contact_id": row["id"]}
                    for row in rows
                    for key in rules.name_keys(str(row["name"]))
                    | rules.phone_keys(str(row["phone_digits"]))
                ],
            )
    asked = []
    for nth in range(count):
        contact = chance.randrange(1, contacts + 1)
        company, person = companies[contact % customers], people[contact - 1]
        asked.append((contact, question(nth, company, person, phones[contact - 1], chance)))
    return asked


def question(nth: int, company: str, person: str, phone: str, chance: random.Random) -> str:
    stem = rules.stem(company)
    told = chance.choice(rules.spellings(person))
    letters = "".join(each[0] for each in rules.spellings(stem)[0])
    digits = rules.phone_digits(phone).partition("x")[0]
    at = chance.randrange(1, len(digits) - 1)
    spoken = "".join(told)
    return [
        f"{stem} {person}",
        f"{stem} {spoken}",
        f"{letters} {''.join(each[0] for each in told)}",
        "".join(chr(ord(digit) + 0xFEE0) for digit in digits),
        phone,
        digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :],
        f"{stem} {spoken[:-2]}{spoken[-1]}{spoken[-2]}",
        f"{stem[2:]} {person}",
    ][nth % 8]


def measure(store: str, asked: list[tuple[int, str]]) -> None:
    times, worked, right = [], [], 0
    for contact, words in asked:
        began, before = time.perf_counter(), time.process_time()
        hits = look(queries.find_callers, actor=system("bench"), now=clock.now(), words=words)
        times.append((time.perf_counter() - began) * 1000)
        worked.append((time.process_time() - before) * 1000)
        right += contact in [hit.contact_id for hit in hits[:5]]
    times.sort()
    worked.sort()
    print(
        f"{store:<11} p50 {statistics.median(times):6.1f} ms  p95 {times[int(len(times) * 0.95)]:6.1f} ms  "
        f"(own processor time p95 {worked[int(len(worked) * 0.95)]:5.1f} ms)  "
        f"first five {100 * right / len(asked):.1f} % of {len(asked)}",
        flush=True,
    )
