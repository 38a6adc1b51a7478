"""Hashing of passwords, and random ones. Takes a third of a second: never inside a transaction."""

import secrets
from functools import cache

import bcrypt

from lib.people import rules
from lib.shared.cores import any_core

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""No letters that look alike: first passwords are read out and typed."""


@any_core()
def hash_password(password: str) -> str:
    """The bcrypt hash. Raises ValueError when the password does not fit; check `rules.fits_bcrypt` before."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode()


@any_core()
def is_password(password: str, password_hash: str) -> bool:
    """Whether the hash is that of the password."""
    return rules.fits_bcrypt(password) and bcrypt.checkpw(password.encode(), password_hash.encode())


def random_password() -> str:
    """A first password, to be changed at the first sign-in; about 78 bits."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(4))


@cache
def dummy_hash() -> str:
    """A hash nobody knows the password of: unknown people are checked against it, at the same cost."""
    return hash_password(secrets.token_urlsafe(24))
