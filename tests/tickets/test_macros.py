"""Ready texts: written by the supervisor, filled from the case, written down with their changes in one step."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.codes import EventKind, FaultCode, Priority, TicketStatus, WaitingFor
from lib.shared.errors import Refusal
from lib.shared.work import look, system
from lib.tickets import actions
from lib.tickets.checks import check_timers
from lib.tickets.macros import (
    PLACEHOLDERS,
    How,
    apply_macro,
    ensure_placeholders,
    fill,
    find_places,
    list_macros,
    save_macro,
    set_macro_active,
)


def write(desk, name="回访", words="{contact}您好，{number}", **told):
    told = {"macro_id": None, "version": None} | told
    return desk.do(save_macro, by=desk.cast.supervisor, name=name, words=words, **told)


def use(desk, ticket_id, macro_id, *, words="已说明", how=How.CONTACT, by=None):
    return desk.step(
        apply_macro, ticket_id, by=by or desk.cast.hotline, macro_id=macro_id, words=words, how=how
    )


def all_of(desk, **which):
    return {row.id: row for row in look(list_macros, actor=system("test"), now=desk.now, **which)}


def test_the_desk_begins_with_texts_in_both_languages_found_by_their_initials(desk):
    rows = {row.name: row for row in all_of(desk).values()}
    assert len(rows) == 6
    assert rows["配件在途"].initials == "pjzt"
    assert (rows["配件在途"].waiting_for, rows["配件在途"].waiting_hours) == (WaitingFor.PARTS, 72)
    for row in rows.values():
        ensure_placeholders(row.words)


def test_a_text_and_its_changes_are_one_step(desk):
    ticket_id = desk.take_call()
    macro_id = write(
        desk,
        priority=Priority.P1,
        fault=FaultCode.NOISE,
        waiting_for=WaitingFor.CUSTOMER,
        waiting_hours=24,
    )
    use(desk, ticket_id, macro_id)
    case = desk.ticket(ticket_id)
    assert (case.priority, case.fault, case.waiting_for) == (
        Priority.P1,
        FaultCode.NOISE,
        WaitingFor.CUSTOMER,
    )
    assert case.waiting_until == desk.now + timedelta(hours=24)
    assert {EventKind.CONTACTED, EventKind.CHANGED, EventKind.WAITING_STARTED} <= set(
        desk.events(ticket_id)
    )
    assert look(check_timers, actor=system("test"), now=desk.now).fault is None


def test_all_of_it_or_nothing(desk):
    ticket_id = desk.take_call()
    desk.step(actions.complete_ticket, ticket_id, by=desk.cast.supervisor, words="修好")
    macro_id = write(desk, priority=Priority.P1, waiting_for=WaitingFor.CUSTOMER, waiting_hours=24)
    with pytest.raises(Refusal, match="move_not_allowed"):
        use(desk, ticket_id, macro_id)
    assert desk.ticket(ticket_id).priority is Priority.P2


def test_as_a_note_it_is_no_contact(desk):
    ticket_id = desk.take_call()
    use(desk, ticket_id, write(desk), how=How.NOTE)
    assert desk.events(ticket_id)[-1] is EventKind.NOTE
    assert desk.ticket(ticket_id).status is TicketStatus.NEW


def test_an_inactive_text_is_neither_offered_nor_used(desk):
    ticket_id, macro_id = desk.take_call(), write(desk)
    desk.do(set_macro_active, by=desk.cast.supervisor, macro_id=macro_id, version=1, active=False)
    assert macro_id not in all_of(desk, only_active=True)
    assert macro_id in all_of(desk)
    with pytest.raises(Refusal, match="macro_inactive"):
        use(desk, ticket_id, macro_id)


@pytest.mark.parametrize(
    ("told", "refusal"),
    [
        ({"words": "{nummer}"}, "macro_placeholder"),
        ({"words": "{number"}, "macro_placeholder"),
        ({"words": "{number.__class__}"}, "macro_placeholder"),
        ({"words": " "}, "words_missing"),
        ({"name": ""}, "words_missing"),
        ({"name": "配件在途"}, "macro_name_taken"),
        ({"waiting_for": WaitingFor.PARTS}, "macro_hours"),
        ({"waiting_for": WaitingFor.PARTS, "waiting_hours": 721}, "macro_hours"),
    ],
)
def test_a_text_that_cannot_be_used_is_refused_on_saving(desk, told, refusal):
    with pytest.raises(Refusal, match=refusal):
        write(desk, **told)


def test_only_the_supervisor_writes_texts_and_two_do_not_overwrite_each_other(desk):
    told = {"macro_id": None, "version": None, "name": "x", "words": "y"}
    with pytest.raises(Refusal, match="no_longer_allowed"):
        desk.do(save_macro, by=desk.cast.hotline, **told)
    macro_id = write(desk)
    write(desk, macro_id=macro_id, version=1, words="另一句")
    with pytest.raises(Refusal, match="changed_meanwhile"):
        write(desk, macro_id=macro_id, version=1, words="第三句")


def test_the_case_fills_the_places(desk):
    ticket_id = desk.take_call()
    places = look(find_places, actor=desk.cast.hotline, now=desk.now, ticket_id=ticket_id)
    assert set(places) == set(PLACEHOLDERS)
    assert fill("{number} {company} {due} {agent}", places) == (
        f"CC-2026-000001 华庭酒店 2026-11-24 10:30 {desk.cast.hotline.name}"
    )


@given(st.dictionaries(st.sampled_from(PLACEHOLDERS), st.text(max_size=20)))
def test_what_is_filled_in_is_not_filled_again(values):
    words = " ".join(f"{{{name}}}" for name in values)
    assert fill(words, values) == " ".join(values.values())
