"""The launcher's promises, on the real process."""

import json
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests import serving
from tests.cast import PASSWORD
from tests.wire import Wire

pytestmark = pytest.mark.web


def ask(address: str, path: str) -> tuple[int, bytes]:
    with urllib.request.urlopen(address + path, timeout=10) as answer:
        return answer.status, answer.read()


def verb(var_dir: Path, *arguments: str, told: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lib.command", *arguments],
        cwd=serving.ROOT,
        env=serving.child_environment(var_dir),
        input=told,
        capture_output=True,
        text=True,
        check=False,
    )


def test_health_says_only_ok(server):
    assert ask(server.address, "/healthz") == (200, b"ok")


def test_no_address_that_somebody_asked_for_is_logged(server):
    ask(server.address, "/healthz?token=4711secret")
    assert "4711secret" not in server.printed()
    assert "/healthz" not in server.printed()


def test_keys_are_long_and_for_the_owner_only(server):
    keys = list((server.var_dir / "keys").iterdir())
    assert {key.name for key in keys} >= {"audit", "sign_in", "streamlit"}
    for key in keys:
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert len(bytes.fromhex(key.read_text())) >= 32


def test_accepted_connections_do_not_wait_for_more_to_send():
    """asyncio sets TCP_NODELAY on what it accepts, and our config asks for asyncio; without it clicks wait 40 ms."""
    from lib import launcher

    config = launcher.server_config("app:app", "127.0.0.1", 0)
    assert config.loop == "asyncio"
    script = (
        "import asyncio, socket\n"
        "async def main():\n"
        "    seen = asyncio.get_running_loop().create_future()\n"
        "    async def on(reader, writer):\n"
        "        told = writer.get_extra_info('socket').getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)\n"
        "        seen.set_result(told)\n"
        "    server = await asyncio.start_server(on, '127.0.0.1', 0)\n"
        "    await asyncio.open_connection(*server.sockets[0].getsockname())\n"
        "    print(await seen)\n"
        "asyncio.run(main())\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert int(told.stdout) != 0


@pytest.mark.alone
def test_two_clicks_in_a_row_have_no_40_ms_step(server):
    with Wire(server.address) as wire:
        wire.rerun()
        times = sorted(wire.rerun().seconds for _ in range(40))
    assert times[20] < 0.030, times


def test_an_open_socket_does_not_hold_up_the_end(tmp_path):
    server = serving.start(tmp_path, "--empty")
    with Wire(server.address) as wire:
        wire.rerun()
        began = time.monotonic()
        server.stop(signal.SIGTERM)
        assert time.monotonic() - began < 6


def test_a_taken_port_is_named_with_the_way_out(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = verb(tmp_path, "serve", "--port", str(port))
    assert done.returncode == 1
    assert f"Port {port} is taken" in done.stderr


def test_an_empty_desk_tells_how_to_add_the_first_person(tmp_path):
    server = serving.start(tmp_path, "--empty")
    try:
        assert f"http://localhost:{server.port}" in server.printed()
        assert "./run person add" in server.printed()
    finally:
        server.stop()


def test_people_are_added_and_reset_beside_the_running_app(server):
    added = verb(
        server.var_dir,
        *["person", "add", "he.xin", "--roles", "hotline,dispatcher", "--name", "何欣"],
        *["--password-stdin", "--no-change"],
        told=f"{PASSWORD}\n",
    )
    assert added.returncode == 0, added.stderr
    again = verb(server.var_dir, "person", "add", "he.xin", "--roles", "hotline", "--name", "何欣")
    assert again.returncode == 1
    assert "Traceback" not in again.stderr
    reset = verb(server.var_dir, "person", "reset", "he.xin")
    assert reset.returncode == 0, reset.stderr
    login, password = reset.stdout.split()
    assert login == "he.xin"
    assert len(password) >= 16
    verified = verb(server.var_dir, "verify")
    assert verified.returncode == 0, verified.stdout
    assert ask(server.address, "/healthz")[0] == 200


def test_a_weak_first_password_is_refused_in_words(tmp_path):
    done = verb(
        tmp_path,
        *["person", "add", "he.xin", "--roles", "hotline", "--name", "何欣", "--password-stdin"],
        told="short\n",
    )
    assert done.returncode == 1
    assert "10" in done.stderr


def test_an_unknown_role_is_answered_with_the_known_ones(tmp_path):
    done = verb(tmp_path, "person", "add", "he.xin", "--roles", "boss", "--name", "何欣")
    assert done.returncode == 2
    assert "technician" in done.stderr


def test_help_names_every_verb(tmp_path):
    told = verb(tmp_path, "--help").stdout
    for name in ("serve", "doctor", "migrate", "person", "access", "verify", "test", "bench"):
        assert f"  {name} " in told


def test_the_doctor_finds_the_running_desk_and_its_database(server):
    done = verb(server.var_dir, "doctor", "--port", str(server.port))
    assert done.returncode == 0, done.stdout
    assert "serves the desk" in done.stdout
    assert "revision" in done.stdout


def test_the_doctor_names_a_dead_database_and_how_to_mend_it(tmp_path):
    environment = serving.child_environment(
        tmp_path, "postgresql+psycopg://nobody@127.0.0.1:1/nothing", COLUMNS="200"
    )
    done = subprocess.run(
        [sys.executable, "-m", "lib.command", "doctor", "--port", str(serving.free_port())],
        cwd=serving.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "check DATABASE_URL" in done.stdout


def test_sample_sign_ins_are_told_until_their_password_is_changed(server):
    kept = server.var_dir / "sample-sign-ins.json"
    kept.write_text(json.dumps([["wang.li", "first-password", "hotline"]]))
    script = "from lib import launcher; launcher.prepare(); print(launcher.closing_block(8501))"
    told = subprocess.run(
        [sys.executable, "-c", script],
        cwd=serving.ROOT,
        env=serving.child_environment(server.var_dir),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "first-password" not in told.stdout
    assert not kept.exists()
