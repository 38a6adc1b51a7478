"""A desk in tests of the clock: opens cases, adds policies and asks for stored timers."""

from datetime import timedelta

from sqlalchemy import select

from db import session as store
from db.codes import Channel, FaultCode, Priority, TargetUnit, TimerKind
from db.models.tickets import Ticket, Timer
from lib.customers.actions import add_customer
from lib.shared.work import look, perform, system
from lib.tickets import actions, policies
from lib.tickets.checks import check_timers

WORKING = TargetUnit.WORKING_MINUTES


class PolicyDesk:
    """Works at 10:00 unless told another instant, as the supervisor unless told another person."""

    def __init__(self, cast, now):
        self.cast, self.now = cast, now
        self.customer = None

    def do(self, action, at=None, actor=None, **arguments):
        return perform(action, actor=actor or self.cast.supervisor, now=at or self.now, **arguments)

    def open(
        self, at=None, priority=Priority.P3, *, channel=Channel.PHONE, received_at=None
    ) -> int:
        at = at or self.now
        if self.customer is None:
            self.customer = self.do(add_customer, actor=self.cast.sales, name="荷花酒店")
        return self.do(
            actions.open_ticket,
            at=at,
            actor=self.cast.hotline,
            customer_id=self.customer,
            contact_id=None,
            site_id=None,
            item_id=None,
            channel=channel,
            received_at=received_at or at,
            fault=FaultCode.NOISE,
            words="",
            priority=priority,
        )

    def policy(self, amount: int, at=None, kind=TimerKind.RESOLUTION, **more) -> int:
        """Saved at `at`, or a second before the desk's hour: it begins with the second after the saving."""
        at = at or self.now - timedelta(seconds=1)
        told = {"kind": kind, "unit": WORKING, "amount": amount, "clause": "S-16"} | more
        return self.do(policies.add_policy, at=at, calendar_id=1, **told)

    def timer(self, ticket_id: int, kind=TimerKind.RESOLUTION) -> Timer:
        with store.ReadSession() as session:
            return session.scalars(
                select(Timer).where(Timer.ticket_id == ticket_id, Timer.kind == kind)
            ).one()

    def timers(self, ticket_id: int, kind: TimerKind) -> list[Timer]:
        """The timers of a kind in the order of their cycles."""
        with store.ReadSession() as session:
            mine = select(Timer).where(Timer.ticket_id == ticket_id, Timer.kind == kind)
            return list(session.scalars(mine.order_by(Timer.cycle)))

    def version(self, ticket_id: int) -> int:
        with store.ReadSession() as session:
            return session.get(Ticket, ticket_id).version

    def well(self, at=None) -> bool:
        report = look(check_timers, actor=system("verify"), now=at or self.now)
        assert report.fault is None, report.fault
        return report.cases > 0
