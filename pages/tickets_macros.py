"""Ready texts of the desk: the supervisor writes them, changes their wording, offers them or no longer."""

import streamlit as st

from db.codes import FaultCode, Priority, WaitingFor
from lib.tickets.macros import MOST_HOURS, NAME_LENGTH, PLACEHOLDERS, WORDS_LENGTH, list_macros
from lib.ui import doors, macro_form
from lib.ui.labels import code_label, label

actor = doors.enter("tickets_macros")
st.title(label("page.tickets_macros"))
rows = doors.read(list_macros)
left, right = st.columns([5, 6], gap="medium")
with left, st.container(gap="small"):
    macro_form.show_list(rows)
row = macro_form.chosen(rows)
form = macro_form.form_of(row)
with right, st.container(border=True, gap="small"):
    st.markdown(f"**{label('macros.new') if row is None else label('macros.edit')}**")
    st.text_input(label("macros.name"), max_chars=NAME_LENGTH, key=macro_form.key(form, "name"))
    st.text_area(
        label("macros.words"),
        height=140,
        max_chars=WORDS_LENGTH,
        key=macro_form.key(form, "words"),
        help=label("macros.help"),
    )
    st.caption(label("macros.places", places=" ".join(f"\\{{{each}\\}}" for each in PLACEHOLDERS)))
    one, two = st.columns(2, gap="small")
    for place, field, options in (
        (one, "priority", list(Priority)),
        (two, "fault", list(FaultCode)),
        (one, "waiting_for", list(WaitingFor)),
    ):
        place.selectbox(
            label(f"macros.{field}"),
            options,
            index=None,
            format_func=code_label,
            placeholder=label("macros.unchanged"),
            key=macro_form.key(form, field),
        )
    two.number_input(
        label("macros.waiting_hours"),
        min_value=1,
        max_value=MOST_HOURS,
        value=None,
        key=macro_form.key(form, "waiting_hours"),
    )
    macro_form.show_save(form, row)
