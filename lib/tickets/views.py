"""Lists that somebody saved under a name: an address of the queue, for its owner and the roles it is shared with."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import bindparam, func, select

from db.codes import Priority, Role, TicketStatus
from db.models.people import Person
from db.models.tickets import SavedView
from lib.customers.rules import clean
from lib.shared.errors import Refusal
from lib.shared.work import Actor, Look, Work, permit
from lib.tickets.closed import read_cases
from lib.tickets.queue import QueuePage, read_queue
from lib.tickets.queue_filter import NOBODY, Place, QueueFilter, QueueView, Scope, Sort, seen_by

QUEUE_ROLES = (
    Role.HOTLINE,
    Role.DISPATCHER,
    Role.SUPERVISOR,
    Role.SALES,
    Role.QUALITY,
    Role.AUDITOR,
)
"""Who works with the queue, and with whom a list may be shared."""

MOST_OWN = 10
MOST_SHOWN = 10
LONGEST_NAME = 40
ASKED = ("view", "scope", "status", "priority", "technician", "customer", "from", "until", "sort")
"""What an address of the queue may tell; a sort that begins with `-` is a falling one."""


def filter_of(asked: Mapping[str, str]) -> QueueFilter:
    """The filter that an address tells; what it does not know, it leaves out."""
    technician = asked.get("technician", "")
    sort = asked.get("sort", "")
    return QueueFilter(
        view=_code(QueueView, asked.get("view")) or QueueView.ALL,
        scope=_code(Scope, asked.get("scope")) or Scope.OPEN,
        status=_code(TicketStatus, asked.get("status")),
        priority=_code(Priority, asked.get("priority")),
        technician=NOBODY if technician == "none" else whole(technician),
        customer_id=whole(asked.get("customer", "")),
        from_on=_day(asked.get("from", "")),
        until_on=_day(asked.get("until", "")),
        sort=_code(Sort, sort.removeprefix("-")) or Sort.DUE,
        descending=sort.startswith("-") and _code(Sort, sort[1:]) is not None,
    )


def address_of(where: QueueFilter) -> dict[str, str]:
    """What the address tells of a filter; nothing where the filter is as usual, and never the searched words."""
    told: dict[str, Any] = {
        "view": None if where.view is QueueView.ALL else where.view,
        "scope": None if where.scope is Scope.OPEN else where.scope,
        "status": where.status,
        "priority": where.priority,
        "technician": "none" if where.technician == NOBODY else where.technician,
        "customer": where.customer_id,
        "from": where.from_on,
        "until": where.until_on,
        "sort": f"-{where.sort}" if where.descending else None,
    }
    if where.sort is not Sort.DUE and not where.descending:
        told["sort"] = where.sort
    return {name: str(value) for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True)
class SavedList:
    """A saved list as its reader sees it; `owner` is empty for the own ones."""

    id: int
    name: str
    owner: str
    shared_roles: tuple[str, ...]
    where: QueueFilter
    version: int


VIEWS = (
    select(
        SavedView.id,
        SavedView.owner_id,
        SavedView.name,
        SavedView.shared_roles,
        SavedView.query,
        SavedView.version,
        Person.name.label("owner"),
    )
    .join(Person, Person.id == SavedView.owner_id)
    .where(Person.active)
    .order_by(SavedView.owner_id != bindparam("asking"), SavedView.name, SavedView.id)
)
"""Every list there is, the asking person's own ones first."""


def list_views(look: Look) -> list[SavedList]:
    """The actor's own lists by name, then those shared with one of his roles; ten at most."""
    actor = look.actor
    if actor.person_id is None:
        return []
    found = look.ask(VIEWS, asking=actor.person_id)
    return [
        SavedList(
            view.id,
            view.name,
            "" if view.owner_id == actor.person_id else view.owner,
            tuple(view.shared_roles),
            filter_of(dict(parse_qsl(view.query))),
            view.version,
        )
        for view in found
        if _reads(actor, view)
    ][:MOST_SHOWN]


def _reads(actor: Actor, view: Any) -> bool:
    return view.owner_id == actor.person_id or not actor.roles.isdisjoint(view.shared_roles)


@permit(*QUEUE_ROLES)
def save_view(
    work: Work, *, name: str, where: QueueFilter, shared_roles: Collection[Role] = ()
) -> int:
    """Keep a list under a name. Refuses `view_name_missing`, `view_name_taken`, `views_full` and what `clean` does."""
    name = _usable_name(work, name)
    own = select(func.count()).where(SavedView.owner_id == work.actor.person_id)
    if (work.session.scalar(own) or 0) >= MOST_OWN:
        raise Refusal("views_full", limit=MOST_OWN)
    assert work.actor.person_id is not None
    view = SavedView(
        owner_id=work.actor.person_id,
        name=name,
        shared_roles=_roles(shared_roles),
        query=urlencode(address_of(where)),
        created_at=work.now,
    )
    work.session.add(view)
    work.session.flush()
    work.record("view.saved", view, shared_roles=view.shared_roles)
    return view.id


@permit(*QUEUE_ROLES)
def change_view(
    work: Work, *, view_id: int, version: int, name: str, shared_roles: Collection[Role]
) -> None:
    """Rename a list of one's own or share it with other roles. Refuses `not_your_view`, and as `save_view` does."""
    view = _own(work, view_id, version)
    view.name = _usable_name(work, name, view)
    view.shared_roles = _roles(shared_roles)
    work.record("view.changed", view, shared_roles=view.shared_roles)


@permit(*QUEUE_ROLES)
def delete_view(work: Work, *, view_id: int, version: int) -> None:
    """Give up a list of one's own, also for those it is shared with. Refuses `not_your_view`."""
    view = _own(work, view_id, version)
    work.record("view.deleted", view)
    work.session.delete(view)


def _own(work: Work, view_id: int, version: int) -> SavedView:
    view = work.get(SavedView, view_id, version=version)
    if view.owner_id != work.actor.person_id:
        raise Refusal("not_your_view")
    return view


def _usable_name(work: Work, name: str, view: SavedView | None = None) -> str:
    name = clean(name, LONGEST_NAME, missing="view_name_missing")
    taken = select(SavedView.id).where(
        SavedView.owner_id == work.actor.person_id, SavedView.name == name
    )
    if view is not None:
        taken = taken.where(SavedView.id != view.id)
    if work.session.scalar(taken) is not None:
        raise Refusal("view_name_taken")
    return name


def _roles(roles: Collection[Role]) -> list[str]:
    return [str(role) for role in QUEUE_ROLES if role in roles]


def _code(kind: Any, value: str | None) -> Any:
    return kind(value) if value in set(kind) else None


def _day(value: str) -> date | None:
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def whole(value: str) -> int | None:
    """The number that a text of few ASCII digits is."""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 13 else None


def read_list(
    look: Look, *, where: QueueFilter, after: Place | None = None, before: Place | None = None
) -> tuple[QueuePage, list[SavedList]]:
    """A page of the queue or, beyond the open cases, of what was asked for, with the saved lists.

    A list that asks too wide is empty and tells why.
    """
    saved = list_views(look)
    if where.scope is Scope.OPEN:
        kept = [each.where for each in saved if each.where.scope is Scope.OPEN]
        return read_queue(look, where=where, after=after, before=before, saved=kept), saved
    try:
        return read_cases(look, where=where, after=after), saved
    except Refusal as refusal:
        nothing = read_cases(look, where=replace(where, text="", customer_id=0))
        return replace(nothing, where=seen_by(where, look.actor), refusal=refusal), saved
