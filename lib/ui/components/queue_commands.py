"""What the queue lets somebody do with several cases at once: each its own action, refused or done by itself."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

import streamlit as st

from db.codes import Priority, Role
from lib.shared.work import permit_of
from lib.tickets.actions import assign_technician, change_ticket, take_ticket
from lib.tickets.merges import merge_tickets
from lib.ui import doors

MOST_ITEMS = 200
RESULTS = "tickets.queue.results"
Arguments = dict[str, Any]


@dataclass(frozen=True)
class Verb:
    """The action behind a command; `read` gives its arguments, or None when the browser's make no sense.

    `case` is the argument that names the case.
    """

    action: Callable[..., Any]
    read: Callable[[Arguments], Arguments | None]
    case: str = "ticket_id"


def _no_arguments(_told: Arguments) -> Arguments:
    return {}


def _technician(told: Arguments) -> Arguments | None:
    technician_id = told.get("technician_id")
    return {"technician_id": technician_id} if type(technician_id) is int else None


def _priority(told: Arguments) -> Arguments | None:
    priority = told.get("priority")
    return {"priority": Priority(priority)} if priority in list(Priority) else None


def _survivor(told: Arguments) -> Arguments | None:
    survivor_id = told.get("survivor_id")
    return {"survivor_id": survivor_id} if type(survivor_id) is int else None


VERBS = {
    "take": Verb(take_ticket, _no_arguments),
    "assign": Verb(assign_technician, _technician),
    "priority": Verb(change_ticket, _priority),
    "merge": Verb(merge_tickets, _survivor, case="absorbed_id"),
}


def allowed(roles: Collection[Role]) -> list[str]:
    """The commands whose actions permit one of `roles`."""
    return [
        name for name, verb in VERBS.items() if not permit_of(verb.action).roles.isdisjoint(roles)
    ]


def results() -> dict[str, Any] | None:
    """The last command's key, and for each case its id with "" or why it was refused; None when there is none."""
    told: dict[str, Any] | None = st.session_state.get(RESULTS)
    return told


def forget_results() -> None:
    """The browser has seen them."""
    st.session_state.pop(RESULTS, None)


def take_command(command: Any) -> None:
    """Carry out a command of the browser, from a callback; nothing it sends is trusted.

    It is sent again until its results come: the same key of the same case is done once.
    """
    if not isinstance(command, dict) or not isinstance(command.get("arguments"), dict):
        return
    key, verb = _key(command.get("key")), VERBS.get(str(command.get("verb")))
    items, told = _items(command.get("items")), results()
    if key is None or verb is None or items is None:
        return
    arguments = verb.read(command["arguments"])
    if arguments is None or (told is not None and told["key"] == command["key"]):
        return
    rows = []
    for ticket_id, version in items:
        refusal = doors.attempt(
            verb.action,
            key=uuid5(key, str(ticket_id)).hex,
            version=version,
            **{verb.case: ticket_id},
            **arguments,
        )
        rows.append([ticket_id, "" if refusal is None else doors.words_of(refusal, plain=True)])
    st.session_state[RESULTS] = {"key": command["key"], "rows": rows}


def _key(told: Any) -> UUID | None:
    try:
        return UUID(hex=told)
    except (AttributeError, TypeError, ValueError):
        return None


def _items(told: Any) -> list[tuple[int, int]] | None:
    """Ids and versions, each case once; None when any of them makes no sense."""
    if not isinstance(told, list) or not 0 < len(told) <= MOST_ITEMS:
        return None
    items: dict[int, int] = {}
    for item in told:
        if not isinstance(item, dict):
            return None
        ticket_id, version = item.get("id"), item.get("version")
        if type(ticket_id) is not int or type(version) is not int or ticket_id > 2**31 - 1:
            return None
        items[ticket_id] = version
    return list(items.items())
