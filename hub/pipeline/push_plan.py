"""What a sync would send: the rows it wants at the destination against what the destination last accepted.

The plan is one query over the current snapshot and the ledger, written to a Parquet file in the order of the keys; nothing is
held in memory but one batch. Values are compared as mapped: a trait that a sync does not send never causes a delivery.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hub.destination import Mode, Operation, OperationKind, Target
from hub.errors import ConfigError, Problem
from hub.pipeline.push_ledger import load_ledger
from hub.pipeline.push_mapping import mapping_change
from hub.pipeline.push_select import Policy, Selector
from hub.pipeline.push_values import Mapper, field_problems, reads_segments, transformed
from hub.segments import check_where
from hub.store.corrections import Correction
from hub.store.store import Store
from hub.sync_settings import SyncSettings
from hub.warehouse.engine import Engine, literal, quoted

__all__ = ["INVALID_BATCHES", "PLAN_SCHEMA", "PlanCounts", "PlannedRow", "Planner", "check_sync", "read_plan"]

INVALID = "invalid"
"""Kind of a planned row that cannot be sent: its customer has no key, or shares it with another customer."""

INVALID_BATCHES = 1_000_000_000
"""Batches from this number on hold rows that are told, not sent."""

SUPPRESSED = "suppressed"
"""Kind of a planned row that is held back: consent, exclusion, holdout, frequency cap."""

_CHANGING = "('create', 'update', 'delete')"
_TOLD_KINDS = f"('{INVALID}', '{SUPPRESSED}')"

_WRITES = "if(l.accepted_hash IS NULL, 'create', 'update')"
_VERBS = {
    Mode.INSERT: "'create'",
    Mode.ADD: "'create'",
    Mode.UPDATE: "if(l.accepted_hash IS NULL, 'absent', 'update')",
    Mode.REMOVE: "'delete'",
    Mode.DELETE: "'delete'",
}
"""SQL of what sending a selected row would be."""

_TOLD = """
    SELECT u.key, u.customer_id, if(u.detail IS NULL, NULL, to_json({{'field': u.detail}})::VARCHAR),
           u.code || coalesce(':' || u.detail, ''), NULL, 0, u.code, false, false, u.kind,
           if(l.attempted_hash = u.code || coalesce(':' || u.detail, '') AND l.outcome = u.kind, 'told', u.kind)
    FROM {source} AS u LEFT JOIN ledger AS l ON l.key = u.key"""
"""Rows that are told, not sent; each once as long as the reason stays the same."""


def _kept(mode: Mode) -> str:
    """SQL of the condition that a selected row needs nothing."""
    if mode in {Mode.INSERT, Mode.ADD}:
        return "(d.key IS NOT NULL AND l.accepted_hash IS NOT NULL)"
    if mode.removes_selected:
        gone = "l.accepted_hash IS NULL AND l.attempted_hash IS NULL AND l.outcome IN ('accepted', 'unchanged')"
        return f"(d.key IS NOT NULL AND l.key IS NOT NULL AND {gone})"
    # Under a changed mapping a row stays as it is if all that is still mapped is there.
    return "coalesce(l.accepted_hash = d.hash OR (d.carried AND l.accepted_hash = d.old_hash), false)"


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
    suppressed: int = 0
    unchanged: int = 0
    waiting: int = 0
    """Refused, unknown or capped rows that are not sent yet, and findings that were told before."""
    given_up: int = 0
    """Rows refused for so long that they wait until their values change."""
    absent: int = 0
    """Rows an ``update`` leaves out: the destination does not have them."""
    sample: list[Mapping[str, object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a person should know before it is sent: a changed mapping, and how many rows it touches."""

    @property
    def to_do(self) -> int:
        """Operations and findings to be worked off."""
        return self.create + self.update + self.delete + self.invalid + self.suppressed


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One row of a plan: the operation, the hash of its values, and why it is not sent, if it is not."""

    operation: Operation
    hash: str
    code: str = ""
    held_back: bool = False


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
        *((f"fields.{title}", problem) for title, field in sync.fields.items()
          for problem in field_problems(field, columns, segments)),
        *(("where", problem) for problem in (check_where(sync.where, columns) if sync.where else ())),
        *_limit_problems(sync, columns),
        *(("fields", f"the target needs a value named {needed!r}.") for needed in target.required
          if needed not in sync.fields and not sync.sync_mode.removes_selected),
    ]  # fmt: skip
    if problems:
        raise _cannot_plan(name, problems)


def _cannot_plan(name: str, problems: Iterable[tuple[str, str]]) -> ConfigError:
    found = [Problem("hub.toml", f"syncs.{name}.{key}", text) for key, text in problems]
    return ConfigError(f"Sync {name} cannot be planned.", problems=found)


def _mode_problems(sync: SyncSettings, target: Target) -> Iterator[tuple[str, str]]:
    mode = sync.sync_mode
    if mode.needs not in target.modes or (target.whole_set and mode is not Mode.MIRROR):
        yield (
            "mode",
            f"{sync.mode!r} is not offered by target {target.name}; it takes {', '.join(sorted(target.modes))}.",
        )
    if sync.key not in target.keys:
        yield "key", f"{sync.key!r} is no key of target {target.name}; it takes {', '.join(target.keys)}."


def _limit_problems(sync: SyncSettings, columns: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if sync.limit is not None:
        for key, column in (("by", sync.limit.by), ("per", sync.limit.per)):
            if column:
                yield from ((f"limit.{key}", text) for text in check_where(f"{quoted(column)} IS NULL", columns))


class Planner:
    """Compares what a sync wants with what its target has.

    Args:
        engine: a workbench in which the snapshot's tables can be read.
        store: the ledger's home.
        name: the sync's name.
        sync: its settings, checked.
        target: its target.
        policy: what holds for every sync, and the instant of the planning.

    Raises:
        ConfigError: the sync's condition cannot be evaluated.
    """

    def __init__(
        self, engine: Engine, store: Store, name: str, sync: SyncSettings, target: Target, policy: Policy
    ) -> None:
        self.engine = engine
        self.columns = {**engine.columns("customers"), **engine.columns("traits")}
        self.name = name
        self.sync = sync
        self.target = target
        self.now = f"TIMESTAMPTZ {literal(policy.now.isoformat())}"
        self.selector = Selector(engine, store.audience, sync, policy)
        before = store.corrections.mapping(name, sync.to, sync.target)
        self.change = mapping_change(sync, before, self.columns, policy.segments)
        load_ledger(engine, store, sync.to, sync.target, policy.copies)
        self._find_desired()
        self._compare()
        self._cap()

    def _find_desired(self) -> None:
        """``desired``: one row per key, with mapped values; ``unusable``: customers that cannot be reached."""
        if fault := self.selector.prepare():
            raise _cannot_plan(self.name, [("where", fault)])
        mapper = Mapper(self.sync, self.columns)
        once = mapper.values(once=True) if any(field.set_if_empty for field in self.sync.fields.values()) else "NULL"
        removes = self.sync.sync_mode.removes_selected
        values, missing = (
            ("NULL::VARCHAR", "NULL::VARCHAR") if removes else (mapper.values(once=False), mapper.missing())
        )
        by_customer = self.sync.key == "customer_id"
        key = transformed("c.customer_id" if by_customer else "k.key", self.sync.key_transforms)
        keys = "" if by_customer else f"LEFT JOIN ({self._keys()}) AS k ON k.customer_id = c.customer_id"
        fault = self.engine.attempt(
            f"""CREATE OR REPLACE TEMP TABLE wanted AS
                SELECT *, md5(values) AS hash, md5(old_values) AS old_hash FROM (
                SELECT c.customer_id, {key} AS key, {values} AS values,
                       {once}::VARCHAR AS first_values, {missing} AS missing, c.profiles,
                       {self.change.before if self.change else "NULL::VARCHAR"} AS old_values,
                       {self.change.kept if self.change else "NULL::VARCHAR"} AS old_kept
                FROM {self.selector.customers()} AS c {keys} {self._segments_join()})"""
        )
        if fault:
            raise _cannot_plan(self.name, [("where", fault)])
        self._choose(unique=by_customer and not self.sync.key_transforms)

    def _segments_join(self) -> str:
        """Join the segments of each customer, if any value is made of them."""
        reads = [name for field in self.sync.fields.values() for name in field.reads]
        if self.change is None and not any(reads_segments(name) for name in reads):
            return ""
        return f"""LEFT JOIN (SELECT customer_id, list(segment ORDER BY segment) AS names
                   FROM {self.selector.members()} GROUP BY ALL) AS s ON s.customer_id = c.customer_id"""

    def _choose(self, *, unique: bool) -> None:
        """``desired`` and ``unusable`` from ``wanted``; customers' own ids need no choosing."""
        desired = """SELECT key, customer_id, values, first_values, hash, old_hash, coalesce(old_kept = values, false) AS carried
                     FROM wanted WHERE key IS NOT NULL AND missing IS NULL"""
        code = "CASE WHEN w.key IS NULL THEN 'no_key' WHEN w.missing IS NOT NULL THEN 'value_missing' ELSE 'key_shared' END"
        left_over = "wanted AS w WHERE w.missing IS NOT NULL"
        if unique:
            self.engine.execute(f"CREATE OR REPLACE TEMP VIEW desired AS {desired}")
        else:
            # Of several customers with one key, the one with the most profiles gets it; the others are told as invalid.
            first = "row_number() OVER (PARTITION BY key ORDER BY profiles DESC, customer_id)"
            self.engine.execute(f"CREATE OR REPLACE TEMP TABLE desired AS {desired} QUALIFY {first} = 1")
            left_over = """wanted AS w LEFT JOIN desired AS d ON d.key = w.key AND d.customer_id = w.customer_id
                           WHERE d.key IS NULL AND w.customer_id NOT IN (SELECT customer_id FROM desired)"""
        self.engine.execute(
            f"""CREATE OR REPLACE TEMP TABLE unusable AS
               SELECT '~' || w.customer_id AS key, w.customer_id, '{INVALID}' AS kind, any_value({code}) AS code,
                      any_value(w.missing) AS detail
               FROM {left_over} GROUP BY w.customer_id
               UNION ALL
               SELECT '~' || customer_id, customer_id, '{SUPPRESSED}', code, NULL FROM held"""
        )

    def _keys(self) -> str:
        if self.sync.key == "customer_id":
            return "SELECT customer_id, customer_id AS key FROM customers"
        if self.sync.key == "profile":
            return (
                f"SELECT customer_id, source_id AS key FROM links WHERE connection = {literal(self.sync.to)} "
                "AND source_id NOT LIKE '~%'"
            )
        return f"SELECT customer_id, value AS key FROM customer_identifiers WHERE kind = {literal(self.sync.key)} AND rank = 1"

    def _compare(self) -> None:
        """``work``: every key with what is to be done about it, and with ``verb``, what sending it would be."""
        mine = f"l.sync = {literal(self.name)}"
        mode = self.sync.sync_mode
        leaves = OperationKind.DELETE.value if mode is Mode.MIRROR else "gone"
        # A refusal of the same values is tried again after 1 h, 2 h, 4 h … 24 h, until it is given up.
        refused = "l.outcome IN ('rejected', 'invalid', 'suppressed')"
        wait = "l.changed_at + to_hours(least(24, pow(2, least(l.failures, 6) - 1))::BIGINT)"
        given_up = f"l.first_failed_at + to_days({self.sync.give_up_days}) <= {self.now}"
        same = "l.attempted_hash IS NOT DISTINCT FROM d.hash"
        # An operation that got no answer is the same one when it is tried again; any other is a new one.
        version = f"coalesce(l.version, 0) + if(l.outcome = 'unknown' AND {same}, 0, 1)"
        # After a delivery of unknown end nobody knows which values are there: say them again if that does no harm,
        # else leave it to a person.
        repeatable = "true" if self.target.idempotent else "false"
        doubtful = f"(coalesce(l.doubtful, false) AND {repeatable})"
        # Rows that need nothing are the most: they are counted, and kept only for targets that take the whole set.
        at_rest = (
            "kind = 'keep' AND l.outcome IN ('accepted', 'unchanged') AND (l.accepted_hash = d.hash OR NOT d.carried)"
        )
        shown = "true" if self.target.whole_set else f"NOT coalesce({at_rest}, false)"
        self.engine.execute(
            f"""CREATE OR REPLACE TEMP TABLE work AS
                SELECT coalesce(d.key, l.key) AS key, coalesce(d.customer_id, l.customer_id) AS customer_id,
                       if(l.accepted_hash IS NULL, coalesce(d.first_values, d.values), d.values) AS values,
                       coalesce(d.hash, '') AS hash, l.remote_id, {version} AS version, '' AS code,
                       l.outcome = 'unknown' AND {same} AND NOT {repeatable} AS in_doubt, d.key IS NOT NULL AS selected,
                       CASE WHEN d.key IS NOT NULL THEN {_VERBS.get(mode, _WRITES)}
                            WHEN (l.accepted_hash IS NOT NULL OR {doubtful}) AND {mine} THEN '{leaves}'
                            ELSE 'gone' END AS verb,
                       CASE WHEN {_kept(mode)} AND NOT {doubtful} THEN 'keep'
                            WHEN {refused} AND {same} AND {given_up} AND verb <> 'gone' THEN 'given_up'
                            WHEN {refused} AND {same} AND {wait} > {self.now} THEN 'wait'
                            WHEN in_doubt THEN 'wait'
                            ELSE verb END AS kind
                FROM desired AS d FULL JOIN (FROM ledger WHERE key NOT LIKE '~%') AS l ON l.key = d.key
                WHERE kind <> 'gone' AND {shown}
                UNION ALL {_TOLD.format(source="unusable")}"""
        )

    def _cap(self) -> None:
        """Hold back rows of customers who have been reached as often as the caps allow; what is there already stays."""
        most = self.selector.load_remaining()
        if most is None:
            return
        self.engine.execute(
            f"""CREATE OR REPLACE TEMP TABLE capped AS
                SELECT '~' || customer_id AS key, customer_id, '{SUPPRESSED}' AS kind, 'frequency_cap' AS code,
                       NULL::VARCHAR AS detail, key AS of_key
                FROM (SELECT key, customer_id, row_number() OVER (PARTITION BY customer_id ORDER BY key) AS place
                      FROM work WHERE kind IN ('create', 'update'))
                LEFT JOIN remaining USING (customer_id) WHERE place > coalesce(remaining, {most})"""
        )
        self.engine.execute("UPDATE work SET kind = 'capped' WHERE key IN (SELECT of_key FROM capped)")
        told = "(SELECT DISTINCT ON (key) * FROM capped ORDER BY key)"
        self.engine.execute(f"INSERT INTO work {_TOLD.format(source=told)}")

    def counts(self, sample: int = 5) -> PlanCounts:
        """Count what is to be done, with a few examples of each kind."""
        found = dict(self.engine.rows("SELECT kind, count(*) FROM work GROUP BY kind"))
        counts = PlanCounts(
            create=found.get("create", 0),
            update=found.get("update", 0),
            delete=found.get("delete", 0),
            invalid=found.get(INVALID, 0),
            suppressed=found.get(SUPPRESSED, 0),
            unchanged=self._unchanged(),
            waiting=found.get("wait", 0) + found.get("told", 0) + found.get("capped", 0),
            given_up=found.get("given_up", 0),
            absent=found.get("absent", 0),
        )
        rows = self.engine.arrow(
            f"SELECT kind, key, customer_id, values, code FROM work WHERE kind IN {_CHANGING} OR kind IN {_TOLD_KINDS} "
            f"QUALIFY row_number() OVER (PARTITION BY kind ORDER BY key) <= {sample} ORDER BY kind, key"
        )
        counts.sample = rows.to_pylist()
        if self.change is not None:
            touched = self.engine.value(
                "SELECT count(*) FROM work JOIN desired AS d USING (key) JOIN ledger AS l USING (key) "
                "WHERE work.kind = 'update' AND l.accepted_hash = d.old_hash"
            )
            counts.notes.append(self.change.note(int(touched)))
        return counts

    def _unchanged(self) -> int:
        """Selected rows that need nothing."""
        moving = "SELECT count(*) FROM work WHERE selected AND kind <> 'keep'"
        return int(self.engine.value(f"SELECT (SELECT count(*) FROM desired) - ({moving})"))

    def settled(self, size: int) -> Iterator[list[Correction]]:
        """Yield the rows that are as they should be although the ledger does not say so.

        What was tried last for them failed, but the values there are wanted again; or the mapping has changed without
        touching them.
        """
        carried = "work.hash <> '' AND work.hash <> l.accepted_hash" if self.change else "false"
        rows = self.engine.batches(
            f"""SELECT l.key, l.customer_id, if({carried}, work.hash, l.accepted_hash) AS accepted_hash, l.remote_id
                FROM ledger AS l JOIN work USING (key)
                WHERE work.kind = 'keep' AND l.accepted_hash IS NOT NULL AND NOT l.doubtful AND l.sync = {literal(self.name)}
                AND (l.outcome NOT IN ('accepted', 'unchanged') OR ({carried}))""",
            rows=size,
        )
        for batch in rows:
            yield [Correction(**row) for row in batch.to_pylist()]

    def values_of(self, keys: Sequence[str]) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
        """Return hash and values of what is wanted of these keys; for a few hundred at once."""
        listed = ", ".join(literal(key) for key in keys)
        rows = self.engine.rows(f"SELECT key, hash, values FROM desired WHERE key IN ({listed}) AND values IS NOT NULL")
        return {key: (digest, json.loads(values, parse_float=Decimal)) for key, digest, values in rows}

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
                    WHERE kind IN {_TOLD_KINDS}) ORDER BY batch, key
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
        kind = OperationKind.CREATE if row["kind"] in {INVALID, SUPPRESSED} else OperationKind(row["kind"])
        operation = Operation(
            id=self.operation_id(row),
            batch_id=batch_id,
            kind=kind,
            key=row["key"],
            values=values,
            customer_id=row["customer_id"],
            remote_id=row["remote_id"],
        )
        return PlannedRow(operation, row["hash"], row["code"] or "", held_back=row["kind"] == SUPPRESSED)
