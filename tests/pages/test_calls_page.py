"""The pages of calls and of customers: written down, called back, owners named; refused with what was typed kept."""

from datetime import timedelta

from sqlalchemy import select

from db import session as database
from db.models.customers import Contact, Customer
from db.models.tickets import PhoneCall
from lib.shared import clock
from lib.shared.work import perform
from lib.tickets.calls import CallOutcome, log_call
from lib.tickets.intake import take_call
from tests.pages.opening import open_page
from tests.tickets.test_calls import told_of


def key(at, screen, field):
    forms = at.session_state["doors.forms"]
    return f"{screen}.{field}.{forms[screen]}"


def call_key(at, field):
    return key(at, "tickets.calls", field)


def test_a_missed_call_is_written_down_and_called_back_with_one_click(cast):
    at = open_page(cast.hotline, "tickets_calls")
    at.button(key=call_key(at, "save")).click().run()
    assert "电话" in at.error[0].value
    at.text_input(key=call_key(at, "words")).set_value("声音很小")
    at.text_input(key=call_key(at, "phone")).set_value("138 1234 5678")
    at.button(key=call_key(at, "save")).click().run()
    assert not at.error
    assert at.text_input(key=call_key(at, "phone")).value == ""
    with database.ReadSession() as session:
        call = session.scalars(select(PhoneCall)).one()
    assert call.callback_due_at is not None
    assert any("138 1234 5678" in block.value.replace("\\", "") for block in at.markdown)
    at.button(key=f"tickets.calls.back.{call.id}.1").click().run()
    assert not at.error
    with database.ReadSession() as session:
        assert session.get(PhoneCall, call.id).called_back_by_id == cast.hotline.person_id


def test_the_answer_rate_stands_with_its_denominator(cast):
    now = clock.now()
    for waited in (5, 10, 20, None):
        perform(
            log_call,
            actor=cast.hotline,
            now=now,
            outcome=CallOutcome.ANSWERED,
            offered_at=now - timedelta(seconds=30),
            waited_seconds=waited,
        )
    at = open_page(cast.supervisor, "tickets_calls")
    assert any("66.7%" in block.value for block in at.markdown)
    assert any("2 通，共 3 通" in block.value for block in at.markdown)


def test_s01_a_customer_without_an_owner_is_alarmed_until_both_are_named(cast):
    now = clock.now()
    perform(take_call, actor=cast.hotline, now=now, **told_of(now))
    with database.ReadSession() as session:
        customer = session.scalars(select(Customer)).one()
        contact = session.scalars(select(Contact)).one()
    at = open_page(cast.hotline, "customers_card")
    assert "1 家" in at.warning[0].value
    at.button(key=f"customers.card.open.{customer.id}").click().run()

    def named(field):
        form = at.session_state["doors.forms"][f"customers.card.{customer.id}"]
        return f"customers.card.{field}.{form}"

    at.selectbox(key=named("service")).set_value(cast.supervisor.person_id)
    at.selectbox(key=named("sales")).set_value(cast.sales.person_id)
    at.text_area(key=named("remember")).set_value("下午两点以后\n先打电话")
    at.button(key=named("save")).click().run()
    assert not at.error
    assert not at.warning
    with database.ReadSession() as session:
        stored = session.get(Customer, customer.id)
    assert (stored.service_owner_id, stored.sales_owner_id) == (
        cast.supervisor.person_id,
        cast.sales.person_id,
    )
    assert stored.remember == "下午两点以后\n先打电话"
    at.button(key=f"customers.card.verify.{contact.id}.1").click().run()
    with database.ReadSession() as session:
        assert session.get(Contact, contact.id).verified


def test_a_card_that_somebody_else_changed_is_not_overwritten(cast):
    now = clock.now()
    perform(take_call, actor=cast.hotline, now=now, **told_of(now))
    at = open_page(cast.hotline, "customers_card", customer="1")
    with database.writing() as session:
        session.get(Customer, 1).remember = "别人写的"
    form = at.session_state["doors.forms"]["customers.card.1"]
    at.text_area(key=f"customers.card.remember.{form}").set_value("我写的")
    at.button(key=f"customers.card.save.{form}").click().run()
    assert at.error
    assert at.text_area(key=f"customers.card.remember.{form}").value == "我写的"
    with database.ReadSession() as session:
        assert session.get(Customer, 1).remember == "别人写的"
