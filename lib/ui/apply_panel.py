"""What saving would move, and to which open cases it is to be applied; then done in batches (rule 15)."""

from collections.abc import Sequence
from datetime import timedelta
from html import escape

import streamlit as st

from lib.tickets.applying import Due, Preview
from lib.tickets.policies import apply_targets
from lib.ui import doors
from lib.ui.labels import code_label, label, span, when

AT_ONCE = 500
MOST_SHOWN = 300
STYLE = """<style>
.desk-moves { max-height: 290px; overflow: auto; border: 1px solid color-mix(in srgb, currentColor 28%, transparent);
  border-radius: 6px; }
.desk-moves table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: 15px;
  font-variant-numeric: tabular-nums; }
.desk-moves th, .desk-moves td { text-align: left; padding: 6px 12px; white-space: nowrap;
  border-bottom: 1px solid color-mix(in srgb, currentColor 16%, transparent); }
.desk-moves thead th { position: sticky; top: 0; font-size: 14px; font-weight: 600;
  background: #f0f2f6; color: #1a2433; }
.desk-moves .missed { font-weight: 600; }
.desk-moves .missed::before { content: "! "; }
.desk-moves a { color: inherit; text-decoration: underline; }
</style>"""


def show(preview: Preview, key: str) -> list[int]:
    """Draw the preview with its choices. Answers the cases that are ticked."""
    missed = sum(1 for move in preview.moves if move.missed)
    st.markdown(label("apply.found", cases=preview.cases, moves=len(preview.moves), missed=missed))
    if preview.moves:
        _table(preview)
    chosen: list[int] = []
    if preview.provisional:
        told = label("apply.to_provisional", count=len(preview.provisional))
        if st.checkbox(told, True, key=f"apply.provisional.{key}"):
            chosen += preview.provisional
    if preview.others:
        told = label("apply.to_others", count=len(preview.others))
        if st.checkbox(told, False, key=f"apply.others.{key}"):
            chosen += preview.others
    if preview.provisional or preview.others:
        st.caption(label("apply.stays"))
    return chosen


def _table(preview: Preview) -> None:
    heads = "".join(
        f"<th>{escape(label(f'apply.head.{name}'))}</th>"
        for name in ("number", "kind", "before", "after", "mark")
    )
    rows = []
    for move in preview.moves[:MOST_SHOWN]:
        marks = [label("apply.missed")] if move.missed else []
        if move.provisional:
            marks.append(label("timer.provisional"))
        cells = (
            f'<a href="/tickets_detail?ticket={move.ticket_id}">{escape(move.number)}</a>',
            escape(code_label(move.kind)),
            escape(_due(move.before)),
            escape(_due(move.after)),
            escape(" · ".join(marks)),
        )
        body = "".join(
            f'<td class="{"missed" if place == 4 and move.missed else ""}">{cell}</td>'
            for place, cell in enumerate(cells)
        )
        rows.append(f"<tr>{body}</tr>")
    more = len(preview.moves) - MOST_SHOWN
    if more > 0:
        rows.append(f'<tr><td colspan="5">{escape(label("apply.more", count=more))}</td></tr>')
    st.html(
        f'{STYLE}<div class="desk-moves"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _due(due: Due | None) -> str:
    if due is None:
        return label("apply.no_target")
    if due.at is not None:
        return when(due.at)
    if due.remaining_seconds is not None:
        return label("apply.paused", left=span(timedelta(seconds=due.remaining_seconds)))
    return label("timer.unreachable")


def apply(ticket_ids: Sequence[int], *, key: str, policies: bool) -> None:
    """Apply to the cases, 500 in a transaction; from a callback. Tells how many were done."""
    done = 0
    for start in range(0, len(ticket_ids), AT_ONCE):
        batch = list(ticket_ids[start : start + AT_ONCE])
        refusal = doors.attempt(
            apply_targets,
            key=f"{key}.{start}",
            ticket_ids=batch,
            policies=policies,
            calendars=True,
        )
        if refusal is not None:
            doors.refuse("applied_in_part", done=done, left=len(ticket_ids) - done)
            return
        done += len(batch)
    if done:
        doors.say("apply.done", count=done)
