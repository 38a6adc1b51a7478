"""Serves stored pictures and papers to whoever may see them now; nothing of them is kept by the browser."""

from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import quote

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from lib.people.sessions import SessionFacts
from lib.shared import clock
from lib.shared.errors import Refusal
from lib.shared.logs import log
from lib.shared.work import look
from lib.tickets import files
from lib.visits.queries import read_file


class Stored(Protocol):
    """What a reader answers."""

    @property
    def media_type(self) -> str: ...

    @property
    def content(self) -> bytes: ...


READERS: dict[str, Callable[..., Stored]] = {"visit": read_file, "ticket": files.read_file}
"""The query that reads the files of an owner; `file_id`, and `small` for a thumbnail."""


async def serve_file(request: Request) -> Response:
    """GET: the file, with `?small` its thumbnail. 403 without a ready session, 404 when it is not this person's."""
    facts: SessionFacts | None = request.scope.get("desk_session")
    if facts is None or not facts.ready:
        return _plain(403, "refused")
    reader = READERS.get(request.path_params["owner"])
    file_id = request.path_params["file_id"]
    if reader is None or file_id >= 2**31:
        return _plain(404, "not found")
    actor, small = facts.actor, "small" in request.query_params
    try:
        found: Any = await to_thread.run_sync(
            lambda: look(reader, actor=actor, now=clock.now(), file_id=file_id, small=small)
        )
    except Refusal:
        return _plain(404, "not found")
    except Exception:
        log.exception("files.failed")
        return _plain(503, "not available for the moment")
    headers = {"cache-control": "private, no-store", "x-content-type-options": "nosniff"}
    download = getattr(found, "download", "")
    if download:
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(download, safe='')}"
        headers["content-security-policy"] = "sandbox; default-src 'none'"
    return Response(found.content, media_type=found.media_type, headers=headers)


def _plain(status: int, text: str) -> Response:
    return PlainTextResponse(text, status_code=status, headers={"cache-control": "no-store"})


routes = [Route("/desk/files/{owner}/{file_id:int}", serve_file, methods=["GET"])]
