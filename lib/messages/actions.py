"""Telling people of the desk something, once; reading it; being away."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from db.codes import NoticeKind, Role, TimerKind
from db.models.messages import Absence, Notice, NoticeReceipt
from db.models.people import Person
from lib.messages import rules
from lib.messages.roster import Roster, holders_of, read_roster
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.shared.work import Work, permit

__all__ = ["holders_of", "notify"]

NEXT_LEVELS = (Role.SUPERVISOR, Role.ADMINISTRATOR)
"""Who is told when nobody is there for whom a notice was meant (rule 20)."""

WITHDRAW = (
    update(Notice)
    .where(Notice.key.in_(bindparam("keys", expanding=True)), Notice.withdrawn_at.is_(None))
    .values(withdrawn_at=bindparam("taken_back_at"))
    .returning(Notice.id)
)
RECORD = {
    dialect.name: insert(Notice)
    .on_conflict_do_nothing(index_elements=["key"])
    .returning(Notice.key, Notice.id)
    for dialect, insert in (
        (sqlite.dialect, sqlite.insert),
        (postgresql.dialect, postgresql.insert),
    )
}

LONGEST_KEY = 120
LEADING = (Role.SUPERVISOR, Role.ADMINISTRATOR)
"""Who may enter an absence for somebody else."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something to be told, once for its `key`.

    levels: who is to be told, the first level where somebody is there gets it. delivered False: for the record only.
    level: of an escalation. details: ids and codes only.
    """

    kind: NoticeKind
    key: str
    levels: Sequence[Sequence[int]]
    ticket_id: int | None = None
    timer_kind: TimerKind | None = None
    subject_id: int | None = None
    at: datetime | None = None
    level: int = 0
    details: dict[str, Any] = field(default_factory=dict)
    delivered: bool = True


def notify(
    work: Work,
    *,
    kind: NoticeKind,
    key: str,
    people: Iterable[int],
    ticket_id: int | None = None,
    timer_kind: TimerKind | None = None,
    subject_id: int | None = None,
    at: datetime | None = None,
    level: int = 0,
    details: dict[str, Any] | None = None,
) -> bool:
    """Tell `people` something, once for the key; whether it is new. Part of the caller's transaction.

    Deputies stand in for people away (rule 19). Is nobody there, the supervisors are told, else the administrators,
    who get an alarm besides (rule 20). Three statements. Raises ValueError for a key of more than 120 characters.
    """
    roster = read_roster(work.session, work.now)
    message = Message(
        kind,
        key,
        [list(people), *next_levels(roster)],
        ticket_id,
        timer_kind,
        subject_id,
        at,
        level,
        details or {},
    )
    return key in send(work, [message], roster)


def next_levels(roster: Roster) -> list[list[int]]:
    """Who is told when nobody is there for whom a notice was meant, level by level."""
    return [roster.holders(role) for role in NEXT_LEVELS]


def send(work: Work, messages: Sequence[Message], roster: Roster) -> dict[str, int]:
    """Record messages and put them into people's lists; the ids of those that are new, by key.

    Of two transactions that send one key, the second finds it sent (rule 27).
    """
    if not messages:
        return {}
    new = _record(work, messages)
    alarms: dict[str, Message] = {}
    for message in messages:
        if not message.delivered or message.key not in new:
            continue
        place, people = _reach(message.levels, roster)
        for person in people:
            work.write(NoticeReceipt, notice_id=new[message.key], person_id=person, read_at=None)
            work.touch_bell(person)
        if place > 0 and message.kind is not NoticeKind.NOBODY_THERE:
            alarm = _alarm(work, message, roster)
            alarms[alarm.key] = alarm
    return {**new, **send(work, list(alarms.values()), roster)}


def _reach(levels: Sequence[Sequence[int]], roster: Roster) -> tuple[int, tuple[int, ...]]:
    for place, people in enumerate(levels):
        there = roster.there(people)
        if there:
            return place, there
    return len(levels), ()


def _alarm(work: Work, message: Message, roster: Roster) -> Message:
    """For the administrators: a level stood empty; once a day for a case, or it would drown the rest."""
    day = work.now.astimezone(SHANGHAI).date()
    about = message.key if message.ticket_id is None else f"{message.ticket_id}:{day}"
    return Message(
        NoticeKind.NOBODY_THERE,
        f"nobody:{about}"[:LONGEST_KEY],
        [roster.holders(Role.ADMINISTRATOR)],
        message.ticket_id,
        message.timer_kind,
        message.subject_id,
        message.at,
        message.level,
        {"kind": str(message.kind)},
    )


def _record(work: Work, messages: Sequence[Message]) -> dict[str, int]:
    rows = {}
    for message in sorted(messages, key=lambda each: each.key):
        if len(message.key) > LONGEST_KEY:
            raise ValueError("the key of a notice is too long")
        rows[message.key] = {
            "key": message.key,
            "kind": message.kind,
            "ticket_id": message.ticket_id,
            "timer_kind": message.timer_kind,
            "subject_id": message.subject_id,
            "level": message.level,
            "at": message.at or work.now,
            "recorded_at": work.now,
            "delivered": message.delivered,
            "withdrawn_at": None,
            "details": message.details,
        }
    work.session.flush()
    store = work.store
    inserted = store.execute(RECORD[store.dialect.name], list(rows.values()))
    return {row.key: row.id for row in inserted}


def withdraw(work: Work, keys: Collection[str]) -> int:
    """Take back what turned out not to be so: it stays in the lists, shown as withdrawn (rule 1). How many were."""
    if not keys:
        return 0
    withdrawn = work.ask(WITHDRAW, keys=list(keys), taken_back_at=work.now).scalars().all()
    if withdrawn:
        people = select(NoticeReceipt.person_id).where(NoticeReceipt.notice_id.in_(withdrawn))
        for person in work.session.scalars(people):
            work.touch_bell(person)
    return len(withdrawn)


@permit(everyone=True)
def mark_read(work: Work, *, receipt_id: int) -> None:
    """Mark one of the actor's own notices as read. Refuses `not_found` for a foreign one."""
    receipt = work.get(NoticeReceipt, receipt_id)
    if receipt.person_id != work.actor.person_id:
        raise Refusal("not_found")
    if receipt.read_at is None:
        receipt.read_at = work.now
        work.touch_bell(receipt.person_id)


@permit(everyone=True)
def mark_all_read(work: Work, *, until_id: int) -> int:
    """Mark the actor's own notices as read, up to the newest one on the screen; how many were not yet."""
    assert work.actor.person_id is not None
    marked = work.session.scalars(
        update(NoticeReceipt)
        .where(
            NoticeReceipt.person_id == work.actor.person_id,
            NoticeReceipt.read_at.is_(None),
            NoticeReceipt.id <= until_id,
        )
        .values(read_at=work.now)
        .returning(NoticeReceipt.id)
    ).all()
    if marked:
        work.touch_bell(work.actor.person_id)
    return len(marked)


@permit(everyone=True)
def enter_absence(
    work: Work,
    *,
    person_id: int,
    deputy_id: int | None,
    from_at: datetime,
    until_at: datetime,
    words: str,
) -> int:
    """Somebody is away in [from_at, until_at), and who stands in; one's own, or by those who lead the desk anybody's.

    Refuses `absence_not_own`, `absence_empty`, `absence_over`, `absence_long`, `absence_overlaps`, `deputy_is_same`,
    `deputy_inactive` and `words_unreadable`.
    """
    _ensure_own_or_lead(work, person_id)
    # The row's lock lets two entries for one person pass one after the other.
    person = work.session.scalar(
        select(Person).where(Person.id == person_id).with_for_update(of=Person)
    )
    if person is None:
        raise Refusal("not_found")
    rules.ensure_absence_may_be(
        person_id=person_id,
        deputy_id=deputy_id,
        from_at=from_at,
        until_at=until_at,
        now=work.now,
    )
    if deputy_id is not None:
        deputy = work.session.get(Person, deputy_id)
        if deputy is None or not deputy.active:
            raise Refusal("deputy_inactive")
    overlapping = work.session.scalar(
        select(Absence.id).where(
            Absence.person_id == person_id, Absence.until_at > from_at, Absence.from_at < until_at
        )
    )
    if overlapping is not None:
        raise Refusal("absence_overlaps")
    absence = Absence(
        person_id=person_id,
        deputy_id=deputy_id,
        from_at=from_at,
        until_at=until_at,
        words=rules.ensure_short(words),
    )
    work.session.add(absence)
    work.session.flush()
    work.record("absence.entered", absence, person_id=person_id, deputy_id=deputy_id)
    return absence.id


@permit(everyone=True)
def end_absence(work: Work, *, absence_id: int, version: int) -> None:
    """Back earlier than expected: the absence ends now; one that is still to come is taken out."""
    absence = work.get(Absence, absence_id, version=version)
    _ensure_own_or_lead(work, absence.person_id)
    work.record("absence.ended", absence, person_id=absence.person_id)
    if absence.from_at >= work.now:
        work.session.delete(absence)
    elif absence.until_at > work.now:
        absence.until_at = work.now


def _ensure_own_or_lead(work: Work, person_id: int) -> None:
    if person_id != work.actor.person_id and not work.actor.has(*LEADING):
        raise Refusal("absence_not_own")
