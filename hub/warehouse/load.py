"""Merge sealed packages into the fact tables, exactly once, touching only rows that changed.

A package's id is recorded in the same transaction as its rows, so that loading it again does nothing, although package list
and warehouse are two databases. A row is replaced when its content differs from what is there and it is not older; its child
rows are replaced with it. A record without a time of change is never older than another: the one read last counts.

Each load has a number one higher than the load before; rows carry that of the load that last changed them, whatever the order
in which packages were sealed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from hub.columns import Table, child_tables, parent_table
from hub.crashpoints import crash_point
from hub.records import RECORD_TYPES
from hub.warehouse.engine import Engine, literal, quoted

__all__ = ["LoadCounts", "PackageFiles", "load_packages", "loaded_ids"]

DELETIONS = "deletions"
"""Name of the package file that holds source ids only: records the platform no longer has."""
PRESENT = "present"
"""Name of the package file that holds source ids only: records the platform has, in rows that could not be used."""


@dataclass(frozen=True)
class PackageFiles:
    """One package as the loader sees it.

    Attributes:
        id: the package's id.
        seq: its place in the order of sealing.
        connection: whose records they are.
        stream: stream they were read from.
        record: name of the parent table.
        files: its Parquet files by table name.
        sweep: for the last package of a full read, files that name every source id the whole read contained; else None.
    """

    id: str
    seq: int
    connection: str
    stream: str
    record: str
    files: Mapping[str, str]
    sweep: Sequence[str] | None = None

    @property
    def stands_alone(self) -> bool:
        """Whether it must be loaded by itself because it takes records away."""
        return self.sweep is not None or DELETIONS in self.files


@dataclass
class LoadCounts:
    """What loading did: rows of the parent tables."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    swept_nothing: int = 0
    """Full reads that held no record at all: taken for a fault of the platform, nothing was deleted."""

    def __iadd__(self, other: LoadCounts) -> LoadCounts:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
        return self

    @property
    def changed(self) -> int:
        """Rows that are not as they were."""
        return self.inserted + self.updated + self.deleted


def loaded_ids(engine: Engine, ids: Iterable[str]) -> set[str]:
    """Return which of these packages are in the warehouse already."""
    wanted = list(ids)
    rows = engine.rows("SELECT id FROM _packages WHERE id IN (SELECT unnest(?::VARCHAR[]))", [wanted])
    return {row[0] for row in rows}


def load_packages(engine: Engine, packages: Sequence[PackageFiles], now: dt.datetime) -> LoadCounts:
    """Merge packages of one connection and record type in one transaction.

    Args:
        engine: the warehouse.
        packages: in the order of sealing, none of them loaded yet; more than one only if none :attr:`stands_alone`.
        now: written as the time of loading and first seeing.

    Raises:
        StoreError: a package's file is missing or damaged, or the disk is full; nothing of this call is kept.
    """
    counts = LoadCounts()
    with engine.sparing_memory(), engine.transaction():
        crash_point("load.begun")
        change = engine.value("SELECT coalesce(max(seq), 0) + 1 FROM _packages")
        for part in [packages] if _can_join(engine, packages) else [[package] for package in packages]:
            counts += _Merge(engine, part, now, change).run()
        engine.execute(
            "INSERT INTO _packages SELECT unnest(?::VARCHAR[]), ?, ?",
            [[package.id for package in packages], change, now],
        )
        crash_point("load.merged")
    crash_point("load.committed")
    return counts


def _can_join(engine: Engine, packages: Sequence[PackageFiles]) -> bool:
    """Whether merging packages at once gives what merging them one by one would.

    The newest version of a record wins, so that only the winner need be merged; but where some versions of a record have a
    time and others have none, there is no newest one, and each must meet the one before it.
    """
    if len(packages) == 1:
        return True
    parent = parent_table(RECORD_TYPES[packages[0].record])
    rows = " UNION ALL ".join(
        f"SELECT source_id, updated_at FROM read_parquet({literal(package.files[parent.name])})"
        for package in packages
        if parent.name in package.files
    )
    mixed = f"SELECT 1 FROM ({rows}) GROUP BY source_id HAVING count(updated_at) NOT IN (0, count(*))"
    return not rows or not engine.value(f"SELECT EXISTS ({mixed})")


class _Merge:
    """One merge; the SQL of each step reads the Parquet files again rather than copying them into memory."""

    def __init__(self, engine: Engine, packages: Sequence[PackageFiles], now: dt.datetime, change: int) -> None:
        first = packages[0]
        self.engine = engine
        self.packages = packages
        self.now = now
        self.change = change
        self.connection = literal(first.connection)
        self.stream = literal(first.stream)
        self.parent = parent_table(RECORD_TYPES[first.record])
        self.children = child_tables(RECORD_TYPES[first.record])

    def run(self) -> LoadCounts:
        counts = LoadCounts()
        if self._has(self.parent):
            counts += self._merge_rows()
        if self.packages[0].stands_alone:
            counts += self._take_away(self.packages[0])
        return counts

    def _has(self, table: Table) -> bool:
        return any(table.name in package.files for package in self.packages)

    def _merge_rows(self) -> LoadCounts:
        known = self._known_rows()
        self._find_incoming()
        self._find_changed(known)
        counts = self._count()
        self._touch()
        if counts.updated:
            self._delete_old()
        self._insert_parents()
        for child in filter(self._has, self.children):
            self._insert_children(child)
        self.engine.execute("DROP TABLE incoming; DROP TABLE changed")
        return counts

    def _known_rows(self) -> bool:
        sql = f"SELECT EXISTS (SELECT 1 FROM {self.parent.name} WHERE connection = {self.connection})"
        return bool(self.engine.value(sql))

    def _source(self, table: Table) -> str:
        """Return a sub-query over one table's files, with each package's ``seq``.

        The warehouse's own table, empty, stands first: a package sealed before a column was added lacks it.
        """
        names = ", ".join(quoted(field.name) for field in table.schema)
        parts = [
            f"SELECT {names}, {package.seq}::BIGINT AS seq FROM (SELECT {names} FROM {table.name} WHERE false "
            f"UNION ALL BY NAME SELECT * FROM read_parquet({literal(package.files[table.name])}))"
            for package in self.packages
            if table.name in package.files
        ]
        return " UNION ALL ".join(parts)

    def _find_incoming(self) -> None:
        """``incoming``: one row per source id with a hash over the record and its child rows.

        Every child table takes part in the hash, in the order of the model: the hash of a record must not depend on which
        other records share its package.
        """
        own = ", ".join(quoted(field.name) for field in self.parent.schema if field.name != "updated_at")
        joins = "".join(self._child_hash(child) for child in self.children if self._has(child))
        hashes = "".join(
            f", {child.name}.child_hash" if self._has(child) else ", NULL::UBIGINT" for child in self.children
        )
        # Within one load the newest version of a record wins; a package alone never holds two.
        newest = (
            "QUALIFY row_number() OVER (PARTITION BY source_id ORDER BY updated_at DESC, seq DESC) = 1"
            if len(self.packages) > 1
            else ""
        )
        self.engine.execute(
            f"CREATE TEMP TABLE incoming AS SELECT source_id, seq, updated_at, "
            f"hash({own}{hashes}) AS row_hash FROM ({self._source(self.parent)}) AS parent {joins} {newest}"
        )

    def _child_hash(self, child: Table) -> str:
        columns = ", ".join(quoted(field.name) for field in child.schema if field.name != "source_id")
        return (
            f" LEFT JOIN (SELECT source_id, seq, bit_xor(hash({columns})) AS child_hash "
            f"FROM ({self._source(child)}) GROUP BY ALL) AS {child.name} USING (source_id, seq)"
        )

    def _find_changed(self, known: bool) -> None:  # noqa: FBT001 - a fact about the table, not an option
        """``changed``: which incoming rows replace or add something, or only tell a new time of change."""
        if not known:
            self.engine.execute(
                f"CREATE TEMP TABLE changed AS SELECT source_id, seq, updated_at, row_hash, {self._now()} AS first_seen_at, "
                "'new' AS verdict FROM incoming"
            )
            return
        self.engine.execute(
            f"CREATE TEMP TABLE changed AS SELECT source_id, i.seq, i.updated_at, i.row_hash, "
            f"coalesce(e.first_seen_at, {self._now()}) AS first_seen_at, "
            f"CASE WHEN e.source_id IS NULL THEN 'new' WHEN i.row_hash <> e.row_hash THEN 'changed' ELSE 'touched' END AS verdict "
            f"FROM incoming AS i LEFT JOIN (SELECT * FROM {self.parent.name} WHERE connection = {self.connection}) AS e "
            f"USING (source_id) WHERE e.source_id IS NULL OR (NOT coalesce(i.updated_at < e.updated_at, false) "
            f"AND (i.row_hash <> e.row_hash OR i.updated_at IS DISTINCT FROM e.updated_at))"
        )

    def _now(self) -> str:
        return f"TIMESTAMPTZ {literal(self.now.isoformat())}"

    def _count(self) -> LoadCounts:
        incoming = self.engine.value("SELECT count(*) FROM incoming")
        verdicts = dict(self.engine.rows("SELECT verdict, count(*) FROM changed GROUP BY ALL"))
        inserted, updated = verdicts.get("new", 0), verdicts.get("changed", 0)
        return LoadCounts(inserted=inserted, updated=updated, unchanged=incoming - inserted - updated)

    def _touch(self) -> None:
        """Note a later time of change where the content is the same: the row is not a change for later stages, but a
        version from between the two times must not overwrite it."""
        if not self.engine.value("SELECT EXISTS (SELECT 1 FROM changed WHERE verdict = 'touched')"):
            return
        self.engine.execute(
            f"UPDATE {self.parent.name} AS e SET updated_at = c.updated_at FROM changed AS c "
            f"WHERE c.verdict = 'touched' AND e.connection = {self.connection} AND e.source_id = c.source_id"
        )
        self.engine.execute("DELETE FROM changed WHERE verdict = 'touched'")

    def _delete_old(self) -> None:
        for table in (self.parent, *self.children):
            self.engine.execute(
                f"DELETE FROM {table.name} WHERE connection = {self.connection} "
                f"AND source_id IN (SELECT source_id FROM changed WHERE verdict = 'changed')"
            )

    def _insert_parents(self) -> None:
        names = [quoted(field.name) for field in self.parent.schema]
        self.engine.execute(
            f"INSERT INTO {self.parent.name} (connection, stream, {', '.join(names)}, row_hash, first_seen_at, changed_seq) "
            f"SELECT {self.connection}, {self.stream}, {', '.join(f'p.{name}' for name in names)}, "
            f"c.row_hash, c.first_seen_at, {self.change} "
            f"FROM ({self._source(self.parent)}) AS p JOIN changed AS c USING (source_id, seq)"
        )

    def _insert_children(self, child: Table) -> None:
        """Insert the child rows of changed records; rows that belong to no record of the package are left out."""
        names = ", ".join(quoted(field.name) for field in child.schema)
        self.engine.execute(
            f"INSERT INTO {child.name} (connection, {names}) "
            f"SELECT {self.connection}, {names} FROM ({self._source(child)}) SEMI JOIN changed USING (source_id, seq)"
        )

    def _take_away(self, package: PackageFiles) -> LoadCounts:
        counts = LoadCounts()
        if DELETIONS in package.files:
            gone = f"SELECT source_id FROM read_parquet({literal(package.files[DELETIONS])})"
            counts.deleted += self._mark_deleted(f"source_id IN ({gone})")
        if package.sweep is not None:
            counts += self._sweep(package.sweep)
        return counts

    def _sweep(self, files: Sequence[str]) -> LoadCounts:
        """Mark what a full read did not contain; one that contained nothing is taken for a fault of the platform."""
        seen = f"SELECT source_id FROM read_parquet([{', '.join(map(literal, files))}])"
        if not files or not self.engine.value(f"SELECT EXISTS ({seen})"):
            return LoadCounts(swept_nothing=1)
        return LoadCounts(deleted=self._mark_deleted(f"stream = {self.stream} AND source_id NOT IN ({seen})"))

    def _mark_deleted(self, condition: str) -> int:
        # A tombstone's hash is 0, so that the same record coming back counts as changed.
        where = f"connection = {self.connection} AND NOT deleted AND {condition}"
        count = self.engine.value(f"SELECT count(*) FROM {self.parent.name} WHERE {where}")
        if count:
            self.engine.execute(
                f"UPDATE {self.parent.name} SET deleted = true, row_hash = 0, changed_seq = {self.change} WHERE {where}"
            )
        return int(count)
