"""The front door: the ASGI app that stands guard before Streamlit and runs lib/ui/shell.py."""

from pathlib import Path

import streamlit as st

from lib import jobs
from lib.ui.doors import report_script_error
from lib.web import lifespan, live, routes, wall

ROOT = Path(__file__).resolve().parent

app = st.App(
    ROOT / "lib" / "ui" / "shell.py",
    lifespan=lifespan.lifespan(st.get_option, [live.listening, jobs.working]),
    routes=routes.routes,
    middleware=wall.middleware(),
    on_script_error=report_script_error,
)
