"""The verbs of `./run`. A verb makes the desk ready, calls its room and prints; it decides nothing."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from db.codes import Language, Role
from lib.shared.errors import Refusal

desk = typer.Typer(
    help="CurtainCall, the after-sales service desk. Without a verb: serve.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
people = typer.Typer(help="Add people, or give them a new first password.", no_args_is_help=True)
desk.add_typer(people, name="person")
imports = typer.Typer(help="Take over what another system knows.", no_args_is_help=True)
desk.add_typer(imports, name="import")
reports = typer.Typer(help="Write figures of the stored cases to a file.", no_args_is_help=True)
desk.add_typer(reports, name="report")

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


@people.command("add")
def add_person(
    login: str,
    roles: Annotated[str, typer.Option(help="Roles, separated by commas: hotline,dispatcher")],
    name: Annotated[str, typer.Option(help="The name that colleagues see.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the first password from standard input.")
    ] = False,
    no_change: Annotated[
        bool, typer.Option("--no-change", help="Do not ask for a new one at the first sign-in.")
    ] = False,
    var: Var = None,
) -> None:
    """Give somebody an account. Without --password-stdin a random first password is printed."""
    from lib.people import actions, passwords, rules
    from lib.shared import clock
    from lib.shared.work import perform, system

    _set_environment(None, var)
    rules.ensure_login_is_usable(login)
    held = _roles(roles)
    password = _first_password(login, from_input=password_stdin)
    _ready()
    perform(
        actions.create_person,
        actor=system("command"),
        now=clock.now(),
        login=login,
        name=name,
        roles=held,
        password_hash=passwords.hash_password(password),
        must_change_password=not no_change,
    )
    typer.echo(f"{login} may sign in." if password_stdin else f"{login}  {password}")


@people.command("reset")
def reset_person(
    login: str,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the first password from standard input.")
    ] = False,
    var: Var = None,
) -> None:
    """Set a first password, to be changed at the next sign-in, and end the person's sessions."""
    from lib.people import actions, passwords, queries
    from lib.shared import clock
    from lib.shared.work import look, perform, system

    _set_environment(None, var)
    password = _first_password(login, from_input=password_stdin)
    _ready()
    now = clock.now()
    actor = system("command")
    person_id, version = look(queries.find_account, actor=actor, now=now, login=login)
    perform(
        actions.reset_password,
        actor=actor,
        now=now,
        person_id=person_id,
        version=version,
        password_hash=passwords.hash_password(password),
    )
    typer.echo(f"{login} has a new first password." if password_stdin else f"{login}  {password}")


def _roles(named: str) -> list[Role]:
    known = {str(role): role for role in Role}
    wanted = [name.strip() for name in named.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise typer.BadParameter(f"Roles are: {', '.join(known)}", param_hint="--roles")
    return [known[name] for name in wanted]


def _first_password(login: str, *, from_input: bool) -> str:
    from lib.people import passwords, rules

    if not from_input:
        return passwords.random_password()
    password = sys.stdin.readline().rstrip("\r\n")
    rules.ensure_password_is_usable(password, login=login)
    return password


@imports.command("tickets")
def import_tickets(
    file: Annotated[Path, typer.Argument(help="CSV (gzip too), XLSX or XES.")],
    mapping: Annotated[
        Path,
        typer.Option(
            "--mapping", help="Mapping file (lib/tickets/mappings/README.md), or its name."
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read, check and count; write nothing.")
    ] = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait", help="SQLite: import beside a running desk; its saves wait so long."
        ),
    ] = False,
    source: Annotated[
        str | None, typer.Option("--source", help="Name of the source (else the mapping's).")
    ] = None,
    refusals: Annotated[
        Path | None,
        typer.Option("--refusals", help="Workbook for refused rows (else FILE.refused.xlsx here)."),
    ] = None,
    var: Var = None,
) -> None:
    """Take over the history of another help desk: every case once, all in one transaction.

    Ends with 1 when rows were refused; the rest is imported all the same.
    """
    from db import session
    from lib import launcher
    from lib.shared import clock
    from lib.tickets import history, staging
    from lib.tickets import mapping as mappings
    from lib.tickets import refusals as workbook

    _set_environment(None, var)
    form = mappings.load_mapping(mapping)
    _ready()
    if session.is_sqlite() and not (wait or dry_run) and launcher.is_serving():
        raise Refusal("desk_is_serving")
    now = clock.now()
    with _progress() as progress, staging.staged(file, form, now, progress) as stage:
        told = history.import_history(
            file, form, stage, now=now, source=source, dry_run=dry_run, progress=progress
        )
        out = refusals or Path(f"{file.name}.refused.xlsx")
        lines = workbook.write_refusals(out, stage.refusals()) if told.cases_refused else 0
    done = "would be new" if dry_run else "new"
    typer.echo(
        f"{told.source}: {told.rows_read} rows; {told.cases_new} cases {done}, "
        f"{told.cases_known} known, {told.cases_refused} refused."
    )
    if lines:
        typer.echo(f"Refused rows with their reasons: {out}", err=True)
        raise typer.Exit(1)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on the terminal, one line per step; nothing where nobody watches."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskID,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(
        *columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal
    ) as bar:
        steps: dict[str, TaskID] = {}

        def show(doing: str, done: int, total: int) -> None:
            if doing not in steps:
                steps[doing] = bar.add_task(doing, total=total)
            bar.update(steps[doing], completed=done, total=total)

        yield show


@reports.command("timers")
def report_timers(
    source: Annotated[str, typer.Option("--source", help="Whose cases: the name of an import.")],
    out: Annotated[Path, typer.Option("--out", help="CSV file to write.")],
    calendar: Annotated[
        str, typer.Option("--calendar", help="Working calendar to count in.")
    ] = "cn-0900-1800",
    var: Var = None,
) -> None:
    """Write each case's moments and its seconds, by the wall clock and in working time."""
    from lib.reports import timer_report
    from lib.shared import clock
    from lib.shared.work import look, system

    _set_environment(None, var)
    _ready()
    cases = look(
        timer_report.write_timer_report,
        actor=system("report"),
        now=clock.now(),
        source=source,
        calendar=calendar,
        out=out,
    )
    typer.echo(f"{cases} cases: {out}")


@reports.command("due")
def report_due(
    file: Annotated[Path, typer.Argument(help="CSV with the columns start and business_hours.")],
    calendar: Annotated[
        str, typer.Option("--calendar", help="Working calendar to count in.")
    ] = "cn-0900-1800",
    out: Annotated[
        Path | None, typer.Option("--out", help="CSV file to write; else it is printed.")
    ] = None,
    var: Var = None,
) -> None:
    """Write the deadline of every row; ends with 1 when a row got a reason instead."""
    from lib.reports import due_report
    from lib.shared import clock
    from lib.shared.work import look, system

    _set_environment(None, var)
    _ready()
    with out.open("w", encoding="utf-8", newline="") if out else nullcontext(sys.stdout) as sheet:
        counts = look(
            due_report.write_dues,
            actor=system("report"),
            now=clock.now(),
            file=file,
            calendar=calendar,
            out=sheet,
        )
    typer.echo(f"{counts.computed} deadlines, {counts.refused} not computed", err=True)
    raise typer.Exit(1 if counts.refused else 0)


@desk.command("try-data")
def try_data(
    folder: Annotated[Path, typer.Argument(help="Folder with logs and expected/.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Keep the written reports in this folder.")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option("--database", help="Empty database to use (else a temporary SQLite file)."),
    ] = None,
) -> None:
    """Import real logs into a temporary database and print what differs from the expected figures."""
    import tempfile

    from db import migrate, session
    from lib.reports import try_data as trial
    from lib.shared import clock

    with tempfile.TemporaryDirectory(prefix="curtaincall-try-") as scratch:
        _set_environment(None, Path(scratch))
        address = database or f"sqlite:///{Path(scratch) / 'desk.db'}"
        migrate.upgrade(address)
        session.configure(address)
        reports_folder = out or Path(scratch)
        reports_folder.mkdir(parents=True, exist_ok=True)
        with _progress() as progress:
            well = trial.try_all(folder, reports_folder, clock.now(), typer.echo, progress)
        session.dispose()
    raise typer.Exit(0 if well else 1)


@desk.command()
def access() -> None:
    """Who may do what: each page and action by role, derived from menu and permits."""
    from lib.ui import access as ui_access

    typer.echo(ui_access.table())


@desk.command()
def demo(
    var: Var = None,
    open_cases: Annotated[int, typer.Option("--open", help="Cases that are still open.")] = 60,
    closed_cases: Annotated[int, typer.Option("--closed", help="Cases that are over.")] = 600,
    tickets: Annotated[
        int | None,
        typer.Option(
            "--tickets", min=1, help="Write so many cases of five years in bulk instead of a story."
        ),
    ] = None,
    beside: Annotated[
        bool, typer.Option("--wait", help="SQLite: write beside a running desk; its saves wait.")
    ] = False,
) -> None:
    """Tell the sample story into the database: people, customers, stock and cases of 18 months."""
    from db import session as database
    from lib import demo, launcher
    from lib.shared import clock

    _set_environment(None, var)
    _ready()
    if database.is_sqlite() and not beside and launcher.is_serving():
        raise Refusal("desk_is_serving")
    if tickets is None:
        sign_ins = demo.tell(clock.now(), open_cases=open_cases, closed_cases=closed_cases)
    else:
        with _progress() as progress:
            sign_ins, seconds = demo.fill(clock.now(), tickets, progress)
        told = f"{tickets:,} cases in {seconds:.1f} s, {tickets / seconds:,.0f} a second"
        typer.echo(told, err=True)
    launcher.keep_sample_sign_ins(sign_ins)
    for login, password, roles in sign_ins:
        typer.echo(f"{login}  {password}  {roles}")


@desk.command()
def jobs(var: Var = None) -> None:
    """Do the clock's work until stopped: the process beside the apps on PostgreSQL; on SQLite the app does it."""
    from db import session as database
    from lib import jobs
    from lib.shared.logs import configure_logs

    _set_environment(None, var)
    _ready()
    if database.is_sqlite():
        typer.echo("On SQLite the app does this itself; nothing to start.", err=True)
        raise typer.Exit(1)
    configure_logs()
    jobs.run_until_stopped()


@desk.command()
def verify(
    what: Annotated[
        str, typer.Argument(help="timers, counters, figures, or nothing for every check.")
    ] = "",
    sample: Annotated[
        int | None, typer.Option(help="Recompute about so many cases instead of all.")
    ] = None,
    var: Var = None,
) -> None:
    """Check audit chain, stock ledger, counters and timers: each ok, or its first bad row; then ends with 1."""
    from functools import partial

    from lib import verification
    from lib.shared import clock
    from lib.shared.work import look, system

    _set_environment(None, var)
    _ready()
    well = True
    if what not in ("", "timers", "counters", "figures"):
        typer.echo(
            "There is only `verify`, `verify timers`, `verify counters` and `verify figures`.",
            err=True,
        )
        raise typer.Exit(2)
    open_list: verification.Check = partial(verification.check_open_list, sample=sample)
    checks = {
        "": (*verification.CHECKS[:-1], open_list),
        "timers": (verification.check_timer_versions, open_list),
        "counters": (verification.check_counters,),
        "figures": (verification.check_figures,),
    }[what]
    for check in checks:
        finding = look(check, actor=system("verify"), now=clock.now())
        typer.echo(f"{finding.check}: {'ok' if finding.ok else 'BAD'} ({finding.told})")
        well = well and finding.ok
    raise typer.Exit(0 if well else 1)


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
