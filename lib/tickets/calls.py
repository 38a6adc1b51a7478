"""Calls to the hotline: how fast they were answered, the steps of the script, and who is to be called back (S-13)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from db.codes import CallStep, Channel, Role, TargetUnit, TimerKind, Verdict
from db.models.customers import Contact, Customer
from db.models.people import Person
from db.models.tickets import PhoneCall, Ticket
from lib.customers import rules as names
from lib.customers.queries import may_look_up, sees_full
from lib.shared.calendar import epoch
from lib.shared.calendars import calendar_named
from lib.shared.errors import Refusal
from lib.shared.work import Look, Work, permit
from lib.tickets.policies import rulebook
from lib.tickets.promises import Call, answer_of
from lib.tickets.rules import ensure_readable
from lib.tickets.targets import Amount, Matter, Target
from lib.tickets.timers import earliest, verdict

RING_SECONDS = 5
LONGEST_WAIT = timedelta(hours=1)
LONGEST_CALL = timedelta(hours=12)
CALLBACK_MINUTES = 30
"""Working minutes to call back in when no policy gives a first response by telephone."""
SHOWN = 100
BY_PHONE = Matter(channel=Channel.PHONE)


class CallOutcome(StrEnum):
    """What became of a call; `ringing` until its telephone system or its agent says more."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    MISSED = "missed"
    RINGING = "ringing"


@dataclass(frozen=True, slots=True)
class CallTold:
    """What the entry form knows of the call that a case comes from.

    promised_at: the instant that was read out, with `promise` as the sentence (rule 28) and the policy that it came
    from. callback_of: the missed or abandoned call that this one answers.
    """

    started_at: datetime
    steps: Mapping[CallStep, datetime] = field(default_factory=dict)
    promised_at: datetime | None = None
    promise: str = ""
    policy_id: int | None = None
    callback_of: int | None = None


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call as the log shows it; `phone` is masked by role."""

    id: int
    version: int
    outcome: CallOutcome
    offered_at: datetime
    waited_seconds: int | None
    verdict: Verdict | None
    """None when it was not measured how long it rang."""
    phone: str
    customer_id: int | None
    contact_id: int | None
    company: str
    contact: str
    ticket_id: int | None
    number: str
    person: str
    callback_due_at: datetime | None
    called_back_at: datetime | None
    is_overdue: bool
    words: str


@dataclass(frozen=True, slots=True)
class AnswerRate:
    """How many calls of a period were answered in time (rule 18).

    left_out: abandoned before the target. unmeasured: answered without a stamp of the ringing.
    """

    met: int
    missed: int
    left_out: int
    unmeasured: int
    abandoned: int
    unanswered: int

    @property
    def measured(self) -> int:
        return self.met + self.missed

    @property
    def rate(self) -> float | None:
        return self.met / self.measured if self.measured else None


@permit(Role.HOTLINE, Role.SUPERVISOR)
def log_call(
    work: Work,
    *,
    outcome: CallOutcome,
    offered_at: datetime,
    waited_seconds: int | None,
    phone: str = "",
    customer_id: int | None = None,
    contact_id: int | None = None,
    words: str = "",
) -> int:
    """Write down a call that came in; one nobody spoke to is to be called back (S-13). Answers its id.

    `waited_seconds`: how long it rang, None when nobody knows; five seconds a ring. A telephone system writes the
    same records. Refuses `call_in_future`, `call_wait_unclear`, `phone_unclear`, `call_nobody` when nobody could be
    called back, `not_of_customer`.
    """
    offered_at = offered_at.replace(microsecond=0)
    if outcome is CallOutcome.RINGING or waited_seconds is None:
        known = outcome in (CallOutcome.ANSWERED, CallOutcome.MISSED)
        waited = timedelta()
        if not known:
            raise Refusal("call_wait_unclear")
    else:
        waited = timedelta(seconds=waited_seconds)
    if not timedelta() <= waited <= LONGEST_WAIT:
        raise Refusal("call_wait_unclear")
    if offered_at + waited > work.now:
        raise Refusal("call_in_future")
    phone = names.clean(phone, 40)
    if phone and not names.is_phone(phone):
        raise Refusal("phone_unclear")
    if outcome is not CallOutcome.ANSWERED and not phone and contact_id is None:
        raise Refusal("call_nobody")
    _ensure_contact(work, customer_id, contact_id)
    end = offered_at + waited
    spoken = outcome is CallOutcome.ANSWERED
    call = PhoneCall(
        offered_at=offered_at,
        answered_at=end if spoken else None,
        abandoned_at=end if outcome is CallOutcome.ABANDONED else None,
        ended_at=None if spoken else end,
        answer_due_at=None
        if spoken and waited_seconds is None
        else answer_due(work.session, offered_at),
        phone=phone,
        phone_digits=names.phone_digits(phone)[:40] if phone else "",
        customer_id=customer_id,
        contact_id=contact_id,
        person_id=work.actor.person_id,
        callback_due_at=None if spoken else callback_due(work.session, end),
        words=ensure_readable(words.strip(), limit=400),
    )
    work.session.add(call)
    work.session.flush()
    work.record("call.logged", call, outcome=outcome)
    work.touch_ticket(0)
    return call.id


@permit(Role.HOTLINE, Role.SUPERVISOR)
def mark_called_back(work: Work, *, call_id: int, version: int) -> int:
    """Somebody spoke to the caller of a missed or abandoned call. Answers the call's id.

    Refuses `callback_not_wanted` and `called_back_already`.
    """
    call = work.get(PhoneCall, call_id, version=version)
    _note_called_back(work, call)
    work.touch_ticket(0)
    return call.id


def _note_called_back(work: Work, call: PhoneCall) -> None:
    if call.callback_due_at is None:
        raise Refusal("callback_not_wanted")
    if call.called_back_at is not None:
        raise Refusal("called_back_already")
    call.called_back_at = work.now
    call.called_back_by_id = work.actor.person_id
    work.record("call.called_back", call)


def write_answered(
    work: Work,
    told: CallTold,
    *,
    ticket_id: int,
    customer_id: int | None,
    contact_id: int | None,
    saved: bool,
) -> None:
    """Keep the answered call of a case with the stamps of its steps; its end is now.

    How long it rang the entry form does not know: the call stays out of the answer rate. Refuses `call_out_of_time`.
    """
    started_at = told.started_at.replace(microsecond=0)
    if not work.now - LONGEST_CALL <= started_at <= work.now:
        raise Refusal("call_out_of_time")
    steps = {
        step: min(max(at, started_at), work.now).isoformat() for step, at in told.steps.items()
    }
    if saved:
        if told.promised_at is not None:
            steps[CallStep.PROMISE] = work.now.isoformat()
        steps[CallStep.SAVE] = work.now.isoformat()
    if told.callback_of is not None:
        missed = work.get(PhoneCall, told.callback_of)
        if missed.callback_due_at is not None and missed.called_back_at is None:
            _note_called_back(work, missed)
            missed.ticket_id = ticket_id
    work.write(
        PhoneCall,
        offered_at=started_at,
        answered_at=started_at,
        ended_at=work.now,
        customer_id=customer_id,
        contact_id=contact_id,
        ticket_id=ticket_id,
        person_id=work.actor.person_id,
        steps={step.value: steps[step] for step in CallStep if step in steps},
    )


def _ensure_contact(work: Work, customer_id: int | None, contact_id: int | None) -> None:
    if customer_id is not None:
        work.get(Customer, customer_id)
    if contact_id is not None and work.get(Contact, contact_id).customer_id != customer_id:
        raise Refusal("not_of_customer")


def answer_due(session: Session, offered_at: datetime) -> datetime | None:
    """By when a call is to be answered (S-13); None when no policy says so."""
    target = _target(session, TimerKind.ANSWER, offered_at)
    return None if target is None else earliest(target, offered_at)


def callback_due(session: Session, ended_at: datetime) -> datetime:
    """By when somebody calls back: the first response by telephone, else 30 working minutes."""
    target = _target(session, TimerKind.FIRST_RESPONSE, ended_at) or Target(
        Amount(TargetUnit.WORKING_MINUTES, CALLBACK_MINUTES), calendar_named(session).time
    )
    return earliest(target, ended_at)


def _target(session: Session, kind: TimerKind, at: datetime) -> Target | None:
    second = epoch(at)
    return rulebook(session).target_of(kind, BY_PHONE, second, second)


def outcome_of(call: PhoneCall) -> CallOutcome:
    """What became of a call, from its instants."""
    if call.answered_at is not None:
        return CallOutcome.ANSWERED
    if call.abandoned_at is not None:
        return CallOutcome.ABANDONED
    return CallOutcome.RINGING if call.ended_at is None else CallOutcome.MISSED


def list_callbacks(look: Look, *, limit: int = SHOWN) -> list[CallRow]:
    """Whom to call back, the first due first."""
    wanted = and_(PhoneCall.callback_due_at.is_not(None), PhoneCall.called_back_at.is_(None))
    return _rows(look, wanted, [PhoneCall.callback_due_at, PhoneCall.id], limit)


def list_calls(look: Look, *, since: datetime, limit: int = SHOWN) -> list[CallRow]:
    """The calls since an instant, the newest first."""
    order = [PhoneCall.offered_at.desc(), PhoneCall.id.desc()]
    return _rows(look, PhoneCall.offered_at >= since, order, limit)


def find_call(look: Look, *, call_id: int) -> CallRow | None:
    """One call, for the form that calls back."""
    return next(iter(_rows(look, PhoneCall.id == call_id, [PhoneCall.id], 1)), None)


def _rows(look: Look, which: ColumnElement[bool], order: list[Any], limit: int) -> list[CallRow]:
    if not may_look_up(look.actor):
        return []
    found = look.session.execute(
        select(PhoneCall, Customer.name, Contact.name, Contact.phone, Ticket.number, Person.name)
        .outerjoin(Customer, Customer.id == PhoneCall.customer_id)
        .outerjoin(Contact, Contact.id == PhoneCall.contact_id)
        .outerjoin(Ticket, Ticket.id == PhoneCall.ticket_id)
        .outerjoin(Person, Person.id == PhoneCall.person_id)
        .where(which)
        .order_by(*order)
        .limit(limit)
    ).all()
    full = sees_full(look.actor)
    rows = []
    for call, company, contact, known_phone, number, person in found:
        phone = call.phone or known_phone or ""
        spoken = call.answered_at or call.abandoned_at or call.ended_at
        measured = call.answer_due_at is not None
        rows.append(
            CallRow(
                id=call.id,
                version=call.version,
                outcome=outcome_of(call),
                offered_at=call.offered_at,
                waited_seconds=int((spoken - call.offered_at).total_seconds())
                if measured and spoken
                else None,
                verdict=verdict_of(call, look.now) if measured else None,
                phone=phone if full else names.mask_phone(phone),
                customer_id=call.customer_id,
                contact_id=call.contact_id,
                company=company or "",
                contact=contact or "",
                ticket_id=call.ticket_id,
                number=number or "",
                person=person or "",
                callback_due_at=call.callback_due_at,
                called_back_at=call.called_back_at,
                is_overdue=call.callback_due_at is not None
                and call.called_back_at is None
                and look.now > call.callback_due_at,
                words=call.words,
            )
        )
    return rows


def verdict_of(call: PhoneCall, now: datetime) -> Verdict:
    """The answer timer of a measured call (rule 18): one abandoned in time is cancelled, one nobody took is missed."""
    assert call.answer_due_at is not None
    if outcome_of(call) is CallOutcome.MISSED:
        return Verdict.MISSED
    seconds = epoch(call.answer_due_at) - epoch(call.offered_at)
    return verdict(
        answer_of(Call(call.offered_at, call.answered_at, call.abandoned_at), seconds), now
    )


def find_answer_rate(look: Look, *, since: datetime, until: datetime) -> AnswerRate:
    """Calls answered in time in [since, until): met by their answer, missed by their due (rule 18)."""
    due, answered, abandoned = (
        PhoneCall.answer_due_at,
        PhoneCall.answered_at,
        PhoneCall.abandoned_at,
    )

    def count(*conditions: ColumnElement[bool]) -> Any:
        return func.coalesce(func.sum(case((and_(*conditions), 1), else_=0)), 0)

    def within(at: Any) -> ColumnElement[bool]:
        return and_(at >= since, at < until)

    nobody = and_(answered.is_(None), abandoned.is_(None))
    late = or_(
        answered > due,
        abandoned > due,
        and_(nobody, PhoneCall.ended_at.is_not(None)),
        and_(nobody, due < look.now),
    )
    met, missed, left_out, unmeasured, hung_up, unanswered = look.session.execute(
        select(
            count(answered <= due, within(answered)),
            count(late, within(due)),
            count(abandoned <= due, within(abandoned)),
            count(answered.is_not(None), due.is_(None), within(PhoneCall.offered_at)),
            count(abandoned.is_not(None), within(PhoneCall.offered_at)),
            count(nobody, PhoneCall.ended_at.is_not(None), within(PhoneCall.offered_at)),
        ).where(
            # An hour of ringing at most, so that the index by the offer bounds what is read.
            PhoneCall.offered_at >= since - LONGEST_WAIT,
            PhoneCall.offered_at < until,
        )
    ).one()
    return AnswerRate(met, missed, left_out, unmeasured, hung_up, unanswered)
