"""Taking over history: once per case, all or nothing, without timers, alarms or messages."""

from datetime import datetime
from pathlib import Path

import openpyxl
import pytest
from sqlalchemy import func, select

from db import session as store
from db.codes import EventKind, ReturnCallResult, TicketStatus
from db.models.customers import Contact, Customer
from db.models.people import AuditRow, Change
from db.models.tickets import NEVER_DUE, ImportRun, QueueRow, ReturnCall, Ticket, TicketEvent, Timer
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.shared.work import perform, permit_of
from lib.tickets import actions, history
from lib.tickets.history import Imported, import_history
from lib.tickets.log_readers import file_hash
from lib.tickets.mapping import load_mapping
from lib.tickets.refusals import harmless, write_refusals
from lib.tickets.staging import staged

MAPPING = """
name = "old desk"
kind = "events"
[case]
id = "id"
[events]
activity = "what"
time = "at"
[ticket]
title = "subject"
company = "company"
contact = "who"
target = "due"
[moments.first_response]
activities = "Accept"
[moments.resolved]
activities = "Done"
[moments.closed]
activities = "Closed"
[[waiting]]
activities = "Wait"
for = "parts"
"""
HEADER = "id,what,at,subject,company,who,due\n"
LOG = HEADER + (
    "A,Open,2025-06-02T09:00,Rail bent,Lotus Hotel,Li,2025-06-03T09:00\n"
    "A,Accept,2025-06-02T09:20,Rail bent,Lotus Hotel,Li,2025-06-03T09:00\n"
    "A,Wait,2025-06-02T10:00,Rail bent,Lotus Hotel,Li,2025-06-03T09:00\n"
    "A,Look,2025-06-02T11:00,Rail bent,Lotus Hotel,Li,2025-06-03T09:00\n"
    "A,Done,2025-06-02T12:00,Rail bent,Lotus Hotel,Li,2025-06-03T09:00\n"
    "A,Closed,2025-06-03T09:00,Rail bent,Lotus Hotel,Li,2025-06-03T09:00\n"
    "B,Open,2026-01-05T09:00,Motor dead,Lotus Hotel,Wang,\n"
    "C,Open,2026-01-06T09:00,Cord,Pine School,,\n"
    "C,Wait,2026-01-06T10:00,Cord,Pine School,,\n"
)


class OldDesk:
    """Brings one log to the desk, as the verb does."""

    def __init__(self, folder: Path, now: datetime) -> None:
        self.folder, self.now = folder, now

    def bring(self, log: str = LOG, *, mapping: str = MAPPING, **how) -> Imported:
        path = self.folder / "log.csv"
        path.write_text(log, encoding="utf-8")
        (self.folder / "mapping.toml").write_text(mapping, encoding="utf-8")
        form = load_mapping(self.folder / "mapping.toml")
        with staged(path, form, self.now) as stage:
            return import_history(path, form, stage, now=self.now, **how)


@pytest.fixture
def old_desk(database, tmp_path, now):
    return OldDesk(tmp_path, now)


def rows(query):
    with store.ReadSession() as session:
        return session.scalars(query).all()


def count(model) -> int:
    return rows(select(func.count()).select_from(model))[0]


def ticket(external_id: str) -> Ticket:
    return rows(select(Ticket).where(Ticket.external_id == external_id))[0]


@pytest.mark.postgres_smoke
def test_a_case_arrives_with_its_facts(old_desk, now):
    told = old_desk.bring()
    assert told == Imported("old desk", 9, 3, 0, 0, 10)
    case = ticket("A")
    assert (case.source, case.status, case.title) == ("old desk", TicketStatus.CLOSED, "Rail bent")
    assert case.received_at == datetime(2025, 6, 2, 9, tzinfo=SHANGHAI)
    assert case.target_at == case.closed_at == datetime(2025, 6, 3, 9, tzinfo=SHANGHAI)
    assert case.entered_at == now
    facts = rows(
        select(TicketEvent).where(TicketEvent.ticket_id == case.id).order_by(TicketEvent.id)
    )
    assert [(fact.kind, fact.words, fact.outbound) for fact in facts] == [
        (EventKind.RECEIVED, "Open", False),
        (EventKind.CONTACTED, "Accept", True),
        (EventKind.WAITING_STARTED, "Wait", False),
        (EventKind.WAITING_ENDED, "", False),
        (EventKind.IMPORTED, "Look", False),
        (EventKind.COMPLETED, "Done", False),
        (EventKind.CLOSED, "Closed", False),
    ]


def test_numbers_are_those_of_the_year_of_receipt_and_never_given_twice(old_desk):
    old_desk.bring()
    old_desk.bring(HEADER + "D,Open,2025-07-01T09:00,x,,,\n", source="another desk")
    numbers = {case.external_id: case.number for case in rows(select(Ticket))}
    assert numbers == {
        "A": "CC-2025-000001",
        "B": "CC-2026-000001",
        "C": "CC-2026-000002",
        "D": "CC-2025-000002",
    }


def test_the_second_import_adds_nothing(old_desk):
    old_desk.bring()
    before = count(TicketEvent), count(Customer), count(Contact), count(QueueRow)
    again = old_desk.bring()
    assert (again.cases_new, again.cases_known) == (0, 3)
    assert (count(TicketEvent), count(Customer), count(Contact), count(QueueRow)) == before


def test_only_what_is_new_is_added_to_what_is_known(old_desk):
    old_desk.bring()
    told = old_desk.bring(LOG + "D,Open,2026-02-01T09:00,x,Lotus Hotel,,\n")
    assert (told.cases_new, told.cases_known) == (1, 3)


def test_the_same_id_from_another_source_is_another_case(old_desk):
    old_desk.bring()
    assert old_desk.bring(source="elsewhere").cases_new == 3
    assert count(Ticket) == 6


def test_a_dry_run_counts_and_writes_nothing(old_desk):
    told = old_desk.bring(dry_run=True)
    assert (told.cases_new, told.cases_known) == (3, 0)
    assert (count(Ticket), count(ImportRun), count(AuditRow)) == (0, 0, 0)
    old_desk.bring()
    assert old_desk.bring(dry_run=True).cases_known == 3


def test_companies_and_contacts_are_found_by_name_else_written_down(old_desk, now):
    with store.writing() as session:
        known = Customer(name="Lotus Hotel", created_at=now)
        session.add(known)
        session.flush()
        known_id = known.id
    old_desk.bring()
    assert {customer.name for customer in rows(select(Customer))} == {"Lotus Hotel", "Pine School"}
    assert ticket("A").customer_id == ticket("B").customer_id == known_id
    assert {contact.name for contact in rows(select(Contact))} == {"Li", "Wang"}
    assert ticket("C").contact_id is None
    assert (
        "pine school" in rows(select(Customer).where(Customer.name == "Pine School"))[0].search_key
    )


def test_history_gets_no_timers_and_no_return_calls_and_open_cases_stand_last(old_desk):
    old_desk.bring()
    assert (count(Timer), count(ReturnCall)) == (0, 0)
    lines = {line.number: line for line in rows(select(QueueRow))}
    assert lines.keys() == {ticket("B").number, ticket("C").number}
    waiting = lines[ticket("C").number]
    assert (waiting.due_at, waiting.due_kind, waiting.imported) == (NEVER_DUE, None, True)
    assert (waiting.status, waiting.waiting_for) == ("waiting", "parts")
    assert lines[ticket("B").number].customer_name == "Lotus Hotel"
    assert lines[ticket("B").number].contact_name == "Wang"
    assert lines[ticket("B").number].search_key == "|cc-2026-000001|lotus hotel|lotushotel|wang"


def test_an_open_case_can_be_worked_on_to_its_end_and_never_gets_a_timer(old_desk, cast, now):
    old_desk.bring()
    case = ticket("B")
    who = {"actor": cast.hotline, "now": now}
    perform(actions.log_contact, ticket_id=case.id, version=case.version, words="called", **who)
    perform(actions.complete_ticket, ticket_id=case.id, version=None, words="fixed", **who)
    assert count(Timer) == 0
    call = rows(select(ReturnCall))[0]
    perform(
        actions.try_return_call,
        return_call_id=call.id,
        version=call.version,
        result=ReturnCallResult.FIXED,
        words="",
        **who,
    )
    assert ticket("B").status is TicketStatus.CLOSED
    assert {line.number for line in rows(select(QueueRow))} == {ticket("C").number}


def test_an_import_leaves_one_audit_row_and_one_change(old_desk, tmp_path):
    old_desk.bring()
    (audit,) = rows(select(AuditRow))
    (run,) = rows(select(ImportRun))
    assert (audit.action, audit.subject_id, audit.actor_name) == (
        "tickets.imported",
        run.id,
        "import",
    )
    assert audit.details["file_hash"] == run.file_hash == file_hash(tmp_path / "log.csv")
    assert (audit.details["cases_new"], run.cases_new, run.rows_read) == (3, 3, 9)
    assert [change.ticket_id for change in rows(select(Change))] == [0]


def test_refused_cases_stay_out_and_the_others_come_in(old_desk):
    told = old_desk.bring(LOG + "D,Open,never,x,,,\nD,Done,2026-01-01T09:00,x,,,\n,Open,,,,,\n")
    assert (told.cases_new, told.cases_refused) == (3, 2)
    assert rows(select(ImportRun))[0].cases_refused == 2


def test_an_import_that_fails_half_way_leaves_nothing(old_desk, monkeypatch):
    monkeypatch.setattr(history, "BATCH", 1)
    steps = []

    def fail(doing: str, done: int, total: int) -> None:
        if doing == "writing":
            steps.append(done)
            if done == 2:
                raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        old_desk.bring(progress=fail)
    assert steps == [1, 2]
    assert (count(Ticket), count(TicketEvent), count(Customer), count(AuditRow)) == (0, 0, 0, 0)
    assert old_desk.bring().cases_new == 3


@pytest.mark.parametrize("source", ["", "  ", "x" * 61])
def test_a_source_needs_a_name(old_desk, source):
    with pytest.raises(Refusal, match="source_unclear"):
        old_desk.bring(source=source)


def test_nobody_imports_from_a_page():
    assert permit_of(history.import_cases).roles == frozenset()


def test_what_was_refused_is_told_row_by_row_without_formulas(tmp_path, now):
    log = "id,opened\n1,=1+1\n=cmd,2026-01-05T09:00,\n2,\n"
    (tmp_path / "log.csv").write_text(log, encoding="utf-8")
    mapping = 'kind="cases"\n[case]\nid="id"\n[moments.arrival]\ncolumn="opened"\n'
    (tmp_path / "m.toml").write_text(mapping, encoding="utf-8")
    out = tmp_path / "refused.xlsx"
    with staged(tmp_path / "log.csv", load_mapping(tmp_path / "m.toml"), now) as stage:
        assert write_refusals(out, stage.refusals()) == 3
    sheet = openpyxl.load_workbook(out).active
    told = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
    assert [row[:2] + row[3:4] for row in told] == [
        [2, "1", "'=1+1"],
        [3, "'=cmd", ""],
        [4, "2", ""],
    ]
    assert told[0][2] == "opened"
    assert all("/" in row[4] for row in told), "the reason in both languages"
    assert not any(cell.data_type == "f" for row in sheet.iter_rows() for cell in row)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_no_cell_runs_as_a_formula(start):
    assert harmless(f"{start}1").startswith("'")
    assert harmless("1-1") == "1-1"


def test_a_batch_is_no_border(old_desk, monkeypatch):
    monkeypatch.setattr(history, "BATCH", 2)
    lines = [f"{number},Open,2026-01-0{number + 1}T09:00,x,C{number % 3},," for number in range(7)]
    assert old_desk.bring(HEADER + "\n".join(lines) + "\n").cases_new == 7
    assert count(Customer) == 3
    assert sorted(case.number for case in rows(select(Ticket))) == [
        f"CC-2026-{number:06d}" for number in range(1, 8)
    ]
