"""The event stream: who may listen, what arrives how soon, and when it ends."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import delete

from db import session as database
from db.models.people import DeskSession, Person
from db.models.tickets import QueueRow
from lib.people import actions
from lib.people.sessions import hash_token
from lib.shared import clock
from lib.shared.work import perform, system
from tests.serving import SOON, Server
from tests.tickets.open_cases import announce, write_open_case
from tests.web.sockets import cookie_of, inside, person_id
from tests.wire import Answer, Wire

pytestmark = pytest.mark.web


def table_data(answer: Answer) -> dict[str, Any]:
    """What the queue table was given."""
    for message in reversed(answer.messages):
        element = message.delta.new_element
        if (
            element.WhichOneof("type") == "bidi_component"
            and "acknowledged" in element.bidi_component.json
        ):
            found: dict[str, Any] = json.loads(element.bidi_component.json)
            return found
    raise AssertionError("no queue was drawn")


class Ear:
    """Reads one stream, message by message."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()
        self.last = ""

    def hear(self, kind: str) -> dict[str, Any]:
        """The next message of a kind."""
        for line in self._lines:
            if line.startswith("data: "):
                message: dict[str, Any] = json.loads(line[6:])
                if message["t"] == kind:
                    return message
        raise AssertionError(f"the stream ended before a {kind}")

    def hear_out(self) -> float:
        """Seconds until the stream ends; `last` is then the kind of its last message."""
        began = time.monotonic()
        for line in self._lines:
            if line.startswith("data: "):
                self.last = json.loads(line[6:])["t"]
        return time.monotonic() - began


@contextmanager
def listening(server: Server, cookie: str, token: str, since: int) -> Iterator[Ear]:
    address = f"{server.address}/desk/live?view={token}&since={since}"
    with httpx.stream("GET", address, headers={"Cookie": cookie}, timeout=10) as response:
        assert response.status_code == 200
        assert response.headers["cache-control"] == "no-store"
        yield Ear(response)


def test_a_change_by_another_process_arrives_within_a_second_as_a_patch(server: Server) -> None:
    cookie = cookie_of(server, "hotline")
    with Wire(server.address, cookie) as wire:
        data = table_data(wire.rerun("tickets_queue"))
        with listening(server, cookie, data["token"], data["number"]) as ear:
            hello = ear.hear("hello")
            assert abs(hello["now"] / 1000 - clock.precise_now().timestamp()) < 0.5
            with inside(server), database.writing() as session:
                case = write_open_case(session, clock.now(), 1, customer_name="晨光学校")
                number = announce(session, case)
            began = time.monotonic()
            patch = ear.hear("patch")
            assert time.monotonic() - began < SOON
            assert patch["no"] == number
            assert patch["set"][0][data["fields"].index("company")] == "晨光学校"
            while ear.hear("counts")["counts"]["all"] != 1:
                continue
            with inside(server), database.writing() as session:
                session.execute(delete(QueueRow).where(QueueRow.ticket_id == case))
                announce(session, case)
            assert ear.hear("patch")["gone"] == [case]


def test_what_changed_while_the_tab_was_hidden_arrives_when_it_is_back(server: Server) -> None:
    cookie = cookie_of(server, "dispatcher")
    with Wire(server.address, cookie) as wire:
        data = table_data(wire.rerun("tickets_queue"))
        with listening(server, cookie, data["token"], data["number"]) as ear:
            ear.hear("hello")
        with inside(server), database.writing() as session:
            case = write_open_case(session, clock.now(), 2)
            announce(session, case)
        time.sleep(0.5)
        with listening(server, cookie, data["token"], data["number"]) as ear:
            assert ear.hear("patch")["set"][0][0] == case


def test_nobody_listens_to_a_view_of_somebody_else_or_without_a_session(server: Server) -> None:
    cookie = cookie_of(server, "hotline")
    other = cookie_of(server, "supervisor")
    with Wire(server.address, cookie) as wire:
        token = table_data(wire.rerun("tickets_queue"))["token"]
        address = f"{server.address}/desk/live?since=0&view="
        assert httpx.get(address + token, headers={"Cookie": other}).status_code == 404
        assert httpx.get(address + "made-up", headers={"Cookie": cookie}).status_code == 404
        assert httpx.get(address + token).status_code == 403
        assert httpx.get(address + token, headers={"Cookie": "desk_session=x"}).status_code == 403


def test_the_stream_ends_soon_after_a_revocation_and_after_signing_out(server: Server) -> None:
    revoked, left = cookie_of(server, "quality"), cookie_of(server, "sales")
    for cookie, part in ((revoked, "quality"), (left, "sales")):
        with Wire(server.address, cookie) as wire:
            data = table_data(wire.rerun("tickets_queue"))
            with listening(server, cookie, data["token"], data["number"]) as ear:
                ear.hear("hello")
                with inside(server):
                    _end(part, cookie)
                assert ear.hear_out() < 2.5
                assert ear.last == "over"


def _end(part: str, cookie: str) -> None:
    if part == "quality":
        with database.ReadSession() as session:
            person = session.get_one(Person, person_id(part))
        perform(
            actions.deactivate_person,
            actor=system("test"),
            now=clock.now(),
            person_id=person.id,
            version=person.version,
        )
        return
    with database.writing() as session:
        token = cookie.partition("=")[2]
        row = session.query(DeskSession).filter_by(token_hash=hash_token(token)).one()
        row.revoked_at = clock.now()


def test_the_queue_costs_few_messages_and_bytes_a_rerun(server: Server) -> None:
    with inside(server), database.writing() as session:
        for number in range(100, 180):
            write_open_case(session, clock.now(), number, customer_name="云山酒店管理有限公司")
    with Wire(server.address, cookie_of(server, "hotline")) as wire:
        for _ in range(3):
            answer = wire.rerun("tickets_queue")
            assert len(table_data(answer)["rows"]) == 50
            assert len(answer.messages) <= 60
            assert answer.size <= 25_000
