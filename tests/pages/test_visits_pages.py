"""The schedule, the technician's day and the stock as the pages draw them and carry taps on."""

import base64
import json
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from db import session as store
from db.codes import Language, MovementKind, TicketStatus, VisitOutcome, VisitStatus
from db.models.stock import Part, StockMovement
from db.models.visits import Visit, VisitFile
from lib.people.actions import open_session_for, sign_out
from lib.people.sessions import find_session, hash_token
from lib.shared import clock, words
from lib.shared.clock import SHANGHAI
from lib.shared.work import Actor, look, perform, system
from lib.ui import field_work
from lib.ui.components.field import tap_of
from lib.visits import actions
from tests.cast import Cast
from tests.pages.opening import fire
from tests.visits.house_calls import ADDRESS, PHONE, Desk, a_photo, a_signature

ROOT = Path(__file__).resolve().parents[2]
TEST = system("test")


@pytest.fixture
def desk(cast: Cast, now: datetime) -> Iterator[Desk]:
    """The desk on a working morning, for the pages too."""
    with time_machine.travel(now):
        yield Desk(cast, now)


def text(key: str, **params: object) -> str:
    return words.text(Language.ZH_CN, key, **params)


def page(desk: Desk, actor: Actor, name: str, **query: str) -> AppTest:
    token = perform(open_session_for, actor=TEST, now=desk.now, person_id=actor.person_id)
    facts = look(find_session, actor=TEST, now=desk.now, token_hash=hash_token(token))
    assert facts is not None
    at = AppTest.from_file(ROOT / "lib" / "ui" / "shell.py", default_timeout=120)
    at.user["session_row"] = str(facts.row_id)
    at.run()
    for parameter, value in query.items():
        at.query_params[parameter] = value
    at.switch_page(str(ROOT / "pages" / f"{name}.py")).run()
    assert not at.exception
    return at


def widget(kind: Any, start: str) -> Any:
    """The one widget of a kind whose key begins so."""
    [found] = [each for each in kind if each.key and each.key.startswith(start)]
    return found


def drawn(at: AppTest, field: str) -> list[dict[str, Any]]:
    """What was given to the components that take `field`."""
    given = [json.loads(each.proto.json or "{}") for each in at.get("bidi_component")]
    return [data for data in given if field in data]


def milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def tap(at: AppTest, what: str, /, **told: Any) -> None:
    """A tap as the tablet's script sends it: now by its clock, unless told otherwise."""
    [taps] = [each for each in at.get("bidi_component") if "clock" in json.loads(each.proto.json)]
    data = json.loads(taps.proto.json)
    sent = {
        "key": uuid4().hex,
        "what": what,
        "version": data["version"],
        "at": milliseconds(clock.now()),
        "skew": 0,
        "form": data["form"],
    }
    fire(at, "clock", "tapped", sent | told)


def visits() -> list[Visit]:
    with store.ReadSession() as session:
        return list(session.scalars(select(Visit).order_by(Visit.id)))


def test_a_dispatcher_sees_who_is_free_and_plans_a_visit(desk: Desk):
    ticket_id = desk.a_case()
    at = page(desk, desk.cast.dispatcher, "visits_schedule", ticket=str(ticket_id))
    [board] = drawn(at, "cards")
    assert [row["name"] for row in board["rows"]] == ["刘洋", "陈刚"]
    assert [card["ticket"] for card in board["cards"]] == [ticket_id]
    widget(at.selectbox, "visits.plan.technician").set_value(desk.cast.technician.person_id)
    widget(at.selectbox, "visits.plan.start").set_value(14 * 60)
    at.run()
    widget(at.button, "visits.plan.go").click().run()
    assert not at.error
    [visit] = visits()
    assert visit.technician_id == desk.cast.technician.person_id
    assert visit.starts_at.isoformat() == "2026-11-24T06:00:00+00:00"
    assert "ticket" not in at.query_params
    [board] = drawn(at, "cards")
    assert board["cards"] == []
    assert [bar["state"] for row in board["rows"] for bar in row["bars"]] == ["planned"]


def test_an_overlap_is_told_before_and_refused_after_the_tap_and_the_choice_stays(desk: Desk):
    first = desk.a_case()
    desk.plan(first, hours=1, minutes=120)
    at = page(desk, desk.cast.dispatcher, "visits_schedule", ticket=str(desk.a_case()))
    widget(at.selectbox, "visits.plan.technician").set_value(desk.cast.technician.person_id)
    widget(at.selectbox, "visits.plan.start").set_value(12 * 60)
    at.run()
    number = desk.ticket(first).number
    assert number.replace("-", "\\-") in at.warning[0].value
    assert "陈刚" in at.warning[0].value
    widget(at.button, "visits.plan.go").click().run()
    [refused] = at.error
    assert number in refused.value
    assert "11:00–13:00" in refused.value
    assert widget(at.selectbox, "visits.plan.start").value == 12 * 60
    assert len(visits()) == 1


def test_a_visit_is_moved_and_cancelled_from_the_schedule(desk: Desk):
    ticket_id = desk.a_case()
    desk.plan(ticket_id, hours=1, minutes=60)
    at = page(desk, desk.cast.dispatcher, "visits_schedule", ticket=str(ticket_id))
    widget(at.selectbox, "visits.plan.start").set_value(15 * 60)
    at.run()
    widget(at.button, "visits.plan.go").click().run()
    assert visits()[0].starts_at.hour == 7
    at = page(desk, desk.cast.dispatcher, "visits_schedule", ticket=str(ticket_id))
    widget(at.text_input, "visits.cancel.reason").set_value("客户改期")
    widget(at.button, "visits.cancel.go").click().run()
    assert visits()[0].status is VisitStatus.CANCELLED
    assert desk.ticket(ticket_id).status is TicketStatus.ASSIGNED


def test_a_day_and_a_case_that_are_none_do_no_harm(desk: Desk):
    at = page(desk, desk.cast.dispatcher, "visits_schedule", on="2026-99-99", ticket="999999")
    assert [each.value for each in at.error] == [text("refusal.not_found")]
    assert len(drawn(at, "cards")) == 1


def test_an_auditor_looks_at_the_schedule_and_plans_nothing(desk: Desk):
    ticket_id = desk.a_case()
    at = page(desk, desk.cast.auditor, "visits_schedule", ticket=str(ticket_id))
    [board] = drawn(at, "cards")
    assert board["may_plan"] is False
    assert not at.selectbox


def test_a_technician_goes_arrives_and_ends_the_visit(desk: Desk):
    visit_id = desk.plan(desk.a_case())
    at = page(desk, desk.cast.technician, "visits_today")
    [card] = drawn(at, "coverage")
    assert (card["phone"], card["tel"], card["state"]) == (PHONE, PHONE, "planned")
    assert ADDRESS in card["address"]
    [taps] = drawn(at, "clock")
    assert (taps["state"], taps["version"]) == ("planned", 1)
    desk.step(actions.set_out, visit_id)
    at.run()
    [taps] = drawn(at, "clock")
    assert (taps["state"], taps["version"]) == ("on_the_way", desk.visit(visit_id).version)
    widget(at.button, "visits.today.undo").click().run()
    assert desk.visit(visit_id).status is VisitStatus.PLANNED
    desk.step(actions.arrive, visit_id)
    at.run()
    [taps] = drawn(at, "clock")
    assert (taps["state"], taps["form"]) == ("arrived", {})
    tap(at, "finish")
    assert text("visits.missing.report") in at.warning[0].value
    assert text("visits.missing.outcome") in at.warning[0].value
    widget(at.text_area, "visits.today.report").set_value("更换电机").run()
    assert desk.visit(visit_id).report == "更换电机"
    widget(at.button_group, "visits.today.outcome").set_value(VisitOutcome.FIXED).run()
    assert text("visits.missing.signature") in at.warning[0].value
    desk.do(actions.sign_visit, by=desk.cast.technician, visit_id=visit_id, sent=a_signature())
    widget(at.text_input, "visits.today.signed_by").set_value("张燕").run()
    assert not at.warning
    tap(at, "finish")
    assert not at.error
    visit = desk.visit(visit_id)
    assert (visit.status, visit.outcome) == (VisitStatus.DONE, VisitOutcome.FIXED)
    assert desk.ticket(visit.ticket_id).status is TicketStatus.COMPLETED


TAP = {"key": "0123456789", "what": "arrive", "version": 3, "at": 1_795_000_000_500, "skew": -2500}


@pytest.mark.parametrize(
    ("field", "event", "where"), [("room", "taken", "camera"), ("stored", "signed", "pad")]
)
def test_a_picture_that_meets_an_ended_session_is_asked_for_again(
    desk: Desk, field: str, event: str, where: str
):
    visit_id = desk.on_site()
    with time_machine.travel(desk.now):
        at = page(desk, desk.cast.technician, "visits_today")
        picture = a_photo((80, 60)) if where == "camera" else a_signature()
        sent = {"key": "a-picture-1", "image": address_of(picture)}
        session_id = int(str(at.user["session_row"]))
        perform(sign_out, actor=desk.cast.technician, now=desk.now, session_id=session_id)
        fire(at, field, event, sent)
        assert f"visits.today.{where}.{visit_id}.answered" not in at.session_state
        again = fire(page(desk, desk.cast.technician, "visits_today"), field, event, sent)
        assert not again.error
    with store.ReadSession() as session:
        assert len(session.scalars(select(VisitFile.id)).all()) == 1


def address_of(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def test_a_tap_is_read_as_the_tablet_tells_it():
    tap = tap_of(TAP)
    assert tap is not None
    assert (tap.what, tap.version, tap.skew) == ("arrive", 3, timedelta(seconds=-2.5))
    assert tap.device_at == datetime.fromtimestamp(1_795_000_000.5, SHANGHAI)


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": "x"},
        {"key": None},
        {"what": "cancel"},
        {"what": ["arrive"]},
        {"version": "3"},
        {"at": 0},
        {"at": 10**30},
        {"at": 1.5},
        {"skew": None},
        {"skew": True},
        {"skew": -(10**30)},
        {"form": "fixed"},
        {"form": {"outcome": 1}},
        {"form": {"outcome": "x" * 41}},
    ],
)
def test_a_tap_that_makes_no_sense_is_none(wrong: dict[str, Any]):
    assert tap_of(TAP | wrong) is None
    assert tap_of("arrive") is None


def ready_to_end(desk: Desk, visit_id: int) -> AppTest:
    """The page of a visit with everything that a mended fault needs."""
    desk.do(actions.sign_visit, by=desk.cast.technician, visit_id=visit_id, sent=a_signature())
    at = page(desk, desk.cast.technician, "visits_today")
    widget(at.text_area, "visits.today.report").set_value("更换电机").run()
    widget(at.button_group, "visits.today.outcome").set_value(VisitOutcome.FIXED).run()
    return at


def test_rule_22_the_tap_that_ends_a_visit_counts_when_it_was_made(desk: Desk):
    visit_id = desk.on_site()
    tapped_at = desk.now + timedelta(minutes=20)
    desk.pass_time(hours=3)
    with time_machine.travel(desk.now):
        at = ready_to_end(desk, visit_id)
        ahead = timedelta(seconds=90)
        told = {"at": milliseconds(tapped_at + ahead), "skew": 90_000, "key": "sent-later"}
        tap(at, "finish", **told)
        assert not at.error
        assert drawn(at, "clock") == []
    visit = desk.visit(visit_id)
    assert (visit.status, visit.done_at) == (VisitStatus.DONE, tapped_at)
    assert desk.ticket(visit.ticket_id).completed_at == tapped_at


def test_rule_22_an_end_before_the_arrival_is_refused_on_the_page_and_what_was_typed_stays(
    desk: Desk,
):
    visit_id = desk.on_site()
    arrived_at = desk.now
    desk.pass_time(hours=1)
    with time_machine.travel(desk.now):
        at = ready_to_end(desk, visit_id)
        tap(at, "finish", at=milliseconds(arrived_at - timedelta(minutes=5)))
        [refused] = at.error
        assert refused.value == text(
            "refusal.stamp_before_previous", at="11-24 10:55:00", previous="11-24 11:00:00"
        )
        assert desk.visit(visit_id).status is VisitStatus.ARRIVED
        assert widget(at.text_area, "visits.today.report").value == "更换电机"
        assert widget(at.button_group, "visits.today.outcome").value is VisitOutcome.FIXED
        tap(at, "finish")
        assert not at.error
    assert desk.visit(visit_id).status is VisitStatus.DONE


def test_rule_22_a_tap_brings_what_a_page_that_was_loaded_since_has_lost(desk: Desk):
    visit_id = desk.on_site()
    tapped_at, until = desk.now + timedelta(minutes=9), desk.now + timedelta(days=9)
    desk.do(
        actions.keep_draft,
        by=desk.cast.technician,
        visit_id=visit_id,
        report="等电机",
        signed_by="",
    )
    desk.pass_time(hours=2)
    form = {"outcome": "waiting_parts", "until": until.isoformat()}
    with time_machine.travel(desk.now):
        at = page(desk, desk.cast.technician, "visits_today")
        tap(at, "finish", at=milliseconds(tapped_at), form=form)
        assert not at.error
    visit = desk.visit(visit_id)
    assert (visit.status, visit.outcome, visit.done_at) == (
        VisitStatus.DONE,
        VisitOutcome.WAITING_PARTS,
        tapped_at,
    )
    assert desk.ticket(visit.ticket_id).waiting_until == until


@pytest.mark.parametrize("form", [{"outcome": "never"}, {"outcome": "fixed", "until": "soon"}, {}])
def test_a_tap_whose_form_makes_no_sense_ends_nothing(desk: Desk, form: dict[str, str]):
    visit_id = desk.on_site()
    with time_machine.travel(desk.now):
        at = page(desk, desk.cast.technician, "visits_today")
        tap(at, "finish", form=form)
        assert text("visits.missing.report") in at.warning[0].value
    assert desk.visit(visit_id).status is VisitStatus.ARRIVED


def test_a_step_by_a_tablet_whose_clock_is_wrong_says_so_on_the_case(desk: Desk):
    visit_id = desk.plan(desk.a_case())
    desk.step(actions.set_out, visit_id, device_at=desk.now, skew=timedelta(hours=8))
    case = page(
        desk, desk.cast.dispatcher, "tickets_detail", ticket=str(desk.visit(visit_id).ticket_id)
    )
    assert any(text("ticket.clock_off") in each.proto.body for each in case.get("html"))


def test_a_wait_stands_there_with_its_usual_end_and_an_end_in_the_past_loses_nothing(desk: Desk):
    visit_id = desk.on_site()
    with time_machine.travel(desk.now):
        at = page(desk, desk.cast.technician, "visits_today")
        widget(at.text_area, "visits.today.report").set_value("等电机").run()
        widget(at.button_group, "visits.today.outcome").set_value(VisitOutcome.FIXED).run()
        assert not at.date_input
        widget(at.button_group, "visits.today.outcome").set_value(VisitOutcome.WAITING_PARTS).run()
        usual = desk.now.astimezone(SHANGHAI) + timedelta(days=3)
        assert widget(at.date_input, "visits.today.until").value == usual.date()
        assert widget(at.time_input, "visits.today.until").value == usual.time()
        widget(at.date_input, "visits.today.until").set_value(usual.date() - timedelta(days=9))
        widget(at.time_input, "visits.today.until").set_value(time(16, 30)).run()
        tap(at, "finish")
        assert text("visits.missing.until") in at.warning[0].value
        assert desk.visit(visit_id).status is VisitStatus.ARRIVED
        assert widget(at.text_area, "visits.today.report").value == "等电机"
        assert widget(at.button_group, "visits.today.outcome").value is VisitOutcome.WAITING_PARTS
        assert widget(at.time_input, "visits.today.until").value == time(16, 30)
        widget(at.date_input, "visits.today.until").set_value(date(2026, 12, 9)).run()
        assert not at.warning
        tap(at, "finish")
        assert not at.error
    ticket = desk.ticket(desk.visit(visit_id).ticket_id)
    assert ticket.waiting_until == datetime(2026, 12, 9, 16, 30, tzinfo=SHANGHAI)


def test_a_wait_whose_usual_end_nobody_touched_ends_as_usual(desk: Desk):
    visit_id = desk.on_site()
    with time_machine.travel(desk.now):
        at = page(desk, desk.cast.technician, "visits_today")
        widget(at.text_area, "visits.today.report").set_value("等客户").run()
        waiting = VisitOutcome.WAITING_CUSTOMER
        widget(at.button_group, "visits.today.outcome").set_value(waiting).run()
        tap(at, "finish")
        assert not at.error
    ticket = desk.ticket(desk.visit(visit_id).ticket_id)
    assert ticket.waiting_until == (desk.now + timedelta(days=1)).replace(second=0, microsecond=0)


def test_what_was_typed_survives_a_refused_part_and_a_reload(desk: Desk):
    desk.on_site()
    part_id = desk.a_part(on_hand=1)
    with time_machine.travel(desk.now):
        at = page(desk, desk.cast.technician, "visits_today")
        widget(at.text_area, "visits.today.report").set_value("写到一半").run()
        widget(at.selectbox, "visits.part.which").set_value(part_id).run()
        widget(at.number_input, "visits.part.quantity").set_value(2).run()
        widget(at.button, "visits.part.use").click().run()
        assert "MOTOR-1" in at.error[0].value
        assert widget(at.text_area, "visits.today.report").value == "写到一半"
        assert widget(at.number_input, "visits.part.quantity").value == 2
        again = page(desk, desk.cast.technician, "visits_today")
        assert widget(again.text_area, "visits.today.report").value == "写到一半"


def test_a_technician_without_visits_is_told_so(desk: Desk):
    at = page(desk, desk.cast.second_technician, "visits_today")
    assert [each.value for each in at.info] == [text("visits.today.none")]


def test_the_storekeeper_receives_and_counts(desk: Desk):
    part_id = desk.a_part(on_hand=3)
    at = page(desk, desk.cast.storekeeper, "stock_levels", part=str(part_id))
    widget(at.number_input, "stock.receive.quantity").set_value(4)
    widget(at.text_input, "stock.receive.reason").set_value("PO-1")
    submit(at, "stock.do.receive")
    assert on_hand(part_id) == 7
    widget(at.number_input, "stock.adjust.counted").set_value(6)
    submit(at, "stock.do.adjust")
    assert [each.value for each in at.error] == [text("refusal.stock_reason_missing", most=200)]
    assert widget(at.number_input, "stock.adjust.counted").value == 6
    widget(at.text_input, "stock.adjust.reason").set_value("盘点")
    submit(at, "stock.do.adjust")
    assert on_hand(part_id) == 6
    with store.ReadSession() as session:
        kinds = list(session.scalars(select(StockMovement.kind).order_by(StockMovement.id)))
    assert kinds == [MovementKind.RECEIVE, MovementKind.RECEIVE, MovementKind.ADJUST]


def test_others_read_stock_and_change_nothing(desk: Desk):
    part_id = desk.a_part(on_hand=3)
    at = page(desk, desk.cast.technician, "stock_levels", part=str(part_id))
    [table] = drawn(at, "rows")
    assert [row[1] for row in table["rows"]] == ["MOTOR-1"]
    assert not at.number_input


def submit(at: AppTest, words_key: str) -> None:
    [button] = [
        each
        for each in at.button
        if each.label == text(words_key) and "FormSubmitter" in (each.key or "")
    ]
    button.click().run()


def on_hand(part_id: int) -> int:
    with store.ReadSession() as session:
        return session.get_one(Part, part_id).on_hand


def test_a_tap_on_a_form_of_parts_that_has_gone_is_passed_over(monkeypatch):
    sent = []
    told = {"visits.part.which.there": 4, "visits.part.quantity.there": 2}
    monkeypatch.setattr(field_work.st, "session_state", told)
    monkeypatch.setattr(field_work.doors, "submit", lambda *_, **asked: sent.append(asked))
    for key in ("there", "gone"):
        field_work._use_part(SimpleNamespace(id=3), key)
    assert sent == [{"key": "there", "visit_id": 3, "part_id": 4, "quantity": 2}]
