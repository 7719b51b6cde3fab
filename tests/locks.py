"""When one transaction waits for another."""

from __future__ import annotations

from farms import eventually
from sqlalchemy import text


def until_held_up(database) -> None:
    """Wait until some statement waits for a lock. SQLite tells nobody: there, either may be first."""
    if database.engine.dialect.name == "postgresql":
        waiting = text("SELECT true FROM pg_locks WHERE NOT granted LIMIT 1")

        def is_held_up():
            with database.reading() as session:
                return session.scalar(waiting)

        eventually(is_held_up, what="a statement that waits for a lock")
