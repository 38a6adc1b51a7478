"""The first start of a fresh folder: it tells the sample story once, whole or not at all."""

import signal
import subprocess
import sys
import time

import pytest

from tests import serving

pytestmark = [pytest.mark.web, pytest.mark.slow]


def begin(var_dir) -> subprocess.Popen[bytes]:
    port = str(serving.free_port())
    return subprocess.Popen(
        [sys.executable, "-m", "lib.command", "serve", "--port", port],
        cwd=serving.ROOT,
        env=serving.child_environment(var_dir, HOST="127.0.0.1"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_first_start_that_is_killed_leaves_nothing_half_told(tmp_path):
    killed = begin(tmp_path)
    deadline = time.monotonic() + 60
    while not (tmp_path / "desk.db.draft").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(1)
    killed.send_signal(signal.SIGKILL)
    killed.wait(10)
    assert not (tmp_path / "desk.db").exists()

    first = serving.start(tmp_path)
    first.stop()
    sign_ins = [line for line in first.printed().splitlines() if line.startswith("  ")]
    assert len(sign_ins) >= 9
    assert (tmp_path / "sample-sign-ins.json").stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.glob("desk.db.draft*")) == []

    second = serving.start(tmp_path)
    second.stop()
    assert "Telling" not in second.printed().removeprefix(first.printed())
    assert second.printed().count(sign_ins[0]) == 2

    verified = subprocess.run(
        [sys.executable, "-m", "lib.command", "verify"],
        cwd=serving.ROOT,
        env=serving.child_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout
