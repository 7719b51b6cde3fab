"""What is known of the broker's queues when it does not answer."""

from __future__ import annotations

import sys

from farms import free_port

from shared.queues import waiting_messages
from shared.signals import connect


def test_a_broker_that_is_away_counts_as_one_to_which_nothing_can_be_announced():
    assert waiting_messages(connect(f"redis://127.0.0.1:{free_port()}/0"), "print") == sys.maxsize
