"""Writes of the return call's end and of the customer's answers."""

import secrets
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, update

from db.codes import EventKind, ReturnCallResult, Role
from db.models.feedback import SurveyAnswer, SurveyInvitation
from db.models.tickets import ReturnCall, Ticket
from lib.feedback import rules
from lib.shared.errors import Refusal
from lib.shared.settings import key, settings
from lib.shared.work import Work, permit
from lib.tickets.actions import add_event, try_return_call

KEY_NAME = "survey"

SPEND_INVITATION = (
    update(SurveyInvitation)
    .where(
        SurveyInvitation.token_hash == bindparam("of_token"),
        SurveyInvitation.answered_at.is_(None),
        SurveyInvitation.expires_at > bindparam("now"),
    )
    .values(answered_at=bindparam("now"))
    .returning(SurveyInvitation.id, SurveyInvitation.ticket_id)
)


@permit(Role.HOTLINE, Role.SUPERVISOR)
def finish_return_call(
    work: Work, *, return_call_id: int, version: int, result: ReturnCallResult, words: str
) -> dict[str, Any]:
    """One try of the return call; when it closes the case, invite to the survey (S-25, S-10).

    Answers `closed`, `reopened`, and the `invitation_id` or None. Refuses as `try_return_call` does.
    """
    outcome = try_return_call(
        work, return_call_id=return_call_id, version=version, result=result, words=words
    )
    invitation_id = None
    if rules.is_invited(result, closed=outcome["closed"]):
        call = work.get(ReturnCall, return_call_id)
        invitation_id = _invite(work, call.ticket_id, call.cycle)
    return {**outcome, "invitation_id": invitation_id}


@permit(guests=True)
def answer_survey(
    work: Work,
    *,
    token: str,
    satisfaction: int,
    punctuality: int | None,
    quality: int | None,
    words: str,
) -> None:
    """Store the one answer of a link; the link is spent in the statement that finds it.

    Refuses `survey_closed` alike for an unknown, a used and an expired link, and `survey_unfit`.
    """
    answers = rules.Answers(satisfaction, punctuality, quality, rules.plain_lines(words))
    rules.ensure_fit(answers)
    spent = work.ask(SPEND_INVITATION, of_token=rules.token_hash(token), now=work.now).one_or_none()
    if spent is None:
        raise Refusal("survey_closed")
    answer = SurveyAnswer(
        invitation_id=spent.id,
        ticket_id=spent.ticket_id,
        satisfaction=answers.satisfaction,
        punctuality=answers.punctuality,
        quality=answers.quality,
        words=answers.words,
        at=work.now,
    )
    work.session.add(answer)
    ticket = work.get(Ticket, spent.ticket_id)
    add_event(
        work, ticket, EventKind.SURVEY_ANSWERED, details={"satisfaction": answers.satisfaction}
    )
    work.record("survey.answered", answer, satisfaction=answers.satisfaction)
    work.touch_ticket(ticket.id)


def _invite(work: Work, ticket_id: int, cycle: int) -> int:
    nonce = secrets.token_hex(32)
    token = rules.survey_token(key(KEY_NAME), ticket_id, cycle, nonce)
    invitation = SurveyInvitation(
        ticket_id=ticket_id,
        cycle=cycle,
        nonce=nonce,
        token_hash=rules.token_hash(token),
        created_at=work.now,
        expires_at=work.now + timedelta(days=settings().survey_days),
    )
    work.session.add(invitation)
    work.session.flush()
    work.record("survey.invited", invitation, ticket_id=ticket_id, cycle=cycle)
    return invitation.id
