"""Everybody's own notices: what is due, overdue or asked of them, one click from the case."""

import streamlit as st

from lib.messages.actions import mark_all_read, mark_read
from lib.messages.queries import NoticeKey, list_own_notices
from lib.ui import doors, menu, notice_list
from lib.ui.labels import label
from lib.ui.live import refresh_on_change

actor = doors.enter("messages_notices")
refresh_on_change("messages.notices", [-(actor.person_id or 0)])


def asked_page() -> NoticeKey | None:
    state, _, receipt = st.query_params.get("after", "").partition("-")
    if state not in ("read", "unread") or not receipt.isascii() or not receipt.isdigit():
        return None
    return NoticeKey(state == "read", int(receipt)) if len(receipt) < 10 else None


def turn_to(after: NoticeKey | None) -> None:
    st.query_params.pop("after", None)
    if after is not None:
        st.query_params["after"] = f"{'read' if after.is_read else 'unread'}-{after.receipt_id}"


def read(receipt_id: int) -> None:
    doors.submit(mark_read, receipt_id=receipt_id)


after = asked_page()
page = doors.read(list_own_notices, after=after)

with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.title(label("page.messages_notices"), anchor=False)
    if page.unread:
        st.button(
            label("notices.all_read", count=page.unread),
            key="messages.notices.all_read",
            icon=":material/done_all:",
            on_click=doors.submit,
            args=(mark_all_read,),
            kwargs={"until_id": page.newest_id},
        )
if page.lines:
    opens_cases = menu.entry("tickets_detail").is_for(actor.roles)
    opened = notice_list.show(page.lines, read=read, opens_cases=opens_cases)
    if opened is not None:
        menu.go("tickets_detail", ticket=opened)
else:
    st.info(label("notices.none"), icon=":material/notifications_none:")
with st.container(horizontal=True):
    if after is not None:
        st.button(
            label("notices.first_page"),
            key="messages.notices.first",
            on_click=turn_to,
            args=(None,),
        )
    if page.after is not None:
        st.button(
            label("notices.next_page"),
            key="messages.notices.next",
            on_click=turn_to,
            args=(page.after,),
        )
