"""Sessions as the guard sees them: looked up off the event loop, believed for at most a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from anyio import to_thread

from lib.people.sessions import SessionFacts, hash_token
from lib.shared.logs import log

BELIEVED_SECONDS = 0.8
TOUCH_SECONDS = 60
MOST_KEPT = 10_000


class SessionCache:
    """Answers whether a cookie's token stands for a session; `lookup` and `mark_seen` run in worker threads."""

    def __init__(
        self,
        lookup: Callable[[str], SessionFacts | None],
        mark_seen: Callable[[int], None],
    ) -> None:
        self._lookup = lookup
        self._mark_seen = mark_seen
        self._known: dict[str, tuple[float, SessionFacts | None]] = {}
        self._touched: dict[int, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def find(self, token: str) -> SessionFacts | None:
        """The session of a token, or None; raises when the database cannot be asked."""
        token_hash = hash_token(token)
        now = monotonic()
        known = self._known.get(token_hash)
        if known is not None and known[0] > now:
            return known[1]
        facts = await to_thread.run_sync(self._lookup, token_hash)
        if len(self._known) >= MOST_KEPT:
            self._known = {key: entry for key, entry in self._known.items() if entry[0] > now}
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
        # Whoever has just taken the pledge is let in at once: the page that says so asks for its stream.
        if facts is None or facts.ready:
            self._known[token_hash] = (now + BELIEVED_SECONDS, facts)
        return facts

    def forget(self, token: str) -> None:
        """Ask the database again at the next message, e.g. after signing out."""
        self._known.pop(hash_token(token), None)

    def touch(self, facts: SessionFacts) -> None:
        """Remember that the person did something; written at most once a minute, never waited for."""
        now = monotonic()
        if self._touched.get(facts.row_id, 0.0) > now:
            return
        if len(self._touched) >= MOST_KEPT:
            self._touched.clear()
        self._touched[facts.row_id] = now + TOUCH_SECONDS
        task = asyncio.get_running_loop().create_task(self._write_seen(facts.row_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write_seen(self, row_id: int) -> None:
        try:
            await to_thread.run_sync(self._mark_seen, row_id)
        except Exception:
            self._touched.pop(row_id, None)
            log.exception("guard.mark_seen_failed")
