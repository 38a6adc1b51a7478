"""What the store does with a part: receive, adjust by a count, set its minimum; and the part's ledger."""

from collections.abc import Sequence

import streamlit as st

from db.codes import Role
from lib.shared.work import Actor
from lib.stock import actions, rules
from lib.stock.queries import MovementRow, PartRow
from lib.ui import doors
from lib.ui.components.parts import part_name
from lib.ui.labels import code_label, escape, label, when

STORE = (Role.STOREKEEPER, Role.SUPERVISOR)
STYLE = """<style>
.st-key-stock_levels [data-testid="stTable"], .st-key-stock_levels table { font-size: 15px; }
.st-key-stock_levels td:not(:last-child), .st-key-stock_levels th { white-space: nowrap; }
@media (max-width: 1100px) {
  .st-key-stock_levels [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
  .st-key-stock_levels [data-testid="stColumn"] { min-width: 100%; }
}
</style>"""
"""On a tablet held upright the part stands below the table."""


def add_part() -> None:
    """A button that opens the form for a new part."""
    with st.popover(label("stock.add_part"), icon=":material/add:"):
        key = doors.form_key("stock.add")
        with st.form(f"stock.add.{key}", border=False):
            st.text_input(
                label("stock.number"), key=f"stock.add.number.{key}", max_chars=rules.NUMBER_LENGTH
            )
            st.text_input(
                label("stock.name"), key=f"stock.add.name.{key}", max_chars=rules.NAME_LENGTH
            )
            st.text_input(
                label("stock.name_en"), key=f"stock.add.name_en.{key}", max_chars=rules.NAME_LENGTH
            )
            st.text_input(
                label("stock.unit"), key=f"stock.add.unit.{key}", max_chars=rules.UNIT_LENGTH
            )
            st.number_input(
                label("stock.minimum"), 0, rules.MOST_AT_ONCE, key=f"stock.add.minimum.{key}"
            )
            st.form_submit_button(
                label("stock.add_part"), type="primary", on_click=_add, args=(key,)
            )


def _add(key: str) -> None:
    told = {
        name: st.session_state[f"stock.add.{name}.{key}"]
        for name in ("number", "name", "name_en", "unit", "minimum")
    }
    part_id = doors.submit(actions.add_part, key=key, **told)
    if part_id is not None:
        st.query_params["part"] = str(part_id)


def part_forms(part: PartRow, actor: Actor) -> None:
    """The forms for one part, as far as the actor may use them."""
    if not actor.has(*STORE):
        return
    receives = actor.has(Role.STOREKEEPER)
    names = (["receive"] if receives else []) + ["adjust", "minimum"]
    drawn = st.tabs([label(f"stock.do.{name}") for name in names], key=f"stock.levels.do.{part.id}")
    tabs = dict(zip(names, drawn, strict=True))
    if receives:
        with tabs["receive"]:
            _receive(part)
    with tabs["adjust"]:
        _adjust(part)
    with tabs["minimum"]:
        _minimum(part)


def _receive(part: PartRow) -> None:
    key = doors.form_key(f"stock.receive.{part.id}")

    def receive() -> None:
        quantity = st.session_state[f"stock.receive.quantity.{key}"]
        if quantity is None:
            doors.refuse("quantity_out_of_range", most=rules.MOST_AT_ONCE)
            return
        doors.submit(
            actions.receive_part,
            key=key,
            part_id=part.id,
            quantity=quantity,
            reason=st.session_state[f"stock.receive.reason.{key}"],
        )

    with st.form(f"stock.receive.{key}", border=False):
        # Empty at first: the second tap of a double tap may meet the fresh form, and must not receive again.
        st.number_input(
            label("stock.quantity"),
            1,
            rules.MOST_AT_ONCE,
            value=None,
            step=1,
            key=f"stock.receive.quantity.{key}",
        )
        st.text_input(
            label("stock.receive_reason"),
            key=f"stock.receive.reason.{key}",
            max_chars=rules.REASON_LENGTH,
        )
        st.form_submit_button(
            label("stock.do.receive"), type="primary", icon=":material/add_box:", on_click=receive
        )


def _adjust(part: PartRow) -> None:
    key = doors.form_key(f"stock.adjust.{part.id}")

    def adjust() -> None:
        doors.submit(
            actions.adjust_part,
            key=key,
            part_id=part.id,
            seen_on_hand=part.on_hand,
            counted=st.session_state[f"stock.adjust.counted.{key}.{part.on_hand}"],
            reason=st.session_state[f"stock.adjust.reason.{key}"],
        )

    with st.form(f"stock.adjust.{key}", border=False):
        st.number_input(
            label("stock.counted", on_hand=part.on_hand),
            0,
            rules.MOST_AT_ONCE,
            value=part.on_hand,
            key=f"stock.adjust.counted.{key}.{part.on_hand}",
        )
        st.text_input(
            label("stock.reason"),
            key=f"stock.adjust.reason.{key}",
            max_chars=rules.REASON_LENGTH,
        )
        st.form_submit_button(
            label("stock.do.adjust"), type="primary", icon=":material/balance:", on_click=adjust
        )


def _minimum(part: PartRow) -> None:
    key = doors.form_key(f"stock.minimum.{part.id}")

    def change() -> None:
        doors.submit(
            actions.change_minimum,
            key=key,
            part_id=part.id,
            version=part.version,
            minimum=st.session_state[f"stock.minimum.level.{key}.{part.version}"],
        )

    with st.form(f"stock.minimum.{key}", border=False):
        st.number_input(
            label("stock.minimum"),
            0,
            rules.MOST_AT_ONCE,
            value=part.minimum,
            key=f"stock.minimum.level.{key}.{part.version}",
        )
        st.form_submit_button(label("stock.do.minimum"), type="primary", on_click=change)


def heading(part: PartRow) -> None:
    """The part with its levels in one line."""
    st.subheader(f"{escape(part.number)} · {escape(part_name(part))}", anchor=False)
    levels = label("stock.levels", on_hand=part.on_hand, minimum=part.minimum, unit=part.unit)
    if part.is_below:
        short = label("stock.short_by", count=part.minimum - part.on_hand)
        st.warning(f"{escape(levels)} · {short}", icon=":material/warning:")
    else:
        st.text(levels)


def ledger(movements: Sequence[MovementRow]) -> None:
    """The lines of a part's ledger, newest first."""
    st.markdown(f"**{label('stock.ledger')}**")
    if not movements:
        st.text(label("stock.ledger_empty"))
        return
    heads = [label(f"stock.ledger.{name}") for name in ("at", "kind", "quantity", "after", "why")]
    lines = ["| " + " | ".join(heads) + " |", "|---|---|--:|--:|---|"]
    for line in movements:
        case = f"[{line.ticket_number}](/tickets_detail?ticket={line.ticket_id})"
        why = [
            case if line.ticket_id is not None else "",
            escape(line.person_name),
            escape(line.reason),
        ]
        cells = [
            when(line.at),
            code_label(line.kind),
            f"{line.quantity:+d}".replace("-", "−"),
            str(line.on_hand_after),
            " · ".join(filter(None, why)),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    st.markdown("\n".join(lines))
