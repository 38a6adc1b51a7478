"""Who looks after a customer, and what must not be forgotten when they call; customers without an owner (S-01)."""

import streamlit as st

from lib.customers.queries import count_unowned, find_card, list_unowned
from lib.ui import customer_card, doors
from lib.ui.labels import label

actor = doors.enter("customers_card")
asked = customer_card.asked_customer()
unowned = doors.read(count_unowned)

st.title(label("page.customers_card"), anchor=False)
with st.container(key="customers_card"):
    left, right = st.columns([11, 9], gap="medium")
with left:
    customer_card.show_search()
    customer_card.show_unowned(doors.read(list_unowned), unowned)
with right:
    if asked is None:
        st.info(label("card.choose"), icon=":material/touch_app:")
    else:
        card = doors.read(find_card, customer_id=asked)
        customer_card.show_form(card)
        customer_card.show_contacts(card)
