"""The hotline's page: a call is taken, refused with what was typed kept, and nothing of it left for the next."""

import json
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from streamlit.testing.v1 import AppTest

from db import session as database
from db.codes import Channel, FaultCode, Priority
from db.models.customers import Customer
from db.models.tickets import Commitment, PhoneCall, Ticket, TicketEvent
from lib.people.actions import open_session_for
from lib.people.sessions import find_session, hash_token
from lib.shared import clock
from lib.shared.work import Actor, look, perform, system
from lib.tickets.calls import CallOutcome, log_call
from lib.tickets.intake import Caller, Place, take_call
from lib.ui.call_form import Received
from tests.cast import Cast

ROOT = Path(__file__).resolve().parents[2]


def open_page(actor: Actor, page: str = "tickets_entry", **query: object) -> AppTest:
    now = clock.now()
    token = perform(open_session_for, actor=system("test"), now=now, person_id=actor.person_id)
    facts = look(find_session, actor=system("test"), now=now, token_hash=hash_token(token))
    assert facts is not None
    at = AppTest.from_file(ROOT / "lib" / "ui" / "shell.py", default_timeout=120)
    at.user["session_row"] = str(facts.row_id)
    at.run()
    for name, value in query.items():
        at.query_params[name] = str(value)
    return at.switch_page(str(ROOT / "pages" / f"{page}.py")).run()


def form_of(at: AppTest) -> str:
    forms: dict[str, str] = at.session_state["doors.forms"]
    return forms["tickets.entry"]


def key(at: AppTest, field: str, *more: object) -> str:
    return ".".join(["tickets.entry", field, form_of(at), *map(str, more)])


def choose(at: AppTest, customer_id: int | None, contact_id: int | None = None) -> None:
    """What the caller's field does when a hit or a new company is chosen."""
    at.session_state["tickets.entry.caller"] = {"form": form_of(at), "customer_id": customer_id}
    if customer_id is not None and contact_id is not None:
        at.session_state[key(at, "contact", customer_id)] = contact_id
    at.run()


def save(at: AppTest) -> None:
    at.button(key=key(at, "save")).click().run()


def callers_field(at: AppTest) -> dict[str, Any]:
    for element in at.get("bidi_component"):
        data: dict[str, Any] = json.loads(element.proto.json) if element.proto.json else {}
        if "hits" in data:
            return data
    raise AssertionError("no caller's field was drawn")


def count(model: Any) -> int:
    with database.ReadSession() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


@pytest.fixture
def known(cast: Cast) -> Ticket:
    ticket_id = perform(
        take_call,
        actor=cast.hotline,
        now=clock.now(),
        caller=Caller(company="东方宾馆", contact="李娜", phone="13812345678"),
        place=Place(site="主楼"),
        channel=Channel.PHONE,
        received_at=None,
        fault=FaultCode.NOISE,
        words="",
        priority=Priority.P3,
    )
    with database.ReadSession() as session:
        ticket = session.get(Ticket, ticket_id)
        assert ticket is not None
        return ticket


def newest() -> Ticket:
    with database.ReadSession() as session:
        ticket = session.scalars(select(Ticket).order_by(Ticket.id.desc())).first()
        assert ticket is not None
        return ticket


def test_a_known_caller_is_saved_with_two_choices_and_the_number_read_out(
    known: Ticket, cast: Cast
) -> None:
    at = open_page(cast.hotline)
    choose(at, known.customer_id, known.contact_id)
    assert callers_field(at)["chosen"] == "东方宾馆 · 李娜"
    assert any(known.number in link.proto.label for link in at.get("page_link"))
    at.button_group(key=key(at, "fault")).set_value(FaultCode.MOTOR_DEAD).run()
    before = form_of(at)
    save(at)
    assert not at.error
    ticket = newest()
    assert (ticket.fault, ticket.channel, ticket.priority) == (
        FaultCode.MOTOR_DEAD,
        Channel.PHONE,
        Priority.P3,
    )
    assert (ticket.customer_id, ticket.contact_id) == (known.customer_id, known.contact_id)
    assert any(ticket.number in block.value for block in at.markdown)
    assert form_of(at) != before
    assert callers_field(at)["chosen"] == ""
    assert at.button_group(key=key(at, "fault")).value is None


def place_of(at: AppTest, wanted: str) -> list[int]:
    """Where the widget of this key stands in the page: what is drawn elsewhere is made anew by the browser."""
    paths = [([place], node) for place, node in at._tree.children.items()]
    while paths:
        path, node = paths.pop()
        if getattr(node, "key", None) == wanted:
            return path
        paths += [([*path, place], child) for place, child in getattr(node, "children", {}).items()]
    raise AssertionError(f"no widget {wanted}")


def test_the_row_of_faults_keeps_its_place_and_so_the_focus_when_the_caller_is_known(
    known: Ticket, cast: Cast
) -> None:
    at = open_page(cast.hotline)
    before = place_of(at, key(at, "fault"))
    choose(at, known.customer_id, known.contact_id)
    assert place_of(at, key(at, "fault")) == before
    at.text_area(key=key(at, "words")).set_value("响").run()
    save(at)
    assert place_of(at, key(at, "fault")) == before
    choose(at, None)
    assert place_of(at, key(at, "fault")) == before


def test_a_refused_call_keeps_what_was_typed(cast: Cast) -> None:
    at = open_page(cast.hotline)
    choose(at, None)
    at.text_input(key=key(at, "company")).set_value("新世界百货")
    at.text_input(key=key(at, "contact_name")).set_value("王敏")
    at.text_input(key=key(at, "phone")).set_value("没有")
    at.text_area(key=key(at, "words")).set_value("轨道弯了")
    at.button_group(key=key(at, "fault")).set_value(FaultCode.TRACK_DEFORMED).run()
    save(at)
    assert "电话" in at.error[0].value
    assert at.text_area(key=key(at, "words")).value == "轨道弯了"
    assert at.text_input(key=key(at, "company")).value == "新世界百货"
    assert (count(Customer), count(Ticket)) == (0, 0)
    at.text_input(key=key(at, "phone")).set_value("021-6888 8888 转 801").run()
    save(at)
    assert not at.error
    assert newest().words == "轨道弯了"


def test_without_a_caller_or_a_fault_nothing_is_saved(cast: Cast) -> None:
    at = open_page(cast.hotline)
    save(at)
    assert at.error
    choose(at, None)
    save(at)
    assert at.error
    assert count(Ticket) == 0


def test_a_call_may_be_dated_back_but_not_into_the_future(known: Ticket, cast: Cast) -> None:
    at = open_page(cast.hotline)
    choose(at, known.customer_id, known.contact_id)
    at.button_group(key=key(at, "fault")).set_value(FaultCode.NOISE)
    at.button_group(key=key(at, "received")).set_value(Received.EARLIER).run()
    at.date_input(key=key(at, "received_day")).set_value(
        clock.now().date() + timedelta(days=3)
    ).run()
    save(at)
    assert "报障时间" in at.error[0].value
    at.date_input(key=key(at, "received_day")).set_value(date(2026, 1, 5)).run()
    save(at)
    assert not at.error
    ticket = newest()
    assert ticket.received_at.date() in (date(2026, 1, 4), date(2026, 1, 5))
    assert ticket.entered_at > ticket.received_at


def test_a_call_about_an_open_case_can_be_noted_on_it(known: Ticket, cast: Cast) -> None:
    at = open_page(cast.hotline)
    choose(at, known.customer_id, known.contact_id)
    at.button(key=key(at, "attach", known.id)).click().run()
    assert not at.error
    assert count(Ticket) == 1
    assert any(known.number in block.value for block in at.markdown)


def steps(at: AppTest) -> list[str]:
    """The state of each of the eight steps of the script."""
    (card,) = [block.proto.body for block in at.get("html") if "desk-steps" in block.proto.body]
    return re.findall(r'<li class="(\w+)"', card)


def test_the_script_follows_the_data_and_marks_what_was_left_out(known: Ticket, cast: Cast) -> None:
    at = open_page(cast.hotline)
    assert steps(at) == ["now"] + ["open"] * 7
    choose(at, None)
    assert steps(at) == ["done", "done", "now"] + ["open"] * 5
    at.button_group(key=key(at, "fault")).set_value(FaultCode.NOISE).run()
    assert steps(at) == ["done", "done", "missing", "done", "now", "open", "open", "open"]
    choose(at, known.customer_id, known.contact_id)
    assert steps(at) == ["done"] * 4 + ["now"] + ["open"] * 3


def test_s18_to_s23_the_call_is_kept_with_its_steps_and_the_promise_as_it_was_told(
    known: Ticket, cast: Cast
) -> None:
    at = open_page(cast.hotline)
    choose(at, known.customer_id, known.contact_id)
    at.session_state["tickets.entry.call"].started_at = clock.now() - timedelta(seconds=90)
    at.button_group(key=key(at, "fault")).set_value(FaultCode.MOTOR_DEAD).run()
    told = at.session_state["tickets.entry.call"]
    save(at)
    assert not at.error
    with database.ReadSession() as session:
        call = session.scalars(select(PhoneCall).order_by(PhoneCall.id.desc())).first()
        promise = session.scalars(select(Commitment).order_by(Commitment.id.desc())).first()
    ticket = newest()
    assert call is not None
    assert promise is not None
    assert set(call.steps) == {"company", "record", "contact", "fault", "promise", "save"}
    assert ticket.received_at == call.offered_at == promise.promised_at == told.started_at
    assert (promise.ticket_id, promise.due_at) == (ticket.id, told.promised_at)
    assert promise.due_at.second == 0
    assert promise.words == told.promise
    assert any(promise.words in block.value.replace("\\", "") for block in at.markdown)


def test_the_offer_assigns_for_a_supervisor_and_notes_the_wish_of_the_hotline(
    known: Ticket, cast: Cast
) -> None:
    for actor, technician in ((cast.hotline, None), (cast.supervisor, cast.technician.person_id)):
        at = open_page(actor)
        choose(at, known.customer_id, known.contact_id)
        at.button_group(key=key(at, "fault")).set_value(FaultCode.MOTOR_DEAD).run()
        save(at)
        ticket = newest()
        name = f"tickets.entry.offer.{ticket.id}.{cast.technician.person_id}"
        at.button(key=name).click().run()
        assert not at.error
        assert newest().technician_id == technician
        with database.ReadSession() as session:
            told = select(TicketEvent).where(TicketEvent.ticket_id == ticket.id)
            events = session.scalars(told.order_by(TicketEvent.id)).all()
        assert events[-1].details["technician_id"] == cast.technician.person_id


def test_a_call_back_opens_the_form_with_the_caller_of_the_missed_call(
    known: Ticket, cast: Cast
) -> None:
    missed = perform(
        log_call,
        actor=cast.hotline,
        now=clock.now(),
        outcome=CallOutcome.MISSED,
        offered_at=clock.now(),
        waited_seconds=None,
        customer_id=known.customer_id,
        contact_id=known.contact_id,
    )
    at = open_page(cast.hotline, call=missed)
    assert callers_field(at)["chosen"] == "东方宾馆 · 李娜"
    assert at.session_state["tickets.entry.call"].callback_of == missed
    at.button_group(key=key(at, "fault")).set_value(FaultCode.NOISE).run()
    save(at)
    with database.ReadSession() as session:
        call = session.get(PhoneCall, missed)
    assert call is not None
    assert call.called_back_by_id == cast.hotline.person_id


def test_names_with_markup_are_shown_as_typed(cast: Cast) -> None:
    at = open_page(cast.hotline)
    choose(at, None)
    name = "*Bold* <b>![x](http://example.org/x.png)</b>"
    at.text_input(key=key(at, "company")).set_value(name)
    at.text_input(key=key(at, "contact_name")).set_value("李娜")
    at.text_input(key=key(at, "phone")).set_value("13812345678")
    at.button_group(key=key(at, "fault")).set_value(FaultCode.NOISE).run()
    save(at)
    assert not at.error
    assert not any("![x](" in block.value for block in at.markdown)


@pytest.mark.parametrize("part", ["dispatcher", "technician", "auditor", "outsider"])
def test_others_do_not_take_calls(cast: Cast, part: str) -> None:
    at = AppTest.from_file(ROOT / "lib" / "ui" / "shell.py", default_timeout=120)
    now: datetime = clock.now()
    person: Actor = getattr(cast, part)
    token = perform(open_session_for, actor=system("test"), now=now, person_id=person.person_id)
    facts = look(find_session, actor=system("test"), now=now, token_hash=hash_token(token))
    assert facts is not None
    at.user["session_row"] = str(facts.row_id)
    at.run()
    with pytest.raises(ValueError, match="tickets_entry"):
        at.switch_page(str(ROOT / "pages" / "tickets_entry.py"))
