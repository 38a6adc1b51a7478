"""How the desk starts: folder, keys, database, sample story, then the server; and how commands find it running."""

import asyncio
import fcntl
import gc
import json
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
import uvicorn
from sqlalchemy import func, select

from db import migrate
from db import session as database
from db.models.people import Person
from lib.customers import bulk
from lib.shared import clock
from lib.shared.cores import keep_to_one
from lib.shared.settings import ROOT, key, settings
from lib.shared.work import look, perform, system
from lib.tickets import hops, search

KEYS = ("audit", "sign_in", "streamlit")
LARGEST_MESSAGE = 16 * 1024 * 1024
"""Bytes of one websocket message; uploads do not come this way."""
SWITCH_SECONDS = 0.001
"""How long a page's script may keep the loop that sends its messages waiting; with 8 clients a tenth more pages a
second than with Python's 5 ms."""
GARBAGE_AFTER = 5_000
"""New objects between two looks for garbage: at Python's 700 they take 7 % of a save, here 2.5 %."""

SAMPLE_SIGN_INS = "sample-sign-ins.json"


def prepare(*, sample: bool = False) -> None:
    """Make the var folder and the keys, migrate, and point `db.session` at the database; every verb starts here.

    `sample`: tell the sample story into a SQLite database that does not exist yet. The story is told into a draft
    beside it, which takes the name when whole, so that a killed first start leaves nothing half told.
    """
    folder = settings().var_dir
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in KEYS:
        key(name)
    with _locked(folder / "starting.lock"):
        fresh = not settings().database_url and not _sqlite_file().exists()
        if sample and fresh:
            _tell_sample_story(_sqlite_file())
        migrate.upgrade(settings().database)
        database.configure(settings().database)
        _catch_up()


def _catch_up() -> None:
    """What an older store lacks because it is derived by the rooms and not by a migration."""
    launcher = system("launcher")
    for lacks, fill in (
        (bulk.lacks_keys, bulk.fill_keys),
        (search.lacks_terms, search.fill_terms),
        (hops.lacks_hops, hops.count_hops),
    ):
        if look(lacks, actor=launcher, now=clock.now()):
            perform(fill, actor=launcher, now=clock.now())


def _sqlite_file() -> Path:
    return Path(settings().database.removeprefix("sqlite:///"))


def _tell_sample_story(file: Path) -> None:
    from lib import demo

    draft = file.with_name(f"{file.name}.draft")
    for old in file.parent.glob(f"{draft.name}*"):
        old.unlink()
    typer.echo("Telling the sample story (once) ...", err=True)
    address = f"sqlite:///{draft}"
    migrate.upgrade(address)
    database.configure(address, durable=False)
    sign_ins = demo.tell(clock.now())
    database.dispose()
    _settle(draft)
    draft.rename(file)
    for rest in file.parent.glob(f"{draft.name}*"):
        rest.unlink()
    keep_sample_sign_ins(sign_ins)


def _settle(draft: Path) -> None:
    """Bring a SQLite file written without flushing onto the disk, with nothing left beside it."""
    import sqlite3

    connection = sqlite3.connect(draft)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    descriptor = os.open(draft, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def keep_sample_sign_ins(sign_ins: list[tuple[str, str, str]]) -> None:
    """Keep (login, first password, what the person does) for the closing block of the next starts, mode 0600."""
    path = settings().var_dir / SAMPLE_SIGN_INS
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(sign_ins, file, ensure_ascii=False)


def open_sample_sign_ins() -> list[tuple[str, str, str]]:
    """The sample sign-ins whose first password has not been changed yet; the file goes with the last one."""
    path = settings().var_dir / SAMPLE_SIGN_INS
    if not path.exists():
        return []
    kept = [tuple(line) for line in json.loads(path.read_text())]
    with database.ReadSession() as session:
        unchanged = set(
            session.scalars(select(Person.login).where(Person.must_change_password, Person.active))
        )
    still_open = [(login, password, does) for login, password, does in kept if login in unchanged]
    if not still_open:
        path.unlink()
    return still_open


def serve(*, host: str, port: int, sample: bool) -> None:
    """Serve the desk until SIGTERM or Ctrl-C; exits with 1 when the port is taken."""
    if not port_is_free(host, port):
        sys.exit(f"Port {port} is taken. Choose another: ./run --port {port + 1}")
    # Streamlit reads .streamlit/config.toml of the working folder only.
    os.chdir(ROOT)
    prepare(sample=sample)
    os.environ.setdefault("STREAMLIT_SERVER_COOKIE_SECRET", key("streamlit").decode())
    prepare_interpreter()
    with _locked(settings().var_dir / "serving.lock", fcntl.LOCK_SH):
        server = _Announcing(
            server_config("app:app", host, port), lambda: typer.echo(closing_block(port))
        )
        asyncio.run(server.serve())
    if not server.started:
        sys.exit(1)


def prepare_interpreter() -> None:
    """How the interpreter of a serving process runs; before it starts its threads."""
    keep_to_one()
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(GARBAGE_AFTER)


def server_config(app: str, host: str, port: int) -> uvicorn.Config:
    """How the desk's server is set up.

    asyncio sets TCP_NODELAY on what it accepts, which `streamlit run` does not: there each click may wait 40 ms.
    """
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="asyncio",
        ws="websockets-sansio",
        ws_max_size=LARGEST_MESSAGE,
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )


class _Announcing(uvicorn.Server):
    """Says where the desk is once it really listens."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # Streamlit, imported with the app, gives uvicorn's loggers handlers and levels of its own.
        logging.getLogger("uvicorn.access").handlers.clear()
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        await super().startup(sockets)
        if self.started:
            self._announce()


def closing_block(port: int) -> str:
    """The address, then a line per sample sign-in, or how to add the first person."""
    lines = ["", f"CurtainCall 售后服务台: http://localhost:{port}"]
    sign_ins = open_sample_sign_ins()
    if sign_ins:
        lines.append("Sample sign-ins (each asks for a new password at first sign-in):")
        width = max(len(login) for login, _, _ in sign_ins)
        lines += [f"  {login:<{width}}  {password}  {does}" for login, password, does in sign_ins]
    elif not _anybody():
        lines.append("Nobody can sign in yet. Add the first person:")
        lines.append("  ./run person add LOGIN --roles administrator --name NAME --password-stdin")
    return "\n".join(lines)


def _anybody() -> bool:
    with database.ReadSession() as session:
        return bool(session.scalar(select(func.count()).select_from(Person)))


def is_serving() -> bool:
    """Whether an app of this var folder is running."""
    with (settings().var_dir / "serving.lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


@contextmanager
def _locked(path: Path, kind: int = fcntl.LOCK_EX) -> Iterator[Any]:
    with path.open("ab") as file:
        fcntl.flock(file, kind)
        yield file
