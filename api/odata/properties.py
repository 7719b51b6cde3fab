"""What a property of an entity is: its name on the wire, its type, and where its value lies in the database."""

from __future__ import annotations

import datetime as dt
import enum
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import InstrumentedAttribute


class Type(enum.StrEnum):
    """The types of OData's primitive values, and the two that are not primitive here."""

    STRING = "Edm.String"
    BOOLEAN = "Edm.Boolean"
    INT32 = "Edm.Int32"
    INT64 = "Edm.Int64"
    DOUBLE = "Edm.Double"
    DATE = "Edm.DateTimeOffset"
    # An open complex type: any members. Neither can be filtered or ordered by.
    OBJECT = "Pressroom.Object"
    OBJECTS = "Collection(Pressroom.Object)"


NUMBERS = (Type.INT32, Type.INT64, Type.DOUBLE)
STRUCTURES = (Type.OBJECT, Type.OBJECTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One property of an entity.

    Attributes:
        name: Its name on the wire.
        type: Its type.
        column: Where its value is stored.
        nullable: Whether it may be null.
        presented: The values on the wire of those that are stored, where they differ.
        indexed: Whether an index has the order of its values, or for some few values each one's rows by creation.
        narrow: Whether an index finds the few entities that have the same value.
        long: Whether its texts may be longer than what an address can carry, and order nothing for that.
        written_as: Where its value is stored a second time, in the table that the set's main table is joined with.
    """

    name: str
    type: Type
    column: InstrumentedAttribute[Any]
    nullable: bool = False
    presented: Mapping[str, str] = field(default_factory=dict)
    indexed: bool = False
    narrow: bool = False
    long: bool = False
    written_as: InstrumentedAttribute[Any] | None = None

    def shown(self, value: Any) -> Any:
        """Return a stored value as it goes over the wire."""
        if value is None:
            return None
        if isinstance(value, dt.datetime):
            return moment(value)
        if self.presented:
            return self.presented[value]
        if self.type in STRUCTURES and isinstance(value, str):
            return json.loads(value)
        return value


def moment(value: dt.datetime) -> str:
    """Write a point in time as OData and RFC 3339 want it; always with microseconds, so that texts sort as times do."""
    return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
