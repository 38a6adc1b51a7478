"""Hops of a store from before visits handed a case over (rule 16): counted again once, when the desk starts."""

from sqlalchemy import exists, func, select

from db.codes import TimerKind
from db.models.people import Counter
from db.models.tickets import Policy, Ticket, TicketEvent
from lib.shared.work import Look, Work, permit
from lib.tickets.derivation import derive
from lib.tickets.open_cases import CASES_AT_ONCE

COUNTED = "ticket-hops"


def lacks_hops(look: Look) -> bool:
    """Whether the store comes from before a visit could begin a hop."""
    return look.session.get(Counter, COUNTED) is None


@permit()
def count_hops(work: Work) -> None:
    """Derive every case of a store that `lacks_hops` that may have a hop: what was done to it since hops had a target.

    Without a policy for hops there is nothing to derive.
    """
    if not lacks_hops(Look(work.session, work.actor, work.now)):
        return
    since = work.session.scalar(
        select(func.min(Policy.from_at)).where(Policy.kind == TimerKind.HOP)
    )
    last = 0
    while since is not None:
        touched = exists().where(
            TicketEvent.ticket_id == Ticket.id, TicketEvent.recorded_at >= since
        )
        tickets = work.session.scalars(
            select(Ticket)
            .where(Ticket.id > last, Ticket.source == "", touched)
            .order_by(Ticket.id)
            .limit(CASES_AT_ONCE)
        ).all()
        if not tickets:
            break
        for ticket in tickets:
            derive(work, ticket)
        last = tickets[-1].id
        work.session.flush()
        work.session.expunge_all()
    work.session.add(Counter(name=COUNTED, value=1))
