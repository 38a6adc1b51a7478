"""`./run test [quick] [pytest arguments]`: the checks in their one order; stops at the first kind that fails."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lib import doctor

ROOT = Path(__file__).resolve().parents[1]
CHECKS = (
    ("ruff format --check --output-format concise .",),
    ("ruff check .",),
    ("mypy", "lint-imports"),
)
"""Commands in one row run beside each other."""

NOT_QUICK = "not slow and not browser and not web and not faults"
WORKERS = "2"


def main(arguments: Sequence[str]) -> int:
    """Run the checks, then pytest. 0 when all of it is well."""
    quick = list(arguments[:1]) == ["quick"]
    further = list(arguments[1:] if quick else arguments)
    if not quick:
        provide_browser()
    for row in CHECKS:
        if not run_beside(row):
            return 1
    command = [sys.executable, "-m", "pytest", "-q", "--durations=10", "-n", WORKERS]
    command += ["--dist", "loadscope"]
    if quick:
        command += ["--databases", "sqlite", "-m", NOT_QUICK]
    return subprocess.run([*command, *further], cwd=ROOT, check=False).returncode


def run_beside(row: Sequence[str]) -> bool:
    began = time.monotonic()
    tools = Path(sys.executable).parent
    running = []
    for command in row:
        program, *rest = command.split()
        process = subprocess.Popen(
            [str(tools / program), *rest],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append((command, process))
    well = True
    for command, process in running:
        told, _ = process.communicate()
        if process.returncode:
            well = False
            print(told, flush=True)
        verdict = "FAILED" if process.returncode else "ok"
        print(f"{command}: {verdict} ({time.monotonic() - began:.1f} s)", flush=True)
    return well


def provide_browser() -> None:
    """Chromium and a Chinese font for the browser tests, installed when they may be; else exits naming the command."""
    browser, font = doctor.find_chromium(), bool(doctor.chinese_faces())
    missing = [
        *([] if browser else ["chromium"]),
        *([] if font else ["fonts-noto-cjk", "fontconfig"]),
    ]
    if missing and may_install():
        print(f"Installing {' '.join(missing)} for the browser tests with apt-get ...", flush=True)
        _install(missing)
        browser, font = doctor.find_chromium(), bool(doctor.chinese_faces())
    if not browser:
        browser = _playwright_browser()
    lacking = []
    if not browser:
        lacking.append(f"Chromium: {doctor.INSTALL_BROWSER} (or name one: CHROMIUM=/path/to/it)")
    if not font:
        lacking.append(f"A Chinese font: {doctor.INSTALL_FONT}")
    if lacking:
        sys.exit("The browser tests need:\n  " + "\n  ".join(lacking) + "\nNo test was run.")
    os.environ["CHROMIUM"] = str(browser)


def may_install() -> bool:
    release = Path("/etc/os-release")
    told = release.read_text() if release.exists() else ""
    return os.geteuid() == 0 and ("debian" in told or "ubuntu" in told)


def _install(packages: Sequence[str]) -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    for command in (["apt-get", "update", "-qq"], install):
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stderr[-2000:], flush=True)


def _playwright_browser() -> str | None:
    """Playwright's own Chromium, downloaded when it can be."""
    from playwright.sync_api import sync_playwright

    subprocess.run(
        [sys.executable, "-m", "playwright", "install", "chromium"],
        capture_output=True,
        check=False,
    )
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
