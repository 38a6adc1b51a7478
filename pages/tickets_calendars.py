"""The working calendar: a year at a glance, edits as a draft, what they move, and saving; auditors look."""

from datetime import date

import streamlit as st

from db.codes import Role
from lib.shared import clock
from lib.tickets.calendar_year import year_of
from lib.tickets.calendars import find_calendar, list_calendars, list_provisional_dues
from lib.ui import calendar_form, doors
from lib.ui.components import year as year_grid
from lib.ui.live import refresh_on_change

actor = doors.enter("tickets_calendars")
may_edit = actor.has(Role.SUPERVISOR, Role.ADMINISTRATOR)
refresh_on_change("tickets.calendars", {0})
today = clock.now().astimezone(clock.SHANGHAI).date()
calendars = doors.read(list_calendars)
calendar_id = calendar_form.chosen_calendar(calendars)
book = doors.read(find_calendar, calendar_id=calendar_id)
year = calendar_form.head(calendars, book, today)
calendar_form.warn_of_missing_years(
    book, doors.read(list_provisional_dues, calendar_id=calendar_id), today
)
draft = calendar_form.draft_of(book)
if may_edit:
    calendar_form.show_draft(book)
st.html(calendar_form.STYLE)
with st.container(key="tickets_calendars"):
    left, right = st.columns([7, 3], gap="medium")


def choose(on: date) -> None:
    calendar_form.choose_day(on)


with left:
    year_grid.show(
        "tickets.calendars.year",
        year_of(book, draft, year),
        chosen=calendar_form.chosen_day(),
        today=today,
        on_choose=choose if may_edit else None,
        form=".st-key-tickets-calendars-tabs",
    )
with right:
    if may_edit:
        calendar_form.show_editing(book, draft)
    else:
        calendar_form.show_lists(book)
