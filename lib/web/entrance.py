"""The addresses that give and take the session cookie, and tell how long a session lasts."""

from collections.abc import Callable
from typing import Any, TypeVar

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lib.people import actions
from lib.people.sessions import SessionFacts
from lib.shared import clock
from lib.shared.errors import Refusal
from lib.shared.logs import log
from lib.shared.settings import settings
from lib.shared.work import guest, perform, system
from lib.web.guard import PLAIN_COOKIE, TLS_COOKIE, session_token
from lib.web.wall import sessions

T = TypeVar("T")
OWN_HEADER = "x-desk"
MOST_BYTES = 1024


async def sign_in(request: Request) -> Response:
    """POST a one-time code, get the session cookie. 403 for a code that is unknown, used or older than 30 s."""
    if not _is_own_page(request):
        return _plain(403, "refused")
    body = await _short_body(request)
    if not body:
        return _plain(400, "refused")
    try:
        token = await _in_thread(
            lambda: perform(
                actions.open_session,
                actor=guest("sign_in"),
                now=clock.now(),
                code=body,
                address=request.scope["desk_address"],
            )
        )
    except Refusal:
        return _plain(403, "refused")
    except Exception:
        log.exception("entrance.sign_in_failed")
        return _plain(503, "not available for the moment")
    response = _plain(200, "ok")
    _set_cookie(request, response, token)
    return response


async def sign_out(request: Request) -> Response:
    """POST: end the session and drop the cookie, also one that has stopped to count."""
    if not _is_own_page(request):
        return _plain(403, "refused")
    facts: SessionFacts | None = request.scope["desk_session"]
    if facts is not None:
        try:
            await _in_thread(
                lambda: perform(
                    actions.sign_out,
                    actor=facts.actor,
                    now=clock.now(),
                    session_id=facts.row_id,
                )
            )
        except Refusal:
            log.info("entrance.already_signed_out")
        except Exception:
            log.exception("entrance.sign_out_failed")
            return _plain(503, "not available for the moment")
    token = session_token(request.headers, secure=request.scope["desk_secure"])
    if token:
        sessions.forget(token)
    response = _plain(200, "ok")
    response.delete_cookie(
        _cookie_name(request),
        path="/",
        secure=request.scope["desk_secure"],
        httponly=True,
        samesite="strict",
    )
    return response


async def session(request: Request) -> Response:
    """GET: {"left": seconds} until the session ends if nothing is done; 0 without one. Asking is no activity."""
    facts: SessionFacts | None = request.scope["desk_session"]
    left = 0 if facts is None else max(0, int((facts.ends_at - clock.now()).total_seconds()))
    return JSONResponse({"left": left}, headers={"cache-control": "no-store"})


async def stay(request: Request) -> Response:
    """POST: put the idle end of the session off, as a click does."""
    facts: SessionFacts | None = request.scope["desk_session"]
    if facts is None or not _is_own_page(request):
        return _plain(403, "refused")
    try:
        await _in_thread(
            lambda: perform(
                actions.mark_seen, actor=system("guard"), now=clock.now(), session_id=facts.row_id
            )
        )
    except Exception:
        log.exception("entrance.stay_failed")
        return _plain(503, "not available for the moment")
    token = session_token(request.headers, secure=request.scope["desk_secure"])
    if token:
        sessions.forget(token)
    return _plain(200, "ok")


def _is_own_page(request: Request) -> bool:
    """Whether a page of ours sent this: a header that foreign pages cannot set, and no sign of another origin.

    Browsers leave out `Sec-Fetch-*` on plain-HTTP addresses of the local network, so they count only when there.
    The guard has compared Origin with Host already.
    """
    return (
        request.headers.get(OWN_HEADER) == "1"
        and request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
    )


async def _short_body(request: Request) -> str:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            return ""
    return body.decode("ascii", "replace").strip()


def _cookie_name(request: Request) -> str:
    return TLS_COOKIE if request.scope["desk_secure"] else PLAIN_COOKIE


def _set_cookie(request: Request, response: Response, token: str) -> None:
    response.set_cookie(
        _cookie_name(request),
        token,
        max_age=settings().session_hours * 3600,
        path="/",
        secure=request.scope["desk_secure"],
        httponly=True,
        samesite="strict",
    )


def _plain(status: int, words: str) -> Response:
    return JSONResponse(
        {"answer": words}, status_code=status, headers={"cache-control": "no-store"}
    )


async def _in_thread(work: Callable[[], T]) -> T:
    answer: Any = await to_thread.run_sync(work)
    found: T = answer
    return found


routes = [
    Route("/desk/sign-in", sign_in, methods=["POST"]),
    Route("/desk/sign-out", sign_out, methods=["POST"]),
    Route("/desk/stay", stay, methods=["POST"]),
    Route("/desk/session", session, methods=["GET"]),
]
