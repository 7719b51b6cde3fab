"""The database: engine, transactions, the database's own clock, migrations.

SQLite and PostgreSQL are equals. All times come from the database's clock, so that machines whose clocks differ agree
on who is late.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import DateTime, Dialect, Engine, NullPool, TypeDecorator, create_engine, event, make_url, select, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import GenericFunction

from shared.guards import Guard, NotAskedError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from sqlalchemy import URL, Connection, CursorResult
    from sqlalchemy.engine import ExceptionContext
    from sqlalchemy.sql.compiler import SQLCompiler


class DatabaseAwayError(Exception):
    """Raised when the database was not asked, as it hangs, or takes no writes. Its text shows no internals."""


# What a database that does not answer, or does not write, raises; trying again may help. A lock that was not had in
# time, a deadlock, a full disk and a server that shuts down are all `OperationalError`s; `_create_engine` makes one of
# what PostgreSQL raises when it only reads.
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeoutError, DatabaseAwayError)
SQLITE_BUSY_SECONDS = 15
# Prepared statements that each connection keeps; the farm has some hundreds, of which a process uses a part.
SQLITE_STATEMENTS = 256
# Pages that a connection keeps at hand, KiB: a submission touches those of twenty indexes.
SQLITE_CACHE_KIB = 8000
# Pages in the log until they go into the database's file. A page that many commits change goes once.
SQLITE_LOG_PAGES = 4000
# For whoever only wants to know whether SQLite can be written.
SQLITE_CHECK_SECONDS = 2
# A server that is gone without a word must not hold a thread for hours. See libpq's connection parameters.
POSTGRESQL_BOUNDS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
# From the server's own limit on a statement until a server that says nothing at all is given up.
SILENT_SECONDS = 5
# Errors of PostgreSQL that are its state and not the statement's fault, and which the driver files under "internal":
# it only reads (a standby, or a primary that was made one), or it ended a transaction that took too long.
POSTGRESQL_STATES = {"25006", "25P03", "25P04"}
# No transaction here does anything but talk to the database.
IDLE_SECONDS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a process waits for its database, seconds. SQLite's lock is waited for `SQLITE_BUSY_SECONDS`.

    Attributes:
        statement: For a statement of PostgreSQL.
        lock: For a lock of PostgreSQL.
        connection: For a connection of the process' own that is free.
    """

    statement: float
    lock: float
    connection: float


USUAL = Patience(statement=30, lock=15, connection=30)
# Somebody waits for each answer of the gateway, and each waiting one holds a thread.
GATEWAYS = Patience(statement=15, lock=5, connection=5)


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

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 5,
        patient: bool = False,
        patience: Patience = USUAL,
        guard: Guard | None = None,
    ) -> None:
        """Prepare the connections.

        Args:
            url: An SQLAlchemy URL of SQLite or PostgreSQL.
            pool_size: Connections kept open, twice as many for a moment; 0: each transaction opens and closes its own.
            patient: Whether statements may take as long as they like, as those of a migration.
            patience: How long they may take otherwise.
            guard: Asked before each transaction; None: each may wait.
        """
        self.engine = _create_engine(url, pool_size=pool_size, patience=None if patient else patience)
        # The same connections. SQLite's lock is taken first, and waited for: that cannot fail half-way, as upgrading a
        # read transaction can. A single question needs no transaction around it.
        self._writing = self.engine.execution_options(sqlite_begin="IMMEDIATE")
        self._looking = self.engine.execution_options(**_without_transaction(self.engine))
        self._guard = guard or Guard("database")

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a transaction that only reads; what it read stays usable afterwards."""
        with self._asking(), Session(self.engine, expire_on_commit=False, autoflush=False) as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a transaction that writes; it commits at the end, or rolls back when the block raises."""
        with self._asking(), Session(self.engine, expire_on_commit=False) as session, session.begin():
            # SQLite lets one write at a time. Taking the lock first, and waiting for it, cannot fail half-way as
            # upgrading a read transaction can.
            session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
            yield session

    @contextlib.contextmanager
    def looking(self) -> Iterator[Connection]:
        """Give a connection past the ORM for questions that need not agree with one another, each for itself."""
        with self._asking(), self._looking.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def inserting(self) -> Iterator[Connection]:
        """Open a transaction that writes past the ORM; it ends as one of `writing` does."""
        with self._asking(), self._writing.begin() as connection:
            yield connection

    def ping(self) -> None:
        """Return when the database answers; raise what SQLAlchemy raises when it does not."""
        with self.reading() as session:
            session.execute(select(text("1")))

    def check_writable(self) -> None:
        """Return when the database can be written; nothing is.

        Raises:
            DatabaseAwayError: It answers, and only reads; or somebody holds SQLite's lock.
            SQLAlchemyError: It does not answer.
        """
        with self.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                # "on" of a standby as well, whatever it is set to.
                if connection.scalar(text("SELECT current_setting('transaction_read_only')")) == "on":
                    raise DatabaseAwayError("it only reads: it is a standby, or was made read-only")
                return
            _check_sqlite_writable(cast("sqlite3.Connection", connection.connection.driver_connection))

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()

    def forget_after_fork(self) -> None:
        """Drop the parent's connections without closing them: they are still the parent's."""
        self.engine.dispose(close=False)

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            with self._guard.asking(DATABASE_AWAY):
                yield
        except NotAskedError as error:
            raise DatabaseAwayError(str(error)) from error


def core(transaction: Session | Connection) -> Connection:
    """Return the connection of a transaction, to ask past the ORM: the same question costs a tenth there.

    What the session was handed and has not written yet is not seen.
    """
    return transaction.connection() if isinstance(transaction, Session) else transaction


def changed(session: Session | Connection, statement: Any) -> int:
    """Run an UPDATE or DELETE past what the session holds, and return how many rows it was about."""
    result = cast("CursorResult[Any]", session.execute(statement.execution_options(synchronize_session=False)))
    return result.rowcount


def won(session: Session | Connection, statement: Any) -> bool:
    """Run a conditional UPDATE of one row, and say whether its condition held."""
    return changed(session, statement) == 1


def _create_engine(url: str, *, pool_size: int, patience: Patience | None) -> Engine:
    parsed = make_url(url)
    # Errors are logged, and a statement's parameters are people's documents.
    options: dict[str, Any] = {"hide_parameters": True}
    if pool_size:
        waiting = (patience or USUAL).connection
        options |= {"pool_size": pool_size, "max_overflow": pool_size, "pool_timeout": waiting}
    else:
        options["poolclass"] = NullPool
    if parsed.get_backend_name() == "postgresql":
        return _create_postgresql_engine(parsed, patience, options)
    arguments = {"timeout": SQLITE_BUSY_SECONDS, "check_same_thread": False, "cached_statements": SQLITE_STATEMENTS}
    engine = create_engine(parsed, connect_args=arguments, **options)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        # The driver's own idea of when a transaction begins is switched off; `_begin` below says it.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        # An accepted render must survive a power cut, which NORMAL does not promise in WAL mode.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(f"PRAGMA cache_size=-{SQLITE_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint={SQLITE_LOG_PAGES}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        mode: str | None = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        if mode is not None:
            connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def _without_transaction(engine: Engine) -> dict[str, Any]:
    """Return the options of connections whose statements are transactions of their own."""
    return {"sqlite_begin": None} if engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}


def _create_postgresql_engine(url: URL, patience: Patience | None, options: dict[str, Any]) -> Engine:
    bounds = POSTGRESQL_BOUNDS
    if patience is not None:
        limits = {
            "statement_timeout": patience.statement,
            "lock_timeout": patience.lock,
            # Who is stopped in the middle of a transaction must not keep what it has locked.
            "idle_in_transaction_session_timeout": IDLE_SECONDS,
        }
        bounds = bounds | {"options": " ".join(f"-c {name}={limit * 1000:.0f}" for name, limit in limits.items())}
    engine = create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True, connect_args=bounds, **options)

    @event.listens_for(engine, "handle_error", retval=True)
    def _recognise(context: ExceptionContext) -> Exception | None:
        error = context.original_exception
        if getattr(error, "sqlstate", None) not in POSTGRESQL_STATES:
            return None
        # After a failover, the next connection may lead to the server that writes.
        context.is_disconnect = True
        return OperationalError(context.statement, None, error, hide_parameters=True, connection_invalidated=True)

    if patience is not None:
        silent = patience.statement + SILENT_SECONDS

        @event.listens_for(engine, "do_connect")
        def _connect(_dialect: object, _record: object, arguments: Any, parameters: Any) -> Any:
            connection = _bounded_connection().connect(*arguments, **parameters)
            connection.silent_seconds = silent
            return connection

    return engine


@functools.cache
def _bounded_connection() -> Any:
    """Return a class of connections that are given up when the server says nothing for too long.

    The limits above are the server's own, and the kernel of a server that hangs still answers for it.
    """
    import psycopg  # noqa: PLC0415  # Only a farm with PostgreSQL pays for it.

    class BoundedConnection(psycopg.Connection[Any]):
        silent_seconds: float | None = None

        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            began = time.monotonic()
            bound = self.silent_seconds if timeout is None else timeout
            try:
                return super().wait(gen, interval, bound)
            except psycopg.OperationalError:
                if timeout is None and bound is not None and time.monotonic() - began >= bound:
                    # Its answer may still come, to whoever would ask next.
                    self.close()
                raise

    return BoundedConnection


def _check_sqlite_writable(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA busy_timeout={SQLITE_CHECK_SECONDS * 1000}")
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except connection.OperationalError as error:
        raise DatabaseAwayError(f"it cannot be written: {error}") from error
    finally:
        connection.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_SECONDS * 1000}")


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
