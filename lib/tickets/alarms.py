"""The scheduler of notices: which cases have something to be told now, to whom, and when to look again.

Every write of a case puts its queue row on the list at once; a look puts it off until its next rung. So a look reads
the cases that were written or fall due since the last one, however many are open.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update

from db.codes import NoticeKind, Role, TimerKind
from db.models.calendars import Calendar
from db.models.messages import Notice
from db.models.tickets import NEVER_DUE, PhoneCall, QueueRow, Ticket
from lib.messages.actions import Message, send, withdraw
from lib.messages.roster import Roster, read_roster
from lib.shared.calendar import epoch, moment
from lib.shared.clock import SHANGHAI
from lib.shared.work import Work, permit
from lib.tickets import rules
from lib.tickets.notices import Ladder, Step, highest, ladder_of
from lib.tickets.open_cases import told_of_tickets
from lib.tickets.policies import matter_of, rulebook

CASES_AT_ONCE = 100
"""Looked at in one transaction, so that nobody waits long for the write lock."""

CALLS_LOOKED_BACK = timedelta(days=7)
NO_DATA_FROM_MONTH = 11
"""The next year's days off are announced in November."""

RETURN_CALLERS = (Role.HOTLINE, Role.SUPERVISOR)


@permit()
def tell_what_is_due(work: Work) -> int:
    """Tell what has fallen due of some cases since the last look; how many were looked at, 0 when all were.

    One transaction records, delivers and puts off, so that a process that dies in between has told nothing (rule 27).
    """
    rows = {
        row.ticket_id: row
        for row in work.session.execute(
            select(QueueRow.ticket_id, QueueRow.notice_at)
            .where(QueueRow.notice_at <= epoch(work.now))
            .order_by(QueueRow.notice_at, QueueRow.ticket_id)
            .limit(CASES_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
    }
    if not rows:
        return 0
    roster = read_roster(work.session, work.now)
    book = rulebook(work.session)
    facts = told_of_tickets(work.session, rows)
    known = _known(work, rows)
    messages: list[Message] = []
    void: list[str] = []
    again: list[dict[str, int]] = []
    for ticket in work.session.scalars(select(Ticket).where(Ticket.id.in_(rows))):
        # Imported history was promised by another desk; of ours it has what we promised since (rule 3).
        kinds = (TimerKind.PROMISE,) if ticket.source else None
        told = rules.facts_of(ticket.received_at, facts.get(ticket.id, ()), matter_of(ticket))
        ladder = ladder_of(ticket.id, told, book, work.now, kinds)
        messages += _messages(ticket, ladder, known, roster)
        messages += _reminder(ticket, ladder, work.now, known, roster)
        void += [key for key in ladder.void if key in known]
        next_at = NEVER_DUE if ladder.next_at is None else ladder.next_at
        again.append({"of": ticket.id, "next_at": next_at})
    send(work, messages, roster)
    withdraw(work, void)
    work.store.execute(PUT_OFF, again)
    return len(rows)


PUT_OFF = (
    update(QueueRow)
    .where(QueueRow.ticket_id == bindparam("of"))
    .values(notice_at=bindparam("next_at"))
)


def _known(work: Work, ids: Iterable[int]) -> set[str]:
    """The keys of what these cases were told already."""
    return set(work.session.scalars(select(Notice.key).where(Notice.ticket_id.in_(list(ids)))))


def _messages(ticket: Ticket, ladder: Ladder, known: set[str], roster: Roster) -> list[Message]:
    """Everything newly reached is recorded, of each timer only the highest is delivered (rules 3, 19)."""
    new = [step for step in ladder.reached if step.key not in known]
    delivered = highest(new)
    overdue = {step.timer for step in new if step.kind is NoticeKind.OVERDUE}
    messages = []
    for step in new:
        percent, minutes = step.threshold or (None, None)
        details = {
            name: value
            for name, value in (
                ("percent", percent),
                ("minutes_left", minutes),
                ("due", step.due_at),
            )
            if value is not None
        }
        is_highest = delivered[step.timer] is step
        # Those who would have heard of the due hear of the escalation that came at once with it.
        with_due = is_highest and step.timer in overdue
        messages.append(
            Message(
                step.kind,
                step.key,
                _levels(ticket, step, roster, with_due=with_due),
                ticket.id,
                step.timer_kind,
                None,
                moment(step.at),
                step.level,
                details,
                is_highest,
            )
        )
    return messages


def _levels(
    ticket: Ticket, step: Step, roster: Roster, *, with_due: bool = False
) -> list[list[int]]:
    """Who holds the roles at this moment, the first level first; a level that nobody was named for is left out."""
    ladder = [
        [person for person in (ticket.owner_id, ticket.technician_id) if person is not None],
        roster.holders(Role.DISPATCHER),
        roster.holders(Role.SUPERVISOR),
        roster.holders(Role.ADMINISTRATOR),
    ]
    if step.kind is NoticeKind.ESCALATION:
        first = ladder[1 + step.level]
        if with_due:
            first = [*ladder[0], *ladder[1], *first]
        return [first, *ladder[2 + step.level :]]
    first = [*ladder[0], *ladder[1]] if step.kind is NoticeKind.OVERDUE else ladder[0]
    return ([first] if first else []) + ladder[1:]


def _reminder(
    ticket: Ticket, ladder: Ladder, now: datetime, known: set[str], roster: Roster
) -> list[Message]:
    """The pause was expected to be over: whoever waits is reminded (rule 10)."""
    if ticket.waiting_for is None or ticket.waiting_until is None:
        return []
    until = epoch(ticket.waiting_until)
    if ticket.waiting_until > now:
        ladder.look_again(until)
        return []
    key = f"{ticket.id}:wait:{until}"
    if key in known:
        return []
    waits = ticket.waiting_owner_id or ticket.owner_id or ticket.technician_id
    first = [[waits]] if waits is not None else []
    higher = [roster.holders(role) for role in (Role.DISPATCHER, Role.SUPERVISOR)]
    levels = [*first, *higher, roster.holders(Role.ADMINISTRATOR)]
    details = {"waiting_for": str(ticket.waiting_for)}
    return [
        Message(
            NoticeKind.REMINDER,
            key,
            levels,
            ticket.id,
            at=ticket.waiting_until,
            details=details,
        )
    ]


@permit()
def tell_of_callbacks(work: Work) -> int:
    """Callers who were not answered and are to be called back by now (S-13); how many are newly told."""
    calls = work.session.execute(
        select(PhoneCall.id, PhoneCall.person_id, PhoneCall.callback_due_at, PhoneCall.ticket_id)
        .where(
            PhoneCall.callback_due_at <= work.now,
            PhoneCall.callback_due_at > work.now - CALLS_LOOKED_BACK,
            PhoneCall.called_back_at.is_(None),
        )
        .order_by(PhoneCall.callback_due_at)
        .limit(CASES_AT_ONCE)
    ).all()
    keys = {f"call:{call.id}:due": call for call in calls}
    known = set(work.session.scalars(select(Notice.key).where(Notice.key.in_(keys))))
    new = {key: call for key, call in keys.items() if key not in known}
    if not new:
        return 0
    roster = read_roster(work.session, work.now)
    levels = [roster.holders(role) for role in (*RETURN_CALLERS, Role.ADMINISTRATOR)]
    messages = [
        Message(
            NoticeKind.CALLBACK_DUE,
            key,
            [[call.person_id], *levels] if call.person_id is not None else levels,
            call.ticket_id,
            None,
            call.id,
            call.callback_due_at,
        )
        for key, call in new.items()
    ]
    return len(send(work, messages, roster))


@permit()
def tell_of_missing_days(work: Work) -> int:
    """Calendars without the official days of this year or, from November on, the next: once a year and calendar."""
    today = work.now.astimezone(SHANGHAI).date()
    years = [today.year] + ([today.year + 1] if today.month >= NO_DATA_FROM_MONTH else [])
    roster = read_roster(work.session, work.now)
    people = roster.holders(Role.SUPERVISOR, Role.ADMINISTRATOR)
    messages = [
        Message(
            NoticeKind.NO_DATA,
            f"calendar:{calendar.id}:{year}",
            [people],
            subject_id=calendar.id,
            details={"year": year},
        )
        for calendar in work.session.scalars(select(Calendar).order_by(Calendar.id))
        for year in years
        if year not in calendar.announced_years
    ]
    return len(send(work, messages, roster))
