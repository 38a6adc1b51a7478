"""The two doors' inner side: `perform` runs an action in one transaction, `look` runs a query.

`perform` holds the only commit in the house. It re-reads the actor, checks the permit, answers a repeated form
instance with its first answer, chains the audit rows and gives the change number, both last before the commit. That
a form is repeated is seen when its key is written, or when it is refused: what is new, nearly all, asks for nothing.
"""

import hashlib
import json
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    CursorResult,
    Executable,
    bindparam,
    delete,
    event,
    select,
)
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session, joinedload, make_transient_to_detached
from sqlalchemy.orm.attributes import instance_dict
from sqlalchemy.orm.exc import StaleDataError

from db import session as database
from db.codes import ActorKind, Role
from db.models.base import Base
from db.models.people import (
    ChangeHead,
    IdempotencyKey,
    Person,
    PersonRole,
)
from lib.shared import books
from lib.shared.errors import Refusal
from lib.shared.group_commit import GroupCommit, Undone

T = TypeVar("T")
Row = TypeVar("Row", bound=Base)
TRIES = 3
KEY_DAYS = 30
BUSY = {"55P03", "SQLITE_BUSY"}
"""Another writer's lock was not given up in time, on PostgreSQL and SQLite."""

PERSON_NOW = (
    select(Person.id, Person.name, Person.active, Person.epoch, PersonRole.role)
    .outerjoin(PersonRole, PersonRole.person_id == Person.id)
    .where(Person.id == bindparam("of_person"))
)
ANSWERED = select(*IdempotencyKey.__table__.c).where(IdempotencyKey.key == bindparam("of_key"))
FORGET_ANSWER = delete(IdempotencyKey).where(IdempotencyKey.key == bindparam("of_key"))
"""What every write asks, built once; through the connection, which spares the ORM's own work."""
WITH_ROLES = (joinedload(Person.roles),)

ANSWERS = "answers_of_group"
"""In the session's info of a group: what was asked for all of it."""

TRIED_AGAIN = ("40001", "40P01")
"""PostgreSQL's serialization failure and deadlock: the transaction is run again."""


@dataclass(frozen=True)
class Actor:
    """Who does something: a person with roles, the system (jobs, commands) or a guest (public links)."""

    kind: ActorKind
    person_id: int | None = None
    name: str = ""
    roles: frozenset[Role] = field(default_factory=frozenset)
    epoch: int = 0

    @property
    def label(self) -> str:
        return (
            f"person:{self.person_id}" if self.person_id is not None else f"{self.kind}:{self.name}"
        )

    def has(self, *roles: Role) -> bool:
        """Whether the actor holds one of `roles`."""
        return not self.roles.isdisjoint(roles)


def system(name: str) -> Actor:
    """The actor of jobs, imports, demo and commands."""
    return Actor(ActorKind.SYSTEM, name=name)


def guest(purpose: str) -> Actor:
    """The actor behind a public link; the action itself checks the token."""
    return Actor(ActorKind.GUEST, name=purpose)


@dataclass(frozen=True)
class Permit:
    roles: frozenset[Role]
    everyone: bool = False
    guests: bool = False


def permit(*roles: Role, everyone: bool = False, guests: bool = False) -> Callable[[T], T]:
    """Who may run an action: holders of one of `roles`, every person, or guests. The system may always.

    The permit is found again by `permit_of`; `./run access` derives its table from these.
    """

    def mark(action: T) -> T:
        action.__dict__["permit"] = Permit(frozenset(roles), everyone, guests)
        PERMITTED_ACTIONS[action_name(action)] = action
        return action

    return mark


def grouped(action: T) -> T:
    """Let the action share its transaction with others that wait for the writer at the same moment.

    For short actions that many call at once. Each sees what those before it in the group have done, as it would have
    after their commits; the audit chain, the rows of `Work.write` and the steps before the commit are written for all.
    """
    action.__dict__["grouped"] = True
    return action


PERMITTED_ACTIONS: dict[str, Any] = {}
"""Every action that was imported, by `room.verb_noun`."""


def permit_of(action: Any) -> Permit:
    """The permit of an action; an action without one is a bug."""
    found: Permit = action.__dict__["permit"]
    return found


def action_name(action: Any) -> str:
    """`tickets.close_ticket` for the function of that name in the room's actions."""
    room = str(action.__module__).removeprefix("lib.").split(".")[0]
    return f"{room}.{action.__name__}"


def ask(session: Session, statement: Executable, **asked: Any) -> CursorResult[*tuple[Any, ...]]:
    """Run a statement that was built once for its module, with `asked` for its parameters.

    Through the connection, which spares the ORM's own work, and after all that the session has changed so far.
    """
    session.flush()
    return session.connection().execute(statement, asked)


class Work:
    """What an action works with: the session, who acts, the instant, and what is to be recorded."""

    def __init__(self, session: Session, actor: Actor, now: datetime) -> None:
        self.session = session
        self.actor = actor
        self.now = now
        self.records: list[dict[str, Any]] = []
        self.rows: list[tuple[type[Base], dict[str, Any]]] = []
        self.puts: list[tuple[Callable[[Connection, list[Any]], None], Any]] = []
        self.touched: set[int] = set()
        self.steps_before_commit: dict[tuple[Any, int], tuple[Any, Any]] = {}

    @cached_property
    def store(self) -> Connection:
        """The connection of the transaction, for statements without the ORM's own work."""
        return self.session.connection()

    def get(self, model: type[Row], row_id: int, *, version: int | None = None) -> Row:
        """The row by id. Refuses `not_found`, and `changed_meanwhile` when `version` is no longer the row's."""
        row = self.session.get(model, row_id)
        if row is None:
            raise Refusal("not_found")
        if version is not None and row.version != version:  # type: ignore[attr-defined]
            raise Refusal("changed_meanwhile", subject=model.__tablename__, id=row_id)
        return row

    def ask(self, statement: Executable, **asked: Any) -> CursorResult[*tuple[Any, ...]]:
        """Run a statement that was built once for its module, after all that the verbs have changed so far."""
        self.session.flush()
        return self.store.execute(statement, asked)

    def once(self, what: Hashable, ask: Callable[[], T]) -> T:
        """The answer of `ask()`, asked once for a whole group; only for what no grouped action changes."""
        answers: dict[Hashable, Any] | None = self.session.info.get(ANSWERS)
        if answers is None:
            return ask()
        if what not in answers:
            answers[what] = ask()
        answer: T = answers[what]
        return answer

    def record(self, action: str, subject: Base | None = None, **details: Any) -> None:
        """Write an audit row with the commit: ids and codes only, never personal values."""
        self.records.append({"action": action, "subject": subject, "details": details})

    def write(self, model: type[Base], **values: Any) -> None:
        """Insert a row with the commit whose id nobody needs before; every column without a default is given.

        Rows of one table are written in bulk, in the order in which they were given.
        """
        self.rows.append((model, values))

    def insert(self, row: Row) -> Row:
        """Insert a row at once, because its id is needed: by a plain statement, a third of the ORM's work.

        For tables whose key is `id` and whose defaults are plain values; what is not told takes its default or None.
        """
        self.session.flush()
        told = instance_dict(row)
        values = {
            name: told.get(name, default) for name, default in books.plain_defaults(type(row))
        }
        told.update(values)
        key = self.store.execute(books.insertion(type(row)), values).inserted_primary_key
        assert key is not None
        row.id = key[0]  # type: ignore[attr-defined]
        make_transient_to_detached(row)
        self.session.add(row)
        return row

    def put(self, writer: Callable[[Connection, list[T]], None], row: T) -> None:
        """Have `writer(store, rows)` write this with the commit, where no model has the row; once for all of them."""
        self.puts.append((writer, row))

    def touch_ticket(self, ticket_id: int) -> None:
        """Announce the case on the live stream; 0 stands for people and settings."""
        self.touched.add(ticket_id)

    def touch_bell(self, person_id: int) -> None:
        """Announce on the live stream that somebody's notices have changed."""
        self.touched.add(-person_id)

    def before_commit(self, step: Callable[["Work", T], None], subject: T) -> None:
        """Run `step(work, subject)` before the commit: once, however many verbs of this transaction ask for it."""
        self.steps_before_commit[step, id(subject)] = (step, subject)


@dataclass(frozen=True)
class Look:
    """What a query works with. Who may see which row is decided in the query, from `actor`."""

    session: Session
    actor: Actor
    now: datetime

    def ask(self, statement: Executable, **asked: Any) -> CursorResult[*tuple[Any, ...]]:
        """Run a statement that was built once for its module, with `asked` for its parameters."""
        return ask(self.session, statement, **asked)


CHANGE_NUMBER = select(ChangeHead.number)


def note_change_number(look: Look, number: int | None) -> None:
    """Keep the change number that another question of the transaction has brought along."""
    look.session.info["change_number"] = number or 0


def read_change_number(look: Look) -> int:
    """The newest change number; whoever reads it before the rows misses no change. Asked once in a transaction."""
    if "change_number" not in look.session.info:
        note_change_number(look, look.ask(CHANGE_NUMBER).scalar())
    number: int = look.session.info["change_number"]
    return number


class Looks:
    """Queries that share one reading transaction, opened with the first and closed by `close`: one snapshot."""

    def __init__(self) -> None:
        self._session: Session | None = None

    def look(
        self, query: Callable[..., T], /, *, actor: Actor, now: datetime, **arguments: Any
    ) -> T:
        """Run a query. After a failure, not a refusal, the next one begins a new transaction."""
        if self._session is None:
            self._session = database.ReadSession()
        try:
            return query(Look(self._session, actor, now), **arguments)
        except Refusal:
            raise
        except Exception:
            self.close()
            raise

    def close(self) -> None:
        """End the transaction, if one is open."""
        if self._session is not None:
            self._session.close()
            self._session = None


def look(query: Callable[..., T], /, *, actor: Actor, now: datetime, **arguments: Any) -> T:
    """Run a query in a reading transaction."""
    with database.ReadSession() as session:
        return query(Look(session, actor, now), **arguments)


def perform(
    action: Callable[..., T],
    /,
    *,
    actor: Actor | Callable[[Look], Actor],
    now: datetime,
    key: str | None = None,
    **arguments: Any,
) -> T:
    """Run one action in one transaction; the only commit in the house.

    `actor`: who acts, read again as stored now; or what finds that out, the first question of the transaction, and
    refuses whoever may not act. `key` is the idempotency key of a form instance: the same key answers with the first
    answer. Refuses `no_longer_allowed`, `changed_meanwhile`, `key_reused`, `desk_busy` and whatever the action refuses.
    Raises ValueError for a `now` without a zone.
    """
    if now.tzinfo is None:
        raise ValueError("a time without a zone cannot be stored")
    form = None if key is None else _Form(key, action, _arguments_hash(arguments))
    asked = _Asked(action, actor, now, form, arguments)
    for attempt in range(1, TRIES + 1):
        try:
            # At first the form is taken for new: that it is not, its key says when it is written.
            answer: T = _written(asked) if attempt == 1 else _write_alone(asked, ask_first=True)
            return answer
        except (Refusal, StaleDataError) as refused:
            first = None if form is None else _answer_instead(form, actor, now)
            if first is not None:
                answered: T = first.answer
                return answered
            if isinstance(refused, Refusal):
                raise
            raise Refusal("changed_meanwhile") from None
        except IntegrityError:
            # A race lost to a constraint: the next try sees the winner's row and answers or refuses by its own rule.
            if attempt == TRIES:
                raise
        except OperationalError as error:
            state = getattr(error.orig, "sqlstate", None)
            if BUSY & {state, getattr(error.orig, "sqlite_errorname", None)}:
                raise Refusal("desk_busy") from None
            if attempt == TRIES or state not in TRIED_AGAIN:
                raise
    raise AssertionError("unreachable")


@contextmanager
def _writing() -> Iterator[Session]:
    try:
        with database.writing() as session:
            yield session
    except database.Busy:
        raise Refusal("desk_busy") from None


@dataclass(frozen=True)
class _Form:
    """An instance of a form: its key, what it asks for and with which arguments."""

    key: str
    action: Callable[..., Any]
    arguments_hash: str

    def first_answer(self, session: Session, actor: Actor, now: datetime) -> Any:
        """The row of its first answer; None when it has none. Refuses `key_reused`."""
        first = ask(session, ANSWERED, of_key=self.key).one_or_none()
        if first is None or first.at <= now - timedelta(days=KEY_DAYS):
            return None
        asked = (actor.label, action_name(self.action), self.arguments_hash)
        if (first.actor, first.action, first.arguments_hash) != asked:
            raise Refusal("key_reused")
        return first


@dataclass(frozen=True)
class _Asked:
    """What one `perform` is asked for."""

    action: Callable[..., Any]
    actor: Actor | Callable[[Look], Actor]
    now: datetime
    form: _Form | None
    arguments: dict[str, Any]

    def do(self, session: Session, works: list[Work], *, ask_first: bool) -> Any:
        """Do it, and leave among `works` what is to be written with the commit."""
        actor = _who_acts(session, self.actor, self.now)
        _check_permit(self.action, actor)
        if self.form is not None and ask_first:
            first = self.form.first_answer(session, actor, self.now)
            if first is not None:
                return first.answer
            ask(session, FORGET_ANSWER, of_key=self.form.key)
        work = Work(session, actor, self.now)
        answer = self.action(work, **self.arguments)
        if self.form is not None:
            work.write(
                IdempotencyKey,
                key=self.form.key,
                actor=actor.label,
                action=action_name(self.action),
                arguments_hash=self.form.arguments_hash,
                answer=answer,
                at=self.now,
            )
        works.append(work)
        return answer


def _written(asked: _Asked) -> Any:
    """The answer, committed; with others of the moment where the action allows it."""
    if not asked.action.__dict__.get("grouped"):
        return _write_alone(asked)
    try:
        return _groups.run(asked)
    except database.Busy:
        raise Refusal("desk_busy") from None
    except Undone:
        return _write_alone(asked)


def _write_alone(asked: _Asked, *, ask_first: bool = False) -> Any:
    with _writing() as session:
        return _do(session, [asked], ask_first=ask_first)[0]


def _write_group(take: Callable[[], Sequence[_Asked]]) -> list[Any]:
    with _writing() as session:
        session.info[ANSWERS] = {}
        # Taken only now, when the writer's lock is there: until then others join.
        return _do(session, take())


def _do(session: Session, group: Sequence[_Asked], *, ask_first: bool = False) -> list[Any]:
    works: list[Work] = []
    answers = [asked.do(session, works, ask_first=ask_first) for asked in group]
    books.close(session, works)
    return answers


LARGEST_GROUP = 16
_groups = GroupCommit(_write_group, most=LARGEST_GROUP)


def _answer_instead(form: _Form, actor: Actor | Callable[[Look], Actor], now: datetime) -> Any:
    """The row of the form's first answer where a later click of it was refused: by what the first has changed."""
    with database.ReadSession() as session:
        actor = _who_acts(session, actor, now)
        _check_permit(form.action, actor)
        return form.first_answer(session, actor, now)


class Together:
    """Several actions in one transaction, as `together` gives it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.works: list[Work] = []
        # Rows stay in memory until the commit: the verbs of a story ask for the same ones again and again.
        self._kept: set[object] = set()
        event.listen(session, "loaded_as_persistent", self._keep)
        event.listen(session, "pending_to_persistent", self._keep)
        event.listen(session, "detached_to_persistent", self._keep)

    def _keep(self, _session: Session, row: object) -> None:
        self._kept.add(row)

    def perform(
        self, action: Callable[..., T], *, actor: Actor, now: datetime, **arguments: Any
    ) -> T:
        """One action with its own actor, instant, permit check and audit rows. A refusal undoes all of them."""
        actor = self._fresh(actor)
        _check_permit(action, actor)
        work = Work(self.session, actor, now)
        self.works.append(work)
        return action(work, **arguments)

    def _fresh(self, actor: Actor) -> Actor:
        """The actor as the steps before have left the person."""
        if actor.kind is not ActorKind.PERSON:
            return actor
        person = self.session.get(Person, actor.person_id, options=WITH_ROLES)
        _ensure_same(actor, person)
        assert person is not None
        return actor_of(person)


@contextmanager
def together() -> Iterator[Together]:
    """All or nothing for a sequence of actions, with one commit; for the sample story, which tells thousands."""
    with _writing() as session:
        steps = Together(session)
        yield steps
        books.close(session, steps.works)


def _who_acts(session: Session, actor: Actor | Callable[[Look], Actor], now: datetime) -> Actor:
    """The actor as stored now; the first question of a transaction."""
    if callable(actor):
        return actor(Look(session, system("perform"), now))
    if actor.kind is not ActorKind.PERSON:
        return actor
    rows = session.connection().execute(PERSON_NOW, {"of_person": actor.person_id}).all()
    _ensure_same(actor, rows[0] if rows else None)
    roles = frozenset(row.role for row in rows if row.role is not None)
    return Actor(ActorKind.PERSON, rows[0].id, rows[0].name, roles, actor.epoch)


def _ensure_same(actor: Actor, person: Any) -> None:
    """Refuse whoever has gone, or has signed out everywhere, since the actor was read."""
    if person is None or not person.active or person.epoch != actor.epoch:
        raise Refusal("no_longer_allowed")


def actor_of(person: Person) -> Actor:
    """The actor that a person is now."""
    roles = frozenset(held.role for held in person.roles)
    return Actor(ActorKind.PERSON, person.id, person.name, roles, person.epoch)


def _check_permit(action: Any, actor: Actor) -> None:
    permitted = permit_of(action)
    if actor.kind is ActorKind.SYSTEM:
        return
    if actor.kind is ActorKind.GUEST:
        if not permitted.guests:
            raise Refusal("no_longer_allowed")
        return
    if not permitted.everyone and actor.roles.isdisjoint(permitted.roles):
        raise Refusal("no_longer_allowed")


def _arguments_hash(arguments: dict[str, Any]) -> str:
    def plain(value: Any) -> str | list[str]:
        if isinstance(value, bytes):
            return hashlib.sha256(value).hexdigest()
        if isinstance(value, set | frozenset):
            # Each process tells a set in an order of its own.
            return sorted(map(repr, value))
        return repr(value)

    message = json.dumps(arguments, sort_keys=True, ensure_ascii=False, default=plain).encode(
        "utf-8", "surrogatepass"
    )
    return hashlib.sha256(message).hexdigest()
