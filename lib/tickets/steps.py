"""Which steps a case offers to whom: the moves that follow its state, for those whose permit allows them."""

from enum import StrEnum

from db.codes import Role, TicketStatus
from lib.shared.work import Actor, permit_of
from lib.tickets import actions
from lib.tickets.rules import ENDED_STATUSES, legal_moves

S = TicketStatus


class Step(StrEnum):
    """A step that the page of a case offers; never stored."""

    TAKE = "take"
    LOG_CONTACT = "log_contact"
    ASSIGN = "assign"
    SCHEDULE = "schedule"
    START_WAITING = "start_waiting"
    END_WAITING = "end_waiting"
    COMPLETE = "complete"
    RETURN_CALL = "return_call"
    CHANGE = "change"
    FOLLOW_UP = "follow_up"
    NOTE = "note"
    CANCEL = "cancel"


SCHEDULERS = frozenset({Role.DISPATCHER, Role.SUPERVISOR})
"""Who plans visits; the verb itself stands in the visits room."""

ROLES = {
    Step.TAKE: permit_of(actions.take_ticket).roles,
    Step.LOG_CONTACT: permit_of(actions.log_contact).roles,
    Step.ASSIGN: permit_of(actions.assign_technician).roles,
    Step.SCHEDULE: SCHEDULERS,
    Step.START_WAITING: permit_of(actions.start_waiting).roles,
    Step.END_WAITING: permit_of(actions.end_waiting).roles,
    Step.COMPLETE: permit_of(actions.complete_ticket).roles,
    Step.RETURN_CALL: permit_of(actions.try_return_call).roles,
    Step.CHANGE: permit_of(actions.change_ticket).roles,
    Step.FOLLOW_UP: permit_of(actions.set_next_action).roles,
    Step.NOTE: permit_of(actions.add_note).roles,
    Step.CANCEL: permit_of(actions.cancel_ticket).roles,
}
DESK = frozenset({Role.HOTLINE, Role.DISPATCHER, Role.SUPERVISOR, Role.SALES, Role.QUALITY})

NEXT = {
    S.NEW: (Step.ASSIGN, Step.LOG_CONTACT),
    S.ASSIGNED: (Step.LOG_CONTACT, Step.SCHEDULE),
    S.CONTACTED: (Step.SCHEDULE, Step.ASSIGN),
    S.SCHEDULED: (Step.COMPLETE,),
    S.ON_SITE: (Step.COMPLETE,),
    S.WAITING: (Step.END_WAITING,),
    S.COMPLETED: (Step.RETURN_CALL,),
}
"""The steps that usually follow a state; the first that the actor may take is the next one."""


def legal_steps(
    status: TicketStatus,
    actor: Actor,
    *,
    technician_id: int | None,
    owner_id: int | None,
) -> list[Step]:
    """The legal steps for the actor, the usual next one first; nothing that would be refused is offered."""
    only_technician = actor.has(Role.TECHNICIAN) and actor.roles.isdisjoint(DESK)
    if only_technician and technician_id != actor.person_id:
        return []
    allowed = [
        step
        for step in Step
        if _follows(step, status, actor, owner_id) and not actor.roles.isdisjoint(ROLES[step])
    ]
    usual = next((step for step in NEXT.get(status, ()) if step in allowed), None)
    return allowed if usual is None else [usual, *(step for step in allowed if step is not usual)]


def _follows(step: Step, status: TicketStatus, actor: Actor, owner_id: int | None) -> bool:
    if step is Step.NOTE:
        return True
    if status in ENDED_STATUSES:
        return False
    moves = legal_moves(status)
    completed = status is S.COMPLETED
    match step:
        case Step.TAKE:
            return owner_id != actor.person_id
        case Step.LOG_CONTACT | Step.ASSIGN:
            return not completed
        case Step.SCHEDULE:
            return S.SCHEDULED in moves or status is S.SCHEDULED
        case Step.START_WAITING:
            return S.WAITING in moves or status is S.WAITING
        case Step.END_WAITING:
            return status is S.WAITING
        case Step.COMPLETE:
            return S.COMPLETED in moves
        case Step.RETURN_CALL:
            return completed
        case Step.CANCEL:
            return S.CANCELLED in moves
        case Step.CHANGE | Step.FOLLOW_UP:
            return True
