"""`./run verify`: what is stored against what it must be, each check ok or its first bad row."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from db.models.people import AuditHead
from db.models.stock import Part
from lib.reports import day_figures
from lib.shared import audit
from lib.shared.work import Look
from lib.stock.queries import find_ledger_faults
from lib.tickets import counters
from lib.tickets.checks import check_timers
from lib.tickets.version_checks import check_versions


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `told` counts what is well, or names the first bad row by ids and codes."""

    check: str
    ok: bool
    told: str


def check_audit(look: Look) -> Finding:
    """The audit chain and the heads exported so far."""
    bad = audit.verify_chain(look.session, audit.read_exported_heads())
    if bad is not None:
        return Finding("audit chain", False, f"row {bad.id}: {bad.damage}")
    rows = look.session.scalar(select(AuditHead.audit_id)) or 0
    return Finding("audit chain", True, f"{rows} rows")


def check_stock(look: Look) -> Finding:
    """What is on hand against the ledger, line by line."""
    faults = find_ledger_faults(look)
    if faults:
        first = faults[0]
        told = f"part {first.number}: {first.on_hand} on hand, {first.ledger_sum} by the ledger"
        return Finding("stock ledger", False, told)
    parts = len(look.session.scalars(select(Part.id)).all())
    return Finding("stock ledger", True, f"{parts} parts")


def check_open_list(look: Look, *, sample: int | None = None) -> Finding:
    """Stored timers and the open list against the facts, policies and calendar versions of the cases."""
    report = check_timers(look, sample=sample)
    fault = report.fault
    if fault is None:
        return Finding("timers", True, f"{report.cases} cases")
    where = f"{fault.number} {fault.column}"
    if fault.kind is not None:
        where += f" of {fault.kind} in cycle {fault.cycle}"
    return Finding("timers", False, f"{where}: stored {fault.stored}, by facts {fault.derived}")


def check_timer_versions(look: Look) -> Finding:
    """Versions of calendars and policies: unchanged, in order, not overlapping, and there for each timer."""
    report = check_versions(look)
    told = report.fault or f"{report.calendar_versions} calendars, {report.policies} policies"
    return Finding("versions", report.fault is None, told)


def check_counters(look: Look) -> Finding:
    """The numbers above the queue and of saved lists against a full recount at the same second."""
    report = counters.check_counters(look)
    fault = report.fault
    if fault is None:
        return Finding("counters", True, f"{report.numbers} numbers")
    technician, owner = fault.people
    told = f"{fault.what} of technician {technician}, owner {owner}: "
    return Finding("counters", False, f"{told}{fault.counted} counted, {fault.is_so} by recount")


def check_figures(look: Look) -> Finding:
    """The figures kept per day against a recount of cases, timers and answers."""
    report = day_figures.check_figures(look)
    if report.fault is None:
        return Finding("figures", True, f"{report.figures} figures of days")
    (day, figure, detail), kept, found = report.fault
    what = " ".join(filter(None, (figure, detail)))
    return Finding("figures", False, f"{what} of {day}: {kept} kept, {found} by recount")


Check = Callable[[Look], Finding]
CHECKS: tuple[Check, ...] = (
    check_audit,
    check_stock,
    check_counters,
    check_figures,
    check_timer_versions,
    check_open_list,
)
