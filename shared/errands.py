"""Errands: small work, most of it of the small queues, as a message names it. The row says what is to be done."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Kind(enum.StrEnum):
    """What an errand is for."""

    THUMBNAIL = "thumbnail"
    COMPARISON = "comparison"
    PRINT = "print"
    CERTIFICATE = "certificate"
    BATCH = "batch"


@dataclass(frozen=True, slots=True)
class Errand:
    """What an errand's message says.

    Attributes:
        kind: What is to be done.
        row_id: The thumbnail's render, the comparison, the print task, the certificate's subject, or the batch.
        trace_id: The trace that it belongs to.
    """

    kind: Kind
    row_id: str
    trace_id: str
