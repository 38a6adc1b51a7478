"""A list of cases behind a figure: each number leads to its case."""

import streamlit as st

from db.codes import MissedCause, Verdict
from lib.reports.queries import CaseList, CaseRow
from lib.reports.rules import Behind, Measure
from lib.shared.assets import asset
from lib.ui.components import loader
from lib.ui.labels import code_label, label, when

_table = st.components.v2.component("desk_cases", js=loader("cases.js"))


def show(key: str, cases: CaseList, behind: Behind) -> int | None:
    """Draw the list. Answers the id of the ticket that was clicked in this run."""
    columns = _columns(behind)
    answer = _table(
        key=key,
        data={
            "heads": [label(f"report.column.{name}") for name in columns],
            "caption": label("report.cases"),
            "columns": columns,
            "rows": [_row(row) for row in cases.rows],
            "empty": label("report.no_cases"),
            "page": "/tickets_detail?ticket=",
            "style": asset("cases.css").address,
        },
        on_opened_change=lambda: None,
    )
    opened = answer.opened
    return opened if opened in {row.ticket_id for row in cases.rows} else None


def _columns(behind: Behind) -> list[str]:
    if behind.measure is Measure.SATISFACTION:
        return ["number", "company", "fault", "score", "words", "answered"]
    if behind.measure is not None:
        return ["number", "company", "fault", "status", "verdict", "due", "stopped"]
    return [
        "number",
        "company",
        "fault",
        "status",
        "closed" if behind.closed_on else "received",
    ]


def _verdict(row: CaseRow) -> str:
    """Met or missed; what a change or a merge made missed is told apart (rules 14, 17)."""
    told = code_label(row.verdict) if row.verdict else ""
    if row.cause in (None, MissedCause.TIME):
        return told
    return f"{told} · {code_label(row.cause)}"


def _row(row: CaseRow) -> dict[str, object]:
    at = when(row.at)
    running = row.verdict is Verdict.MISSED and row.at == row.due_at
    return {
        "id": row.ticket_id,
        "number": row.number,
        "company": row.company,
        "fault": code_label(row.fault),
        "status": code_label(row.status),
        "verdict": _verdict(row),
        "missed": row.verdict is Verdict.MISSED,
        "due": when(row.due_at),
        "stopped": label("report.still_running") if running else at,
        "score": f"{row.satisfaction} / 5",
        "words": row.words,
        "answered": at,
        "closed": at,
        "received": at,
    }
