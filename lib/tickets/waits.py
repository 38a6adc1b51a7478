"""What a waiting case waits for: since when, until when, who of the desk waits, and which dues that makes likely."""

from dataclasses import dataclass
from datetime import datetime

from db.codes import TimerKind, TimerPhase, WaitingFor
from db.models.people import Person
from lib.shared.work import Look
from lib.tickets.open_cases import facts_of_tickets
from lib.tickets.policies import rulebook_of
from lib.tickets.queries import find_visible
from lib.tickets.timers import expected_due, timers_of


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait of now; `expected`: by kind the due if the wait ends as expected, a guess (rule 9)."""

    waiting_for: WaitingFor
    owner: str
    until_at: datetime | None
    is_over: bool
    expected: list[tuple[TimerKind, datetime]]


def find_wait(look: Look, *, ticket_id: int) -> Wait | None:
    """The wait of the case, None when it waits for nobody. Refuses `ticket_not_found`."""
    ticket = find_visible(look, ticket_id)
    if ticket.waiting_for is None:
        return None
    owner = look.session.get(Person, ticket.waiting_owner_id) if ticket.waiting_owner_id else None
    until_at = ticket.waiting_until
    expected = []
    if until_at is not None and until_at > look.now and not ticket.source:
        facts = facts_of_tickets(look.session, [ticket])[ticket_id]
        for timer in timers_of(facts, rulebook_of(look)):
            due = expected_due(timer, until_at) if timer.phase is TimerPhase.PAUSED else None
            if due is not None:
                expected.append((timer.kind, due))
    return Wait(
        ticket.waiting_for,
        owner.name if owner else "",
        until_at,
        until_at is not None and until_at <= look.now,
        expected,
    )
