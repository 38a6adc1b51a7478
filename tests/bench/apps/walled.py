"""The least page behind our wall: the guard, and the session read once in the run."""

import streamlit as st

from lib.ui import doors

if doors.current() is None:
    st.stop()
st.title("Hello")
st.write("Nothing else.")
