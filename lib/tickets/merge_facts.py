"""What a merge says of both cases, as the events tell it: pure, so that a recompute finds it again (rule 17)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from db.codes import EventKind, TimerKind
from lib.tickets.timers import Change


def told_of(change: Change, own_received_at: datetime) -> dict[str, Any]:
    """What the survivor's event keeps of the absorbed case, and when the survivor itself was received."""
    return {
        "own_received_at": own_received_at.isoformat(),
        "received_at": None if change.received_at is None else change.received_at.isoformat(),
        "contacts": _texts(change.contacts),
        "inbound": _texts(change.inbound),
        "missed": sorted(change.missed),
    }


def change_of(at: datetime, author_id: int | None, details: Mapping[str, Any]) -> Change:
    """The change that a survivor's event stands for."""
    received_at = details.get("received_at")
    return Change(
        at,
        author_id,
        received_at=None if received_at is None else datetime.fromisoformat(received_at),
        contacts=instants(details.get("contacts", ())),
        inbound=instants(details.get("inbound", ())),
        missed=frozenset(TimerKind(kind) for kind in details.get("missed", ())),
    )


def instants(texts: Iterable[str]) -> tuple[datetime, ...]:
    """Moments as an event's details keep them."""
    return tuple(datetime.fromisoformat(text) for text in texts)


def undone_merges(events: Iterable[tuple[EventKind, Mapping[str, Any] | None]]) -> frozenset[int]:
    """The merges that the case took part in and that are as if they had never been."""
    return frozenset(
        int(details["merge_id"])
        for kind, details in events
        if kind is EventKind.MERGE_UNDONE and details
    )


def between(moments: Iterable[datetime], since: datetime, until: datetime) -> list[str]:
    """The moments in [since, until), as an event's details keep them."""
    return _texts(each for each in moments if since <= each < until)


def _texts(moments: Iterable[datetime]) -> list[str]:
    return [moment.isoformat() for moment in moments]
