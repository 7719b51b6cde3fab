"""Who is signed in to the studio."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Mapped, mapped_column

from shared.database import now
from shared.models.base import Base


class SignIn(Base):
    """One browser that somebody signed in with a token.

    ``id`` is the SHA-256 of what the browser keeps; ``proof`` is made of that and the token, so that a token that is
    changed under its name ends its sign-ins.
    """

    __tablename__ = "sign_ins"

    id: Mapped[str] = mapped_column(primary_key=True)
    token_name: Mapped[str]
    proof: Mapped[str]
    created_at: Mapped[dt.datetime] = mapped_column(default=now())
    expires_at: Mapped[dt.datetime] = mapped_column(index=True)


class SigningKey(Base):
    """What all gateways of a farm sign their cookies with. There is one row."""

    __tablename__ = "signing_keys"

    name: Mapped[str] = mapped_column(primary_key=True)
    secret: Mapped[str]
