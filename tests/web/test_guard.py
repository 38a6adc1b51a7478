"""The guard by itself: whom it believes, and what it does when the sessions cannot be asked."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.proto.BackMsg_pb2 import BackMsg

from db.codes import ActorKind, Language, Role
from lib.people.sessions import SessionFacts, hash_token
from lib.shared.work import Actor
from lib.web import guard, lifespan
from lib.web.guard import Guard, GuardSettings
from lib.web.session_cache import SessionCache

STREAM = "ws://localhost/_stcore/stream"
FACTS = SessionFacts(
    row_id=17,
    actor=Actor(ActorKind.PERSON, 3, "somebody", frozenset({Role.HOTLINE}), 1),
    login="somebody",
    language=Language.EN,
    must_change_password=False,
    pledged=True,
    ends_at=datetime(2026, 11, 24, tzinfo=UTC),
)


class Desk:
    """An app behind the guard that tells what reached it; `known` are the sessions, or an error."""

    def __init__(self, settings: GuardSettings | None = None) -> None:
        self.known: dict[str, SessionFacts] | Exception = {hash_token("good"): FACTS}
        self.asked = 0
        self.seen: list[int] = []
        self.frames: list[bytes] = []
        self.settings = settings or GuardSettings()
        routes = [
            Route("/{path:path}", self._tell, methods=["GET", "POST", "PUT", "DELETE"]),
            WebSocketRoute("/_stcore/stream", self._stream),
        ]
        self.cache = SessionCache(self._lookup, self.seen.append)
        middleware = [Middleware(Guard, settings=lambda: self.settings, sessions=self.cache)]
        self.app = Starlette(routes=routes, middleware=middleware)

    def _lookup(self, token_hash: str) -> SessionFacts | None:
        self.asked += 1
        if isinstance(self.known, Exception):
            raise self.known
        return self.known.get(token_hash)

    async def _tell(self, request: Request) -> JSONResponse:
        return JSONResponse(
            {
                "session": request.headers.get("x-desk-session"),
                "address": request.headers.get("x-desk-address"),
                "secure": request.scope["desk_secure"],
            }
        )

    async def _stream(self, socket: WebSocket) -> None:
        await socket.accept("streamlit")
        await socket.send_json(
            {
                "session": socket.headers.get("x-desk-session"),
                "protocols": socket.headers.get("sec-websocket-protocol"),
            }
        )
        try:
            while True:
                self.frames.append(await socket.receive_bytes())
                await socket.send_json({"frames": len(self.frames)})
        except WebSocketDisconnect:
            return

    def client(self, peer: str = "127.0.0.1", **more: str) -> TestClient:
        return TestClient(self.app, base_url=more.get("base", "http://localhost"), client=(peer, 5))


def frame(kind: str) -> bytes:
    message = BackMsg()
    if kind == "rerun_script":
        message.rerun_script.query_string = "a=1"
    elif kind == "file_urls_request":
        message.file_urls_request.file_names.append("x")
    else:
        setattr(message, kind, True)
    return message.SerializeToString()


def cookie(value: str = "good", name: str = guard.PLAIN_COOKIE) -> dict[str, str]:
    return {"cookie": f"{name}={value}"}


def test_a_good_cookie_gives_the_row_id_and_a_forged_header_nothing():
    with Desk().client() as client:
        assert client.get("/page", headers=cookie()).json()["session"] == "17"
        assert client.get("/page", headers={"x-desk-session": "17"}).json()["session"] is None
        both = {**cookie("bad"), "x-desk-session": "17"}
        assert client.get("/page", headers=both).json()["session"] is None


def test_a_forwarded_address_counts_from_a_trusted_proxy_only():
    forwarded = {"x-forwarded-for": "203.0.113.9, 10.0.0.2", "x-forwarded-proto": "https"}
    stranger = Desk().client().get("/page", headers=forwarded).json()
    assert (stranger["address"], stranger["secure"]) == ("127.0.0.1", False)
    desk = Desk(GuardSettings(proxies=("127.0.0.1/32", "10.0.0.0/8")))
    behind = desk.client().get("/page", headers=forwarded).json()
    assert (behind["address"], behind["secure"]) == ("203.0.113.9", True)


def test_behind_tls_only_the_host_cookie_counts():
    desk = Desk(GuardSettings(behind_tls=True))
    with desk.client() as client:
        assert client.get("/page", headers=cookie()).json()["session"] is None
        host_cookie = cookie(name=guard.TLS_COOKIE)
        assert client.get("/page", headers=host_cookie).json()["session"] == "17"


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost:8501", True),
        ("192.168.1.20:8501", True),
        ("[::1]:8501", True),
        ("desk.example.cn", True),
        ("DESK.example.cn.:443", True),
        ("evil.example", False),
        ("desk.example.cn.evil.example", False),
        ("desk.example.cn@evil.example", False),
        ("localhost:abc", False),
        ("", False),
    ],
)
def test_own_names_and_bare_addresses_are_known(host, known):
    assert guard.is_host_known(host, GuardSettings(frozenset({"desk.example.cn"}))) is known


def test_a_plain_form_of_a_public_page_may_come_without_an_origin():
    with Desk().client() as client:
        null = {"origin": "null"}
        assert client.post("/survey/token", headers=null).status_code == 200
        assert client.post("/desk/sign-in", headers=null).status_code == 403


def test_a_session_that_is_not_ready_reaches_no_closed_address():
    desk = Desk()
    desk.known = {hash_token("good"): replace(FACTS, pledged=False)}
    with desk.client() as client:
        assert client.get("/media/x.csv", headers=cookie()).status_code == 403
        assert client.get("/desk/live", headers=cookie()).status_code == 403


def test_without_the_database_closed_addresses_say_so_and_open_ones_still_answer():
    desk = Desk()
    desk.known = OSError("gone")
    with desk.client() as client:
        assert client.get("/media/x.csv", headers=cookie()).status_code == 503
        assert client.get("/healthz", headers=cookie()).status_code == 200
        with (
            pytest.raises(WebSocketDisconnect),
            client.websocket_connect(STREAM, headers=cookie()),
        ):
            pass


def test_a_session_is_believed_for_less_than_a_second():
    desk = Desk()
    with desk.client() as client:
        for _ in range(20):
            client.get("/page", headers=cookie())
        assert desk.asked <= 3


def test_use_is_written_at_most_once_a_minute():
    desk = Desk()
    with (
        desk.client() as client,
        client.websocket_connect(STREAM, headers=cookie()) as socket,
    ):
        socket.receive_json()
        for _ in range(20):
            socket.send_bytes(frame("rerun_script"))
            socket.receive_json()
    assert desk.seen == [17]


def test_the_reconnect_id_is_cut_out_for_strangers_only():
    protocols = {"sec-websocket-protocol": "streamlit, x, some-session"}
    with Desk().client() as client:
        with client.websocket_connect(STREAM, headers=protocols) as socket:
            assert "some-session" not in socket.receive_json()["protocols"]
        with client.websocket_connect(STREAM, headers={**protocols, **cookie()}) as socket:
            assert "some-session" in socket.receive_json()["protocols"]


def test_a_revoked_socket_is_filtered_as_a_stranger_from_then_on():
    desk = Desk()
    with (
        desk.client() as client,
        client.websocket_connect(STREAM, headers=cookie()) as socket,
    ):
        socket.receive_json()
        socket.send_bytes(frame("file_urls_request"))
        assert socket.receive_json() == {"frames": 1}
        desk.known = {}
        desk.cache.forget("good")
        socket.send_bytes(frame("file_urls_request"))
        socket.send_bytes(frame("rerun_script"))
        assert socket.receive_json() == {"frames": 2}
    assert desk.frames[-1] == frame("rerun_script")


def test_a_socket_does_not_pass_to_another_session_of_the_same_cookie():
    desk = Desk()
    with (
        desk.client() as client,
        client.websocket_connect(STREAM, headers=cookie()) as socket,
    ):
        socket.receive_json()
        desk.known = {hash_token("good"): replace(FACTS, row_id=18)}
        desk.cache.forget("good")
        socket.send_bytes(frame("stop_script"))
        socket.send_bytes(frame("rerun_script"))
        assert socket.receive_json() == {"frames": 1}


def test_other_sockets_are_closed():
    with (
        Desk().client() as client,
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("ws://localhost/another", headers=cookie()),
    ):
        pass


IN_FORCE = {
    "runner.postScriptGC": False,
    "server.trustedUserHeaders": {"X-Desk-Session": "session_row"},
    "client.showErrorDetails": "none",
    "server.enableStaticServing": False,
    "server.enableAgentApi": False,
    "server.enableXsrfProtection": True,
}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("runner.postScriptGC", True),
        ("server.trustedUserHeaders", {}),
        ("client.showErrorDetails", "full"),
        ("server.enableAgentApi", True),
        ("server.enableXsrfProtection", False),
    ],
)
def test_the_app_refuses_to_start_without_its_settings(option, value):
    lifespan.ensure_streamlit_is_configured(IN_FORCE.__getitem__)
    with pytest.raises(
        RuntimeError, match=option.rpartition(".")[2].replace("enableAgentApi", "agent")
    ):
        lifespan.ensure_streamlit_is_configured({**IN_FORCE, option: value}.__getitem__)


def test_the_cache_of_sessions_stays_small():
    cache = SessionCache(lambda _hash: None, lambda _row: None)
    cache._known = {str(number): (0.0, None) for number in range(20_000)}
    asyncio.run(cache.find("one more"))
    assert len(cache._known) == 1


def test_whoever_has_just_taken_the_pledge_is_let_in_at_once():
    known = [replace(FACTS, pledged=False), FACTS]
    cache = SessionCache(lambda _hash: known.pop(0), lambda _row: None)
    assert not asyncio.run(cache.find("token")).ready
    assert asyncio.run(cache.find("token")).ready
    # A ready one is believed for a moment: nobody is asked again.
    assert asyncio.run(cache.find("token")).ready
    assert known == []


def test_cookies_that_are_no_cookies_are_no_session():
    for value in ("", "desk_session", "desk_session=", ";;;", "a=b; desk_session", "\x7f=\x01"):
        headers = SimpleNamespace(getlist=lambda _name, value=value: [value])
        assert guard.session_token(headers, secure=False) is None
