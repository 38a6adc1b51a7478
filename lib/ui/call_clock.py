"""The running call of the hotline: when it began, when each step of the script was done, what was promised."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from db.codes import CallStep
from lib.shared import clock
from lib.tickets.calls import LONGEST_CALL, CallTold

CALL = "tickets.entry.call"


@dataclass(slots=True)
class Running:
    """A call in session state; empty until its first key."""

    form: str
    started_at: datetime | None = None
    steps: dict[CallStep, datetime] = field(default_factory=dict)
    promised_at: datetime | None = None
    promise: str = ""
    policy_id: int | None = None
    callback_of: int | None = None


def running(form: str) -> Running:
    """The call of this form instance; the one before is forgotten."""
    call = st.session_state.get(CALL)
    if not isinstance(call, Running) or call.form != form:
        call = st.session_state[CALL] = Running(form)
    return call


def begin(form: str, since: Any) -> None:
    """The first key was pressed `since` milliseconds ago, as the browser's own clock counted them."""
    call = running(form)
    if call.started_at is not None:
        return
    ago = since if isinstance(since, int | float) and not isinstance(since, bool) else 0
    longest = LONGEST_CALL.total_seconds() * 1000
    ago = ago if 0 <= ago <= longest else 0
    call.started_at = (clock.now() - timedelta(milliseconds=ago)).replace(microsecond=0)


def stamp(form: str, done: dict[CallStep, bool]) -> dict[CallStep, datetime]:
    """Note when a step was first seen done; one that is undone loses its stamp. The stamps."""
    call = running(form)
    for step, is_done in done.items():
        if not is_done:
            call.steps.pop(step, None)
        elif step not in call.steps:
            call.steps[step] = clock.now()
    return dict(call.steps)


def promise(form: str, at: datetime | None, words: str, policy_id: int | None) -> None:
    """What stands on the screen to be read out; it counts as it stood there when the call is saved (rule 28)."""
    call = running(form)
    call.promised_at, call.promise, call.policy_id = at, words, policy_id


def told(form: str) -> CallTold:
    """The call as it is saved."""
    call = running(form)
    # Kept, so that a double click tells the same call.
    call.started_at = call.started_at or clock.now()
    return CallTold(
        started_at=call.started_at,
        steps=dict(call.steps),
        promised_at=call.promised_at,
        promise=call.promise,
        policy_id=call.policy_id,
        callback_of=call.callback_of,
    )
