"""The verbs of `./run`. A verb makes the desk ready, calls its room and prints; it decides nothing."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from db.codes import Language
from lib.shared.errors import Refusal

desk = typer.Typer(
    help="CurtainCall, the after-sales service desk. Without a verb: serve.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
people = typer.Typer(help="Add people, or give them a new first password.", no_args_is_help=True)
desk.add_typer(people, name="person")

Port = Annotated[int | None, typer.Option("--port", help="Port to listen on (PORT, else 8501).")]
Var = Annotated[
    Path | None, typer.Option("--var", help="Folder of database and keys (VAR_DIR, else ./var).")
]
Empty = Annotated[bool, typer.Option("--empty", help="No sample story at the first start.")]


@desk.callback(invoke_without_command=True)
def choose(
    context: typer.Context, port: Port = None, var: Var = None, empty: Empty = False
) -> None:
    _set_environment(port, var)
    if context.invoked_subcommand is None:
        serve(empty=empty)


def _set_environment(port: int | None, var: Path | None) -> None:
    from lib.shared.settings import settings

    if port is not None:
        os.environ["PORT"] = str(port)
    if var is not None:
        os.environ["VAR_DIR"] = str(var.absolute())
    settings.cache_clear()


def _ready() -> None:
    from lib import launcher

    launcher.prepare()


@desk.command()
def serve(port: Port = None, var: Var = None, empty: Empty = False) -> None:
    """Serve the desk. The first start makes keys and database and tells the sample story."""
    from lib import launcher
    from lib.shared.settings import settings

    _set_environment(port, var)
    launcher.serve(host=settings().host, port=settings().port, sample=not empty)


@desk.command()
def doctor(port: Port = None, var: Var = None) -> None:
    """Look for what the desk needs: each ok, or missing with the command that mends it."""
    from rich.console import Console
    from rich.table import Table

    from lib import doctor
    from lib.shared import clock

    _set_environment(port, var)
    table = Table("", "", "", "to mend", box=None)
    well = True
    for finding in doctor.examine(clock.now()):
        state = "ok" if finding.found else "missing"
        table.add_row(finding.thing, state, finding.told, "" if finding.found else finding.mend)
        well = well and (finding.found or not finding.essential)
    Console().print(table)
    raise typer.Exit(0 if well else 1)


@desk.command()
def migrate(var: Var = None) -> None:
    """Bring the database to the newest revision; every verb does so first."""
    from lib.shared.settings import settings

    _set_environment(None, var)
    _ready()
    kind = "PostgreSQL" if settings().database_url.startswith("postgresql") else "SQLite"
    typer.echo(f"The {kind} database is at the newest revision.")


@desk.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def test(context: typer.Context) -> None:
    """Check everything; `test quick` leaves out browser, real servers, faults, most of PostgreSQL.

    Further arguments go to pytest, e.g. `./run test quick -k timers`.
    """
    _become("tests.harness", context.args)


@desk.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bench(context: typer.Context) -> None:
    """Measure: `./run bench hello`; without a name it lists what can be measured."""
    _become("tests.bench", context.args)


def _become(module: str, arguments: list[str]) -> None:
    from lib.shared.settings import ROOT

    os.chdir(ROOT)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])


def main() -> None:
    """Run a verb; a refusal is told in words and ends with 1."""
    from lib.shared import words

    try:
        desk(prog_name="./run")
    except Refusal as refusal:
        typer.echo(words.text(Language.EN, f"refusal.{refusal.key}", **refusal.params), err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
