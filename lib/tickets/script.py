"""How the eight steps of the hotline's script went for one case (S-18 to S-25)."""

from datetime import datetime

from sqlalchemy import bindparam, select

from db.codes import CallStep, EventKind, ReturnCallResult
from db.models.tickets import PhoneCall, TicketEvent
from lib.shared.work import Look
from lib.tickets.queries import find_visible

AFTER_THE_CALL = (EventKind.CONTACTED, EventKind.CHANGED, EventKind.RETURN_CALL)
REACHED = {result.value for result in ReturnCallResult} - {ReturnCallResult.NO_ANSWER.value}


CALLS = (
    select(PhoneCall.steps)
    .where(PhoneCall.ticket_id == bindparam("of_ticket"))
    .order_by(PhoneCall.id)
)
EVENTS_AFTER = (
    select(TicketEvent.kind, TicketEvent.at, TicketEvent.details)
    .where(TicketEvent.ticket_id == bindparam("of_ticket"), TicketEvent.kind.in_(AFTER_THE_CALL))
    .order_by(TicketEvent.at, TicketEvent.id)
)


def find_script(look: Look, *, ticket_id: int) -> dict[CallStep, datetime]:
    """The steps that are done with their times, in the order of the script; nothing for a case without a call.

    The call that brought the case stamps six of them. The case is followed up with the first contact or date of a
    next action (S-24), and called back when the customer was reached (S-25). Refuses `ticket_not_found`.
    """
    find_visible(look, ticket_id)
    calls = look.ask(CALLS, of_ticket=ticket_id).scalars()
    told: dict[str, str] = next(filter(None, calls), {})
    if not told:
        return {}
    done = {CallStep(step): datetime.fromisoformat(at) for step, at in told.items()}
    events = look.ask(EVENTS_AFTER, of_ticket=ticket_id)
    for kind, at, details in events:
        if kind is EventKind.RETURN_CALL:
            if details.get("result") in REACHED:
                done[CallStep.RETURN_CALL] = at
        elif kind is EventKind.CONTACTED or "next_action_at" in details.get("fields", ()):
            done.setdefault(CallStep.FOLLOW, at)
    return {step: done[step] for step in CallStep if step in done}
