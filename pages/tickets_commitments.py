"""The commitment ledger: every promise to a customer and what became of it, with each person's score."""

import streamlit as st

from lib.shared import clock
from lib.tickets.ledger import LedgerFilter, list_promises, list_scores
from lib.ui import doors, ledger_view
from lib.ui.labels import label

actor = doors.enter("tickets_commitments")
now = clock.now()
where = ledger_view.asked()
place = ledger_view.asked_place()
everybody = doors.read(list_scores, where=LedgerFilter(days=where.days))
people = {each.person_id: each.person for each in everybody if each.person_id is not None}

st.title(label("page.tickets_commitments"), anchor=False)
ledger_view.filters(where, people)
ledger_view.scores(doors.read(list_scores, where=where))
page = doors.read(list_promises, where=where, after=place)
ledger_view.promises(page, actor, now)
ledger_view.pager(page, place)
