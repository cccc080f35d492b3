"""Tables of the warehouse, made from the record models; additions to a model become new columns by themselves.

Fact tables (one per record type) have ``connection`` and ``source_id`` as their key; their child tables have ``position`` too.
``changed_seq`` is the number of the load that last changed a row: later stages work on what is above theirs.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from hub.columns import AMOUNT, INSTANT, record_tables
from hub.errors import StoreError
from hub.warehouse.engine import Engine, quoted

__all__ = ["SCHEMA_VERSION", "SQL_TYPES", "extend", "prepare"]

SCHEMA_VERSION = 1

SQL_TYPES: dict[pa.DataType, str] = {
    pa.string(): "VARCHAR",
    pa.bool_(): "BOOLEAN",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.int8(): "TINYINT",
    pa.float64(): "DOUBLE",
    AMOUNT: "DECIMAL(18,4)",
    INSTANT: "TIMESTAMP WITH TIME ZONE",
    pa.date32(): "DATE",
    pa.time64("us"): "TIME",
    pa.list_(pa.string()): "VARCHAR[]",
}
"""Column types by Arrow type."""

_PARENT_LEAD = {"connection": "VARCHAR", "stream": "VARCHAR"}
_PARENT_TAIL = {"row_hash": "UBIGINT", "first_seen_at": "TIMESTAMP WITH TIME ZONE", "changed_seq": "BIGINT"}
_CHILD_LEAD = {"connection": "VARCHAR"}

_OWN_TABLES: dict[str, dict[str, str]] = {
    "_packages": {"id": "VARCHAR", "seq": "BIGINT", "loaded_at": "TIMESTAMP WITH TIME ZONE"},
    "_progress": {"stage": "VARCHAR", "seq": "BIGINT", "detail": "VARCHAR"},
    "links": {
        "profile": "VARCHAR",
        "connection": "VARCHAR",
        "source_id": "VARCHAR",
        "customer_id": "VARCHAR",
        "since": "TIMESTAMP WITH TIME ZONE",
    },
    "customers": {
        "customer_id": "VARCHAR",
        "name": "VARCHAR",
        "gender": "VARCHAR",
        "birthday": "VARCHAR",
        "province": "VARCHAR",
        "city": "VARCHAR",
        "phone": "VARCHAR",
        "email": "VARCHAR",
        "belonging_store_id": "VARCHAR",
        "belonging_guide_id": "VARCHAR",
        "registered_at": "TIMESTAMP WITH TIME ZONE",
        "profiles": "INTEGER",
        "since": "TIMESTAMP WITH TIME ZONE",
    },
    "customer_identifiers": {
        "customer_id": "VARCHAR",
        "kind": "VARCHAR",
        "scope": "VARCHAR",
        "value": "VARCHAR",
        "profiles": "INTEGER",
        "rank": "INTEGER",
    },
    "customer_fields": {
        "customer_id": "VARCHAR",
        "field": "VARCHAR",
        "place": "INTEGER",
        "value": "VARCHAR",
        "profile": "VARCHAR",
        "rule": "VARCHAR",
        "seen": "TIMESTAMP WITH TIME ZONE",
    },
    "customer_contacts": {
        "customer_id": "VARCHAR",
        "kind": "VARCHAR",
        "value": "VARCHAR",
        "state": "VARCHAR",
        "is_primary": "BOOLEAN",
        "assurance": "TINYINT",
        "first_seen": "TIMESTAMP WITH TIME ZONE",
        "last_seen": "TIMESTAMP WITH TIME ZONE",
    },
    "traits": {"customer_id": "VARCHAR"},
    "scored": {"customer_id": "VARCHAR", "facts": "HUGEINT"},
    "members": {"segment": "VARCHAR", "customer_id": "VARCHAR", "since": "TIMESTAMP WITH TIME ZONE"},
    "member_events": {
        "happened_at": "TIMESTAMP WITH TIME ZONE",
        "as_of": "TIMESTAMP WITH TIME ZONE",
        "segment": "VARCHAR",
        "customer_id": "VARCHAR",
        "event": "VARCHAR",
    },
}


def prepare(engine: Engine) -> None:
    """Make or extend the tables; nothing is ever dropped.

    Raises:
        StoreError: the warehouse was written by a newer hub, or a column has another type than this hub expects.
    """
    engine.execute("CREATE TABLE IF NOT EXISTS _meta (version INTEGER)")
    version = engine.value("SELECT max(version) FROM _meta")
    if version is not None and version > SCHEMA_VERSION:
        raise StoreError(
            "The warehouse was written by a newer version of the hub.",
            code="store_newer",
            hint="Update this installation, or point hub.warehouse at another file.",
        )
    present = _present(engine)
    with engine.transaction():
        for table, columns in {**_fact_tables(), **_OWN_TABLES}.items():
            _extend(engine, table, columns, present.get(table, {}))
        if version is None:
            engine.execute("INSERT INTO _meta VALUES (?)", [SCHEMA_VERSION])


def _fact_tables() -> dict[str, dict[str, str]]:
    found = {}
    for name, table in record_tables().items():
        own = {field.name: SQL_TYPES[field.type] for field in table.schema}
        found[name] = {**_PARENT_LEAD, **own, **_PARENT_TAIL} if table.field is None else {**_CHILD_LEAD, **own}
    return found


def _present(engine: Engine) -> dict[str, dict[str, str]]:
    """Return every table's columns with one look at the catalogue: this runs each time the warehouse is opened."""
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in engine.rows("SELECT table_name, column_name, data_type FROM duckdb_columns()"):
        found.setdefault(table, {})[column] = kind
    return found


def extend(engine: Engine, table: str, columns: Mapping[str, str]) -> None:
    """Make a table, or add the columns it lacks.

    Raises:
        StoreError: a column is there with another type.
    """
    _extend(engine, table, columns, engine.columns(table))


def _extend(engine: Engine, table: str, columns: Mapping[str, str], present: Mapping[str, str]) -> None:
    if not present:
        body = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())
        engine.execute(f"CREATE TABLE {quoted(table)} ({body})")
        return
    for name, kind in columns.items():
        if name not in present:
            engine.execute(f"ALTER TABLE {quoted(table)} ADD COLUMN {quoted(name)} {kind}")
        elif present[name] != kind:
            raise StoreError(
                f"Column {table}.{name} is {present[name]} in the warehouse; this hub expects {kind}.",
                hint="Move the warehouse file away and run `hub ingest`: it is built anew from the packages.",
            )
