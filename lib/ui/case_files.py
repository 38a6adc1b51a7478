"""The files of a case: photos as small pictures, papers to save; attaching one, and removing one with a record."""

from html import escape

import streamlit as st

from lib.shared.images import MOST_BYTES
from lib.shared.work import Actor, permit_of
from lib.tickets.files import MOST_FILES, FileRow, add_file, remove_file
from lib.tickets.queries import TicketDetail
from lib.ui import doors
from lib.ui.components.picture import picture
from lib.ui.labels import label, when

TYPES = ["jpg", "jpeg", "png", "webp", "pdf"]
SHOWN_AT_ONCE = 8
MEGABYTE = 1024 * 1024
CHROME = """<style>
.st-key-tickets_case_attach [data-testid="stFileUploaderDropzoneInstructions"] { display: none; }
.st-key-tickets_case_attach [data-testid="stFileUploaderDropzone"] button p { font-size: 0; }
.st-key-tickets_case_attach [data-testid="stFileUploaderDropzone"] button p::after { font-size: 14px; content: "%s"; }
</style>"""
"""Streamlit words its field for files in English only; the label above it tells what the field takes."""


def show(ticket: TicketDetail, kept: list[FileRow], actor: Actor) -> None:
    """The files, the newest first, and the field to attach another."""
    if not actor.roles.isdisjoint(permit_of(add_file).roles):
        _attach(ticket)
    there = [row for row in kept if row.removed_at is None]
    gone = [row for row in kept if row.removed_at is not None]
    if not kept:
        st.caption(label("case.files.none"))
    for row in there[:SHOWN_AT_ONCE]:
        _file(row)
    rest = [_line(row) for row in there[SHOWN_AT_ONCE:]]
    rest += [
        f"{_line(row)} · {escape(label('case.files.removed', at=when(row.removed_at)))}"
        for row in gone
    ]
    if rest:
        st.html(f'<p class="desk-files">{"<br>".join(rest)}</p>')


def _attach(ticket: TicketDetail) -> None:
    form = doors.form_key(f"tickets.case.files.{ticket.id}")
    st.html(CHROME % label("case.files.pick"))
    with st.container(horizontal=True, vertical_alignment="center", key="tickets_case_attach"):
        st.file_uploader(
            label("case.files.choose", most=MOST_BYTES // MEGABYTE, files=MOST_FILES),
            type=TYPES,
            max_upload_size=MOST_BYTES // MEGABYTE,
            key=f"tickets.case.file.{form}",
        )
        st.button(
            label("case.files.attach"),
            type="primary",
            key=f"tickets.case.attach.{form}",
            on_click=_save,
            args=(ticket.id, form),
        )


def _save(ticket_id: int, form: str) -> None:
    chosen = st.session_state.get(f"tickets.case.file.{form}")
    if chosen is None:
        doors.refuse("file_missing")
        return
    file_id = doors.submit(
        add_file, key=form, ticket_id=ticket_id, name=chosen.name, sent=chosen.getvalue()
    )
    if file_id is not None:
        doors.say("case.files.attached")


def _file(row: FileRow) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if row.is_picture and row.may_open:
            with st.container(width="content"):
                picture("ticket", row.id, words=row.name, width=96)
        st.html(f'<p class="desk-files">{_line(row)}</p>', width="stretch")
        if row.may_remove:
            key = doors.form_key(f"tickets.case.remove.{row.id}")
            st.button(
                label("case.files.remove"),
                type="tertiary",
                icon=":material/delete:",
                key=f"tickets.case.remove.{key}",
                on_click=_remove,
                args=(row.id, key),
            )


def _remove(file_id: int, key: str) -> None:
    doors.submit(remove_file, key=key, file_id=file_id)
    if not doors.refused():
        doors.say("case.files.removed_now")


def _line(row: FileRow) -> str:
    name = escape(row.name)
    if row.may_open:
        name = f'<a href="/desk/files/ticket/{row.id}" target="_blank" rel="noopener">{name}</a>'
    return f"{name} · {escape(row.by)} · {when(row.at)}"
