"""Pages beside the queue show other people's changes without being asked, and are silent while nothing changes."""

import time
from datetime import timedelta
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from db import session as database
from db.codes import Channel, FaultCode, Priority, WaitingFor
from db.models.people import Person
from db.models.tickets import Ticket
from lib.customers.actions import add_customer
from lib.shared import clock
from lib.shared.work import Actor, actor_of, perform
from lib.tickets.actions import open_ticket, start_waiting
from tests.browser.test_queue import listen_to_frames
from tests.browsing import Windows, settle
from tests.serving import SOON, Server
from tests.web.sockets import inside, person_id

pytestmark = [pytest.mark.browser, pytest.mark.alone]


def colleague(part: str) -> Actor:
    with database.ReadSession() as session:
        return actor_of(session.get_one(Person, person_id(part)))


def a_case(hotline: Actor) -> int:
    now = clock.now()
    customer = perform(add_customer, actor=hotline, now=now, name=f"云山酒店 {uuid4().hex}")
    return perform(
        open_ticket,
        actor=hotline,
        now=now,
        customer_id=customer,
        contact_id=None,
        site_id=None,
        item_id=None,
        channel=Channel.PHONE,
        received_at=now,
        fault=FaultCode.NOISE,
        words="有异响",
        priority=Priority.P3,
    )


def test_a_colleagues_step_shows_on_the_open_case_within_a_second(
    windows: Windows, server: Server
) -> None:
    with inside(server):
        supervisor = colleague("supervisor")
        case, other = a_case(supervisor), a_case(supervisor)
        page = windows.open("hotline", f"/tickets_detail?ticket={case}")
        frames = listen_to_frames(page)
        page.reload()
        settle(page)
        page.wait_for_timeout(1500)
        frames.clear()

        def wait_for(ticket: int, reason: str) -> None:
            with database.ReadSession() as session:
                version = session.get_one(Ticket, ticket).version
            perform(
                start_waiting,
                actor=supervisor,
                now=clock.now(),
                ticket_id=ticket,
                version=version,
                waiting_for=WaitingFor.PARTS,
                words=reason,
                until_at=clock.now() + timedelta(days=2),
            )

        wait_for(other, "别的单等备件")
        page.wait_for_timeout(1500)
        assert frames == [], "a change of another case is none of this page's business"
        wait_for(case, "等电机到货")
        began = time.monotonic()
        expect(page.get_by_text("等电机到货").first).to_be_visible()
        assert time.monotonic() - began < SOON
