"""Who may sign in when: waiting times, passwords, the life of a session."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from lib.shared.errors import Refusal

LONGEST_WAIT = timedelta(minutes=15)
ACCOUNT_FREE_TRIES = 3
ADDRESS_FREE_TRIES = 20
"""An office stands behind one address, so that it waits later than an account."""
FIRST_WAIT = timedelta(seconds=5)
LOOKED_BACK = timedelta(hours=24)
CODE_LIFE = timedelta(seconds=30)
WARNED_BEFORE = timedelta(minutes=2)

LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,31}")
SHORTEST_PASSWORD = 10
LONGEST_PASSWORD_BYTES = 72
"""bcrypt refuses more; 24 Chinese characters."""


def waiting_until(failures: Sequence[datetime], *, free_tries: int) -> datetime | None:
    """Until when the next try must wait after these failures, oldest first; None when it need not.

    The wait doubles with each failure beyond the free ones and never exceeds 15 minutes, so that nobody can lock
    another person out for good.
    """
    beyond = len(failures) - free_tries
    if beyond <= 0:
        return None
    wait = LONGEST_WAIT if beyond > 10 else min(FIRST_WAIT * 2 ** (beyond - 1), LONGEST_WAIT)
    return failures[-1] + wait


def ensure_login_is_usable(login: str) -> None:
    """Refuse `login_unusable` unless it is 2 to 32 of a-z, 0-9, dot, dash, underscore."""
    if not LOGIN.fullmatch(login):
        raise Refusal("login_unusable")


def login_or_nobodys(login: str) -> str:
    """The login, or "" (nobody's) for one that no account can have, such as one that PostgreSQL cannot even ask for."""
    return login if LOGIN.fullmatch(login) else ""


def ensure_password_is_usable(password: str, *, login: str) -> None:
    """Refuse a new password that is short, easily guessed, or would be changed on its way to the check."""
    if password != password.strip() or not password.isprintable():
        raise Refusal("password_outer_spaces")
    if len(password) < SHORTEST_PASSWORD:
        raise Refusal("password_short", shortest=SHORTEST_PASSWORD)
    if not fits_bcrypt(password):
        raise Refusal("password_long", longest=LONGEST_PASSWORD_BYTES)
    if login in password.lower() or len(set(password)) < 5:
        raise Refusal("password_weak")


def fits_bcrypt(password: str) -> bool:
    """Whether the check can read the password at all: at most 72 bytes, no NUL, no lone surrogate."""
    try:
        encoded = password.encode()
    except UnicodeEncodeError:
        return False
    return len(encoded) <= LONGEST_PASSWORD_BYTES and b"\0" not in encoded


def is_session_alive(
    *,
    now: datetime,
    last_seen_at: datetime,
    expires_at: datetime,
    revoked_at: datetime | None,
    idle: timedelta,
    same_epoch: bool,
    active: bool,
) -> bool:
    """Whether a session still stands for its person: not revoked, idle, expired, or overtaken by a change."""
    return (
        active
        and same_epoch
        and revoked_at is None
        and now < expires_at
        and now < last_seen_at + idle
    )


def session_ends_at(last_seen_at: datetime, expires_at: datetime, idle: timedelta) -> datetime:
    """When a session ends if nothing is done any more."""
    return min(expires_at, last_seen_at + idle)
