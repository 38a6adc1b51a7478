"""The table that explains one timer, on the screen and on paper. Stored text passes `escape` of html, always."""

from dataclasses import replace
from datetime import datetime, timedelta
from html import escape

import streamlit as st

from db.codes import DayKind, TimerPhase
from lib.shared.clock import SHANGHAI
from lib.tickets.explain import MOST_LINES, Explanation, Line, TimerSheet, Why
from lib.ui.labels import code_label, day, label, span, when
from lib.ui.target_words import amount_words, target_words

STYLE = """<style>
.desk-sheet { font-size: 15px; line-height: 1.5; max-width: 1080px; }
.desk-sheet h1 { font-size: 24px; line-height: 1.3; font-weight: 700; margin: 0 0 10px; padding: 0; }
.desk-sheet h1 small { font-size: 16px; font-weight: 500; margin-left: 12px; }
.desk-sheet dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 3px 16px;
    margin: 0 0 14px !important; padding: 0 !important; }
.desk-sheet dt { color: color-mix(in srgb, currentColor 72%, transparent); }
.desk-sheet dt, .desk-sheet dd { margin: 0 !important; padding: 0 !important; }
.desk-sheet .told { border: 1px solid #B98A2B; background: #FFE8B8; color: #5C3A00; border-radius: 4px;
    padding: 6px 12px; margin: 0 0 10px; }
.desk-sheet .wrong { border: 1px solid #C9A59C; background: #7A1F0B; color: #fff; border-radius: 4px;
    padding: 6px 12px; margin: 0 0 10px; }
.desk-sheet table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.desk-sheet th, .desk-sheet td { text-align: left; padding: 5px 10px;
    border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); vertical-align: top; }
.desk-sheet thead th { font-size: 14px; font-weight: 600; border-bottom-width: 2px; white-space: nowrap; }
.desk-sheet .number { text-align: right; white-space: nowrap; }
.desk-sheet .at, .desk-sheet .at span { white-space: nowrap; }
@media (max-width: 900px) { .desk-sheet .at:has(span) { white-space: normal; } }
.desk-sheet tr.counted td { font-weight: 600; }
.desk-sheet tr.ahead td { font-style: italic; font-weight: 400; }
.desk-sheet tr.mark td { background: color-mix(in srgb, currentColor 9%, transparent); font-weight: 600; }
.desk-sheet .foot { margin: 12px 0 0; font-size: 13px; }
@media print {
  [data-testid="stHeader"], [data-testid="stToolbar"], [data-testid="stSidebar"], .st-key-shell_bar,
    .st-key-timer_bar { display: none !important; }
  html, body, #root, .stApp, [data-testid="stApp"], [data-testid="stAppViewContainer"], [data-testid="stMain"],
    section.main {
    position: static !important; overflow: visible !important; height: auto !important; min-height: 0 !important;
    display: block !important; color: #000 !important; background: #fff !important;
  }
  [data-testid="stMainBlockContainer"] { padding: 0 !important; max-width: none !important; }
  .desk-sheet { font-size: 11.5px; line-height: 1.35; max-width: none; color: #000; }
  .desk-sheet h1 { font-size: 18px; }
  .desk-sheet th, .desk-sheet td { padding: 2px 6px; }
  .desk-sheet tr { break-inside: avoid; }
  @page { size: A4; margin: 14mm; }
}
</style>"""


def show(sheet: TimerSheet, now: datetime, reader: str) -> None:
    """Draw the sheet."""
    told = sheet.explanation
    title = escape(f"{sheet.number} · {code_label(told.timer.kind)}")
    parts = [
        f"<h1>{title}<small>{escape(_state(told))}</small></h1>",
        _facts(sheet),
        *_warnings(sheet),
    ]
    if told.lines:
        parts.append(_table(sheet, now))
    foot = label("sheet.printed", at=when(now), by=reader)
    parts.append(f'<p class="foot">{escape(foot)}</p>')
    st.html(f'{STYLE}<section class="desk-sheet">{"".join(parts)}</section>')


def _state(told: Explanation) -> str:
    words = code_label(told.verdict)
    if told.timer.missed_cause is not None:
        words = f"{words} · {label(f'sheet.missed.{told.timer.missed_cause}')}"
    if told.timer.cycle > 1:
        words = f"{words} · {label('ticket.cycle', cycle=told.timer.cycle)}"
    return words


def _facts(sheet: TimerSheet) -> str:
    told, timer = sheet.explanation, sheet.explanation.timer
    target = timer.target
    facts = [(label("sheet.started"), when(timer.started_at, seconds=True))]
    if target is not None:
        second = target.second
        words = target_words(
            *target.amount, None if second is None else second.unit, second and second.number
        )
        facts.append((label("sheet.target"), words))
        if second is not None and told.amount is not None:
            facts.append((label("sheet.decides"), amount_words(*told.amount)))
        facts += [
            (label("sheet.clause"), sheet.clause),
            (
                label("sheet.calendar"),
                label("sheet.version", name=sheet.calendar, version=sheet.calendar_version or 0),
            ),
        ]
    facts += [
        (label("sheet.due"), when(timer.due_at, seconds=True)),
        (label("sheet.stopped"), when(timer.stopped_at, seconds=True)),
    ]
    if timer.remaining_seconds is not None:
        left = _length(timedelta(seconds=timer.remaining_seconds))
        facts.append((label("sheet.remaining"), left))
    if sheet.expected_due_at is not None:
        guess = label("sheet.expected_words", at=when(sheet.expected_due_at))
        facts.append((label("sheet.expected"), guess))
    if told.overrun is not None:
        facts.append(
            (
                label("sheet.overrun"),
                label(
                    "sheet.overrun_words",
                    working=span(timedelta(seconds=told.overrun.working_seconds)),
                    wall=span(told.overrun.wall),
                ),
            )
        )
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts if value
    )
    return f"<dl>{rows}</dl>"


def _warnings(sheet: TimerSheet) -> list[str]:
    told = sheet.explanation
    found = []
    if told.unreachable:
        found.append(f'<p class="wrong">{escape(label("sheet.unreachable"))}</p>')
    if sheet.promised:
        found.append(f'<p class="told">{escape(label("sheet.promised"))}</p>')
    elif told.timer.target is None:
        found.append(f'<p class="told">{escape(label("sheet.no_target"))}</p>')
    if told.provisional and told.timer.due_at is not None:
        year = told.timer.due_at.astimezone(SHANGHAI).year
        found.append(f'<p class="told">{escape(label("sheet.provisional", year=year))}</p>')
    return found


def _table(sheet: TimerSheet, now: datetime) -> str:
    told, timer = sheet.explanation, sheet.explanation.timer
    heads = ("from", "until", "counted", "why", "length", "total")
    head = "".join(
        f'<th class="{"number" if name in ("length", "total") else ""}">'
        f"{escape(label(f'sheet.head.{name}'))}</th>"
        for name in heads
    )
    shown = told.lines[-MOST_LINES:]
    rows = []
    if len(shown) < len(told.lines):
        rows.append(_mark(label("sheet.left_out", count=len(told.lines) - len(shown))))
    stopped = _mark(label("sheet.mark.stopped", at=when(timer.stopped_at, seconds=True)))
    is_early = timer.stopped_at is not None and (
        timer.due_at is None or timer.stopped_at < timer.due_at
    )
    if is_early and timer.stopped_at == timer.started_at:
        rows.append(stopped)
    for line in _joined(shown, sheet, now):
        rows.append(_row(line, sheet, now))
        if timer.stopped_at and is_early and line.start_at < timer.stopped_at <= line.end_at:
            rows.append(stopped)
    if timer.due_at is not None:
        target = _length(timedelta(seconds=told.target_seconds))
        at = when(timer.due_at, seconds=True)
        rows.append(_mark(label("sheet.mark.due", at=at, target=target)))
        if timer.stopped_at is not None and not is_early:
            rows.append(stopped)
    elif timer.phase is TimerPhase.PAUSED:
        rows.append(_mark(label("sheet.mark.paused", at=when(now))))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _joined(lines: list[Line], sheet: TimerSheet, now: datetime) -> list[Line]:
    """Nights are one row: what does not count for the same reason is not cut at midnight."""
    joined: list[Line] = []
    for line in lines:
        last = joined[-1] if joined else None
        if (
            last is not None
            and last.why is line.why is not Why.COUNTED
            and (last.start_at >= now) is (line.start_at >= now)
            and _why(last, sheet) == _why(line, sheet)
        ):
            joined[-1] = replace(last, end_at=line.end_at)
        else:
            joined.append(line)
    return joined


def _length(length: timedelta) -> str:
    """Hours, minutes and seconds: evidence is exact."""
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _mark(words: str) -> str:
    return f'<tr class="mark"><td colspan="6">{escape(words)}</td></tr>'


def _row(line: Line, sheet: TimerSheet, now: datetime) -> str:
    is_counted = line.why is Why.COUNTED
    stopped = sheet.explanation.timer.stopped_at
    is_ahead = line.start_at >= now or (stopped is not None and line.start_at >= stopped)
    kinds = " ".join(
        name for name, holds in (("counted", is_counted), ("ahead", is_ahead)) if holds
    )
    counted = label("sheet.counted" if is_counted else "sheet.not_counted")
    if is_ahead:
        counted = f"{counted}{label('sheet.ahead')}"
    cells = (
        ("at", _moment(line.start_at)),
        ("at", _moment(line.end_at)),
        ("at", escape(counted)),
        ("", escape(_why(line, sheet))),
        ("number", _length(line.end_at - line.start_at)),
        ("number", _length(timedelta(seconds=line.total_seconds))),
    )
    body = "".join(f'<td class="{kind}">{told}</td>' for kind, told in cells)
    return f'<tr class="{kinds}">{body}</tr>'


def _moment(at: datetime) -> str:
    """Day and time; a narrow screen breaks the line between them."""
    local = at.astimezone(SHANGHAI)
    return f"<span>{escape(day(local.date()))}</span> <span>{local:%H:%M:%S}</span>"


def _why(line: Line, sheet: TimerSheet) -> str:
    if line.why is Why.PAUSED and line.waiting_for is not None:
        pause = sheet.pauses.get(line.pause_at) if line.pause_at is not None else None
        words = label("sheet.why.paused", state=code_label(line.waiting_for))
        if pause is not None and pause.by:
            words = label("sheet.why.paused_by", state=code_label(line.waiting_for), by=pause.by)
        return " · ".join(filter(None, (words, pause.words if pause else "")))
    note = sheet.days.get(line.start_at.astimezone(SHANGHAI).date())
    words = label(f"sheet.why.{line.why}")
    if note is None:
        return words
    if line.why is Why.COUNTED and note.kind is DayKind.CLOSED:
        return words
    return " · ".join(filter(None, (words, _note_words(note.kind, line.why), note.name)))


def _note_words(kind: DayKind, why: Why) -> str:
    if kind is DayKind.CLOSED or why is Why.DAY_OFF:
        return ""
    return label("calendar.kind.open" if kind is DayKind.OPEN else "calendar.kind.other_hours")
