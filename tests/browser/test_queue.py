"""The open queue in a real browser: it ticks by the server's clock, changes in place, and is silent when idle."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, WebSocket, expect
from sqlalchemy import String, cast, delete, select, update

from db import session as database
from db.codes import Priority, TicketStatus, WaitingFor
from db.models.people import Person
from db.models.tickets import QueueRow, Ticket, TicketEvent
from lib.shared import clock
from lib.shared.calendar import epoch
from tests.browsing import Windows, settle
from tests.cast import login_of
from tests.serving import SOON, Server
from tests.tickets.open_cases import announce, write_open_case
from tests.web.sockets import inside

pytestmark = pytest.mark.browser

MINUTE = 60
WRONG_CLOCK = """
(() => {
  const Right = Date, ahead = 600000;
  class Wrong extends Right {
    constructor(...given) { given.length ? super(...given) : super(Right.now() + ahead); }
    static now() { return Right.now() + ahead; }
  }
  globalThis.Date = Wrong;
})();
"""


NEXT_TICK = """number => new Promise(told => {
  const root = [...document.querySelectorAll("*")].find(each => each.shadowRoot?.querySelector(".queue")).shadowRoot;
  const time = root.querySelector(`.queue tbody tr[data-id="${number}"] .time`);
  new MutationObserver((_, watch) => {
    watch.disconnect();
    // What the browser takes for now is 600 s ahead of the machine that it shares with the server.
    told([Date.now() / 1000 - 600, time.textContent]);
  }).observe(time, { characterData: true, childList: true, subtree: true });
})"""
"""The instant at which a case's timer is drawn anew, and what it shows: a late machine draws late, not wrongly."""


@pytest.fixture(autouse=True)
def store(server: Server) -> Iterator[datetime]:
    """An empty queue, written to from beside the server. The instant it was emptied."""
    with inside(server):
        with database.writing() as session:
            session.execute(delete(QueueRow))
            # Cases that were worked on have facts, which nothing deletes; they give their numbers back.
            worked_on = Ticket.id.in_(select(TicketEvent.ticket_id))
            session.execute(delete(Ticket).where(~worked_on))
            session.execute(update(Ticket).values(number="old-" + cast(Ticket.id, String)))
            announce(session, 0)
        yield clock.now()


def write(number: int, **facts: Any) -> int:
    """A case as somebody else's process writes it."""
    with database.writing() as session:
        case = write_open_case(session, clock.now(), number, **facts)
        announce(session, case)
    return case


def change(case: int, **facts: Any) -> None:
    with database.writing() as session:
        session.execute(update(QueueRow).where(QueueRow.ticket_id == case).values(**facts))
        announce(session, case)


def end(case: int) -> None:
    with database.writing() as session:
        session.execute(delete(QueueRow).where(QueueRow.ticket_id == case))
        announce(session, case)


def row(page: Page, case: int) -> Locator:
    return page.locator(f'.queue tbody tr[data-id="{case}"]')


def order(page: Page) -> list[int]:
    return [
        int(value)
        for value in page.locator(".queue tbody").evaluate(
            "body => [...body.children].map(row => row.dataset.id)"
        )
    ]


def focused(page: Page) -> str | None:
    text: str | None = page.evaluate(
        "document.activeElement.shadowRoot?.activeElement?.textContent"
    )
    return text


def seconds_left(page: Page, case: int) -> int:
    return in_seconds(row(page, case).locator(".time").inner_text())


def in_seconds(text: str) -> int:
    sign = -1 if text.startswith("\u2212") else 1
    parts = [int(part) for part in text.lstrip("\u2212").split(":")]
    return sign * sum(part * 60**power for power, part in enumerate(reversed(parts)))


def load_anew(page: Page) -> None:
    """Reload, once the page that the sign-in itself reloads is there."""
    page.locator(".queue .views button").first.wait_for()
    settle(page)
    page.reload()
    page.locator(".queue .views button").first.wait_for()
    settle(page)


def listen_to_frames(page: Page) -> list[str]:
    """Frames of the websockets that are opened from now on."""
    frames: list[str] = []

    def note(socket: WebSocket) -> None:
        socket.on("framesent", lambda _: frames.append("sent"))
        socket.on("framereceived", lambda _: frames.append("received"))

    page.on("websocket", note)
    return frames


def test_timers_follow_the_server_although_the_browsers_clock_is_ten_minutes_wrong(
    windows: Windows,
) -> None:
    late, soon = write(1, due_in=-90 * MINUTE), write(2, due_in=20 * MINUTE)
    paused = write(
        3, due_in=None, paused=True, status=TicketStatus.WAITING, waiting_for=WaitingFor.PARTS
    )
    page = windows.open("hotline", "/tickets_queue")
    windows.contexts[-1].add_init_script(WRONG_CLOCK)
    load_anew(page)
    expect(row(page, late).locator(".timer.late .word")).to_have_text("超时")
    expect(row(page, soon).locator(".timer.soon .word")).to_have_text("临期")
    expect(row(page, paused).locator(".timer.paused")).to_have_text("已暂停")
    with database.ReadSession() as session:
        due = session.get_one(QueueRow, soon).due_at
    for _ in range(3):
        at, shown = page.evaluate(NEXT_TICK, soon)
        assert due - at - 1 <= in_seconds(shown) <= due - at + 1
    assert page.evaluate("Date.now()") / 1000 - clock.precise_now().timestamp() > 590
    assert order(page) == [late, soon, paused]


def test_a_timer_turns_from_at_risk_to_overdue_by_itself(windows: Windows) -> None:
    case = write(1, due_in=14)
    page = windows.open("hotline", "/tickets_queue?view=overdue")
    expect(page.locator(".queue .empty")).to_be_visible()
    expect(row(page, case).locator(".timer.late")).to_be_visible(timeout=20_000)
    expect(page.get_by_role("button", name="超时1")).to_be_visible()


def test_changes_of_others_show_within_a_second_and_without_a_rerun(windows: Windows) -> None:
    first = write(1, due_in=50 * MINUTE)
    page = windows.open("hotline", "/tickets_queue")
    frames = listen_to_frames(page)
    load_anew(page)
    expect(row(page, first)).to_be_visible()
    page.wait_for_timeout(700)
    frames.clear()

    began = time.monotonic()
    second = write(2, due_in=5 * MINUTE, customer_name="云山酒店")
    expect(row(page, second)).to_contain_text("云山酒店")
    assert time.monotonic() - began < SOON
    assert order(page) == [second, first]

    began = time.monotonic()
    change(first, due_at=epoch(clock.now()) - 5, priority=Priority.P1)
    expect(row(page, first).locator(".timer.late")).to_be_visible()
    assert time.monotonic() - began < SOON
    assert order(page) == [first, second]

    end(second)
    expect(row(page, second)).to_have_count(0)
    expect(page.get_by_role("button", name="全部1")).to_be_visible()
    expect(page.locator(".total")).to_have_text("共 1 件")
    assert frames == []


@pytest.mark.slow
def test_ten_idle_seconds_are_zero_websocket_frames(windows: Windows) -> None:
    case = write(1, due_in=50 * MINUTE)
    page = windows.open("hotline", "/tickets_queue")
    frames = listen_to_frames(page)
    load_anew(page)
    page.wait_for_timeout(1000)
    frames.clear()
    before = seconds_left(page, case)
    page.wait_for_timeout(10_000)
    assert frames == []
    assert 9 <= before - seconds_left(page, case) <= 12


def test_keys_move_open_and_come_back_to_the_same_row(windows: Windows) -> None:
    cases = [write(number, due_in=number * MINUTE) for number in range(1, 41)]
    page = windows.open("hotline", "/tickets_queue")
    page.locator(".queue tbody a[tabindex='0']").focus()
    for _ in range(25):
        page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("k")
    assert focused(page) == "CC-2026-000026"
    assert order(page)[25] == cases[25]
    scrolled = page.locator(".queue .scroll").evaluate("box => box.scrollTop")
    assert scrolled > 0
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/tickets_detail?ticket={cases[25]}")
    settle(page)
    page.go_back()
    settle(page)
    expect(row(page, cases[25])).to_be_visible()
    expect_place(page, scrolled)
    # Drawn once more before anybody acts, it returns to the same place once more.
    page.go_forward()
    page.wait_for_url(f"**/tickets_detail?ticket={cases[25]}")
    settle(page)
    page.go_back()
    settle(page)
    expect_place(page, scrolled)


def expect_place(page: Page, scrolled: int) -> None:
    page.wait_for_function(
        "() => document.activeElement.shadowRoot?.activeElement?.textContent === 'CC-2026-000026'"
    )
    assert abs(page.locator(".queue .scroll").evaluate("box => box.scrollTop") - scrolled) < 40


def test_one_key_takes_the_focused_case(windows: Windows) -> None:
    first, second = write(1, due_in=10 * MINUTE), write(2, due_in=20 * MINUTE)
    page = windows.open("hotline", "/tickets_queue")
    page.locator(".queue tbody a[tabindex='0']").focus()
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(page.locator(".foot .said")).to_have_text("CC-2026-000002：接手完成")
    expect(page.get_by_role("button", name="我的1")).to_be_visible()
    with database.ReadSession() as session:
        owners = {row.ticket_id: row.owner_id for row in session.scalars(select(QueueRow))}
        assert owners[first] is None
        assert session.get_one(Person, owners[second]).login == login_of("hotline")
    assert focused(page) is not None


def test_ten_cases_get_a_technician_in_four_actions_and_the_stale_one_says_why(
    windows: Windows,
) -> None:
    cases = [write(number, due_in=number * MINUTE) for number in range(1, 13)]
    page = windows.open("supervisor", "/tickets_queue")
    with database.writing() as session:
        session.execute(update(Ticket).where(Ticket.id == cases[4]).values(version=7))
    expect(page.locator(".bulk")).to_be_hidden()
    row(page, cases[0]).get_by_role("checkbox").click()
    row(page, cases[9]).get_by_role("checkbox").click(modifiers=["Shift"])
    expect(page.locator(".bulk b")).to_have_text("已选 10 件")
    page.get_by_label("选择技术人员").select_option(label="陈刚")
    page.get_by_role("button", name="派工", exact=True).click()
    expect(page.locator(".foot .said")).to_have_text("派工：完成 9 件，未完成 1 件")
    expect(page.locator(".results li.refused")).to_contain_text("CC-2026-000005")
    expect(page.locator(".results li.done")).to_have_count(9)
    expect(page.locator(".bulk b")).to_have_text("已选 1 件")
    expect(page.locator(".queue tbody td.technician", has_text="陈刚")).to_have_count(9)
    with database.ReadSession() as session:
        done = session.scalars(select(QueueRow).where(QueueRow.technician_id.is_not(None)))
        assert {each.ticket_id for each in done} == set(cases[:10]) - {cases[4]}


def test_a_choice_made_by_keys_stays_across_pages(windows: Windows) -> None:
    with database.writing() as session:
        for number in range(1, 61):
            write_open_case(session, clock.now(), number, due_in=number * MINUTE)
    page = windows.open("hotline", "/tickets_queue")
    page.locator(".queue tbody a[tabindex='0']").focus()
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Shift+X")
    expect(page.locator(".bulk b")).to_have_text("已选 3 件")
    page.get_by_role("button", name="下一页").click()
    page.get_by_text("CC-2026-000060").wait_for()
    page.locator(".queue tbody a[tabindex='0']").focus()
    page.keyboard.press("x")
    expect(page.locator(".bulk b")).to_have_text("已选 4 件")
    page.get_by_label("选择新的优先级").select_option("p1")
    page.get_by_role("button", name="更改优先级").click()
    expect(page.locator(".foot .said")).to_have_text("更改优先级：完成 4 件，未完成 0 件")
    expect(page.locator(".bulk")).to_be_hidden()
    with database.ReadSession() as session:
        urgent = session.scalars(select(QueueRow.number).where(QueueRow.priority == Priority.P1))
        assert sorted(number[-2:] for number in urgent) == ["01", "02", "03", "51"]


def test_who_may_only_read_is_shown_no_commands(windows: Windows) -> None:
    case = write(1)
    page = windows.open("auditor", "/tickets_queue")
    expect(row(page, case)).to_be_visible()
    expect(page.locator(".queue tbody input")).to_have_count(0)
    page.locator(".queue tbody a[tabindex='0']").focus()
    page.keyboard.press("x")
    page.keyboard.press("a")
    expect(page.locator(".bulk")).to_be_hidden()
    assert "A 接手" not in page.locator(".foot").inner_text()


def test_a_click_opens_the_ticket_the_way_back_keeps_the_filter_and_alt_n_begins_a_case(
    windows: Windows,
) -> None:
    case = write(1)
    page = windows.open("hotline", "/tickets_queue?priority=p3")
    row(page, case).locator("td.company").click()
    page.wait_for_url(f"**/tickets_detail?ticket={case}")
    settle(page)
    page.locator(".st-key-tickets_detail_head").get_by_role("link").first.click()
    page.wait_for_url("**/tickets_queue?priority=p3")
    expect(row(page, case)).to_be_visible()
    page.keyboard.press("Alt+n")
    page.wait_for_url("**/tickets_entry")


def test_filters_live_in_the_address_as_codes_and_survive_the_language(windows: Windows) -> None:
    wanted = write(1, status=TicketStatus.NEW, priority=Priority.P1, customer_name="云山酒店")
    write(2, customer_name="云山酒店")
    write(3, status=TicketStatus.NEW)
    page = windows.open("hotline", "/tickets_queue")
    page.get_by_label("状态").select_option("new")
    page.wait_for_url("**/tickets_queue?status=new")
    expect(page.locator(".total")).to_have_text("共 2 件")
    page.get_by_label("单号、公司、联系人、电话、描述").fill("yunshan 李娜")
    expect(page.locator(".total")).to_have_text("共 1 件")
    settle(page)
    assert page.url.endswith("/tickets_queue?status=new"), "names and phones stay out of addresses"
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("columnheader", name="Time left")).to_be_visible()
    expect(page.get_by_label("Number, company, contact, phone, words")).to_have_value(
        "yunshan 李娜"
    )
    assert "status=new" in page.url
    assert order(page) == [wanted]
    page.reload()
    settle(page)
    expect(page.get_by_label("Status")).to_have_value("new")
    expect(page.locator(".total")).to_have_text("2 cases")
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator(".total")).to_have_text("3 cases")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("columnheader", name="剩余时限")).to_be_visible()


def test_pages_turn_on_the_server(windows: Windows) -> None:
    with database.writing() as session:
        for number in range(1, 121):
            write_open_case(session, clock.now(), number, due_in=number * MINUTE)
    page = windows.open("hotline", "/tickets_queue")
    expect(page.locator(".queue tbody tr")).to_have_count(50)
    page.get_by_role("button", name="下一页").click()
    page.wait_for_url("**after=**")
    page.get_by_text("CC-2026-000051").wait_for()
    page.get_by_role("button", name="下一页").click()
    page.get_by_text("CC-2026-000120").wait_for()
    expect(page.locator(".queue tbody tr")).to_have_count(20)
    page.get_by_role("button", name="上一页").click()
    page.get_by_text("CC-2026-000051").wait_for()
    page.get_by_role("button", name="首页").click()
    page.get_by_text("CC-2026-000001").wait_for()
    assert page.url.endswith("/tickets_queue")


def test_nothing_moves_between_press_and_release_or_while_words_are_marked(
    windows: Windows,
) -> None:
    first, second = write(1, due_in=10 * MINUTE), write(2, due_in=20 * MINUTE)
    page = windows.open("hotline", "/tickets_queue")
    box = row(page, second).locator("td.fault").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    change(second, due_at=epoch(clock.now()) + 60)
    page.wait_for_timeout(800)
    assert order(page) == [first, second]
    expect(page.get_by_role("button", name="1 项有变化")).to_be_visible()
    page.mouse.move(box["x"] + 5, box["y"] - 300)
    page.mouse.up()
    page.wait_for_timeout(300)
    assert order(page) == [first, second], "words are marked"
    page.evaluate("getSelection().removeAllRanges()")
    expect(page.locator(".queue tbody tr").first).to_have_attribute("data-id", str(second))


def test_a_hidden_tab_lets_the_stream_go_and_catches_up_when_it_is_back(windows: Windows) -> None:
    case = write(1)
    page = windows.open("hotline", "/tickets_queue")
    expect(row(page, case).locator(".timer.ok")).to_be_visible()
    hide = """hidden => {
        Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
    }"""
    page.evaluate(hide, True)
    change(case, customer_name="后来改名")
    page.wait_for_timeout(800)
    expect(row(page, case)).not_to_contain_text("后来改名")
    page.evaluate(hide, False)
    expect(row(page, case)).to_contain_text("后来改名")


@pytest.mark.parametrize("size", [(1440, 900), (1024, 768), (768, 1024)])
def test_fifteen_rows_fit_and_the_page_never_scrolls_sideways(
    windows: Windows, size: tuple[int, int]
) -> None:
    with database.writing() as session:
        for number in range(1, 61):
            write_open_case(
                session, clock.now(), number, due_in=number * MINUTE, technician_name="陈刚"
            )
    page = windows.open("hotline", "/tickets_queue", size=size)
    expect(page.locator(".queue tbody tr")).to_have_count(50)
    page.wait_for_timeout(300)
    seen = page.locator(".queue .scroll").evaluate("""box => {
        const frame = box.getBoundingClientRect(), head = box.querySelector('thead').offsetHeight;
        const inside = [...box.querySelectorAll('tbody tr')].filter(row => {
            const r = row.getBoundingClientRect();
            return r.top >= frame.top + head - 1 && r.bottom <= Math.min(frame.bottom, innerHeight) + 1;
        });
        const cells = [...inside[0].children].filter(
            cell => cell.getBoundingClientRect().right <= frame.right + 1);
        return { rows: inside.length, columns: cells.length };
    }""")
    wanted = {(1440, 900): (15, 10), (1024, 768): (10, 10), (768, 1024): (15, 6)}[size]
    assert seen["rows"] >= wanted[0], seen
    assert seen["columns"] >= wanted[1], seen
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    strip = page.locator(".queue .views").bounding_box()
    assert strip is not None
    assert strip["height"] <= 32
    main = page.locator('[data-testid="stMain"]')
    assert main.evaluate("box => box.scrollHeight - box.clientHeight") <= 0
    assert main.evaluate("box => box.scrollWidth - box.clientWidth") <= 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("language", ["中文", "English"])
def test_axe_finds_nothing_serious(windows: Windows, dark: bool, language: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    write(1, due_in=-10)
    write(2, due_in=100)
    write(3, due_in=90_000)
    write(4, due_in=None, paused=True)
    page = windows.open("hotline", "/tickets_queue", dark=dark)
    if language == "English":
        page.get_by_role("button", name="English").click()
        expect(page.get_by_role("columnheader", name="Time left")).to_be_visible()
        settle(page)
    page.mouse.move(600, 600)
    page.locator(".queue tbody a[tabindex='0']").focus()
    page.keyboard.press("x")
    page.locator(".bulk").wait_for()
    found = Axe().run(page).response["violations"]
    serious = [
        (each["id"], [node["target"] for node in each["nodes"]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
    if language == "English":
        page.get_by_role("button", name="中文").click()
        settle(page)
    assert serious == []
