"""The event stream `/desk/live` and the one listener of this process that feeds it (live-queue protocol)."""

import asyncio
import json
import secrets
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from select import POLLIN, poll
from time import monotonic, sleep
from typing import Protocol

import psycopg
from sqlalchemy import bindparam, select
from sqlalchemy.engine import make_url
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from db import session as database
from db.models.people import Change, ChangeHead
from lib.messages.queries import count_unread
from lib.people.sessions import SessionFacts, living_sessions
from lib.shared import clock
from lib.shared.calendar import epoch
from lib.shared.logs import log
from lib.shared.work import ask, look, system
from lib.tickets.live import OVER, Board, Opening, Stream, board
from lib.tickets.queue import find_lines
from lib.tickets.tally import find_crossing, tallies

POLL_SECONDS = 0.05
COLLECT_SECONDS = 0.06
COMMENT_SECONDS = 20
CHECK_SECONDS = 1.0
MOST_AT_ONCE = 2_000
TELL_AGAIN_SECONDS = 5.0
OPENINGS_A_MESSAGE = 50
LONGEST_NAME = 24
"""So that a message stays below the 8,000 bytes of a notification."""
LISTENER = system("live")

CHANGES = (
    select(Change.number, Change.ticket_id)
    .where(Change.number > bindparam("after"))
    .order_by(Change.number)
    .limit(MOST_AT_ONCE)
)


async def stream_changes(request: Request) -> Response:
    """Open the stream of a view: 403 without a ready session, 404 when the token is not this session's."""
    facts: SessionFacts | None = request.scope.get("desk_session")
    if facts is None or not facts.ready:
        return _refused(403)
    loop = asyncio.get_running_loop()
    woken = asyncio.Event()

    def wake() -> None:
        try:
            loop.call_soon_threadsafe(woken.set)
        except RuntimeError:  # the loop has closed: nobody is left to be woken
            return

    stream = board.open(
        request.query_params.get("view", "")[:64],
        session_id=facts.row_id,
        since=_whole_number(request.query_params.get("since", "")),
        wake=wake,
        person_id=facts.actor.person_id,
    )
    if stream is None:
        return _refused(404)
    return StreamingResponse(
        _messages(stream, woken),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


def _refused(status: int) -> Response:
    return PlainTextResponse("refused", status_code=status, headers={"cache-control": "no-store"})


def _whole_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


async def tell_time(_request: Request) -> Response:
    """The server's clock in milliseconds, for a tablet that measures its own against it (rule 22)."""
    return PlainTextResponse(str(_server_milliseconds()), headers={"cache-control": "no-store"})


def _server_milliseconds() -> int:
    return int(clock.precise_now().timestamp() * 1000)


async def _messages(stream: Stream, woken: asyncio.Event) -> AsyncIterator[str]:
    try:
        hello = {"t": "hello", "no": board.number, "now": _server_milliseconds()}
        yield f"data: {json.dumps(hello)}\n\n"
        spoke_at = monotonic()
        while not stream.ended:
            for message in stream.take():
                yield f"data: {message}\n\n"
            rest = COMMENT_SECONDS - (monotonic() - spoke_at)
            if rest <= 0:
                yield f": {_server_milliseconds()}\n\n"
                spoke_at = monotonic()
                continue
            try:
                await asyncio.wait_for(woken.wait(), rest)
            except TimeoutError:
                continue
            woken.clear()
        if stream.is_dismissed:
            yield f"data: {OVER}\n\n"
    finally:
        board.close(stream)


routes = [
    Route("/desk/live", stream_changes, methods=["GET"]),
    Route("/desk/clock", tell_time, methods=["GET"]),
]


class Bell(Protocol):
    """Rings when the store may have changed, and carries words between the processes of one store."""

    def wait(self, seconds: float) -> bool: ...

    def tell(self, words: str) -> None: ...

    def heard(self) -> list[str]: ...

    def close(self) -> None: ...


class FileBell:
    """SQLite: a connection of its own asks whether anybody else, in any process, has committed."""

    def __init__(self, file: str) -> None:
        self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._version = self._read()

    def _read(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def wait(self, seconds: float) -> bool:
        sleep(seconds)
        version = self._read()
        changed, self._version = version != self._version, version
        return changed

    def tell(self, words: str) -> None:
        """Nobody else is there: one process serves SQLite."""

    def heard(self) -> list[str]:
        return []

    def close(self) -> None:
        self._connection.close()


class NotifyBell:
    """PostgreSQL: listens to the channel on which every commit gives its number, and to that of the processes."""

    def __init__(self, address: str) -> None:
        self._connection = psycopg.connect(address, autocommit=True, connect_timeout=5)
        self._connection.execute("LISTEN desk")
        self._connection.execute("LISTEN desk_open")
        self._heard: list[str] = []
        self._has_told = False
        self._arrived = poll()
        self._arrived.register(self._connection.fileno(), POLLIN)

    def wait(self, seconds: float) -> bool:
        # The driver's own waiting costs a hundred times as much, twenty times a second.
        if not self._has_told and not self._arrived.poll(seconds * 1000):
            return False
        rang = self._has_told = False
        for note in self._connection.notifies(timeout=0.01, stop_after=1):
            if note.channel == "desk":
                rang = True
            else:
                self._heard.append(note.payload)
        return rang

    def tell(self, words: str) -> None:
        self._connection.execute("SELECT pg_notify('desk_open', %s)", [words])
        # What arrived with the answer lies in the driver, and the socket is silent about it.
        self._has_told = True

    def heard(self) -> list[str]:
        heard, self._heard = self._heard, []
        return heard

    def close(self) -> None:
        self._connection.close()


def make_bell() -> Bell:
    """The bell of the configured database."""
    address = make_url(database.url())
    if address.get_backend_name() == "sqlite":
        return FileBell(str(address.database))
    plain = address.set(drivername="postgresql")
    return NotifyBell(plain.render_as_string(hide_password=False))


class Listener:
    """Brings committed changes to the board: one thread, one query per batch of changed rows."""

    def __init__(self, board: Board, make_bell: Callable[[], Bell] = make_bell) -> None:
        self._board = board
        self._make_bell = make_bell
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)
        self._checked_at = 0.0
        self._crossed_at = 0
        self._number: int | None = None
        self._process = secrets.token_hex(8)
        self._openings: list[list[Opening]] = []
        self._told_at = 0.0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(5)
        self._board.end_all()

    def _run(self) -> None:
        while not self._stopping.is_set():
            bell: Bell | None = None
            try:
                bell = self._make_bell()
                if self._number is None:
                    self._number = self._head()
                    self._board.start(self._number)
                    self._crossed_at = epoch(clock.now())
                self._listen(bell)
            except Exception:  # whatever it was, the listener must come back
                log.exception("live.listener_failed")
                self._stopping.wait(1)
            finally:
                if bell is not None:
                    bell.close()

    def _head(self) -> int:
        with database.ReadSession() as session:
            return session.scalar(select(ChangeHead.number)) or 0

    def _listen(self, bell: Bell) -> None:
        self._bring()
        while not self._stopping.is_set():
            rang = bell.wait(POLL_SECONDS)
            due = monotonic() - self._checked_at >= CHECK_SECONDS
            if rang:
                sleep(COLLECT_SECONDS)
            if rang or due:
                self._bring()
            if rang or self._board.wanted.is_set():
                self._board.wanted.clear()
                self._catch_up()
                due = True
            if due:
                self._exchange_openings(bell)
                self._look_around()

    def _exchange_openings(self, bell: Bell) -> None:
        """Tell the other processes who has which case open here when that has changed, and now and then; hear them."""
        for words in bell.heard():
            told = json.loads(words)
            if told["process"] != self._process:
                opened = [(ticket, person, name) for ticket, person, name in told["opened"]]
                self._board.hear_elsewhere(told["process"], told["part"], opened)
        here = [
            (ticket, who, name[:LONGEST_NAME]) for ticket, who, name in self._board.opened_here()
        ]
        starts = range(0, len(here), OPENINGS_A_MESSAGE)
        parts = [here[start : start + OPENINGS_A_MESSAGE] for start in starts]
        again = monotonic() - self._told_at >= TELL_AGAIN_SECONDS and bool(parts)
        if parts == self._openings and not again:
            return
        for part in range(max(len(parts), len(self._openings))):
            opened = parts[part] if part < len(parts) else []
            told = {"process": self._process, "part": part, "opened": opened}
            bell.tell(json.dumps(told, ensure_ascii=False))
        self._openings, self._told_at = parts, monotonic()

    def _bring(self) -> None:
        """Tell the board of all changes since the last time; what is committed meanwhile rings the bell again."""
        there_may_be_more = True
        while there_may_be_more:
            with database.ReadSession() as session:
                changes = ask(session, CHANGES, after=self._number or 0).all()
                there_may_be_more = len(changes) == MOST_AT_ONCE
                if there_may_be_more and changes[0].number != changes[-1].number:
                    # The last of them may not be whole.
                    last = changes[-1].number
                    changes = [change for change in changes if change.number != last]
                if not changes:
                    return
                ids = {change.ticket_id for change in changes}
                self._board.remember([(change.number, change.ticket_id) for change in changes])
                self._number = changes[-1].number
                if self._board.streams():
                    lines = find_lines(session, ids)
                    self._board.tell(ids, lines, epoch(clock.now()), self._number)
                bells = self._board.bells(ids)
                if bells:
                    self._board.tell_unread(count_unread(session, bells))

    def _catch_up(self) -> None:
        for token, since in self._board.behind().items():
            changed = self._board.changed_since(since)
            if changed is None or len(changed) > MOST_AT_ONCE:
                self._board.lost(token)
                continue
            with database.ReadSession() as session:
                lines = find_lines(session, changed)
            self._board.replay(token, changed, lines, epoch(clock.now()))

    def _look_around(self) -> None:
        """Once a second and after each change: end dead sessions' streams, send counts, see what time has changed."""
        streams = self._board.streams()
        now = epoch(clock.now())
        self._checked_at = monotonic()
        if not streams:
            self._crossed_at = now
            return
        self._end_dead(streams)
        self._board.tell_viewers()
        bells = self._board.bells()
        if bells:
            with database.ReadSession() as session:
                self._board.tell_unread(count_unread(session, bells))
        if all(stream.view.where is None for stream in streams):
            return
        number, since = self._number or 0, self._crossed_at
        with database.ReadSession() as session:
            tally = tallies.current(session, number, now, self._board.saved_lists())
            known = tally.crossed(since, now) if tally.number == number else None
            if known is not None:
                lines = {line.id: line for line in known}
            else:
                lines = find_crossing(session, since, now) if since < now else {}
        self._crossed_at = now
        if lines:
            self._board.tell(set(lines), lines, now, number)
        self._board.tell_counts(tally, streams)

    def _end_dead(self, streams: Sequence[Stream]) -> None:
        ids = {stream.view.session_id for stream in streams}
        alive = look(living_sessions, actor=LISTENER, now=clock.now(), row_ids=ids)
        for stream in streams:
            if stream.view.session_id not in alive:
                stream.dismiss()


@asynccontextmanager
async def listening() -> AsyncIterator[None]:
    """Run the listener while the app runs."""
    listener = Listener(board)
    listener.start()
    try:
        yield
    finally:
        await asyncio.to_thread(listener.stop)
