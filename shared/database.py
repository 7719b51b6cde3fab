"""The database: engine, transactions, the database's own clock, migrations.

SQLite and PostgreSQL are equals. All times come from the database's clock, so that machines whose clocks differ agree
on who is late.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import DateTime, Dialect, Engine, NullPool, TypeDecorator, create_engine, event, make_url, select, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import GenericFunction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.sql.compiler import SQLCompiler

# What a database that does not answer raises; trying again may help.
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeoutError)
SQLITE_BUSY_SECONDS = 15
# A server that is gone without a word must not hold a thread for hours. See libpq's connection parameters.
POSTGRESQL_BOUNDS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
POSTGRESQL_PATIENCE: dict[str, Any] = {"options": "-c statement_timeout=30000 -c lock_timeout=15000"}


class UtcDateTime(TypeDecorator[dt.datetime]):
    """A point in time: aware and in UTC in Python, whatever the database keeps."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


class now(GenericFunction[dt.datetime]):  # noqa: N801  # A function of SQL is written as one.
    """The database's clock; ``now(-15)`` is fifteen seconds ago. Real time, not the transaction's."""

    type = UtcDateTime()
    inherit_cache = True
    name = "pressroom_now"


@compiles(now, "sqlite")
def _now_sqlite(element: now, compiler: SQLCompiler, **options: Any) -> str:
    # %f has milliseconds; the three zeros make it the microseconds that SQLAlchemy reads back.
    shift = compiler.process(element.clauses, **options)
    moment = f"'now', ({shift}) || ' seconds'" if shift else "'now'"
    return f"strftime('%Y-%m-%d %H:%M:%f000', {moment})"


@compiles(now, "postgresql")
def _now_postgresql(element: now, compiler: SQLCompiler, **options: Any) -> str:
    shift = compiler.process(element.clauses, **options)
    moment = f" + ({shift}) * interval '1 second'" if shift else ""
    # Not clock_timestamp(): that may differ from row to row, so no index can be used for what is compared with it.
    return f"(statement_timestamp(){moment})"


class Database:
    """One process' connections. It connects when first used: it may be made before a fork, but not used before one."""

    def __init__(self, url: str, *, pool_size: int = 5, patient: bool = False) -> None:
        """Prepare the connections.

        Args:
            url: An SQLAlchemy URL of SQLite or PostgreSQL.
            pool_size: Connections kept open, twice as many for a moment; 0: each transaction opens and closes its own.
            patient: Whether statements may take as long as they like, as those of a migration.
        """
        self.engine = _create_engine(url, pool_size=pool_size, patient=patient)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a transaction that only reads; what it read stays usable afterwards."""
        with Session(self.engine, expire_on_commit=False, autoflush=False) as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a transaction that writes; it commits at the end, or rolls back when the block raises."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            # SQLite lets one write at a time. Taking the lock first, and waiting for it, cannot fail half-way as
            # upgrading a read transaction can.
            session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
            yield session

    def ping(self) -> None:
        """Return when the database answers; raise what SQLAlchemy raises when it does not."""
        with self.reading() as session:
            session.execute(select(text("1")))

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()

    def forget_after_fork(self) -> None:
        """Drop the parent's connections without closing them: they are still the parent's."""
        self.engine.dispose(close=False)


def _create_engine(url: str, *, pool_size: int, patient: bool) -> Engine:
    parsed = make_url(url)
    # Errors are logged, and a statement's parameters are people's documents.
    options: dict[str, Any] = {"hide_parameters": True}
    options |= {"pool_size": pool_size, "max_overflow": pool_size} if pool_size else {"poolclass": NullPool}
    if parsed.get_backend_name() == "postgresql":
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            connect_args=POSTGRESQL_BOUNDS | ({} if patient else POSTGRESQL_PATIENCE),
            **options,
        )
    engine = create_engine(parsed, connect_args={"timeout": SQLITE_BUSY_SECONDS, "check_same_thread": False}, **options)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        # The driver's own idea of when a transaction begins is switched off; `_begin` below says it.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        # An accepted render must survive a power cut, which NORMAL does not promise in WAL mode.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def migrate(url: str) -> None:
    """Bring the schema to the newest version; safe to run twice, and at once from several machines."""
    # Only the processes that migrate pay for Alembic.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url
    command.upgrade(config, "head")
