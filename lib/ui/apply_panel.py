"""What saving would move, and to which open cases it is to be applied; then done in batches (rule 15)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from typing import Any

import streamlit as st

from lib.tickets.applying import Due, Preview
from lib.tickets.open_cases import CASES_AT_ONCE
from lib.tickets.policies import apply_targets
from lib.ui import doors
from lib.ui.labels import code_label, label, span, when

APPLYING = "tickets.applying"
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


def look_ahead(query: Callable[..., Preview], **arguments: Any) -> Preview:
    """The answer of a preview, with words until it is there; its refusals are raised."""
    with st.spinner(label("apply.looking")):
        return doors.try_read(query, **arguments)


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


@dataclass(slots=True)
class Applying:
    """Cases that policies or a calendar are being applied to; `key` is of the form that was submitted."""

    key: str
    ticket_ids: tuple[int, ...]
    policies: bool
    done: int = 0
    refused: bool = False

    @property
    def is_over(self) -> bool:
        return self.refused or self.done >= len(self.ticket_ids)

    def do_more(self) -> None:
        """Apply to the next cases in a transaction of their own; the same ones are done once."""
        batch = self.ticket_ids[self.done : self.done + CASES_AT_ONCE]
        refusal = doors.attempt(
            apply_targets,
            key=f"{self.key}.{self.done}",
            ticket_ids=list(batch),
            policies=self.policies,
            calendars=True,
        )
        if refusal is None:
            self.done += len(batch)
        else:
            self.refused = True


def apply(ticket_ids: Sequence[int], *, key: str, policies: bool) -> None:
    """Apply to the first cases, from a callback. `go_on` does the rest: only a run can show how far it is."""
    under_way: Applying | None = st.session_state.get(APPLYING)
    if not ticket_ids or (under_way is not None and under_way.key == key):
        return
    applying = Applying(key, tuple(ticket_ids), policies)
    applying.do_more()
    if applying.is_over:
        _tell(applying)
    else:
        st.session_state[APPLYING] = applying


def go_on() -> None:
    """Apply to the cases that are left, if any, with the progress in front of the page.

    At the end of every run of whatever page: a run that is broken off leaves the rest to the next one. A browser that
    went away leaves it to the next preview.
    """
    applying: Applying | None = st.session_state.get(APPLYING)
    if applying is None:
        return
    if not applying.is_over:
        # Nothing in it can be pressed: what a dialog sends would wait for the end of this run anyway.
        st.dialog(label("apply.title"), dismissible=False)(_do_all)(applying)
        st.rerun()
    del st.session_state[APPLYING]
    _tell(applying)


def _do_all(applying: Applying) -> None:
    bar = st.progress(*_progress(applying))
    st.caption(label("apply.kept", count=CASES_AT_ONCE))
    while not applying.is_over:
        applying.do_more()
        bar.progress(*_progress(applying))


def _progress(applying: Applying) -> tuple[float, str]:
    count = len(applying.ticket_ids)
    return applying.done / count, label("apply.progress", done=applying.done, count=count)


def _tell(applying: Applying) -> None:
    done = applying.done
    if applying.refused:
        doors.refuse("applied_in_part", done=done, left=len(applying.ticket_ids) - done)
    else:
        doors.say("apply.done", count=done)
