"""Which browser looks at which part of the queue, and what each must be told of a change.

Kept in this process only: no database, no HTTP. Who has which case open in other processes is told by the listener.
Sessions register views while they render; the listener of the web room brings changes; every open stream gets patches
for its own view (live-queue protocol in the README).
"""

import json
import secrets
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from time import monotonic

from lib.tickets.queue import QueuePage
from lib.tickets.queue_filter import Key, QueueFilter, QueueLine, Scope, matches, sent
from lib.tickets.tally import Tally, countable

NO_TICKET = 0
"""Announced when something else than a case has changed: people, settings, stock."""

RING_CHANGES = 10_000
MOST_WAITING = 64
MOST_VIEWS = 5_000
VIEW_SECONDS = 900
OPEN_SECONDS = 10.0
"""A case page that lost its stream counts as open for so long: it may only be loading anew."""
ELSEWHERE_SECONDS = 15.0
"""What another process has told of its open cases counts for so long: it may have stopped."""

Opening = tuple[int, int, str]
"""A case, and id and name of a person who has it open."""


@dataclass(eq=False)
class View:
    """What one mounted component shows. A queue has `where`; a watch has `tickets` (None: every case).

    `saved`: the saved lists beside a queue, which are counted with it. `opened`: the case that `person` looks at
    here; `others`: who else has its cases open, as it was told.

    `session_id` is the row of the signed-in session, which belongs to one person only.
    """

    token: str
    session_id: int
    number: int
    touched_at: float
    where: QueueFilter | None = None
    low: Key | None = None
    high: Key | None = None
    ids: set[int] = field(default_factory=set)
    generation: int = 0
    tickets: frozenset[int] | None = None
    saved: Mapping[int, QueueFilter] = field(default_factory=dict)
    opened: int | None = None
    person: tuple[int, str] | None = None
    left_at: float | None = None
    others: dict[int, list[str]] = field(default_factory=dict)
    stream: "Stream | None" = None

    def holds(self, line: QueueLine, now: int) -> bool:
        """Whether the line belongs on this page of this view."""
        if self.where is None or self.where.scope is not Scope.OPEN:
            return False
        if not matches(self.where, line, now):
            return False
        key, beyond = self.where.key_of(line), self.where.is_beyond
        above = self.low is None or beyond(key, self.low)
        return above and (self.high is None or beyond(self.high, key))


class Stream:
    """Messages for one browser; `wake` is called from any thread when there is something to send or it has ended."""

    def __init__(self, view: View, wake: Callable[[], None], person_id: int | None = None) -> None:
        self.view = view
        self.person_id = person_id
        self.unread: int | None = None
        self.ended = False
        self.is_dismissed = False
        self._wake = wake
        self._waiting: deque[str] = deque()
        self._lock = threading.Lock()
        self.counts: tuple[dict[str, int], dict[int, int | None]] | None = None

    def offer(self, message: str) -> None:
        """Queue a message; a browser that is too slow gets one `reset` instead of all that wait."""
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                self._waiting.clear()
                self.unread = None
                message = RESET
            self._waiting.append(message)
        self._wake()

    def take(self) -> list[str]:
        """All waiting messages, in order."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        return taken

    def end(self) -> None:
        """End it; the browser comes back by itself."""
        self.ended = True
        self._wake()

    def dismiss(self) -> None:
        """End it for good: its session is over, and the browser is told not to come back."""
        self.is_dismissed = True
        self.end()


RESET = json.dumps({"t": "reset"})
OVER = json.dumps({"t": "over"})


class Board:
    """The views of this process, the ring of the last changes, and the shared counts. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._views: dict[str, View] = {}
        self._ring: deque[tuple[int, int]] = deque(maxlen=RING_CHANGES)
        self._floor = 0
        self._behind: dict[str, int] = {}
        self._elsewhere: dict[tuple[str, int], tuple[float, list[Opening]]] = {}
        self.number = 0
        self.wanted = threading.Event()

    def start(self, number: int) -> None:
        """Begin at a change number: what came before is not in the ring."""
        with self._lock:
            self._ring.clear()
            self._floor = self.number = number

    # Views, registered while a page renders.

    def show_queue(
        self,
        token: str | None,
        *,
        session_id: int,
        page: QueuePage,
        saved: Mapping[int, QueueFilter] | None = None,
    ) -> View:
        """Register or update the view of a queue; its stream stays open and catches up from the page's number.

        A list beyond the open cases is told only that one of its cases has changed.
        """
        with self._lock:
            view = self._view(token, session_id)
            ids = {line.id for line in page.lines}
            same = (view.where, view.low, view.high) == (page.where, page.low, page.high)
            view.where, view.low, view.high, view.ids = page.where, page.low, page.high, ids
            view.saved = saved or {}
            view.person = None if page.where.person_id is None else (page.where.person_id, "")
            view.others = self._others(view)
            view.number = page.number
            if not same:
                view.generation += 1
            if view.stream is not None:
                view.stream.counts = None
            self._catch_up(view, page.number)
            return view

    def watch(
        self,
        token: str | None,
        *,
        session_id: int,
        tickets: Collection[int] | None,
        number: int,
        opened: int | None = None,
        person: tuple[int, str] | None = None,
    ) -> View:
        """Register or update a watch on some tickets, or on all. `opened`: the case that `person` has open here."""
        with self._lock:
            view = self._view(token, session_id)
            view.opened, view.person = opened, person
            view.left_at = None if view.stream is not None else monotonic()
            view.others = self._others(view)
            view.tickets = None if tickets is None else frozenset(tickets)
            view.number = number
            self._catch_up(view, number)
            return view

    def _view(self, token: str | None, session_id: int) -> View:
        view = self._views.get(token) if token else None
        if view is not None and view.session_id != session_id:
            view = None
        if view is None:
            self._forget_old()
            view = View(secrets.token_urlsafe(16), session_id, 0, monotonic())
            self._views[view.token] = view
        view.touched_at = monotonic()
        return view

    def _forget_old(self) -> None:
        oldest = monotonic() - VIEW_SECONDS
        for token, view in list(self._views.items()):
            if view.stream is None and view.touched_at < oldest:
                del self._views[token]
        if len(self._views) >= MOST_VIEWS:
            idle = sorted(
                (view for view in self._views.values() if view.stream is None),
                key=lambda view: view.touched_at,
            )
            for view in idle[: MOST_VIEWS // 10]:
                del self._views[view.token]

    def _catch_up(self, view: View, since: int) -> None:
        if view.stream is not None and since < self.number:
            self._behind[view.token] = min(since, self._behind.get(view.token, since))
            self.wanted.set()

    # Streams, opened by the browser.

    def open(
        self,
        token: str,
        *,
        session_id: int,
        since: int,
        wake: Callable[[], None],
        person_id: int | None = None,
    ) -> Stream | None:
        """Open the stream of a view, or None when the token is unknown or somebody else's.

        `person_id`: whose count of unread notices it is told as well.
        """
        with self._lock:
            view = self._views.get(token)
            if view is None or view.session_id != session_id:
                return None
            if view.stream is not None:
                view.stream.end()
            stream = Stream(view, wake, person_id)
            view.stream = stream
            view.left_at = None
            view.touched_at = monotonic()
            if since < self._floor or since > self.number + RING_CHANGES:
                stream.offer(RESET)
            else:
                self._catch_up(view, since)
            self.wanted.set()
            return stream

    def close(self, stream: Stream) -> None:
        with self._lock:
            stream.ended = True
            if stream.view.stream is stream:
                stream.view.stream = None
                stream.view.touched_at = stream.view.left_at = monotonic()
                self._behind.pop(stream.view.token, None)

    def streams(self) -> list[Stream]:
        """The open streams."""
        with self._lock:
            return [view.stream for view in self._views.values() if view.stream is not None]

    def end_all(self) -> None:
        for stream in self.streams():
            stream.end()

    # Changes, brought by the listener.

    def changed_since(self, number: int) -> set[int] | None:
        """The tickets changed after `number`, or None when the ring does not reach back that far."""
        with self._lock:
            if number < self._floor:
                return None
            return {ticket for at, ticket in self._ring if at > number}

    def remember(self, changes: Sequence[tuple[int, int]]) -> None:
        """Put (number, ticket) pairs, in order of number, into the ring."""
        with self._lock:
            for change in changes:
                if len(self._ring) == RING_CHANGES:
                    self._floor = self._ring[0][0]
                self._ring.append(change)
                self.number = max(self.number, change[0])

    def behind(self) -> dict[str, int]:
        """Views whose stream must catch up, by token, and from which number; each is named once."""
        with self._lock:
            behind, self._behind = self._behind, {}
            return behind

    def tell(
        self, changed: Collection[int], lines: Mapping[int, QueueLine], now: int, number: int
    ) -> None:
        """Tell every open stream what the change of `changed` means for it; `lines` are those still open."""
        encoded = {line.id: json.dumps(sent(line), ensure_ascii=False) for line in lines.values()}
        with self._lock:
            for stream in self.streams():
                self._tell(stream, changed, lines, encoded, now, number, sure=False)

    def replay(
        self, token: str, changed: Collection[int], lines: Mapping[int, QueueLine], now: int
    ) -> None:
        """Tell one view all that changed since it was rendered or last connected."""
        encoded = {line.id: json.dumps(sent(line), ensure_ascii=False) for line in lines.values()}
        with self._lock:
            view = self._views.get(token)
            if view is not None and view.stream is not None:
                self._tell(view.stream, changed, lines, encoded, now, self.number, sure=True)

    def lost(self, token: str) -> None:
        """The ring does not cover what this view missed."""
        with self._lock:
            view = self._views.get(token)
            if view is not None and view.stream is not None:
                view.stream.offer(RESET)

    def _tell(
        self,
        stream: Stream,
        changed: Collection[int],
        lines: Mapping[int, QueueLine],
        encoded: Mapping[int, str],
        now: int,
        number: int,
        *,
        sure: bool,
    ) -> None:
        view = stream.view
        if view.where is not None and view.where.scope is not Scope.OPEN:
            if not view.ids.isdisjoint(changed):
                stream.offer(json.dumps({"t": "touched", "no": number}))
            return
        if view.where is None:
            if view.tickets is None:
                touched = any(ticket > NO_TICKET for ticket in changed)
            else:
                touched = not view.tickets.isdisjoint(changed)
            if touched:
                stream.offer(json.dumps({"t": "touched", "no": number}))
            return
        stay: list[str] = []
        gone: list[int] = []
        for ticket in changed:
            if ticket <= NO_TICKET:
                continue
            line = lines.get(ticket)
            if line is not None and view.holds(line, now):
                view.ids.add(ticket)
                stay.append(encoded[ticket])
            elif sure or ticket in view.ids:
                view.ids.discard(ticket)
                gone.append(ticket)
        if stay or gone:
            stream.offer(
                f'{{"t":"patch","no":{number},"generation":{view.generation},'
                f'"set":[{",".join(stay)}],"gone":{json.dumps(gone)}}}'
            )

    # Who has which case open.

    def opened_here(self) -> list[Opening]:
        """The cases whose page is connected to this process, or was a moment ago, in order."""
        oldest = monotonic() - OPEN_SECONDS
        with self._lock:
            return sorted(
                (view.opened, *view.person)
                for view in self._views.values()
                if view.opened is not None
                and view.person is not None
                and (
                    view.stream is not None or (view.left_at is not None and view.left_at >= oldest)
                )
            )

    def hear_elsewhere(self, process: str, part: int, opened: Sequence[Opening]) -> None:
        """What a part of another process's open cases is now; nothing for a part that is no more."""
        oldest = monotonic() - ELSEWHERE_SECONDS
        with self._lock:
            self._elsewhere = {
                told: kept
                for told, kept in self._elsewhere.items()
                if told != (process, part) and kept[0] >= oldest
            }
            if opened:
                self._elsewhere[process, part] = (monotonic(), list(opened))

    def _openers(self) -> dict[int, dict[int, str]]:
        """Person id and name by case, here and in other processes."""
        found: dict[int, dict[int, str]] = {}
        oldest = monotonic() - ELSEWHERE_SECONDS
        told = [opened for heard_at, opened in self._elsewhere.values() if heard_at >= oldest]
        for ticket, person_id, name in chain(self.opened_here(), *told):
            found.setdefault(ticket, {})[person_id] = name
        return found

    def _others(
        self, view: View, openers: Mapping[int, Mapping[int, str]] | None = None
    ) -> dict[int, list[str]]:
        openers = self._openers() if openers is None else openers
        shown = view.ids if view.where is not None else {view.opened}
        own = None if view.person is None else view.person[0]
        found = {}
        for ticket, looking in openers.items():
            names = sorted(name for each, name in looking.items() if each != own)
            if names and ticket in shown:
                found[ticket] = names
        return found

    def tell_viewers(self) -> None:
        """Tell each open queue and case page who else has its cases open, when that has changed."""
        with self._lock:
            openers = self._openers()
            for stream in self.streams():
                view = stream.view
                others = self._others(view, openers)
                if others != view.others:
                    view.others = others
                    stream.offer(json.dumps({"t": "viewers", "open": others}, ensure_ascii=False))

    # Notices: every stream of a person tells how many are unread, whatever else it is for.

    def bells(self, changed: Collection[int] | None = None) -> set[int]:
        """The people whose streams must be told their count: those in `changed` (by -id), or who were told none yet."""
        return {
            stream.person_id
            for stream in self.streams()
            if stream.person_id is not None
            and (stream.unread is None if changed is None else -stream.person_id in changed)
        }

    def tell_unread(self, counts: Mapping[int, int]) -> None:
        """Tell the streams of these people how many notices they have not read, if it is news to them."""
        for stream in self.streams():
            unread = None if stream.person_id is None else counts.get(stream.person_id)
            if unread is not None and unread != stream.unread:
                stream.unread = unread
                stream.offer(json.dumps({"t": "unread", "count": unread}))

    # Counts, shared by all sessions.

    def saved_lists(self) -> set[QueueFilter]:
        """The saved lists beside the open queues, as they are counted."""
        with self._lock:
            return {
                countable(where)
                for view in self._views.values()
                if view.stream is not None
                for where in view.saved.values()
            }

    def tell_counts(self, tally: Tally, streams: Iterable[Stream] | None = None) -> None:
        """Send each queue its counts when they differ from the last it got."""
        for stream in self.streams() if streams is None else streams:
            where = stream.view.where
            if where is None:
                continue
            counts = tally.counts(where)
            saved = {each: tally.count_of(kept) for each, kept in stream.view.saved.items()}
            if (counts, saved) != stream.counts:
                stream.counts = counts, saved
                stream.offer(json.dumps({"t": "counts", "counts": counts, "saved": saved}))


board = Board()
"""The board of this process."""
