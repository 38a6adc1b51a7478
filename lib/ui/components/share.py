"""A link to pass on: its text with a button that copies it, and a code to scan."""

import segno
import streamlit as st

from lib.shared.assets import asset
from lib.ui.components import loader
from lib.ui.labels import label

_share = st.components.v2.component("desk_share", js=loader("share.js"))


def show(key: str, address: str, *, code_words: str) -> None:
    """Draw the link; `code_words` says what the code is, for those who do not see it."""
    code = segno.make(address, error="m", micro=False)
    _share(
        key=key,
        data={
            "address": address,
            "code": code.svg_data_uri(border=2, scale=4, dark="#000", light="#fff"),
            "words": {
                "code": code_words,
                "copy": label("share.copy"),
                "copied": label("share.copied"),
                "link": label("share.link"),
            },
            "style": asset("share.css").address,
        },
    )
