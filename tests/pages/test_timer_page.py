"""The page that explains a timer, and the marks that the case page shows beside its dues."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from db import session as store
from db.codes import (
    Channel,
    CustomerLevel,
    FaultCode,
    Language,
    Priority,
    TargetUnit,
    TimerKind,
    WaitingFor,
)
from db.models.customers import Customer
from db.models.tickets import Ticket
from lib.customers.actions import add_customer
from lib.shared.words import text
from lib.shared.work import perform
from lib.tickets import actions, policies
from tests.cast import Cast
from tests.pages.opening import component, open_page

ZH = Language.ZH_CN


@pytest.fixture(autouse=True)
def clock(now):
    with time_machine.travel(now, tick=True):
        yield


@pytest.fixture
def case(cast: Cast, now) -> int:
    customer = perform(add_customer, actor=cast.sales, now=now, name="荷花酒店<b>")
    return perform(
        actions.open_ticket,
        actor=cast.hotline,
        now=now,
        customer_id=customer,
        contact_id=None,
        site_id=None,
        item_id=None,
        channel=Channel.PHONE,
        received_at=now,
        fault=FaultCode.NOISE,
        words="",
        priority=Priority.P3,
    )


def shown(at) -> str:
    return "\n".join(element.proto.body for element in at.get("html"))


def sheet(cast: Cast, case: int, kind: str = "resolution"):
    return open_page(cast.hotline, "tickets_timer", ticket=str(case), kind=kind, cycle="1")


def test_the_table_says_what_counts_and_ends_with_the_due(cast, case):
    at = sheet(cast, case)
    assert not at.exception
    told = shown(at)
    assert text(ZH, "target.working_hours", count=27) in told
    assert "S-16" in told
    for why in ("counted", "outside_hours"):
        assert text(ZH, f"sheet.why.{why}") in told
    assert "2026-11-27 10:00:00" in told


def test_a_stop_in_time_is_marked_where_it_fell_also_outside_hours(cast, case, now):
    evening = now + timedelta(hours=10)
    perform(
        actions.complete_ticket,
        actor=cast.supervisor,
        now=evening,
        ticket_id=case,
        version=1,
        words="fixed",
    )
    told = shown(sheet(cast, case))
    mark = text(ZH, "sheet.mark.stopped", at="2026-11-24 20:00:00")
    assert told.count(mark) == 1
    assert "8:00:00" in told
    assert told.index(mark) < told.index("◆")


def test_a_pause_tells_who_let_it_wait_for_whom(cast, case, now):
    perform(
        actions.start_waiting,
        actor=cast.hotline,
        now=now,
        ticket_id=case,
        version=1,
        waiting_for=WaitingFor.PARTS,
        words="<i>motor</i>",
        until_at=now + timedelta(hours=3),
    )
    with time_machine.travel(now + timedelta(hours=1), tick=True):
        told = shown(sheet(cast, case))
    by = text(ZH, "sheet.why.paused_by", state=text(ZH, "waiting_for.parts"), by=cast.hotline.name)
    assert f"{by} · &lt;i&gt;motor&lt;/i&gt;" in told
    assert "<i>" not in told
    assert text(ZH, "sheet.expected_words", at="2026-11-27 13:00") in told


def test_rule_6_a_due_that_is_never_reached_is_an_error_on_that_timer_alone(cast, case, now):
    perform(
        policies.add_policy,
        actor=cast.supervisor,
        now=now,
        kind=TimerKind.RESTORATION,
        unit=TargetUnit.WORKING_DAYS,
        amount=4000,
        calendar_id=1,
        clause="Q-11",
    )
    perform(policies.apply_targets, actor=cast.supervisor, now=now, ticket_ids=[case])
    assert text(ZH, "sheet.unreachable") in shown(sheet(cast, case, "restoration"))
    at = open_page(cast.hotline, "tickets_detail", ticket=str(case))
    chips = component(at, "rows")
    told = {row["id"][0]: row["when"] for row in chips["rows"]}
    assert told["restoration"] == text(ZH, "timer.unreachable")
    assert told["resolution"] == text(ZH, "timer.due_at", at="2026-11-27 10:00")


def test_rule_29_kinds_without_a_policy_are_shown_as_no_target(cast, case):
    at = open_page(cast.hotline, "tickets_detail", ticket=str(case))
    told = next(each.value for each in at.caption if text(ZH, "timer_kind.hop") in each.value)
    assert text(ZH, "timer_kind.restoration") in told
    assert text(ZH, "timer_kind.resolution") not in told


def test_rule_6_a_due_in_a_year_without_data_is_marked_provisional(cast, case, now):
    perform(
        policies.add_policy,
        actor=cast.supervisor,
        now=now,
        kind=TimerKind.RESOLUTION,
        unit=TargetUnit.WORKING_DAYS,
        amount=40,
        calendar_id=1,
        clause="Q-11",
    )
    perform(policies.apply_targets, actor=cast.supervisor, now=now, ticket_ids=[case])
    assert text(ZH, "sheet.provisional", year=2027) in shown(sheet(cast, case))
    at = open_page(cast.hotline, "tickets_detail", ticket=str(case))
    told = {row["id"][0]: row["when"] for row in component(at, "rows")["rows"]}
    assert text(ZH, "timer.provisional") in told["resolution"]
    assert text(ZH, "timer.provisional") not in told["first_response"]


def test_a_holiday_is_called_by_its_name(cast, case, now):
    with store.ReadSession() as session:
        customer_id = session.get(Ticket, case).customer_id
    before = datetime(2026, 9, 30, 8, 0, tzinfo=UTC)
    old = perform(
        actions.open_ticket,
        actor=cast.hotline,
        now=before,
        customer_id=customer_id,
        contact_id=None,
        site_id=None,
        item_id=None,
        channel=Channel.PHONE,
        received_at=before,
        fault=FaultCode.NOISE,
        words="",
        priority=Priority.P3,
    )
    told = shown(sheet(cast, old))
    assert f"{text(ZH, 'sheet.why.day_off')} · 国庆节" in told
    make_up = text(ZH, "calendar.kind.open")
    assert f"{text(ZH, 'sheet.why.counted')} · {make_up} · 国庆节" in told


@pytest.mark.parametrize("query", [{"kind": "nonsense"}, {"cycle": "x"}, {"cycle": "²"}])
def test_an_address_that_names_no_timer_does_no_harm(cast, case, query):
    told = {"ticket": str(case), "kind": "resolution", "cycle": "1"} | query
    at = open_page(cast.hotline, "tickets_timer", **told)
    assert not at.exception
    assert [each.value for each in at.info] == [text(ZH, "ticket.none_asked")]


def test_a_supervisor_changes_the_customers_level_on_the_case(cast, case):
    at = open_page(cast.supervisor, "tickets_detail", ticket=str(case))
    [radio] = [each for each in at.radio if str(each.key).startswith("tickets.level.")]
    radio.set_value(CustomerLevel.KEY)
    [button] = [each for each in at.button if str(each.key).startswith("tickets.level.set.")]
    button.click().run()
    assert not at.error
    with store.ReadSession() as session:
        assert session.get(Customer, 1).level is CustomerLevel.KEY
    at = open_page(cast.dispatcher, "tickets_detail", ticket=str(case))
    assert not [each for each in at.radio if str(each.key).startswith("tickets.level.")]
