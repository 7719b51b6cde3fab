"""`python -m workers.flower`: Flower, Celery's own view of queues, workers and tasks."""

from __future__ import annotations

import sys

import click
from celery.bin.base import CLIContext
from flower.command import flower  # type: ignore[import-untyped]  # It ships no types.

from shared.memory import release_unused
from workers.clock import create_app


def main() -> None:
    """Serve Flower until told to stop; the arguments are Flower's own."""
    app = create_app("flower")
    # Not through Celery's command line, which loads the code of every command, an editor for one of them (7 MB).
    command = click.Group("celery", commands={"flower": flower})
    release_unused()
    context = CLIContext(app=app, no_color=False, workdir=None)
    command.main(["flower", *sys.argv[1:]], obj=context, standalone_mode=False)


if __name__ == "__main__":
    main()
