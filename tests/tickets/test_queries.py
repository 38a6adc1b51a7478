"""What a case shows, and to whom."""

from datetime import date, datetime, timedelta

import pytest

from db import session as database
from db.codes import (
    Channel,
    CoverageState,
    EventKind,
    FaultCode,
    ItemKind,
    Priority,
    TicketStatus,
    TimerKind,
    Verdict,
    VisitStatus,
    WaitingFor,
)
from db.models.tickets import Ticket
from db.models.visits import Visit
from lib.customers import queries as customers
from lib.shared.errors import Refusal
from lib.shared.work import Actor, look, perform
from lib.tickets import actions, queries
from lib.tickets.intake import Caller, NewItem, Place, attach_call, reveal_caller, take_call
from lib.tickets.queries import TicketDetail
from lib.tickets.steps import Step
from tests.cast import Cast

PHONE = "138 1234 5678"
ADDRESS = "上海市浦东新区世纪大道100号"
NEW_CALLER = Caller(company="东方宾馆", contact="李娜", phone=PHONE)
NEW_PLACE = Place(
    site="主楼",
    address=ADDRESS,
    new_item=NewItem(ItemKind.MOTOR_TRACK, "电动轨道", "301", date(2025, 6, 18)),
)


def take(actor: Actor, now: datetime, **changes: object) -> int:
    told: dict[str, object] = {
        "caller": NEW_CALLER,
        "place": NEW_PLACE,
        "channel": Channel.PHONE,
        "received_at": None,
        "fault": FaultCode.MOTOR_DEAD,
        "words": "按了没反应",
        "priority": Priority.P2,
    }
    return perform(take_call, actor=actor, now=now, **(told | changes))


def see(actor: Actor, now: datetime, ticket_id: int) -> TicketDetail:
    return look(queries.find_ticket, actor=actor, now=now, ticket_id=ticket_id)


def version(ticket_id: int) -> int:
    with database.ReadSession() as session:
        ticket = session.get(Ticket, ticket_id)
        assert ticket is not None
        return ticket.version


def assign(cast: Cast, now: datetime, ticket_id: int) -> None:
    perform(
        actions.assign_technician,
        actor=cast.dispatcher,
        now=now,
        ticket_id=ticket_id,
        version=version(ticket_id),
        technician_id=cast.technician.person_id,
    )


def plan_visit(
    cast: Cast, now: datetime, ticket_id: int, *, done_at: datetime | None = None
) -> None:
    with database.writing() as session:
        session.add(
            Visit(
                ticket_id=ticket_id,
                technician_id=cast.technician.person_id,
                status=VisitStatus.DONE if done_at else VisitStatus.PLANNED,
                starts_at=now,
                ends_at=now + timedelta(hours=2),
                done_at=done_at,
                created_at=now,
            )
        )


@pytest.fixture
def ticket(cast: Cast, now: datetime) -> int:
    return take(cast.hotline, now)


def test_a_call_of_somebody_new_writes_company_contact_site_item_and_ticket(
    ticket: int, cast: Cast, now: datetime
) -> None:
    seen = see(cast.hotline, now, ticket)
    assert seen.number == "CC-2026-000001"
    assert seen.company == "东方宾馆"
    assert seen.contact is not None
    assert (seen.contact.name, seen.contact.phone, seen.contact.verified) == ("李娜", PHONE, False)
    assert seen.site is not None
    assert seen.site.address == ADDRESS
    assert seen.item is not None
    assert seen.item.room == "301"
    assert seen.coverage is CoverageState.IN_WARRANTY
    assert seen.warranty.ends_on == date(2027, 6, 18)
    assert (seen.owner, seen.technician) == ("王丽", "")


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"caller": Caller()}, "caller_missing"),
        ({"caller": Caller(company="东方宾馆")}, "contact_name_missing"),
        ({"caller": Caller(company="东方宾馆", contact="李娜")}, "phone_missing"),
        ({"fault": None}, "fault_missing"),
        ({"priority": None}, "priority_missing"),
        ({"place": Place(new_item=NewItem(ItemKind.CURTAIN, "窗帘"))}, "site_missing"),
        ({"place": Place(address=ADDRESS)}, "site_missing"),
        ({"received_at": datetime.fromisoformat("2026-11-24T10:01+08:00")}, "received_in_future"),
        ({"words": "a\x00b"}, "words_unreadable"),
    ],
)
def test_a_call_that_is_refused_leaves_nothing_behind(
    cast: Cast, now: datetime, changes: dict[str, object], key: str
) -> None:
    with pytest.raises(Refusal) as refused:
        take(cast.hotline, now, **changes)
    assert refused.value.key == key
    assert look(customers.find_callers, actor=cast.hotline, now=now, words="东方") == []


def test_a_call_without_a_known_item_is_taken_and_its_warranty_unknown(
    cast: Cast, now: datetime
) -> None:
    seen = see(cast.hotline, now, take(cast.hotline, now, place=Place()))
    assert (seen.item, seen.site, seen.coverage) == (None, None, CoverageState.UNKNOWN)


def test_a_known_caller_is_not_written_again(ticket: int, cast: Cast, now: datetime) -> None:
    (hit,) = look(customers.find_callers, actor=cast.hotline, now=now, words="lina")
    caller = Caller(customer_id=hit.customer_id, contact_id=hit.contact_id)
    again = take(cast.hotline, now, caller=caller, place=Place())
    assert see(cast.hotline, now, again).customer_id == hit.customer_id
    assert len(look(customers.find_callers, actor=cast.hotline, now=now, words="东方")) == 1


def test_open_cases_of_the_caller_are_shown_same_item_first(
    ticket: int, cast: Cast, now: datetime
) -> None:
    first = see(cast.hotline, now, ticket)
    assert first.customer_id is not None
    assert first.item is not None
    caller = Caller(
        customer_id=first.customer_id, contact_id=first.contact.id if first.contact else None
    )
    later = take(cast.hotline, now + timedelta(hours=1), caller=caller, place=Place())
    similar = look(
        queries.find_similar,
        actor=cast.hotline,
        now=now,
        customer_id=first.customer_id,
        item_id=first.item.id,
    )
    assert [(row.id, row.same_item) for row in similar] == [(ticket, True), (later, False)]
    assert (
        look(queries.list_last_faults, actor=cast.hotline, now=now, customer_id=first.customer_id)
        == []
    )


def test_a_second_call_can_be_noted_on_the_open_case(
    ticket: int, cast: Cast, now: datetime
) -> None:
    perform(attach_call, actor=cast.hotline, now=now, ticket_id=ticket, words="客户再次来电")
    events = look(queries.list_events, actor=cast.hotline, now=now, ticket_id=ticket)
    assert [event.kind for event in events] == [
        EventKind.INBOUND,
        EventKind.PROMISED,
        EventKind.RECEIVED,
    ]


def test_a_technician_sees_only_cases_that_are_his(ticket: int, cast: Cast, now: datetime) -> None:
    with pytest.raises(Refusal) as refused:
        see(cast.technician, now, ticket)
    assert refused.value.key == "ticket_not_found"
    assign(cast, now, ticket)
    assert see(cast.technician, now, ticket).technician == "陈刚"
    asked = (
        queries.find_ticket,
        queries.find_number_to_read,
        queries.list_events,
        queries.list_timers,
    )
    for query in asked:
        for actor in (cast.second_technician, cast.outsider, cast.administrator):
            with pytest.raises(Refusal):
                look(query, actor=actor, now=now, ticket_id=ticket)


def test_the_number_to_read_names_company_and_technician(
    ticket: int, cast: Cast, now: datetime
) -> None:
    case = see(cast.hotline, now, ticket)
    told = look(queries.find_number_to_read, actor=cast.hotline, now=now, ticket_id=ticket)
    assert told == queries.NumberToRead(ticket, case.number, case.company, "")
    assign(cast, now, ticket)
    told = look(queries.find_number_to_read, actor=cast.hotline, now=now, ticket_id=ticket)
    assert told.technician == "陈刚"


def test_a_technician_with_a_visit_keeps_seeing_the_case_when_another_takes_over(
    ticket: int, cast: Cast, now: datetime
) -> None:
    plan_visit(cast, now, ticket)
    assert see(cast.technician, now, ticket).steps == []


def test_the_technician_reads_the_phone_until_a_day_after_the_visit(
    ticket: int, cast: Cast, now: datetime
) -> None:
    assign(cast, now, ticket)
    assert phone(cast.technician, now + timedelta(days=9), ticket) == PHONE
    done = now + timedelta(hours=1)
    plan_visit(cast, now, ticket, done_at=done)
    assert phone(cast.technician, done + timedelta(hours=23, minutes=59), ticket) == PHONE
    assert phone(cast.technician, done + timedelta(hours=24), ticket) == "138****5678"


def test_desk_roles_read_phone_and_address_others_a_mask(
    ticket: int, cast: Cast, now: datetime
) -> None:
    for actor in (cast.hotline, cast.dispatcher, cast.supervisor):
        assert phone(actor, now, ticket) == PHONE
    for actor in (cast.sales, cast.quality, cast.auditor, cast.storekeeper):
        seen = see(actor, now, ticket)
        assert PHONE not in repr(seen)
        assert ADDRESS not in repr(seen)
        assert seen.contact is not None
        assert seen.contact.masked
    assert see(cast.quality, now, ticket).may_reveal
    assert not see(cast.auditor, now, ticket).may_reveal
    assert not see(cast.hotline, now, ticket).may_reveal


def test_a_masked_contact_is_revealed_for_a_reason_for_ten_minutes(
    ticket: int, cast: Cast, now: datetime
) -> None:
    perform(reveal_caller, actor=cast.quality, now=now, ticket_id=ticket, reason="质量回访")
    seen = see(cast.quality, now + timedelta(minutes=9), ticket)
    assert seen.contact is not None
    assert seen.site is not None
    assert (seen.contact.phone, seen.site.address) == (PHONE, ADDRESS)
    assert phone(cast.quality, now + timedelta(minutes=10), ticket) != PHONE
    assert phone(cast.sales, now, ticket) != PHONE


def test_a_technician_reveals_nobody_of_a_case_that_is_not_his(
    ticket: int, cast: Cast, now: datetime
) -> None:
    with pytest.raises(Refusal) as refused:
        perform(reveal_caller, actor=cast.technician, now=now, ticket_id=ticket, reason="顺路")
    assert refused.value.key == "ticket_not_found"


def test_the_timeline_tells_when_each_state_was_entered_and_left(
    ticket: int, cast: Cast, now: datetime
) -> None:
    assign(cast, now + timedelta(minutes=5), ticket)
    perform(
        actions.log_contact,
        actor=cast.hotline,
        now=now + timedelta(minutes=20),
        ticket_id=ticket,
        version=version(ticket),
        words="已电话联系",
    )
    events = look(queries.list_events, actor=cast.supervisor, now=now, ticket_id=ticket)
    stages = (EventKind.CONTACTED, EventKind.ASSIGNED, EventKind.RECEIVED)
    contacted, assigned, received = (
        next(event for event in events if event.kind is kind) for kind in stages
    )
    assert received.stage_until == now + timedelta(minutes=5)
    assert assigned.stage_until == now + timedelta(minutes=20)
    assert (assigned.actor, assigned.person) == ("赵敏", "陈刚")
    assert (contacted.begins_stage, contacted.stage_until) == (True, None)


def test_timers_show_their_verdict_and_that_nothing_counts_outside_hours(
    ticket: int, cast: Cast, now: datetime
) -> None:
    def timers(at: datetime) -> dict[TimerKind, queries.TimerRow]:
        rows = look(queries.list_timers, actor=cast.hotline, now=at, ticket_id=ticket)
        return {row.kind: row for row in rows}

    assert timers(now)[TimerKind.FIRST_RESPONSE].verdict is Verdict.MET
    first = timers(now)[TimerKind.PROMISE]
    assert (first.verdict, first.due_at) == (Verdict.RUNNING, now + timedelta(minutes=30))
    assert timers(now + timedelta(minutes=31))[TimerKind.PROMISE].verdict is Verdict.MISSED
    night = timers(now + timedelta(hours=10))[TimerKind.RESOLUTION]
    assert (night.verdict, night.outside_hours) == (Verdict.RUNNING, True)


def test_only_legal_steps_are_offered_and_only_to_roles_that_may(
    ticket: int, cast: Cast, now: datetime
) -> None:
    assert see(cast.dispatcher, now, ticket).steps[0] is Step.ASSIGN
    assert Step.ASSIGN not in see(cast.hotline, now, ticket).steps
    assert see(cast.auditor, now, ticket).steps == []
    assert see(cast.sales, now, ticket).steps == [Step.NOTE]
    assert Step.TAKE not in see(cast.hotline, now, ticket).steps
    perform(
        actions.start_waiting,
        actor=cast.hotline,
        now=now,
        ticket_id=ticket,
        version=version(ticket),
        waiting_for=WaitingFor.PARTS,
        words="缺电机",
        until_at=now + timedelta(days=1),
    )
    assert see(cast.hotline, now, ticket).steps[0] is Step.END_WAITING
    perform(
        actions.complete_ticket,
        actor=cast.supervisor,
        now=now,
        ticket_id=ticket,
        version=version(ticket),
        words="已更换",
    )
    seen = see(cast.hotline, now, ticket)
    assert seen.status is TicketStatus.COMPLETED
    assert seen.steps == [Step.RETURN_CALL, Step.CHANGE, Step.FOLLOW_UP, Step.NOTE]
    kinds = {
        row.kind for row in look(queries.list_timers, actor=cast.hotline, now=now, ticket_id=ticket)
    }
    assert TimerKind.RETURN_CALL in kinds


def test_every_offered_step_that_needs_no_words_is_accepted(
    ticket: int, cast: Cast, now: datetime
) -> None:
    assert Step.TAKE in see(cast.supervisor, now, ticket).steps
    perform(
        actions.take_ticket,
        actor=cast.supervisor,
        now=now,
        ticket_id=ticket,
        version=version(ticket),
    )
    assert Step.TAKE not in see(cast.supervisor, now, ticket).steps


def test_a_case_is_found_by_its_number(ticket: int, cast: Cast, now: datetime) -> None:
    def find(actor: Actor) -> int | None:
        return look(queries.find_ticket_id, actor=actor, now=now, number=" cc-2026-000001")

    assert find(cast.hotline) == ticket
    assert find(cast.technician) is None


def phone(actor: Actor, now: datetime, ticket_id: int) -> str:
    contact = see(actor, now, ticket_id).contact
    assert contact is not None
    return contact.phone
