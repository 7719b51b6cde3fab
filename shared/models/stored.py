"""Files in storage that are no documents, and objects that no row names any more."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import now
from shared.models.base import Base


class Asset(Base):
    """A file that templates use by its name: an image, a font, a style sheet. ``name`` is a path, as in ``a/b.png``."""

    __tablename__ = "assets"

    id: Mapped[str] = mapped_column(primary_key=True)
    shortid: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(unique=True)
    media_type: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    blob_key: Mapped[str]
    created_at: Mapped[dt.datetime] = mapped_column(default=now())
    modified_at: Mapped[dt.datetime] = mapped_column(default=now())


class RetiredObject(Base):
    """An object that no row names any more, until the sweep removes it: work that began with it may still read it."""

    __tablename__ = "retired_objects"

    key: Mapped[str] = mapped_column(primary_key=True)
    retired_at: Mapped[dt.datetime] = mapped_column(default=now(), index=True)
