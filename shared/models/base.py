"""The root of the tables, and how Python's types become columns."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, Index, MetaData, Text
from sqlalchemy.orm import DeclarativeBase

from shared.database import UtcDateTime

# Texts whose index has the order in which SQLite, and every client, compares them: not that of a country's language.
BY_CODE_POINT = Text().with_variant(Text(collation="C"), "postgresql")


class Base(DeclarativeBase):
    """The root of the tables; Python types map to the same columns everywhere."""

    # Names that a migration can count on, whichever database made them.
    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s_%(column_0_N_name)s_index",
            "uq": "%(table_name)s_%(column_0_N_name)s_unique",
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
            "pk": "%(table_name)s_pkey",
        }
    )

    type_annotation_map = {  # noqa: RUF012  # SQLAlchemy's own declaration.
        dt.datetime: UtcDateTime(),
        # Not JSONB: it cannot hold the NUL character that a payload may contain.
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
        str: Text(),
    }


def index_of_some(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """Describe an index of those rows alone of which a condition is true; migrations make it.

    SQLAlchemy's own options, one for each database, load the code for all of these into every process: 2 MB each.
    """
    return Index(name, *columns, unique=unique, info={"where": where})
