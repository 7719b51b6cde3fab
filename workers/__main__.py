"""`python -m workers`: one worker, until it is told to stop."""

from __future__ import annotations

import gc
import sys

import click


@click.command()
@click.option("--queues", required=True)
@click.option("--pool", required=True)
@click.option("--concurrency", type=int, required=True)
@click.option("--hostname", required=True)
def main(queues: str, pool: str, concurrency: int, hostname: str) -> None:
    """Serve queues until told to stop."""
    # Holes that the collector leaves while everything is loaded would be filled, and so written to, after the fork:
    # each page of them would then be in memory once per process. `workers.app` turns it on again.
    gc.disable()
    from celery.utils.nodenames import default_nodename, host_format  # noqa: PLC0415  # After the collector is off.

    from workers.app import create_app  # noqa: PLC0415  # The same.

    # Started here and not by Celery's command line, which loads every command that any package adds to it.
    worker = create_app(children=concurrency).Worker(
        queues=queues.split(","),
        pool_cls=pool,
        concurrency=concurrency,
        hostname=host_format(default_nodename(hostname)),
        quiet=True,
        # Workers need not know of one another: the database knows them all.
        without_gossip=True,
        without_mingle=True,
    )
    worker.start()
    sys.exit(worker.exitcode)


if __name__ == "__main__":
    main()
