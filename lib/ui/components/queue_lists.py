"""The saved lists beside the queue: what the browser is told of them, and what it asks for."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import streamlit as st

from lib.tickets.queue import QueuePage
from lib.tickets.queue_filter import QueueFilter, Scope
from lib.tickets.views import (
    LONGEST_NAME,
    QUEUE_ROLES,
    SavedList,
    address_of,
    change_view,
    delete_view,
    save_view,
)
from lib.ui import doors

ANSWER = "tickets.queue.list_answer"
ACTIONS: dict[str, Callable[..., Any]] = {
    "save": save_view,
    "change": change_view,
    "delete": delete_view,
}


def counted(page: QueuePage, saved: list[SavedList]) -> dict[int, QueueFilter]:
    """The open lists among the saved ones as the person of the page is counted for, by id."""
    return {
        each.id: replace(each.where, person_id=page.where.person_id, only_of=page.where.only_of)
        for each in saved
        if each.where.scope is Scope.OPEN
    }


def told(page: QueuePage, saved: list[SavedList]) -> list[dict[str, Any]]:
    """The lists with their numbers; None where it is not counted, or not yet."""
    where = counted(page, saved)
    return [
        {
            "id": each.id,
            "name": each.name,
            "owner": each.owner,
            "roles": each.shared_roles,
            "version": each.version,
            "where": address_of(each.where),
            "count": page.tally.count_of(where[each.id]) if each.id in where else None,
        }
        for each in saved
    ]


def answer() -> dict[str, Any] | None:
    """What came of the last thing asked: its serial, and why it was refused or ""."""
    kept: dict[str, Any] | None = st.session_state.get(ANSWER)
    return kept


def take(serial: Any, asked: dict[str, Any], where: QueueFilter) -> None:
    """Keep, change or give up a list, from a callback; nothing a browser sends is trusted."""
    before = answer()
    if type(serial) is not int or (before is not None and before["serial"] == serial):
        return
    what, key = asked.get("what"), _key(asked.get("key"))
    arguments = _arguments(what, asked, where)
    if key is None or arguments is None:
        return
    refusal = doors.attempt(ACTIONS[str(what)], key=key, **arguments)
    refused = "" if refusal is None else doors.words_of(refusal, plain=True)
    st.session_state[ANSWER] = {"serial": serial, "what": what, "refused": refused}


def _arguments(what: Any, asked: dict[str, Any], where: QueueFilter) -> dict[str, Any] | None:
    name, roles = asked.get("name", ""), asked.get("roles", [])
    if what not in ACTIONS or not isinstance(name, str) or not isinstance(roles, list):
        return None
    named = {
        "name": name[: LONGEST_NAME + 1],
        "shared_roles": [role for role in QUEUE_ROLES if role in roles],
    }
    if what == "save":
        return named | {"where": replace(where, text="")}
    view_id, version = asked.get("id"), asked.get("version")
    if type(view_id) is not int or type(version) is not int or view_id > 2**31 - 1:
        return None
    which = {"view_id": view_id, "version": version}
    return which if what == "delete" else which | named


def _key(told: Any) -> str | None:
    try:
        return UUID(hex=told).hex
    except (AttributeError, TypeError, ValueError):
        return None
