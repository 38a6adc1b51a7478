"""Creating cases, 8 at a time: the action against bare ORM, and against the peers (goals G6, G10)."""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from db import session as database
from db.codes import Channel, FaultCode, Priority, Role
from db.models.customers import Contact
from db.models.people import AuditRow, Change, Person, PersonRole
from db.models.tickets import QueueRow, Ticket, TicketEvent, Timer
from lib.shared import clock
from lib.shared.work import Actor, actor_of, perform
from lib.tickets.actions import open_ticket
from lib.tickets.search import put_terms
from lib.tickets.terms import terms_of
from tests.bench.hello import ours
from tests.bench.machine import Line, machine, measure_reruns, print_table
from tests.bench.pages import PEER_HELLO_MS
from tests.bench.stores import Store, desk, store

THREADS = 8
OWN_CASES = 3_000
"""A store of its own: rows without their facts are left in it."""

PEER_CREATE_MS, PEER_WORKERS = 18.5, 2
"""django-helpdesk: CPU of creating a ticket, with two workers on two cores."""


def main(arguments: Sequence[str]) -> int:
    """Print the table; 1 when a goal is missed."""
    options = argparse.ArgumentParser(prog="./run bench writing")
    options.add_argument("--stores", nargs="+", default=["sqlite", "postgresql"])
    options.add_argument("--count", type=int, default=800)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args(arguments)
    print(machine(), flush=True)
    lines: list[Line] = []
    for kind in chosen.stores:
        lines += measure(kind, chosen.count, chosen.rounds)
    return print_table(lines)


def measure(kind: str, count: int, rounds: int) -> list[Line]:
    """Operations a second of action and bare ORM in turns, and the page that creates a case."""
    with store(kind, OWN_CASES) as kept:
        page_ms, hello_ms, pages_a_second = _entry_page(kept)
        database.configure(kept.address)
        try:
            agent, contacts = _people(kept)
            paces: dict[str, list[float]] = {"action": [], "orm": []}
            spent: list[float] = []
            for _ in range(rounds):
                before = time.process_time()
                paces["action"].append(
                    _pace(count, lambda nth: _create(agent, contacts[nth % len(contacts)]))
                )
                spent.append((time.process_time() - before) * 1000 / count)
                paces["orm"].append(_pace(count, _bare))
                print(
                    f"{kind}: action {paces['action'][-1]:.0f}/s, bare ORM {paces['orm'][-1]:.0f}/s",
                    flush=True,
                )
        finally:
            _model.clear()
            database.dispose()
    ratio = statistics.median(a / b for a, b in zip(paces["action"], paces["orm"], strict=True))
    action_ms = statistics.median(spent)
    whole_ms = page_ms + action_ms
    scale = hello_ms / PEER_HELLO_MS
    # One process: the page's reruns and the action share one interpreter.
    pace = 1 / (1 / pages_a_second + action_ms / 1000)
    peer = PEER_WORKERS * 1000 / (PEER_CREATE_MS * scale)
    cheaper = whole_ms / (PEER_CREATE_MS * scale)
    created = f"create a case ({kind})"
    threads = f"action / bare ORM with the same rows, {THREADS} threads ({kind})"
    told = f"{pace:.0f} a second"
    return [
        Line("G6", f"{created}, page and action", told, f">= the peer's {peer:.0f}", pace >= peer),
        Line("G6", f"{created}, CPU / peer's", f"{cheaper:.2f}x", "<= 0.8x", cheaper <= 0.8),
        Line("G10", threads, f"{ratio:.2f}x", ">= 0.4x", ratio >= 0.4),
    ]


def _entry_page(kept: Store) -> tuple[float, float, float]:
    """CPU ms of a rerun of the page of a call and of hello, and such reruns a second with 8 clients at once."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="curtaincall-bench-")))
        side = stack.enter_context(desk(kept, role=str(Role.HOTLINE)))
        hello = stack.enter_context(ours("tests.bench.apps.ours:app", folder))
        page, least = [], []
        for _ in range(3):
            page.append(measure_reruns(side.wire, side.pid, page="tickets_entry", count=40).cpu_ms)
            least.append(measure_reruns(hello.wire, hello.pid, count=100).cpu_ms)
    page_ms = statistics.median(page)
    return page_ms, statistics.median(least), 1000 / page_ms


def _people(kept: Store) -> tuple[Actor, list[tuple[int, int]]]:
    with database.ReadSession() as session:
        agent = session.scalars(
            select(Person).join(PersonRole).where(PersonRole.role == Role.HOTLINE).limit(1)
        ).one()
        actor = actor_of(agent)
        found = session.execute(select(Contact.customer_id, Contact.id).limit(200))
        return actor, [(customer_id, contact_id) for customer_id, contact_id in found]


def _create(agent: Actor, contact: tuple[int, int]) -> None:
    now = clock.now()
    perform(
        open_ticket,
        actor=agent,
        now=now,
        customer_id=contact[0],
        contact_id=contact[1],
        site_id=None,
        item_id=None,
        channel=Channel.PHONE,
        received_at=now,
        fault=FaultCode.NOISE,
        words="开合时有很大的咔咔声，客人投诉。",
        priority=Priority.P3,
    )


def _pace(count: int, work: Callable[[int], None]) -> float:
    """Calls a second by THREADS threads; an error in one of them is raised here."""
    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as threads:
        for _ in threads.map(work, range(count)):
            pass
    return count / (time.monotonic() - began)


_model: dict[str, Any] = {}


def _bare(_nth: int) -> None:
    """The rows of a new case as the action wrote them last, by plain ORM objects and one commit."""
    if not _model:
        _take_model()
    with database.writing() as session:
        ticket = Ticket(**_model["ticket"], number=f"X-{uuid4().hex[:20]}")
        session.add(ticket)
        session.flush()
        session.add_all(TicketEvent(ticket_id=ticket.id, **row) for row in _model["events"])
        session.add_all(Timer(ticket_id=ticket.id, **row) for row in _model["timers"])
        session.add(QueueRow(ticket_id=ticket.id, **_model["row"]))
        session.add(Change(number=-ticket.id, ticket_id=ticket.id))
        session.add(AuditRow(id=-ticket.id, hash=f"{-ticket.id:064d}", **_model["audit"]))
        session.flush()
        put_terms(session.connection(), [(ticket.id, _model["terms"])])


def _take_model() -> None:
    with database.ReadSession() as session:
        ticket = session.scalars(select(Ticket).order_by(Ticket.id.desc()).limit(1)).one()
        of = ticket.id
        told: dict[str, Any] = {
            "ticket": _values(ticket, {"id", "number"}),
            "events": [
                _values(row, {"id", "ticket_id"})
                for row in session.scalars(select(TicketEvent).where(TicketEvent.ticket_id == of))
            ],
            "timers": [
                _values(row, {"id", "ticket_id"})
                for row in session.scalars(select(Timer).where(Timer.ticket_id == of))
            ],
            "row": _values(session.get_one(QueueRow, of), {"ticket_id"}),
            "audit": _values(
                session.scalars(select(AuditRow).order_by(AuditRow.id.desc()).limit(1)).one(),
                {"id", "hash"},
            ),
        }
    row = told["row"]
    told["terms"] = terms_of(row["search_key"], row["text_key"], row["phone_digits"])
    _model.update(told)


def _values(row: Any, without: set[str]) -> dict[str, Any]:
    return {
        column.name: getattr(row, column.name)
        for column in row.__table__.c
        if column.name not in without
    }
