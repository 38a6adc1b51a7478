"""A visit from its planning to the customer's signature, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from db import session as store
from db.codes import (
    CancelReason,
    Channel,
    EventKind,
    TicketStatus,
    TimerKind,
    VisitFileKind,
    VisitOutcome,
    VisitStatus,
    WaitingFor,
)
from db.models.people import AuditRow, Person
from db.models.stock import Part
from db.models.tickets import ReturnCall, TicketEvent, Timer
from db.models.visits import Visit, VisitFile
from lib.shared.errors import Refusal
from lib.shared.work import look, perform, system
from lib.stock.queries import find_ledger_faults
from lib.tickets import actions as tickets
from lib.tickets.checks import check_timers
from lib.tickets.withdrawal import find_undo
from lib.visits import actions
from tests.visits.house_calls import Desk, a_photo, a_signature


def kinds(ticket_id: int) -> list[EventKind]:
    with store.ReadSession() as session:
        events = select(TicketEvent.kind).where(TicketEvent.ticket_id == ticket_id)
        return list(session.scalars(events.order_by(TicketEvent.id)))


def test_a_visit_makes_its_technician_responsible_and_the_case_scheduled(desk: Desk):
    ticket_id = desk.a_case()
    visit_id = desk.plan(ticket_id)
    ticket, visit = desk.ticket(ticket_id), desk.visit(visit_id)
    assert (ticket.status, ticket.technician_id) == (
        TicketStatus.SCHEDULED,
        desk.cast.technician.person_id,
    )
    assert visit.ends_at - visit.starts_at == timedelta(minutes=90)
    assert kinds(ticket_id) == [EventKind.RECEIVED, EventKind.SCHEDULED]


@pytest.mark.parametrize(
    ("hours", "minutes", "refusal"),
    [
        (-0.1, 60, "visit_in_past"),
        (24 * 400, 60, "visit_too_far"),
        (1, 0, "visit_length_wrong"),
        (1, 13 * 60, "visit_length_wrong"),
    ],
)
def test_a_time_that_cannot_be_kept_is_refused(desk: Desk, hours, minutes, refusal):
    wanted = desk.planned(desk.a_case(), hours, minutes)
    assert desk.refusal(actions.plan_visit, by=desk.cast.dispatcher, **wanted).key == refusal


def test_only_an_active_technician_is_sent(desk: Desk):
    wanted = desk.planned(desk.a_case(), to=desk.cast.hotline)
    refused = desk.refusal(actions.plan_visit, by=desk.cast.dispatcher, **wanted)
    assert refused.key == "not_a_technician"
    with store.writing() as session:
        gone = Person.id == desk.cast.technician.person_id
        session.execute(update(Person).where(gone).values(active=False))
    wanted = desk.planned(desk.a_case())
    refused = desk.refusal(actions.plan_visit, by=desk.cast.dispatcher, **wanted)
    assert refused.key == "not_a_technician"


def test_two_visits_of_one_technician_do_not_overlap_and_the_refusal_says_with_what(desk: Desk):
    first = desk.a_case()
    desk.plan(first, hours=1, minutes=90)
    wanted = desk.planned(desk.a_case(), hours=2)
    refused = desk.refusal(actions.plan_visit, by=desk.cast.dispatcher, **wanted)
    assert refused.key == "visit_overlaps"
    assert refused.params == {
        "number": desk.ticket(first).number,
        "on": "11-24",
        "start": "11:00",
        "end": "12:30",
    }


def test_a_visit_may_begin_when_the_one_before_ends_and_others_may_go_at_the_same_time(desk: Desk):
    desk.plan(desk.a_case(), hours=1, minutes=60)
    desk.plan(desk.a_case(), hours=2, minutes=60)
    desk.plan(desk.a_case(), hours=1, minutes=60, to=desk.cast.second_technician)


def test_the_database_itself_refuses_a_double_booking(desk: Desk):
    visit = desk.visit(desk.plan(desk.a_case()))
    other = desk.a_case()
    with pytest.raises(IntegrityError), store.writing() as session:
        session.add(
            Visit(
                ticket_id=other,
                technician_id=visit.technician_id,
                status=VisitStatus.PLANNED,
                starts_at=visit.starts_at,
                ends_at=visit.ends_at,
                created_at=desk.now,
            )
        )


def test_a_case_has_one_visit_to_come(desk: Desk):
    ticket_id = desk.a_case()
    desk.plan(ticket_id)
    wanted = desk.planned(ticket_id, hours=5, to=desk.cast.second_technician)
    refused = desk.refusal(actions.plan_visit, by=desk.cast.dispatcher, **wanted)
    assert refused.key == "visit_planned_already"


@pytest.mark.parametrize("round_number", range(3))
def test_two_dispatchers_on_one_slot_make_one_visit(desk: Desk, round_number: int):
    cases = [desk.a_case() for _ in range(4)]
    wanted = [desk.planned(ticket_id) for ticket_id in cases]
    together = Barrier(len(wanted))

    def plan(arguments: dict) -> str:
        together.wait()
        try:
            perform(actions.plan_visit, actor=desk.cast.dispatcher, now=desk.now, **arguments)
        except Refusal as refusal:
            return refusal.key
        return "planned"

    with ThreadPoolExecutor(len(wanted)) as dispatchers:
        results = sorted(dispatchers.map(plan, wanted))
    assert results == ["planned"] + ["visit_overlaps"] * 3
    statuses = sorted(desk.ticket(ticket_id).status for ticket_id in cases)
    assert statuses == [TicketStatus.NEW] * 3 + [TicketStatus.SCHEDULED]


def test_a_double_click_on_plan_makes_one_visit(desk: Desk):
    wanted = desk.planned(desk.a_case())
    answers = {
        perform(actions.plan_visit, actor=desk.cast.dispatcher, now=desk.now, key="form", **wanted)
        for _ in range(20)
    }
    assert len(answers) == 1


def test_a_visit_moves_to_another_time_and_technician(desk: Desk):
    ticket_id = desk.a_case()
    visit_id = desk.plan(ticket_id)
    second = desk.cast.second_technician.person_id
    arguments = {"technician_id": second, "starts_at": desk.now + timedelta(hours=1.5)}
    desk.step(actions.move_visit, visit_id, by=desk.cast.dispatcher, minutes=60, **arguments)
    visit = desk.visit(visit_id)
    assert (visit.technician_id, desk.ticket(ticket_id).technician_id) == (second, second)
    assert visit.ends_at == desk.now + timedelta(hours=2.5)


def test_a_cancelled_visit_gives_its_time_back_and_the_case_to_its_technician(desk: Desk):
    ticket_id = desk.a_case()
    visit_id = desk.plan(ticket_id)
    refused = desk.refusal(
        actions.cancel_visit, by=desk.cast.dispatcher, visit_id=visit_id, version=1, reason=" "
    )
    assert refused.key == "words_missing"
    desk.step(actions.cancel_visit, visit_id, by=desk.cast.dispatcher, reason="客户改期")
    assert desk.ticket(ticket_id).status is TicketStatus.ASSIGNED
    desk.plan(desk.a_case())


def test_only_the_visits_own_technician_carries_it_out(desk: Desk):
    visit_id = desk.plan(desk.a_case())
    for step in (actions.set_out, actions.arrive):
        refused = desk.refusal(step, by=desk.cast.second_technician, visit_id=visit_id, version=1)
        assert refused.key == "not_your_visit"
        refused = desk.refusal(step, by=desk.cast.dispatcher, visit_id=visit_id, version=1)
        assert refused.key == "no_longer_allowed"


def test_on_the_way_and_arrived_stand_on_the_case(desk: Desk):
    visit_id = desk.on_site()
    visit = desk.visit(visit_id)
    assert desk.ticket(visit.ticket_id).status is TicketStatus.ON_SITE
    assert visit.arrived_at == visit.on_the_way_at + timedelta(hours=1)
    assert kinds(visit.ticket_id)[-2:] == [EventKind.ON_THE_WAY, EventKind.ARRIVED]


def told_of(ticket_id: int, kind: EventKind) -> TicketEvent:
    with store.ReadSession() as session:
        return session.scalars(
            select(TicketEvent).where(TicketEvent.ticket_id == ticket_id, TicketEvent.kind == kind)
        ).one()


def test_rule_22_taps_made_offline_count_when_they_were_made_by_the_servers_clock(desk: Desk):
    visit_id = desk.plan(desk.a_case())
    ticket_id = desk.visit(visit_id).ticket_id
    began = desk.now
    desk.pass_time(hours=2)
    skew = timedelta(minutes=3)
    desk.step(actions.set_out, visit_id, device_at=began + timedelta(minutes=10) + skew, skew=skew)
    desk.step(actions.arrive, visit_id, device_at=began + timedelta(minutes=50) + skew, skew=skew)
    visit = desk.visit(visit_id)
    assert visit.on_the_way_at == began + timedelta(minutes=10)
    assert visit.arrived_at == began + timedelta(minutes=50)
    event = told_of(ticket_id, EventKind.ARRIVED)
    assert (event.at, event.recorded_at) == (visit.arrived_at, desk.now)
    told = {
        "device_at": (began + timedelta(minutes=53)).isoformat(),
        "skew_seconds": 180,
        "clock_off": False,
    }
    assert event.details == {"visit_id": visit_id, **told}
    with store.ReadSession() as session:
        audited = session.scalars(select(AuditRow).where(AuditRow.action == "visit.arrived")).one()
    assert audited.details == {"at": visit.arrived_at.isoformat(), **told}
    assert look(check_timers, actor=system("test"), now=desk.now).fault is None


@pytest.mark.parametrize("minutes", [6, -6, 60 * 24 * 400])
def test_rule_22_a_clock_that_is_more_than_five_minutes_off_gives_the_time_of_receipt_flagged(
    desk: Desk, minutes: int
):
    visit_id = desk.plan(desk.a_case())
    desk.pass_time(minutes=40)
    skew = timedelta(minutes=minutes)
    tapped = desk.now - timedelta(minutes=20)
    desk.step(actions.arrive, visit_id, device_at=tapped + skew, skew=skew)
    visit = desk.visit(visit_id)
    assert visit.arrived_at == desk.now
    event = told_of(visit.ticket_id, EventKind.ARRIVED)
    assert (event.at, event.details["clock_off"]) == (desk.now, True)
    assert event.details["skew_seconds"] == minutes * 60


def test_rule_22_a_tap_before_the_step_before_it_is_refused_and_changes_nothing(desk: Desk):
    visit_id = desk.plan(desk.a_case())
    planned_at = desk.now
    desk.pass_time(minutes=30)
    told = {"by": desk.cast.technician, "visit_id": visit_id, "version": 1}
    early = planned_at - timedelta(minutes=1)
    refused = desk.refusal(actions.set_out, device_at=early, **told)
    assert refused.key == "stamp_before_previous"
    assert refused.params == {"at": "11-24 09:59:00", "previous": "11-24 10:00:00"}
    desk.step(actions.set_out, visit_id, device_at=desk.now)
    told["version"] = desk.visit(visit_id).version
    early = desk.now - timedelta(minutes=1)
    assert desk.refusal(actions.arrive, device_at=early, **told).key == "stamp_before_previous"
    visit = desk.visit(visit_id)
    assert (visit.status, visit.arrived_at) == (VisitStatus.ON_THE_WAY, None)
    assert kinds(visit.ticket_id)[-1] is EventKind.ON_THE_WAY


def test_rule_22_an_arrival_before_the_due_that_is_sent_after_it_meets_the_first_response(
    desk: Desk,
):
    ticket_id = desk.a_case(channel=Channel.WEB)
    visit_id = desk.plan(ticket_id)
    due_at = first_response(ticket_id).due_at
    desk.now = due_at + timedelta(hours=1)
    desk.step(actions.arrive, visit_id, device_at=due_at - timedelta(minutes=1))
    timer = first_response(ticket_id)
    assert (timer.stopped_at, timer.missed_cause) == (due_at - timedelta(minutes=1), None)
    assert look(check_timers, actor=system("test"), now=desk.now).fault is None


def first_response(ticket_id: int) -> Timer:
    return timer_of(ticket_id, TimerKind.FIRST_RESPONSE)


def timer_of(ticket_id: int, kind: TimerKind) -> Timer:
    with store.ReadSession() as session:
        return session.scalars(
            select(Timer).where(Timer.ticket_id == ticket_id, Timer.kind == kind)
        ).one()


MENDED = {"report": "更换电机", "outcome": VisitOutcome.FIXED, "signed_by": "张燕"}


def test_rule_22_a_visit_that_ended_offline_completes_its_case_when_it_was_tapped(desk: Desk):
    visit_id = desk.on_site()
    ticket_id = desk.visit(visit_id).ticket_id
    tapped_at, skew = desk.now + timedelta(minutes=40), timedelta(minutes=-3)
    desk.pass_time(hours=20)
    desk.step(
        actions.finish_visit,
        visit_id,
        signature=a_signature(),
        device_at=tapped_at + skew,
        skew=skew,
        **MENDED,
    )
    assert desk.visit(visit_id).done_at == tapped_at
    assert desk.ticket(ticket_id).completed_at == tapped_at
    event = told_of(ticket_id, EventKind.COMPLETED)
    told = {
        "device_at": (tapped_at + skew).isoformat(),
        "skew_seconds": -180,
        "clock_off": False,
    }
    assert (event.at, event.recorded_at, event.details) == (tapped_at, desk.now, told)
    with store.ReadSession() as session:
        audited = session.scalars(select(AuditRow).where(AuditRow.action == "visit.done")).one()
    assert audited.details == {"outcome": "fixed", "at": tapped_at.isoformat(), **told}
    assert timer_of(ticket_id, TimerKind.RESOLUTION).stopped_at == tapped_at
    # Tapped at 11:40: one working day later at the same time, though the desk was told on that day at 7:00.
    return_call = timer_of(ticket_id, TimerKind.RETURN_CALL)
    assert return_call.started_at == tapped_at
    assert return_call.due_at == tapped_at + timedelta(days=1)
    with store.ReadSession() as session:
        assert session.scalars(select(ReturnCall.due_at)).one() == return_call.due_at
    assert look(check_timers, actor=system("test"), now=desk.now).fault is None


def completed_by_a_colleague_while_the_tablet_was_offline(desk: Desk, *, minutes: int) -> int:
    """A visit whose case the supervisor completes so many minutes after the arrival; three hours after that."""
    visit_id = desk.on_site()
    ticket = desk.ticket(desk.visit(visit_id).ticket_id)
    desk.pass_time(minutes=minutes)
    desk.do(
        tickets.complete_ticket,
        by=desk.cast.supervisor,
        ticket_id=ticket.id,
        version=ticket.version,
        words="客户来电说好了",
    )
    desk.pass_time(hours=3)
    return visit_id


@pytest.mark.postgres_smoke
def test_rule_21_of_two_completions_the_earlier_counts_though_it_is_told_later(desk: Desk):
    visit_id = completed_by_a_colleague_while_the_tablet_was_offline(desk, minutes=50)
    ticket_id = desk.visit(visit_id).ticket_id
    tapped_at = desk.now - timedelta(hours=3, minutes=30)
    end = {"signature": a_signature(), "device_at": tapped_at, **MENDED}
    desk.step(actions.finish_visit, visit_id, **end)
    ticket = desk.ticket(ticket_id)
    assert (ticket.status, ticket.completed_at) == (TicketStatus.COMPLETED, tapped_at)
    assert timer_of(ticket_id, TimerKind.RESOLUTION).stopped_at == tapped_at
    return_call = timer_of(ticket_id, TimerKind.RETURN_CALL)
    assert return_call.started_at == tapped_at
    assert return_call.due_at == tapped_at + timedelta(days=1)
    with store.ReadSession() as session:
        assert session.scalars(select(ReturnCall.due_at)).one() == return_call.due_at
        told = select(TicketEvent).where(TicketEvent.kind == EventKind.COMPLETED)
        first, second = session.scalars(told.order_by(TicketEvent.id)).all()
    assert (first.words, second.words) == ("客户来电说好了", "更换电机")
    assert (second.at, second.to_status, second.details["skew_seconds"]) == (tapped_at, None, 0)
    assert look(check_timers, actor=system("test"), now=desk.now).fault is None
    assert look(find_undo, actor=desk.cast.technician, now=desk.now, ticket_id=ticket_id) is None


def test_rule_21_a_completion_that_came_later_is_kept_as_a_note(desk: Desk):
    visit_id = completed_by_a_colleague_while_the_tablet_was_offline(desk, minutes=10)
    ticket_id = desk.visit(visit_id).ticket_id
    completed_at = desk.ticket(ticket_id).completed_at
    tapped_at = desk.now - timedelta(hours=2)
    end = {"signature": a_signature(), "device_at": tapped_at, **MENDED}
    desk.step(actions.finish_visit, visit_id, **end)
    assert desk.visit(visit_id).done_at == tapped_at
    assert desk.ticket(ticket_id).completed_at == completed_at
    assert timer_of(ticket_id, TimerKind.RESOLUTION).stopped_at == completed_at
    assert told_of(ticket_id, EventKind.NOTE).words == "更换电机"


def test_rule_21_a_wait_that_the_visit_asked_for_moves_no_completion(desk: Desk):
    visit_id = completed_by_a_colleague_while_the_tablet_was_offline(desk, minutes=50)
    ticket_id = desk.visit(visit_id).ticket_id
    completed_at = desk.ticket(ticket_id).completed_at
    waits = MENDED | {"outcome": VisitOutcome.WAITING_PARTS, "report": "等电机"}
    at = desk.now - timedelta(hours=3, minutes=30)
    desk.step(actions.finish_visit, visit_id, signature=a_signature(), device_at=at, **waits)
    assert desk.ticket(ticket_id).completed_at == completed_at
    assert told_of(ticket_id, EventKind.NOTE).words == "等电机"


def test_rule_22_an_end_before_the_due_that_is_sent_after_it_meets_the_resolution(desk: Desk):
    visit_id = desk.on_site()
    ticket_id = desk.visit(visit_id).ticket_id
    due_at = timer_of(ticket_id, TimerKind.RESOLUTION).due_at
    tapped_at = due_at - timedelta(minutes=1)
    desk.now = due_at + timedelta(hours=1)
    end = {"signature": a_signature(), "device_at": tapped_at, **MENDED}
    desk.step(actions.finish_visit, visit_id, **end)
    timer = timer_of(ticket_id, TimerKind.RESOLUTION)
    assert (timer.stopped_at, timer.missed_cause) == (tapped_at, None)


def test_rule_22_an_end_by_a_clock_that_is_off_counts_when_it_is_received_flagged(desk: Desk):
    visit_id = desk.on_site()
    desk.pass_time(hours=1)
    skew = timedelta(minutes=6)
    end = {"signature": a_signature(), "skew": skew, **MENDED}
    desk.step(actions.finish_visit, visit_id, device_at=desk.now - timedelta(minutes=30), **end)
    visit = desk.visit(visit_id)
    event = told_of(visit.ticket_id, EventKind.COMPLETED)
    assert (visit.done_at, event.at, event.details["clock_off"]) == (desk.now, desk.now, True)


def test_rule_22_an_end_before_the_arrival_is_refused_and_changes_nothing(desk: Desk):
    visit_id = desk.on_site()
    before = desk.visit(visit_id)
    arrived_at = desk.now
    desk.pass_time(hours=1)
    refused = desk.refusal(
        actions.finish_visit,
        by=desk.cast.technician,
        visit_id=visit_id,
        version=before.version,
        signature=a_signature(),
        device_at=arrived_at - timedelta(minutes=1),
        **MENDED,
    )
    assert refused.key == "stamp_before_previous"
    assert refused.params == {"at": "11-24 10:59:00", "previous": "11-24 11:00:00"}
    after = desk.visit(visit_id)
    assert (after.status, after.done_at, after.version) == (
        VisitStatus.ARRIVED,
        None,
        before.version,
    )
    assert kinds(before.ticket_id)[-1] is EventKind.ARRIVED
    with store.ReadSession() as session:
        assert session.scalars(select(VisitFile)).all() == []


def test_rule_1_a_wait_begins_when_the_end_of_a_visit_is_recorded(desk: Desk):
    visit_id = desk.on_site()
    tapped_at = desk.now + timedelta(minutes=10)
    desk.pass_time(hours=2)
    told = {"report": "等备件", "outcome": VisitOutcome.WAITING_PARTS}
    desk.step(actions.finish_visit, visit_id, device_at=tapped_at, **told)
    visit = desk.visit(visit_id)
    assert visit.done_at == tapped_at
    assert told_of(visit.ticket_id, EventKind.WAITING_STARTED).at == desk.now
    assert desk.ticket(visit.ticket_id).waiting_until == desk.now + timedelta(days=3)


def test_an_end_that_is_sent_twice_is_carried_out_once(desk: Desk):
    visit_id = desk.on_site()
    sent = {
        "visit_id": visit_id,
        "version": desk.visit(visit_id).version,
        "signature": a_signature(),
        "device_at": desk.now + timedelta(minutes=5),
        **MENDED,
    }
    desk.pass_time(hours=1)
    for _ in range(3):
        desk.do(actions.finish_visit, by=desk.cast.technician, key="tap-1", **sent)
        desk.pass_time(minutes=1)
    assert kinds(desk.visit(visit_id).ticket_id).count(EventKind.COMPLETED) == 1


def test_on_the_way_is_taken_back_within_seconds_and_not_later(desk: Desk):
    visit_id = desk.plan(desk.a_case())
    desk.step(actions.set_out, visit_id)
    desk.pass_time(seconds=9)
    desk.step(actions.undo_set_out, visit_id)
    assert desk.visit(visit_id).status is VisitStatus.PLANNED
    desk.step(actions.set_out, visit_id)
    desk.pass_time(minutes=1)
    version = desk.visit(visit_id).version
    refused = desk.refusal(
        actions.undo_set_out, by=desk.cast.technician, visit_id=visit_id, version=version
    )
    assert refused.key == "undo_too_late"


def test_nobody_sets_out_for_a_cancelled_case(desk: Desk):
    ticket_id = desk.a_case()
    visit_id = desk.plan(ticket_id)
    desk.do(
        tickets.cancel_ticket,
        by=desk.cast.hotline,
        ticket_id=ticket_id,
        version=desk.ticket(ticket_id).version,
        reason=CancelReason.NOT_NEEDED,
        words="客户自行解决",
    )
    refused = desk.refusal(actions.set_out, by=desk.cast.technician, visit_id=visit_id, version=1)
    assert refused.key == "ticket_ended"
    desk.step(actions.cancel_visit, visit_id, by=desk.cast.dispatcher, reason="已取消")


def test_a_mended_fault_completes_the_case_and_opens_the_return_call(desk: Desk):
    visit_id = desk.on_site()
    desk.do(actions.sign_visit, by=desk.cast.technician, visit_id=visit_id, sent=a_signature())
    desk.step(
        actions.finish_visit,
        visit_id,
        report="更换电机",
        outcome=VisitOutcome.FIXED,
        signed_by="张燕",
    )
    visit = desk.visit(visit_id)
    assert (visit.status, visit.done_at, visit.report) == (VisitStatus.DONE, desk.now, "更换电机")
    assert desk.ticket(visit.ticket_id).status is TicketStatus.COMPLETED
    with store.ReadSession() as session:
        assert session.scalar(select(ReturnCall.ticket_id)) == visit.ticket_id


@pytest.mark.parametrize(
    ("outcome", "waiting_for"),
    [
        (VisitOutcome.WAITING_PARTS, WaitingFor.PARTS),
        (VisitOutcome.WAITING_CUSTOMER, WaitingFor.CUSTOMER),
        (VisitOutcome.WAITING_MAKER, WaitingFor.MAKER),
    ],
)
def test_a_fault_that_stays_makes_the_case_wait_without_a_signature(
    desk: Desk, outcome, waiting_for
):
    visit_id = desk.on_site()
    desk.step(actions.finish_visit, visit_id, report="电机需要订购", outcome=outcome)
    ticket = desk.ticket(desk.visit(visit_id).ticket_id)
    assert (ticket.status, ticket.waiting_for) == (TicketStatus.WAITING, waiting_for)
    desk.plan(ticket.id, hours=4)


@pytest.mark.parametrize(("outcome", "days"), [("parts", 3), ("customer", 1), ("maker", 5)])
def test_a_wait_lasts_as_long_as_usual_unless_the_technician_knows_better(
    desk: Desk, outcome: str, days: int
):
    told = {"report": "等待中", "outcome": VisitOutcome(f"waiting_{outcome}")}
    for until, expected in ((None, days), (timedelta(days=9), 9)):
        visit_id = desk.on_site()
        until_at = None if until is None else desk.now + until
        desk.step(actions.finish_visit, visit_id, waiting_until=until_at, **told)
        ticket = desk.ticket(desk.visit(visit_id).ticket_id)
        assert ticket.waiting_until == desk.now + timedelta(days=expected)
        assert ticket.waiting_owner_id == desk.cast.technician.person_id


@pytest.mark.parametrize("hours", [-1, 0, 24 * 367])
def test_a_wait_that_is_over_or_lasts_for_years_is_refused_and_changes_nothing(
    desk: Desk, hours: int
):
    visit_id = desk.on_site()
    before = desk.visit(visit_id)
    refused = desk.refusal(
        actions.finish_visit,
        by=desk.cast.technician,
        visit_id=visit_id,
        version=before.version,
        report="等备件",
        outcome=VisitOutcome.WAITING_PARTS,
        waiting_until=desk.now + timedelta(hours=hours),
    )
    assert refused.key == "waiting_until_past"
    after = desk.visit(visit_id)
    assert (after.status, after.version) == (VisitStatus.ARRIVED, before.version)
    assert desk.ticket(before.ticket_id).status is TicketStatus.ON_SITE


def test_a_mended_fault_does_not_ask_until_when(desk: Desk):
    visit_id = desk.on_site()
    desk.step(
        actions.finish_visit,
        visit_id,
        report="好了",
        outcome=VisitOutcome.FIXED,
        signed_by="张燕",
        signature=a_signature(),
        waiting_until=desk.now - timedelta(days=1),
    )
    assert desk.visit(visit_id).status is VisitStatus.DONE


def test_a_case_that_waits_already_takes_the_report_and_the_end_that_the_technician_expects(
    desk: Desk,
):
    visit_id = desk.on_site()
    ticket_id = desk.visit(visit_id).ticket_id
    desk.do(
        tickets.start_waiting,
        by=desk.cast.supervisor,
        ticket_id=ticket_id,
        version=desk.ticket(ticket_id).version,
        waiting_for=WaitingFor.PARTS,
        words="备件缺货",
        until_at=desk.now + timedelta(days=1),
    )
    until = desk.now + timedelta(days=4)
    desk.step(
        actions.finish_visit,
        visit_id,
        report="需要两个电机",
        outcome=VisitOutcome.WAITING_PARTS,
        waiting_until=until,
    )
    ticket = desk.ticket(ticket_id)
    assert (ticket.status, ticket.waiting_for, ticket.waiting_until) == (
        TicketStatus.WAITING,
        WaitingFor.PARTS,
        until,
    )
    with store.ReadSession() as session:
        told = select(TicketEvent.words).where(TicketEvent.ticket_id == ticket_id)
        assert "需要两个电机" in session.scalars(told).all()
    assert look(check_timers, actor=system("test"), now=desk.now).fault is None


def test_an_unfinished_form_is_refused_with_all_that_is_missing(desk: Desk):
    visit_id = desk.on_site()
    version = desk.visit(visit_id).version
    form = {"visit_id": visit_id, "version": version, "by": desk.cast.technician}
    refused = desk.refusal(actions.finish_visit, report=" ", outcome=None, **form)
    assert refused.params["missing"] == "outcome,report"
    refused = desk.refusal(actions.finish_visit, report="好了", outcome=VisitOutcome.FIXED, **form)
    assert refused.params["missing"] == "signed_by,signature"
    assert desk.visit(visit_id).status is VisitStatus.ARRIVED


def test_a_visit_that_has_not_arrived_cannot_end_or_take_photos(desk: Desk):
    visit_id = desk.plan(desk.a_case())
    refused = desk.refusal(
        actions.finish_visit,
        by=desk.cast.technician,
        visit_id=visit_id,
        version=1,
        report="好了",
        outcome=VisitOutcome.WAITING_PARTS,
    )
    assert refused.key == "visit_move_not_allowed"
    refused = desk.refusal(
        actions.add_photo, by=desk.cast.technician, visit_id=visit_id, sent=a_photo((80, 60))
    )
    assert refused.key == "visit_not_begun"


def test_the_report_of_a_case_that_was_completed_meanwhile_is_kept_as_a_note(desk: Desk):
    visit_id = desk.on_site()
    ticket_id = desk.visit(visit_id).ticket_id
    desk.do(
        tickets.complete_ticket,
        by=desk.cast.supervisor,
        ticket_id=ticket_id,
        version=desk.ticket(ticket_id).version,
        words="电话确认已好",
    )
    desk.step(actions.finish_visit, visit_id, report="确认正常", outcome=VisitOutcome.WAITING_PARTS)
    assert desk.ticket(ticket_id).status is TicketStatus.COMPLETED
    assert kinds(ticket_id)[-1] is EventKind.NOTE


def test_a_draft_is_kept_and_does_not_stand_in_the_way_of_the_end(desk: Desk):
    visit_id = desk.on_site()
    version = desk.visit(visit_id).version
    desk.do(
        actions.keep_draft,
        by=desk.cast.technician,
        visit_id=visit_id,
        report="写到一半",
        signed_by="张",
    )
    assert desk.card(visit_id).report == "写到一半"
    desk.do(
        actions.finish_visit,
        by=desk.cast.technician,
        visit_id=visit_id,
        version=version,
        report="写完了",
        outcome=VisitOutcome.WAITING_PARTS,
    )
    assert desk.visit(visit_id).report == "写完了"


def test_a_part_used_leaves_the_ledger_and_can_be_given_back_once(desk: Desk):
    visit_id, part_id = desk.on_site(), desk.a_part(on_hand=3)
    used_id = desk.do(
        actions.use_part,
        by=desk.cast.technician,
        visit_id=visit_id,
        part_id=part_id,
        quantity=2,
    )
    [used] = desk.card(visit_id).parts
    assert (used.number, used.quantity, on_hand(part_id)) == ("MOTOR-1", 2, 1)
    back = {"by": desk.cast.technician, "visit_id": visit_id, "visit_part_id": used_id}
    desk.do(actions.give_part_back, **back)
    assert (desk.card(visit_id).parts, on_hand(part_id)) == ((), 3)
    assert desk.refusal(actions.give_part_back, **back).key == "not_found"


def test_a_part_that_is_not_there_is_not_used(desk: Desk):
    visit_id, part_id = desk.on_site(), desk.a_part(on_hand=1)
    refused = desk.refusal(
        actions.use_part,
        by=desk.cast.technician,
        visit_id=visit_id,
        part_id=part_id,
        quantity=2,
    )
    assert (refused.key, refused.params["on_hand"]) == ("stock_short", 1)
    assert desk.card(visit_id).parts == ()


def test_eight_taps_on_the_last_part_use_it_once(desk: Desk):
    visit_id, part_id = desk.on_site(), desk.a_part(on_hand=1)
    together = Barrier(8)

    def tap(number: int) -> str:
        together.wait()
        try:
            perform(
                actions.use_part,
                actor=desk.cast.technician,
                now=desk.now,
                key=f"tap-{number}",
                visit_id=visit_id,
                part_id=part_id,
                quantity=1,
            )
        except Refusal as refusal:
            return refusal.key
        return "used"

    with ThreadPoolExecutor(8) as taps:
        assert sorted(taps.map(tap, range(8))) == ["stock_short"] * 7 + ["used"]
    assert not look(find_ledger_faults, actor=system("test"), now=desk.now)


def test_a_new_signature_takes_the_place_of_the_old(desk: Desk):
    visit_id = desk.on_site()
    for _ in range(2):
        desk.do(actions.sign_visit, by=desk.cast.technician, visit_id=visit_id, sent=a_signature())
    with store.ReadSession() as session:
        [file] = session.scalars(select(VisitFile))
        assert (file.kind, file.media_type) == (VisitFileKind.SIGNATURE, "image/png")


def test_ten_photos_are_enough_and_one_can_be_removed(desk: Desk):
    visit_id = desk.on_site()
    add = {"by": desk.cast.technician, "visit_id": visit_id, "sent": a_photo((80, 60))}
    ids = [desk.do(actions.add_photo, **add) for _ in range(10)]
    assert desk.refusal(actions.add_photo, **add).key == "photos_too_many"
    desk.do(actions.remove_photo, by=desk.cast.technician, visit_id=visit_id, file_id=ids[0])
    desk.do(actions.add_photo, **add)
    assert len(desk.card(visit_id).photo_ids) == 10


def test_a_photo_resent_after_a_lost_answer_is_stored_once(desk: Desk):
    visit_id = desk.on_site()
    sent = a_photo((80, 60))
    for _ in range(3):
        perform(
            actions.add_photo,
            actor=desk.cast.technician,
            now=desk.now,
            key="photo-1",
            visit_id=visit_id,
            sent=sent,
        )
    assert len(desk.card(visit_id).photo_ids) == 1


def on_hand(part_id: int) -> int:
    with store.ReadSession() as session:
        return session.scalars(select(Part.on_hand).where(Part.id == part_id)).one()
