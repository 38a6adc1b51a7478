"""The two charts of the dashboard with made figures, and nothing else."""

from datetime import date, timedelta

import streamlit as st

from db.codes import FaultCode, Language
from lib.reports import rules
from lib.reports.rules import DayCount
from lib.ui import charts

DAYS = [
    DayCount(date(2026, 10, 26) + timedelta(days=nth), 400 + nth, 390 + nth) for nth in range(30)
]
CAUSES = rules.causes_of({fault: 900 - 40 * nth for nth, fault in enumerate(FaultCode)})

st.title("Charts")
left, right = st.columns([11, 9])
with left:
    st.vega_lite_chart(charts.days_data(DAYS), charts.days_chart(Language.ZH_CN), key="days")
with right:
    st.vega_lite_chart(
        charts.causes_data(CAUSES), charts.causes_chart(Language.ZH_CN), key="causes"
    )
