"""`./run import tickets` and `./run report timers` as somebody types them."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lib.shared.settings import ROOT

MAPPING = 'kind="cases"\n[case]\nid="id"\n[moments.arrival]\ncolumn="opened"\n'
LOG = "id,opened\n1,2026-01-05T09:00\n2,2026-01-05T10:00\n"


class Terminal:
    """A shell in a folder with a log and its mapping, and a var folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "var").mkdir()
        (folder / "old.toml").write_text(MAPPING, encoding="utf-8")
        (folder / "log.csv").write_text(LOG, encoding="utf-8")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"VAR_DIR": str(self.folder / "var"), "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [sys.executable, "-P", "-m", "lib.command", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def bring(self, *options: str) -> subprocess.CompletedProcess[str]:
        return self.run("import", "tickets", "log.csv", "--mapping", "old.toml", *options)


@pytest.fixture
def terminal(tmp_path):
    return Terminal(tmp_path)


@pytest.mark.slow
def test_an_import_is_told_in_one_line_and_reported_as_csv(terminal):
    dry = terminal.bring("--dry-run")
    assert dry.stdout == "old: 2 rows; 2 cases would be new, 0 known, 0 refused.\n"
    assert terminal.bring().stdout == "old: 2 rows; 2 cases new, 0 known, 0 refused.\n"
    assert terminal.bring().stdout == "old: 2 rows; 0 cases new, 2 known, 0 refused.\n"
    told = terminal.run("report", "timers", "--source", "old", "--out", "out.csv")
    assert (told.returncode, told.stdout) == (0, "2 cases: out.csv\n")
    assert (
        (terminal.folder / "out.csv")
        .read_text()
        .splitlines()[1]
        .startswith("1,2026-01-05 09:00:00,")
    )


@pytest.mark.slow
def test_refused_rows_go_to_a_workbook_and_the_verb_ends_with_one(terminal):
    (terminal.folder / "log.csv").write_text(LOG + "3,soon\n", encoding="utf-8")
    told = terminal.bring("--refusals", "no.xlsx")
    assert (told.returncode, told.stdout) == (1, "old: 3 rows; 2 cases new, 0 known, 1 refused.\n")
    assert (terminal.folder / "no.xlsx").exists()


@pytest.mark.slow
def test_beside_a_running_desk_an_import_is_refused_unless_saves_may_wait(terminal):
    with (terminal.folder / "var" / "serving.lock").open("ab") as serving:
        fcntl.flock(serving, fcntl.LOCK_SH)
        told = terminal.bring()
        assert (told.returncode, told.stdout) == (1, "")
        assert "--wait" in told.stderr
        assert terminal.bring("--dry-run").returncode == 0
        assert terminal.bring("--wait").stdout == "old: 2 rows; 2 cases new, 0 known, 0 refused.\n"


@pytest.mark.slow
def test_a_wrong_mapping_is_told_with_its_place(terminal):
    (terminal.folder / "old.toml").write_text(MAPPING + "[ticket]\ntitel='x'", encoding="utf-8")
    told = terminal.bring()
    assert told.returncode == 1
    assert "ticket.titel" in told.stderr
    assert "Traceback" not in told.stderr
