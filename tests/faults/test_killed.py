"""Processes killed at random moments: what was acknowledged is there, nothing is there by half.

`FAULT_ROUNDS=50 ./run test -m faults` kills more often than the ten times of the suite.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db import session as database
from db.codes import EventKind
from db.models.customers import Customer
from db.models.people import AuditRow, Change, ChangeHead, IdempotencyKey
from db.models.stock import StockMovement
from db.models.tickets import QueueRow, Ticket, TicketEvent, Timer
from lib import verification
from lib.customers.actions import add_customer
from lib.shared import clock
from lib.shared.settings import key, settings
from lib.shared.work import look, perform, system
from lib.stock.actions import add_part
from tests import serving
from tests.faults.writing import ACTIONS, actor, carry_out

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "10"))
PROCESSES, THREADS = 2, 3
pytestmark = [pytest.mark.faults, pytest.mark.slow]


def history(folder: Path) -> tuple[dict, dict]:
    """What was begun and what was acknowledged, by key. A line that the kill cut off was never acknowledged."""
    begun, acknowledged = {}, {}
    for file in folder.glob("*.jsonl"):
        for line in file.read_bytes().split(b"\n")[:-1]:
            told = json.loads(line)
            if "answer" in told:
                acknowledged[told["key"]] = told["answer"]
            else:
                begun[told["key"]] = told
    return begun, acknowledged


def stored_answers() -> dict[str, object]:
    with database.ReadSession() as session:
        rows = session.execute(select(IdempotencyKey.key, IdempotencyKey.answer))
        return dict(rows.all())


def count(statement) -> int:
    with database.ReadSession() as session:
        return session.scalar(statement) or 0


def number_of(model, *conditions) -> int:
    return count(select(func.count()).select_from(model).where(*conditions))


def ensure_nothing_is_half_written() -> None:
    def keys_of(action: str) -> int:
        return number_of(IdempotencyKey, IdempotencyKey.action == action)

    def audited(action: str) -> int:
        return number_of(AuditRow, AuditRow.action == action)

    opened = keys_of("tickets.open_ticket")
    assert opened == number_of(Ticket) == audited("ticket.opened")
    assert opened == number_of(TicketEvent, TicketEvent.kind == EventKind.RECEIVED)
    assert opened == number_of(QueueRow)
    assert 2 * opened == number_of(Timer)
    contacted = keys_of("tickets.log_contact")
    assert contacted == number_of(TicketEvent, TicketEvent.kind == EventKind.CONTACTED)
    assert contacted == audited("ticket.contacted")
    noted = keys_of("tickets.add_note")
    assert noted == number_of(TicketEvent, TicketEvent.kind == EventKind.NOTE)
    assert noted == audited("ticket.note_added")
    received = keys_of("stock.receive_part")
    assert received == number_of(StockMovement) == audited("stock.receive")
    changes = count(select(func.count(func.distinct(Change.number))))
    assert changes == count(select(ChangeHead.number))
    for check in verification.CHECKS:
        finding = look(check, actor=system("test"), now=clock.now())
        assert finding.ok, finding


def begin_writing(address: str, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.writing", address, str(folder), str(THREADS)],
        cwd=serving.ROOT,
        stderr=(folder / "errors.txt").open("ab"),
    )


def wait_for_acknowledgements(folder: Path, wanted: int) -> None:
    deadline = time.monotonic() + 60
    while len(history(folder)[1]) < wanted:
        assert time.monotonic() < deadline, (folder / "errors.txt").read_text()[-2000:]
        time.sleep(0.05)


def test_killed_writers_lose_nothing_that_was_acknowledged(cast, tmp_path):
    customer_id = perform(add_customer, actor=cast.hotline, now=clock.now(), name="华庭酒店")
    part_id = perform(
        add_part, actor=cast.storekeeper, now=clock.now(), number="RN-STD", name="标准滑轮"
    )
    assert (customer_id, part_id) == (1, 1)
    address, chance = database.url(), random.Random()
    actors = {part: actor(part) for part, _ in ACTIONS.values()}
    folder = tmp_path / "history"
    folder.mkdir()
    retried = 0
    for _ in range(ROUNDS):
        before = len(history(folder)[1])
        processes = [begin_writing(address, folder) for _ in range(PROCESSES)]
        try:
            wait_for_acknowledgements(folder, before + 5)
            time.sleep(chance.uniform(0.05, 0.8))
        finally:
            for process in processes:
                process.send_signal(signal.SIGKILL)
        assert {process.wait() for process in processes} == {-signal.SIGKILL}
        begun, acknowledged = history(folder)
        stored = stored_answers()
        assert {key: stored.get(key, "lost") for key in acknowledged} == acknowledged
        ensure_nothing_is_half_written()
        for form in set(begun) - set(acknowledged):
            answer = carry_out(begun[form], actors)
            assert answer == stored.get(form, answer)
            assert carry_out(begun[form], actors) == answer
            with (folder / "retried.jsonl").open("a") as file:
                file.write(json.dumps({"key": form, "answer": answer}) + "\n")
            retried += 1
        ensure_nothing_is_half_written()
        assert set(stored_answers()) == set(begun)
    begun, acknowledged = history(folder)
    assert set(begun) == set(acknowledged)
    assert retried > 0
    print(f"{len(acknowledged)} acknowledged, {retried} retried, {ROUNDS} kills")


@pytest.fixture
def var_dir(tmp_path, monkeypatch):
    """The var folder of this process and of the app that it starts: both chain with the same key."""
    monkeypatch.setenv("VAR_DIR", str(tmp_path / "var"))
    settings.cache_clear()
    key.cache_clear()
    yield tmp_path / "var"
    monkeypatch.undo()
    settings.cache_clear()
    key.cache_clear()


@pytest.mark.alone
@pytest.mark.web
def test_a_killed_app_is_soon_ready_again_and_has_lost_nothing(var_dir):
    serving.staff(var_dir)
    database.configure(f"sqlite:///{var_dir / 'desk.db'}")
    acknowledged, ended = [], threading.Event()

    def write():
        while not ended.is_set():
            name = f"客户 {len(acknowledged)}"
            acknowledged.append(
                perform(add_customer, actor=system("test"), now=clock.now(), name=name)
            )
            time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    took = []
    try:
        server = serving.start(var_dir, "--empty")
        for _ in range(3):
            time.sleep(random.uniform(0.1, 1))
            server.stop(signal.SIGKILL)
            began = time.monotonic()
            server = serving.start(var_dir, "--empty")
            took.append(time.monotonic() - began)
        server.stop()
    finally:
        ended.set()
        writer.join()
    with database.ReadSession() as session:
        assert set(acknowledged) <= set(session.scalars(select(Customer.id)))
        assert number_of(Customer) == len(acknowledged)
    finding = look(verification.check_audit, actor=system("test"), now=clock.now())
    assert finding.ok, finding
    database.dispose()
    print(f"{len(acknowledged)} acknowledged beside the app, ready again after {took} s")
