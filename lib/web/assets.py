"""The desk's own script, style and icon, each under an address that changes with its content."""

import hashlib
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "assets"
KINDS = {"boot.js": "text/javascript", "desk.css": "text/css", "icon.svg": "image/svg+xml"}
FOR_EVER = "public, max-age=31536000, immutable"


@cache
def content(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


@cache
def address(name: str) -> str:
    """The address of an own file, with a mark of its content."""
    return f"/desk/{name}?v={hashlib.sha256(content(name)).hexdigest()[:12]}"


async def serve(request: Request) -> Response:
    """An own file; kept by the browser for ever under its marked address."""
    name = request.path_params["name"]
    if name not in KINDS:
        return PlainTextResponse("not found", status_code=404)
    marked = request.query_params.get("v") == address(name).rpartition("=")[2]
    return Response(
        content(name),
        media_type=KINDS[name],
        headers={"cache-control": FOR_EVER if marked else "no-cache"},
    )


routes = [Route("/desk/{name}", serve, methods=["GET"])]
