"""Sign-ins to the studio: a row for each, found by a secret that only the browser has.

The row says which token was given, not what it is: who reads the database can neither use a sign-in nor learn a token.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from shared.database import changed, now
from shared.models import SignIn, SigningKey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from shared.tokens import Token

# Of silence: a page that is open and live asks all the time.
LIFETIME_SECONDS = 12 * 3600.0
# A sign-in that is used is made longer only so often, since each time is a commit.
PROLONG_SECONDS = 600.0
STUDIO = "studio"


def begin(session: Session, token: Token) -> str:
    """Sign a browser in, and return the secret that it keeps.

    Args:
        session: A writing transaction.
        token: The token that was given, which is accepted.
    """
    secret = secrets.token_urlsafe(32)
    session.add(
        SignIn(
            id=_digest(secret),
            token_name=token.name,
            proof=_proof(secret, token),
            expires_at=now(LIFETIME_SECONDS),
        )
    )
    return secret


def find(session: Session, secret: str, tokens: Iterable[Token]) -> tuple[Token, bool] | None:
    """Return the token that a browser was signed in with, and whether the sign-in is to be prolonged.

    None where the sign-in is over or unknown, or the token is accepted no more.

    Args:
        session: A transaction.
        secret: What the browser keeps.
        tokens: Those that are accepted now.
    """
    row = session.execute(
        select(
            SignIn.token_name,
            SignIn.proof,
            SignIn.expires_at < now(LIFETIME_SECONDS - PROLONG_SECONDS),
        ).where(SignIn.id == _digest(secret), SignIn.expires_at > now())
    ).one_or_none()
    if row is None:
        return None
    name, proof, is_old = row
    for token in tokens:
        if token.name == name and hmac.compare_digest(_proof(secret, token), proof):
            return token, bool(is_old)
    return None


def prolong(session: Session, secret: str) -> None:
    """Let a sign-in last its whole time from now."""
    session.execute(update(SignIn).where(SignIn.id == _digest(secret)).values(expires_at=now(LIFETIME_SECONDS)))


def end(session: Session, secret: str) -> None:
    """Sign a browser out. One that is not signed in is no error."""
    session.execute(delete(SignIn).where(SignIn.id == _digest(secret)))


def sweep(session: Session) -> int:
    """Remove the sign-ins that are over, and return how many."""
    return changed(session, delete(SignIn).where(SignIn.expires_at < now()))


def signing_key(session: Session) -> str:
    """Return what the farm's gateways sign cookies with; made by whoever asks first.

    Args:
        session: A writing transaction.
    """
    found = session.get(SigningKey, STUDIO)
    if found is None:
        try:
            with session.begin_nested():
                found = SigningKey(name=STUDIO, secret=secrets.token_hex(32))
                session.add(found)
        except IntegrityError:
            # Another gateway was first.
            found = session.get_one(SigningKey, STUDIO)
    return found.secret


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _proof(secret: str, token: Token) -> str:
    return hmac.new(secret.encode(), token.secret.encode(), hashlib.sha256).hexdigest()
