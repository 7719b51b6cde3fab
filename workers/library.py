"""The stored templates, as the templates that include them see them: always the newest version."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import stamina

from shared import templates
from shared.database import DATABASE_AWAY
from shared.exceptions import PartAwayError
from shared.models import TemplateVersion
from workers.engines import Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sqlalchemy.orm import Session

    from shared.database import Database

# How long a render waits for a database that is away, beside its own time limit.
AWAY_SECONDS = 15
CHARACTERS_KEPT = 4_000_000


class StoredTemplates:
    """Reads templates for one child. A version never changes, so its text is read once."""

    def __init__(self, database: Database, untorn: Callable[[], AbstractContextManager[None]]) -> None:
        """Take what is read from.

        Args:
            database: Where the templates are.
            untorn: Makes a block in which no time limit strikes: a connection would not survive that.
        """
        self._database = database
        self._untorn = untorn
        self._sources: OrderedDict[str, Source] = OrderedDict()

    def opened(self) -> Reader:
        """Return the library for one render."""
        return Reader(self)

    def find(self, name: str) -> tuple[int, Source] | None:
        """Return the number and text of the newest version of the template of this name; None when there is none.

        Raises:
            PartAwayError: The database is away.
        """
        try:
            for again in stamina.retry_context(on=DATABASE_AWAY, attempts=None, timeout=AWAY_SECONDS, wait_max=2):
                with again, self._untorn():
                    return self._find(name)
        except DATABASE_AWAY as error:
            raise PartAwayError("The stored templates cannot be read", part="database") from error
        raise AssertionError("unreachable")

    def _find(self, name: str) -> tuple[int, Source] | None:
        with self._database.reading() as session:
            newest = templates.newest(session, name)
            if newest is None:
                return None
            version_id, number = newest
            source = self._sources.get(version_id)
            if source is None:
                version = templates.version(session, version_id)
                if version is None:
                    # It was removed between the two questions.
                    return None
                source = Source(version.content, version.engine)
                self._keep(version_id, source)
        return number, source

    def text(self, session: Session, version_id: str) -> str:
        """Return the text of a version that a render names."""
        source = self._sources.get(version_id)
        if source is None:
            version = session.get_one(TemplateVersion, version_id)
            source = Source(version.content, version.engine)
            self._keep(version_id, source)
        return source.content

    def _keep(self, version_id: str, source: Source) -> None:
        self._sources[version_id] = source
        while sum(len(one.content) for one in self._sources.values()) > CHARACTERS_KEPT:
            self._sources.popitem(last=False)


class Reader:
    """The library as one render sees it, which remembers what was taken from it.

    Attributes:
        used: The number of each version that was read, by the template's name.
    """

    def __init__(self, stored: StoredTemplates) -> None:
        """Begin with nothing read."""
        self._stored = stored
        self.used: dict[str, int] = {}

    def find(self, name: str) -> Source | None:
        """Return the newest version of the template of this name; None when there is none.

        Raises:
            PartAwayError: The database is away.
        """
        found = self._stored.find(name)
        if found is None:
            return None
        self.used[name], source = found
        return source
