"""Whether the versions that timers name are what they were: calendars in order and unchanged, policies apart."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

from sqlalchemy import func, or_, select

from db.models.calendars import Calendar, CalendarSnapshot
from db.models.people import AuditRow
from db.models.tickets import Policy, Timer
from lib.shared.calendars import STANDARD, built, content_hash, content_of
from lib.shared.official_days import official_days
from lib.shared.work import Look
from lib.tickets.policies import policy_of

SHIPPED = datetime(1970, 1, 1, tzinfo=UTC)
"""From when the versions that came with the product are in force."""
OFFICE = [[540, 1080]]


@dataclass(frozen=True, slots=True)
class VersionReport:
    """How many versions were checked; `fault` names the first bad one by numbers and codes."""

    calendar_versions: int
    policies: int
    fault: str | None = None


def check_versions(look: Look) -> VersionReport:
    """Calendar versions, policies, and that each timer's versions exist; one calendar version in memory at a time."""
    versions = look.session.scalar(select(func.count()).select_from(CalendarSnapshot)) or 0
    policies = look.session.scalar(select(func.count()).select_from(Policy)) or 0
    faults = (fault for check in CHECKS for fault in check(look))
    return VersionReport(versions, policies, next(faults, None))


def _calendar_faults(look: Look) -> Iterator[str]:
    made = _made_by_people(look)
    for calendar in look.session.scalars(select(Calendar).order_by(Calendar.id)):
        where = f"calendar {calendar.id}"
        expected, before, content = 1, SHIPPED, None
        for snapshot in look.session.execute(
            select(
                CalendarSnapshot.version,
                CalendarSnapshot.from_at,
                CalendarSnapshot.made_by_id,
                CalendarSnapshot.content,
            )
            .where(CalendarSnapshot.calendar_id == calendar.id)
            .order_by(CalendarSnapshot.version)
            .execution_options(yield_per=1)
        ):
            version, from_at, by, content = snapshot
            named = f"{where} version {version}"
            if version != expected:
                yield f"{where}: version {expected} is missing"
            if from_at < before:
                yield f"{named} is in force before the one before it"
            expected, before = version + 1, from_at
            yield from _content_faults(named, content)
            told = made.get((calendar.id, version))
            if told is not None and told != content_hash(content):
                yield f"{named} is not what its audit row says"
            if told is None and by is not None:
                yield f"{named} has no audit row"
            is_shipped = calendar.name == STANDARD and from_at == SHIPPED
            if is_shipped and version == 1 and content != _shipped(content):
                yield f"{named} is not what came with the product"
        if expected != calendar.version + 1:
            yield f"{where}: version {calendar.version} is missing"
        if content is not None and content != content_of(calendar):
            yield f"{where} was changed without a version"


def _content_faults(named: str, content: Any) -> Iterator[str]:
    try:
        built(content)
    except (ValueError, KeyError, TypeError, AttributeError):
        yield f"{named} cannot be read"


def _made_by_people(look: Look) -> dict[tuple[int, int], str]:
    rows = look.session.execute(
        select(AuditRow.subject_id, AuditRow.details).where(
            AuditRow.subject_kind == Calendar.__tablename__, AuditRow.action == "calendar.edited"
        )
    )
    return {
        (calendar_id, details["version"]): details["content"]
        for calendar_id, details in rows
        if calendar_id is not None
    }


def _shipped(content: dict[str, Any]) -> dict[str, Any]:
    """The first version of the standard calendar, from the facts that came with it."""
    known = set(content.get("announced", ()))
    return {
        "zone": "Asia/Shanghai",
        "week": {str(weekday): OFFICE for weekday in range(5)},
        "days": {
            day.on.isoformat(): [] if day.is_off else OFFICE
            for day in official_days()
            if day.announced_for in known
        },
        "announced": sorted({day.announced_for for day in official_days()} & known),
    }


def _policy_faults(look: Look) -> Iterator[str]:
    added = look.session.execute(
        select(AuditRow.subject_id, AuditRow.details).where(
            AuditRow.subject_kind == Policy.__tablename__, AuditRow.action == "policy.added"
        )
    )
    told = {row.subject_id: row.details for row in added}
    policies = []
    for row in look.session.scalars(select(Policy).order_by(Policy.id)):
        said = told.get(row.id)
        if said is not None and any(
            name in said and said[name] != getattr(row, name)
            for name in ("kind", "unit", "amount", "clause", "second_unit", "second_amount")
        ):
            yield f"policy {row.id} is not what its audit row says"
        if said is None and row.from_at != SHIPPED:
            yield f"policy {row.id} has no audit row"
        policies.append(policy_of(row))
    for one, other in combinations(policies, 2):
        if one.overlaps(other):
            yield f"policies {one.id} and {other.id} overlap"


def _timer_faults(look: Look) -> Iterator[str]:
    no_calendar = look.session.execute(
        select(Timer.id, Timer.calendar_id, Timer.calendar_version)
        .outerjoin(
            CalendarSnapshot,
            (CalendarSnapshot.calendar_id == Timer.calendar_id)
            & (CalendarSnapshot.version == Timer.calendar_version),
        )
        .where(Timer.calendar_id.is_not(None), CalendarSnapshot.id.is_(None))
        .order_by(Timer.id)
        .limit(1)
    ).one_or_none()
    if no_calendar is not None:
        timer_id, calendar_id, version = no_calendar
        yield f"timer {timer_id} names calendar {calendar_id} version {version}, which is missing"
    no_policy = look.session.execute(
        select(Timer.id, Timer.policy_id)
        .outerjoin(Policy, Policy.id == Timer.policy_id)
        .where(
            Timer.policy_id.is_not(None),
            or_(
                Policy.id.is_(None),
                Policy.kind != Timer.kind,
                Policy.calendar_id != Timer.calendar_id,
            ),
        )
        .order_by(Timer.id)
        .limit(1)
    ).one_or_none()
    if no_policy is not None:
        yield f"timer {no_policy.id} names policy {no_policy.policy_id}, which is not for it"


CHECKS = (_calendar_faults, _policy_faults, _timer_faults)
