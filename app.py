"""The front door: the ASGI app that stands guard before Streamlit and runs lib/ui/shell.py."""

from pathlib import Path

import streamlit as st

from lib import jobs
from lib.shared.cores import staying_where_it_is_quiet
from lib.ui.doors import report_script_error
from lib.web import lifespan, live, routes, wall

ROOT = Path(__file__).resolve().parent
companions = [staying_where_it_is_quiet, live.listening, jobs.working]

app = st.App(
    ROOT / "lib" / "ui" / "shell.py",
    lifespan=lifespan.lifespan(st.get_option, companions),
    routes=routes.routes,
    middleware=wall.middleware(),
    on_script_error=report_script_error,
    # None are kept here; but until Streamlit has some, it looks for their files each time somebody asks who is here.
    secrets={"desk": {}},
)
