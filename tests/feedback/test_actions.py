from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from db import session as database
from db.codes import ActorKind, EventKind, ReturnCallResult, TicketStatus
from db.models.feedback import SurveyAnswer, SurveyInvitation
from db.models.people import AuditRow, Change
from db.models.tickets import Ticket, TicketEvent
from lib.feedback.actions import answer_survey
from lib.feedback.rules import token_hash
from lib.shared.errors import Refusal
from lib.shared.settings import settings
from lib.shared.work import guest, perform
from tests.feedback.cases import a_case, a_survey, call_back, complete

GUEST = guest("survey")


def answer(token, now, *, satisfaction=5, punctuality=4, quality=None, words="很好"):
    perform(
        answer_survey,
        actor=GUEST,
        now=now,
        token=token,
        satisfaction=satisfaction,
        punctuality=punctuality,
        quality=quality,
        words=words,
    )


def count(model) -> int:
    with database.ReadSession() as session:
        return session.scalar(select(func.count()).select_from(model))


def status_of(ticket_id: int) -> TicketStatus:
    with database.ReadSession() as session:
        return session.get(Ticket, ticket_id).status


def test_a_customer_who_says_fixed_closes_the_case_and_is_invited(cast, now):
    ticket_id = a_case(cast, now)
    complete(cast, ticket_id, now + timedelta(hours=1))
    told = call_back(cast, ticket_id, now + timedelta(hours=2), ReturnCallResult.FIXED)
    assert told == {"closed": True, "reopened": False, "invitation_id": told["invitation_id"]}
    with database.ReadSession() as session:
        invitation = session.get(SurveyInvitation, told["invitation_id"])
        assert (invitation.ticket_id, invitation.cycle) == (ticket_id, 1)
        assert invitation.expires_at - invitation.created_at == timedelta(
            days=settings().survey_days
        )
    assert status_of(ticket_id) is TicketStatus.CLOSED


def test_one_who_declines_closes_the_case_and_is_left_alone(cast, now):
    ticket_id = a_case(cast, now)
    complete(cast, ticket_id, now)
    told = call_back(cast, ticket_id, now, ReturnCallResult.DECLINED)
    assert told == {"closed": True, "reopened": False, "invitation_id": None}
    assert count(SurveyInvitation) == 0


def test_the_third_unanswered_call_closes_the_case_and_still_invites(cast, now):
    ticket_id = a_case(cast, now)
    complete(cast, ticket_id, now)
    for day in (1, 2):
        told = call_back(cast, ticket_id, now + timedelta(days=day), ReturnCallResult.NO_ANSWER)
        assert told == {"closed": False, "reopened": False, "invitation_id": None}
    told = call_back(cast, ticket_id, now + timedelta(days=3), ReturnCallResult.NO_ANSWER)
    assert told["closed"] is True
    assert told["invitation_id"] is not None


def test_not_fixed_reopens_and_the_next_cycle_has_its_own_survey(cast, now):
    ticket_id = a_case(cast, now)
    complete(cast, ticket_id, now)
    told = call_back(cast, ticket_id, now, ReturnCallResult.NOT_FIXED)
    assert told == {"closed": False, "reopened": True, "invitation_id": None}
    complete(cast, ticket_id, now + timedelta(hours=1))
    told = call_back(cast, ticket_id, now + timedelta(hours=2), ReturnCallResult.FIXED)
    with database.ReadSession() as session:
        assert session.get(SurveyInvitation, told["invitation_id"]).cycle == 2


def test_the_token_itself_is_stored_nowhere(cast, now):
    token = a_survey(cast, now)
    with database.ReadSession() as session:
        stored = session.scalars(select(SurveyInvitation)).one()
        assert stored.token_hash == token_hash(token)
        told = [
            str(value)
            for row in [stored, *session.scalars(select(AuditRow))]
            for value in vars(row).values()
        ]
    assert not any(token in value for value in told)


def test_an_answer_is_stored_told_on_the_timeline_and_announced(cast, now):
    token = a_survey(cast, now)
    changes = count(Change)
    answer(token, now + timedelta(days=1))
    with database.ReadSession() as session:
        stored = session.scalars(select(SurveyAnswer)).one()
        assert (stored.satisfaction, stored.punctuality, stored.quality) == (5, 4, None)
        assert stored.words == "很好"
        event = session.scalars(
            select(TicketEvent).where(TicketEvent.kind == EventKind.SURVEY_ANSWERED)
        ).one()
        assert event.ticket_id == stored.ticket_id
        assert (event.actor_kind, event.actor_id) == (ActorKind.GUEST, None)
        audit = session.scalars(select(AuditRow).order_by(AuditRow.id.desc())).first()
        assert (audit.action, audit.details) == ("survey.answered", {"satisfaction": 5})
    assert count(Change) == changes + 1


def test_a_link_takes_one_answer(cast, now):
    token = a_survey(cast, now)
    answer(token, now)
    with pytest.raises(Refusal, match="survey_closed"):
        answer(token, now, satisfaction=1)
    assert count(SurveyAnswer) == 1


def test_of_answers_sent_at_once_one_counts(cast, now):
    token = a_survey(cast, now)

    def try_once(score: int) -> bool:
        try:
            answer(token, now, satisfaction=score)
        except Refusal:
            return False
        return True

    with ThreadPoolExecutor(5) as pool:
        assert sorted(pool.map(try_once, range(1, 6))) == [False] * 4 + [True]
    assert count(SurveyAnswer) == 1


def test_an_expired_or_unknown_link_is_refused_alike(cast, now):
    token = a_survey(cast, now)
    late = now + timedelta(days=settings().survey_days)
    for wrong, at in ((token, late), ("x" * 43, now), ("", now), ("\ud800", now)):
        with pytest.raises(Refusal) as refused:
            answer(wrong, at)
        assert (refused.value.key, refused.value.params) == ("survey_closed", {})
    assert count(SurveyAnswer) == 0


@pytest.mark.parametrize(
    "unfit", [{"satisfaction": 0}, {"punctuality": 6}, {"words": "a\x00"}, {"words": "x" * 1001}]
)
def test_unfit_answers_do_not_spend_the_link(cast, now, unfit):
    token = a_survey(cast, now)
    with pytest.raises(Refusal, match="survey_unfit"):
        answer(token, now, **unfit)
    answer(token, now)


def test_staff_cannot_answer_for_the_customer(cast, now):
    token = a_survey(cast, now)
    for actor in cast.everybody():
        with pytest.raises(Refusal, match="no_longer_allowed"):
            perform(
                answer_survey,
                actor=actor,
                now=now,
                token=token,
                satisfaction=5,
                punctuality=None,
                quality=None,
                words="",
            )
