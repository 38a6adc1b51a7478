"""Deadlines for a file: every row gets one, or the reason why not."""

import csv
import io
from pathlib import Path

import pytest

from lib.reports.due_report import write_dues
from lib.shared.calendars import STANDARD
from lib.shared.errors import Refusal
from lib.shared.work import look, system


@pytest.fixture
def written(database, now, tmp_path):
    def write(text: str, calendar: str = STANDARD):
        file = tmp_path / "starts.csv"
        file.write_text(text, encoding="utf-8-sig")
        out = io.StringIO()
        counts = look(
            write_dues, actor=system("test"), now=now, file=file, calendar=calendar, out=out
        )
        return counts, list(csv.DictReader(io.StringIO(out.getvalue())))

    return write


@pytest.mark.parametrize(
    ("start", "hours", "deadline"),
    [
        ("2026-11-24 10:00:00", "4", "2026-11-24 14:00:00"),
        ("2026-11-24 17:00:00", "1", "2026-11-24 18:00:00"),
        ("2026-11-24 17:00:00", "1.5", "2026-11-25 09:30:00"),
        ("2026-11-24 20:00:00", "0.5", "2026-11-25 09:30:00"),
        ("2026-09-30 17:30:00", "1", "2026-10-08 09:30:00"),
        ("2026-09-19 12:00:00", "9", "2026-09-20 18:00:00"),
        ("2026/11/24 10:00", "0.25", "2026/11/24 10:15"),
        ("2026-11-24T10:00:00+08:00", "1", "2026-11-24T11:00:00+08:00"),
        ("2026-11-24T02:00:00+00:00", "1", "2026-11-24T03:00:00+00:00"),
        ("2026-11-24 10:00", "0.0001", "2026-11-24 10:00:01"),
    ],
)
def test_a_deadline_is_the_earliest_instant_in_the_form_of_the_start(
    written, start, hours, deadline
):
    counts, rows = written(f"start,business_hours\n{start},{hours}\n")
    assert rows == [{"start": start, "business_hours": hours, "deadline": deadline, "reason": ""}]
    assert (counts.computed, counts.refused) == (1, 0)


@pytest.mark.parametrize(
    ("start", "hours", "reason"),
    [
        ("", "1", "start is empty"),
        ("yesterday", "1", "start is not a time"),
        ("2026-02-30 10:00:00", "1", "start is not a time"),
        ("2026-11-24 10:00:00", "", "business_hours is empty"),
        ("2026-11-24 10:00:00", "soon", "business_hours is not a number"),
        ("2026-11-24 10:00:00", "nan", "business_hours is not a number"),
        ("2026-11-24 10:00:00", "0", "business_hours must be above zero"),
        ("2026-11-24 10:00:00", "-2", "business_hours must be above zero"),
        ("2026-11-24 10:00:00", "90000", "no deadline within five years"),
        ("2026-11-24 10:00:00", "1e30", "no deadline within five years"),
        ("0001-01-01 00:00:00", "1", "no deadline within five years"),
    ],
)
def test_a_row_that_cannot_be_computed_says_why(written, start, hours, reason):
    counts, rows = written(f"start,business_hours\n{start},{hours}\n")
    assert (rows[0]["deadline"], rows[0]["reason"]) == ("", reason)
    assert (counts.computed, counts.refused) == (0, 1)


def test_other_columns_stay_as_they_are(written):
    _, rows = written('number,start,note,business_hours\nA-1,2026-11-24 10:00:00,"窗帘, 三楼",1\n')
    assert list(rows[0]) == ["number", "start", "note", "business_hours", "deadline", "reason"]
    assert (rows[0]["number"], rows[0]["note"]) == ("A-1", "窗帘, 三楼")


def test_a_deadline_that_the_file_brings_is_computed_anew_in_its_place(written):
    _, rows = written("start,deadline,business_hours\n2026-11-24 10:00:00,never,1\n")
    assert list(rows[0]) == ["start", "deadline", "business_hours", "reason"]
    assert rows[0]["deadline"] == "2026-11-24 11:00:00"


def test_a_file_without_the_columns_is_refused(written):
    with pytest.raises(Refusal, match="due_columns_missing"):
        written("begin,hours\n1,2\n")


def test_a_missing_file_or_calendar_is_refused(database, now, tmp_path):
    arguments = {"actor": system("test"), "now": now, "out": io.StringIO()}
    with pytest.raises(Refusal, match="due_file_unreadable"):
        look(write_dues, file=Path(tmp_path / "none.csv"), calendar=STANDARD, **arguments)
    with pytest.raises(Refusal, match="no_such_calendar"):
        look(write_dues, file=Path(tmp_path / "none.csv"), calendar="mars", **arguments)
