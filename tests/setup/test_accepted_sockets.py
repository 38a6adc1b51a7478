"""The running server itself: what its accepted sockets and its configuration are set to."""

import ctypes
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import ROOT, Server

pytestmark = pytest.mark.web

PIDFD_GETFD = 438
"""The system call's number, the same on every architecture that Linux has it on."""


def accepted_socket(server: Server, client: socket.socket) -> socket.socket:
    """The server's end of the client's connection, lent from its process."""
    inode = _inode(server.port, client.getsockname()[1])
    folder = Path(f"/proc/{server.process.pid}/fd")
    for entry in folder.iterdir():
        if entry.is_symlink() and str(entry.readlink()) == f"socket:[{inode}]":
            return socket.socket(fileno=_borrowed(server.process.pid, int(entry.name)))
    raise AssertionError("the server has no such socket")


def _inode(server_port: int, client_port: int) -> str:
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, *rest = line.split()
        ports = [int(end.rpartition(":")[2], 16) for end in (local, remote)]
        if ports == [server_port, client_port]:
            return rest[5]
    raise AssertionError("no such connection")


def _borrowed(pid: int, number: int) -> int:
    process = os.pidfd_open(pid)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor: int = libc.syscall(PIDFD_GETFD, process, number, 0)
    finally:
        os.close(process)
    if descriptor < 0:
        pytest.skip(f"this system lends no sockets: {os.strerror(ctypes.get_errno())}")
    return descriptor


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux")
@pytest.mark.parametrize("path", ["/healthz", "/"])
def test_an_accepted_socket_of_the_running_server_sends_at_once(server: Server, path: str) -> None:
    """Without TCP_NODELAY requests that come close together wait 40 ms for an acknowledgement."""
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
        assert client.recv(64).startswith(b"HTTP/1.1 ")
        with accepted_socket(server, client) as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs Linux")
def test_the_running_server_collects_no_garbage_after_each_run(server: Server) -> None:
    """Read with the folder and the environment that the server's process has, which decide it."""
    process = Path(f"/proc/{server.process.pid}")
    told = (process / "environ").read_bytes().split(b"\0")
    environment = dict(os.fsdecode(pair).split("=", 1) for pair in told if b"=" in pair)
    assert Path((process / "cwd").readlink()) == ROOT
    script = (
        "import json; from streamlit import config;"
        "print(json.dumps(config.get_option('runner.postScriptGC')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=(process / "cwd").readlink(),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) is False
