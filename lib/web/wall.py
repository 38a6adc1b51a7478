"""The guard as this process uses it: settings, and sessions looked up in the database."""

from functools import cache

from starlette.middleware import Middleware

from lib.people import actions
from lib.people.sessions import SessionFacts, find_session
from lib.shared import clock
from lib.shared.settings import settings
from lib.shared.work import look, perform, system
from lib.web.guard import Guard, GuardSettings
from lib.web.session_cache import SessionCache

GUARD = system("guard")


def _lookup(token_hash: str) -> SessionFacts | None:
    return look(find_session, actor=GUARD, now=clock.now(), token_hash=token_hash)


def _mark_seen(session_id: int) -> None:
    perform(actions.mark_seen, actor=GUARD, now=clock.now(), session_id=session_id)


sessions = SessionCache(_lookup, _mark_seen)


@cache
def guard_settings() -> GuardSettings:
    """What the guard trusts, from the settings."""
    return GuardSettings(
        hosts=frozenset(host.strip().lower() for host in settings().allowed_hosts),
        proxies=tuple(settings().trusted_proxies),
        behind_tls=settings().behind_tls,
    )


def middleware() -> list[Middleware]:
    """The app's middleware: the guard, outermost."""
    return [Middleware(Guard, settings=guard_settings, sessions=sessions)]
