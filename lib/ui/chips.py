"""Small marks that say a state by colour, shape and word. Their words come from the catalogues, never from a store."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from html import escape

import streamlit as st

from db.codes import CoverageState, Priority, TicketStatus, WaitingFor
from lib.coverage.rules import Warranty
from lib.ui.labels import code_label, label

SHAPES = {
    CoverageState.IN_WARRANTY: "shield",
    CoverageState.EXPIRING: "triangle",
    CoverageState.EXPIRED: "octagon",
    CoverageState.UNKNOWN: "ring",
}


@dataclass(frozen=True, slots=True)
class Chip:
    """`look` names the class in desk.css that gives colour and shape."""

    look: str
    words: str
    title: str = ""


def show(chips: Iterable[Chip]) -> None:
    """Draw chips side by side."""
    st.html(
        '<div class="desk-chips">'
        + "".join(
            f'<span class="desk-chip {escape(chip.look)}" title="{escape(chip.title)}">{escape(chip.words)}</span>'
            for chip in chips
        )
        + "</div>"
    )


def status_chip(status: TicketStatus, waiting_for: WaitingFor | None) -> Chip:
    """The state, with whom it waits for."""
    words = code_label(status)
    if waiting_for is not None:
        words = f"{words} · {code_label(waiting_for)}"
    return Chip(f"status {status}", words)


def priority_chip(priority: Priority) -> Chip:
    return Chip(f"priority {priority}", code_label(priority))


def warranty_chip(warranty: Warranty) -> Chip:
    """The verdict with its last day."""
    return Chip(
        f"warranty {SHAPES[warranty.state]}", warranty_words(warranty), term_words(warranty)
    )


def warranty_words(warranty: Warranty) -> str:
    """The verdict in words: state and last covered day."""
    if warranty.ends_on is None:
        if warranty.state is CoverageState.EXPIRED:
            return label("coverage.none")
        return label("coverage.unknown")
    until = "coverage.until" if warranty.is_covered else "coverage.ended"
    state = f"{code_label(warranty.state)} · " if warranty.state is CoverageState.EXPIRING else ""
    return state + label(until, day=plain_day(warranty.ends_on))


def term_words(warranty: Warranty) -> str:
    """From when and how long the warranty runs."""
    if warranty.start_on is None:
        return label("coverage.start_unknown")
    return label(
        "coverage.start_and_term", day=plain_day(warranty.start_on), months=warranty.months
    )


def plain_day(on: date) -> str:
    return on.isoformat()
