"""The least page behind the wall, as an app for the launcher's server."""

from pathlib import Path

import streamlit as st

from lib.web import lifespan, routes, wall

app = st.App(
    Path(__file__).parent / "walled.py",
    lifespan=lifespan.lifespan(st.get_option, []),
    routes=routes.routes,
    middleware=wall.middleware(),
)
