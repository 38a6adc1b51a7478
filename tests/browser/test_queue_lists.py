"""The queue in a real browser beyond its rows: saved lists, order, closed cases, and who has a case open."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import String, cast, delete, select, update

from db import session as database
from db.codes import Channel, FaultCode, Priority, TicketStatus
from db.models.tickets import QueueRow, SavedView, Ticket
from lib.customers.actions import add_contact, add_customer
from lib.shared import clock
from lib.shared.work import perform, system
from lib.tickets import actions
from tests.browsing import Windows, settle
from tests.serving import Server
from tests.tickets.open_cases import announce, write_open_case
from tests.web.sockets import inside

pytestmark = pytest.mark.browser
MINUTE = 60
TEST = system("test")


@pytest.fixture(autouse=True)
def store(server: Server) -> Iterator[None]:
    """An empty queue without saved lists, written to from beside the server."""
    with inside(server):
        with database.writing() as session:
            session.execute(delete(QueueRow))
            session.execute(update(Ticket).values(number="old-" + cast(Ticket.id, String)))
            session.execute(delete(SavedView))
            announce(session, 0)
        yield


def write(number: int, **facts: object) -> int:
    with database.writing() as session:
        case = write_open_case(session, clock.now(), number, **facts)
        announce(session, case)
    return case


def order(page: Page) -> list[int]:
    found: list[str] = page.locator(".queue tbody").evaluate(
        "body => [...body.children].map(row => row.dataset.id)"
    )
    return [int(each) for each in found]


def open_case(words: str = "客厅电动窗帘不转") -> int:
    """A case of this desk, taken as on the telephone."""
    now = clock.now()
    customer = perform(add_customer, actor=TEST, now=now, name=f"华庭酒店 {now.timestamp()}")
    contact = perform(
        add_contact, actor=TEST, now=now, customer_id=customer, name="王建国", phone="13912345678"
    )
    case: int = perform(
        actions.open_ticket,
        actor=TEST,
        now=now,
        customer_id=customer,
        contact_id=contact,
        site_id=None,
        item_id=None,
        channel=Channel.PHONE,
        received_at=now,
        fault=FaultCode.MOTOR_DEAD,
        words=words,
        priority=Priority.P3,
    )
    return case


def test_a_list_is_kept_opened_shared_changed_and_given_up(windows: Windows) -> None:
    urgent = write(101, priority=Priority.P1, customer_name="乙公司")
    also = write(102, priority=Priority.P1, customer_name="甲公司")
    write(103)
    page = windows.open("supervisor", "/tickets_queue?priority=p1&sort=-company")
    expect(page.locator(".queue tbody tr")).to_have_count(2)
    page.get_by_role("button", name="我的列表").click()
    page.get_by_label("列表名称").fill("紧急")
    page.get_by_label("客服", exact=True).check()
    page.get_by_role("button", name="保存", exact=True).click()
    expect(page.locator(".lists .open", has_text="紧急")).to_contain_text("2")
    page.get_by_label("列表名称").fill("紧急")
    page.get_by_role("button", name="保存", exact=True).click()
    expect(page.locator(".lists .refused")).to_contain_text("已有同名的列表")
    expect(page.get_by_label("列表名称")).to_have_value("紧急")

    other = windows.open("hotline", "/tickets_queue")
    expect(other.locator(".queue tbody tr")).to_have_count(3)
    other.get_by_role("button", name="我的列表").click()
    shared = other.locator(".lists .open", has_text="紧急")
    expect(shared).to_contain_text("孙芳")
    write(104, priority=Priority.P1, customer_name="丙公司")
    expect(shared).to_contain_text("3")
    shared.click()
    other.wait_for_url("**/tickets_queue?priority=p1&sort=-company")
    expect(other.locator(".queue tbody tr")).to_have_count(3)
    assert order(other)[:2] == [also, urgent]

    page.get_by_role("button", name="修改 紧急").click()
    page.get_by_label("列表名称").fill("加急")
    page.get_by_role("button", name="保存修改").click()
    expect(page.locator(".lists .open")).to_contain_text(["加急"])
    page.get_by_role("button", name="删除 加急").click()
    expect(page.locator(".lists .open")).to_have_count(0)
    with database.ReadSession() as session:
        assert session.scalars(select(SavedView)).all() == []


def test_a_click_on_a_column_sorts_by_it_and_changes_keep_the_order(windows: Windows) -> None:
    b, c, a = (write(110 + at, customer_name=name) for at, name in enumerate(("乙", "丙", "一")))
    page = windows.open("hotline", "/tickets_queue")
    page.get_by_role("columnheader", name="公司").get_by_role("button").click()
    page.wait_for_url("**/tickets_queue?sort=company")
    settle(page)
    assert order(page) == [a, c, b]
    expect(page.get_by_role("columnheader", name="公司")).to_have_attribute(
        "aria-sort", "ascending"
    )
    d = write(114, customer_name="且")
    expect(page.locator(".queue tbody tr")).to_have_count(4)
    assert order(page) == [a, d, c, b]
    page.get_by_role("columnheader", name="公司").get_by_role("button").click()
    page.wait_for_url("**/tickets_queue?sort=-company")
    settle(page)
    assert order(page) == [b, c, d, a]


def test_one_box_finds_closed_cases_too_and_their_list_needs_narrowing(windows: Windows) -> None:
    case = open_case()
    with database.writing() as session:
        session.execute(delete(QueueRow).where(QueueRow.ticket_id == case))
        ticket = session.get_one(Ticket, case)
        ticket.status, ticket.closed_at = TicketStatus.CLOSED, clock.now()
        ticket.received_at -= timedelta(days=400)
    page = windows.open("hotline", "/tickets_queue")
    page.get_by_label("单号、公司、联系人、电话、描述").fill("电动窗帘 5678")
    page.get_by_role("button", name="在已结案件中一并查找").click()
    page.wait_for_url("**/tickets_queue?scope=all")
    expect(page.locator(f'.queue tbody tr[data-id="{case}"]')).to_contain_text("已关闭")
    page.get_by_role("button", name="清除").click()
    page.wait_for_url("**/tickets_queue")
    page.get_by_label("范围").select_option("closed")
    expect(page.locator(".queue .empty")).to_contain_text("不超过 92 天")
    today = clock.now().date()
    page.get_by_label("报障日期从").fill(str(today - timedelta(days=30)))
    page.get_by_label("报障日期至").fill(str(today))
    expect(page.locator(".queue .empty")).to_contain_text("没有")
    settle(page)
    assert "from=" in page.url
    assert "until=" in page.url
    page.get_by_role("button", name="全部").click()
    page.wait_for_url("**/tickets_queue")


def test_who_else_has_a_case_open_is_named_in_the_queue_and_on_the_page(windows: Windows) -> None:
    case = open_case()
    queue = windows.open("hotline", "/tickets_queue")
    row = queue.locator(f'.queue tbody tr[data-id="{case}"]')
    expect(row).to_be_visible()
    expect(row.locator(".viewer")).to_be_hidden()
    first = windows.open("supervisor", f"/tickets_detail?ticket={case}")
    expect(row.locator(".viewer")).to_have_text("孙芳", timeout=15_000)
    expect(first.get_by_text("也打开着此单")).to_have_count(0)
    second = windows.open("dispatcher", f"/tickets_detail?ticket={case}")
    expect(second.get_by_text("孙芳 也打开着此单")).to_be_visible(timeout=15_000)
    expect(first.get_by_text("赵敏 也打开着此单")).to_be_visible(timeout=15_000)
    expect(row.locator(".viewer")).to_have_text("孙芳、赵敏", timeout=15_000)
    second.close()
    expect(row.locator(".viewer")).to_have_text("孙芳", timeout=30_000)
    first.close()
    expect(row.locator(".viewer")).to_be_hidden(timeout=30_000)


def test_of_two_windows_the_second_save_is_refused_with_both_values(windows: Windows) -> None:
    case = open_case("夜里有响声")
    one, two = (
        windows.open(part, f"/tickets_detail?ticket={case}") for part in ("hotline", "supervisor")
    )
    for page, priority, words in ((one, "P1 紧急", "一号窗口的话"), (two, "P4 低", "二号窗口的话")):
        page.get_by_role("button", name="修改", exact=True).click()
        form = page.locator(".st-key-tickets_detail_form")
        form.get_by_label("优先级").click()
        page.get_by_role("option", name=priority).click()
        settle(page)
        form.get_by_label("描述").fill(words)
        form.get_by_label("描述").blur()
        settle(page)
    one.locator(".st-key-tickets_detail_form").get_by_role("button", name="保存").click()
    settle(one)
    form = two.locator(".st-key-tickets_detail_form")
    form.get_by_role("button", name="保存").click()
    table = two.locator(".desk-clash")
    expect(table).to_contain_text("一号窗口的话")
    expect(table).to_contain_text("二号窗口的话")
    expect(table).to_contain_text("P1 紧急")
    expect(form.get_by_label("描述")).to_have_value("二号窗口的话")
    settle(two)
    form.get_by_role("button", name="仍按我填写的保存").click()
    expect(two.locator(".st-key-tickets_detail_form")).to_have_count(0)
    with database.ReadSession() as session:
        ticket = session.get_one(Ticket, case)
        assert (ticket.words, ticket.priority) == ("二号窗口的话", Priority.P4)


def test_a_stream_that_was_lost_comes_back_without_loss(windows: Windows) -> None:
    cases = [write(120 + at, due_in=(at + 1) * MINUTE) for at in range(6)]
    page = windows.open("hotline", "/tickets_queue")
    expect(page.locator(".queue tbody tr")).to_have_count(6)
    windows.allow("ERR_|stream|Failed to load")
    page.context.set_offline(True)
    page.wait_for_timeout(500)
    with database.writing() as session:
        session.execute(delete(QueueRow).where(QueueRow.ticket_id == cases[0]))
        session.get_one(QueueRow, cases[1]).customer_name = "断线时改名"
        announce(session, cases[0], cases[1])
    new = write(130, due_in=30)
    page.wait_for_timeout(1500)
    page.context.set_offline(False)
    expect(page.locator(f'.queue tbody tr[data-id="{new}"]')).to_be_visible(timeout=60_000)
    expect(page.locator(f'.queue tbody tr[data-id="{cases[1]}"]')).to_contain_text("断线时改名")
    expect(page.locator(f'.queue tbody tr[data-id="{cases[0]}"]')).to_have_count(0)
    assert order(page) == [new, *cases[1:]]
