"""The `pressroom` command: start a process of the farm, migrate, look after what it keeps, follow a trace."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from shared import processes
from shared.durations import SECONDS, duration
from shared.exceptions import PressroomError
from shared.settings import Settings, check_exposure, described, load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Reported(click.Group):
    """A group whose expected errors are one line on standard error and exit code 1."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except PressroomError as error:
            raise click.ClickException(error.message) from error


@click.group(cls=_Reported)
@click.version_option(package_name="pressroom")
@click.pass_context
def main(context: click.Context) -> None:
    """Pressroom: a document render farm."""
    if "--help" not in sys.argv:
        context.obj = load_settings()


@main.group()
def run() -> None:
    """Start one process of the farm in the foreground."""


@run.command()
@click.pass_obj
def gateway(settings: Settings) -> None:
    """Serve HTTP."""
    check_exposure(settings)
    _become(processes.gateway(settings))


@run.command()
@click.option("--queues", required=True, help="Comma-separated names of the queues to serve.")
@click.option("--children", default=0, show_default="one per core", help="Child processes.")
@click.option("--threads", default=0, help="Threads instead of child processes, for queues that render nothing.")
@click.option("--name", default="worker", show_default=True, help="First part of the worker's node name.")
@click.pass_obj
def worker(settings: Settings, queues: str, children: int, threads: int, name: str) -> None:
    """Serve queues."""
    from shared.queues import QUEUES, RENDER_QUEUES  # noqa: PLC0415  # Celery is heavy; other commands do without.

    asked = tuple(queue.strip() for queue in queues.split(",") if queue.strip())
    unknown = [queue for queue in asked if queue not in QUEUES]
    if unknown or not asked:
        raise click.BadParameter(f"{', '.join(unknown) or 'nothing'}: expected some of {', '.join(QUEUES)}")
    if threads and set(asked) & set(RENDER_QUEUES):
        raise click.BadParameter("a render needs a child that can be killed: use --children", param_hint="--threads")
    _become(processes.worker(settings, queues=asked, children=children, threads=threads, name=name))


@run.command()
def beat() -> None:
    """Ring the clock of the periodic tasks."""
    _become(processes.beat())


@run.command()
@click.option("--address", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=5555, show_default=True, help="Port to listen on.")
def flower(address: str, port: int) -> None:
    """Show Celery's workers and tasks as web pages."""
    # Flower itself refuses its own API without a login unless told otherwise; the pages are what is wanted here.
    _become(processes.flower(address=address, port=port))


@run.command()
@click.pass_obj
def broker(settings: Settings) -> None:
    """Run the embedded Valkey on a socket in the home."""
    _become(processes.broker(settings))


@main.command()
@click.pass_obj
def migrate(settings: Settings) -> None:
    """Bring the database's schema to the newest version."""
    from shared.database import migrate as bring_up  # noqa: PLC0415  # SQLAlchemy is heavy.

    bring_up(settings.database)


@main.command()
@click.option("--repair", is_flag=True, help="Remove the objects that no row names.")
@click.option("--names-only", is_flag=True, help="Only ask whether objects are there, and read none.")
@click.option(
    "--grace",
    default="1h",
    show_default=True,
    help="How long an object may be there before its row, and the farm be late with its duties.",
)
@click.pass_obj
def verify(settings: Settings, *, repair: bool, names_only: bool, grace: str) -> None:
    """Hold all rows and all stored objects against each other; the farm may go on working.

    Prints a line for each object that no row names (orphan), that is gone (missing), that is not what was stored
    (changed) or cannot be read (unread), and for each row that contradicts itself or others (wrong). Exit code 1 tells
    that something was found that is still so.
    """
    from shared.database import Database  # noqa: PLC0415  # SQLAlchemy is heavy.
    from shared.storage import StorageError, create_storage  # noqa: PLC0415  # As above.
    from shared.verification import verify as hold_together  # noqa: PLC0415  # As above.

    try:
        seconds = duration(grace)
    except ValueError as error:
        raise click.BadParameter(f"{grace!r}: {error}", param_hint="--grace") from error
    database = Database(settings.database, patient=True)
    try:
        found = hold_together(
            database,
            create_storage(settings),
            grace=seconds,
            repair=repair,
            contents=not names_only,
            say=click.echo,
        )
    except StorageError as error:
        raise click.ClickException(str(error)) from error
    finally:
        database.close()
    if found.unrepaired:
        sys.exit(1)


@main.command()
@click.option("--older-than", metavar="AGE", help="An age such as 30d or 12h, instead of PURGE_HISTORY_DAYS.")
@click.pass_obj
def purge(settings: Settings, older_than: str | None) -> None:
    """Remove old history records with all that was made for them, and old print tasks.

    Records whose render or print task has not ended stay. The farm does the same by itself, now and then; this command
    can be stopped at any time, and be at it at the same time.
    """
    from shared.database import Database  # noqa: PLC0415  # SQLAlchemy is heavy.
    from shared.history_removal import purge as remove  # noqa: PLC0415  # As above.
    from shared.storage import create_storage  # noqa: PLC0415  # As above.

    days = settings.purge_history_days
    if older_than is not None:
        try:
            seconds = duration(older_than)
        except ValueError as error:
            raise click.BadParameter(f"{older_than!r}: {error}", param_hint="--older-than") from error
    elif days is not None:
        seconds = days * SECONDS["d"]
    else:
        raise click.UsageError("PURGE_HISTORY_DAYS is empty, so nothing is ever too old: say --older-than")
    database = Database(settings.database)
    try:
        done = remove(database, create_storage(settings), older_than=seconds)
    finally:
        database.close()
    click.echo(f"{done.records} history records and {done.print_tasks} print tasks removed")


@main.command()
@click.argument("trace_id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.pass_obj
def trace(settings: Settings, trace_id: str, *, as_json: bool) -> None:
    """Print everything that is known of a trace id, in the order of time."""
    from shared.database import Database  # noqa: PLC0415  # SQLAlchemy is heavy.
    from shared.timeline import collect, formatted  # noqa: PLC0415  # As above.

    database = Database(settings.database)
    try:
        entries = collect(database, settings.logs, trace_id).entries
    finally:
        database.close()
    if not entries:
        raise click.ClickException(
            f"Nothing is known of trace {trace_id!r} in {settings.database.rsplit('@', 1)[-1]} and {settings.logs}"
        )
    for line in formatted(entries, as_json=as_json):
        click.echo(line)


@main.command()
def settings() -> None:
    """Print the table of settings, as README.md has it."""
    click.echo("| variable | default | meaning |\n| --- | --- | --- |")
    for row in described():
        default = f"`{row['default']}`" if row["default"] else ""
        click.echo(f"| `{row['name']}` | {default} | {row['help']} |")


def _become(command: Sequence[str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(command[0], list(command))  # noqa: S606  # The command is made here, nothing of it is a caller's.
