"""Ids: UUIDv7 for entities, short URL-safe ones for what people type, W3C trace ids for what people follow."""

from __future__ import annotations

import re
import secrets

import uuid6

# No vowels, so no words; no characters that are mistaken for one another.
_SHORT_ALPHABET = "23456789BCDFGHJKLMNPQRSTVWXZbcdfghjkmnpqrstvwxz"
_SHORT_LENGTH = 9
_TRACE_LENGTH = 64
_TRACE_ID = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{_TRACE_LENGTH - 1}}}")
_SUFFIX_LENGTH = 6
# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


def new_id() -> str:
    """Make a UUIDv7: unique, and ordered by the time it was made."""
    return str(uuid6.uuid7())


def new_shortid() -> str:
    """Make a short id that is safe in URLs and file names."""
    return "".join(secrets.choice(_SHORT_ALPHABET) for _ in range(_SHORT_LENGTH))


def new_trace_id() -> str:
    """Make a trace id of the W3C's shape: 32 lower-case hexadecimal digits."""
    return secrets.token_hex(16)


def derived_trace_id(trace_id: str) -> str:
    """Make the trace id of something that is done anew with an older result: the older one's, a dash, a suffix."""
    suffix = "".join(secrets.choice(_SHORT_ALPHABET) for _ in range(_SUFFIX_LENGTH))
    return _with_suffix(trace_id, suffix)


def numbered_trace_id(trace_id: str, number: int) -> str:
    """Make the trace id of one of many things that were asked for at once: the trace id of all, a dash, its place."""
    return _with_suffix(trace_id, str(number))


def _with_suffix(trace_id: str, suffix: str) -> str:
    return f"{trace_id[: _TRACE_LENGTH - len(suffix) - 1]}-{suffix}"


def is_trace_id(text: str) -> bool:
    """Say whether something has a trace id's shape."""
    return _TRACE_ID.fullmatch(text) is not None


def accepted_trace_id(*, traceparent: str | None, x_trace_id: str | None) -> str | None:
    """Return the trace id that a caller sent, if it is one.

    ``X-Trace-Id`` wins, since whoever sends it means this system. A malformed id is ignored, not refused: tracing must
    never be a reason to lose work.

    Args:
        traceparent: The W3C header, ``00-<32 hex>-<16 hex>-<2 hex>``.
        x_trace_id: Up to 64 ASCII letters, digits, ``.``, ``_`` and ``-``.
    """
    if x_trace_id and is_trace_id(x_trace_id):
        return x_trace_id
    if traceparent:
        found = _TRACEPARENT.fullmatch(traceparent.strip())
        if found and set(found[1]) != {"0"}:
            return found[1]
    return None
