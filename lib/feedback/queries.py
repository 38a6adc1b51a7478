"""Reads of return calls and surveys. Phones are masked here by role; a survey's link is for those who send it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, Select, func, select

from db.codes import EventKind, FaultCode, ReturnCallResult, ReturnCallState, Role
from db.models.customers import Contact, Customer
from db.models.feedback import SurveyInvitation
from db.models.people import Person
from db.models.tickets import ReturnCall, ReturnCallTry, Ticket, TicketEvent
from lib.customers.queries import sees_full
from lib.customers.rules import mask_phone
from lib.feedback import rules
from lib.feedback.actions import KEY_NAME
from lib.shared.errors import Refusal
from lib.shared.settings import key
from lib.shared.work import Actor, Look

CALLERS = frozenset({Role.HOTLINE, Role.SUPERVISOR})
"""Who makes return calls and sends survey links."""


@dataclass(frozen=True, slots=True)
class ReturnCallRow:
    """An open return call as its list shows it; `work_done` is what was written at completion."""

    id: int
    version: int
    ticket_id: int
    number: str
    fault: FaultCode
    company: str
    contact: str
    phone: str
    technician: str
    received_at: datetime
    completed_at: datetime | None
    due_at: datetime
    tries: int
    work_done: str
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class TryRow:
    at: datetime
    by: str
    result: ReturnCallResult
    words: str


@dataclass(frozen=True, slots=True)
class SurveyLink:
    """A link that staff pass on; `token` is its secret, "" once it is answered or expired."""

    invitation_id: int
    ticket_id: int
    number: str
    company: str
    contact: str
    token: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Survey:
    """What the public page tells of the case."""

    number: str
    fault: FaultCode
    received_at: datetime


def may_call(actor: Actor) -> bool:
    """Whether the actor makes return calls."""
    return actor.person_id is None or actor.has(*CALLERS)


def list_return_calls(look: Look, *, limit: int = 100) -> list[ReturnCallRow]:
    """Open return calls, the first due first (S-25); none for those who make no calls."""
    if not may_call(look.actor):
        return []
    work_done = (
        select(TicketEvent.words)
        .where(TicketEvent.ticket_id == Ticket.id, TicketEvent.kind == EventKind.COMPLETED)
        .order_by(TicketEvent.at.desc(), TicketEvent.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = look.session.execute(
        select(
            ReturnCall.id,
            ReturnCall.version,
            ReturnCall.ticket_id,
            ReturnCall.due_at,
            ReturnCall.tries,
            Ticket.number,
            Ticket.fault,
            Ticket.received_at,
            Ticket.completed_at,
            Customer.name.label("company"),
            Contact.name.label("contact"),
            Contact.phone,
            Person.name.label("technician"),
            work_done.label("work_done"),
        )
        .join(Ticket, Ticket.id == ReturnCall.ticket_id)
        .outerjoin(Customer, Customer.id == Ticket.customer_id)
        .outerjoin(Contact, Contact.id == Ticket.contact_id)
        .outerjoin(Person, Person.id == Ticket.technician_id)
        .where(ReturnCall.state == ReturnCallState.OPEN)
        .order_by(ReturnCall.due_at, ReturnCall.id)
        .limit(limit)
    ).all()
    full = sees_full(look.actor)
    return [
        ReturnCallRow(
            id=row.id,
            version=row.version,
            ticket_id=row.ticket_id,
            number=row.number,
            fault=row.fault,
            company=row.company or "",
            contact=row.contact or "",
            phone=(row.phone or "") if full else mask_phone(row.phone or ""),
            technician=row.technician or "",
            received_at=row.received_at,
            completed_at=row.completed_at,
            due_at=row.due_at,
            tries=row.tries,
            work_done=row.work_done or "",
            is_overdue=row.due_at < look.now,
        )
        for row in rows
    ]


def count_return_calls(look: Look) -> int:
    """All open return calls, also beyond the list's limit."""
    if not may_call(look.actor):
        return 0
    found = look.session.scalar(
        select(func.count()).where(ReturnCall.state == ReturnCallState.OPEN)
    )
    return found or 0


def list_tries(look: Look, *, return_call_id: int) -> list[TryRow]:
    """The tries of one return call, the newest first."""
    if not may_call(look.actor):
        return []
    rows = look.session.execute(
        select(ReturnCallTry, Person.name)
        .outerjoin(Person, Person.id == ReturnCallTry.person_id)
        .where(ReturnCallTry.return_call_id == return_call_id)
        .order_by(ReturnCallTry.at.desc(), ReturnCallTry.id.desc())
    ).all()
    return [TryRow(tried.at, name or "", tried.result, tried.words) for tried, name in rows]


def list_survey_links(look: Look, *, limit: int = 10) -> list[SurveyLink]:
    """The newest links that still wait for an answer, to be sent or sent again."""
    if not may_call(look.actor):
        return []
    rows = look.session.execute(
        _links()
        .where(SurveyInvitation.answered_at.is_(None), SurveyInvitation.expires_at > look.now)
        .order_by(SurveyInvitation.id.desc())
        .limit(limit)
    ).all()
    return [_link(row, look.now) for row in rows]


def find_survey_link(look: Look, *, invitation_id: int) -> SurveyLink:
    """One link by its invitation. Refuses `not_found`, also to those who do not send links."""
    row = look.session.execute(_links().where(SurveyInvitation.id == invitation_id)).one_or_none()
    if row is None or not may_call(look.actor):
        raise Refusal("not_found")
    return _link(row, look.now)


def find_survey_link_of(look: Look, *, ticket_id: int) -> SurveyLink | None:
    """The newest link of a case, None when there is none or the actor sends no links."""
    if not may_call(look.actor):
        return None
    row = look.session.execute(
        _links()
        .where(SurveyInvitation.ticket_id == ticket_id)
        .order_by(SurveyInvitation.cycle.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return _link(row, look.now)


def find_survey(look: Look, *, token: str) -> Survey:
    """The case behind a link. Refuses `survey_closed` alike for unknown, used and expired links."""
    row = look.session.execute(
        select(Ticket.number, Ticket.fault, Ticket.received_at)
        .join(SurveyInvitation, SurveyInvitation.ticket_id == Ticket.id)
        .where(
            SurveyInvitation.token_hash == rules.token_hash(token),
            SurveyInvitation.answered_at.is_(None),
            SurveyInvitation.expires_at > look.now,
        )
    ).one_or_none()
    if row is None:
        raise Refusal("survey_closed")
    return Survey(row.number, row.fault, row.received_at)


def _links() -> Select[SurveyInvitation, str, str, str]:
    return (
        select(SurveyInvitation, Ticket.number, Customer.name, Contact.name)
        .join(Ticket, Ticket.id == SurveyInvitation.ticket_id)
        .outerjoin(Customer, Customer.id == Ticket.customer_id)
        .outerjoin(Contact, Contact.id == Ticket.contact_id)
    )


def _link(row: Row[SurveyInvitation, str, str, str], now: datetime) -> SurveyLink:
    invitation, number, company, contact = row
    usable = invitation.answered_at is None and invitation.expires_at > now
    secret = rules.survey_token(
        key(KEY_NAME), invitation.ticket_id, invitation.cycle, invitation.nonce
    )
    return SurveyLink(
        invitation_id=invitation.id,
        ticket_id=invitation.ticket_id,
        number=number,
        company=company or "",
        contact=contact or "",
        token=secret if usable else "",
        created_at=invitation.created_at,
        expires_at=invitation.expires_at,
    )
