"""The caller's field of the hotline: search as you type, and a choice bound to the id that stood on the screen."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from lib.customers.queries import CallerHit
from lib.shared.assets import asset
from lib.tickets.callers import find_any_caller
from lib.ui import doors
from lib.ui.components import loader
from lib.ui.labels import label

LONGEST = 60
NOWHERE = ".st-key-nowhere"

_field = st.components.v2.component("desk_callers", js=loader("callers.js"))


@st.fragment
def show(
    key: str,
    *,
    generation: str,
    chosen: str,
    on_known: Callable[[int, int | None], None],
    on_new: Callable[[str], None],
    on_begin: Callable[[Any], None],
    next_field: str,
    save_button: str,
    numbered: str = NOWHERE,
    offer: str = NOWHERE,
    timed: bool = True,
    title: str = "",
) -> None:
    """Draw the field. A new `generation` empties it and takes the focus; `chosen` is the caller's name once known.

    `on_known` gets the ids of customer and contact as they stood on the screen, `on_new` the words of a new company;
    both in a callback. `on_begin` gets how many milliseconds ago the first key was pressed, unchecked. After a choice
    by key the focus goes on to `next_field`; Ctrl+Enter in any field presses `save_button`. A digit presses the
    button of that place within `numbered`, with Alt from any field that of `offer`. All four are CSS selectors.
    `timed`: the call's time is shown. `title`: words above the field other than the first step of the script.
    """
    asked = _asked(key, generation)
    words = asked.get("words", "")
    hits: list[CallerHit] = []
    if words and "choice" not in asked:
        hits = doors.read(find_any_caller, words=words)
    _field(
        key=key,
        data={
            "name": key,
            "generation": generation,
            "serial": asked.get("serial", 0),
            "words": words,
            "hits": [
                [
                    hit.customer_id,
                    hit.contact_id,
                    hit.company,
                    hit.contact,
                    hit.phone,
                    hit.verified,
                ]
                for hit in hits
            ],
            "chosen": chosen,
            "next": next_field,
            "save": save_button,
            "numbered": numbered,
            "offer": offer,
            "timed": timed,
            "longest": LONGEST,
            "style": asset("callers.css").address,
            "labels": {
                name: label(f"entry.caller.{name}")
                for name in ("placeholder", "found", "add", "unverified", "call_time")
            }
            | {"caller": title or label("entry.caller.caller")},
        },
        on_asked_change=lambda: _take(key, generation, on_known, on_new, on_begin),
    )
    if st.session_state.pop(f"{key}.chose", False):
        st.rerun()


def _asked(key: str, generation: str) -> dict[str, Any]:
    """What the browser asks for, as far as it belongs to this form; nothing it sends is trusted."""
    state = st.session_state.get(key)
    asked = state.get("asked") if state is not None else None
    if not isinstance(asked, dict) or asked.get("generation") != generation:
        return {}
    serial, words, choice = asked.get("serial"), asked.get("words"), asked.get("choice")
    told: dict[str, Any] = {
        "serial": serial if isinstance(serial, int) else 0,
        "words": words[:LONGEST] if isinstance(words, str) and words.isprintable() else "",
    }
    if isinstance(choice, dict):
        told["choice"] = choice
    told["since"] = asked.get("since")
    return told


def _take(
    key: str,
    generation: str,
    on_known: Callable[[int, int | None], None],
    on_new: Callable[[str], None],
    on_begin: Callable[[Any], None],
) -> None:
    asked = _asked(key, generation)
    if asked:
        on_begin(asked["since"])
    choice = asked.get("choice")
    if choice is None:
        return
    customer, contact, company = (
        choice.get("customer"),
        choice.get("contact"),
        choice.get("company"),
    )
    if isinstance(customer, int) and (contact is None or isinstance(contact, int)):
        on_known(customer, contact)
    elif isinstance(company, str):
        on_new(company[:LONGEST])
    else:
        return
    st.session_state[f"{key}.chose"] = True
