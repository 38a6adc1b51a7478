"""Telling people something once: deputies, people away, races, the list and its count."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from db import session as database
from db.codes import NoticeKind, Role
from db.models.messages import Absence, Notice, NoticeReceipt
from db.models.people import Change, Person
from lib.messages import actions, queries
from lib.shared.errors import Refusal
from lib.shared.work import look, perform, permit, system

JOBS = system("jobs")


@permit()
def tell(work, *, notice_key, people):
    return actions.notify(work, kind=NoticeKind.OVERDUE, key=notice_key, people=people)


def told(now, *people, key="a"):
    wanted = [each.person_id for each in people]
    return perform(tell, actor=JOBS, now=now, notice_key=key, people=wanted)


def away(person, now, deputy=None, hours=8):
    with database.writing() as session:
        session.add(
            Absence(
                person_id=person.person_id,
                deputy_id=deputy.person_id if deputy else None,
                from_at=now - timedelta(hours=1),
                until_at=now + timedelta(hours=hours),
            )
        )


def receivers(key="a"):
    with database.ReadSession() as session:
        return set(
            session.scalars(
                select(NoticeReceipt.person_id)
                .join(Notice, Notice.id == NoticeReceipt.notice_id)
                .where(Notice.key == key)
            )
        )


def ids(*people):
    return {each.person_id for each in people}


def kinds():
    with database.ReadSession() as session:
        return sorted(session.scalars(select(Notice.kind)))


def own(person, now, **asked):
    return look(queries.list_own_notices, actor=person, now=now, **asked)


def test_a_notice_reaches_its_people_once_however_often_it_is_sent(cast, now):
    assert told(now, cast.hotline, cast.technician) is True
    assert told(now + timedelta(minutes=1), cast.hotline, cast.supervisor) is False
    assert receivers() == ids(cast.hotline, cast.technician)
    assert kinds() == [NoticeKind.OVERDUE]


def test_rule_27_two_senders_at_once_make_one_notice(cast, now):
    both = threading.Barrier(2)
    answers = []

    @permit()
    def racing(work):
        both.wait(5) if not database.is_sqlite() else None
        answers.append(
            actions.notify(work, kind=NoticeKind.OVERDUE, key="a", people=[cast.hotline.person_id])
        )

    def run():
        for _ in range(10):
            perform(racing, actor=JOBS, now=now)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False] * 19 + [True]
    with database.ReadSession() as session:
        assert len(session.scalars(select(NoticeReceipt)).all()) == 1


def test_rule_19_a_deputy_stands_in_for_somebody_away(cast, now):
    away(cast.technician, now, deputy=cast.second_technician)
    told(now, cast.technician, cast.hotline)
    assert receivers() == ids(cast.second_technician, cast.hotline)
    assert kinds() == [NoticeKind.OVERDUE]


def test_the_deputy_of_a_deputy_stands_in_and_a_ring_ends_with_the_supervisor(cast, now):
    away(cast.technician, now, deputy=cast.second_technician)
    away(cast.second_technician, now, deputy=cast.dispatcher)
    told(now, cast.technician)
    assert receivers() == ids(cast.dispatcher)
    away(cast.dispatcher, now, deputy=cast.technician)
    told(now, cast.technician, key="b")
    assert receivers("b") == ids(cast.supervisor)


def test_an_absence_that_is_over_or_to_come_changes_nothing(cast, now):
    away(cast.technician, now - timedelta(days=2), deputy=cast.second_technician)
    away(cast.technician, now + timedelta(days=2), deputy=cast.second_technician)
    told(now, cast.technician)
    assert receivers() == ids(cast.technician)


def test_rule_20_nobody_there_means_the_next_level_and_an_alarm_for_the_administrator(cast, now):
    away(cast.technician, now)
    told(now, cast.technician)
    assert receivers() == ids(cast.supervisor)
    assert kinds() == [NoticeKind.NOBODY_THERE, NoticeKind.OVERDUE]
    away(cast.supervisor, now)
    told(now, cast.technician, key="b")
    assert receivers("b") == ids(cast.administrator)
    assert receivers("nobody:a") == ids(cast.administrator)


def test_people_whose_account_is_closed_are_left_out_also_as_deputies(cast, now):
    with database.writing() as session:
        session.get_one(Person, cast.second_technician.person_id).active = False
    told(now, cast.second_technician, cast.hotline)
    assert receivers() == ids(cast.hotline)
    away(cast.technician, now, deputy=cast.second_technician)
    told(now, cast.technician, key="b")
    assert receivers("b") == ids(cast.supervisor)
    with database.ReadSession() as session:
        assert actions.holders_of(session, Role.TECHNICIAN) == [cast.technician.person_id]


def test_reading_is_ones_own_and_tells_only_ones_own_bell(cast, now):
    told(now, cast.hotline, cast.technician)
    page = own(cast.hotline, now)
    assert (page.unread, len(page.lines)) == (1, 1)
    receipt = page.lines[0].receipt_id
    with pytest.raises(Refusal, match="not_found"):
        perform(actions.mark_read, actor=cast.technician, now=now, receipt_id=receipt)
    perform(actions.mark_read, actor=cast.hotline, now=now, receipt_id=receipt)
    assert own(cast.hotline, now).unread == 0
    assert own(cast.technician, now).unread == 1
    with database.ReadSession() as session:
        changes = session.execute(select(Change.number, Change.ticket_id)).all()
    assert {ticket for _, ticket in changes} == {
        -cast.hotline.person_id,
        -cast.technician.person_id,
    }
    assert max(changes) == max(each for each in changes if each[1] == -cast.hotline.person_id)


def test_all_read_spares_what_came_after_the_screen_was_drawn(cast, now):
    told(now, cast.hotline)
    seen = own(cast.hotline, now).newest_id
    told(now, cast.hotline, key="b")
    assert perform(actions.mark_all_read, actor=cast.hotline, now=now, until_id=seen) == 1
    page = own(cast.hotline, now)
    assert page.unread == 1
    assert [line.read_at is None for line in page.lines] == [True, False]


def test_pages_by_key_show_every_notice_once_unread_ones_first(cast, now):
    for number in range(7):
        told(now + timedelta(minutes=number), cast.hotline, key=f"n{number}")
    lines = own(cast.hotline, now).lines
    for line in lines[2:4]:
        perform(actions.mark_read, actor=cast.hotline, now=now, receipt_id=line.receipt_id)
    shown, after = [], None
    while True:
        page = own(cast.hotline, now, after=after, size=3)
        shown += page.lines
        after = page.after
        if after is None:
            break
    assert len({line.receipt_id for line in shown}) == 7
    assert [line.read_at is None for line in shown] == [True] * 5 + [False] * 2
    unread = [line.receipt_id for line in shown[:5]]
    assert unread == sorted(unread, reverse=True)
