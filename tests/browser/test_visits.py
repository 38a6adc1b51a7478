"""A technician's tablet and the taps of impatient fingers, in a real browser."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urljoin
from uuid import uuid4

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import func, select

from db import session as store
from db.codes import EventKind, Language, MovementKind, VisitFileKind, VisitOutcome, VisitStatus
from db.models.people import Person
from db.models.stock import StockMovement
from db.models.tickets import ReturnCall, TicketEvent
from db.models.visits import Visit, VisitFile
from lib.shared import clock
from lib.shared.words import text
from lib.shared.work import actor_of, perform, system
from lib.stock import actions as stock
from lib.visits import actions as visits
from tests.browsing import DESKTOP, TABLET, Windows, settle, tap_twenty_times
from tests.cast import PEOPLE, Cast
from tests.daytime import next_morning
from tests.serving import Server
from tests.visits.house_calls import Desk
from tests.web.sockets import inside

pytestmark = [pytest.mark.browser, pytest.mark.slow]

UPRIGHT = (768, 1024)

SMALL_TARGETS = """least => {
    const found = [];
    const look = (root) => {
        for (const each of root.querySelectorAll('*')) {
            if (each.shadowRoot) look(each.shadowRoot);
            if (!each.matches('button, a[href], label:has(input[type=file]), input[type=text], textarea')) continue;
            const box = each.getBoundingClientRect();
            if (box.width < 1 || getComputedStyle(each).visibility === 'hidden' || each.closest('[hidden]')) continue;
            if (!each.checkVisibility()) continue;
            if (box.height < least) found.push(`${each.innerText || each.ariaLabel} ${box.width}x${box.height}`);
        }
    };
    for (const part of document.querySelectorAll('.st-key-visits_today, .stBottom')) look(part);
    return found;
}"""

SMALL_TEXT = """least => {
    const found = [];
    const look = (root) => {
        const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT);
        for (let each = walker.currentNode; each; each = walker.nextNode()) {
            if (each.shadowRoot) look(each.shadowRoot);
            const own = [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
            if (own && each.checkVisibility?.() && parseFloat(getComputedStyle(each).fontSize) < least
                && !['STYLE', 'SCRIPT'].includes(each.tagName)) found.push(each.textContent.slice(0, 40));
        }
    };
    look(document.querySelector('.st-key-visits_today'));
    return found;
}"""


def words(key: str, **params: object) -> str:
    return text(Language.ZH_CN, key, **params)


@pytest.fixture
def windows(chromium: Browser, morning: Server) -> Iterator[Windows]:
    opened = Windows(chromium, morning.address)
    try:
        yield opened
        opened.check()
    finally:
        opened.close()


@pytest.fixture
def desk(morning: Server) -> Iterator[Desk]:
    """The server's own desk, written to from beside it; the visits of former tests are out of the way."""
    with inside(morning):
        with store.writing() as session:
            people = {person.login: actor_of(person) for person in session.scalars(select(Person))}
            for visit in session.scalars(select(Visit)):
                visit.status = VisitStatus.CANCELLED
        cast = Cast(**{part: people[login] for part, (login, _, _) in PEOPLE.items()})
        yield Desk(cast, next_morning(clock.now()))


def count(statement: object) -> int:
    with store.ReadSession() as session:
        return session.scalar(select(func.count()).select_from(statement)) or 0  # type: ignore[arg-type]


def a_part(desk: Desk, on_hand: int) -> tuple[int, str]:
    """Its id and its number, of this try of the test alone."""
    number = f"TAP-{uuid4().hex[:8].upper()}"
    told = {"actor": system("test"), "now": desk.now}
    part_id = perform(stock.add_part, number=number, name="电机", **told)
    perform(stock.receive_part, part_id=part_id, quantity=on_hand, **told)
    return part_id, number


AHEAD = timedelta(minutes=2)
"""How far the tablet's clock is ahead of the server's."""


def set_tablet_clock(page: Page) -> datetime:
    """Answers the server's time, which the test asks for beside the page's network."""
    milliseconds = page.request.get(urljoin(page.url, "/desk/clock")).text()
    at = datetime.fromtimestamp(int(milliseconds) / 1000, clock.SHANGHAI)
    page.clock.set_fixed_time(at + AHEAD)
    return at


def sign(page: Page) -> None:
    paper = page.get_by_role("img", name=words("visits.signature.paper"))
    paper.scroll_into_view_if_needed()
    box = paper.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 40, box["y"] + 60)
    page.mouse.down()
    for step in range(1, 12):
        page.mouse.move(box["x"] + 40 + 12 * step, box["y"] + 60 + (20 if step % 2 else -15))
    page.mouse.up()


@pytest.mark.parametrize("size", [TABLET, UPRIGHT])
def test_every_target_on_the_tablet_is_large_and_every_word_readable(
    windows: Windows, desk: Desk, size: tuple[int, int]
):
    desk.on_site()
    desk.plan(desk.a_case(), hours=4)
    page = windows.open("technician", "/visits_today", size=size, touch=True)
    page.get_by_role("button", name=words("visits.signature.confirm")).wait_for()
    page.get_by_text(words(f"visit_outcome.{VisitOutcome.WAITING_PARTS}"), exact=True).click()
    page.get_by_text(words("step.start_waiting.until_day")).wait_for()
    settle(page)
    assert page.evaluate(SMALL_TARGETS, 48) == []
    assert page.evaluate(SMALL_TEXT, 16) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_photos_signature_and_report_outlive_a_reload(windows: Windows, desk: Desk, tmp_path: Path):
    visit_id = desk.on_site()
    page = windows.open("technician", "/visits_today", size=TABLET, touch=True)
    Image.effect_noise((3000, 2000), 50).convert("RGB").save(tmp_path / "a.jpg")
    Image.new("RGB", (900, 600), "steelblue").save(tmp_path / "b.png")
    pictures = page.locator('input[type="file"]').nth(1)
    pictures.set_input_files([tmp_path / "a.jpg", tmp_path / "b.png"])
    page.get_by_text(words("visits.today.photos", count=2, most=10)).wait_for()
    settle(page)
    report = page.get_by_role("textbox", name=words("visits.today.report"))
    report.fill("换了电机")
    report.blur()
    settle(page)
    sign(page)
    page.get_by_role("button", name=words("visits.signature.confirm")).click()
    page.get_by_text(words("visits.signature.stored")).wait_for()
    page.reload()
    settle(page)
    page.get_by_text(words("visits.today.photos", count=2, most=10)).wait_for()
    page.get_by_text(words("visits.signature.stored")).wait_for()
    expect(report).to_have_value("换了电机")
    pictures = page.locator("img.desk-picture")
    expect(pictures).to_have_count(3)
    for place in range(3):
        pictures.nth(place).scroll_into_view_if_needed()
    page.wait_for_function(
        "() => [...document.querySelectorAll('img.desk-picture')].every((each) => each.naturalWidth > 0)"
    )
    with store.ReadSession() as session:
        files = session.scalars(select(VisitFile).where(VisitFile.visit_id == visit_id)).all()
        assert sorted(file.kind for file in files) == [
            VisitFileKind.PHOTO,
            VisitFileKind.PHOTO,
            VisitFileKind.SIGNATURE,
        ]
        assert all(content_is_picture(file.content) for file in files)


def content_is_picture(content: bytes) -> bool:
    return content.startswith((b"\xff\xd8\xff", b"\x89PNG"))


def test_impatient_taps_plan_one_visit(windows: Windows, desk: Desk):
    ticket_id = desk.a_case()
    page = windows.open("dispatcher", f"/visits_schedule?ticket={ticket_id}", size=DESKTOP)
    page.get_by_role("combobox", name=re.compile(words("visits.plan.technician"))).click()
    page.get_by_role("option", name=PEOPLE["technician"][1]).click()
    settle(page)
    tap_twenty_times(page, re.compile(words("visits.plan.send")))
    page.locator(".schedule .bar").wait_for()
    settle(page)
    assert count(select(Visit).where(Visit.ticket_id == ticket_id).subquery()) == 1


def test_impatient_taps_use_one_part_and_end_the_visit_once(windows: Windows, desk: Desk):
    part_id, part = a_part(desk, on_hand=9)
    visit_id = desk.plan(desk.a_case())
    ticket_id = desk.visit(visit_id).ticket_id
    page = windows.open("technician", "/visits_today", size=TABLET, touch=True)
    tap_twenty_times(page, re.compile(words("visits.today.set_out")))
    page.get_by_text(words("visit_status.on_the_way")).wait_for()
    tap_twenty_times(page, re.compile(words("visits.today.arrive")))
    page.get_by_role("button", name=words("visits.signature.confirm")).wait_for()
    settle(page)
    parts = page.get_by_role("combobox", name=re.compile(words("visits.part.which")))
    parts.click()
    parts.press_sequentially(part)
    page.get_by_role("option", name=re.compile(part)).click()
    settle(page)
    tap_twenty_times(page, re.compile(words("visits.part.use")))
    page.get_by_text(re.compile(f"{part}.*× 1")).first.wait_for()
    page.get_by_text(words(f"visit_outcome.{VisitOutcome.FIXED}"), exact=True).first.click()
    report = page.get_by_role("textbox", name=words("visits.today.report"))
    report.fill("换了电机")
    report.blur()
    settle(page)
    sign(page)
    page.get_by_role("button", name=words("visits.signature.confirm")).click()
    page.get_by_text(words("visits.signature.stored")).wait_for()
    settle(page)
    tap_twenty_times(page, re.compile(words("visits.today.finish", number="")))
    finish = page.get_by_role("button", name=re.compile(words("visits.today.finish", number="")))
    finish.wait_for(state="detached")
    issued = select(StockMovement).where(
        StockMovement.part_id == part_id, StockMovement.kind == MovementKind.ISSUE
    )
    assert count(issued.subquery()) == 1
    assert count(select(ReturnCall).where(ReturnCall.ticket_id == ticket_id).subquery()) == 1
    steps = select(TicketEvent).where(
        TicketEvent.ticket_id == ticket_id,
        TicketEvent.kind.in_(("on_the_way", "arrived", "completed")),
    )
    assert count(steps.subquery()) == 3


def test_rule_22_taps_without_a_network_are_sent_later_with_the_time_at_which_they_were_made(
    windows: Windows, desk: Desk
):
    visit_id = desk.plan(desk.a_case())
    page = windows.open("technician", "/visits_today", size=TABLET, touch=True)
    page.get_by_role("button", name=words("visits.today.set_out")).wait_for()
    on_the_way_at = set_tablet_clock(page)
    windows.allow("ERR_INTERNET_DISCONNECTED")
    page.context.set_offline(True)
    page.get_by_role("button", name=words("visits.today.set_out")).click()
    page.clock.set_fixed_time(on_the_way_at + AHEAD + timedelta(seconds=3))
    page.get_by_role("button", name=words("visits.today.arrive")).click()
    page.clock.set_fixed_time(on_the_way_at + AHEAD + timedelta(seconds=6))
    told = words("visits.taps.kept", step=words("visits.today.arrive"), at="")
    page.get_by_text(re.compile(told.split("“")[-1])).wait_for()
    page.wait_for_timeout(5_000)
    assert desk.visit(visit_id).status is VisitStatus.PLANNED
    set_tablet_clock(page)
    page.context.set_offline(False)
    page.get_by_role("button", name=words("visits.signature.confirm")).wait_for()
    visit = desk.visit(visit_id)
    assert visit.on_the_way_at is not None
    assert visit.arrived_at is not None
    assert abs(visit.on_the_way_at - on_the_way_at) <= timedelta(seconds=1)
    assert visit.arrived_at - visit.on_the_way_at in (timedelta(seconds=each) for each in (2, 3, 4))
    with store.ReadSession() as session:
        arrived = session.scalars(
            select(TicketEvent).where(
                TicketEvent.ticket_id == visit.ticket_id, TicketEvent.kind == EventKind.ARRIVED
            )
        ).one()
    assert (arrived.at, arrived.details["clock_off"]) == (visit.arrived_at, False)
    assert arrived.recorded_at - arrived.at >= timedelta(seconds=1)


def test_rule_22_a_tap_that_waits_outlives_a_reload_of_the_page(windows: Windows, desk: Desk):
    visit_id = desk.plan(desk.a_case())
    page = windows.open("technician", "/visits_today", size=TABLET, touch=True)
    windows.allow("ERR_FAILED")
    page.route("**/desk/clock", lambda route: route.abort())
    page.get_by_role("button", name=words("visits.today.set_out")).click()
    page.reload()
    settle(page)
    expect(page.get_by_role("button", name=words("visits.today.set_out"))).to_be_disabled()
    assert desk.visit(visit_id).status is VisitStatus.PLANNED
    page.unroute("**/desk/clock")
    page.get_by_text(words("visit_status.on_the_way")).wait_for()
    assert desk.visit(visit_id).status is VisitStatus.ON_THE_WAY
    page.wait_for_function("() => !Object.keys(localStorage).some((key) => key.includes('taps'))")


def ready_to_end(windows: Windows, desk: Desk) -> tuple[int, Page]:
    """A visit on site with all that its end needs but the signature, and its page."""
    visit_id = desk.plan(desk.a_case())
    page = windows.open("technician", "/visits_today", size=TABLET, touch=True)
    page.get_by_role("button", name=words("visits.today.arrive")).click()
    page.get_by_text(words(f"visit_outcome.{VisitOutcome.FIXED}"), exact=True).first.click()
    report = page.get_by_role("textbox", name=words("visits.today.report"))
    report.fill("换了电机")
    report.blur()
    settle(page)
    return visit_id, page


def completion(visit_id: int) -> tuple[Visit, TicketEvent]:
    with store.ReadSession() as session:
        visit = session.get_one(Visit, visit_id)
        completed = select(TicketEvent).where(
            TicketEvent.ticket_id == visit.ticket_id, TicketEvent.kind == EventKind.COMPLETED
        )
        return visit, session.scalars(completed).one()


def test_rule_22_a_visit_that_ends_without_a_network_ended_when_it_was_tapped(
    windows: Windows, desk: Desk
):
    visit_id, page = ready_to_end(windows, desk)
    sign(page)
    page.get_by_role("button", name=words("visits.signature.confirm")).click()
    page.get_by_text(words("visits.signature.stored")).wait_for()
    settle(page)
    finish = page.get_by_role("button", name=re.compile(words("visits.today.finish", number="")))
    tapped_at = set_tablet_clock(page)
    windows.allow("ERR_INTERNET_DISCONNECTED")
    page.context.set_offline(True)
    finish.focus()
    finish.press("Enter")
    expect(finish).to_be_disabled()
    page.clock.set_fixed_time(tapped_at + AHEAD + timedelta(seconds=6))
    kept = words("visits.taps.kept", step=finish.inner_text(), at=f"{tapped_at + AHEAD:%H:%M}")
    expect(page.get_by_role("status").filter(has_text=kept)).to_be_visible()
    page.wait_for_timeout(5_000)
    assert desk.visit(visit_id).status is VisitStatus.ARRIVED
    set_tablet_clock(page)
    page.context.set_offline(False)
    finish.wait_for(state="detached")
    visit, completed = completion(visit_id)
    assert visit.status is VisitStatus.DONE
    assert abs(visit.done_at - tapped_at) <= timedelta(seconds=2)
    assert (completed.at, completed.details["clock_off"]) == (visit.done_at, False)
    assert completed.recorded_at - completed.at >= timedelta(seconds=4)
    assert desk.ticket(visit.ticket_id).completed_at == visit.done_at


def test_the_tap_that_ends_a_visit_waits_for_the_signature_and_outlives_a_reload(
    windows: Windows, desk: Desk
):
    visit_id, page = ready_to_end(windows, desk)
    finish = page.get_by_role("button", name=re.compile(words("visits.today.finish", number="")))
    windows.allow("ERR_INTERNET_DISCONNECTED")
    windows.allow("ERR_FAILED")
    page.route("**/desk/clock", lambda route: route.abort())
    page.context.set_offline(True)
    sign(page)
    page.get_by_role("button", name=words("visits.signature.confirm")).click()
    tapped_at = set_tablet_clock(page)
    finish.click()
    page.clock.set_fixed_time(tapped_at + AHEAD + timedelta(seconds=3))
    after = words("visits.taps.after", step=finish.inner_text(), at="")
    page.get_by_text(re.compile(after.split("”")[-1])).wait_for()
    page.context.set_offline(False)
    page.get_by_text(words("visits.signature.stored")).wait_for()
    assert desk.visit(visit_id).status is VisitStatus.ARRIVED
    page.reload()
    settle(page)
    expect(finish).to_be_disabled()
    page.unroute("**/desk/clock")
    # The tap is measured every few seconds; the tablet's clock has to go on meanwhile.
    while finish.count():
        set_tablet_clock(page)
        page.wait_for_timeout(100)
    visit, completed = completion(visit_id)
    assert (visit.outcome, completed.details["clock_off"]) == (VisitOutcome.FIXED, False)
    assert abs(visit.done_at - tapped_at) <= timedelta(seconds=2)
    assert completed.recorded_at - completed.at >= timedelta(seconds=2)


def test_impatient_taps_receive_once(windows: Windows, desk: Desk):
    part_id, _ = a_part(desk, on_hand=1)
    page = windows.open("storekeeper", f"/stock_levels?part={part_id}", size=DESKTOP)
    quantity = page.get_by_role("spinbutton", name=words("stock.quantity"))
    quantity.fill("5")
    quantity.press("Tab")
    form = page.get_by_test_id("stForm")
    button = form.get_by_role("button", name=re.compile(words("stock.do.receive"))).first
    handle = button.element_handle()
    for _ in range(10):
        handle.evaluate("button => { button.click(); button.click(); }")
    settle(page)
    page.get_by_text("+5").wait_for()
    received = select(StockMovement).where(StockMovement.part_id == part_id)
    assert count(received.subquery()) == 2


def test_the_schedule_takes_two_taps_and_shows_a_colleagues_visit_at_once(
    windows: Windows, desk: Desk
):
    ticket_id = desk.a_case()
    number = desk.ticket(ticket_id).number
    page = windows.open("dispatcher", "/visits_schedule", size=DESKTOP)
    other = windows.open("supervisor", "/visits_schedule", size=DESKTOP)
    page.get_by_role("button", name=re.compile(number)).click()
    page.get_by_role("button", name=re.compile(words("visits.plan.send"))).wait_for()
    settle(page)
    line = page.locator(".schedule .row .line.open").last
    box = line.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * (15 - 7 + 0.02) / 12, box["y"] + 6)
    page.locator(".schedule .slot").wait_for()
    settle(page)
    page.get_by_role("button", name=re.compile(words("visits.plan.send"))).click()
    other.locator(".schedule .bar", has_text="15:00").wait_for()
    assert desk.ticket(ticket_id).technician_id == desk.cast.technician.person_id
    with store.ReadSession() as session:
        visit = session.scalars(select(Visit).where(Visit.ticket_id == ticket_id)).one()
    assert visit.ends_at - visit.starts_at == timedelta(minutes=90)


KEPT = """count => new Promise(resolve => {
    const asked = indexedDB.open("desk.kept");
    asked.onsuccess = () => {
        const counted = asked.result.transaction("pictures").objectStore("pictures").count();
        counted.onsuccess = () => { asked.result.close(); resolve(counted.result === count); };
    };
})"""
"""Whether the tablet keeps so many pictures that the desk does not have yet."""


def test_pictures_that_wait_for_the_network_outlive_their_page_and_go_before_the_end(
    windows: Windows, desk: Desk, tmp_path: Path
):
    Image.new("RGB", (900, 700), (40, 90, 160)).save(tmp_path / "a.jpg")
    visit_id, page = ready_to_end(windows, desk)
    finish = page.get_by_role("button", name=re.compile(words("visits.today.finish", number="")))
    windows.allow("ERR_INTERNET_DISCONNECTED")
    page.context.set_offline(True)
    page.locator("input[type=file][multiple]").set_input_files([tmp_path / "a.jpg"])
    page.get_by_text(words("visits.photo.sending", count=1)).wait_for()
    sign(page)
    page.get_by_role("button", name=words("visits.signature.confirm")).click()
    page.get_by_text(words("visits.signature.sending")).wait_for()
    finish.click()
    page.wait_for_function(KEPT, arg=2)
    page.goto("about:blank")
    page.context.set_offline(False)
    assert desk.visit(visit_id).status is VisitStatus.ARRIVED
    page.goto(f"{windows.address}/visits_today")
    expect(finish).to_be_disabled()
    finish.wait_for(state="detached")
    assert desk.visit(visit_id).status is VisitStatus.DONE
    stored = select(VisitFile.kind).where(VisitFile.visit_id == visit_id).order_by(VisitFile.kind)
    with store.ReadSession() as session:
        assert list(session.scalars(stored)) == [VisitFileKind.PHOTO, VisitFileKind.SIGNATURE]
    page.wait_for_function(KEPT, arg=0)


def test_words_of_the_report_that_wait_for_the_network_outlive_their_page_and_go_before_the_end(
    windows: Windows, desk: Desk
):
    visit_id, page = ready_to_end(windows, desk)
    sign(page)
    page.get_by_role("button", name=words("visits.signature.confirm")).click()
    page.get_by_text(words("visits.signature.stored")).wait_for()
    settle(page)
    report = page.get_by_role("textbox", name=words("visits.today.report"))
    finish = page.get_by_role("button", name=re.compile(words("visits.today.finish", number="")))
    windows.allow("ERR_INTERNET_DISCONNECTED")
    page.context.set_offline(True)
    report.fill("换了电机，\n调了限位")
    # The field keeps the focus, and the words: an open socket would carry them in spite of the lost network.
    finish.dispatch_event("click")
    expect(finish).to_be_disabled()
    page.goto("about:blank")
    page.context.set_offline(False)
    assert desk.visit(visit_id).report == "换了电机"
    page.goto(f"{windows.address}/visits_today")
    expect(finish).to_be_disabled()
    finish.wait_for(state="detached")
    visit = desk.visit(visit_id)
    assert (visit.status, visit.report) == (VisitStatus.DONE, "换了电机，\n调了限位")
    page.wait_for_function("() => !Object.keys(localStorage).some((key) => key.includes('report'))")


def test_words_that_a_page_could_not_send_stand_below_what_was_stored_meanwhile(
    windows: Windows, desk: Desk
):
    visit_id, page = ready_to_end(windows, desk)
    report = page.get_by_role("textbox", name=words("visits.today.report"))
    windows.allow("ERR_INTERNET_DISCONNECTED")
    page.context.set_offline(True)
    report.fill("限位已调")
    page.goto("about:blank")
    page.context.set_offline(False)
    told = {"visit_id": visit_id, "report": "换了遥控器", "signed_by": ""}
    technician = desk.cast.technician
    perform(visits.keep_draft, actor=technician, now=clock.now(), **told)
    page.goto(f"{windows.address}/visits_today")
    expect(report).to_have_value("换了遥控器\n限位已调")
    page.wait_for_function("() => !Object.keys(localStorage).some((key) => key.includes('report'))")
    assert desk.visit(visit_id).report == "换了遥控器\n限位已调"
    page.reload()
    expect(report).to_have_value("换了遥控器\n限位已调")


def test_words_that_were_stored_are_kept_on_no_tablet(windows: Windows, desk: Desk):
    visit_id, page = ready_to_end(windows, desk)
    page.wait_for_function("() => !Object.keys(localStorage).some((key) => key.includes('report'))")
    assert desk.visit(visit_id).report == "换了电机"
