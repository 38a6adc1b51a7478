"""What watches the desk from outside: an open address that says only ok, and guarded figures."""

import hmac

from anyio import to_thread
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from db import session as database
from db.codes import Role
from lib.people.sessions import SessionFacts
from lib.shared.logs import log
from lib.shared.settings import settings


async def healthz(_request: Request) -> Response:
    """200 "ok" when the database answers, else 503; no more is told."""
    try:
        await to_thread.run_sync(_ask_database)
    except Exception:
        log.exception("health.database_failed")
        return PlainTextResponse("not ok", status_code=503, headers={"cache-control": "no-store"})
    return PlainTextResponse("ok", headers={"cache-control": "no-store"})


def _ask_database() -> None:
    with database.ReadSession() as session:
        session.execute(text("SELECT 1"))


async def metrics(request: Request) -> Response:
    """Figures for Prometheus: with `Authorization: Bearer METRICS_TOKEN`, or signed in as administrator."""
    facts: SessionFacts | None = request.scope["desk_session"]
    wanted = settings().metrics_token
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    by_token = len(wanted) >= 16 and hmac.compare_digest(given.encode(), wanted.encode())
    if not by_token and not (
        facts is not None and facts.ready and facts.actor.has(Role.ADMINISTRATOR)
    ):
        return PlainTextResponse("refused", status_code=403)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


routes = [
    Route("/healthz", healthz, methods=["GET"]),
    Route("/metrics", metrics, methods=["GET"]),
]
