"""API tokens: what is sent, and who sends it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

_NAMED = re.compile(r"([A-Za-z][A-Za-z0-9._-]{0,39}):(.+)")
FINGERPRINT_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Token:
    """A token that is accepted, or was.

    Attributes:
        name: Who sends it, as records name them; of a token without a name, the beginning of its SHA-256.
        secret: What is sent.
    """

    name: str
    secret: str = field(repr=False)


def read_token(entry: str) -> Token:
    """Read a token as the settings have it, ``name:secret`` or only the secret."""
    named = _NAMED.fullmatch(entry)
    if named:
        return Token(named[1], named[2])
    return Token(hashlib.sha256(entry.encode()).hexdigest()[:FINGERPRINT_DIGITS], entry)
