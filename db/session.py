"""Engines and sessions. Readers and writers are apart: on SQLite writers BEGIN IMMEDIATE under a file lock."""

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import uniform
from time import monotonic, sleep
from typing import IO, Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import Session, sessionmaker

ReadSession: sessionmaker[Session] = sessionmaker(expire_on_commit=False, autoflush=False)
"""Sessions that only read, each the store as it was at its first statement; they never wait for a writer."""

WriteSession: sessionmaker[Session] = sessionmaker(expire_on_commit=False)
"""Sessions that `perform` commits, and nobody else."""

LONGEST_WAIT = 8.0
"""Seconds that a writer waits for the others, on SQLite and (by lock_timeout) on PostgreSQL."""

IDLE_SECONDS = 1.0
"""How long a connection to PostgreSQL may lie before it is asked whether it still lives."""

_state: dict[str, Any] = {}


class Busy(Exception):
    """Another process has been writing for longer than `LONGEST_WAIT`, such as a large import."""


def configure(url: str, *, durable: bool = True) -> None:
    """Point the house at a database: `sqlite:///FILE` or `postgresql+psycopg://...`.

    `durable=False` (SQLite only) leaves out the flush to disk; for files that are thrown away when incomplete.
    """
    dispose()
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        reader = _sqlite_engine(url, durable=durable, immediate=False)
        writer = _sqlite_engine(url, durable=durable, immediate=True)
        _state["lock"] = _WriteLock(Path(f"{address.database}.writing"))
    else:
        writer = create_engine(
            url,
            hide_parameters=True,
            pool_size=5,
            max_overflow=10,
            connect_args={
                "options": "-c timezone=UTC -c statement_timeout=60000 "
                f"-c lock_timeout={int(LONGEST_WAIT * 1000)}",
                "connect_timeout": 5,
            },
        )
        _probe_what_lay_idle(writer)
        reader = writer.execution_options(isolation_level="REPEATABLE READ")
        _state["lock"] = None
    _state.update(url=url, reader=reader, writer=writer)
    ReadSession.configure(bind=reader)
    WriteSession.configure(bind=writer)


def dispose() -> None:
    """Close all connections."""
    for name in ("reader", "writer"):
        engine = _state.pop(name, None)
        if engine is not None:
            engine.dispose()
    lock = _state.pop("lock", None)
    if lock is not None:
        lock.close()


def is_configured() -> bool:
    """Whether `configure` has been called."""
    return "reader" in _state


def url() -> str:
    return str(_state["url"])


def reader() -> Engine:
    engine: Engine = _state["reader"]
    return engine


def writer() -> Engine:
    engine: Engine = _state["writer"]
    return engine


def is_sqlite() -> bool:
    return reader().dialect.name == "sqlite"


@contextmanager
def writing() -> Iterator[Session]:
    """One write transaction: commit at the end, roll back on any error. Only `lib.shared.work` calls this.

    Raises Busy.
    """
    lock = _state["lock"]
    if lock is None:
        with WriteSession.begin() as session:
            yield session
        return
    with lock, WriteSession.begin() as session:
        yield session


class _WriteLock:
    """One writer at a time over threads and processes.

    SQLite up to 3.51.2 can lose a commit when two commits or checkpoints meet; a lock beside the file also keeps
    commands safe beside a running app.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.Lock()
        self._file: IO[bytes] | None = None

    def __enter__(self) -> None:
        deadline = monotonic() + LONGEST_WAIT
        if not self._threads.acquire(timeout=LONGEST_WAIT):
            raise Busy
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("ab")
            # A lock on a file cannot be waited for with an end.
            while not self._lock_file(self._file):
                if monotonic() > deadline:
                    raise Busy
                sleep(uniform(0.0005, 0.004))
        except BaseException:
            self._threads.release()
            raise

    def _lock_file(self, file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __exit__(self, *_: object) -> None:
        try:
            if self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        finally:
            self._threads.release()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _probe_what_lay_idle(engine: Engine) -> None:
    """Ask a connection that lay idle whether it lives, and make all anew if not; one just used costs no round trip."""

    @event.listens_for(engine, "checkin")
    def _on_checkin(_connection: Any, record: Any) -> None:
        record.info["used_at"] = monotonic()

    @event.listens_for(engine, "checkout")
    def _on_checkout(connection: Any, record: Any, _proxy: Any) -> None:
        if monotonic() - record.info.get("used_at", monotonic()) < IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error


def _sqlite_engine(address: str, *, durable: bool, immediate: bool) -> Engine:
    engine = create_engine(
        address,
        hide_parameters=True,
        pool_size=5,
        max_overflow=20,
        connect_args={"check_same_thread": False, "timeout": LONGEST_WAIT},
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
        cursor.execute(f"PRAGMA busy_timeout={int(LONGEST_WAIT * 1000)}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA cache_size=-8192")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine
