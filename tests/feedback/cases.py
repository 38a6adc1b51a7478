"""Cases of one customer brought as far as a return call, by the real actions."""

from datetime import datetime, timedelta

from sqlalchemy import select

from db import session as database
from db.codes import Channel, FaultCode, Priority, ReturnCallResult
from db.models.customers import Contact, Customer
from db.models.tickets import ReturnCall, Ticket
from lib.feedback.actions import finish_return_call
from lib.feedback.queries import find_survey_link
from lib.shared.work import look, perform
from lib.tickets.actions import complete_ticket, open_ticket
from tests.cast import Cast

PHONE = "13812345678"


def a_customer(now: datetime, name: str = "华东师范大学") -> tuple[int, int]:
    """A customer with one contact: their ids."""
    with database.writing() as session:
        customer = Customer(name=name, created_at=now)
        session.add(customer)
        session.flush()
        contact = Contact(customer_id=customer.id, name="李娜", phone=PHONE, created_at=now)
        session.add(contact)
        session.flush()
        return customer.id, contact.id


def a_case(
    cast: Cast,
    received_at: datetime,
    *,
    customer: tuple[int, int] | None = None,
    fault: FaultCode = FaultCode.MOTOR_DEAD,
) -> int:
    customer_id, contact_id = customer or a_customer(received_at)
    return perform(
        open_ticket,
        actor=cast.hotline,
        now=received_at,
        customer_id=customer_id,
        contact_id=contact_id,
        site_id=None,
        item_id=None,
        channel=Channel.PHONE,
        received_at=received_at,
        fault=fault,
        words="电机不转",
        priority=Priority.P3,
    )


def version_of(ticket_id: int) -> int:
    with database.ReadSession() as session:
        return session.scalars(select(Ticket.version).where(Ticket.id == ticket_id)).one()


def complete(cast: Cast, ticket_id: int, now: datetime) -> None:
    perform(
        complete_ticket,
        actor=cast.supervisor,
        now=now,
        ticket_id=ticket_id,
        version=version_of(ticket_id),
        words="更换电机，测试正常",
    )


def return_call_of(ticket_id: int) -> tuple[int, int]:
    """Id and version of the newest return call of a case."""
    with database.ReadSession() as session:
        row = session.execute(
            select(ReturnCall.id, ReturnCall.version)
            .where(ReturnCall.ticket_id == ticket_id)
            .order_by(ReturnCall.cycle.desc())
        ).first()
        assert row is not None
        return row.id, row.version


def call_back(cast: Cast, ticket_id: int, now: datetime, result: ReturnCallResult) -> dict:
    call_id, version = return_call_of(ticket_id)
    return perform(
        finish_return_call,
        actor=cast.hotline,
        now=now,
        return_call_id=call_id,
        version=version,
        result=result,
        words="",
    )


def a_survey(cast: Cast, now: datetime) -> str:
    """The token of a fresh survey link, its case received two hours before `now`."""
    ticket_id = a_case(cast, now - timedelta(hours=2))
    complete(cast, ticket_id, now - timedelta(hours=1))
    told = call_back(cast, ticket_id, now, ReturnCallResult.FIXED)
    link = look(find_survey_link, actor=cast.hotline, now=now, invitation_id=told["invitation_id"])
    return link.token
