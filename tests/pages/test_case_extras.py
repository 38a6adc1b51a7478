"""The other cases, files and ready texts of a case on its page, and the page on which ready texts are written."""

import io
import json

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from db import session as database
from db.codes import Channel, FaultCode, Priority, TicketStatus, WaitingFor
from db.models.tickets import Ticket
from lib.shared import clock
from lib.shared.work import look, perform
from lib.tickets.files import add_file
from lib.tickets.intake import Caller, Place, take_call
from lib.tickets.macros import list_macros
from tests.cast import Cast
from tests.pages.opening import open_page


def a_case(cast: Cast, words: str) -> int:
    with database.ReadSession() as session:
        first = session.query(Ticket).first()
        customer_id = None if first is None else first.customer_id
        contact_id = None if first is None else first.contact_id
    caller = Caller(company="东方宾馆", contact="李娜", phone="13812345678")
    if customer_id is not None:
        caller = Caller(customer_id=customer_id, contact_id=contact_id)
    return perform(
        take_call,
        actor=cast.hotline,
        now=clock.now(),
        caller=caller,
        place=Place(),
        channel=Channel.PHONE,
        received_at=None,
        fault=FaultCode.NOISE,
        words=words,
        priority=Priority.P3,
    )


def stored(ticket_id: int) -> Ticket:
    with database.ReadSession() as session:
        ticket = session.get(Ticket, ticket_id)
        assert ticket is not None
        return ticket


def press(at: AppTest, start: str) -> AppTest:
    found = [button for button in at.button if str(button.key).startswith(start)]
    return found[0].click().run()


def opened(at: AppTest, panel: str) -> AppTest:
    return press(at, f"tickets.case.open.{panel}.")


def field(elements, name: str):
    return next(each for each in elements if str(each.key).startswith(f"tickets.case.{name}."))


def shown(at: AppTest) -> str:
    return "\n".join(element.proto.body for element in at.get("html"))


def test_a_possible_duplicate_is_merged_by_two_presses_and_the_merge_undone_by_one(cast: Cast):
    first = a_case(cast, "夜里有响声")
    second = a_case(cast, "还是响")
    at = opened(open_page(cast.hotline, "tickets_detail", ticket=str(first)), "links")
    at = press(at, "tickets.case.merge.")
    assert not at.error
    assert stored(second).merged_into_id == first
    at = press(at, "tickets.case.undo.")
    assert not at.error
    assert stored(second).status is TicketStatus.NEW


def test_another_case_is_linked_by_its_number_and_an_unknown_number_keeps_what_was_typed(
    cast: Cast,
):
    first, second = a_case(cast, "响"), a_case(cast, "响")
    at = opened(open_page(cast.hotline, "tickets_detail", ticket=str(first)), "links")
    field(at.button_group, "way").set_value(["related"]).run()
    field(at.text_input, "number").set_value("CC-2026-999999").run()
    at = press(at, "tickets.case.link.")
    assert "编号" in at.error[0].value
    assert field(at.text_input, "number").value == "CC-2026-999999"
    field(at.text_input, "number").set_value(stored(second).number).run()
    at = press(at, "tickets.case.link.")
    assert not at.error


def test_a_ready_text_is_filled_edited_and_written_down_with_its_change(cast: Cast):
    ticket = a_case(cast, "响")
    at = opened(open_page(cast.hotline, "tickets_detail", ticket=str(ticket)), "macros")
    rows = look(list_macros, actor=cast.hotline, now=clock.now())
    parts = next(row for row in rows if row.name == "配件在途")
    field(at.selectbox, "macro").set_value(parts.id).run()
    text = field(at.text_area, "macro_words")
    assert stored(ticket).number in text.value
    text.set_value("李女士，配件明天到").run()
    at = press(at, "tickets.case.apply.")
    assert not at.error
    assert stored(ticket).waiting_for is WaitingFor.PARTS
    assert "李女士，配件明天到" in shown(at)


def test_files_are_listed_with_who_and_when_and_removed_with_a_record(cast: Cast):
    ticket = a_case(cast, "响")
    picture = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(picture, "PNG")
    told = {"ticket_id": ticket, "name": "<b>窗.png", "sent": picture.getvalue()}
    file_id = perform(add_file, actor=cast.hotline, now=clock.now(), **told)
    at = opened(open_page(cast.hotline, "tickets_detail", ticket=str(ticket)), "files")
    assert f"/desk/files/ticket/{file_id}?small" in shown(at)
    assert "&lt;b&gt;窗.jpg" in shown(at)
    assert "王丽" in shown(at)
    at = press(at, "tickets.case.attach.")
    assert "请先选择" in at.error[0].value
    at = press(at, "tickets.case.remove.")
    assert not at.error
    assert f"/desk/files/ticket/{file_id}" not in shown(at)
    assert "移除" in shown(at)


@pytest.mark.parametrize("who", ["technician", "sales", "quality", "auditor", "dispatcher"])
def test_each_role_finds_only_its_panels(cast: Cast, who: str):
    ticket = a_case(cast, "响")
    if who == "technician":
        with database.writing() as session:
            session.get_one(Ticket, ticket).technician_id = cast.technician.person_id
    at = open_page(getattr(cast, who), "tickets_detail", ticket=str(ticket))
    panels = {
        str(button.key).split(".")[3]
        for button in at.button
        if str(button.key).startswith("tickets.case.open.")
    }
    wanted = {"links", "files", "macros"} if who == "dispatcher" else {"files"}
    assert panels == wanted
    at = opened(at, "files")
    assert not at.error
    attaches = [each for each in at.button if str(each.key).startswith("tickets.case.attach.")]
    assert bool(attaches) is (who in ("technician", "quality", "dispatcher"))


def test_the_supervisor_writes_changes_and_retires_a_ready_text(cast: Cast):
    at = open_page(cast.supervisor, "tickets_macros")

    def of(elements, name):
        return next(each for each in elements if str(each.key).startswith(f"tickets.macros.{name}"))

    of(at.text_input, "name").set_value("节日问候").run()
    of(at.text_area, "words").set_value("{contact}您好 {wrong}").run()
    at = press(at, "tickets.macros.save.")
    assert "wrong" in at.error[0].value
    of(at.text_area, "words").set_value("{contact}您好").run()
    at = press(at, "tickets.macros.save.")
    assert not at.error
    rows = look(list_macros, actor=cast.supervisor, now=clock.now())
    row = next(row for row in rows if row.name == "节日问候")
    at = press(at, f"tickets.macros.choose.{row.id}")
    assert of(at.text_input, "name").value == "节日问候"
    of(at.text_area, "words").set_value("{contact}，节日快乐").run()
    at = press(at, "tickets.macros.save.")
    assert not at.error
    assert json.dumps(row.words)
    after = {row.id: row for row in look(list_macros, actor=cast.supervisor, now=clock.now())}
    assert after[row.id].words == "{contact}，节日快乐"
