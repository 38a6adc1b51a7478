"""A button that prints the page."""

import streamlit as st

from lib.ui.components import loader
from lib.ui.labels import label

STYLE = """
.print {
  font: inherit; font-size: 15px; min-height: 40px; padding: 4px 16px; cursor: pointer; border-radius: 6px;
  color: var(--st-text-color); background: transparent; border: 1px solid var(--st-border-color);
}
.print:hover { border-color: var(--st-primary-color); }
.print:focus-visible { outline: 3px solid var(--st-primary-color); outline-offset: 2px; }
"""

_button = st.components.v2.component("desk_print", css=STYLE, js=loader("print.js"))


def button(key: str) -> None:
    """Draw the button."""
    _button(key=key, data={"words": label("sheet.print")}, width="content", height="content")
