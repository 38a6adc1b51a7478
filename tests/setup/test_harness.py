"""What `./run test` does before any test: the browser and the font, installed or named."""

import subprocess
import sys

import pytest

from tests import harness

APT = """#!/bin/sh
echo "$@" >> "$MACHINE/apt.log"
[ "$1" = install ] || exit 0
printf '#!/bin/sh\\necho Chromium 1\\n' > "$MACHINE/chromium"
printf '#!/bin/sh\\necho Noto Sans CJK SC\\n' > "$MACHINE/fc-list"
chmod +x "$MACHINE/chromium" "$MACHINE/fc-list"
"""


@pytest.fixture
def machine(tmp_path):
    (tmp_path / "apt-get").write_text(APT)
    (tmp_path / "apt-get").chmod(0o755)
    return tmp_path


def provide(machine, **environment: str) -> subprocess.CompletedProcess[str]:
    script = "import os; from tests import harness; harness.provide_browser(); print(os.environ['CHROMIUM'])"
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=harness.ROOT,
        env={"PATH": f"{machine}:/bin-that-is-not-there", "MACHINE": str(machine), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(not harness.may_install(), reason="only root on Debian or Ubuntu installs")
def test_root_on_debian_gets_browser_and_font_in_one_call(machine):
    (machine / "sh").symlink_to("/bin/sh")
    (machine / "chmod").symlink_to("/bin/chmod")
    done = provide(machine)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("Installing chromium fonts-noto-cjk")
    assert done.stdout.splitlines()[-1] == str(machine / "chromium")
    calls = (machine / "apt.log").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["update", "install"]
    assert "--no-install-recommends" in calls[1]


def test_a_named_browser_is_taken_and_nothing_is_installed(machine):
    for name, text in (
        ("mine", "#!/bin/sh\necho Chromium 1\n"),
        ("fc-list", "#!/bin/sh\necho Noto\n"),
    ):
        (machine / name).write_text(text)
        (machine / name).chmod(0o755)
    done = provide(machine, CHROMIUM=str(machine / "mine"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(machine / "mine")
    assert not (machine / "apt.log").exists()


def test_a_failed_check_is_told(tmp_path, capsys):
    (tmp_path / "stray.py").write_text("x  =  1\n")
    assert harness.run_beside((f"ruff format --check {tmp_path}",)) is False
    assert "FAILED" in capsys.readouterr().out
