"""The table of parts, with the one that is looked at marked."""

from collections.abc import Callable, Sequence

import streamlit as st

from db.codes import Language
from lib.shared.assets import asset
from lib.stock.queries import PartRow
from lib.ui.components import loader
from lib.ui.labels import label, language

_table = st.components.v2.component("desk_parts", js=loader("parts.js"))

WORDS = ("number", "name", "on_hand", "minimum", "unit", "state", "short", "enough", "empty")


def part_name(part: PartRow) -> str:
    """The part's name in the language of the screen, as far as it has one."""
    return part.name_en if language() is Language.EN and part.name_en else part.name


def show(
    key: str, parts: Sequence[PartRow], chosen: int | None, on_choose: Callable[[int], None]
) -> None:
    """Draw the table; a tap on a line calls `on_choose` with the part's id."""

    def choose() -> None:
        part_id = st.session_state[key].get("chosen")
        if isinstance(part_id, int):
            on_choose(part_id)

    _table(
        key=key,
        data={
            "rows": [
                [
                    part.id,
                    part.number,
                    part_name(part),
                    part.unit,
                    part.on_hand,
                    part.minimum,
                    part.is_below,
                ]
                for part in parts
            ],
            "chosen": chosen,
            "words": {word: label(f"stock.{word}") for word in WORDS},
            "style": asset("parts.css").address,
        },
        on_chosen_change=choose,
    )
