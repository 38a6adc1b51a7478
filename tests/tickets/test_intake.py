"""A call becomes a case in one transaction: the promise as told, sales told, an alarm when nobody is free."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from db import session as database
from db.codes import CommitmentKind, NoticeKind, TimerKind
from db.models.customers import Customer
from db.models.messages import Absence, Notice, NoticeReceipt
from db.models.people import Person
from db.models.tickets import Commitment, Ticket, TicketEvent, Timer
from lib.customers.actions import change_card
from lib.shared.errors import Refusal
from lib.shared.work import look, perform, system
from lib.tickets.callers import case_number, find_any_caller
from lib.tickets.calls import CallTold
from lib.tickets.intake import Caller, take_call, wish_technician
from lib.tickets.queries import find_promise
from lib.verification import CHECKS
from tests.groups import one_group
from tests.tickets.statements import statements
from tests.tickets.test_calls import told_of

# Monday 21 September 2026, 14:05:42 in Shanghai.
ASKED = datetime(2026, 9, 21, 6, 5, 42, tzinfo=UTC)


def take(actor, now, **changes):
    return perform(take_call, actor=actor, now=now, **told_of(now, **changes))


def told(kind):
    """Who got the notices of a kind."""
    with database.ReadSession() as session:
        return sorted(
            session.scalars(
                select(NoticeReceipt.person_id)
                .join(Notice, Notice.id == NoticeReceipt.notice_id)
                .where(Notice.kind == kind)
            )
        )


def test_rule_28_the_instant_told_counts_even_if_the_call_is_saved_later(cast):
    promise = look(find_promise, actor=cast.hotline, now=ASKED, received_at=ASKED)
    assert promise.until == datetime(2026, 9, 21, 6, 36, tzinfo=UTC)
    saved = ASKED + timedelta(minutes=2, seconds=18)
    sentence = "我们会在 14:36 前与您联系。"
    call = CallTold(ASKED, promised_at=promise.until, promise=sentence, policy_id=promise.policy_id)
    ticket_id = take(cast.hotline, saved, call=call)
    with database.ReadSession() as session:
        (stored,) = session.scalars(select(Commitment))
        response = session.scalar(
            select(Timer).where(
                Timer.ticket_id == ticket_id, Timer.kind == TimerKind.FIRST_RESPONSE
            )
        )
    assert (stored.kind, stored.due_at, stored.words) == (
        CommitmentKind.CALL_BACK,
        promise.until,
        sentence,
    )
    assert stored.promised_at == ASKED
    assert stored.policy_id == promise.policy_id
    # The first-contact timer itself is due with the promise, to the minute.
    assert promise.until - response.due_at < timedelta(minutes=1)


def test_rule_28_a_promise_told_before_a_long_call_stays_what_was_told(cast):
    saved = ASKED + timedelta(minutes=40)
    due = ASKED.replace(second=0) + timedelta(minutes=31)
    take(cast.hotline, saved, call=CallTold(ASKED, promised_at=due, promise="14:36"))
    with database.ReadSession() as session:
        (stored,) = session.scalars(select(Commitment))
    assert stored.due_at == due < saved


def test_s23_the_sales_owner_is_told_of_a_new_case_else_all_of_sales(cast, now):
    first = take(cast.hotline, now)
    assert told(NoticeKind.SALES_NOTICE) == [cast.sales.person_id]
    with database.ReadSession() as session:
        customer = session.get(Customer, session.get(Ticket, first).customer_id)
        contact_id = session.get(Ticket, first).contact_id
    with database.writing() as session:
        other = Person(
            login="li.hua",
            name="李华",
            password_hash="x",
            created_at=now,
            roles=[type(session.get(Person, cast.sales.person_id).roles[0])(role="sales")],
        )
        session.add(other)
        session.flush()
        owner_id = other.id
    perform(
        change_card,
        actor=cast.hotline,
        now=now,
        customer_id=customer.id,
        version=customer.version,
        service_owner_id=None,
        sales_owner_id=owner_id,
        remember="",
    )
    take(cast.hotline, now, caller=Caller(customer.id, contact_id=contact_id))
    assert told(NoticeKind.SALES_NOTICE) == [cast.sales.person_id, owner_id]


def test_s23_a_call_is_saved_when_nobody_is_free_and_the_dispatchers_are_alarmed(cast, now):
    take(cast.hotline, now)
    assert told(NoticeKind.NOBODY_FREE) == []
    with database.writing() as session:
        for technician in (cast.technician, cast.second_technician):
            session.add(
                Absence(
                    person_id=technician.person_id,
                    from_at=now - timedelta(hours=1),
                    until_at=now + timedelta(days=1),
                )
            )
    ticket_id = take(
        cast.hotline, now, caller=Caller(company="新桥医院", contact="周涛", phone="13512345678")
    )
    with database.ReadSession() as session:
        assert session.get(Ticket, ticket_id).technician_id is None
    assert told(NoticeKind.NOBODY_FREE) == [
        cast.dispatcher.person_id,
        cast.supervisor.person_id,
    ]


def test_the_hotline_notes_whom_it_would_send(cast, now):
    ticket_id = take(cast.hotline, now)
    wanted = {"ticket_id": ticket_id, "technician_id": cast.technician.person_id}
    perform(wish_technician, actor=cast.hotline, now=now, **wanted)
    with database.ReadSession() as session:
        noted = session.scalars(select(TicketEvent).order_by(TicketEvent.id.desc())).first()
        assert noted.details == {"technician_id": cast.technician.person_id, "wish": True}
        assert session.get(Ticket, ticket_id).technician_id is None
    with pytest.raises(Refusal) as refusal:
        wrong = wanted | {"technician_id": cast.sales.person_id}
        perform(wish_technician, actor=cast.hotline, now=now, **wrong)
    assert refusal.value.key == "not_a_technician"


@pytest.mark.postgres_smoke
def test_saving_a_whole_call_of_a_known_caller_takes_few_statements(cast, now):
    first = take(cast.hotline, now)
    with database.ReadSession() as session:
        ticket = session.get(Ticket, first)
    known = Caller(ticket.customer_id, contact_id=ticket.contact_id)
    call = CallTold(now, promised_at=now + timedelta(minutes=30), promise="10:30")
    with statements(database.writer()) as sent:
        take(cast.hotline, now, caller=known, call=call, key="form-1")
    most = 21 if database.is_sqlite() else 20
    assert 0 < len(sent) <= most, "\n".join(told[:200] for told, _ in sent)


@pytest.mark.postgres_smoke
def test_a_call_more_in_a_group_takes_few_statements_more(cast, now):
    with database.ReadSession() as session:
        first = session.get(Ticket, take(cast.hotline, now))
    known = Caller(first.customer_id, contact_id=first.contact_id)
    call = CallTold(now, promised_at=now + timedelta(minutes=30), promise="10:30")
    called = told_of(now, caller=known, call=call)
    sent = {}
    for size in (2, 8):
        with statements(database.writer()) as sent[size], one_group(now) as ask:
            for nth in range(size):
                ask(take_call, actor=cast.hotline, now=now, key=f"{size}-{nth}", **called)
    assert 0 < len(sent[8]) - len(sent[2]) <= 6 * 6
    with database.ReadSession() as session:
        assert session.scalars(select(Ticket.number).order_by(Ticket.id)).all() == [
            f"CC-2026-{nth:06}" for nth in range(1, 12)
        ]
    for check in CHECKS:
        assert look(check, actor=system("verify"), now=now).ok, check


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("CC-2026-000123", "CC-2026-000123"),
        ("cc-2026-123", "CC-2026-000123"),
        ("ＣＣ１２３", "CC-2026-000123"),
        ("cc 7", "CC-2026-000007"),
        ("2025-123", "CC-2025-000123"),
        ("021-6888", None),
        ("123", None),
        ("cctv", None),
    ],
)
def test_s18_the_number_of_a_case_is_understood_as_it_is_typed(words, number):
    assert case_number(words, 2026) == number


def test_s18_a_caller_is_found_by_the_number_of_a_case(cast, now):
    take(cast.hotline, now)
    (hit,) = look(find_any_caller, actor=cast.hotline, now=now, words="cc1")
    assert (hit.company, hit.contact) == ("东方宾馆", "李娜")
    (hit,) = look(find_any_caller, actor=cast.sales, now=now, words="CC-2026-000001")
    assert hit.phone == "138****5678"
    assert look(find_any_caller, actor=cast.technician, now=now, words="cc1") == []
    assert look(find_any_caller, actor=cast.hotline, now=now, words="cc99") == []
