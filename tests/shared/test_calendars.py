"""Calendars as records: the one that comes with the product, exceptions by hand, and new versions."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm.attributes import flag_modified

from db import session as store
from db.codes import DayKind, DaySource
from db.models.calendars import Calendar, CalendarDay, CalendarSpan
from lib.shared.calendars import calendar_named
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


def test_an_edit_by_hand_beats_the_official_day_from_the_next_version_on(database):
    with store.writing() as session:
        assert not calendar_named(session).time.is_working_day(date(2026, 10, 1))
        standard = session.get(Calendar, calendar_named(session).id)
        standard.days.append(
            CalendarDay(
                on_day=date(2026, 10, 1),
                kind=DayKind.OTHER_HOURS,
                source=DaySource.HAND,
                opens_minute=600,
                closes_minute=720,
            )
        )
        flag_modified(standard, "zone")
        session.flush()
        edited = calendar_named(session)
    assert edited.version > 1
    assert edited.time.seconds_between(at("2026-10-01 00:00"), at("2026-10-02 00:00")) == 7200


def test_make_up_days_take_the_hours_of_monday(database):
    with store.writing() as session:
        session.add(
            Calendar(
                name="shop",
                zone="Asia/Shanghai",
                spans=[
                    CalendarSpan(weekday=0, opens_minute=540, closes_minute=720),
                    CalendarSpan(weekday=0, opens_minute=780, closes_minute=1080),
                    CalendarSpan(weekday=1, opens_minute=600, closes_minute=660),
                ],
                days=[
                    CalendarDay(
                        on_day=date(2026, 10, 10), kind=DayKind.OPEN, source=DaySource.OFFICIAL
                    )
                ],
            )
        )
        session.flush()
        shop = calendar_named(session, "shop").time
    assert shop.seconds_between(at("2026-10-10 00:00"), at("2026-10-11 00:00")) == 8 * 3600
