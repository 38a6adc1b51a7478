"""A desk that opens cases, adds policies and asks for stored timers, for tests of the clock."""

import pytest
from sqlalchemy import select

from db import session as store
from db.codes import Channel, FaultCode, Priority, TargetUnit, TimerKind
from db.models.tickets import Ticket, Timer
from lib.customers.actions import add_customer
from lib.shared.work import look, perform, system
from lib.tickets import actions, policies
from lib.tickets.checks import check_timers

WORKING = TargetUnit.WORKING_MINUTES


@pytest.fixture
def desk(cast, now):
    class Desk:
        def do(self, action, at=now, actor=None, **arguments):
            return perform(action, actor=actor or cast.supervisor, now=at, **arguments)

        def open(self, at=now, priority=Priority.P3) -> int:
            if not hasattr(self, "customer"):
                self.customer = self.do(add_customer, actor=cast.sales, name="荷花酒店")
            return self.do(
                actions.open_ticket,
                at=at,
                actor=cast.hotline,
                customer_id=self.customer,
                contact_id=None,
                site_id=None,
                item_id=None,
                channel=Channel.PHONE,
                received_at=at,
                fault=FaultCode.NOISE,
                words="",
                priority=priority,
            )

        def policy(self, amount: int, at=now, kind=TimerKind.RESOLUTION, **more) -> int:
            told = {"kind": kind, "unit": WORKING, "amount": amount, "clause": "S-16"} | more
            return self.do(policies.add_policy, at=at, calendar_id=1, **told)

        def timer(self, ticket_id: int, kind=TimerKind.RESOLUTION) -> Timer:
            with store.ReadSession() as session:
                return session.scalars(
                    select(Timer).where(Timer.ticket_id == ticket_id, Timer.kind == kind)
                ).one()

        def version(self, ticket_id: int) -> int:
            with store.ReadSession() as session:
                return session.get(Ticket, ticket_id).version

        def well(self, at=now) -> bool:
            report = look(check_timers, actor=system("verify"), now=at)
            assert report.fault is None, report.fault
            return report.cases > 0

    return Desk()
