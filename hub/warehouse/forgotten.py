"""Find the rows of forgotten people in fact tables and packages, and take them out.

Profiles, behaviour and feedback of such a person are left out whole. Tickets are the shop's books: they stay, and what leads
to a buyer (who, remark, coupons, payment numbers, unknown fields) is taken from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from hub.columns import INSTANT, parent_table, tables_of
from hub.records import RECORD_TYPES
from hub.warehouse.engine import Engine, literal, quoted
from hub.warehouse.load import DELETIONS, PRESENT

__all__ = [
    "PERSONAL_RECORDS",
    "Package",
    "cut_facts",
    "cut_package",
    "facts_found",
    "forgotten",
    "package_found",
]

PERSONAL_RECORDS: Mapping[str, str] = {
    "profiles": "registered_at",
    "orders": "ordered_at",
    "events": "occurred_at",
    "feedback": "occurred_at",
}
"""Record tables that tell of a person, with the time at which the person did it."""

MARKS = pa.schema([("mark", pa.string()), ("at", INSTANT)])

_ANONYMOUS = {
    "orders": {"customer_id": "NULL", "extra": "NULL", "note": "NULL", "coupons": "[]"},
    "orders_tenders": {"reference": "NULL"},
}
"""What a ticket loses, by table; its identifiers go whole."""
_STAYS = ("orders", "orders_lines", "orders_tenders")
_RAW = "raw"

_MACROS = """
    CREATE OR REPLACE TEMP MACRO record_mark(record, connection, own) AS concat_ws(chr(31), record, connection, own);
    CREATE OR REPLACE TEMP MACRO loose_value(kind, value) AS CASE kind
        WHEN 'phone' THEN right(regexp_replace(translate(value, '０１２３４５６７８９', '0123456789'), '[^0-9]', '', 'g'), 11)
        WHEN 'email' THEN lower(trim(value)) ELSE trim(value) END;
    CREATE OR REPLACE TEMP MACRO loose_scope(kind, scope, connection) AS CASE
        WHEN kind IN ('phone', 'email', 'unionid') THEN '' ELSE coalesce(nullif(scope, ''), connection) END;
    CREATE OR REPLACE TEMP MACRO identifier_mark(kind, scope, value, connection) AS
        concat_ws(chr(31), 'identifier', kind, loose_scope(kind, scope, connection), loose_value(kind, value));
"""
"""One form for all spellings of an identifier that platforms use. Old rules of normalising must still find old rows, so the
form is cruder than identity resolution's and never changes."""


class Package(dict[str, str]):
    """A package's Parquet files by table, with its connection and record type."""

    def __init__(self, files: Mapping[str, str], connection: str, record: str) -> None:
        super().__init__(files)
        self.connection = connection
        self.record = record

    def relation(self, table: str) -> str:
        """SQL of the rows of one canonical table, with the columns of today."""
        schema = next(one.schema for one in tables_of(RECORD_TYPES[self.record]) if one.name == table)
        names = ", ".join(quoted(field.name) for field in schema)
        return (
            f"(SELECT {literal(self.connection)} AS connection, {names} FROM (SELECT {names} FROM {table} WHERE false "
            f"UNION ALL BY NAME SELECT * FROM read_parquet({literal(self[table])})))"
        )


@contextmanager
def forgotten(engine: Engine, marks: pa.Table, key: str = "") -> Iterator[None]:
    """Look for people within the block.

    Args:
        engine: the warehouse.
        marks: :data:`MARKS`: whom; what was done until ``at`` counts.
        key: of the digests that ``marks`` are; without one they are clear marks.
    """
    engine.execute(_MACROS)
    digest = f"sha256({literal(key)} || mark)" if key else "mark"
    engine.execute(f"CREATE OR REPLACE TEMP MACRO digest_of(mark) AS {digest}")
    with engine.register({"forgotten_marks": marks.cast(MARKS)}):
        # A table of its own: a join with one is hashed once.
        engine.execute("CREATE OR REPLACE TEMP TABLE forgotten AS FROM forgotten_marks")
    try:
        yield
    finally:
        engine.execute("DROP TABLE IF EXISTS forgotten; DROP TABLE IF EXISTS stopped")


def package_found(engine: Engine, package: Package) -> int:
    """Return how many records of a package are a forgotten person's, within :func:`forgotten`; their ids are in ``stopped``."""
    record = package.record
    if record not in PERSONAL_RECORDS:
        return 0
    parent = parent_table(RECORD_TYPES[record]).name
    parts = []
    if parent in package:
        named = f"{record}_identifiers"
        identifiers = package.relation(named) if named in package else ""
        parts.append(_found(record, package.relation(parent), identifiers))
    parts += [
        _keys_found(record, package.connection, package[name]) for name in (DELETIONS, PRESENT) if name in package
    ]
    return _stop(engine, " UNION ".join(parts)) if parts else 0


def facts_found(engine: Engine, record: str) -> int:
    """Return how many rows of a fact table are a forgotten person's, within :func:`forgotten`; their ids are in ``stopped``."""
    return _stop(engine, _found(record, record, f"{record}_identifiers"))


def _stop(engine: Engine, query: str) -> int:
    engine.execute(f"CREATE OR REPLACE TEMP TABLE stopped AS {query}")
    return int(engine.value("SELECT count(*) FROM stopped"))


def _found(record: str, rows: str, identifiers: str) -> str:
    """SQL of (connection, source_id) of the forgotten among some rows.

    A profile stays away unless the platform says that it was registered later; one that only shares an identifier comes in
    again also if it was changed later, for the number may be another person's by then.
    """
    when = PERSONAL_RECORDS[record]
    own = f"own.mark = digest_of(record_mark('{record}', r.connection, r.source_id))"
    buyer = "buyer.mark = digest_of(record_mark('profiles', r.connection, r.customer_id))"
    joins = f"LEFT JOIN forgotten AS own ON {own}"
    if record != "profiles":
        joins += f" LEFT JOIN forgotten AS buyer ON {buyer}"
    named = "SELECT NULL AS connection, NULL AS source_id, NULL::TIMESTAMPTZ AS at WHERE false"
    if identifiers:
        named = f"""SELECT i.connection, i.source_id, max(f.at) AS at FROM {identifiers} AS i
                    JOIN forgotten AS f ON f.mark = digest_of(identifier_mark(i.kind, i.scope, i.value, i.connection)) GROUP BY ALL"""
    joins += f" LEFT JOIN ({named}) AS named ON named.connection = r.connection AND named.source_id = r.source_id"
    if record == "profiles":
        stays = f"(own.at IS NOT NULL AND NOT coalesce(r.{when} > own.at, false))"
        shares = f"(named.at IS NOT NULL AND NOT coalesce(coalesce(r.{when}, r.updated_at) > named.at, false))"
        return f"SELECT r.connection, r.source_id FROM {rows} AS r {joins} WHERE {stays} OR {shares}"
    # What was done after everybody's erasure needs no look at who did it.
    recent = f"(SELECT * FROM {rows} WHERE {when} <= (SELECT max(f.at) FROM forgotten AS f))"
    condition = f"r.{when} <= greatest(own.at, buyer.at, named.at)"
    return f"SELECT r.connection, r.source_id FROM {recent} AS r {joins} WHERE {condition}"


def _keys_found(record: str, connection: str, file: str) -> str:
    """SQL of the forgotten profiles among the ids of a file that holds nothing else; tickets keep theirs."""
    mark = f"digest_of(record_mark('profiles', {literal(connection)}, k.source_id))"
    wanted = "true" if record == "profiles" else "false"
    return (
        f"SELECT {literal(connection)} AS connection, k.source_id FROM read_parquet({literal(file)}) AS k "
        f"JOIN forgotten AS f ON f.mark = {mark} WHERE {wanted}"
    )


def cut_package(engine: Engine, package: Package, folder: Path) -> None:
    """Write a package anew without what :func:`package_found` found."""
    for name, file in package.items():
        source, target = f"read_parquet({literal(file)})", literal(str(folder / f"{name}.parquet"))
        query = f"SELECT * FROM {source} ANTI JOIN stopped USING (source_id)"
        if name in _STAYS:
            query = f"SELECT {_anonymous(engine, name, source)} FROM {source} AS t"
        engine.execute(f"COPY ({query}) TO {target} (FORMAT parquet, COMPRESSION zstd)")


def _anonymous(engine: Engine, table: str, source: str) -> str:
    present = engine.arrow(f"SELECT * FROM {source} LIMIT 0").column_names
    changed = ", ".join(
        f"if(t.source_id IN (SELECT source_id FROM stopped), {value}, t.{column}) AS {column}"
        for column, value in _ANONYMOUS.get(table, {}).items()
        if column in present
    )
    return f"t.* REPLACE ({changed})" if changed else "t.*"


def cut_facts(engine: Engine, record: str) -> None:
    """Take what :func:`facts_found` found out of the fact tables."""
    mine = "(connection, source_id) IN (SELECT (connection, source_id) FROM stopped)"
    for table in tables_of(RECORD_TYPES[record]):
        if table.name not in _STAYS:
            engine.execute(f"DELETE FROM {table.name} WHERE {mine}")
            continue
        if changes := _ANONYMOUS.get(table.name):
            assigned = ", ".join(f"{column} = {value}" for column, value in changes.items())
            engine.execute(f"UPDATE {table.name} SET {assigned} WHERE {mine}")
