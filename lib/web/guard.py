"""The wall in front of Streamlit: who may reach which address, and which messages of a socket get through.

Nothing of a client is trusted but its session cookie. Streamlit's own identity check is fed with the row id of the
server-side session, so that a foreign Streamlit session id is worth nothing without the cookie (security 1 to 3).
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

from lib.people.sessions import SessionFacts
from lib.shared.logs import log
from lib.web.assets import address as asset
from lib.web.session_cache import SessionCache

SESSION_HEADER = b"x-desk-session"
ADDRESS_HEADER = b"x-desk-address"
PLAIN_COOKIE = "desk_session"
TLS_COOKIE = "__Host-desk_session"
LANGUAGE_COOKIE = "desk_language"

ANONYMOUS_FRAME_LIMIT = 64 * 1024
"""Bytes of a message that a socket without a session may send; the sign-in needs less than 4 KB."""

SIGNED_IN_MESSAGES = frozenset(
    {"rerun_script", "stop_script", "file_urls_request", "backend_operation_request"}
)
"""What a signed-in socket may ask for. Clearing caches would hit everybody, so nobody may."""

OPEN_PREFIXES = ("/static/", "/desk/assets/")
OPEN_PATHS = frozenset(
    {
        "/healthz",
        "/metrics",
        "/favicon.png",
        "/manifest.json",
        "/robots.txt",
        "/_stcore/health",
        "/_stcore/host-config",
        "/desk/boot.js",
        "/desk/desk.css",
        "/desk/icon.svg",
        "/desk/session",
    }
)
POSTED_PATHS = frozenset({"/desk/sign-in", "/desk/sign-out"})
PUBLIC_PREFIX = "/survey/"
BEFORE_READY = frozenset({"/desk/stay"})
"""Addresses that decide for themselves who may read them, or that hold nothing but the front end."""

NEVER_PREFIXES = ("/_stcore/agent", "/auth/", "/oauth2callback", "/_stcore/script-health-check")

PAGE = re.compile(r"/[A-Za-z0-9_]*/?")
INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """Names and networks the guard trusts; `hosts` empty means: bare addresses and this machine only."""

    hosts: frozenset[str] = frozenset()
    proxies: tuple[str, ...] = ()
    behind_tls: bool = False
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = field(
        init=False, default=()
    )

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "networks", tuple(ipaddress.ip_network(proxy) for proxy in self.proxies)
        )


class Guard:
    """ASGI middleware around the whole app; see the module."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: Callable[[], GuardSettings],
        sessions: SessionCache,
    ) -> None:
        self.app = app
        self._settings = settings
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        settings = self._settings()
        headers = Headers(scope=scope)
        scope = dict(scope)
        secure, address = _origin_of(scope, headers, settings)
        scope["desk_secure"], scope["desk_address"] = secure, address
        host = headers.get("host", "")
        origin = headers.get("origin")
        if origin == "null" and scope["path"].startswith(PUBLIC_PREFIX):
            # What browsers send with a plain form under `Referrer-Policy: no-referrer`; these pages know no cookie.
            origin = None
        if not is_host_known(host, settings) or (
            origin is not None and not _is_same_origin(origin, host)
        ):
            await _refuse(scope, receive, send, 403, "refused")
            return
        token = session_token(headers, secure=secure)
        try:
            facts = await self._sessions.find(token) if token else None
        except Exception:
            log.exception("guard.session_store_failed")
            if _needs_session(scope):
                await _refuse(scope, receive, send, 503, "not available for the moment")
                return
            facts = None
        scope["desk_session"] = facts
        scope["headers"] = _with_identity(scope["headers"], facts, address)
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send, token, facts)
        else:
            await self._request(scope, receive, send, facts, headers)

    async def _request(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        facts: SessionFacts | None,
        headers: Headers,
    ) -> None:
        path, method = scope["path"], scope["method"]
        if path.startswith(NEVER_PREFIXES):
            await _refuse(scope, receive, send, 404, "not found")
            return
        if not is_open(path, method) and not (
            facts is not None and (facts.ready or path in BEFORE_READY)
        ):
            await _refuse(scope, receive, send, 403, "sign in first")
            return
        if facts is not None and path.startswith(("/media/", "/_stcore/upload_file/")):
            self._sessions.touch(facts)
        if method == "GET" and PAGE.fullmatch(path) and path not in OPEN_PATHS:
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
            send = _IndexWriter(send, language_of(headers))
        await self.app(scope, receive, _with_security_headers(send, path))

    async def _socket(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        token: str | None,
        facts: SessionFacts | None,
    ) -> None:
        if scope["path"] != "/_stcore/stream":
            await _refuse(scope, receive, send, 403, "refused")
            return
        if facts is None:
            scope["headers"] = _without_reconnect_id(scope["headers"])

        async def guarded_receive() -> Message:
            while True:
                message = await receive()
                if message["type"] != "websocket.receive":
                    return message
                frame = message.get("bytes")
                kind = message_kind(frame)
                if kind is None:
                    return await _close(send, 1007)
                if await self._may_send(kind, token, facts):
                    return message
                if frame is not None and len(frame) > ANONYMOUS_FRAME_LIMIT:
                    return await _close(send, 1009)
                if kind == "rerun_script":
                    return message
                log.info("guard.message_dropped", kind=kind)

        await self.app(scope, guarded_receive, send)

    async def _may_send(self, kind: str, token: str | None, facts: SessionFacts | None) -> bool:
        """Whether this socket still speaks for a session; else it is filtered as anonymous, not closed."""
        if facts is None or token is None or kind not in SIGNED_IN_MESSAGES:
            return False
        try:
            current = await self._sessions.find(token)
        except Exception:
            log.exception("guard.session_store_failed")
            return False
        if current is None or current.row_id != facts.row_id:
            return False
        self._sessions.touch(current)
        return True


def message_kind(frame: bytes | None) -> str | None:
    """The kind of a socket frame, or None when it is no well-formed message of Streamlit's protocol."""
    if frame is None:
        return None
    message = BackMsg()
    try:
        message.ParseFromString(frame)
    except DecodeError:
        return None
    kind = message.WhichOneof("type")
    if kind == "backend_operation_request":
        operation = message.backend_operation_request
        harmless = operation.HasField("deferred_file") or operation.HasField("dataframe_chunk")
        return kind if harmless else "backend_operation_refused"
    return kind or "empty"


def is_open(path: str, method: str) -> bool:
    """Whether an address may be asked without a session; everything not named here is closed."""
    if method == "POST":
        return path in POSTED_PATHS or path.startswith(PUBLIC_PREFIX)
    if method not in {"GET", "HEAD"}:
        return False
    return (
        path in OPEN_PATHS
        or path.startswith((*OPEN_PREFIXES, PUBLIC_PREFIX))
        or PAGE.fullmatch(path) is not None
    )


def is_host_known(host: str, settings: GuardSettings) -> bool:
    """Whether the Host header is ours.

    A bare address is let in: a foreign site can point its own name at us (DNS rebinding), but not an address.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".").lower()
        urlsplit(f"//{host}").port  # noqa: B018  (raises for a port that is none)
    except ValueError:
        return False
    if not re.fullmatch(r"[\w.:\[\]-]+", host):
        return False
    if name in settings.hosts or name == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def session_token(headers: Headers, *, secure: bool) -> str | None:
    """The session cookie's value; behind TLS only the `__Host-` cookie counts."""
    return _cookie(headers, TLS_COOKIE if secure else PLAIN_COOKIE)


def language_of(headers: Headers) -> str:
    """The value of `<html lang>` before the script has run, remembered from the last visit."""
    return "en" if _cookie(headers, LANGUAGE_COOKIE) == "en" else "zh-CN"


def _cookie(headers: Headers, name: str) -> str | None:
    jar: SimpleCookie = SimpleCookie()
    try:
        for line in headers.getlist("cookie"):
            jar.load(line)
    except CookieError:
        return None
    morsel = jar.get(name)
    return morsel.value or None if morsel is not None else None


def _origin_of(scope: Scope, headers: Headers, settings: GuardSettings) -> tuple[bool, str]:
    """Whether the client came by TLS, and its address; forwarded headers count from trusted proxies only."""
    peer = scope["client"][0] if scope.get("client") else ""
    secure = settings.behind_tls or scope.get("scheme") in {"https", "wss"}
    if not _is_proxy(peer, settings):
        return secure, peer
    secure = secure or headers.get("x-forwarded-proto", "").split(",")[-1].strip() == "https"
    hops = [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",") if hop.strip()]
    while hops:
        hop = hops.pop()
        if not _is_proxy(hop, settings):
            return secure, hop[:60]
    return secure, peer


def _is_proxy(address: str, settings: GuardSettings) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in settings.networks)


def _is_same_origin(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _needs_session(scope: Scope) -> bool:
    return scope["type"] == "websocket" or not is_open(scope["path"], scope["method"])


def _with_identity(
    headers: Iterable[tuple[bytes, bytes]], facts: SessionFacts | None, address: str
) -> list[tuple[bytes, bytes]]:
    kept = [
        (name, value)
        for name, value in headers
        if name.lower() not in {SESSION_HEADER, ADDRESS_HEADER}
    ]
    kept.append((ADDRESS_HEADER, address.encode("latin-1", "replace")))
    if facts is not None:
        kept.append((SESSION_HEADER, str(facts.row_id).encode()))
    return kept


def _without_reconnect_id(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Cut the third entry, with which Streamlit would resume a session it still holds."""
    cut: list[tuple[bytes, bytes]] = []
    entries: list[bytes] = []
    for name, value in headers:
        if name == b"sec-websocket-protocol":
            entries.extend(value.split(b","))
        else:
            cut.append((name, value))
    if entries:
        cut.append((b"sec-websocket-protocol", b",".join(entries[:2])))
    return cut


async def _close(send: Send, code: int) -> Message:
    await send({"type": "websocket.close", "code": code})
    return {"type": "websocket.disconnect", "code": code}


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, words: str) -> None:
    if scope["type"] == "http":
        response = PlainTextResponse(
            words, status_code=status, headers={"cache-control": "no-store"}
        )
        await response(scope, receive, _with_security_headers(send, scope["path"]))
        return
    await receive()
    if "websocket.http.response" in scope.get("extensions", {}):
        await send({"type": "websocket.http.response.start", "status": status, "headers": []})
        await send({"type": "websocket.http.response.body", "body": words.encode()})
    else:
        await send({"type": "websocket.close", "code": 1013 if status == 503 else 1008})


def content_policy(script_hashes: Iterable[str] = (), *, framed: bool = False) -> str:
    """The Content-Security-Policy; `framed` is for old-style components, which live in a frame of our own."""
    scripts = " ".join(["'self'", "blob:", "'wasm-unsafe-eval'", *script_hashes])
    return "; ".join(
        [
            "default-src 'self'",
            "script-src 'self' 'unsafe-inline'" if framed else f"script-src {scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "media-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "frame-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            f"frame-ancestors {'self' if framed else 'none'}".replace("self", "'self'").replace(
                "none", "'none'"
            ),
        ]
    )


def _with_security_headers(send: Send, path: str) -> Callable[[Message], Awaitable[None]]:
    async def guarded_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers["x-content-type-options"] = "nosniff"
            headers["referrer-policy"] = "no-referrer"
            headers["permissions-policy"] = (
                "camera=(self), geolocation=(), microphone=(), payment=()"
            )
            headers["cross-origin-opener-policy"] = "same-origin"
            headers["cross-origin-resource-policy"] = "same-origin"
            if "content-security-policy" not in headers:
                headers["content-security-policy"] = content_policy(
                    framed=path.startswith("/component/")
                )
            if "server" in headers:
                del headers["server"]
        await send(message)

    return guarded_send


class _IndexWriter:
    """Streamlit's index page with our boot script, style sheet, language and a policy for its inline script.

    Other answers pass unchanged.
    """

    def __init__(self, send: Send, language: str) -> None:
        self._send = send
        self._language = language.encode()
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if Headers(raw=message["headers"]).get("content-type", "").startswith("text/html"):
                self._start = message
            else:
                await self._send(message)
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._start)

    async def _finish(self, start: Message) -> None:
        body = self._body
        headers = MutableHeaders(raw=start["headers"])
        if b'<div id="root">' in body:
            body = body.replace(b'<html lang="en">', b'<html lang="' + self._language + b'">', 1)
            body = re.sub(rb"<noscript>.*?</noscript>", b"", body, count=1, flags=re.DOTALL)
            body = re.sub(rb'<link rel="service-desc"[^>]*>', b"", body, count=1)
            body = body.replace(b"<title>Streamlit</title>", b"<title>CurtainCall</title>", 1)
            body = body.replace(b'href="./favicon.png"', f'href="{asset("icon.svg")}"'.encode(), 1)
            body = body.replace(b"<head>", b"<head>" + HEAD, 1)
            hashes = [
                f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"
                for script in INLINE_SCRIPT.findall(body)
            ]
            headers["content-security-policy"] = content_policy(hashes)
            for name in ("etag", "last-modified"):
                if name in headers:
                    del headers[name]
            headers["cache-control"] = "no-store"
        headers["content-length"] = str(len(body))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


HEAD = f'<script src="{asset("boot.js")}"></script><link rel="stylesheet" href="{asset("desk.css")}">'.encode()
