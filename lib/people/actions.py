"""Signing in and out, and the life of an account. Whatever takes something from a person ends the sessions."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update

from db.codes import Language, Role, SignInOutcome
from db.models.people import DeskSession, Person, PersonRole, SignInAttempt, SignInCode
from lib.people import rules
from lib.people.sessions import hash_token, idle_limit, keyed
from lib.shared.errors import Refusal
from lib.shared.settings import settings
from lib.shared.work import Work, permit

TOKEN_BYTES = 32


@permit()
def begin_sign_in(work: Work, *, login: str, address: str) -> dict[str, int | str | None]:
    """Open an attempt before the password is looked at, so that parallel guesses count too.

    Answers {"wait_seconds", "attempt_id", "person_id", "password_hash"}: with `wait_seconds` above 0 the attempt was
    refused; without a person the password must be checked against a dummy, at the same cost.
    """
    account_key, address_key = keyed(f"account:{login}"), keyed(f"address:{address}")
    person = work.session.scalar(
        select(Person)
        .where(Person.login == rules.login_or_nobodys(login))
        .with_for_update(of=Person)
    )
    if person is not None and not person.active:
        person = None
    waits = [
        rules.waiting_until(
            _account_failures(work, account_key), free_tries=rules.ACCOUNT_FREE_TRIES
        ),
        rules.waiting_until(
            _address_failures(work, address_key), free_tries=rules.ADDRESS_FREE_TRIES
        ),
    ]
    until = max((wait for wait in waits if wait is not None), default=work.now)
    delayed = until > work.now
    attempt = SignInAttempt(
        account_key=account_key,
        address_key=address_key,
        person_id=person.id if person is not None else None,
        outcome=SignInOutcome.DELAYED if delayed else SignInOutcome.WRONG,
        at=work.now,
    )
    work.session.add(attempt)
    work.session.flush()
    work.record(
        "sign_in.delayed" if delayed else "sign_in.tried", attempt, person_id=attempt.person_id
    )
    wait = until - work.now
    return {
        "wait_seconds": max(1, int(wait.total_seconds())) if delayed else 0,
        "attempt_id": attempt.id,
        "person_id": attempt.person_id,
        "password_hash": person.password_hash if person is not None and not delayed else None,
    }


def _account_failures(work: Work, account_key: str) -> Sequence[datetime]:
    """Failures since the last success, oldest first."""
    newest = work.session.execute(
        select(SignInAttempt.outcome, SignInAttempt.at)
        .where(
            SignInAttempt.account_key == account_key,
            SignInAttempt.at > work.now - rules.LOOKED_BACK,
            SignInAttempt.outcome != SignInOutcome.DELAYED,
        )
        .order_by(SignInAttempt.at.desc(), SignInAttempt.id.desc())
        .limit(50)
    ).all()
    failures: list[datetime] = []
    for outcome, at in newest:
        if outcome is SignInOutcome.OK:
            break
        failures.append(at)
    return failures[::-1]


def _address_failures(work: Work, address_key: str) -> Sequence[datetime]:
    """Failures within the longest wait, oldest first; a success does not wipe them out."""
    return work.session.scalars(
        select(SignInAttempt.at)
        .where(
            SignInAttempt.address_key == address_key,
            SignInAttempt.at > work.now - rules.LONGEST_WAIT,
            SignInAttempt.outcome == SignInOutcome.WRONG,
        )
        .order_by(SignInAttempt.at, SignInAttempt.id)
    ).all()


@permit()
def finish_sign_in(work: Work, *, attempt_id: int, language: Language | None = None) -> str:
    """Mark the attempt as good and answer a one-time code of 30 seconds for the route that sets the cookie.

    `language`: one chosen before signing in, to be kept for the person.
    """
    attempt = work.get(SignInAttempt, attempt_id)
    if attempt.person_id is None or attempt.outcome is not SignInOutcome.WRONG:
        raise Refusal("sign_in_again")
    attempt.outcome = SignInOutcome.OK
    person = work.get(Person, attempt.person_id)
    if language is not None:
        person.language = language
    work.record("sign_in.password_right", person)
    return _new_code(work, person)


def _new_code(work: Work, person: Person) -> str:
    code = secrets.token_urlsafe(TOKEN_BYTES)
    work.session.add(
        SignInCode(
            code_hash=hash_token(code), person_id=person.id, expires_at=work.now + rules.CODE_LIFE
        )
    )
    return code


@permit(guests=True)
def open_session(work: Work, *, code: str, address: str) -> str:
    """Turn a one-time code into a session; answers the cookie's value. Refuses `sign_in_again`."""
    taken = work.session.execute(
        update(SignInCode)
        .where(
            SignInCode.code_hash == hash_token(code),
            SignInCode.used_at.is_(None),
            SignInCode.expires_at > work.now,
        )
        .values(used_at=work.now)
        .returning(SignInCode.person_id)
    ).scalar_one_or_none()
    person = work.session.get(Person, taken) if taken is not None else None
    if person is None or not person.active:
        raise Refusal("sign_in_again")
    return _new_session(work, person, address)


def _new_session(work: Work, person: Person, address: str) -> str:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    opened = DeskSession(
        token_hash=hash_token(token),
        person_id=person.id,
        epoch=person.epoch,
        created_at=work.now,
        last_seen_at=work.now,
        expires_at=work.now + timedelta(hours=settings().session_hours),
        address=keyed(f"address:{address}")[:16],
    )
    work.session.add(opened)
    work.session.flush()
    work.record("session.opened", opened, person_id=person.id)
    return token


@permit()
def open_session_for(work: Work, *, person_id: int) -> str:
    """A session without a password, for tests and benchmarks of the house; no page or route reaches it."""
    return _new_session(work, work.get(Person, person_id), "here")


@permit()
def mark_seen(work: Work, *, session_id: int) -> None:
    """Remember that a living session was used, which puts its idle end off."""
    work.session.execute(
        update(DeskSession)
        .where(
            DeskSession.id == session_id,
            DeskSession.revoked_at.is_(None),
            DeskSession.last_seen_at < work.now,
            DeskSession.last_seen_at > work.now - idle_limit(),
        )
        .values(last_seen_at=work.now)
    )


@permit(everyone=True)
def sign_out(work: Work, *, session_id: int) -> None:
    """End one of the actor's own sessions. Refuses `not_found` for a foreign one."""
    session = work.get(DeskSession, session_id)
    if session.person_id != work.actor.person_id:
        raise Refusal("not_found")
    if session.revoked_at is None:
        session.revoked_at = work.now
        work.record("session.ended", session)
    work.touch_ticket(0)


@permit(everyone=True)
def sign_out_everywhere(work: Work) -> None:
    """End all of the actor's sessions, this one too."""
    person = _own(work)
    _end_sessions(work, person)
    work.record("session.ended_everywhere", person)


def _own(work: Work) -> Person:
    assert work.actor.person_id is not None
    return work.get(Person, work.actor.person_id)


def _end_sessions(work: Work, person: Person) -> None:
    person.epoch += 1
    work.session.execute(
        update(DeskSession)
        .where(DeskSession.person_id == person.id, DeskSession.revoked_at.is_(None))
        .values(revoked_at=work.now)
    )
    work.session.execute(
        update(SignInCode)
        .where(SignInCode.person_id == person.id, SignInCode.used_at.is_(None))
        .values(used_at=work.now)
    )
    work.touch_ticket(0)


@permit(everyone=True)
def change_password(work: Work, *, seen_hash: str, password_hash: str) -> str:
    """Set the actor's own password, end all sessions, and answer a one-time code to go on with a new one.

    `seen_hash` is the stored hash against which the current password was checked. Never call this with an
    idempotency key: its answer is a secret.
    """
    person = _own(work)
    if person.password_hash != seen_hash:
        raise Refusal("changed_meanwhile")
    person.password_hash = password_hash
    person.must_change_password = False
    _end_sessions(work, person)
    work.record("person.password_changed", person)
    return _new_code(work, person)


@permit(everyone=True)
def accept_pledge(work: Work) -> None:
    """Give the confidentiality pledge, once (P-05)."""
    person = _own(work)
    if person.pledge_accepted_at is None:
        person.pledge_accepted_at = work.now
        work.record("person.pledge_accepted", person)


@permit(everyone=True)
def choose_language(work: Work, *, language: Language) -> None:
    """Remember the language of the actor's screens."""
    _own(work).language = language


@permit(Role.ADMINISTRATOR)
def create_person(
    work: Work,
    *,
    login: str,
    name: str,
    roles: Sequence[Role],
    password_hash: str,
    must_change_password: bool = True,
) -> int:
    """Give somebody an account. Refuses `login_taken`, `login_unusable`, `name_missing`, `roles_missing`."""
    rules.ensure_login_is_usable(login)
    name = name.strip()
    if not name or len(name) > 80 or not name.isprintable():
        raise Refusal("name_missing")
    if not roles:
        raise Refusal("roles_missing")
    if work.session.scalar(select(Person.id).where(Person.login == login)) is not None:
        raise Refusal("login_taken")
    person = Person(
        login=login,
        name=name,
        password_hash=password_hash,
        must_change_password=must_change_password,
        created_at=work.now,
        roles=[PersonRole(role=role) for role in sorted(set(roles))],
    )
    work.session.add(person)
    work.session.flush()
    work.record("person.created", person, roles=sorted(set(roles)))
    work.touch_ticket(0)
    return person.id


@permit(Role.ADMINISTRATOR)
def set_roles(work: Work, *, person_id: int, version: int, roles: Sequence[Role]) -> None:
    """Change what a person may do; it takes effect at the next click. Refuses `last_administrator`."""
    person = work.get(Person, person_id, version=version)
    before = {held.role for held in person.roles}
    after = set(roles)
    if not after:
        raise Refusal("roles_missing")
    if before == after:
        return
    if Role.ADMINISTRATOR in before - after:
        _ensure_another_administrator(work, person)
    person.roles = [held for held in person.roles if held.role in after] + [
        PersonRole(role=role) for role in sorted(after - before)
    ]
    _end_sessions(work, person)
    work.record(
        "person.roles_changed", person, taken=sorted(before - after), given=sorted(after - before)
    )


@permit(Role.ADMINISTRATOR)
def reset_password(work: Work, *, person_id: int, version: int, password_hash: str) -> None:
    """Set a first password, to be changed at the next sign-in, and end all sessions."""
    person = work.get(Person, person_id, version=version)
    person.password_hash = password_hash
    person.must_change_password = True
    _end_sessions(work, person)
    work.record("person.password_reset", person)


@permit(Role.ADMINISTRATOR)
def deactivate_person(work: Work, *, person_id: int, version: int) -> None:
    """Close an account at once. Refuses `own_account` and `last_administrator`."""
    person = work.get(Person, person_id, version=version)
    if person.id == work.actor.person_id:
        raise Refusal("own_account")
    if not person.active:
        return
    if any(held.role is Role.ADMINISTRATOR for held in person.roles):
        _ensure_another_administrator(work, person)
    person.active = False
    _end_sessions(work, person)
    work.record("person.deactivated", person)


@permit(Role.ADMINISTRATOR)
def reactivate_person(work: Work, *, person_id: int, version: int, password_hash: str) -> None:
    """Open a closed account again, with a first password."""
    person = work.get(Person, person_id, version=version)
    if person.active:
        return
    person.active = True
    person.password_hash = password_hash
    person.must_change_password = True
    _end_sessions(work, person)
    work.record("person.reactivated", person)


def _ensure_another_administrator(work: Work, person: Person) -> None:
    others = work.session.scalars(
        select(Person.id)
        .join(PersonRole, PersonRole.person_id == Person.id)
        .where(
            PersonRole.role == Role.ADMINISTRATOR, Person.active.is_(True), Person.id != person.id
        )
        .with_for_update(of=Person)
    ).all()
    if not others:
        raise Refusal("last_administrator")
