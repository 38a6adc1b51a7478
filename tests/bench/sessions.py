"""100 people with the queue open: at rest, clicking, and while others change cases (goals G4, G5, the stream)."""

import argparse
import asyncio
import json
import random
import statistics
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psutil
from sqlalchemy import select

from db import session as database
from db.codes import Role
from db.models.people import Person, PersonRole
from db.models.tickets import QueueRow, Ticket
from lib.shared import clock
from lib.shared.work import actor_of, perform
from lib.tickets.actions import change_ticket
from tests.bench.machine import Line, cpu_seconds, machine, print_table
from tests.bench.stores import Desk, Store, desk, store
from tests.wire import Answer, Wire

THINK_SECONDS = 5.0
CHANGES_A_SECOND = 20


def main(arguments: Sequence[str]) -> int:
    """Print the table; 1 when a goal is missed."""
    options = argparse.ArgumentParser(prog="./run bench sessions")
    options.add_argument("--cases", type=int, default=1_000_000)
    options.add_argument("--stores", nargs="+", default=["sqlite"])
    options.add_argument("--sessions", type=int, default=100)
    options.add_argument("--seconds", type=int, default=60, help="Of changes, and of clicking.")
    options.add_argument("--reruns", type=int, default=5_000, help="After which growth is read.")
    chosen = options.parse_args(arguments)
    print(machine(), flush=True)
    lines: list[Line] = []
    for kind in chosen.stores:
        lines += measure(kind, chosen.cases, chosen.sessions, chosen.seconds, chosen.reruns)
    return print_table(lines)


def measure(kind: str, cases: int, sessions: int, seconds: int, reruns: int) -> list[Line]:
    """All of one store, in one server process."""
    with ExitStack() as stack:
        kept = stack.enter_context(store(kind, cases))
        side = stack.enter_context(desk(kept, role=str(Role.HOTLINE)))
        side.wire.rerun("tickets_queue")
        server = psutil.Process(side.pid)
        empty = server.memory_info().rss
        cookies = kept.sessions(sessions, str(Role.HOTLINE))
        wires = [stack.enter_context(Wire(side.address, cookie)) for cookie in cookies]
        ears = [
            Ear(cookie, data["token"], data["number"])
            for cookie, data in zip(cookies, map(_queue_of, wires), strict=True)
        ]
        at = f"{kind}, {sessions} sessions"
        with Hearing(side.address, ears):
            lines = _at_rest(at, side, sessions, seconds // 3, empty)
            lines += _changed(at, kept, side, ears, seconds)
            lines += _clicking(at, side, wires, seconds)
        lines += _growth(kind, side, server, reruns)
    return lines


def _queue_of(wire: Wire) -> dict[str, object]:
    """What the queue table was given."""
    return table_data(wire.rerun("tickets_queue"))


def table_data(answer: Answer) -> dict[str, object]:
    for message in reversed(answer.messages):
        element = message.delta.new_element
        if element.WhichOneof("type") == "bidi_component":
            found: dict[str, object] = json.loads(element.bidi_component.json or "{}")
            if "acknowledged" in found:
                return found
    raise AssertionError("no queue was drawn")


@dataclass
class Ear:
    """One browser's stream: when each change number had arrived, by the monotonic clock."""

    cookie: str
    token: object
    since: object
    arrived: list[tuple[int, float]] = field(default_factory=list)
    resets: int = 0

    async def listen(self, address: str) -> None:
        host, _, port = urlsplit(address).netloc.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            request = (
                f"GET /desk/live?view={self.token}&since={self.since} HTTP/1.1\r\n"
                f"Host: {host}:{port}\r\nCookie: {self.cookie}\r\n\r\n"
            )
            writer.write(request.encode())
            status = await reader.readline()
            assert b" 200 " in status, status
            async for line in reader:
                if line.startswith(b"data: "):
                    self._take(json.loads(line[6:]))
        finally:
            writer.close()

    def _take(self, message: dict[str, object]) -> None:
        if message["t"] == "patch":
            self.arrived.append((int(str(message["no"])), time.monotonic()))
        elif message["t"] == "reset":
            self.resets += 1

    def heard_at(self, number: int) -> float | None:
        """When the change of that number, or a later one with it, had arrived."""
        return next((at for no, at in self.arrived if no >= number), None)


class Hearing:
    """Keeps the streams open in a thread of their own."""

    def __init__(self, address: str, ears: Sequence[Ear]) -> None:
        self._address, self._ears = address, ears
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._tasks = [self._loop.create_task(ear.listen(self._address)) for ear in self._ears]
        self._loop.run_forever()

    def __enter__(self) -> "Hearing":
        self._thread.start()
        time.sleep(3)
        return self

    def __exit__(self, *_: object) -> None:
        def end() -> None:
            for task in self._tasks:
                task.cancel()
            self._loop.call_later(0.5, self._loop.stop)

        self._loop.call_soon_threadsafe(end)
        self._thread.join(5)


def _at_rest(at: str, side: Desk, sessions: int, seconds: int, empty: int) -> list[Line]:
    before = cpu_seconds(side.pid)
    time.sleep(seconds)
    share = (cpu_seconds(side.pid) - before) / seconds
    each_ms = share * 1000 / sessions
    memory = psutil.Process(side.pid).memory_info().rss
    each_kib = (memory - empty) / 1024 / sessions
    whole = memory / 2**20
    return [
        Line(
            "stream",
            f"idle, all together ({at})",
            f"{share:.1%} of a core",
            "<= 2 %",
            share <= 0.02,
        ),
        Line(
            "G5", f"idle session, CPU ({at})", f"{each_ms:.2f} ms/s", "<= 0.3 ms/s", each_ms <= 0.3
        ),
        Line(
            "G5",
            f"idle session, memory ({at})",
            f"{each_kib:.0f} KiB",
            "<= 250 KiB",
            each_kib <= 250,
        ),
        Line("G5", f"process ({at})", f"{whole:.0f} MiB", "<= 400 MiB", whole <= 400),
    ]


def _changed(at: str, kept: Store, side: Desk, ears: Sequence[Ear], seconds: int) -> list[Line]:
    """Twenty changes a second by another process, in the first page of the queue that everybody looks at."""
    database.configure(kept.address)
    told: list[tuple[int, float]] = []
    try:
        with database.ReadSession() as session:
            person = session.scalars(
                select(Person).join(PersonRole).where(PersonRole.role == Role.SUPERVISOR).limit(1)
            ).one()
            actor = actor_of(person)
            order = (QueueRow.due_at, QueueRow.ticket_id)
            ids = session.scalars(select(QueueRow.ticket_id).order_by(*order).limit(40)).all()
        before, began = cpu_seconds(side.pid), time.monotonic()
        for nth in range(seconds * CHANGES_A_SECOND):
            wait = began + nth / CHANGES_A_SECOND - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            _change(actor, ids[nth % len(ids)], nth)
            told.append((_number(), time.monotonic()))
        took = time.monotonic() - began
        share = (cpu_seconds(side.pid) - before) / took
        time.sleep(2)
    finally:
        database.dispose()
    late, lost = [], 0
    for number, committed_at in told:
        for ear in ears:
            heard_at = ear.heard_at(number)
            if heard_at is None:
                lost += 1
            else:
                late.append((heard_at - committed_at) * 1000)
    late.sort()
    p50, p95 = (late[int(len(late) * part)] if late else 1e9 for part in (0.5, 0.95))
    behind = took - seconds
    resets = sum(ear.resets for ear in ears)
    return [
        Line(
            "stream",
            f"a change reaches all, median ({at})",
            f"{p50:.0f} ms",
            "<= 300 ms",
            p50 <= 300,
        ),
        Line(
            "stream",
            f"a change reaches all, p95 ({at})",
            f"{p95:.0f} ms",
            "<= 1000 ms",
            p95 <= 1000,
        ),
        Line(
            "stream",
            f"{CHANGES_A_SECOND} changes a second for {seconds} s ({at})",
            f"{share:.0%} of a core, {lost} lost, {resets} resets, {max(behind, 0):.1f} s behind",
            "0 lost",
            not lost and behind < 2,
        ),
    ]


def _change(actor: object, ticket_id: int, nth: int) -> None:
    with database.ReadSession() as session:
        version = session.scalars(select(Ticket.version).where(Ticket.id == ticket_id)).one()
    perform(
        change_ticket,
        actor=actor,  # type: ignore[arg-type]
        now=clock.now(),
        ticket_id=ticket_id,
        version=version,
        words=f"第 {nth} 次修改，{random.random()}",
    )


def _number() -> int:
    from db.models.people import ChangeHead

    with database.ReadSession() as session:
        return session.scalar(select(ChangeHead.number)) or 0


def _clicking(at: str, side: Desk, wires: Sequence[Wire], seconds: int) -> list[Line]:
    """Everybody reruns the queue with a think time of five seconds."""
    times: list[float] = []
    until = time.monotonic() + seconds

    def one(wire: Wire, nth: int) -> None:
        chance = random.Random(nth)
        time.sleep(chance.random() * THINK_SECONDS)
        while time.monotonic() < until:
            times.append(wire.rerun("tickets_queue").seconds * 1000)
            time.sleep(chance.uniform(0.5, 1.5) * THINK_SECONDS)

    before = cpu_seconds(side.pid)
    threads = [
        threading.Thread(target=one, args=(wire, nth), daemon=True)
        for nth, wire in enumerate(wires)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    share = (cpu_seconds(side.pid) - before) / seconds
    times.sort()
    p50, p95 = statistics.median(times), times[int(len(times) * 0.95)]
    told = f"p95 {p95:.0f} ms, p50 {p50:.0f} ms, {share:.0%} of a core"
    return [
        Line(
            "G4", f"clicking every {THINK_SECONDS:.0f} s ({at})", told, "p95 <= 250 ms", p95 <= 250
        )
    ]


def _growth(kind: str, side: Desk, server: psutil.Process, reruns: int) -> list[Line]:
    # What is garbage between two idle moments goes up and down: medians of five readings each.
    readings = []
    for _ in range(reruns // 200 + 5):
        for _ in range(200):
            side.wire.rerun("tickets_queue")
        readings.append(server.memory_info().rss)
    grown = statistics.median(readings[-5:]) / statistics.median(readings[:5]) - 1
    what = f"memory after {reruns:,} reruns ({kind})"
    return [Line("G5", what, f"{grown:+.1%}", "<= 5 %", grown <= 0.05)]
