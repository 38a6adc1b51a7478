"""What a mapping makes of a log: files, times, values, moments and waiting states, on small logs of our own."""

import gzip
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest

from db.codes import EventKind
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.tickets.log_cases import PlannedCase, Refused
from lib.tickets.mapping import MAPPINGS, load_mapping
from lib.tickets.staging import staged

NOW = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)

CASES = """
kind = "cases"
[case]
id = "id"
[moments.arrival]
column = "opened"
"""
EVENTS = """
kind = "events"
[case]
id = "id"
[events]
activity = "what"
time = "at"
"""
XES = """
kind = "xes"
"""


class Desk:
    """Reads one log with one mapping in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, mapping: str, log: str | bytes) -> tuple[dict[str, PlannedCase], list[Refused]]:
        (self.folder / "log").write_bytes(log if isinstance(log, bytes) else log.encode())
        (self.folder / "mapping.toml").write_text(mapping, encoding="utf-8")
        form = load_mapping(self.folder / "mapping.toml")
        with staged(self.folder / "log", form, NOW) as stage:
            cases = {case.id: case for batch in stage.batches(2) for case in batch}
            assert len(cases) == stage.cases
            return cases, list(stage.refusals())

    def case(self, mapping: str, log: str | bytes) -> PlannedCase:
        cases, refused = self.read(mapping, log)
        assert refused == []
        (case,) = cases.values()
        return case


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def shown(second: int | None) -> str | None:
    return None if second is None else f"{datetime.fromtimestamp(second, SHANGHAI):%m-%d %H:%M:%S}"


def log_of(*lines: str) -> str:
    """A log of case A from "activity at" lines."""
    rows = [f"A,{line.rpartition(' ')[0]},2026-01-05T{line.rpartition(' ')[2]}" for line in lines]
    return "\n".join(["id,what,at", *rows]) + "\n"


# Files


def test_a_stated_encoding_delimiter_quote_and_missing_mark_are_heeded(desk):
    mapping = (
        CASES.replace(
            "[case]", '[file]\nencoding="gb18030"\ndelimiter=";"\nquote="|"\nmissing=["无"]\n[case]'
        )
        + '[moments.resolved]\ncolumn="done"\n[ticket]\ntitle="题"'
    )
    case = desk.case(
        mapping, "id;opened;done;题\n1;2026-01-05T09:00;无;|窗帘;脱轨|\n".encode("gb18030")
    )
    assert (case.title, case.resolved, shown(case.arrival)) == ("窗帘;脱轨", None, "01-05 09:00:00")


def test_a_wrong_encoding_is_refused_not_guessed(desk):
    with pytest.raises(Refusal, match="log_not_decodable"):
        desk.read(CASES, "id,opened\n窗帘,2026-01-05T09:00\n".encode("gb18030"))


def test_gzip_is_recognised_by_its_content(desk):
    assert desk.case(CASES, gzip.compress(b"id,opened\n7,2026-01-05T09:00\n")).id == "7"


def test_a_broken_gzip_file_is_refused(desk):
    packed = gzip.compress(b"id,opened\n" + b"7,2026-01-05T09:00\n" * 9)
    with pytest.raises(Refusal, match="log_unreadable"):
        desk.read(CASES, packed[:-12])


def test_a_byte_order_mark_is_no_part_of_the_first_column(desk):
    assert desk.case(CASES, b"\xef\xbb\xbfid,opened\n7,2026-01-05T09:00\n").id == "7"


def test_the_second_column_of_a_name_has_a_number(desk):
    log = "id,opened,note,note\n7,2026-01-05T09:00,first,second\n"
    assert desk.case(CASES + '[ticket]\ntitle = "note#2"\ntext = "note"', log).title == "second"


def test_a_column_that_the_log_lacks_is_refused_by_name(desk):
    with pytest.raises(Refusal, match="column=opened"):
        desk.read(CASES, "id,started\n7,2026-01-05T09:00\n")


def test_lines_above_the_header_are_skipped(desk):
    log = "Export of the old desk\n\nid,opened\n7,2026-01-05T09:00\n"
    assert desk.case(CASES.replace("[case]", "[file]\nheader_row = 3\n[case]"), log).row == 4


def test_a_row_of_another_width_is_refused_alone(desk):
    cases, refused = desk.read(
        CASES, "id,opened\n1,2026-01-05T09:00\n2,2026-01-05T09:00,more\n3\n4,2026-01-05T10:00\n"
    )
    assert list(cases) == ["1", "4"]
    assert [(line.row, line.case, line.reason) for line in refused] == [
        (3, "2", "columns"),
        (4, "3", "columns"),
    ]


def test_words_may_hold_line_ends_quotes_and_ideographic_spaces(desk):
    case = desk.case(
        CASES + '[ticket]\ntext="said"', 'id,opened,said\n1,2026-01-05T09:00,"\u3000a\n""b"""\n'
    )
    assert case.text == 'a\n"b"'


def test_a_sheet_gives_dates_and_numbers_as_they_are(desk):
    book = openpyxl.Workbook()
    book.active.title = "Other"
    sheet = book.create_sheet("Tickets")
    sheet.append(["id", "opened", "note"])
    sheet.append([4711.0, datetime(2026, 1, 5, 9, 30), None])  # noqa: DTZ001
    sheet.append([None, None, None])
    sheet.append(["4712", "2026-01-05 10:00", 1.5])
    book.save(desk.folder / "log")
    mapping = (
        CASES.replace("[case]", '[file]\nsheet = "Tickets"\n[case]') + '[ticket]\ntitle="note"'
    )
    cases, refused = desk.read(mapping, (desk.folder / "log").read_bytes())
    assert refused == []
    assert shown(cases["4711"].arrival) == "01-05 09:30:00"
    assert (cases["4712"].title, shown(cases["4712"].arrival)) == ("1.5", "01-05 10:00:00")


def test_a_sheet_that_is_not_there_is_refused(desk):
    book = openpyxl.Workbook()
    book.save(desk.folder / "log")
    with pytest.raises(Refusal, match="log_sheet_missing"):
        desk.read(
            CASES.replace("[case]", '[file]\nsheet = "Tickets"\n[case]'),
            (desk.folder / "log").read_bytes(),
        )


TRACE = """<?xml version="1.0"?>
<log xmlns="http://www.xes-standard.org/">
 <global scope="event"><string key="concept:name" value="none"/></global>
 <trace>
  <string key="concept:name" value="P-1"/><string key="org" value="A2"/>
  <list key="more"><values><string key="concept:name" value="inner"/></values></list>
  <event><string key="concept:name" value="Accepted"/>
   <string key="note" value="n"><string key="concept:name" value="nested"/></string>
   <date key="time:timestamp" value="2026-01-05T09:00:00.500+02:00"/></event>
  <event><string key="concept:name" value="Completed"/>
   <date key="time:timestamp" value="2026-01-05T10:00:00+02:00"/></event>
 </trace>
 <trace><string key="concept:name" value="P-2"/></trace>
</log>"""


def test_xes_needs_no_columns_for_what_is_standard(desk):
    cases, refused = desk.read(
        XES + '[ticket]\ntitle="case:org"\n[moments.resolved]\nactivities="Completed"', TRACE
    )
    assert (cases["P-1"].title, shown(cases["P-1"].resolved)) == ("A2", "01-05 10:00:00")
    assert [event.words for event in cases["P-1"].events] == ["Accepted", "Completed"]
    assert [(line.row, line.case, line.reason) for line in refused] == [(2, "P-2", "no_events")]


def test_xes_with_a_document_type_is_refused(desk):
    bomb = '<!DOCTYPE log [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><log>&b;</log>'
    with pytest.raises(Refusal, match="log_has_doctype"):
        desk.read(XES, bomb)


def test_xes_that_ends_too_early_is_refused(desk):
    with pytest.raises(Refusal, match="log_unreadable"):
        desk.read(XES, TRACE[:-10])


# Times


def test_several_formats_are_tried_in_their_order(desk):
    mapping = CASES.replace(
        "[case]", '[times]\nformats=["%Y/%m/%d %H:%M:%S", "%d.%m.%Y", "iso"]\n[case]'
    )
    cases, refused = desk.read(
        mapping, "id,opened\n1,2026/1/5 9:05:04\n2,06.01.2026\n3,2026-01-07\n4,soon\n5,\n"
    )
    assert [shown(case.arrival) for case in cases.values()] == [
        "01-05 09:05:04",
        "01-06 00:00:00",
        "01-07 00:00:00",
    ]
    assert [(line.row, line.column, line.value, line.reason) for line in refused] == [
        (5, "opened", "soon", "not_a_time"),
        (6, "opened", "", "arrival_missing"),
    ]


@pytest.mark.parametrize(
    ("zone", "written", "expected"),
    [
        ("as written", "2026-01-05T09:00:00+02:00", "01-05 09:00:00"),
        ("as written", "2026-01-05T09:00:00.999", "01-05 09:00:00"),
        ("Europe/Rome", "2026-01-05T09:00:00", "01-05 16:00:00"),
        ("Europe/Rome", "2026-01-05T09:00:00Z", "01-05 17:00:00"),
    ],
)
def test_a_zone_says_what_the_wall_clock_means(desk, zone, written, expected):
    mapping = CASES.replace("[case]", f'[times]\nzone="{zone}"\n[case]')
    assert shown(desk.case(mapping, f"id,opened\n1,{written}\n").arrival) == expected


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("2026-12-24T09:00:00", "arrival_in_future"),
        ("1901-01-01T09:00:00", "not_a_time"),
        ("2026-13-01T09:00:00", "not_a_time"),
    ],
)
def test_impossible_times_are_refused(desk, written, reason):
    _, (refused,) = desk.read(CASES, f"id,opened\n1,{written}\n")
    assert refused.reason == reason


# Values


def test_a_case_id_may_be_joined_from_columns_and_needs_each(desk):
    mapping = CASES.replace('id = "id"', 'id = { columns = ["branch", "no"], joined_by = "-" }')
    cases, refused = desk.read(
        mapping,
        "branch,no,opened\nN,1,2026-01-05T09:00\nS,1,2026-01-05T09:00\n,2,2026-01-05T09:00\n",
    )
    assert list(cases) == ["N-1", "S-1"]
    assert [(line.row, line.column, line.reason) for line in refused] == [
        (4, "branch + no", "case_id_missing")
    ]


def test_the_ticket_takes_title_text_company_contact_and_target(desk):
    mapping = CASES + (
        '[ticket]\ntitle="subject"\ntext={columns=["body","place"],joined_by=" / "}\n'
        'company={constant="Walk-in"}\ncontact="who"\ntarget="due"'
    )
    log = (
        "id,opened,subject,body,place,who,due\n1,2026-01-05T09:00,Rail,bent,,Li,2026-01-06T09:00\n"
    )
    case = desk.case(mapping, log)
    assert (case.title, case.text, case.company, case.contact) == ("Rail", "bent", "Walk-in", "Li")
    assert shown(case.target) == "01-06 09:00:00"


def test_a_long_title_is_cut_and_kept_whole_in_the_text(desk):
    title = "x" * 300
    case = desk.case(CASES + '[ticket]\ntitle="t"', f"id,opened,t\n1,2026-01-05T09:00,{title}\n")
    assert len(case.title) == 200
    assert case.text == title


def test_codes_come_from_globs_in_their_order_then_the_fallback(desk):
    mapping = CASES + (
        '[ticket]\ncategory={column="type",map={"Motor noise"="noise","Motor*"="motor_dead"},otherwise="other"}\n'
        'priority="urgency"\nchannel={column="via",map={"Call*"="phone"}}'
    )
    cases, refused = desk.read(
        mapping,
        "id,opened,type,urgency,via\n"
        "1,2026-01-05T09:00,Motor noise,p1,Call\n"
        "2,2026-01-05T09:00,Motor stopped,p2,Callback\n"
        "3,2026-01-05T09:00,,p4,Call\n"
        "4,2026-01-05T09:00,Rail,urgent,Call\n"
        "5,2026-01-05T09:00,Rail,p1,Pigeon\n",
    )
    assert [(case.fault, case.priority, case.channel) for case in cases.values()] == [
        ("noise", "p1", "phone"),
        ("motor_dead", "p2", "phone"),
        ("other", "p4", "phone"),
    ]
    assert [(line.case, line.column, line.value, line.reason) for line in refused] == [
        ("4", "urgency", "urgent", "unknown_code"),
        ("5", "via", "Pigeon", "unknown_code"),
    ]


def test_a_case_that_stands_twice_is_taken_once_and_told(desk):
    cases, refused = desk.read(CASES, "id,opened\n1,2026-01-05T09:00\n1,2026-01-06T09:00\n")
    assert shown(cases["1"].arrival) == "01-05 09:00:00"
    assert [(line.row, line.case, line.reason) for line in refused] == [(3, "1", "case_twice")]


def test_a_company_too_long_to_store_is_refused(desk):
    _, (refused,) = desk.read(
        CASES + '[ticket]\ncompany="c"', f"id,opened,c\n1,2026-01-05T09:00,{'x' * 121}\n"
    )
    assert refused.reason == "too_long"


# Moments


def moment(rule: str, *lines: str, extra: str = "") -> str:
    return EVENTS + extra + f"[moments.resolved]\n{rule}\n"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ('activities="Done"', "01-05 10:00:00"),
        ('activities="Done"\npick="last"', "01-05 14:00:00"),
        ('activities="done"', None),
        ('activities=["Done*"]\npick="last"', "01-05 15:00:00"),
        ('activities=["Done*","!Done-checked"]\npick="last"', "01-05 14:00:00"),
        ('activities=["!Done*","!Open"]', "01-05 11:00:00"),
        ('activities=["Done*"]\npick="first_of_final_run"', "01-05 14:00:00"),
        ('activities=["Done"]\npick="first_of_final_run"', None),
        ('activities=["Open","Wait","Done*"]\npick="first_of_final_run"', "01-05 09:00:00"),
    ],
)
def test_a_rule_over_activities_finds_its_moment(desk, rule, expected):
    log = log_of("Open 09:00", "Done 10:00", "Wait 11:00", "Done 14:00", "Done-checked 15:00")
    assert shown(desk.case(moment(rule), log).resolved) == expected


def test_events_arrive_with_the_first_in_time_whatever_the_file_says(desk):
    case = desk.case(EVENTS, log_of("Later 12:00", "Sooner 08:00"))
    assert shown(case.arrival) == "01-05 08:00:00"
    assert [event.words for event in case.events] == ["Sooner", "Later"]


def test_ties_keep_the_order_of_the_file(desk):
    log = log_of("Open 09:00", "Done 10:00", "Open 10:00")
    rule = 'activities="Done"\npick="first_of_final_run"'
    assert desk.case(moment(rule), log).resolved is None
    log = log_of("Open 09:00", "Open 10:00", "Done 10:00")
    assert shown(desk.case(moment(rule), log).resolved) == "01-05 10:00:00"


def test_a_rule_may_take_its_time_and_its_order_from_other_columns(desk):
    log = (
        "id,what,at,started,step\n"
        "A,Open,2026-01-05T09:00,2026-01-05T08:00,1\n"
        "A,Done,2026-01-05T12:00,2026-01-05T11:30,10\n"
        "A,Done,2026-01-05T13:00,2026-01-05T12:30,9\n"
    )
    by_time = moment('activities="Done"\npick="last"\ntime="started"')
    assert shown(desk.case(by_time, log).resolved) == "01-05 12:30:00"
    by_step = moment('activities="Done"\npick="last"\nordered_by="step"\nordered_as="number"')
    assert shown(desk.case(by_step, log).resolved) == "01-05 12:00:00"
    by_text = moment('activities="Done"\npick="last"\nordered_by="step"\nordered_as="text"')
    assert shown(desk.case(by_text, log).resolved) == "01-05 13:00:00"
    by_file = moment('activities="Done"\npick="last"\nordered_as="file"')
    assert shown(desk.case(by_file, log).resolved) == "01-05 13:00:00"


def test_a_column_that_should_order_but_has_no_number_is_refused(desk):
    log = "id,what,at,step\nA,Open,2026-01-05T09:00,one\n"
    mapping = EVENTS + 'ordered_by="step"\nordered_as="number"\n'
    _, (refused,) = desk.read(mapping, log)
    assert (refused.column, refused.value, refused.reason) == ("step", "one", "not_a_number")


@pytest.mark.parametrize(("which", "company"), [("first", "Old"), ("last", "New")])
def test_the_fields_of_a_case_come_from_its_first_or_last_event(desk, which, company):
    log = "id,what,at,c\nA,Done,2026-01-05T12:00,New\nA,Open,2026-01-05T09:00,Old\n"
    mapping = EVENTS + f'case_values="{which}"\n[ticket]\ncompany="c"\n'
    assert desk.case(mapping, log).company == company


def test_events_may_take_a_moment_from_a_column_of_the_case(desk):
    log = "id,what,at,opened\nA,Done,2026-01-05T12:00,2026-01-04T12:00\n"
    case = desk.case(EVENTS + '[moments.arrival]\ncolumn="opened"\n', log)
    assert shown(case.arrival) == "01-04 12:00:00"
    assert [(event.kind, event.words) for event in case.events] == [
        (EventKind.RECEIVED, ""),
        (EventKind.IMPORTED, "Done"),
    ]


def test_events_of_a_case_need_not_stand_together(desk):
    log = "id,what,at\nA,Open,2026-01-05T09:00\nB,Open,2026-01-05T09:30\nA,Done,2026-01-05T10:00\n"
    cases, _ = desk.read(moment('activities="Done"'), log)
    assert list(cases) == ["A", "B"]
    assert shown(cases["A"].resolved) == "01-05 10:00:00"


def test_one_bad_event_refuses_its_whole_case_and_no_other(desk):
    log = "id,what,at\nA,Open,2026-01-05T09:00\nB,Open,never\nA,,2026-01-05T10:00\nC,Open,2026-01-05T11:00\n"
    cases, refused = desk.read(EVENTS, log)
    assert list(cases) == ["C"]
    assert [(line.row, line.case, line.reason) for line in refused] == [
        (3, "B", "not_a_time"),
        (4, "A", "activity_missing"),
    ]


def test_words_of_a_moment_go_to_the_timeline(desk):
    mapping = CASES + '[moments.first_response]\ncolumn="answered"\nwords="answer"\n'
    case = desk.case(
        mapping, "id,opened,answered,answer\n1,2026-01-05T09:00,2026-01-06T09:00,Soon\n"
    )
    assert [(event.kind, event.words) for event in case.events] == [
        (EventKind.RECEIVED, ""),
        (EventKind.CONTACTED, "Soon"),
    ]


def test_a_moment_before_the_arrival_is_kept(desk):
    mapping = CASES + '[moments.resolved]\ncolumn="done"\n'
    case = desk.case(mapping, "id,opened,done\n1,2026-01-05T09:00,2026-01-04T09:00\n")
    assert shown(case.resolved) == "01-04 09:00:00"


# Waiting, and where a case stands

WAITING = EVENTS + (
    '[[waiting]]\nactivities=["Wait*","!Wait-parts"]\n[[waiting]]\nactivities="Wait-parts"\nfor="parts"\n'
    '[moments.first_response]\nactivities="Accept"\n[moments.resolved]\nactivities="Done"\n'
    '[moments.closed]\nactivities="Closed"\n'
)


def test_a_waiting_state_lasts_until_the_next_event(desk):
    log = log_of("Open 09:00", "Wait-customer 10:00", "Wait-parts 11:00", "Done 12:00")
    waits = [
        (event.kind, shown(event.at), event.waiting_for)
        for event in desk.case(WAITING, log).events
        if event.waiting_for
    ]
    assert waits == [
        (EventKind.WAITING_STARTED, "01-05 10:00:00", "customer"),
        (EventKind.WAITING_ENDED, "01-05 11:00:00", "customer"),
        (EventKind.WAITING_STARTED, "01-05 11:00:00", "parts"),
        (EventKind.WAITING_ENDED, "01-05 12:00:00", "parts"),
    ]


@pytest.mark.parametrize(
    ("last", "status", "waiting_for"),
    [
        ("Look 10:00", "new", None),
        ("Accept 10:00", "contacted", None),
        ("Wait-parts 10:00", "waiting", "parts"),
        ("Done 10:00", "contacted", None),
        ("Closed 10:00", "closed", None),
    ],
)
def test_a_case_stands_where_its_history_ends(desk, last, status, waiting_for):
    case = desk.case(WAITING, log_of("Open 09:00", last))
    assert (case.status, case.waiting_for) == (status, waiting_for)


# Mappings


def test_every_mapping_that_comes_with_the_product_is_sound():
    names = {path.stem: load_mapping(Path(path.stem)).name for path in MAPPINGS.glob("*.toml")}
    assert len(names) == 4
    assert all(stem == name for stem, name in names.items())


def test_the_example_of_the_documentation_is_sound(tmp_path):
    text = (MAPPINGS / "README.md").read_text(encoding="utf-8")
    example = text.partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "example.toml").write_text(example, encoding="utf-8")
    assert load_mapping(tmp_path / "example.toml").name == "old_desk"


@pytest.mark.parametrize(
    ("mapping", "place"),
    [
        ("kind = ", "m.toml"),
        ('kind = "rows"', "kind"),
        (CASES + "[ticket]\ntitel = 'x'", "ticket.titel"),
        (CASES.replace('[case]\nid = "id"', ""), "case"),
        (CASES.replace("[moments.arrival]\n", "[moments.resolved]\n"), "m.toml"),
        (CASES + "[[waiting]]\nactivities = 'Wait'", "m.toml"),
        (CASES + "[moments.closed]\nactivities = 'Closed'", "m.toml"),
        (CASES + "[moments.closed]\ncolumn = 'x'\nactivities = 'Closed'", "moments.closed"),
        (CASES + "[times]\nzone = 'Europe/Atlantis'", "times.zone"),
        (CASES + "[file]\nencoding = 'klingon'", "file.encoding"),
        (CASES + "[file]\ndelimiter = ';;'", "file.delimiter"),
        (CASES + "[ticket]\ncontact = 'who'", "ticket"),
        (
            CASES + "[ticket]\ncategory = { column = 'c', otherwise = 'broken' }",
            "ticket.category.otherwise",
        ),
        (CASES + "[ticket]\ntitle = {}", "ticket.title"),
        (EVENTS + "ordered_as = 'number'", "events"),
        ('kind = "events"\n[case]\nid = "id"', "m.toml"),
    ],
)
def test_a_wrong_mapping_is_refused_with_its_place(tmp_path, mapping, place):
    (tmp_path / "m.toml").write_text(mapping, encoding="utf-8")
    with pytest.raises(Refusal) as told:
        load_mapping(tmp_path / "m.toml")
    assert (told.value.key, told.value.params["place"]) == ("mapping_wrong", place)


def test_a_mapping_nobody_wrote_is_refused():
    with pytest.raises(Refusal, match="mapping_missing"):
        load_mapping(Path("no-such-mapping"))
