"""Rules of the house that no linter knows."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BANNED_NAMES = {"utils", "helpers", "common", "manager", "misc"}


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def test_no_module_has_a_name_that_says_nothing():
    assert [path for path in tracked("*.py") if path.stem in BANNED_NAMES] == []


def test_git_ignores_neither_a_room_nor_a_floor():
    for floor in ("app.py", "pages/x.py", "lib/x/y.py", "db/models/x.py", "lib/x/words/en.po"):
        told = subprocess.run(["git", "check-ignore", "-q", floor], cwd=ROOT, check=False)
        assert told.returncode == 1, floor


def test_the_guard_knows_streamlit_by_its_messages_only():
    tree = ast.parse((ROOT / "lib/web/guard.py").read_text())
    named = {
        name
        for node in ast.walk(tree)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
        if name.split(".")[0] == "streamlit"
    }
    assert all(name.startswith("streamlit.proto") for name in named), named


def test_no_path_of_a_machine_stands_in_the_project():
    machine = re.compile(r"(?<![\w.])/(work|root|home/\w+)/|/tmp/cc\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked("*.py", "*.md", "*.toml", "*.sh", "run", ".ci/run", "*.txt", "*.cfg")
        if path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if machine.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements-dev.txt", "requirements-setup.txt"]
)
def test_every_pin_has_its_hashes_and_no_address(name):
    text = (ROOT / name).read_text()
    pins = re.findall(r"^([a-zA-Z0-9_.\-]+(?:\[[^\]]*\])?==[^\s;]+).*\\$", text, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[a-zA-Z0-9]", text, re.MULTILINE))
    assert "://" not in text
    assert text.count("--hash=sha256:") >= len(pins)


def test_the_test_tools_are_pinned_on_top_of_the_same_versions():
    def pins(name: str) -> dict[str, str]:
        lines = (ROOT / name).read_text().splitlines()
        return dict(line.split()[0].split("==") for line in lines if re.match(r"[a-zA-Z0-9]", line))

    runtime, tools = pins("requirements.txt"), pins("requirements-dev.txt")
    assert runtime.items() <= tools.items()


def test_every_direct_dependency_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    pinned = (ROOT / "requirements-dev.txt").read_text()
    for requirement in named:
        name = re.match(r"[a-zA-Z0-9_.\-]+", requirement)[0].lower()
        assert re.search(rf"^{re.escape(name)}(\[.*?\])?==", pinned, re.MULTILINE), name
