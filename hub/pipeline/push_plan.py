"""What a sync would send: the rows it wants at the destination against what the destination last accepted.

The plan is one query over the current snapshot and the ledger, written to a Parquet file in the order of the keys; nothing is
held in memory but one batch. Values are compared as mapped: a trait that a sync does not send never causes a delivery.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hub.config import SyncSettings
from hub.destination import Mode, Operation, OperationKind, Target
from hub.errors import ConfigError, Problem
from hub.segments import check_where
from hub.store.store import Store
from hub.warehouse.engine import Engine, literal, quoted

__all__ = ["INVALID_BATCHES", "PLAN_SCHEMA", "PlanCounts", "PlannedRow", "Planner", "check_sync", "read_plan"]

INVALID = "invalid"
"""Kind of a planned row that cannot be sent: its customer has no key, or shares it with another customer."""

INVALID_BATCHES = 1_000_000_000
"""Batches from this number on hold rows that are told, not sent."""

_CHANGING = "('create', 'update', 'delete')"

_MAPPED_SEGMENTS = "segments"
_SEGMENT_PREFIX = "segment:"

PLAN_SCHEMA = pa.schema(
    [
        ("batch", pa.int64()),
        ("kind", pa.string()),
        ("key", pa.string()),
        ("customer_id", pa.string()),
        ("values", pa.string()),
        ("hash", pa.string()),
        ("remote_id", pa.string()),
        ("version", pa.int64()),
        ("code", pa.string()),
    ]
)


@dataclass
class PlanCounts:
    """What a plan holds, by kind of operation, and what it leaves alone."""

    create: int = 0
    update: int = 0
    delete: int = 0
    invalid: int = 0
    unchanged: int = 0
    waiting: int = 0
    """Refused or unknown rows that are not sent again yet."""
    sample: list[Mapping[str, object]] = field(default_factory=list)

    @property
    def to_do(self) -> int:
        """Operations and findings to be worked off."""
        return self.create + self.update + self.delete + self.invalid


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One row of a plan: the operation, the hash of its values, and why it is invalid if it is."""

    operation: Operation
    hash: str
    code: str = ""


def check_sync(name: str, sync: SyncSettings, target: Target, columns: Mapping[str, str], segments: set[str]) -> None:
    """Make sure that a sync can be planned.

    Args:
        name: the sync's name.
        sync: its settings.
        target: the target it names.
        columns: columns of customers and traits in the snapshot.
        segments: names of all segments.

    Raises:
        ConfigError: with every problem found.
    """
    problems = [
        *_mode_problems(sync, target),
        *(("fields." + field, problem) for field, source in sync.fields.items()
          for problem in _field_problems(source, columns, segments)),
        *(("where", problem) for problem in (check_where(sync.where, columns) if sync.where else ())),
        *(("fields", f"the target needs a value named {needed!r}.") for needed in target.required
          if needed not in sync.fields),
    ]  # fmt: skip
    if problems:
        raise _cannot_plan(name, problems)


def _cannot_plan(name: str, problems: Iterable[tuple[str, str]]) -> ConfigError:
    found = [Problem("hub.toml", f"syncs.{name}.{key}", text) for key, text in problems]
    return ConfigError(f"Sync {name} cannot be planned.", problems=found)


def _mode_problems(sync: SyncSettings, target: Target) -> Iterator[tuple[str, str]]:
    if sync.sync_mode not in target.modes:
        yield (
            "mode",
            f"{sync.mode!r} is not offered by target {target.name}; it takes {', '.join(sorted(target.modes))}.",
        )
    if sync.key not in target.keys:
        yield "key", f"{sync.key!r} is no key of target {target.name}; it takes {', '.join(target.keys)}."


def _field_problems(source: str, columns: Mapping[str, str], segments: set[str]) -> list[str]:
    if source == _MAPPED_SEGMENTS:
        return []
    if source.startswith(_SEGMENT_PREFIX):
        name = source.removeprefix(_SEGMENT_PREFIX)
        return [] if name in segments else [f"there is no segment {name!r}."]
    return check_where(f"{quoted(source)} IS NULL", columns)


class Planner:
    """Compares what a sync wants with what its target has.

    Args:
        engine: a workbench in which the snapshot's tables can be read.
        store: the ledger's home.
        name: the sync's name.
        sync: its settings, checked.
        target: its target.
        now: SQL instant of the planning, for the waits of refused rows.

    Raises:
        ConfigError: the sync's condition cannot be evaluated.
    """

    def __init__(self, engine: Engine, store: Store, name: str, sync: SyncSettings, target: Target, now: str) -> None:
        self.engine = engine
        self.columns = {**engine.columns("customers"), **engine.columns("traits")}
        self.name = name
        self.sync = sync
        self.target = target
        self.now = now
        self._load_ledger(store)
        self._find_desired()
        self._compare()

    def _load_ledger(self, store: Store) -> None:
        self.engine.execute(
            """CREATE OR REPLACE TEMP TABLE ledger (key VARCHAR, sync VARCHAR, customer_id VARCHAR, accepted_hash VARCHAR,
               attempted_hash VARCHAR, doubtful BOOLEAN, outcome VARCHAR, remote_id VARCHAR, version BIGINT, failures INTEGER,
               changed_at TIMESTAMPTZ)"""
        )
        names = self.engine.columns("ledger").keys()
        for entries in store.deliveries.ledger(self.sync.to, self.sync.target):
            chunk = pa.table({name: [getattr(entry, name) for entry in entries] for name in names})
            with self.engine.register({"ledger_chunk": chunk}):
                self.engine.execute("INSERT INTO ledger BY NAME FROM ledger_chunk")

    def _find_desired(self) -> None:
        """``desired``: one row per key, with mapped values; ``unusable``: customers that cannot be addressed."""
        members = self._membership()
        where = f"({self.sync.where})" if self.sync.where else "true"
        fields = ", ".join(
            f"{literal(name)}: {self._value(source)}" for name, source in sorted(self.sync.fields.items())
        )
        values = f"to_json({{{fields}}})::VARCHAR" if fields else "'{}'"
        fault = self.engine.attempt(
            f"""CREATE OR REPLACE TEMP TABLE wanted AS
                SELECT c.customer_id, k.key, {values} AS values, c.profiles
                FROM (SELECT * FROM customers LEFT JOIN traits USING (customer_id) {members} WHERE {where}) AS c
                LEFT JOIN ({self._keys()}) AS k ON k.customer_id = c.customer_id
                LEFT JOIN (SELECT customer_id, list(segment ORDER BY segment) AS names FROM members GROUP BY ALL) AS s
                       ON s.customer_id = c.customer_id"""
        )
        if fault:
            raise _cannot_plan(self.name, [("where", fault)])
        # Of several customers with one key, the one with the most profiles gets it; the others are told as invalid.
        first = "row_number() OVER (PARTITION BY key ORDER BY profiles DESC, customer_id)"
        self.engine.execute(
            f"""CREATE OR REPLACE TEMP TABLE desired AS
                SELECT key, customer_id, values, md5(values) AS hash FROM wanted
                WHERE key IS NOT NULL QUALIFY {first} = 1"""
        )
        self.engine.execute(
            """CREATE OR REPLACE TEMP TABLE unusable AS
               SELECT '~' || w.customer_id AS key, w.customer_id, any_value(CASE WHEN w.key IS NULL THEN 'no_key'
                      ELSE 'key_shared' END) AS code
               FROM wanted AS w LEFT JOIN desired AS d ON d.key = w.key AND d.customer_id = w.customer_id
               WHERE d.key IS NULL AND w.customer_id NOT IN (SELECT customer_id FROM desired) GROUP BY w.customer_id"""
        )

    def _membership(self) -> str:
        if not self.sync.segments:
            return ""
        names = ", ".join(literal(name) for name in self.sync.segments)
        return f"SEMI JOIN (SELECT customer_id FROM members WHERE segment IN ({names})) USING (customer_id)"

    def _keys(self) -> str:
        if self.sync.key == "customer_id":
            return "SELECT customer_id, customer_id AS key FROM customers"
        if self.sync.key == "profile":
            return (
                f"SELECT customer_id, source_id AS key FROM links WHERE connection = {literal(self.sync.to)} "
                "AND source_id NOT LIKE '~%'"
            )
        return f"SELECT customer_id, value AS key FROM customer_identifiers WHERE kind = {literal(self.sync.key)} AND rank = 1"

    def _value(self, source: str) -> str:
        if source == _MAPPED_SEGMENTS:
            chosen = ", ".join(literal(name) for name in self.sync.segments)
            return (
                f"list_filter(coalesce(s.names, []), lambda n: n IN ({chosen}))" if chosen else "coalesce(s.names, [])"
            )
        if source.startswith(_SEGMENT_PREFIX):
            return f"list_contains(coalesce(s.names, []), {literal(source.removeprefix(_SEGMENT_PREFIX))})"
        value = f"c.{quoted(source)}"
        if self.columns.get(source) == "TIMESTAMP WITH TIME ZONE":
            return f"strftime(timezone('UTC', {value}), '%Y-%m-%dT%H:%M:%S.%fZ')"
        return value

    def _compare(self) -> None:
        """``work``: every key with what is to be done about it, and with ``verb``, what sending it would be."""
        mine = f"l.sync = {literal(self.name)}"
        leaves = OperationKind.DELETE.value if self.sync.sync_mode is Mode.MIRROR else "gone"
        # A refusal of the same values is tried again after 1 h, 2 h, 4 h … 24 h.
        refused = "l.outcome IN ('rejected', 'invalid', 'suppressed')"
        wait = "l.changed_at + to_hours(least(24, pow(2, least(l.failures, 6) - 1))::BIGINT)"
        same = "l.attempted_hash IS NOT DISTINCT FROM d.hash"
        # An operation that got no answer is the same one when it is tried again; any other is a new one.
        version = f"coalesce(l.version, 0) + if(l.outcome = 'unknown' AND {same}, 0, 1)"
        # After a delivery of unknown end nobody knows which values are there: say them again if that does no harm,
        # else leave it to a person.
        repeatable = "true" if self.target.idempotent else "false"
        doubtful = f"(coalesce(l.doubtful, false) AND {repeatable})"
        self.engine.execute(
            f"""CREATE OR REPLACE TEMP TABLE work AS
                SELECT coalesce(d.key, l.key) AS key, coalesce(d.customer_id, l.customer_id) AS customer_id,
                       d.values, coalesce(d.hash, '') AS hash, l.remote_id, {version} AS version, '' AS code,
                       l.outcome = 'unknown' AND {same} AND NOT {repeatable} AS in_doubt,
                       CASE WHEN d.key IS NOT NULL THEN if(l.accepted_hash IS NULL, 'create', 'update')
                            WHEN (l.accepted_hash IS NOT NULL OR {doubtful}) AND {mine} THEN '{leaves}'
                            ELSE 'gone' END AS verb,
                       CASE WHEN l.accepted_hash = d.hash AND NOT {doubtful} THEN 'keep'
                            WHEN {refused} AND {same} AND {wait} > {self.now} THEN 'wait'
                            WHEN in_doubt THEN 'wait'
                            ELSE verb END AS kind
                FROM desired AS d FULL JOIN (FROM ledger WHERE key NOT LIKE '~%') AS l ON l.key = d.key
                UNION ALL
                SELECT u.key, u.customer_id, NULL, u.code, NULL, 0, u.code, false, '{INVALID}',
                       if(l.attempted_hash = u.code AND l.outcome = 'invalid', 'told', '{INVALID}')
                FROM unusable AS u LEFT JOIN ledger AS l ON l.key = u.key"""
        )

    def counts(self, sample: int = 5) -> PlanCounts:
        """Count what is to be done, with a few examples of each kind."""
        found = dict(self.engine.rows("SELECT kind, count(*) FROM work GROUP BY kind"))
        counts = PlanCounts(
            create=found.get("create", 0),
            update=found.get("update", 0),
            delete=found.get("delete", 0),
            invalid=found.get(INVALID, 0),
            unchanged=found.get("keep", 0),
            waiting=found.get("wait", 0) + found.get("told", 0),
        )
        rows = self.engine.arrow(
            f"SELECT kind, key, customer_id, values, code FROM work WHERE kind IN {_CHANGING} OR kind = '{INVALID}' "
            f"QUALIFY row_number() OVER (PARTITION BY kind ORDER BY key) <= {sample} ORDER BY kind, key"
        )
        counts.sample = rows.to_pylist()
        return counts

    def in_doubt(self, size: int) -> Iterator[list[PlannedRow]]:
        """Yield the rows that wait because nobody knows whether they were carried out, as they were sent."""
        namer = _Namer(f"{self.sync.to}\n{self.target.name}\n")
        rows = self.engine.batches(
            "SELECT verb AS kind, key, values, hash, version, customer_id, remote_id, code FROM work WHERE in_doubt "
            f"AND verb IN {_CHANGING} ORDER BY key",
            rows=size,
        )
        for batch in rows:
            yield [namer.planned(row, "") for row in batch.to_pylist()]

    def write(self, path: Path) -> tuple[int, int]:
        """Write the plan; return the number of rows to work off and of batches."""
        size = self.target.batch_size
        batch = f"(row_number() OVER (ORDER BY key) - 1) // {size}" if size else "0::BIGINT"
        # What cannot be sent is told in batches of its own, numbered behind the others.
        listed = ", ".join(quoted(column.name) for column in PLAN_SCHEMA)
        self.engine.execute(
            f"""COPY (
                  SELECT {listed} FROM (
                    SELECT * REPLACE (if(kind = 'wait', verb, kind) AS kind), {batch} AS batch FROM work WHERE {self._sent()}
                    UNION ALL
                    SELECT *, {INVALID_BATCHES} + (row_number() OVER (ORDER BY key) - 1) // 1000 AS batch FROM work
                    WHERE kind = '{INVALID}') ORDER BY batch, key
                ) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd)"""
        )
        rows, batches = self.engine.rows(
            f"SELECT count(*) FILTER (kind <> 'keep'), count(DISTINCT batch) FROM read_parquet({literal(str(path))})"
        )[0]
        return int(rows), int(batches)

    def _sent(self) -> str:
        """Condition for the rows handed over: of a whole set that changes all, those that would wait alone too."""
        if self.target.whole_set and self.engine.value(f"SELECT EXISTS (FROM work WHERE kind IN {_CHANGING})"):
            return f"kind IN ('keep', 'create', 'update', 'delete') OR (kind = 'wait' AND verb IN {_CHANGING})"
        return f"kind IN {_CHANGING}"


def read_plan(
    path: str, plan_id: str, connection: str, target: Target, filesystem: object = None
) -> Iterator[tuple[int, Iterable[PlannedRow]]]:
    """Yield a plan's batches in order: the number, and its rows.

    The rows of a target that takes the whole set are streamed and must be used up before the next batch is asked for; those
    of other targets are a list of at most the batch size.
    """
    for number, rows in groupby(_rows(path, filesystem), key=itemgetter("batch")):
        namer = _Namer(f"{connection}\n{target.name}\n")
        if target.batch_size is None and number < INVALID_BATCHES:
            yield number, (namer.planned(row, f"b{plan_id}") for row in rows)
        else:
            held = list(rows)
            digest = hashlib.sha256("\n".join(map(namer.operation_id, held)).encode())
            yield number, [namer.planned(row, f"b{digest.hexdigest()[:32]}") for row in held]


def _rows(path: str, filesystem: object) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path, filesystem=filesystem) as file:
        for batch in file.iter_batches(batch_size=10_000):
            yield from batch.to_pylist()


@dataclass(frozen=True)
class _Namer:
    """Names operations so that the same change of the same row has the same id, however often it is planned or sent."""

    where: str

    def operation_id(self, row: Mapping[str, Any]) -> str:
        parts = [str(row[name]) for name in ("kind", "key", "hash", "version")]
        return hashlib.sha256((self.where + "\n".join(parts)).encode()).hexdigest()[:32]

    def planned(self, row: Mapping[str, Any], batch_id: str) -> PlannedRow:
        values = json.loads(row["values"], parse_float=Decimal) if row["values"] else {}
        kind = OperationKind.CREATE if row["kind"] == INVALID else OperationKind(row["kind"])
        operation = Operation(
            id=self.operation_id(row),
            batch_id=batch_id,
            kind=kind,
            key=row["key"],
            values=values,
            customer_id=row["customer_id"],
            remote_id=row["remote_id"],
        )
        return PlannedRow(operation, row["hash"], row["code"] or "")
