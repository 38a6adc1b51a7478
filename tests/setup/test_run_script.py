"""`run` on machines that lack something, with stand-ins for the machine's own programs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REAL_PYTHON = sys.executable

FAKE_PYTHON = """#!/bin/sh
echo "$@" >> "$MACHINE/python.log"
case "$*" in
    *version_info\\ *3,\\ 11*) exit "${OLD_PYTHON:-0}" ;;
    *python%d*) echo python3.99-venv ;;
    "-m venv "*)
        [ -e "$MACHINE/has-venv" ] || { echo "ensurepip is not available" >&2; exit 1; }
        mkdir -p "$3/bin" && cp "$MACHINE/venv-python" "$3/bin/python" ;;
esac
"""

FAKE_VENV_PYTHON = """#!/bin/sh
echo "venv: $*" >> "$MACHINE/python.log"
case "$*" in
    "-m uv --version") [ -e "$MACHINE/has-uv" ] ;;
    *"install"*requirements-setup.txt) [ -z "$NO_UV" ] && touch "$MACHINE/has-uv" ;;
    "-m uv pip sync"*) [ -e "$MACHINE/has-uv" ] ;;
    "-P -m lib.command"*) echo "pid $$ verb $*" ;;
esac
"""

FAKE_APT = """#!/bin/sh
echo "$@" >> "$MACHINE/apt.log"
[ "$1" = install ] && touch "$MACHINE/has-venv"
exit 0
"""


class Machine:
    """A folder of stand-ins on the PATH, and a copy of the project's `run`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = folder / "project"
        self.project.mkdir()
        shutil.copy(ROOT / "run", self.project / "run")
        for name in ("requirements.txt", "requirements-dev.txt", "requirements-setup.txt"):
            (self.project / name).write_text("nothing==1\n")
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.put("python3", FAKE_PYTHON)
        self.put("apt-get", FAKE_APT)
        self.become(0)
        (folder / "venv-python").write_text(FAKE_VENV_PYTHON)
        (folder / "venv-python").chmod(0o755)
        self.has_venv = True

    def put(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def become(self, user: int) -> None:
        self.put("id", f"#!/bin/sh\necho {user}\n")

    @property
    def has_venv(self) -> bool:
        return (self.folder / "has-venv").exists()

    @has_venv.setter
    def has_venv(self, there: bool) -> None:
        marker = self.folder / "has-venv"
        marker.touch() if there else marker.unlink(missing_ok=True)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.start(*arguments, **environment)[1]

    def start(self, *arguments: str, **environment: str):
        process = subprocess.Popen(
            [str(self.project / "run"), *arguments],
            cwd=self.folder,
            env={
                "PATH": f"{self.bin}:/usr/bin:/bin",
                "MACHINE": str(self.folder),
                "NO_UV": "",
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        out, err = process.communicate(timeout=60)
        return process.pid, subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def log(self) -> str:
        log = self.folder / "python.log"
        return log.read_text() if log.exists() else ""

    def forget(self) -> None:
        (self.folder / "python.log").unlink(missing_ok=True)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_the_first_start_syncs_with_hashes_and_becomes_the_verb(machine):
    pid, done = machine.start("serve", "--port", "8600")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"pid {pid} verb -P -m lib.command serve --port 8600\n"
    assert "uv pip sync --quiet --python" in machine.log()
    assert "--require-hashes" in machine.log()
    assert "index" not in machine.log()


def test_the_second_start_does_nothing_but_the_verb(machine):
    machine.run()
    machine.forget()
    done = machine.run()
    assert done.stderr == ""
    assert machine.log() == "venv: -P -m lib.command\n"


def test_test_and_bench_bring_the_test_tools_and_a_plain_start_keeps_them(machine):
    machine.run("test", "quick")
    assert machine.log().count("requirements-dev.txt") == 1
    machine.forget()
    machine.run("serve")
    machine.run("bench")
    assert "sync" not in machine.log()


def test_the_test_tools_come_on_top_of_a_plain_environment(machine):
    machine.run("serve")
    machine.forget()
    machine.run("test")
    assert "requirements-dev.txt" in machine.log()


def test_changed_pins_are_synced_again_with_the_tools_that_were_there(machine):
    machine.run("test")
    machine.forget()
    (machine.project / "requirements.txt").write_text("nothing==2\n")
    machine.run("serve")
    assert "requirements-dev.txt" in machine.log()


def test_without_uv_pip_installs_with_hashes(machine):
    done = machine.run(NO_UV="yes")
    assert done.returncode == 0
    assert "going on with pip" in done.stderr
    assert "--quiet --require-hashes -r" in machine.log().splitlines()[-2]


def test_root_on_debian_gets_the_venv_package_installed_and_told(machine):
    machine.has_venv = False
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert "Installing python3.99-venv" in done.stderr
    assert "--no-install-recommends python3.99-venv" in (machine.folder / "apt.log").read_text()


def test_somebody_else_is_told_the_command(machine):
    machine.has_venv = False
    machine.become(1000)
    done = machine.run()
    assert done.returncode == 1
    assert "sudo apt-get install python3.99-venv" in done.stderr
    assert not (machine.folder / "apt.log").exists()


def test_an_old_python_is_refused_by_name(machine):
    for name in ("python3.14", "python3.13", "python3.12", "python3.11", "python"):
        machine.put(name, FAKE_PYTHON)
    done = machine.run(OLD_PYTHON="1")
    assert done.returncode == 1
    assert "needs Python 3.11 or later" in done.stderr


def test_a_failed_set_up_is_tried_again(machine):
    machine.has_venv = False
    machine.become(1000)
    assert machine.run().returncode == 1
    machine.has_venv = True
    assert machine.run().returncode == 0


def test_two_starts_at_once_set_up_once(machine):
    arguments = [str(machine.project / "run")]
    environment = {
        **os.environ,
        "PATH": f"{machine.bin}:/usr/bin:/bin",
        "MACHINE": str(machine.folder),
        "NO_UV": "",
    }
    both = [
        subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in both:
        process.communicate(timeout=60)
    assert [process.returncode for process in both] == [0, 0]
    assert machine.log().count("uv pip sync") == 1
    assert not (machine.project / ".venv.lock").exists()


def test_the_lock_of_a_killed_set_up_is_taken_over(machine):
    (machine.project / ".venv.lock").mkdir()
    (machine.project / ".venv.lock" / "pid").write_text("999999999\n")
    assert machine.run().returncode == 0
