"""Serves the components' scripts, styles and words under addresses that never change their content."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from lib.shared.assets import PREFIX, asset_at


async def serve_asset(request: Request) -> Response:
    """The asset behind the address, cached by the browser for a year; holds no data of the desk."""
    found = asset_at(request.url.path)
    if found is None:
        return PlainTextResponse(
            "not found", status_code=404, headers={"cache-control": "no-store"}
        )
    return Response(
        found.body,
        media_type=found.media_type,
        headers={"cache-control": "public, max-age=31536000, immutable"},
    )


routes = [Route(PREFIX + "{name}", serve_asset, methods=["GET"])]
