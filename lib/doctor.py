"""What the desk needs from its machine: each thing found, or missing with the command that mends it."""

import os
import shutil
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from lib.launcher import port_is_free
from lib.shared.settings import settings

WAL_RESET_MENDED = (3, 51, 3)
"""SQLite before this can lose a commit when two commits or checkpoints meet."""

INSTALL_BROWSER = "apt-get install --no-install-recommends chromium"
INSTALL_FONT = "apt-get install --no-install-recommends fonts-noto-cjk"


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `essential`: the desk cannot serve without it."""

    thing: str
    found: bool
    told: str
    mend: str = ""
    essential: bool = True


def examine(now: datetime) -> Iterator[Finding]:
    """Look at the machine, in the order a person would mend it."""
    yield _python()
    yield _sqlite()
    yield _clock_zone(now)
    yield _folder()
    yield _database()
    yield _port()
    yield _font()
    yield _chromium()


def _python() -> Finding:
    told = ".".join(map(str, sys.version_info[:3]))
    return Finding(
        "Python", sys.version_info >= (3, 11), told, "install Python 3.11 or later, then ./run"
    )


def _sqlite() -> Finding:
    told = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < WAL_RESET_MENDED:
        told += " (carries the WAL-reset bug; the desk's write lock keeps commits apart)"
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE VIRTUAL TABLE found USING fts5(words)")
    except sqlite3.OperationalError:
        return Finding("SQLite", False, f"{told}, no FTS5", "use a Python whose SQLite has FTS5")
    finally:
        connection.close()
    return Finding("SQLite", True, told)


def _clock_zone(now: datetime) -> Finding:
    try:
        shanghai = now.astimezone(ZoneInfo("Asia/Shanghai"))
    except ZoneInfoNotFoundError:
        return Finding("Clock zone", False, "Asia/Shanghai is unknown", "apt-get install tzdata")
    return Finding("Clock zone", True, f"Asia/Shanghai, now {shanghai:%Y-%m-%d %H:%M}")


def _folder() -> Finding:
    folder = settings().var_dir
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(nearest).free // 2**20
    writable = os.access(nearest, os.W_OK)
    return Finding(
        "Var folder",
        writable and free > 500,
        f"{folder}, {free} MB free",
        "make room, or choose another folder: ./run --var DIR",
    )


def _database() -> Finding:
    address = settings().database
    if address.startswith("sqlite"):
        if not (settings().var_dir / "desk.db").exists():
            return Finding("Database", True, "SQLite, made at the first start")
        address = f"{address.replace('sqlite:///', 'sqlite:///file:')}?mode=ro&uri=true"
    engine = create_engine(address)
    try:
        with engine.connect() as connection:
            revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    except SQLAlchemyError as error:
        told = f"{engine.dialect.name}: {type(error).__name__}"
        return Finding("Database", False, told, "start it, check DATABASE_URL, then ./run migrate")
    finally:
        engine.dispose()
    return Finding("Database", True, f"{engine.dialect.name}, revision {revision}")


def _port() -> Finding:
    host, port = settings().host, settings().port
    if port_is_free(host, port):
        return Finding("Port", True, f"{port} is free")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            ours = answer.read(16).strip() == b"ok"
    except OSError:
        ours = False
    if ours:
        return Finding("Port", True, f"{port} serves the desk")
    return Finding("Port", False, f"{port} is taken", f"./run --port {port + 1}")


def _font() -> Finding:
    faces = chinese_faces()
    return Finding(
        "Chinese font",
        bool(faces),
        faces[0] if faces else "none; only the browser tests need it",
        INSTALL_FONT,
        essential=False,
    )


def chinese_faces() -> list[str]:
    """The families on this machine that can show Chinese."""
    if shutil.which("fc-list") is None:
        return []
    listed = subprocess.run(
        ["fc-list", ":lang=zh-cn", "family"], capture_output=True, text=True, check=False
    )
    return sorted({line.split(",")[0] for line in listed.stdout.splitlines() if line})


def _chromium() -> Finding:
    path = find_chromium()
    return Finding(
        "Chromium",
        path is not None,
        path or "none; only the browser tests need it",
        INSTALL_BROWSER,
        essential=False,
    )


def find_chromium() -> str | None:
    """The browser of the tests: `$CHROMIUM`, else the first that answers on the PATH."""
    wanted = os.environ.get("CHROMIUM")
    names = [wanted] if wanted else ["chromium", "chromium-browser", "google-chrome"]
    for name in names:
        path = shutil.which(name)
        # Ubuntu's chromium-browser is a stub that only says how to install a snap.
        if path and _answers(path):
            return path
    return None


def _answers(path: str) -> bool:
    asked = subprocess.run([path, "--version"], capture_output=True, check=False)
    return asked.returncode == 0 and bool(asked.stdout)
