"""The two charts of the dashboard with made figures, and nothing else."""

from datetime import date, timedelta
from typing import Any

import streamlit as st

from db.codes import FaultCode, Language
from lib.reports import rules
from lib.reports.rules import DayCount
from lib.ui import charts

DAYS = [
    DayCount(date(2026, 10, 26) + timedelta(days=nth), 400 + nth, 390 + nth) for nth in range(30)
]
CAUSES = rules.causes_of({fault: 900 - 40 * nth for nth, fault in enumerate(FaultCode)})


def _plot(name: str, data: Any, chart: Any) -> None:
    """As the dashboard draws them: a click into a mark chooses it."""
    st.vega_lite_chart(
        data, chart, key=name, on_select=lambda: None, selection_mode=charts.PICK, alt=name
    )


st.title("Charts")
left, right = st.columns([11, 9])
with left:
    _plot("days", charts.days_data(DAYS), charts.days_chart(Language.ZH_CN))
with right:
    _plot("causes", charts.causes_data(CAUSES), charts.causes_chart(Language.ZH_CN))
