"""Entering who is away and who stands in: every refusal, and coming back early."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from db import session as database
from db.models.messages import Absence
from db.models.people import Person
from lib.messages import actions, queries
from lib.shared.errors import Refusal
from lib.shared.work import look, perform

HOUR = timedelta(hours=1)


def enter(by, now, person=None, **changes):
    told = {
        "person_id": (person or by).person_id,
        "deputy_id": None,
        "from_at": now + HOUR,
        "until_at": now + 9 * HOUR,
        "words": "",
    }
    return perform(actions.enter_absence, actor=by, now=now, **(told | changes))


def test_everybody_enters_their_own_and_leaders_anybodys(cast, now):
    enter(cast.technician, now, deputy_id=cast.second_technician.person_id, words=" 培训 ")
    enter(cast.supervisor, now, cast.hotline)
    enter(cast.administrator, now, cast.dispatcher)
    with pytest.raises(Refusal, match="absence_not_own"):
        enter(cast.technician, now, cast.hotline)
    own = look(queries.list_absences, actor=cast.technician, now=now)
    assert [(line.person, line.deputy, line.words) for line in own] == [("陈刚", "刘洋", "培训")]
    assert len(look(queries.list_absences, actor=cast.supervisor, now=now)) == 3


@pytest.mark.parametrize(
    ("refused", "changes"),
    [
        ("absence_empty", {"from_at": 2, "until_at": 2}),
        ("absence_empty", {"from_at": 3, "until_at": 2}),
        ("absence_over", {"from_at": -3, "until_at": 0}),
        ("absence_long", {"from_at": 0, "until_at": 24 * 367}),
    ],
)
def test_a_span_that_cannot_be_is_refused(cast, now, refused, changes):
    span = {name: now + hours * HOUR for name, hours in changes.items()}
    with pytest.raises(Refusal, match=refused):
        enter(cast.technician, now, **span)


def test_nobody_stands_in_for_himself_nor_does_a_closed_account(cast, now):
    with pytest.raises(Refusal, match="deputy_is_same"):
        enter(cast.technician, now, deputy_id=cast.technician.person_id)
    with database.writing() as session:
        session.get_one(Person, cast.second_technician.person_id).active = False
    for deputy in (cast.second_technician.person_id, 999):
        with pytest.raises(Refusal, match="deputy_inactive"):
            enter(cast.technician, now, deputy_id=deputy)
    with pytest.raises(Refusal, match="not_found"):
        perform(
            actions.enter_absence,
            actor=cast.supervisor,
            now=now,
            person_id=999,
            deputy_id=None,
            from_at=now,
            until_at=now + HOUR,
            words="",
        )


def test_two_absences_of_one_person_may_meet_but_not_overlap(cast, now):
    enter(cast.technician, now)
    enter(cast.technician, now, from_at=now + 9 * HOUR, until_at=now + 10 * HOUR)
    with pytest.raises(Refusal, match="absence_overlaps"):
        enter(cast.technician, now, from_at=now, until_at=now + 2 * HOUR)
    enter(cast.hotline, now)


def test_words_that_cannot_be_stored_are_refused(cast, now):
    with pytest.raises(Refusal, match="words_unreadable"):
        enter(cast.technician, now, words="a\x00b")
    with pytest.raises(Refusal, match="words_too_long"):
        enter(cast.technician, now, words="长" * 201)


def test_coming_back_early_ends_what_runs_and_takes_out_what_was_to_come(cast, now):
    running = enter(cast.technician, now, from_at=now - HOUR)
    coming = enter(cast.technician, now, from_at=now + 20 * HOUR, until_at=now + 30 * HOUR)
    for absence_id in (running, coming):
        with pytest.raises(Refusal, match="absence_not_own"):
            perform(
                actions.end_absence, actor=cast.hotline, now=now, absence_id=absence_id, version=1
            )
        perform(
            actions.end_absence, actor=cast.technician, now=now, absence_id=absence_id, version=1
        )
    with database.ReadSession() as session:
        assert list(session.execute(select(Absence.id, Absence.until_at))) == [(running, now)]
    assert look(queries.list_absences, actor=cast.technician, now=now) == []
