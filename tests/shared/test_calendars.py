"""Calendars as records: the one that comes with the product, exceptions by hand, and new versions."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from db import session as store
from lib.shared.calendar import epoch
from lib.shared.calendars import (
    AnnouncedDay,
    add_calendar,
    calendar_named,
    calendar_version,
    edit_calendar,
    import_announcement,
)
from lib.shared.errors import Refusal
from lib.shared.official_days import official_days

SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def shown(instant: datetime) -> str:
    return instant.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


def test_the_standard_calendar_comes_with_every_announced_day(database):
    with store.ReadSession() as session:
        calendar = calendar_named(session).time
        wrong = [
            day
            for day in official_days()
            if calendar.is_working_day(day.on) is not (not day.is_off)
        ]
    assert wrong == []
    assert shown(calendar.due_after(at("2026-09-30 17:30"), 3600)) == "2026-10-08 09:30"


def test_a_calendar_nobody_made_is_refused(database):
    with store.ReadSession() as session, pytest.raises(Refusal, match="no_such_calendar"):
        calendar_named(session, "nobody's")


def test_the_same_version_is_built_once(database):
    with store.ReadSession() as session:
        assert calendar_named(session).time is calendar_named(session).time


def closed_on_the_tenth(version: int, now: datetime, hours=((600, 720),)):
    with store.writing() as session:
        return edit_calendar(
            session,
            calendar_id=calendar_named(session).id,
            version=version,
            now=now,
            days={date(2026, 10, 10): hours},
        )


def seconds_of(calendar, on: date) -> int:
    start = datetime.combine(on, datetime.min.time(), SHANGHAI)
    return calendar.time.seconds_between(start, start + timedelta(days=1))


def test_an_edit_by_hand_beats_the_official_day_from_the_next_version_on(database, now):
    with store.ReadSession() as session:
        before = calendar_named(session)
    edited = closed_on_the_tenth(before.version, now)
    assert (before.version, edited.version) == (1, 2)
    assert seconds_of(before, date(2026, 10, 10)) == 9 * 3600
    assert seconds_of(edited, date(2026, 10, 10)) == 2 * 3600


def test_an_old_version_stays_what_it_was(database, now):
    edited = closed_on_the_tenth(1, now)
    with store.ReadSession() as session:
        old = calendar_version(session, edited.id, 1)
        assert calendar_named(session) == edited
    assert seconds_of(old, date(2026, 10, 10)) == 9 * 3600


def test_an_edit_of_a_version_that_is_no_longer_the_newest_is_refused(database, now):
    closed_on_the_tenth(1, now)
    with pytest.raises(Refusal, match="changed_meanwhile"):
        closed_on_the_tenth(1, now)


def test_rule_7_an_edit_by_hand_survives_the_import_of_the_year_again(database, now):
    edited = closed_on_the_tenth(1, now, hours=())
    official = [
        AnnouncedDay(day.on, day.name, day.is_off)
        for day in official_days()
        if day.announced_for == 2026
    ]
    with store.writing() as session:
        again = import_announcement(
            session, calendar_id=edited.id, version=2, year=2026, days=official, now=now
        )
    assert not again.time.is_working_day(date(2026, 10, 10))
    assert not again.time.is_working_day(date(2026, 10, 1))
    assert again.time.is_working_day(date(2026, 9, 20))
    with store.writing() as session:
        back = edit_calendar(
            session, calendar_id=edited.id, version=3, now=now, days={date(2026, 10, 10): None}
        )
    assert back.time.is_working_day(date(2026, 10, 10))


def test_importing_a_year_again_replaces_what_it_announced_before(database, now):
    def announce(version: int, *off: date):
        with store.writing() as session:
            return import_announcement(
                session,
                calendar_id=calendar_named(session).id,
                version=version,
                year=2027,
                days=[AnnouncedDay(on, "新年", is_off=True) for on in off],
                now=now,
            )

    first = announce(1, date(2027, 1, 1), date(2027, 1, 4))
    assert not first.time.is_working_day(date(2027, 1, 4))
    second = announce(2, date(2027, 1, 1), date(2027, 1, 5))
    assert second.time.is_working_day(date(2027, 1, 4))
    assert not second.time.is_working_day(date(2027, 1, 5))


def test_rule_6_a_due_in_a_year_without_data_is_provisional_until_its_file_lists_a_day(
    database, now
):
    def provisional(calendar, text: str) -> bool:
        return calendar.time.is_provisional(epoch(at(text)))

    with store.writing() as session:
        standard = calendar_named(session)
        empty = import_announcement(
            session, calendar_id=standard.id, version=1, year=2027, days=[], now=now
        )
        known = import_announcement(
            session,
            calendar_id=standard.id,
            version=2,
            year=2027,
            days=[AnnouncedDay(date(2027, 1, 1), "元旦", is_off=True)],
            now=now,
        )
    assert provisional(standard, "2027-01-01 10:00")
    assert provisional(empty, "2027-01-01 10:00")
    assert not provisional(known, "2027-01-04 10:00")
    assert not provisional(standard, "2026-12-31 18:00")
    assert not provisional(standard, "2005-10-03 11:00")


def test_make_up_days_take_the_hours_of_monday_or_their_own(database, now):
    monday = ((540, 720), (780, 1080))
    make_up_day = AnnouncedDay(date(2026, 10, 10), "国庆节", is_off=False)
    with store.writing() as session:
        like_monday = add_calendar(
            session,
            name="shop",
            week={0: monday, 1: ((600, 660),)},
            announced=[make_up_day],
            now=now,
        )
        own = add_calendar(
            session,
            name="store",
            week={0: monday},
            make_up_hours=((540, 720),),
            announced=[make_up_day],
            now=now,
        )
    assert seconds_of(like_monday, date(2026, 10, 10)) == 8 * 3600
    assert seconds_of(own, date(2026, 10, 10)) == 3 * 3600


@pytest.mark.parametrize("week", [{}, {0: ((540, 600), (590, 700))}, {0: ((540, 1441),)}])
def test_rule_6_a_calendar_without_usable_hours_is_refused(database, now, week):
    with store.writing() as session, pytest.raises(Refusal, match="hours_unusable"):
        add_calendar(session, name="shop", week=week, now=now)
