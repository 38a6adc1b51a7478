"""The eight steps of the hotline as a case shows them (S-18 to S-25)."""

from datetime import timedelta

import pytest

from db.codes import CallStep, Channel, FaultCode, Priority, ReturnCallResult
from lib.shared.errors import Refusal
from lib.shared.work import look, perform
from lib.tickets import actions
from lib.tickets.calls import CallTold
from lib.tickets.intake import Caller, Place, take_call
from lib.tickets.script import find_script

CALL = {"channel": Channel.PHONE, "fault": FaultCode.NOISE, "words": "", "priority": Priority.P3}
CALLER = Caller(company="荷花酒店", contact="李娜", phone="13812345678")


def seconds(count: int) -> timedelta:
    return timedelta(seconds=count)


def test_s18_to_s25_a_case_tells_when_each_step_was_done(desk):
    steps = {CallStep.COMPANY: desk.now - seconds(20), CallStep.FAULT: desk.now - seconds(9)}
    told = CallTold(desk.now - seconds(25), steps)
    case = perform(
        take_call,
        actor=desk.cast.hotline,
        now=desk.now,
        caller=CALLER,
        place=Place(),
        received_at=None,
        call=told,
        **CALL,
    )
    saved = {**steps, CallStep.SAVE: desk.now}

    def script():
        return look(find_script, actor=desk.cast.hotline, now=desk.now, ticket_id=case)

    assert script() == saved
    desk.pass_time(minutes=5)
    desk.step(actions.log_contact, case, by=desk.cast.hotline, words="已致电")
    followed_at = desk.now
    desk.pass_time(minutes=5)
    desk.step(actions.log_contact, case, by=desk.cast.hotline, words="又致电")
    assert script() == {**saved, CallStep.FOLLOW: followed_at}
    desk.step(actions.complete_ticket, case, by=desk.cast.supervisor, words="已修好")
    desk.call_back(case, ReturnCallResult.NO_ANSWER)
    assert CallStep.RETURN_CALL not in script()
    desk.pass_time(minutes=5)
    desk.call_back(case, ReturnCallResult.FIXED)
    assert list(script().items())[-2:] == [
        (CallStep.FOLLOW, followed_at),
        (CallStep.RETURN_CALL, desk.now),
    ]


def test_a_case_that_no_call_brought_has_no_script(desk):
    case = desk.take_call(channel=Channel.EMAIL)
    assert look(find_script, actor=desk.cast.hotline, now=desk.now, ticket_id=case) == {}


def test_the_script_of_somebody_elses_case_is_refused(desk):
    case = desk.take_call()
    with pytest.raises(Refusal, match="ticket_not_found"):
        look(find_script, actor=desk.cast.technician, now=desk.now, ticket_id=case)
