"""Who holds a case while its visits are planned, moved and carried out: every transfer is a hop (rule 16)."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, select, update

from db import session as store
from db.codes import EventKind, ReturnCallResult, TargetUnit, TimerKind, VisitOutcome
from db.models.people import Counter
from db.models.tickets import ReturnCall, TicketEvent, Timer
from lib.shared.work import look, perform, system
from lib.tickets import actions as tickets
from lib.tickets import hops, policies, withdrawal
from lib.tickets.checks import check_timers
from lib.visits import actions
from tests.visits.house_calls import Desk, a_signature

TEST = system("test")
MENDED = {"report": "更换电机", "outcome": VisitOutcome.FIXED, "signed_by": "张燕"}


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """A desk where whoever gets a case has half an hour."""
    perform(
        policies.add_policy,
        actor=desk.cast.supervisor,
        now=desk.now - timedelta(seconds=1),
        kind=TimerKind.HOP,
        unit=TargetUnit.WORKING_MINUTES,
        amount=30,
        clause="S-16",
        calendar_id=1,
    )
    return desk


def told(desk: Desk, ticket_id: int) -> list[tuple[datetime, datetime | None]]:
    """Start and stop of every hop; what is stored is what a recompute gives."""
    assert look(check_timers, actor=TEST, now=desk.now).fault is None
    with store.ReadSession() as session:
        mine = select(Timer).where(Timer.ticket_id == ticket_id, Timer.kind == TimerKind.HOP)
        timers = session.scalars(mine.order_by(Timer.cycle)).all()
        return [(timer.started_at, timer.stopped_at) for timer in timers]


def assign(desk: Desk, ticket_id: int, to) -> datetime:
    desk.pass_time(minutes=5)
    desk.do(
        tickets.assign_technician,
        by=desk.cast.dispatcher,
        ticket_id=ticket_id,
        version=desk.ticket(ticket_id).version,
        technician_id=to.person_id,
    )
    return desk.now


def move(desk: Desk, visit_id: int, to) -> datetime:
    desk.pass_time(minutes=5)
    desk.step(
        actions.move_visit,
        visit_id,
        by=desk.cast.dispatcher,
        technician_id=to.person_id,
        starts_at=desk.now + timedelta(hours=1),
        minutes=60,
    )
    return desk.now


def test_a_visit_for_another_technician_hands_the_case_over_and_one_for_its_holder_does_not(
    desk: Desk,
):
    first, second = desk.cast.technician, desk.cast.second_technician
    ticket_id = desk.a_case()
    assigned_at = assign(desk, ticket_id, first)
    desk.pass_time(minutes=5)
    visit_id = desk.plan(ticket_id, to=first)
    assert told(desk, ticket_id) == [(assigned_at, None)]
    moved_at = move(desk, visit_id, second)
    assert told(desk, ticket_id) == [(assigned_at, moved_at), (moved_at, None)]
    desk.pass_time(minutes=5)
    desk.step(actions.cancel_visit, visit_id, by=desk.cast.dispatcher, reason="客户改期")
    assert told(desk, ticket_id) == [(assigned_at, moved_at), (moved_at, None)]
    desk.pass_time(minutes=5)
    desk.plan(ticket_id, hours=3, to=first)
    assert told(desk, ticket_id)[1:] == [(moved_at, desk.now), (desk.now, None)]


def test_the_case_is_handed_to_whoever_arrives_and_to_whoever_was_there_at_the_end(desk: Desk):
    first, second = desk.cast.technician, desk.cast.second_technician
    ticket_id = desk.a_case()
    planned_at = desk.now
    visit_id = desk.plan(ticket_id, to=first)
    given_at = assign(desk, ticket_id, second)
    arrived_at = desk.now + timedelta(minutes=10)
    desk.pass_time(minutes=30)
    desk.step(actions.arrive, visit_id, device_at=arrived_at)
    assert desk.ticket(ticket_id).technician_id == first.person_id
    so_far = [(planned_at, given_at), (given_at, arrived_at)]
    assert told(desk, ticket_id) == [*so_far, (arrived_at, None)]
    again_at = assign(desk, ticket_id, second)
    desk.pass_time(minutes=5)
    end = {"report": "等电机", "outcome": VisitOutcome.WAITING_PARTS}
    desk.step(actions.finish_visit, visit_id, device_at=desk.now - timedelta(minutes=3), **end)
    assert desk.ticket(ticket_id).technician_id == first.person_id
    assert told(desk, ticket_id)[2:] == [
        (arrived_at, again_at),
        (again_at, desk.now),
        (desk.now, None),
    ]


def test_a_completion_that_is_told_late_ends_the_hop_when_it_was_tapped_and_begins_none(
    desk: Desk,
):
    visit_id = desk.on_site()
    ticket_id = desk.visit(visit_id).ticket_id
    [(planned_at, _)] = told(desk, ticket_id)
    tapped_at = desk.now + timedelta(minutes=2)
    assign(desk, ticket_id, desk.cast.second_technician)
    desk.pass_time(minutes=5)
    end = {"signature": a_signature(), "device_at": tapped_at, **MENDED}
    desk.step(actions.finish_visit, visit_id, **end)
    assert desk.ticket(ticket_id).technician_id == desk.cast.technician.person_id
    assert told(desk, ticket_id) == [(planned_at, tapped_at)]


def test_a_reopened_case_begins_a_hop_of_the_technician_who_had_it(desk: Desk):
    visit_id = desk.on_site()
    ticket_id = desk.visit(visit_id).ticket_id
    desk.step(actions.finish_visit, visit_id, signature=a_signature(), **MENDED)
    done_at = desk.now
    desk.pass_time(hours=2)
    with store.ReadSession() as session:
        call = session.scalars(select(ReturnCall)).one()
    desk.do(
        tickets.try_return_call,
        by=desk.cast.hotline,
        return_call_id=call.id,
        version=call.version,
        result=ReturnCallResult.NOT_FIXED,
        words="还是不转",
    )
    reopened_at = desk.now
    assert told(desk, ticket_id)[0][1] == done_at
    assert told(desk, ticket_id)[1:] == [(reopened_at, None)]
    desk.pass_time(minutes=5)
    desk.plan(ticket_id, hours=2)
    assert told(desk, ticket_id)[1:] == [(reopened_at, None)]


def test_an_assignment_taken_back_gives_the_case_to_whoever_arrived(desk: Desk):
    first, second = desk.cast.technician, desk.cast.second_technician
    ticket_id = desk.a_case()
    visit_id = desk.plan(ticket_id, to=first)
    assign(desk, ticket_id, second)
    desk.pass_time(minutes=5)
    desk.step(actions.arrive, visit_id)
    before = told(desk, ticket_id)
    assign(desk, ticket_id, second)
    with store.ReadSession() as session:
        mine = select(TicketEvent.id).where(
            TicketEvent.ticket_id == ticket_id, TicketEvent.kind == EventKind.ASSIGNED
        )
        event_id = session.scalars(mine.order_by(TicketEvent.id.desc())).first()
    desk.do(
        withdrawal.withdraw_step,
        by=desk.cast.dispatcher,
        ticket_id=ticket_id,
        version=desk.ticket(ticket_id).version,
        event_id=event_id,
    )
    assert desk.ticket(ticket_id).technician_id == first.person_id
    assert told(desk, ticket_id) == before


def test_a_store_from_before_counts_its_hops_once(desk: Desk):
    ticket_id = desk.a_case()
    visit_id = desk.plan(ticket_id)
    move(desk, visit_id, desk.cast.second_technician)
    expected = told(desk, ticket_id)
    of_hops = Timer.kind == TimerKind.HOP
    with store.writing() as session:
        session.execute(delete(Timer).where(of_hops, Timer.cycle == 2))
        session.execute(update(Timer).where(of_hops).values(stopped_at=None))
        session.execute(delete(Counter).where(Counter.name == hops.COUNTED))
    assert look(check_timers, actor=TEST, now=desk.now).fault is not None
    assert look(hops.lacks_hops, actor=TEST, now=desk.now)
    perform(hops.count_hops, actor=TEST, now=desk.now)
    assert told(desk, ticket_id) == expected
    assert not look(hops.lacks_hops, actor=TEST, now=desk.now)
    perform(hops.count_hops, actor=TEST, now=desk.now)
