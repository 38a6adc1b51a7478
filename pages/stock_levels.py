"""Spare parts: what is on hand against its minimum, the short ones first; the store receives and counts here."""

import streamlit as st

from lib.stock.actions import STOCK_CHANGED
from lib.stock.queries import PartFilter, count_short_parts, list_movements, list_parts
from lib.ui import doors, stock_forms
from lib.ui.components import parts
from lib.ui.labels import label
from lib.ui.live import refresh_on_change

LINES = 30

actor = doors.enter("stock_levels")
refresh_on_change("stock.levels", {STOCK_CHANGED})


def choose(part_id: int) -> None:
    st.query_params["part"] = str(part_id)


def keep_filter() -> None:
    """Hold the filter in the address, so that a link shows the same."""
    st.query_params.pop("short", None)
    if st.session_state["stock.levels.short"]:
        st.query_params["short"] = "1"
    st.query_params["q"] = st.session_state["stock.levels.search"]


asked = st.query_params.get("part", "")
chosen = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else None
st.session_state.setdefault("stock.levels.search", st.query_params.get("q", "")[:40])
st.session_state.setdefault("stock.levels.short", "short" in st.query_params)

st.title(label("page.stock_levels"))
with st.container(horizontal=True, vertical_alignment="bottom"):
    st.text_input(
        label("stock.search"),
        key="stock.levels.search",
        max_chars=40,
        live="150ms",
        icon=":material/search:",
        placeholder=label("stock.search_how"),
        on_change=keep_filter,
        width=320,
    )
    st.toggle(
        label("stock.short_only", count=doors.read(count_short_parts)),
        key="stock.levels.short",
        on_change=keep_filter,
    )
    if actor.has(*stock_forms.STORE):
        stock_forms.add_part()

where = PartFilter(st.session_state["stock.levels.search"], st.session_state["stock.levels.short"])
st.html(stock_forms.STYLE)
with st.container(key="stock_levels"):
    left, right = st.columns([11, 9], gap="medium")
with left:
    parts.show("stock.levels.table", doors.read(list_parts, where=where), chosen, choose)
with right:
    part = next((each for each in doors.read(list_parts) if each.id == chosen), None)
    if part is None:
        st.info(label("stock.choose"), icon=":material/touch_app:")
    else:
        stock_forms.heading(part)
        stock_forms.part_forms(part, actor)
        stock_forms.ledger(doors.read(list_movements, part_id=part.id, most=LINES))
