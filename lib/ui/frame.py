"""The thread between the script and the page around it: language of the document, theme button, session cookie."""

import streamlit as st

from db.codes import Language
from lib.ui.labels import label, language

SCRIPT = """
export default function (component) {
  window.desk?.frame(component);
}
"""

STYLE = """
button {
  font: inherit; color: inherit; background: transparent; border: 1px solid transparent; border-radius: 6px;
  width: 2.5rem; height: 2.25rem; padding: 0; cursor: pointer; display: grid; place-items: center;
}
button:hover { border-color: currentColor; }
button:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
@media (pointer: coarse) { button { width: 3rem; height: 3rem; } }
"""

BUTTON = """
<button type="button" id="theme">
<svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true"><path fill="currentColor"
d="M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Zm0 2v14a7 7 0 0 1 0-14Z"/></svg></button>
"""

_frame = st.components.v2.component("desk_frame", html=BUTTON, css=STYLE, js=SCRIPT)

TAGS = {Language.ZH_CN: "zh-CN", Language.EN: "en"}


def show(*, code: str | None = None, leave: bool = False) -> None:
    """Draw the theme button and hand over: the language, a one-time code to turn into a cookie, or the sign-out."""
    _frame(
        key="shell.frame",
        data={
            "language": str(language()),
            "tag": TAGS[language()],
            "theme": label("shell.theme"),
            "more": label("shell.more"),
            "warning": label("shell.session_ends"),
            "stay": label("shell.stay"),
            "code": code or "",
            "leave": leave,
        },
        height="content",
        width="content",
    )
