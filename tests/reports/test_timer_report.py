"""The report of the clocks: counted from stored facts, empty where nothing can be computed."""

import csv
import gzip
import json
from datetime import datetime

import pytest

from db import session as store
from lib.reports.timer_report import COLUMNS, CaseClock, row_of, write_timer_report
from lib.reports.try_data import Tried, compare, try_deadlines, try_log, try_official_days
from lib.shared.calendar import WorkingCalendar
from lib.shared.calendars import STANDARD
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.shared.work import look, system
from lib.tickets.history import import_history
from lib.tickets.mapping import load_mapping
from lib.tickets.staging import staged

DESK = WorkingCalendar.build(dict.fromkeys(range(5), ((540, 1080),)), years=(2026, 2027))
HOUR = 3600


def at(text: str) -> int:
    """Epoch seconds of "01-05 09:00" in 2026."""
    return int(datetime.fromisoformat(f"2026-{text}").replace(tzinfo=SHANGHAI).timestamp())


def test_wall_and_working_seconds_from_the_arrival_to_each_moment():
    row = row_of(
        CaseClock("A", at("01-05 17:00"), at("01-05 18:30"), at("01-06 10:00"), at("01-07 10:00")),
        DESK,
    )
    assert row == {
        "case_id": "A",
        "arrival": "2026-01-05 17:00:00",
        "first_response": "2026-01-05 18:30:00",
        "resolved": "2026-01-06 10:00:00",
        "closed": "2026-01-07 10:00:00",
        "cal_first_response_s": 5400,
        "bus_first_response_s": HOUR,
        "cal_resolve_s": 17 * HOUR,
        "bus_resolve_s": 2 * HOUR,
        "cal_close_s": 41 * HOUR,
        "bus_close_s": 11 * HOUR,
        "wait_cal_s": 0,
        "wait_bus_s": 0,
        "cal_resolve_net_s": 17 * HOUR,
        "bus_resolve_net_s": 2 * HOUR,
        "flags": "",
    }


def test_what_did_not_happen_is_empty_and_flagged():
    row = row_of(CaseClock("A", at("01-05 09:00")), DESK)
    assert row == {
        "case_id": "A",
        "arrival": "2026-01-05 09:00:00",
        "flags": "no_response no_resolve no_close",
    }


def test_a_moment_before_the_arrival_is_shown_but_has_no_durations():
    before = at("01-05 08:00")
    row = row_of(
        CaseClock("A", at("01-05 09:00"), before, before, before, ((at("01-05 08:30"), None),)),
        DESK,
    )
    assert row["resolved"] == "2026-01-05 08:00:00"
    assert row["flags"] == "neg_response neg_resolve neg_close"
    assert row.keys() == {"case_id", "arrival", "first_response", "resolved", "closed", "flags"}


def test_waiting_is_clipped_to_the_case_and_overlaps_count_once():
    clock = CaseClock("A", at("01-05 10:00"), resolved=at("01-06 10:00"))
    clock.waiting = (
        (at("01-06 09:30"), None),
        (at("01-05 09:00"), at("01-05 11:00")),
        (at("01-05 10:30"), at("01-05 12:00")),
        (at("01-05 17:00"), at("01-05 20:00")),
        (at("01-05 15:00"), at("01-05 14:00")),
    )
    row = row_of(clock, DESK)
    assert (row["wait_cal_s"], row["wait_bus_s"]) == (5.5 * HOUR, 3.5 * HOUR)
    assert (row["cal_resolve_net_s"], row["bus_resolve_net_s"]) == (18.5 * HOUR, 5.5 * HOUR)


MAPPING = """
name = "old desk"
kind = "events"
[case]
id = "id"
[events]
activity = "what"
time = "at"
[moments.first_response]
activities = "Accept"
[moments.resolved]
activities = "Done"
pick = "last"
[[waiting]]
activities = "Wait"
"""
LOG = """id,what,at
A,Open,2026-01-05T17:00
A,Accept,2026-01-05T17:30
A,Wait,2026-01-05T18:00
A,Look,2026-01-06T09:30
A,Done,2026-01-06T10:00
B,Open,2026-10-10T09:00
"""
EXPECTED = """case_id,arrival,first_response,resolved,n_events,bus_resolve_s,wait_bus_s,bus_resolve_net_s,flags
A,2026-01-05 17:00:00,2026-01-05 17:30:00,2026-01-06 10:00:00,5,7200,1800,5400,no_close
B,2026-10-10 09:00:00,,,1,,,,no_response no_resolve no_close
"""


@pytest.fixture
def log(tmp_path):
    (tmp_path / "log.csv").write_text(LOG, encoding="utf-8")
    (tmp_path / "old.toml").write_text(MAPPING, encoding="utf-8")
    with gzip.open(tmp_path / "expected.csv.gz", "wt", encoding="utf-8") as file:
        file.write(EXPECTED)
    return tmp_path


def report(out, now, *, source="old desk", calendar=STANDARD) -> int:
    return look(
        write_timer_report,
        actor=system("report"),
        now=now,
        source=source,
        calendar=calendar,
        out=out,
    )


def bring(log, now):
    form = load_mapping(log / "old.toml")
    with staged(log / "log.csv", form, now) as stage:
        import_history(log / "log.csv", form, stage, now=now)


@pytest.mark.postgres_smoke
def test_the_report_counts_what_the_database_holds(database, log, now):
    bring(log, now)
    assert report(log / "out.csv", now) == 2
    with (log / "out.csv").open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        assert tuple(table.fieldnames) == COLUMNS
        first, second = table
    assert (first["case_id"], first["bus_resolve_s"], first["wait_bus_s"]) == ("A", "7200", "1800")
    assert (second["resolved"], second["wait_cal_s"]) == ("", "")


def test_a_calendar_or_a_source_nobody_knows_is_refused_and_leaves_no_file(database, log, now):
    bring(log, now)
    with pytest.raises(Refusal, match="no_such_calendar"):
        report(log / "out.csv", now, calendar="lunar")
    with pytest.raises(Refusal, match="no_such_source"):
        report(log / "out.csv", now, source="nobody")
    assert not (log / "out.csv").exists()


def test_a_trial_names_every_cell_that_is_not_as_expected(database, log, now):
    tried = try_log(log / "log.csv", str(log / "old.toml"), log / "expected.csv.gz", log, now)
    assert (tried.cases, tried.new, tried.new_again, tried.well) == (2, 2, 0, True)
    assert "bus_resolve_net_s" in tried.columns
    with gzip.open(log / "expected.csv.gz", "wt", encoding="utf-8") as file:
        file.write(EXPECTED.replace(",1800,", ",1801,").replace("B,", "C,"))
    again = Tried("again", cases=2)
    compare(log / "old.csv", log / "expected.csv.gz", again)
    assert again.differences == {"wait_bus_s": 1, "case_id": 2}
    assert not again.well


def test_a_trial_checks_official_days_and_deadlines(database, tmp_path):
    (tmp_path / "cn").mkdir()
    (tmp_path / "expected").mkdir()
    days = [
        {"date": "2026-10-01", "isOffDay": True},
        {"date": "2026-10-10", "isOffDay": False},
        {"date": "2026-11-24", "isOffDay": True},
    ]
    (tmp_path / "cn" / "holiday_2026.json").write_text(json.dumps({"days": days}), encoding="utf-8")
    (tmp_path / "expected" / "deadlines.csv").write_text(
        "start,business_hours,deadline\n"
        "2026-09-30 17:30:00,1,2026-10-08 09:30:00\n"
        "2026-09-30 17:30:00,0.5,2026-09-30 18:00:01\n",
        encoding="utf-8",
    )
    with store.ReadSession():
        number, wrong = try_official_days(tmp_path)
    assert number == 3
    assert "2026-11-24" in wrong
    assert "2026-10-01" not in wrong
    assert try_deadlines(tmp_path) == (2, ["2026-09-30 17:30:00 + 0.5 h: 2026-09-30 18:00:00"])
