from datetime import timedelta

import pytest

from db.codes import ReturnCallResult
from lib.feedback import queries
from lib.feedback.actions import answer_survey
from lib.shared.errors import Refusal
from lib.shared.work import guest, look, perform
from tests.feedback.cases import PHONE, a_case, a_customer, a_survey, call_back, complete

CALLERS = ("hotline", "supervisor")


def test_return_calls_come_first_due_first_and_say_when_overdue(cast, now):
    customer = a_customer(now)
    first, second = (a_case(cast, now, customer=customer) for _ in range(2))
    complete(cast, second, now)
    complete(cast, first, now + timedelta(hours=3))
    at = now + timedelta(days=1, hours=1)
    rows = look(queries.list_return_calls, actor=cast.hotline, now=at)
    assert [row.ticket_id for row in rows] == [second, first]
    assert [row.is_overdue for row in rows] == [True, False]
    assert (rows[0].phone, rows[0].contact) == (PHONE, "李娜")
    assert rows[0].work_done == "更换电机，测试正常"
    assert look(queries.count_return_calls, actor=cast.hotline, now=at) == 2


def test_a_finished_return_call_leaves_the_list_and_an_unanswered_one_stays(cast, now):
    fixed, unanswered = a_case(cast, now), a_case(cast, now)
    for ticket_id in (fixed, unanswered):
        complete(cast, ticket_id, now)
    call_back(cast, fixed, now, ReturnCallResult.FIXED)
    call_back(cast, unanswered, now, ReturnCallResult.NO_ANSWER)
    [row] = look(queries.list_return_calls, actor=cast.hotline, now=now)
    assert (row.ticket_id, row.tries) == (unanswered, 1)
    [tried] = look(queries.list_tries, actor=cast.hotline, now=now, return_call_id=row.id)
    assert (tried.by, tried.result) == ("王丽", ReturnCallResult.NO_ANSWER)


def test_only_those_who_call_see_return_calls_and_links(cast, now):
    token = a_survey(cast, now)
    ticket_id = a_case(cast, now)
    complete(cast, ticket_id, now)
    call_back(cast, ticket_id, now, ReturnCallResult.NO_ANSWER)
    callers = [getattr(cast, name) for name in CALLERS]
    for actor in cast.everybody():
        may = actor in callers
        calls = look(queries.list_return_calls, actor=actor, now=now)
        links = look(queries.list_survey_links, actor=actor, now=now)
        assert (len(calls), [link.token for link in links]) == ((1, [token]) if may else (0, []))


def test_staff_may_see_a_link_again_until_it_is_answered(cast, now):
    token = a_survey(cast, now)
    [link] = look(queries.list_survey_links, actor=cast.supervisor, now=now)
    assert link.token == token
    perform(
        answer_survey,
        actor=guest("survey"),
        now=now,
        token=token,
        satisfaction=3,
        punctuality=None,
        quality=None,
        words="",
    )
    assert look(queries.list_survey_links, actor=cast.supervisor, now=now) == []
    again = look(
        queries.find_survey_link,
        actor=cast.supervisor,
        now=now,
        invitation_id=link.invitation_id,
    )
    assert again.token == ""
    of_case = look(
        queries.find_survey_link_of, actor=cast.supervisor, now=now, ticket_id=link.ticket_id
    )
    assert of_case == again


def test_a_link_is_not_found_by_others(cast, now):
    a_survey(cast, now)
    for actor in (cast.technician, cast.auditor, cast.outsider):
        with pytest.raises(Refusal, match="not_found"):
            look(queries.find_survey_link, actor=actor, now=now, invitation_id=1)
        assert look(queries.find_survey_link_of, actor=actor, now=now, ticket_id=1) is None


def test_the_public_page_learns_number_and_fault_while_the_link_is_open(cast, now):
    token = a_survey(cast, now)
    survey = look(queries.find_survey, actor=guest("survey"), now=now, token=token)
    assert survey.number.startswith("CC-2026-")
    for wrong in ("", "x", token[:-1], token.lower()):
        with pytest.raises(Refusal, match="survey_closed"):
            look(queries.find_survey, actor=guest("survey"), now=now, token=wrong)
