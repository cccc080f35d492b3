"""Lists from their columns: members, products, shops, staff; one row is one record."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from hub.columns import child_tables, parent_table
from hub.records import Customer
from plugins.pos.tickets.assembly import Assembled
from plugins.pos.tickets.canonical import canonical_columns, completed, json_extra
from plugins.pos.tickets.fields import IDENTIFIERS, LIST_FIELDS, LISTS
from plugins.pos.tickets.persons import identifiers_sql
from plugins.pos.tickets.rules import Clock
from plugins.pos.tickets.typed import Columns, identifier, rejects

__all__ = ["assemble_list"]


def assemble_list(
    connection: duckdb.DuckDBPyConnection,
    stream: str,
    rows: pa.Table,
    key: Sequence[str],
    clock: Clock,
    *,
    location: str = "",
    drop: Sequence[str] = (),
) -> Assembled:
    """Turn rows of a list into canonical records; of several rows with one id the first counts.

    Args:
        connection: a private DuckDB.
        stream: ``customers``, ``products``, ``stores`` or ``staff``.
        rows: columns named as the record's, and of customers the identifiers.
        key: the columns that are the id.
        clock: what times mean.
        location: for the rejects.
        drop: columns that are kept nowhere, such as the cursor.
    """
    fields, record = LIST_FIELDS[stream], LISTS[stream]
    table = parent_table(record)
    given = Columns(connection, "listed", rows, key, fields, clock.source_zone)
    unknown = [name for name in rows.column_names if name not in fields and name not in key and name not in drop]
    keep = {"extra": json_extra({name: given.text(name) for name in unknown}), "source_id": given.key()}
    connection.execute(f"CREATE OR REPLACE TEMP TABLE listed AS {given.typed(given.key(), keep)}")
    found = rejects(connection, given, "listed", f"{location}{stream}")
    present = [name for name in rows.column_names if name in fields and name in table.schema.names]
    columns = {"source_id": "source_id", "extra": "extra", **{name: identifier(name) for name in present}}
    if record is Customer and "gender" in present:
        columns["gender"] = _gender()
    if record is Customer and "birthday" in present:
        columns["birthday"] = "CASE WHEN regexp_matches(birthday, '^(\\d{4}|-)-\\d{2}-\\d{2}') THEN birthday[:10] END"
    first = "listed WHERE bad IS NULL QUALIFY row_number() OVER (PARTITION BY source_id ORDER BY rn) = 1"
    canonical = connection.execute(f"SELECT {canonical_columns(table, columns)} FROM {first}").to_arrow_table()
    tables = {table.name: completed(table, canonical)}
    if record is Customer:
        tables |= _persons(connection, clock)
    return Assembled(tables, found)


def _gender() -> str:
    return (
        "CASE WHEN lower(gender) IN ('男', 'm', 'male', '先生', '1') THEN 'male' "
        "WHEN lower(gender) IN ('女', 'f', 'female', '女士', '0', '2') THEN 'female' END"
    )


def _persons(connection: duckdb.DuckDBPyConnection, clock: Clock) -> dict[str, pa.Table]:
    first = (
        "(SELECT * FROM listed WHERE bad IS NULL QUALIFY row_number() OVER (PARTITION BY source_id ORDER BY rn) = 1)"
    )
    children = {table.name: table for table in child_tables(Customer)}
    found = connection.execute(identifiers_sql(first, clock.scope, IDENTIFIERS)).to_arrow_table()
    return {"profiles_identifiers": found.cast(children["profiles_identifiers"].schema)}
