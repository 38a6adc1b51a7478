"""The pages of policies and of the working calendar: what is shown, previewed, saved, applied and refused."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from db import session as store
from db.codes import (
    Channel,
    DayKind,
    EventKind,
    FaultCode,
    Language,
    Priority,
    TargetUnit,
    TimerKind,
)
from db.models.calendars import CalendarSnapshot
from db.models.people import IdempotencyKey
from db.models.tickets import Policy, TicketEvent, Timer
from lib.customers.actions import add_customer
from lib.shared.calendars import CalendarDraft, DayByHand
from lib.shared.words import text
from lib.shared.work import perform
from lib.tickets import actions
from lib.tickets.calendars import edit_calendar
from lib.tickets.policies import add_policy, apply_targets
from lib.ui import apply_panel
from tests.cast import Cast
from tests.pages.opening import component, open_page

ZH = Language.ZH_CN


@pytest.fixture(autouse=True)
def clock(now):
    with time_machine.travel(now, tick=True):
        yield


@pytest.fixture
def case(cast: Cast, now) -> int:
    (opened,) = open_cases(cast, now, "荷花酒店", [1])
    return opened


def widget(kind, start: str):
    [found] = [each for each in kind if each.key and str(each.key).startswith(start)]
    return found


def shown(at) -> str:
    return "\n".join(element.proto.body for element in at.get("html"))


def due_of(case: int, kind: TimerKind = TimerKind.RESOLUTION):
    with store.ReadSession() as session:
        return session.scalars(
            select(Timer.due_at).where(Timer.ticket_id == case, Timer.kind == kind)
        ).one()


def count(model) -> int:
    with store.ReadSession() as session:
        return session.scalar(select(func.count()).select_from(model))


def fill_policy(at, **told):
    widget(at.button, "tickets.policies.open_add").click().run()
    widget(at.selectbox, "tickets.policies.add.kind").set_value(TimerKind.RESOLUTION)
    widget(at.number_input, "tickets.policies.add.amount").set_value(told.get("amount", 60))
    widget(at.text_input, "tickets.policies.add.clause").set_value(told.get("clause", "Q-11"))
    widget(at.button, "tickets.policies.preview_now").click().run()
    assert not at.exception
    return at


def test_the_list_tells_targets_with_their_clauses_and_kinds_without_one(cast):
    at = open_page(cast.auditor, "tickets_policies")
    told = shown(at)
    assert text(ZH, "target.working_hours", count=27) in told
    assert "S-22" in told
    assert told.count(text(ZH, "policy.no_target")) == 4
    assert not [each for each in at.button if "tickets.policies.open" in str(each.key)]


def test_a_version_is_previewed_saved_and_applied_in_one_go(cast, case, now):
    at = fill_policy(open_page(cast.supervisor, "tickets_policies"))
    assert text(ZH, "apply.head.before") in shown(at)
    widget(at.checkbox, "apply.others").check().run()
    widget(at.button, "tickets.policies.save").click().run()
    assert not at.error
    assert due_of(case) == now + timedelta(minutes=59)
    assert text(ZH, "policy.state.in_force") in shown(at)


def test_saving_without_ticking_leaves_open_cases_as_they_are(cast, case):
    before = due_of(case)
    at = fill_policy(open_page(cast.administrator, "tickets_policies"))
    widget(at.button, "tickets.policies.save").click().run()
    assert not at.error
    assert due_of(case) == before
    widget(at.button, "tickets.policies.open_apply").click().run()
    widget(at.checkbox, "apply.others").check().run()
    widget(at.button, "tickets.policies.apply.").click().run()
    assert not at.error
    assert due_of(case) < before


@pytest.mark.parametrize(
    ("told", "refusal"),
    [({"amount": 0}, "refusal.target_unusable"), ({"clause": ""}, "refusal.words_missing")],
)
def test_what_cannot_be_a_target_is_refused_and_what_was_typed_stays(cast, told, refusal):
    before = count(Policy)
    at = fill_policy(open_page(cast.supervisor, "tickets_policies"), **told)
    assert [each.value for each in at.error] == [text(ZH, refusal)]
    assert widget(at.text_input, "tickets.policies.add.clause").value == told.get("clause", "Q-11")
    assert widget(at.number_input, "tickets.policies.add.amount").value == told.get("amount", 60)
    assert count(Policy) == before


def test_a_change_after_the_preview_asks_for_another_one(cast):
    at = fill_policy(open_page(cast.supervisor, "tickets_policies"))
    widget(at.number_input, "tickets.policies.add.amount").set_value(90).run()
    assert widget(at.button, "tickets.policies.save").disabled
    assert [each.value for each in at.warning] == [text(ZH, "policy.preview_again")]


def open_cases(cast: Cast, now, company: str, minutes_ago: Iterable[int]) -> list[int]:
    customer = perform(add_customer, actor=cast.sales, now=now, name=company)
    return [
        perform(
            actions.open_ticket,
            actor=cast.hotline,
            now=now,
            customer_id=customer,
            contact_id=None,
            site_id=None,
            item_id=None,
            channel=Channel.PHONE,
            received_at=now - timedelta(minutes=minutes),
            fault=FaultCode.NOISE,
            words="",
            priority=Priority.P3,
        )
        for minutes in minutes_ago
    ]


def applied() -> dict[int, int]:
    """How often targets were applied to each case."""
    fact = TicketEvent.kind == EventKind.TARGETS_APPLIED
    with store.ReadSession() as session:
        return Counter(session.scalars(select(TicketEvent.ticket_id).where(fact)))


def told_shortly(at) -> list[str]:
    return [each.value for each in at.toast]


def test_more_cases_than_one_transaction_takes_are_applied_to_and_counted(cast, now, monkeypatch):
    monkeypatch.setattr(apply_panel, "CASES_AT_ONCE", 2)
    cases = open_cases(cast, now, "春晖酒店", range(5))
    at = fill_policy(open_page(cast.supervisor, "tickets_policies"))
    widget(at.checkbox, "apply.others").check().run()
    widget(at.button, "tickets.policies.save").click().run()
    assert not at.error
    assert text(ZH, "apply.done", count=5) in told_shortly(at)
    assert applied() == dict.fromkeys(cases, 1)
    assert apply_panel.APPLYING not in at.session_state
    assert count(IdempotencyKey) == 4, "the policy and three batches"


def test_a_run_that_was_broken_off_leaves_the_rest_to_the_next_of_whatever_page(
    cast, now, monkeypatch
):
    monkeypatch.setattr(apply_panel, "CASES_AT_ONCE", 2)
    cases = open_cases(cast, now, "春晖酒店", range(5))
    at = open_page(cast.supervisor, "tickets_queue")
    broken_off = apply_panel.Applying("a" * 32, tuple(cases), policies=True)
    broken_off.done = 2
    at.session_state[apply_panel.APPLYING] = broken_off
    at.run()
    assert text(ZH, "apply.done", count=5) in told_shortly(at)
    assert applied() == dict.fromkeys(cases[2:], 1)


def test_a_batch_that_is_refused_ends_applying_and_tells_how_far_it_came(cast, now, monkeypatch):
    monkeypatch.setattr(apply_panel, "CASES_AT_ONCE", 2)
    cases = open_cases(cast, now, "春晖酒店", range(3))
    at = open_page(cast.supervisor, "tickets_policies")
    unknown = (*cases, max(cases) + 1)
    at.session_state[apply_panel.APPLYING] = apply_panel.Applying("b" * 32, unknown, policies=True)
    at.run()
    told = text(ZH, "refusal.applied_in_part", done=2, left=2)
    assert [each.value for each in at.error] == [told]
    assert applied() == dict.fromkeys(cases[:2], 1)
    assert apply_panel.APPLYING not in at.session_state


def put_day(at, kind: DayKind = DayKind.CLOSED, hours: str = "", reason: str = "盘点"):
    widget(at.radio, "tickets.calendars.day.kind").set_value(kind).run()
    if kind is DayKind.OTHER_HOURS:
        widget(at.text_input, "tickets.calendars.day.hours").set_value(hours)
    widget(at.text_input, "tickets.calendars.day.reason").set_value(reason)
    widget(at.button, "tickets.calendars.day.put").click().run()
    assert not at.exception
    return at


def day_of(at, on: str) -> dict:
    months = component(at, "months")["months"]
    return next(day for month in months for day in month["days"] if day["on"] == on)


def test_the_year_tells_days_off_and_make_up_days_apart_with_words(cast):
    at = open_page(cast.auditor, "tickets_calendars", year="2026")
    assert not at.exception
    assert (day_of(at, "2026-10-01")["look"], day_of(at, "2026-10-01")["word"]) == (
        "off",
        text(ZH, "calendar.word.off"),
    )
    assert "国庆节" in day_of(at, "2026-10-01")["title"]
    assert day_of(at, "2026-10-10")["look"] == "make_up"
    assert day_of(at, "2026-11-24")["look"] == "open"
    assert day_of(at, "2026-11-28")["look"] == "shut"
    assert component(at, "months")["may_choose"] is False
    assert not at.radio


def test_a_day_by_hand_is_drafted_previewed_saved_and_applied(cast, case, now):
    before = due_of(case)
    at = open_page(cast.supervisor, "tickets_calendars", year="2026", day="2026-11-25")
    put_day(at)
    assert day_of(at, "2026-11-25")["draft"]
    widget(at.button, "tickets.calendars.preview_now").click().run()
    assert "2026-11-30 09:59" in shown(at)
    widget(at.checkbox, "apply.others").check().run()
    widget(at.button, "tickets.calendars.save").click().run()
    assert not at.error
    assert due_of(case) == before + timedelta(days=3)
    assert count(CalendarSnapshot) == 2
    assert day_of(at, "2026-11-25")["hand"]
    assert "draft" not in day_of(at, "2026-11-25")
    assert "盘点" in "\n".join(each.value for each in at.markdown)


def test_hours_nobody_can_read_and_a_missing_reason_are_refused_and_stay_typed(cast):
    at = open_page(cast.supervisor, "tickets_calendars", year="2026", day="2026-11-25")
    put_day(at, DayKind.OTHER_HOURS, "9 to 5")
    assert [each.value for each in at.error] == [text(ZH, "refusal.hours_unreadable")]
    assert widget(at.text_input, "tickets.calendars.day.hours").value == "9 to 5"
    put_day(at, DayKind.OTHER_HOURS, "9-12 13-15", reason=" ")
    assert [each.value for each in at.error] == [text(ZH, "refusal.reason_missing")]
    put_day(at, DayKind.OTHER_HOURS, "9-12 13-15", reason="停电")
    assert not at.error
    assert day_of(at, "2026-11-25")["look"] == "other_hours"


def test_a_draft_on_a_version_that_somebody_else_replaced_is_refused_and_kept(cast, now):
    at = open_page(cast.supervisor, "tickets_calendars", year="2026", day="2026-11-25")
    put_day(at)
    widget(at.button, "tickets.calendars.preview_now").click().run()
    draft = CalendarDraft({date(2026, 12, 1): DayByHand(DayKind.CLOSED, (), "x")})
    perform(edit_calendar, actor=cast.administrator, now=now, calendar_id=1, version=1, draft=draft)
    widget(at.button, "tickets.calendars.save").click().run()
    assert len(at.error) == 1
    assert day_of(at, "2026-11-25")["draft"], "the draft stays"


def test_weekly_hours_and_make_up_hours_are_edited_as_text(cast):
    at = open_page(cast.supervisor, "tickets_calendars", year="2026")
    widget(at.text_input, "tickets.calendars.week.5").set_value("9-12")
    widget(at.text_input, "tickets.calendars.week.make_up").set_value("10-16")
    widget(at.button, "tickets.calendars.week.put").click().run()
    assert not at.error
    assert day_of(at, "2026-11-28")["look"] == "open"
    assert "10:00–16:00" in day_of(at, "2026-10-10")["title"]
    for weekday in range(7):
        widget(at.text_input, f"tickets.calendars.week.{weekday}").set_value("")
    widget(at.button, "tickets.calendars.week.put").click().run()
    assert [each.value for each in at.error] == [text(ZH, "refusal.hours_unusable")]


def upload(at, content: bytes):
    [uploader] = at.get("file_uploader")
    uploader.upload("2027.json", content, "application/json").run()
    return at


def test_a_years_file_is_imported_as_a_draft_and_a_bad_one_is_refused(cast):
    at = open_page(cast.supervisor, "tickets_calendars", year="2027")
    assert text(ZH, "calendar.no_data", years="2027") in [each.value for each in at.info]
    empty = json.dumps({"year": 2027, "days": []}).encode()
    upload(at, empty)
    assert [each.value for each in at.error] == [text(ZH, "refusal.announcement_empty", year=2027)]
    day = {"name": "元旦", "date": "2027-01-01", "isOffDay": True}
    upload(at, json.dumps({"year": 2027, "days": [day]}).encode())
    assert not at.error
    assert day_of(at, "2027-01-01")["look"] == "off"
    widget(at.button, "tickets.calendars.preview_now").click().run()
    widget(at.button, "tickets.calendars.save").click().run()
    assert not at.error
    assert text(ZH, "calendar.no_data", years="2027") not in [each.value for each in at.info]


def test_dues_that_reach_into_a_year_without_data_are_told(cast, case, now):
    perform(
        add_policy,
        actor=cast.supervisor,
        now=now,
        kind=TimerKind.RESOLUTION,
        unit=TargetUnit.WORKING_DAYS,
        amount=40,
        calendar_id=1,
        clause="Q-11",
    )
    perform(apply_targets, actor=cast.supervisor, now=now, ticket_ids=[case])
    at = open_page(cast.supervisor, "tickets_calendars", year="2027")
    told = text(ZH, "calendar.no_data_reached", years="2027", count=1)
    assert told in [each.value for each in at.warning]
    assert f"ticket={case}" in "\n".join(each.value for each in at.markdown)
