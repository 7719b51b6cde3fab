"""How a database would answer the questions that something asks of it."""

from __future__ import annotations

from sqlalchemy import event, text


def whole_tables(database, ask) -> list[str]:
    """Return the plans of the questions that read every row of a table, though some rows are enough.

    A table with few rows is read whole by PostgreSQL, which is right; so it is told that this takes for ever.

    Args:
        database: The database.
        ask: Asks something of it.
    """
    asked = []
    note = lambda *given: asked.append(given[2:4])  # noqa: E731
    event.listen(database.engine, "before_cursor_execute", note)
    ask()
    event.remove(database.engine, "before_cursor_execute", note)
    selects = [(statement, values) for statement, values in asked if statement.startswith("SELECT")]
    assert selects
    explained, whole = {"sqlite": ("EXPLAIN QUERY PLAN", "SCAN "), "postgresql": ("EXPLAIN", "Seq Scan")}[
        database.engine.dialect.name
    ]
    found = []
    with database.engine.connect() as connection:
        if database.engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        for statement, values in selects:
            lines = [row[-1] for row in connection.exec_driver_sql(f"{explained} {statement}", values)]
            # What selects from no table at all is one row.
            if any(whole in line and "CONSTANT ROW" not in line for line in lines):
                found.append("\n".join([statement, *lines]))
    return found
