"""Fifty rows in a plain table, for comparison with the queue."""

import pandas as pd
import streamlit as st

ROWS = pd.DataFrame(
    [[f"CC-2026-{row:06d}", *(f"{name} {row}" for name in "abcdefgh")] for row in range(50)],
    columns=["number", *"abcdefgh"],
)

st.title("Table")
st.dataframe(ROWS)
