"""The charts alone as an app for the launcher's server."""

from pathlib import Path

import streamlit as st

app = st.App(Path(__file__).parent / "charts.py")
