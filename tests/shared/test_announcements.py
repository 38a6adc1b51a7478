"""Files of official days and typed hours: what is read, and what is refused with a reason."""

import json
from datetime import date

import pytest

from lib.shared.announcements import hours_words, read_announcement, read_hours
from lib.shared.errors import Refusal

DAY = {"name": "元旦", "date": "2027-01-01", "isOffDay": True}


def file(**changes) -> bytes:
    return json.dumps({"year": 2027, "papers": [], "days": [DAY]} | changes).encode()


def test_a_year_is_read_from_its_file():
    read = read_announcement(b"\xef\xbb\xbf" + file())
    assert (read.year, [(day.on, day.name, day.is_off) for day in read.days]) == (
        2027,
        [(date(2027, 1, 1), "元旦", True)],
    )


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (b"", "announcement_unreadable"),
        (b"\xff\xfe", "announcement_unreadable"),
        (b"[" * 100_000, "announcement_unreadable"),
        (b"[]", "announcement_unreadable"),
        (b" " * 300_000, "announcement_unreadable"),
        (file(days={}), "announcement_unreadable"),
        (file(days=[DAY] * 200), "announcement_unreadable"),
        (file(year="2027"), "announcement_of_no_year"),
        (file(year=True), "announcement_of_no_year"),
        (file(year=1900), "announcement_of_no_year"),
        (file(days=[]), "announcement_empty(year=2027)"),
        (file(days=[DAY, DAY]), "announcement_day_wrong(place=2)"),
        (file(days=["2027-01-01"]), "announcement_day_wrong(place=1)"),
        (file(days=[DAY | {"date": "2027-13-01"}]), "announcement_day_wrong(place=1)"),
        (file(days=[DAY | {"date": "2025-01-01"}]), "announcement_day_wrong(place=1)"),
        (file(days=[DAY | {"isOffDay": 1}]), "announcement_day_wrong(place=1)"),
        (file(days=[DAY | {"name": ""}]), "announcement_day_wrong(place=1)"),
        (file(days=[DAY | {"name": "x\u0000"}]), "announcement_day_wrong(place=1)"),
        (file(days=[DAY | {"name": "长" * 61}]), "announcement_day_wrong(place=1)"),
    ],
)
def test_a_file_that_cannot_be_believed_is_refused(content, refusal):
    with pytest.raises(Refusal) as refused:
        read_announcement(content)
    assert str(refused.value) == refusal


@pytest.mark.parametrize(
    ("typed", "hours"),
    [
        ("9-18", [(540, 1080)]),
        ("09:00-12:00 13:00-18:00", [(540, 720), (780, 1080)]),
        ("13：00－18：00，9 – 12", [(540, 720), (780, 1080)]),
        ("20:30~24:00", [(1230, 1440)]),
        ("", []),
    ],
)
def test_hours_are_read_as_people_type_them(typed, hours):
    assert list(read_hours(typed)) == hours
    assert list(read_hours(hours_words(hours))) == hours


@pytest.mark.parametrize("typed", ["9", "18-9", "9-25", "9-12 11-13", "9:70-10", "abc", "9-12-13"])
def test_hours_that_are_none_are_refused(typed):
    with pytest.raises(Refusal, match="hours_unreadable"):
        read_hours(typed)
