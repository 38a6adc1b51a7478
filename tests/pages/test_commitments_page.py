"""The commitment ledger's page and the promises on the page of a case."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from db import session as database
from db.codes import Channel, CommitmentKind, FaultCode, Priority
from db.models.tickets import Commitment
from lib.shared import clock
from lib.shared.work import perform
from lib.tickets import commitments
from lib.tickets.calls import CallTold
from lib.tickets.intake import Caller, Place, take_call
from tests.cast import Cast
from tests.pages.opening import open_page


@pytest.fixture
def ticket(cast: Cast) -> int:
    now = clock.now()
    ticket_id = perform(
        take_call,
        actor=cast.hotline,
        now=now,
        caller=Caller(company="<b>华庭</b>酒店", contact="李娜", phone="13812345678"),
        place=Place(),
        channel=Channel.PHONE,
        received_at=None,
        fault=FaultCode.NOISE,
        words="",
        priority=Priority.P3,
    )
    perform(
        commitments.make_promise,
        actor=cast.hotline,
        now=now,
        ticket_id=ticket_id,
        kind=CommitmentKind.PARTS,
        due_at=now + timedelta(days=2),
        words="*电机*到货",
    )
    return ticket_id


def test_the_ledger_opens_with_scores_and_promises(ticket: int, cast: Cast) -> None:
    at = open_page(cast.supervisor, "tickets_commitments")
    assert not at.exception
    assert not at.error
    scores, promises = at.dataframe
    assert list(scores.value["承诺人"]) == [cast.hotline.name]
    assert len(promises.value) == 2
    at = open_page(cast.auditor, "tickets_commitments", state="broken", days="7", after="x-1")
    assert not at.exception
    assert len(at.dataframe) == 1


def test_a_promise_is_kept_from_the_page_of_its_case(ticket: int, cast: Cast) -> None:
    at = open_page(cast.hotline, "tickets_detail", ticket=str(ticket))
    assert not at.exception
    keep = [button for button in at.button if button.key.startswith("tickets.promises.keep")]
    assert len(keep) == 2
    keep[0].click().run()
    assert not at.error
    left = [button for button in at.button if button.key.startswith("tickets.promises.keep")]
    assert len(left) == 1


def test_a_promise_that_was_kept_too_late_is_not_called_kept(cast: Cast) -> None:
    told = clock.now() - timedelta(hours=5)
    case = {"company": "华庭酒店", "contact": "李娜", "phone": "13812345678"}
    call = {"channel": Channel.PHONE, "received_at": None, "fault": FaultCode.NOISE, "words": ""}
    ticket_id = perform(
        take_call,
        actor=cast.hotline,
        now=told,
        caller=Caller(**case),
        place=Place(),
        priority=Priority.P3,
        call=CallTold(told, promised_at=told + timedelta(minutes=30), promise="半小时内回电"),
        **call,
    )
    late = told + timedelta(minutes=47)
    with database.ReadSession() as session:
        promise = session.scalars(select(Commitment)).one()
    perform(
        commitments.keep_promise,
        actor=cast.hotline,
        now=late,
        commitment_id=promise.id,
        version=promise.version,
    )
    at = open_page(cast.hotline, "tickets_detail", ticket=str(ticket_id))
    (told_of_it,) = [each.value for each in at.markdown if "半小时内回电" in each.value]
    assert "未兑现" in told_of_it
    assert "才办到" in told_of_it
    assert " 兑现" not in told_of_it
