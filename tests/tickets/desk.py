"""A desk in tests: runs actions the way the doors do, with a clock that the test moves."""

from datetime import timedelta

from sqlalchemy import select

from db import session as database
from db.codes import Channel, FaultCode, Priority, TimerKind
from db.models.customers import Customer
from db.models.tickets import Commitment, QueueRow, ReturnCall, Ticket, TicketEvent, Timer
from lib.shared.work import Work, perform, permit
from lib.tickets import actions


@permit()
def bring_customer(work: Work, *, name: str) -> int:
    customer = Customer(name=name, created_at=work.now)
    work.session.add(customer)
    work.session.flush()
    return customer.id


class Desk:
    """Runs actions the way the doors do, with a clock that the test moves."""

    def __init__(self, cast, now, customer_id):
        self.cast, self.now, self.customer_id = cast, now, customer_id

    def pass_time(self, **span):
        self.now += timedelta(**span)

    def do(self, action, *, by, **arguments):
        return perform(action, actor=by, now=self.now, **arguments)

    def take_call(self, **changes):
        told = {
            "customer_id": self.customer_id,
            "contact_id": None,
            "site_id": None,
            "item_id": None,
            "channel": Channel.PHONE,
            "received_at": self.now,
            "fault": FaultCode.MOTOR_DEAD,
            "words": "电机不转",
            "priority": Priority.P2,
        }
        return self.do(actions.open_ticket, by=self.cast.hotline, **(told | changes))

    def step(self, action, ticket_id, *, by, **arguments):
        version = self.ticket(ticket_id).version
        return self.do(action, by=by, ticket_id=ticket_id, version=version, **arguments)

    def ticket(self, ticket_id):
        with database.ReadSession() as session:
            return session.get(Ticket, ticket_id)

    def timer(self, ticket_id, kind, cycle=1):
        with database.ReadSession() as session:
            return session.scalar(
                select(Timer).where(
                    Timer.ticket_id == ticket_id, Timer.kind == kind, Timer.cycle == cycle
                )
            )

    def queue_row(self, ticket_id):
        with database.ReadSession() as session:
            return session.get(QueueRow, ticket_id)

    def return_call(self, ticket_id, cycle=1):
        with database.ReadSession() as session:
            return session.scalar(
                select(ReturnCall).where(
                    ReturnCall.ticket_id == ticket_id, ReturnCall.cycle == cycle
                )
            )

    def events(self, ticket_id):
        with database.ReadSession() as session:
            return list(
                session.scalars(
                    select(TicketEvent.kind)
                    .where(TicketEvent.ticket_id == ticket_id)
                    .order_by(TicketEvent.id)
                )
            )

    def call_back(self, ticket_id, result, cycle=1):
        call = self.return_call(ticket_id, cycle)
        return self.do(
            actions.try_return_call,
            by=self.cast.hotline,
            return_call_id=call.id,
            version=call.version,
            result=result,
            words="",
        )

    def commitment(self, commitment_id):
        with database.ReadSession() as session:
            return session.get(Commitment, commitment_id)

    def promise(self, action, commitment_id, *, by, **arguments):
        """Keep, change or end a promise as somebody who sees its newest version."""
        version = self.commitment(commitment_id).version
        return self.do(action, by=by, commitment_id=commitment_id, version=version, **arguments)

    def promises(self, ticket_id):
        """The timers of the case's promises, in the order in which they were told."""
        with database.ReadSession() as session:
            return list(
                session.scalars(
                    select(Timer)
                    .where(Timer.ticket_id == ticket_id, Timer.kind == TimerKind.PROMISE)
                    .order_by(Timer.cycle)
                )
            )
