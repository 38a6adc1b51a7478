"""The page of a case: who sees what, which steps are offered, and what happens when two people save."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, update
from streamlit.testing.v1 import AppTest

from db import session as database
from db.codes import (
    CallStep,
    CancelReason,
    Channel,
    FaultCode,
    Language,
    Priority,
    TicketStatus,
    WaitingFor,
)
from db.models.people import Person
from db.models.tickets import Ticket
from lib.people.actions import open_session_for
from lib.people.sessions import find_session, hash_token
from lib.shared import clock
from lib.shared.words import text
from lib.shared.work import Actor, look, perform, system
from lib.tickets import actions
from lib.tickets.calls import CallTold
from lib.tickets.intake import Caller, Place, take_call
from tests.cast import Cast

ZH = Language.ZH_CN
ROOT = Path(__file__).resolve().parents[2]
PHONE = "13812345678"
ADDRESS = "上海市浦东新区世纪大道100号"
COMPANY = "<img src=x onerror=alert(1)> 东方宾馆"


def open_page(actor: Actor, ticket_id: int | str) -> AppTest:
    now = clock.now()
    token = perform(open_session_for, actor=system("test"), now=now, person_id=actor.person_id)
    facts = look(find_session, actor=system("test"), now=now, token_hash=hash_token(token))
    assert facts is not None
    at = AppTest.from_file(ROOT / "lib" / "ui" / "shell.py", default_timeout=120)
    at.user["session_row"] = str(facts.row_id)
    at.run()
    at.query_params["ticket"] = str(ticket_id)
    return at.switch_page(str(ROOT / "pages" / "tickets_detail.py")).run()


def shown(at: AppTest) -> str:
    return "\n".join(element.proto.body for element in at.get("html"))


def key(at: AppTest, step: str, ticket_id: int, field: str | None = None) -> str:
    form = at.session_state["doors.forms"][f"tickets.detail.{step}.{ticket_id}"]
    return f"tickets.detail.{field or step}.{form}"


def press(at: AppTest, step: str, ticket_id: int) -> AppTest:
    return at.button(key=key(at, step, ticket_id)).click().run()


def steps_of(at: AppTest) -> list[str]:
    return [
        str(button.key).split(".")[2]
        for button in at.button
        if str(button.key).startswith("tickets.detail.")
    ]


def local(at: datetime) -> str:
    return f"{at.astimezone(clock.SHANGHAI):%Y-%m-%d %H:%M:%S}"


def stored(ticket_id: int) -> Ticket:
    with database.ReadSession() as session:
        ticket = session.get(Ticket, ticket_id)
        assert ticket is not None
        return ticket


def call_in(cast: Cast, at: datetime, words: str = "", told: CallTold | None = None) -> int:
    return perform(
        take_call,
        actor=cast.hotline,
        now=at,
        caller=Caller(company=COMPANY, contact="李娜", phone=PHONE),
        place=Place(site="主楼", address=ADDRESS),
        channel=Channel.PHONE,
        received_at=None,
        fault=FaultCode.NOISE,
        words=words,
        priority=Priority.P3,
        call=told,
    )


@pytest.fixture
def ticket(cast: Cast) -> int:
    # Of a minute ago: a contact in the second of the call is the call itself, and keeps no promise of it.
    return call_in(cast, clock.now() - timedelta(minutes=1), "夜里有响声")


def test_the_case_is_shown_with_its_facts_and_stored_markup_stays_text(
    ticket: int, cast: Cast
) -> None:
    at = open_page(cast.hotline, ticket)
    assert not at.error
    page = shown(at)
    for words in ("CC-", PHONE, ADDRESS, "夜里有响声", "噪音大", "新建"):
        assert words in page
    assert "<img" not in page
    assert "&lt;img" in page


def test_a_case_that_a_call_brought_shows_when_each_step_of_the_script_was_done(cast: Cast) -> None:
    now = clock.now()
    told = CallTold(now - timedelta(seconds=20), {CallStep.FAULT: now - timedelta(seconds=7)})
    case = call_in(cast, now, told=told)
    page = shown(open_page(cast.hotline, case))
    card = page[page.index(text(ZH, "script.title")) :]
    for step, at in ((CallStep.FAULT, now - timedelta(seconds=7)), (CallStep.SAVE, now)):
        row = f"<dt>{text(ZH, f'call_step.{step}')}</dt><dd>{local(at)}</dd>"
        assert row in card
    assert f"<dt>{text(ZH, 'call_step.follow')}</dt><dd>{text(ZH, 'script.open')}</dd>" in card


def test_a_run_looks_its_session_up_once_and_reads_in_one_transaction(
    ticket: int, cast: Cast
) -> None:
    at = open_page(cast.hotline, ticket)
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(" ".join(statement.split()))

    begun: list[Any] = []
    begin = begun.append
    event.listen(database.reader(), "before_cursor_execute", note)
    event.listen(database.reader(), "begin", begin)
    try:
        at.run()
    finally:
        event.remove(database.reader(), "before_cursor_execute", note)
        event.remove(database.reader(), "begin", begin)
    print(f"{len(asked)} statements to show a case")
    assert sum("FROM desk_sessions" in each for each in asked) == 1
    assert len(begun) == 1
    assert len(asked) <= 24


def test_who_is_deactivated_within_an_open_page_is_out_at_the_next_run(
    ticket: int, cast: Cast
) -> None:
    at = open_page(cast.hotline, ticket)
    assert steps_of(at)
    with database.writing() as session:
        session.execute(
            update(Person).where(Person.id == cast.hotline.person_id).values(active=False)
        )
    at.run()
    assert not steps_of(at)


def test_each_role_finds_only_its_steps(ticket: int, cast: Cast) -> None:
    assert steps_of(open_page(cast.dispatcher, ticket))[0] == "assign"
    hotline = steps_of(open_page(cast.hotline, ticket))
    assert hotline[0] == "log_contact"
    assert "assign" not in hotline
    assert steps_of(open_page(cast.auditor, ticket)) == []


def test_a_step_with_words_is_saved_and_its_form_closes(ticket: int, cast: Cast) -> None:
    at = press(open_page(cast.hotline, ticket), "log_contact", ticket)
    at.text_area(key=key(at, "log_contact", ticket, "words")).set_value("已致电")
    at.button(key=key(at, "log_contact", ticket, "save")).click().run()
    assert not at.error
    assert stored(ticket).status is TicketStatus.CONTACTED
    assert "已致电" in shown(at)
    assert not at.text_area


def test_a_technician_is_assigned_in_two_clicks(ticket: int, cast: Cast) -> None:
    at = press(open_page(cast.dispatcher, ticket), "assign", ticket)
    at.button(key=key(at, "assign", ticket, "save")).click().run()
    assert "请选择技术人员" in at.error[0].value
    chosen = at.selectbox(key=key(at, "assign", ticket, "technician"))
    chosen.set_value(cast.technician.person_id).run()
    at.button(key=key(at, "assign", ticket, "save")).click().run()
    assert not at.error
    assert stored(ticket).technician_id == cast.technician.person_id
    assert "陈刚" in shown(at)


def test_waiting_needs_to_know_for_what_and_why(ticket: int, cast: Cast) -> None:
    at = press(open_page(cast.hotline, ticket), "start_waiting", ticket)
    at.text_area(key=key(at, "start_waiting", ticket, "words")).set_value("等客户确认时间").run()
    at.button(key=key(at, "start_waiting", ticket, "save")).click().run()
    assert at.error
    at.pills(key=key(at, "start_waiting", ticket, "waiting_for")).set_value(
        WaitingFor.CUSTOMER
    ).run()
    at.button(key=key(at, "start_waiting", ticket, "save")).click().run()
    assert not at.error
    assert stored(ticket).waiting_for is WaitingFor.CUSTOMER


def test_the_second_of_two_is_told_who_changed_what_and_keeps_what_was_typed(
    ticket: int, cast: Cast
) -> None:
    at = press(open_page(cast.supervisor, ticket), "change", ticket)
    at.text_area(key=key(at, "change", ticket, "words")).set_value("主管的话").run()
    perform(
        actions.change_ticket,
        actor=cast.hotline,
        now=clock.now(),
        ticket_id=ticket,
        version=stored(ticket).version,
        priority=Priority.P1,
    )
    at.run()
    at.button(key=key(at, "change", ticket, "save")).click().run()
    assert "王丽" in at.error[0].value
    assert "修改内容" in at.error[0].value
    assert at.text_area(key=key(at, "change", ticket, "words")).value == "主管的话"
    assert stored(ticket).words == "夜里有响声"
    at.button(key=key(at, "change", ticket, "save")).click().run()
    assert not at.error
    assert (stored(ticket).words, stored(ticket).priority) == ("主管的话", Priority.P1)


def change_beside(ticket: int, actor: Actor, **facts: Any) -> None:
    """A colleague saves the case in between."""
    action = facts.pop("action", actions.change_ticket)
    version = stored(ticket).version
    perform(action, actor=actor, now=clock.now(), ticket_id=ticket, version=version, **facts)


def test_a_stale_save_is_refused_with_both_values_and_can_be_saved_again(
    ticket: int, cast: Cast
) -> None:
    at = press(open_page(cast.supervisor, ticket), "change", ticket)
    at.selectbox(key=key(at, "change", ticket, "priority")).set_value(Priority.P4)
    at.text_area(key=key(at, "change", ticket, "words")).set_value("主管的话").run()
    change_beside(
        ticket, cast.hotline, priority=Priority.P1, fault=FaultCode.MOTOR_DEAD, words="客服的话"
    )
    at.button(key=key(at, "change", ticket, "save")).click().run()
    table = clash_of(at)
    assert table["优先级"] == ["P3 普通", "P1 紧急", "P4 低"]
    assert table["描述"] == ["夜里有响声", "客服的话", "主管的话"]
    assert table["故障"][2] == "不更改"
    assert stored(ticket).words == "客服的话"
    at.button(key=key(at, "change", ticket, "theirs.priority")).click().run()
    assert at.selectbox(key=key(at, "change", ticket, "priority")).value is Priority.P1
    assert "优先级" not in clash_of(at)
    at.button(key=key(at, "change", ticket, "save")).click().run()
    assert not at.error
    assert clash_of(at) == {}
    after = stored(ticket)
    assert (after.words, after.priority) == ("主管的话", Priority.P1)
    assert after.fault is FaultCode.MOTOR_DEAD, "a field that was left alone keeps the other value"


def test_a_technician_named_by_two_is_shown_with_both_names(ticket: int, cast: Cast) -> None:
    at = press(open_page(cast.dispatcher, ticket), "assign", ticket)
    at.selectbox(key=key(at, "assign", ticket, "technician")).set_value(
        cast.technician.person_id
    ).run()
    change_beside(
        ticket,
        cast.supervisor,
        action=actions.assign_technician,
        technician_id=cast.second_technician.person_id,
    )
    at.button(key=key(at, "assign", ticket, "save")).click().run()
    table = clash_of(at)
    assert table["技术人员"] == ["—", "刘洋", "陈刚"]
    assert table["状态"][:2] == ["新建", "已派工"]
    at.button(key=key(at, "assign", ticket, "save")).click().run()
    assert not at.error
    assert stored(ticket).technician_id == cast.technician.person_id


def test_a_button_pressed_on_an_older_state_shows_what_has_changed(ticket: int, cast: Cast) -> None:
    at = open_page(cast.supervisor, ticket)
    change_beside(ticket, cast.hotline, priority=Priority.P1)
    press(at, "take", ticket)
    assert at.error
    assert clash_of(at)["优先级"][:2] == ["P3 普通", "P1 紧急"]
    press(at, "take", ticket)
    assert not at.error
    assert stored(ticket).owner_id == cast.supervisor.person_id


def clash_of(at: AppTest) -> dict[str, list[str]]:
    """The table of both values: field to before, theirs and mine."""
    rows = re.findall(
        r'<tr><th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td><td class=".*?">(.*?)</td></tr>',
        shown(at),
    )
    return {field: [re.sub("<.*?>", "", cell) for cell in cells] for field, *cells in rows}


def test_words_stay_readable_when_a_step_is_no_longer_possible(ticket: int, cast: Cast) -> None:
    at = press(open_page(cast.supervisor, ticket), "complete", ticket)
    at.text_area(key=key(at, "complete", ticket, "words")).set_value("换了电机").run()
    perform(
        actions.cancel_ticket,
        actor=cast.hotline,
        now=clock.now(),
        ticket_id=ticket,
        version=stored(ticket).version,
        reason=CancelReason.NOT_NEEDED,
        words="客户撤回",
    )
    at.run()
    assert at.text_area(key=key(at, "complete", ticket, "words")).value == "换了电机"
    assert at.button(key=key(at, "complete", ticket, "save")).disabled


def test_a_masked_contact_is_shown_for_a_reason(ticket: int, cast: Cast) -> None:
    at = open_page(cast.quality, ticket)
    assert PHONE not in shown(at)
    assert ADDRESS not in shown(at)
    at.button(key=key(at, "reveal", ticket)).click().run()
    assert at.error
    at.text_input(key=key(at, "reveal", ticket, "reason")).set_value("质量回访").run()
    at.button(key=key(at, "reveal", ticket)).click().run()
    assert not at.error
    assert PHONE in shown(at)


@pytest.mark.parametrize("asked", ["999", "x", "", "1 OR 1=1", "-1"])
def test_a_case_that_is_not_there_is_told_so(cast: Cast, asked: str) -> None:
    at = open_page(cast.hotline, asked)
    assert not shown(at).startswith("CC-")
    assert at.error or at.info


def test_a_technician_opens_his_own_cases_only(ticket: int, cast: Cast, now: datetime) -> None:
    at = open_page(cast.technician, ticket)
    assert "无权查看" in at.error[0].value
    assert PHONE not in shown(at)
    perform(
        actions.assign_technician,
        actor=cast.dispatcher,
        now=clock.now(),
        ticket_id=ticket,
        version=stored(ticket).version,
        technician_id=cast.technician.person_id,
    )
    at = open_page(cast.technician, ticket)
    assert PHONE in shown(at)
    assert "assign" not in steps_of(at)
