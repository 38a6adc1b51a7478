"""What the dispatcher's schedule and the technician's day show, and what they hide."""

from datetime import timedelta

import pytest

from db.codes import CoverageState, TicketStatus, VisitOutcome, VisitStatus
from lib.shared.errors import Refusal
from lib.visits import actions, queries
from tests.visits.house_calls import ADDRESS, PHONE, Desk, a_photo, a_signature


def test_the_schedule_shows_every_technician_with_the_load_of_the_day(desk: Desk):
    first = desk.plan(desk.a_case(), hours=1, minutes=90)
    desk.plan(desk.a_case(), hours=4, minutes=60)
    desk.plan(desk.a_case(), hours=24, minutes=60)
    day = desk.ask(queries.list_day, by=desk.cast.dispatcher, on=desk.now.date())
    assert [(row.name, row.minutes, len(row.visits)) for row in day] == [
        ("刘洋", 0, 0),
        ("陈刚", 150, 2),
    ]
    bar = day[1].visits[0]
    assert (bar.id, bar.customer_name, bar.late) == (first, "时刻科技有限公司", False)


def test_a_visit_that_has_not_begun_a_quarter_of_an_hour_after_its_start_is_late(desk: Desk):
    desk.plan(desk.a_case(), hours=1)
    day = desk.now.date()
    for minutes, late in ((74, False), (1, True)):
        desk.pass_time(minutes=minutes)
        rows = desk.ask(queries.list_day, by=desk.cast.dispatcher, on=day)
        assert [bar.late for row in rows for bar in row.visits] == [late]


def test_a_visit_before_sunrise_of_utc_belongs_to_its_day_in_shanghai(desk: Desk):
    # 07:30 in Shanghai is 23:30 of the day before in UTC.
    desk.plan(desk.a_case(), hours=21.5, minutes=30)
    tomorrow = desk.now.date() + timedelta(days=1)
    rows = desk.ask(queries.list_day, by=desk.cast.dispatcher, on=tomorrow)
    assert sum(len(row.visits) for row in rows) == 1


def test_cases_without_a_visit_to_come_are_offered_for_planning(desk: Desk):
    planned, waiting, fresh = desk.a_case(), desk.a_case(), desk.a_case()
    desk.plan(planned)
    unplanned = desk.ask(queries.list_unplanned, by=desk.cast.dispatcher)
    assert {row.ticket_id for row in unplanned.rows} == {waiting, fresh}
    visit_id = desk.plan(waiting, hours=3)
    assert desk.ask(queries.list_unplanned, by=desk.cast.dispatcher).total == 1
    desk.step(actions.cancel_visit, visit_id, by=desk.cast.dispatcher, reason="改期")
    assert desk.ask(queries.list_unplanned, by=desk.cast.dispatcher).total == 2
    few = desk.ask(queries.list_unplanned, by=desk.cast.dispatcher, most=1)
    assert (len(few.rows), few.total) == (1, 2)


def test_a_case_to_plan_tells_of_the_visit_it_has(desk: Desk):
    ticket_id = desk.a_case()
    brief = desk.ask(queries.find_ticket_to_plan, by=desk.cast.dispatcher, ticket_id=ticket_id)
    assert (brief.status, brief.visit, brief.address) == (TicketStatus.NEW, None, ADDRESS)
    visit_id = desk.plan(ticket_id)
    brief = desk.ask(queries.find_ticket_to_plan, by=desk.cast.dispatcher, ticket_id=ticket_id)
    assert brief.visit.id == visit_id


def test_the_technician_reads_phone_and_address_of_his_own_visit_in_full(desk: Desk):
    card = desk.card(desk.plan(desk.a_case()))
    assert (card.phone, card.address, card.masked) == (PHONE, ADDRESS, False)
    assert (card.contact_name, card.item_name, card.room) == ("张燕", "电动轨道", "会议室")
    assert card.coverage is CoverageState.IN_WARRANTY
    assert str(card.warranty_ends_on) == "2028-01-15"


def test_a_day_after_the_visit_phone_and_address_are_masked_again(desk: Desk):
    visit_id = desk.on_site()
    desk.step(actions.finish_visit, visit_id, report="等备件", outcome=VisitOutcome.WAITING_PARTS)
    ticket_id = desk.visit(visit_id).ticket_id
    for hours, masked in ((23, False), (1, True)):
        desk.pass_time(hours=hours)
        [card] = desk.ask(
            queries.list_visits_of_ticket, by=desk.cast.technician, ticket_id=ticket_id
        )
        assert card.masked is masked
    assert card.phone == "138****1234"
    assert "张江路" not in card.address


@pytest.mark.parametrize("part", ["sales", "quality", "auditor"])
def test_others_read_the_visits_of_a_case_masked(desk: Desk, part: str):
    ticket_id = desk.a_case()
    desk.plan(ticket_id)
    [card] = desk.ask(
        queries.list_visits_of_ticket, by=getattr(desk.cast, part), ticket_id=ticket_id
    )
    assert (card.phone, card.masked) == ("138****1234", True)


def test_a_technician_sees_nothing_of_a_colleagues_visits(desk: Desk):
    visit_id = desk.plan(desk.a_case())
    ticket_id = desk.visit(visit_id).ticket_id
    other = desk.cast.second_technician
    assert desk.ask(queries.list_own_visits, by=other, on=desk.now.date()) == []
    assert desk.ask(queries.list_visits_of_ticket, by=other, ticket_id=ticket_id) == []
    with pytest.raises(Refusal):
        desk.ask(queries.list_day, by=other, on=desk.now.date())


def test_a_visit_left_open_yesterday_stays_on_the_technicians_page(desk: Desk):
    visit_id = desk.on_site()
    desk.pass_time(hours=24)
    today = desk.ask(queries.list_own_visits, by=desk.cast.technician, on=desk.now.date())
    assert [(card.id, card.status) for card in today] == [(visit_id, VisitStatus.ARRIVED)]


def test_coming_visits_are_counted(desk: Desk):
    desk.plan(desk.a_case(), hours=1)
    desk.plan(desk.a_case(), hours=26)
    coming = desk.ask(queries.count_coming_visits, by=desk.cast.technician, on=desk.now.date())
    assert coming == 1


def test_photos_and_signature_are_seen_by_those_who_may(desk: Desk):
    visit_id = desk.on_site()
    mine = {"by": desk.cast.technician, "visit_id": visit_id}
    photo_id = desk.do(actions.add_photo, sent=a_photo((640, 480)), **mine)
    desk.do(actions.sign_visit, sent=a_signature(), **mine)
    card = desk.card(visit_id)
    assert card.photo_ids == (photo_id,)
    for part in ("technician", "hotline", "dispatcher", "supervisor", "quality"):
        actor = getattr(desk.cast, part)
        shown = desk.ask(queries.read_file, by=actor, file_id=card.signature_id)
        assert shown.media_type == "image/png"
        small = desk.ask(queries.read_file, by=actor, file_id=photo_id, small=True)
        assert small.media_type == "image/jpeg"
    for part in ("second_technician", "storekeeper", "sales", "auditor", "outsider"):
        with pytest.raises(Refusal) as caught:
            desk.ask(queries.read_file, by=getattr(desk.cast, part), file_id=photo_id)
        assert caught.value.key == "not_found"
