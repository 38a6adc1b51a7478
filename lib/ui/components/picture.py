"""A stored picture on a page, read from its own guarded address and not through Streamlit's media store.

That store forgets a picture when the run that drew it is overtaken, and the browser then finds nothing there.
"""

from html import escape

import streamlit as st


def picture(owner: str, file_id: int, *, words: str, width: int, small: bool = True) -> None:
    """Draw the picture, `width` CSS pixels wide; `words` tell whoever cannot see it what it is."""
    address = f"/desk/files/{owner}/{file_id}{'?small' if small else ''}"
    st.html(
        f'<img class="desk-picture" src="{address}" alt="{escape(words)}" width="{width}" loading="lazy">'
    )
