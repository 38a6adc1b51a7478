"""The two doors of every page: `read` runs a query, `submit` an action, both for the session's person as of now.

The reads of a whole run share one transaction and one look-up of the session. Fragments and callbacks run before or
without the shell, so each of their calls looks the session up again: a demotion, a sign-out or an expiry takes effect
at the next interaction (security 7).
"""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import uuid4

import streamlit as st

from lib.people import actions as people_actions
from lib.people import queries as people_queries
from lib.people.sessions import SessionFacts, find_session_by_id
from lib.shared import clock
from lib.shared.errors import Refusal
from lib.shared.logs import log
from lib.shared.work import Actor, Look, Looks, action_name, look, perform, system
from lib.ui import menu
from lib.ui.labels import code_label, escape, label, when

T = TypeVar("T")

REFUSAL = "doors.refusal"
NOTICES = "doors.notices"
FORMS = "doors.forms"

BEFORE_READY: frozenset[Any] = frozenset(
    {
        people_actions.change_password,
        people_actions.accept_pledge,
        people_actions.choose_language,
        people_actions.sign_out_everywhere,
        people_queries.own_password_hash,
    }
)
"""What somebody may do before a new password is set and the pledge given."""


class _Run(threading.local):
    """The run of a page that this thread is in; None in a fragment or a callback."""

    looks: Looks | None = None
    row_id: int | None = None
    facts: SessionFacts | None = None


_run = _Run()


@contextmanager
def one_look() -> Iterator[None]:
    """Let the reads of this run see the store at one moment; what is written within it is seen by the next read."""
    _run.looks, _run.row_id = Looks(), session_row()
    try:
        yield
    finally:
        _run.looks.close()
        _run.looks = _run.row_id = _run.facts = None


def _look_again() -> None:
    """Something was written, or may have been: what was read before is over."""
    _run.facts = None
    if _run.looks is not None:
        _run.looks.close()


def session_row() -> int | None:
    """The session's row id as the guard found it; None for anonymous browsers."""
    if _run.row_id is not None:
        return _run.row_id
    row = st.user.to_dict().get("session_row")
    return int(str(row)) if row else None


def current() -> SessionFacts | None:
    """The living session of this browser, read now; None when there is none (any more)."""
    row_id = session_row()
    if row_id is None:
        return None
    return _look(_facts, row_id=row_id)


def enter(page: str) -> Actor:
    """The first statement of every page: who is here, if the menu lets them; else the run ends."""
    facts = _or_stop(current)
    if facts is None:
        _show(Refusal("signed_out"))
        st.stop()
    if not facts.ready or not menu.entry(page).is_for(facts.actor.roles):
        _show(Refusal("page_not_allowed"))
        st.stop()
    return facts.actor


def read(query: Callable[..., T], **arguments: Any) -> T:
    """Run a query as the person of the session. On a refusal or a failure the words are shown and the run ends."""
    return _or_stop(lambda: _looked(query, arguments))


def try_read(query: Callable[..., T], **arguments: Any) -> T:
    """Like `read`, but refusals are raised for the page to handle."""
    return _looked(query, arguments)


def _looked(query: Callable[..., T], arguments: dict[str, Any]) -> T:
    row_id = session_row()
    if row_id is None:
        raise Refusal("signed_out")
    answer: T = _look(_as_person, row_id=row_id, query=query, arguments=arguments)
    return answer


def _look(query: Callable[..., T], /, **arguments: Any) -> T:
    who, now = system("doors"), clock.now()
    if _run.looks is None:
        return look(query, actor=who, now=now, **arguments)
    return _run.looks.look(query, actor=who, now=now, **arguments)


def _facts(asked: Look, *, row_id: int) -> SessionFacts | None:
    if _run.facts is not None:
        return _run.facts
    facts = find_session_by_id(asked, row_id=row_id)
    if _run.looks is not None:
        _run.facts = facts
    return facts


def _as_person(
    asked: Look, *, row_id: int, query: Callable[..., T], arguments: dict[str, Any]
) -> T:
    facts = _let_go_on(_facts(asked, row_id=row_id), query)
    return query(Look(asked.session, facts.actor, asked.now), **arguments)


def _let_go_on(facts: SessionFacts | None, what: Any) -> SessionFacts:
    if facts is None:
        raise Refusal("signed_out")
    if not facts.ready and what not in BEFORE_READY:
        raise Refusal("no_longer_allowed")
    return facts


def submit(action: Callable[..., T], *, key: str | None = None, **arguments: Any) -> T | None:
    """Run an action as the person of the session; to be called in a widget's callback.

    `key` is what `form_key` gave when the widget was drawn; a success renews it. Answers None when refused or failed:
    the words are kept for the next run and what was typed stays.
    """
    try:
        answer = _performed(action, key, arguments)
    except Refusal as refusal:
        st.session_state[REFUSAL] = refusal
        return None
    except Exception as error:  # noqa: BLE001 - `failed` logs it
        st.session_state[REFUSAL] = failed(error, action_name(action))
        return None
    st.session_state.pop(REFUSAL, None)
    if key is not None:
        _renew(key)
    return answer


def _performed(action: Callable[..., T], key: str | None, arguments: dict[str, Any]) -> T:
    """As the person is now, not as the run found them; no reading transaction is held while it writes."""
    _look_again()
    row_id = session_row()
    if row_id is None:
        raise Refusal("signed_out")

    def whose_session(asked: Look) -> Actor:
        return _let_go_on(find_session_by_id(asked, row_id=row_id), action).actor

    return perform(action, actor=whose_session, now=clock.now(), key=key, **arguments)


def attempt(action: Callable[..., object], *, key: str, **arguments: Any) -> Refusal | None:
    """Run one action of several as `submit` does; why it was refused is answered, not kept for the next run."""
    try:
        _performed(action, key, arguments)
    except Refusal as refusal:
        return refusal
    except Exception as error:  # noqa: BLE001 - `failed` logs it
        return failed(error, action_name(action))
    return None


def refuse(key: str, **params: Any) -> None:
    """Refuse from a callback before any action was tried, e.g. for a file that is too large."""
    st.session_state[REFUSAL] = Refusal(key, **params)


def refused() -> bool:
    """Whether the last submission was refused or failed; for actions that answer nothing."""
    return REFUSAL in st.session_state


def form_key(name: str) -> str:
    """The idempotency key of a form instance: put it into the widget keys and the callback's arguments.

    It stays the same until a submission succeeds; then the widgets get new keys and are empty again.
    """
    forms: dict[str, str] = st.session_state.setdefault(FORMS, {})
    return forms.setdefault(name, uuid4().hex)


def renew_form(name: str) -> None:
    """Empty a form without submitting it, e.g. on cancelling."""
    st.session_state.setdefault(FORMS, {}).pop(name, None)


def _renew(key: str) -> None:
    forms: dict[str, str] = st.session_state.get(FORMS, {})
    for name in [name for name, used in forms.items() if used == key]:
        del forms[name]


def say(key: str, **params: Any) -> None:
    """Tell of a success at the next run, from a callback."""
    st.session_state.setdefault(NOTICES, []).append((key, params))


def show_refusal() -> None:
    """Show what the last submission was refused for, and successes told with `say`; the shell does it for you."""
    for key, params in st.session_state.pop(NOTICES, []):
        st.toast(label(key, **params), icon=":material/check_circle:")
    refusal = st.session_state.pop(REFUSAL, None)
    if refusal is not None:
        _show(refusal)


def refusal_waits() -> bool:
    """Whether there is something to show."""
    return REFUSAL in st.session_state or bool(st.session_state.get(NOTICES))


def _show(refusal: Refusal) -> None:
    st.error(words_of(refusal), icon=":material/block:")


def words_of(refusal: Refusal, *, plain: bool = False) -> str:
    """The words of a refusal, for Markdown unless `plain`; a collision names who changed what."""
    if refusal.key == "changed_meanwhile" and "subject" in refusal.params:
        try:
            change = _looked(
                people_queries.find_last_change,
                {"subject_kind": refusal.params["subject"], "subject_id": refusal.params["id"]},
            )
        except Exception as error:  # noqa: BLE001 - `failed` logs it
            failed(error, "doors.words_of")
            change = None
        if change is not None:
            return label(
                "refusal.changed_by",
                who=(change.by if plain else escape(change.by)) or label("actor.system"),
                at=when(change.at, seconds=True),
                what=action_words(change.action),
            )
        return label("refusal.changed_meanwhile")
    params = {
        name: code_label(value) if hasattr(value, "value") else value
        for name, value in refusal.params.items()
    }
    return label(f"refusal.{refusal.key}", **params)


def action_words(action: str) -> str:
    """What was done, in words if there are any, else its code."""
    words = label(f"audit.{action}")
    return action if words == f"audit.{action}" else words


def _or_stop(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except Refusal as refusal:
        _show(refusal)
    except Exception as error:  # noqa: BLE001 - `failed` logs it
        _show(failed(error, "doors.read"))
    return st.stop()


def failed(error: BaseException, where: str) -> Refusal:
    """Log a bug or a broken store under a reference number; answers what the user is to see."""
    reference = secrets.token_hex(3).upper()
    log.error("desk.failed", reference=reference, where=where, exc_info=error)
    return Refusal("failed", reference=reference)


def report_script_error(error: Exception) -> bool:
    """For `st.App(on_script_error=...)`: an uncaught error of a page shows a reference number, no traceback."""
    _show(failed(error, "page"))
    return True
