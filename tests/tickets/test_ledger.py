"""The commitment ledger: what became of each promise, by whom, and the same said by the database."""

from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import select

from db import session as database
from db.codes import CommitmentKind, CommitmentState, Language
from db.models.tickets import Commitment
from lib.shared.words import catalogue
from lib.shared.work import Look, look
from lib.tickets import commitments
from lib.tickets.ledger import (
    LedgerFilter,
    Outcome,
    has_outcome,
    list_promises,
    list_promises_of,
    list_scores,
    outcome_of,
)

MINUTE = timedelta(minutes=1)


def promised(desk, ticket_id, by=None, kind=CommitmentKind.REPLY, minutes=30):
    return desk.do(
        commitments.make_promise,
        by=by or desk.cast.hotline,
        ticket_id=ticket_id,
        kind=kind,
        due_at=desk.now + timedelta(minutes=minutes),
        words="",
    )


@pytest.fixture
def story(desk):
    """One promise of each outcome; the dispatcher made the one that is open."""
    ticket_id = desk.take_call()
    kept, late, changed, ended = (promised(desk, ticket_id) for _ in range(4))
    desk.pass_time(minutes=10)
    desk.promise(commitments.keep_promise, kept, by=desk.cast.hotline)
    desk.promise(
        commitments.change_promise,
        changed,
        by=desk.cast.hotline,
        due_at=desk.now + timedelta(minutes=5),
        words="客户同意",
    )
    desk.promise(commitments.end_promise, ended, by=desk.cast.supervisor, words="作废")
    desk.pass_time(minutes=40)
    desk.promise(commitments.keep_promise, late, by=desk.cast.hotline)
    promised(desk, ticket_id, by=desk.cast.dispatcher)
    return ticket_id


def test_the_ledger_shows_what_became_of_every_promise(desk, story):
    page = look(list_promises, actor=desk.cast.auditor, now=desk.now, where=LedgerFilter())
    told = [row.outcome for row in sorted(page.rows, key=lambda row: row.id)]
    assert told == [
        Outcome.KEPT,
        Outcome.BROKEN,
        Outcome.CHANGED,
        Outcome.ENDED,
        Outcome.BROKEN,
        Outcome.OPEN,
    ]
    assert {row.company for row in page.rows} == {"华庭酒店"}
    assert page.following is None


def test_a_person_is_scored_by_kept_of_kept_and_broken(desk, story):
    scores = look(list_scores, actor=desk.cast.supervisor, now=desk.now, where=LedgerFilter())
    mine = next(each for each in scores if each.person == desk.cast.hotline.name)
    assert (mine.kept, mine.broken, mine.changed, mine.open) == (1, 2, 1, 0)
    assert (mine.of, mine.rate) == (3, 1 / 3)
    other = next(each for each in scores if each.person == desk.cast.dispatcher.name)
    assert (other.open, other.rate) == (1, None)


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        (LedgerFilter(outcome=Outcome.BROKEN), 2),
        (LedgerFilter(outcome=Outcome.CHANGED), 1),
        (LedgerFilter(kind=CommitmentKind.VISIT), 0),
    ],
)
def test_the_ledger_is_filtered(desk, story, where, rows):
    page = look(list_promises, actor=desk.cast.quality, now=desk.now, where=where)
    assert len(page.rows) == rows


def test_the_ledger_is_not_for_everybody(desk, story):
    for actor in (desk.cast.storekeeper, desk.cast.technician, desk.cast.outsider):
        page = look(list_promises, actor=actor, now=desk.now, where=LedgerFilter())
        assert page.rows == []
        assert look(list_scores, actor=actor, now=desk.now, where=LedgerFilter()) == []
        assert look(list_promises_of, actor=actor, now=desk.now, ticket_id=story) in ([], None) or (
            actor is desk.cast.storekeeper
        )


def test_the_open_promises_of_a_case_stand_first(desk, story):
    rows = look(list_promises_of, actor=desk.cast.hotline, now=desk.now, ticket_id=story)
    assert len(rows) == 6
    assert [row.is_open for row in rows] == [True, True, False, False, False, False]


def test_pages_of_the_ledger_leave_out_nothing_and_show_nothing_twice(desk):
    ticket_id = desk.take_call()
    with database.writing() as session:
        session.add_all(
            Commitment(
                ticket_id=ticket_id,
                kind=CommitmentKind.REPLY,
                state=CommitmentState.OPEN,
                promised_at=desk.now,
                promised_by_id=desk.cast.hotline.person_id,
                due_at=desk.now + timedelta(minutes=number // 3),
            )
            for number in range(120)
        )
    seen, after = [], None
    for _ in range(3):
        page = look(
            list_promises, actor=desk.cast.hotline, now=desk.now, where=LedgerFilter(), after=after
        )
        seen += [row.id for row in page.rows]
        after = page.following
    assert after is None
    assert len(seen) == len(set(seen)) == 120


def test_the_database_tells_the_same_outcome_as_the_rule(desk):
    ticket_id = desk.take_call()
    moments = [None, -MINUTE, timedelta(), MINUTE]
    with database.writing() as session:
        for state, ended, due in product(CommitmentState, moments, (-MINUTE, timedelta(), MINUTE)):
            if (state is CommitmentState.OPEN) != (ended is None):
                continue
            due_at = desk.now + due
            ended_at = None if ended is None else due_at + ended
            row = Commitment(
                ticket_id=ticket_id,
                kind=CommitmentKind.REPLY,
                state=state,
                promised_at=desk.now - timedelta(hours=1),
                due_at=due_at,
                ended_at=ended_at,
                kept_at=ended_at if state is CommitmentState.KEPT else None,
                replaced_by_id=1 if state is CommitmentState.CHANGED else None,
            )
            if state is CommitmentState.CHANGED:
                row.replaced_by_id = None
                row.state = CommitmentState.ENDED
            session.add(row)
    with database.ReadSession() as session:
        rows = session.scalars(select(Commitment)).all()
        assert len(rows) >= 12
        for outcome in Outcome:
            found = set(
                session.scalars(select(Commitment.id).where(has_outcome(outcome, desk.now)))
            )
            assert found == {
                row.id
                for row in rows
                if outcome_of(row.state, row.due_at, row.ended_at, desk.now) is outcome
            }
        assert list_scores(Look(session, desk.cast.hotline, desk.now), where=LedgerFilter())


@pytest.mark.parametrize("language", list(Language))
def test_every_outcome_has_words(language):
    assert {f"promise.outcome.{outcome}" for outcome in Outcome} <= catalogue(language).keys()
