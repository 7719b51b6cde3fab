"""Run by every Python process of a farm that has this folder in its PYTHONPATH: one fault inside of it.

``FAULT`` names the fault. Where it is the process' death, the first of them dies that creates the file ``FAULT_ONCE``.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path


def die_once() -> None:
    try:
        Path(os.environ["FAULT_ONCE"]).open("x").close()
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def die_with_a_message() -> None:
    """Die when a message was taken out of its list and is written down nowhere else."""
    from kombu.transport import redis  # noqa: PLC0415  # Each process loads what its own fault needs.

    append = redis.QoS.append

    def dying(self, message, delivery_tag):
        if message.headers.get("task") == "pressroom.render":
            die_once()
        return append(self, message, delivery_tag)

    redis.QoS.append = dying


def die_unannounced() -> None:
    """Die when a render is to be announced, which is after it was committed."""
    from shared import queues  # noqa: PLC0415  # As above.

    publish = queues.publish

    def dying(app, wake):
        die_once()
        return publish(app, wake)

    queues.publish = dying


def give_back_at_once() -> None:
    """Let the broker give back within a second what is not acknowledged."""
    from shared import queues  # noqa: PLC0415  # As above.

    create = queues.create_celery
    queues.VISIBILITY_SECONDS = 1

    def hasty(settings):
        app = create(settings)
        app.conf.broker_transport_options |= {"unacked_restore_interval": 0.5, "unacked_restore_throttle": 1}
        return app

    queues.create_celery = hasty


FAULTS = {one.__name__: one for one in (die_with_a_message, die_unannounced, give_back_at_once)}
FAULTS[os.environ["FAULT"]]()
