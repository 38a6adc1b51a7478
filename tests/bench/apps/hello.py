"""The least page there is."""

import streamlit as st

st.title("Hello")
st.write("Nothing else.")
