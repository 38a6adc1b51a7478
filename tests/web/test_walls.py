"""Hostile clients against the real app: what they get is the sign-in and nothing else."""

import http.client
import json
import time
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.exceptions import InvalidStatus

from db import session as database
from db.codes import Language, Role
from db.models.people import DeskSession, Person
from lib.people import actions
from lib.shared import clock, words
from lib.shared.errors import Refusal
from lib.shared.work import PERMITTED_ACTIONS, perform, permit_of, system
from lib.ui import access, menu
from tests.cast import PASSWORD, PEOPLE, login_of
from tests.conftest import locked, run_dir
from tests.serving import Server, serving, staffed_copy
from tests.web.sockets import (
    HostileWire,
    cookie_of,
    elements,
    headings,
    inside,
    page_hashes,
    person_id,
    pressed,
    session_id,
    typed,
)
from tests.wire import Answer

pytestmark = pytest.mark.web

SIGN_IN = words.text(Language.ZH_CN, "sign_in.title")
NOT_ALLOWED = words.text(Language.ZH_CN, "refusal.page_not_allowed")
TITLES = {entry.name: words.text(Language.ZH_CN, f"page.{entry.name}") for entry in menu.MENU}


def asked(
    server: Server,
    path: str,
    method: str = "GET",
    *,
    cookie: str | None = None,
    body: bytes | None = None,
    **headers: str,
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(urlsplit(server.address).netloc, timeout=10)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if cookie:
        sent["Cookie"] = cookie
    connection.request(method, path, body=body, headers=sent)
    answer = connection.getresponse()
    answer.body = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


def is_sign_in_only(answer: Answer) -> bool:
    """Only the sign-in's title is on the screen, and no name of the cast or of a page anywhere.

    Streamlit repeats the page titles of the run before to the same client; those are left out.
    """
    drawn = [message for message in answer.messages if message.WhichOneof("type") != "new_session"]
    told = "\n".join(str(message) for message in drawn)
    escaped = told.encode("unicode_escape").decode()
    names = [name for _, name, _ in PEOPLE.values()]
    return (
        headings(answer) == [SIGN_IN]
        and not any(name in told or name in escaped for name in names)
        and not any(title in told for title in TITLES.values())
    )


@pytest.mark.slow
def test_on_a_fresh_process_a_stranger_gets_no_page_by_name_or_hash(tmp_path):
    """Before any run Streamlit knows no navigation; pages/ must not be served then either."""
    with locked("staffed"):
        var_dir = staffed_copy(run_dir(), tmp_path / "desk")
    with serving(var_dir, "--empty") as fresh:
        with HostileWire(fresh.address) as wire:
            first = wire.rerun("tickets_queue")
            assert is_sign_in_only(first)
            assert not any(title in first.text for title in TITLES.values())
            hashes = page_hashes(first)
        assert set(hashes) == {entry.name for entry in menu.registered()} | {""}
    for name, page_hash in hashes.items():
        with serving(var_dir, "--empty") as fresh, HostileWire(fresh.address) as wire:
            assert is_sign_in_only(wire.rerun_by_hash(page_hash)), name
            assert is_sign_in_only(wire.rerun(name)), name
            assert is_sign_in_only(wire.rerun(f"pages/{name}")), name
            assert is_sign_in_only(wire.rerun(f"{name}.py")), name
        break  # one fresh process by hash; the others on the module's server below


def test_a_stranger_gets_no_page_by_name_or_hash(server):
    with HostileWire(server.address) as wire:
        hashes = page_hashes(wire.rerun())
        for name, page_hash in hashes.items():
            assert is_sign_in_only(wire.rerun(name)), name
            assert is_sign_in_only(wire.rerun_by_hash(page_hash)), name


def test_strangers_cannot_clear_caches_stop_runs_or_ask_for_files(server):
    with HostileWire(server.address) as wire:
        wire.rerun()
        for fill in (
            lambda message: setattr(message, "clear_cache", True),
            lambda message: setattr(message, "set_run_on_save", True),
            lambda message: setattr(message, "stop_script", True),
            lambda message: setattr(message, "load_git_info", True),
            lambda message: setattr(message, "debug_shutdown_runtime", True),
            lambda message: setattr(message, "debug_disconnect_websocket", True),
            lambda message: setattr(message, "app_heartbeat", True),
            lambda message: message.file_urls_request.file_names.append("report.pdf"),
            lambda message: message.backend_operation_request.deferred_file.SetInParent(),
        ):
            message = BackMsg()
            fill(message)
            wire.send(message)
        answer = wire.rerun()
    kinds = {message.WhichOneof("type") for message in answer.messages}
    assert kinds <= {
        "session_status_changed",
        "new_session",
        "page_config_changed",
        "navigation",
        "delta",
        "script_finished",
    }
    dropped = server.printed()
    for kind in ("clear_cache", "file_urls_request", "backend_operation_request", "stop_script"):
        assert f'"kind": "{kind}"' in dropped


def test_nobody_clears_the_caches_of_everybody(server):
    with HostileWire(server.address, cookie_of(server, "administrator")) as wire:
        wire.rerun()
        before = server.printed().count('"kind": "clear_cache"')
        message = BackMsg()
        message.clear_cache = True
        wire.send(message)
        wire.rerun()
    assert server.printed().count('"kind": "clear_cache"') == before + 1


@pytest.mark.parametrize("frame", [b"\xff\xff\xff", "text", b"\x00" * 10])
def test_malformed_frames_close_the_socket(server, frame):
    with HostileWire(server.address) as wire:
        wire.send(frame)
        assert wire.closing_code() == 1007


def test_a_stranger_cannot_send_big_messages(server):
    message = BackMsg()
    message.rerun_script.query_string = "x" * 100_000
    with HostileWire(server.address) as wire:
        wire.send(message)
        assert wire.closing_code() == 1009


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/media/0123456789abcdef.csv", 403),
        ("PUT", "/_stcore/upload_file/session/file", 403),
        ("DELETE", "/_stcore/upload_file/session/file", 403),
        ("OPTIONS", "/_stcore/upload_file/session/file", 403),
        ("GET", "/_stcore/metrics", 403),
        ("GET", "/metrics", 403),
        ("GET", "/desk/live?view=x", 403),
        ("GET", "/desk/clock", 403),
        ("POST", "/desk/stay", 403),
        ("GET", "/desk/files/visit/1", 403),
        ("GET", "/desk/files/ticket/1", 403),
        ("GET", "/component/x/index.html", 403),
        ("GET", "/_stcore/bidi-components/x/y.js", 403),
        ("POST", "/_stcore/agent/interact", 404),
        ("GET", "/_stcore/agent/openapi.json", 404),
        ("GET", "/auth/login", 404),
        ("GET", "/app/static/secret.txt", 403),
        ("POST", "/", 403),
        ("GET", "/pages/tickets_queue.py", 403),
        ("GET", "/..%2f..%2fvar/desk.db", 403),
    ],
)
def test_addresses_closed_to_strangers(server, method, path, status):
    assert asked(server, path, method).status == status


@pytest.mark.parametrize("path", ["visit/1", "ticket/1", "visit/999999999999999999", "nothing/1"])
def test_a_file_that_is_not_there_is_not_found(server, path):
    cookie = cookie_of(server, "hotline")
    assert asked(server, f"/desk/files/{path}", cookie=cookie).status == 404


def test_the_health_address_says_only_ok(server):
    answer = asked(server, "/healthz")
    assert (answer.status, answer.body) == (200, b"ok")


def test_metrics_are_for_administrators_and_for_the_token(server, tmp_path):
    assert asked(server, "/metrics", cookie=cookie_of(server, "hotline")).status == 403
    assert asked(server, "/metrics", Authorization="Bearer ").status == 403
    answer = asked(server, "/metrics", cookie=cookie_of(server, "administrator"))
    assert answer.status == 200
    assert b"process_cpu_seconds_total" in answer.body


@pytest.mark.parametrize("host", ["desk.evil.example", "127.0.0.1.evil.example", "a b", "x@y", ""])
def test_foreign_host_names_are_refused(server, host):
    assert asked(server, "/", Host=host).status in {400, 403}


def test_foreign_origins_are_refused(server):
    assert asked(server, "/", Origin="http://evil.example").status == 403
    with pytest.raises(InvalidStatus, match="403"):
        HostileWire(server.address, origin="http://evil.example")


def test_every_answer_carries_the_protecting_headers(server):
    for path in (
        "/",
        "/people_account",
        "/healthz",
        "/desk/boot.js",
        "/static/none.js",
        "/media/x",
    ):
        answer = asked(server, path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'self' blob: 'wasm-unsafe-eval'" in policy
        assert "http" not in policy
    index = asked(server, "/").body.decode()
    assert "/desk/boot.js?v=" in index
    assert '<html lang="zh-CN">' in index
    assert "<title>CurtainCall</title>" in index


def test_a_forged_identity_header_is_dropped(server):
    cookie_of(server, "administrator")
    for row in range(1, 5):
        for name in ("X-Desk-Session", "x-desk-session"):
            with HostileWire(server.address, headers={name: str(row)}) as wire:
                assert is_sign_in_only(wire.rerun("people_account"))


def test_a_foreign_session_id_is_worth_nothing(server):
    """Streamlit resumes any session by its id; the guard binds it to the cookie (security 2)."""
    theirs = cookie_of(server, "administrator")
    # As the head of the account page; colleagues may be chosen there by name.
    signed_in = f"**{PEOPLE['administrator'][1]}**"
    with HostileWire(server.address, theirs) as victim:
        victim_answer = victim.rerun("people_account")
        assert headings(victim_answer)[0] == TITLES["people_account"]
        victim_id = session_id(victim_answer)
        assert signed_in in victim_answer.text
        resuming = ("streamlit", "x", victim_id)
        for cookie in (None, cookie_of(server, "hotline"), "desk_session=made-up"):
            with HostileWire(server.address, cookie, protocols=resuming) as thief:
                answer = thief.rerun("people_account")
            assert session_id(answer) != victim_id
            assert signed_in not in answer.text
        assert headings(victim.rerun("people_account"))[0] == TITLES["people_account"]
    time.sleep(0.3)
    for cookie in (None, cookie_of(server, "hotline")):
        with HostileWire(server.address, cookie, protocols=resuming) as thief:
            assert session_id(thief.rerun("people_account")) != victim_id
    with HostileWire(server.address, theirs, protocols=resuming) as owner:
        assert session_id(owner.rerun("people_account")) == victim_id


def test_a_password_opens_a_session_by_way_of_the_one_time_code(server):
    with HostileWire(server.address) as wire:
        form = wire.rerun("people_account")
        boxes, buttons = elements(form, "text_input"), elements(form, "button")
        login_box, password_box = boxes["登录名"], boxes["密码"]
        wrong = wire.rerun(
            "people_account",
            widgets=(
                typed(login_box, login_of("quality")),
                typed(password_box, "wrong"),
                pressed(buttons["登录"]),
            ),
        )
        assert words.text(Language.ZH_CN, "refusal.sign_in_wrong") in told(wrong)
        assert component_data(wrong)["code"] == ""
        right = wire.rerun(
            "people_account",
            widgets=(
                typed(login_box, login_of("quality")),
                typed(password_box, PASSWORD),
                pressed(buttons["登录"]),
            ),
        )
    code = component_data(right)["code"]
    assert len(code) > 40
    own = {"X_Desk": "1"}
    assert asked(server, "/desk/sign-in", "POST", body=code.encode()).status == 403
    foreign = {**own, "Sec_Fetch_Site": "cross-site"}
    assert asked(server, "/desk/sign-in", "POST", body=code.encode(), **foreign).status == 403
    answer = asked(server, "/desk/sign-in", "POST", body=code.encode(), **own)
    assert answer.status == 200
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert asked(server, "/desk/sign-in", "POST", body=code.encode(), **own).status == 403
    with HostileWire(server.address, cookie.split(";")[0]) as wire:
        assert headings(wire.rerun("people_account"))[0] == TITLES["people_account"]


def told(answer: Answer) -> str:
    return "\n".join(
        message.delta.new_element.alert.body
        for message in answer.messages
        if message.WhichOneof("type") == "delta"
    )


def component_data(answer: Answer) -> dict[str, str]:
    for message in reversed(answer.messages):
        element = message.delta.new_element
        if (
            element.WhichOneof("type") == "bidi_component"
            and "frame" in element.bidi_component.json
        ):
            found: dict[str, str] = json.loads(element.bidi_component.json)["frame"]
            return found
    raise AssertionError("no bar was drawn")


def test_a_cookie_is_dead_after_signing_out(server):
    cookie = cookie_of(server, "hotline")
    with HostileWire(server.address, cookie) as wire:
        assert headings(wire.rerun("people_account"))[0] == TITLES["people_account"]
        assert asked(server, "/desk/sign-out", "POST", cookie=cookie, X_Desk="1").status == 200
        assert is_sign_in_only(wire.rerun("people_account"))
    with HostileWire(server.address, cookie) as replay:
        assert is_sign_in_only(replay.rerun("people_account"))
    assert asked(server, "/media/x", cookie=cookie).status == 403
    assert asked(server, "/desk/live?view=x", cookie=cookie).status == 403


def test_the_next_click_of_a_revoked_person_is_refused_and_has_no_effect(server):
    cookie = cookie_of(server, "sales")
    with HostileWire(server.address, cookie) as wire:
        page = wire.rerun("people_account")
        button = elements(page, "button")[words.text(Language.ZH_CN, "account.everywhere")]
        with inside(server):
            sales = person_id("sales")
            with database.ReadSession() as session:
                person = session.get_one(Person, sales)
                version, epoch = person.version, person.epoch
            perform(
                actions.set_roles,
                actor=system("test"),
                now=clock.now(),
                person_id=sales,
                version=version,
                roles=[Role.SALES, Role.QUALITY],
            )
        answer = wire.rerun("people_account", widgets=(pressed(button),))
        assert headings(answer) == [SIGN_IN]
        assert PEOPLE["sales"][1] not in answer.text
        message = BackMsg()
        message.file_urls_request.file_names.append("photo.jpg")
        time.sleep(1)
        wire.send(message)
        wire.rerun()
    assert '"kind": "file_urls_request"' in server.printed()
    with inside(server):
        with database.ReadSession() as session:
            person = session.get_one(Person, sales)
            assert person.epoch == epoch + 1
        perform(
            actions.set_roles,
            actor=system("test"),
            now=clock.now(),
            person_id=sales,
            version=person.version,
            roles=[Role.SALES],
        )


def test_each_page_opens_for_its_roles_and_for_no_other(server):
    """Walks the table that `./run access` prints: every page by name and by hash, for every role."""
    hashes: dict[str, str] = {}
    with HostileWire(server.address) as wire:
        hashes = page_hashes(wire.rerun())
    parts = {roles[0]: part for part, (_, _, roles) in PEOPLE.items() if len(roles) == 1}
    assert set(parts) == set(Role)
    problems = []
    for role, part in parts.items():
        with HostileWire(server.address, cookie_of(server, part)) as wire:
            wire.rerun("people_account")
            for row in access.pages():
                for way in ("name", "hash"):
                    answer = (
                        wire.rerun(row.name)
                        if way == "name"
                        else wire.rerun_by_hash(hashes[row.name])
                    )
                    ran = opened_page(answer, hashes)
                    allowed = role in row.roles or row.everyone
                    if allowed != (ran == row.name):
                        problems.append((str(role), row.name, way, ran))
    assert problems == []


def opened_page(answer: Answer, hashes: dict[str, str]) -> str:
    """The page whose script ran last, as the server tells."""
    names = {page_hash: name for name, page_hash in hashes.items()}
    last = [
        message.navigation.page_script_hash
        for message in answer.messages
        if message.WhichOneof("type") == "navigation"
    ][-1]
    return names.get(last, "")


def test_each_action_runs_for_its_roles_and_for_no_other(cast, now):
    """Walks the other half of the table; a permit is checked before the action sees its arguments."""
    assert len(PERMITTED_ACTIONS) > 10
    for name, action in PERMITTED_ACTIONS.items():
        permitted = permit_of(action)
        for actor in cast.everybody():
            if permitted.everyone or not actor.roles.isdisjoint(permitted.roles):
                continue
            with pytest.raises(Refusal) as refused:
                perform(action, actor=actor, now=now)
            assert refused.value.key == "no_longer_allowed", name


def test_every_page_of_the_menu_is_there():
    missing = [entry.name for entry in menu.MENU if not entry.path.exists()]
    unlisted = [
        path.stem
        for path in menu.PAGES.glob("*.py")
        if path.stem not in {e.name for e in menu.MENU}
    ]
    assert (missing, unlisted) == ([], [])


def test_a_session_that_is_not_ready_sees_no_page(server):
    with inside(server):
        outsider = person_id("outsider")
        with database.writing() as session:
            session.get_one(Person, outsider).pledge_accepted_at = None
    cookie = cookie_of(server, "outsider")
    pledge = words.text(Language.ZH_CN, "pledge.title")
    with HostileWire(server.address, cookie) as wire:
        assert headings(wire.rerun("people_account")) == [pledge]
        assert asked(server, "/desk/live?view=x", cookie=cookie).status == 403
        button = elements(wire.rerun("people_account"), "button")[
            words.text(Language.ZH_CN, "pledge.accept")
        ]
        accepted = wire.rerun("people_account", widgets=(pressed(button),))
        assert headings(accepted)[0] == TITLES["people_account"]


def test_only_the_hash_of_a_cookie_lies_in_the_database(server):
    token = cookie_of(server, "hotline").partition("=")[2]
    with inside(server), database.ReadSession() as session:
        hashes = set(session.scalars(select(DeskSession.token_hash)))
    assert token not in hashes
    for file in server.var_dir.glob("desk.db*"):
        assert token.encode() not in file.read_bytes()


def test_the_log_names_nobody(server):
    printed = server.printed()
    for login, name, _ in PEOPLE.values():
        assert login not in printed
        assert name not in printed
    assert "127.0.0.1" not in printed
    assert "desk_session" not in printed
