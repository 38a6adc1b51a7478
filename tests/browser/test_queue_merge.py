"""Ten thousand random changes in a real browser: the list it has put together is the list that a fresh query gives.

The real script of the table runs in Chromium; its stream is fed with what the board tells, its requests are answered
as the page would. Only Streamlit itself is left out, which carries both.
"""

import itertools
import json
import random
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route
from sqlalchemy import delete, select, update

from db import session as database
from db.codes import FaultCode, Priority
from db.models.tickets import NEVER_DUE, QueueRow
from lib.shared.calendar import epoch
from lib.shared.work import Actor, look
from lib.tickets.live import Board, Stream
from lib.tickets.queue import QueuePage, find_lines, read_queue
from lib.tickets.queue_filter import (
    ORDERS,
    SENT_FIELDS,
    QueueFilter,
    QueueLine,
    QueueView,
    Sort,
    conditions,
    lines_query,
    matches,
    sent,
)
from lib.tickets.tally import find_crossing, tallies
from lib.ui.components.queue import COLUMNS, STRIP
from tests.cast import Cast
from tests.tickets.open_cases import announce, write_open_case

pytestmark = pytest.mark.browser

SCRIPTS = Path(__file__).resolve().parents[2] / "lib" / "ui" / "components"
PAGE = """<!doctype html><meta charset="utf-8"><div id="host"></div><script type="module">
import queue from "/queue.js";
const root = document.querySelector("#host").attachShadow({ mode: "open" });
root.innerHTML = '<div class="queue"></div>';
const real = window.fetch;
window.asked = [];
window.fetch = (address, options) => {
  if (!String(address).startsWith("/stream")) return real(address, options);
  return Promise.resolve(new Response(new ReadableStream({ start: (feed) => { window.feed = feed; } })));
};
window.render = (data) => queue({
  parentElement: root, data, setTriggerValue: (name, value) => window.asked.push([name, value]),
});
const encoder = new TextEncoder();
window.tell = (messages) => {
  for (const message of messages) window.feed.enqueue(encoder.encode(`data: ${message}\\n\\n`));
};
window.rows = () => [...root.querySelectorAll("tbody tr")].map((row) => [
  Number(row.dataset.id), row.querySelector(".company").textContent, row.querySelector(".priority").textContent,
]);
window.bar = () => !root.querySelector(".bar").hidden;
window.hold = (down) => {
  const box = root.querySelector(".scroll");
  if (down) box.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
  else window.dispatchEvent(new PointerEvent("pointerup"));
};
window.calm = () => new Promise((done) => setTimeout(() => setTimeout(done, 0), 0));
window.ready = true;
</script>"""
VIEWS = [
    QueueView.ALL, QueueView.UNASSIGNED, QueueView.OVERDUE, QueueView.DUE_SOON, QueueView.MINE, QueueView.FOLLOW_UP,
]  # fmt: skip
NAMES = ["春晖酒店", "Alpha", "beta", "云山", "é", "𠀀𠀁", "\uffee"]


class Desk:
    """The store, the board and the server's side of one queue."""

    def __init__(self, page: Page, actor: Actor, now: datetime, chance: random.Random) -> None:
        self.page, self.actor, self.now, self.chance = page, actor, now, chance
        self.board = Board()
        self.board.start(0)
        self.where = QueueFilter()
        self.after: tuple[int, int] | None = None
        self.token: str | None = None
        self.stream: Stream | None = None
        self.acknowledged = 0
        self.crossed_at = epoch(now)
        self.told: list[str] = []
        self.free = itertools.count(1)

    # What colleagues do.

    def change(self, people: list[int | None]) -> None:
        """One commit: a case is opened, changed or ended."""
        chance, now = self.chance, epoch(self.now)
        with database.writing() as session:
            ids = session.scalars(select(QueueRow.ticket_id)).all()
            verb = chance.random()
            if len(ids) < 20 or (verb < 0.15 and len(ids) < 140):
                number = next(self.free)
                case = write_open_case(session, self.now, number, **self._facts(people))
            elif verb < 0.28:
                case = chance.choice(ids)
                session.execute(delete(QueueRow).where(QueueRow.ticket_id == case))
            else:
                case = chance.choice(ids)
                facts = self._facts(people)
                due_in = facts.pop("due_in")
                facts["due_at"] = NEVER_DUE if due_in is None else now + due_in
                some = dict(chance.sample(sorted(facts.items()), k=chance.randint(1, 3)))
                session.execute(update(QueueRow).where(QueueRow.ticket_id == case).values(some))
            number = announce(session, case)
        self.board.remember([(number, case)])
        with database.ReadSession() as session:
            self.board.tell([case], find_lines(session, [case]), now, number)

    def _facts(self, people: list[int | None]) -> dict[str, Any]:
        chance, now = self.chance, epoch(self.now)
        return {
            "due_in": chance.choice([None, *(chance.randint(-7200, 9000) for _ in range(4))]),
            "priority": chance.choice(list(Priority)),
            "fault": chance.choice(list(FaultCode)),
            "customer_name": chance.choice(NAMES),
            "technician_id": chance.choice(people),
            "owner_id": chance.choice(people),
            "next_action_at": chance.choice([None, now + chance.randint(-600, 600)]),
        }

    def let_time_pass(self) -> None:
        """As the listener does once a second."""
        self.now += timedelta(seconds=self.chance.choice([1, 1, 7, 120]))
        now = epoch(self.now)
        with database.ReadSession() as session:
            lines = find_crossing(session, self.crossed_at, now)
        self.crossed_at = now
        if lines:
            self.board.tell(set(lines), lines, now, self.board.number)

    # What the page and the stream do.

    def read(self) -> dict[str, Any]:
        tallies.forget()
        page: QueuePage = look(
            read_queue, actor=self.actor, now=self.now, where=self.where, after=self.after
        )
        view = self.board.show_queue(self.token, session_id=1, page=page)
        self.token, self.view = view.token, view
        if self.stream is None:
            self.stream = self.board.open(
                view.token, session_id=1, since=page.number, wake=lambda: None
            )
        self._catch_up()
        return {
            "token": view.token,
            "generation": view.generation,
            "number": page.number,
            "acknowledged": self.acknowledged,
            "columns": COLUMNS,
            "fields": SENT_FIELDS,
            "rows": [sent(line) for line in page.lines],
            "counts": page.tally.counts(page.where),
            "total": page.total,
            "page": {"previous": None, "next": page.high and "1.1", "further": False},
            "views": STRIP,
            "where": {"view": page.where.view, "scope": "open"},
            "sort": {
                "by": page.where.sort,
                "falling": page.where.descending,
                "order": ORDERS.get(page.where.sort),
            },
            "statuses": [],
            "priorities": [],
            "technicians": [],
            "saved": [],
            "shareable": [],
            "answer": None,
            "viewers": {},
            "may_enter": False,
            "may": [],
            "results": None,
            "by_phone": True,
            "ticket_page": "/case",
            "stream": "/stream",
            "language": "zh-CN",
            "words": "/words.json",
            "style": "/queue.css",
        }

    def _catch_up(self) -> None:
        for token, since in self.board.behind().items():
            changed = self.board.changed_since(since)
            assert changed is not None
            with database.ReadSession() as session:
                lines = find_lines(session, changed)
            self.board.replay(token, changed, lines, epoch(self.now))

    def hear(self) -> list[str]:
        assert self.stream is not None
        return self.stream.take()

    def deliver(self) -> None:
        self.page.evaluate(
            "messages => { tell(messages); return calm(); }", self.told + self.hear()
        )
        self.told = []

    def render(self, data: dict[str, Any]) -> None:
        self.page.evaluate("data => { render(data); return calm(); }", data)

    def answer_requests(self) -> None:
        """A reset or a short list asks for the page anew, after a moment; here at once."""
        asked = self.page.evaluate("asked.splice(0)")
        for name, value in asked:
            if name == "request":
                self.acknowledged = max(self.acknowledged, value["serial"])
        if asked:
            self.render(self.read())

    def expected(self) -> list[list[Any]]:
        """A fresh query of what lies between the ends of this page."""
        now = epoch(self.now)
        where = self.view.where
        assert where is not None
        with database.ReadSession() as session:
            rows = session.execute(lines_query(conditions(where, now)))
            lines = [QueueLine(*row) for row in rows]
            every = [QueueLine(*row) for row in session.execute(lines_query([]))]
        assert {line.id for line in lines} == {
            line.id for line in every if matches(where, line, now)
        }
        lines = [line for line in lines if self.view.holds(line, now)]
        lines.sort(key=where.key_of, reverse=where.descending)
        return [[line.id, line.company, line.priority.upper()] for line in lines]


@pytest.fixture
def desk_page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    page = context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))

    def serve(route: Route) -> None:
        name = re.sub(r"^https?://[^/]+/", "", route.request.url)
        if not name:
            route.fulfill(body=PAGE, content_type="text/html")
        elif name == "words.json":
            route.fulfill(body=json.dumps({}), content_type="application/json")
        elif (SCRIPTS / name).exists():
            kind = "text/css" if name.endswith("css") else "text/javascript"
            route.fulfill(body=(SCRIPTS / name).read_text(), content_type=kind)
        else:
            route.fulfill(status=404)

    page.route("**/*", serve)
    page.goto("http://desk.test/")
    page.wait_for_function("window.ready")
    yield page
    context.close()
    assert failures == []


@pytest.mark.slow
def test_after_ten_thousand_random_changes_the_browsers_list_is_that_of_a_fresh_query(
    desk_page: Page, cast: Cast, now: datetime, database: str
) -> None:
    """Half of them on each store."""
    seed = 1 if database.startswith("sqlite") else 2
    work_on(desk_page, cast, now, random.Random(seed), changes=5000)


def test_after_random_changes_the_browsers_list_is_that_of_a_fresh_query(
    desk_page: Page, cast: Cast, now: datetime
) -> None:
    work_on(desk_page, cast, now, random.Random(3), changes=400)


def work_on(page: Page, cast: Cast, now: datetime, chance: random.Random, changes: int) -> None:
    desk = Desk(page, cast.hotline, now, chance)
    people = [None, cast.technician.person_id, cast.hotline.person_id]
    for _ in range(60):
        desk.change(people)
    desk.render(desk.read())
    page.wait_for_function("() => rows().length > 0 && window.feed")
    done, compared = 0, 0
    while done < changes:
        if chance.random() < 0.12:
            desk.where = QueueFilter(
                view=chance.choice(VIEWS),
                sort=chance.choice(list(Sort)),
                descending=chance.random() < 0.5,
                priority=chance.choice([None, None, *Priority]),
            )
            desk.after = None
        early = chance.random() < 0.3
        data = desk.read() if early or chance.random() < 0.2 else None
        if data is not None and not early:
            desk.render(data)
        held = chance.random() < 0.2
        if held:
            page.evaluate("hold(true)")
        for _ in range(chance.randint(1, 25)):
            desk.change(people)
            done += 1
            if chance.random() < 0.05:
                desk.let_time_pass()
            if chance.random() < 0.2:
                desk.deliver()
        desk.let_time_pass()
        if early:
            # What was read before these changes arrives after some of them.
            if chance.random() < 0.5:
                desk.deliver()
            desk.render(data)  # type: ignore[arg-type]
        desk.deliver()
        if held:
            page.evaluate("hold(false); calm()")
        page.evaluate("calm()")
        if page.evaluate("bar()"):
            desk.render(desk.read())
            desk.deliver()
        assert desk.page.evaluate("rows()") == desk.expected(), (done, desk.where)
        compared += 1
    assert compared > changes / 40
