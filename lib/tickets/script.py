"""How the eight steps of the hotline's script went for one case (S-18 to S-25)."""

from datetime import datetime

from sqlalchemy import select

from db.codes import CallStep, EventKind, ReturnCallResult
from db.models.tickets import PhoneCall, Ticket, TicketEvent
from lib.shared.errors import Refusal
from lib.shared.work import Look
from lib.tickets.queries import visible_to

AFTER_THE_CALL = (EventKind.CONTACTED, EventKind.CHANGED, EventKind.RETURN_CALL)
REACHED = {result.value for result in ReturnCallResult} - {ReturnCallResult.NO_ANSWER.value}


def find_script(look: Look, *, ticket_id: int) -> dict[CallStep, datetime]:
    """The steps that are done with their times, in the order of the script; nothing for a case without a call.

    The call that brought the case stamps six of them. The case is followed up with the first contact or date of a
    next action (S-24), and called back when the customer was reached (S-25). Refuses `ticket_not_found`.
    """
    found = look.session.execute(
        select(Ticket.id, PhoneCall.steps)
        .outerjoin(PhoneCall, PhoneCall.ticket_id == Ticket.id)
        .where(Ticket.id == ticket_id, visible_to(look.actor))
        .order_by(PhoneCall.id)
    ).all()
    if not found:
        raise Refusal("ticket_not_found")
    told: dict[str, str] = next((steps for _, steps in found if steps), {})
    if not told:
        return {}
    done = {CallStep(step): datetime.fromisoformat(at) for step, at in told.items()}
    events = look.session.execute(
        select(TicketEvent.kind, TicketEvent.at, TicketEvent.details)
        .where(TicketEvent.ticket_id == ticket_id, TicketEvent.kind.in_(AFTER_THE_CALL))
        .order_by(TicketEvent.at, TicketEvent.id)
    )
    for kind, at, details in events:
        if kind is EventKind.RETURN_CALL:
            if details.get("result") in REACHED:
                done[CallStep.RETURN_CALL] = at
        elif kind is EventKind.CONTACTED or "next_action_at" in details.get("fields", ()):
            done.setdefault(CallStep.FOLLOW, at)
    return {step: done[step] for step in CallStep if step in done}
