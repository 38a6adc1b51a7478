"""Commands of the queue: what a browser's words may cause, once each, with a result for every case."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select, update
from streamlit.testing.v1 import AppTest

from db import session as database
from db.codes import Priority
from db.models.people import AuditRow
from db.models.tickets import QueueRow, Ticket, TicketEvent
from lib.people.actions import open_session_for
from lib.people.sessions import find_session, hash_token
from lib.shared import clock
from lib.shared.work import Actor, look, perform, system
from lib.ui.components.queue_commands import MOST_ITEMS, allowed
from tests.cast import Cast
from tests.tickets.open_cases import write_open_case

TEST = system("test")


def give_command() -> None:
    import streamlit as st

    from lib.ui.components import queue_commands

    queue_commands.take_command(st.session_state["command"])


class Desk:
    """One person's browser tab, giving commands as the table does."""

    def __init__(self, actor: Actor) -> None:
        now = clock.now()
        token = perform(open_session_for, actor=TEST, now=now, person_id=actor.person_id)
        facts = look(find_session, actor=TEST, now=now, token_hash=hash_token(token))
        assert facts is not None
        self.tab = AppTest.from_function(give_command, default_timeout=120)
        self.tab.user["session_row"] = str(facts.row_id)

    def give(self, command: Any) -> dict[str, Any] | None:
        self.tab.session_state["command"] = command
        self.tab.run()
        assert not self.tab.exception
        if "tickets.queue.results" not in self.tab.session_state:
            return None
        told: dict[str, Any] = self.tab.session_state["tickets.queue.results"]
        return told


def command(verb: str, cases: list[int], **arguments: Any) -> dict[str, Any]:
    items = [{"id": case, "version": 1} for case in cases]
    return {"key": uuid4().hex, "verb": verb, "arguments": arguments, "items": items}


def write(count: int) -> list[int]:
    with database.writing() as session:
        return [write_open_case(session, clock.now(), number) for number in range(1, count + 1)]


def audited(action: str) -> int:
    with database.ReadSession() as session:
        query = select(func.count()).select_from(AuditRow).where(AuditRow.action == action)
        return session.scalar(query) or 0


def test_ten_cases_get_a_technician_with_one_audit_entry_each(cast: Cast) -> None:
    cases = write(10)
    told = Desk(cast.dispatcher).give(
        command("assign", cases, technician_id=cast.technician.person_id)
    )
    assert told is not None
    assert told["rows"] == [[case, ""] for case in cases]
    assert audited("ticket.assigned") == 10
    with database.ReadSession() as session:
        technicians = set(session.scalars(select(QueueRow.technician_id)))
    assert technicians == {cast.technician.person_id}


def test_a_case_that_changed_meanwhile_is_refused_alone_and_by_name(cast: Cast) -> None:
    first, second, third = write(3)
    supervisor = Desk(cast.supervisor)
    supervisor.give(command("priority", [second], priority="p1"))
    told = Desk(cast.hotline).give(command("priority", [first, second, third], priority="p2"))
    assert told is not None
    assert [bool(why) for _, why in told["rows"]] == [False, True, False]
    assert "孙芳" in told["rows"][1][1]
    with database.ReadSession() as session:
        priorities = {row.ticket_id: row.priority for row in session.scalars(select(QueueRow))}
    assert priorities == {first: Priority.P2, second: Priority.P1, third: Priority.P2}


def test_a_command_sent_again_is_done_once_even_by_another_process(cast: Cast) -> None:
    case = write(1)[0]
    hotline = Desk(cast.hotline)
    order = command("take", [case])
    first = hotline.give(order)
    assert hotline.give(order) == first
    assert Desk(cast.hotline).give(order) == first
    assert audited("ticket.taken") == 1
    with database.ReadSession() as session:
        assert session.scalar(select(func.count()).select_from(TicketEvent)) == 1


def test_who_has_a_case_already_takes_it_without_a_trace(cast: Cast) -> None:
    case = write(1)[0]
    hotline = Desk(cast.hotline)
    hotline.give(command("take", [case]))
    with database.writing() as session:
        version = session.get_one(Ticket, case).version
    again = command("take", [case])
    again["items"][0]["version"] = version
    told = hotline.give(again)
    assert told is not None
    assert told["rows"] == [[case, ""]]
    assert audited("ticket.taken") == 1


def test_commands_are_offered_by_permit_and_refused_without(cast: Cast) -> None:
    assert allowed(cast.supervisor.roles) == ["take", "assign", "priority", "merge"]
    assert allowed(cast.hotline.roles) == ["take", "priority", "merge"]
    assert allowed(cast.auditor.roles) == []
    case = write(1)[0]
    told = Desk(cast.hotline).give(
        command("assign", [case], technician_id=cast.technician.person_id)
    )
    assert told is not None
    assert told["rows"][0][1]
    assert audited("ticket.assigned") == 0


def test_chosen_cases_are_merged_into_one_with_a_result_for_each(cast: Cast) -> None:
    survivor, first, second = write(3)
    Desk(cast.supervisor).give(command("priority", [second], priority="p1"))
    told = Desk(cast.hotline).give(command("merge", [first, second], survivor_id=survivor))
    assert told is not None
    assert [bool(why) for _, why in told["rows"]] == [False, True]
    with database.ReadSession() as session:
        assert session.get_one(Ticket, first).merged_into_id == survivor
        assert session.get_one(Ticket, second).merged_into_id is None
        assert set(session.scalars(select(QueueRow.ticket_id))) == {survivor, second}


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": "short"}, {"key": None}, {"verb": "close"}, {"verb": ["take"]}, {"arguments": None}, {"items": []},
        {"items": [{"id": 1}]}, {"items": [{"id": True, "version": 1}]}, {"items": [{"id": 2**40, "version": 1}]},
        {"items": [{"id": n, "version": 1} for n in range(MOST_ITEMS + 1)]}, {"items": "1"},
        {"verb": "priority", "arguments": {"priority": "p9"}}, {"verb": "assign", "arguments": {"technician_id": "1"}},
        {"verb": "priority", "arguments": {"priority": ["p1"]}},
        {"verb": "merge", "arguments": {}}, {"verb": "merge", "arguments": {"survivor_id": "1"}},
    ],
)  # fmt: skip
def test_words_that_make_no_command_do_nothing(cast: Cast, wrong: dict[str, Any]) -> None:
    case = write(1)[0]
    assert Desk(cast.supervisor).give(command("take", [case]) | wrong) is None
    assert audited("ticket.taken") == 0


def test_a_case_whose_row_is_gone_is_refused(cast: Cast) -> None:
    case = write(1)[0]
    with database.writing() as session:
        session.execute(update(Ticket).values(status="closed"))
    told = Desk(cast.hotline).give(command("take", [case, case + 1]))
    assert told is not None
    assert all(why for _, why in told["rows"])
