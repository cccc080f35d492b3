"""What a sync would send: the rows it wants at the destination against what the destination last accepted.

The plan is made in two steps over the current snapshot and the ledger. A narrow one maps every row to a fingerprint of its
values in canonical form and joins it with the ledger by key: it streams, and keeps the keys of the rows that are not at rest. The
other works out the values of those alone and what is to be done with them; they are written to a Parquet file in the order of
the keys. Values are compared as mapped: a trait that a sync does not send never causes a delivery.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from hub.chunks import chunks
from hub.destination import Mode, OperationKind, RemoteRow, Target
from hub.pipeline.push_check import shrinks
from hub.pipeline.push_desired import Desired
from hub.pipeline.push_ledger import load_ledger
from hub.pipeline.push_mapping import mapping_change
from hub.pipeline.push_plan_file import INVALID, INVALID_BATCHES, PLAN_SCHEMA, SUPPRESSED
from hub.pipeline.push_report import PlanCounts
from hub.pipeline.push_select import Policy, Selector
from hub.store.corrections import Correction
from hub.store.store import Store
from hub.sync_settings import SyncSettings
from hub.warehouse.engine import Engine, literal, quoted

__all__ = ["Planner"]

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
           u.code || coalesce(':' || u.detail, ''), NULL, 0, u.code, false, false, false, u.kind,
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


_CHUNK = 5_000
_EMPTY: tuple[object, ...] = (None, "", [], {})
_FILLED = pa.schema([("key", pa.string()), ("names", pa.list_(pa.string()))])


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
        self.name = name
        self.sync = sync
        self.target = target
        self.now = f"TIMESTAMPTZ {literal(policy.now.isoformat())}"
        self.selector = Selector(engine, store.audience, sync, policy)
        before = store.corrections.mapping(name, sync.to, sync.target)
        columns = {**engine.columns("customers"), **engine.columns("traits")}
        self.change = mapping_change(sync, before, columns, policy.segments)
        known = load_ledger(engine, store, sync.to, sync.target, policy.copies)
        self.desired = Desired(engine, name, sync, self.selector, self.change)
        # A whole set is handed over with the rows that need nothing; against an empty ledger everything is new.
        self.at_rest = 0 if target.whole_set or not known else self._leave_out_at_rest()
        self._compare(narrowed=bool(known) and not target.whole_set)
        self._cap()

    def _leave_out_at_rest(self) -> int:
        """``moved``: the keys of all rows but those that are as they should be, which are by far the most; count these."""
        # 64 bits of the hash are enough to tell a change by, and a third of the memory.
        settled = "outcome IN ('accepted', 'unchanged') AND NOT doubtful AND accepted_hash IS NOT NULL"
        at_rest = f"if({settled}, hash(accepted_hash), NULL)"
        ledger = f"SELECT key, {at_rest} AS at_rest FROM ledger WHERE key NOT LIKE '~%'"
        same_id = self.desired.by_customer and not self.sync.key_transforms
        self.desired.attempt(
            f"""CREATE OR REPLACE TEMP TABLE moved AS
                SELECT coalesce(d.key, l.key) AS key, {"d.key" if same_id else "d.customer_id"} AS customer_id,
                       l.at_rest IS NOT NULL AS was_at_rest
                FROM (SELECT key, customer_id, hash(hash) AS fingerprint FROM desired) AS d
                FULL JOIN ({ledger}) AS l ON l.key = d.key
                WHERE NOT coalesce(l.at_rest = d.fingerprint, false)"""
        )
        before, moved = self.engine.rows(
            f"SELECT (SELECT count(at_rest) FROM ({ledger})), (SELECT count(*) FROM moved WHERE was_at_rest)"
        )[0]
        return int(before) - int(moved)

    def _compare(self, *, narrowed: bool) -> None:
        """``work``: every key that moved, what is to be done about it, and with ``verb``, what sending it would be."""
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
        desired, ledger = self._moved() if narrowed else ("desired", "ledger")
        self.desired.attempt(
            f"""CREATE OR REPLACE TEMP TABLE work AS
                SELECT coalesce(d.key, l.key) AS key, coalesce(d.customer_id, l.customer_id) AS customer_id,
                       if(l.accepted_hash IS NULL, coalesce(d.first_values, d.values), d.values) AS values,
                       coalesce(d.hash, '') AS hash, l.remote_id, {version} AS version, '' AS code,
                       l.outcome = 'unknown' AND {same} AND NOT {repeatable} AS in_doubt, d.key IS NOT NULL AS selected,
                       l.accepted_hash = d.old_hash AS remapped,
                       CASE WHEN d.key IS NOT NULL THEN {_VERBS.get(mode, _WRITES)}
                            WHEN (l.accepted_hash IS NOT NULL OR {doubtful}) AND {mine} THEN '{leaves}'
                            ELSE 'gone' END AS verb,
                       CASE WHEN {_kept(mode)} AND NOT {doubtful} THEN 'keep'
                            WHEN {refused} AND {same} AND {given_up} AND verb <> 'gone' THEN 'given_up'
                            WHEN {refused} AND {same} AND {wait} > {self.now} THEN 'wait'
                            WHEN in_doubt THEN 'wait'
                            ELSE verb END AS kind
                FROM {desired} AS d FULL JOIN (FROM {ledger} WHERE key NOT LIKE '~%') AS l ON l.key = d.key
                WHERE kind <> 'gone'
                UNION ALL {_TOLD.format(source="unusable")}"""
        )

    def _moved(self) -> tuple[str, str]:
        """SQL of the wanted rows and the ledger's rows that are not at rest."""
        wanted = self.desired.rows("SEMI JOIN moved USING (customer_id)")
        return f"(FROM ({wanted}) SEMI JOIN moved USING (key))", "(FROM ledger SEMI JOIN moved USING (key))"

    # What is at the destination already.

    @property
    def minds_remote(self) -> bool:
        """Whether rows are about to be created with values that must not replace what is at the destination."""
        if not (self.desired.has_first_values and self.target.readable):
            return False
        return bool(self.engine.value("SELECT EXISTS (FROM work WHERE kind = 'create')"))

    def mind_remote(self, rows: Iterable[RemoteRow]) -> None:
        """Leave out of new rows the fields that are set only where nothing is, where something is.

        Args:
            rows: what the destination holds.
        """
        once = [name for name, field in self.sync.fields.items() if field.set_if_empty]
        self.engine.execute("CREATE OR REPLACE TEMP TABLE filled (key VARCHAR, names VARCHAR[])")
        for chunk in chunks(rows, _CHUNK):
            named = [(row.key, [name for name in once if row.values.get(name) not in _EMPTY]) for row in chunk]
            table = pa.table(
                {"key": [key for key, names in named if names], "names": [names for _, names in named if names]},
                schema=_FILLED,
            )
            with self.engine.register({"filled_chunk": table}):
                self.engine.execute("INSERT INTO filled SELECT key, names FROM filled_chunk SEMI JOIN work USING (key)")
        if self.engine.value("SELECT EXISTS (FROM filled)"):
            rest = self.desired.rows(but_filled=True)
            self.engine.execute(
                f"""UPDATE work SET values = d.first_values FROM (FROM ({rest}) SEMI JOIN filled USING (key)) AS d
                    WHERE work.key = d.key AND work.kind = 'create'"""
            )

    # What is left of it.

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
            touched = self.engine.value("SELECT count(*) FROM work WHERE kind = 'update' AND remapped")
            counts.notes.append(self.change.note(int(touched)))
        if too_many := shrinks(self.sync, counts):
            counts.notes.append(too_many)
        return counts

    def _unchanged(self) -> int:
        """Selected rows that need nothing."""
        return self.at_rest + int(self.engine.value("SELECT count(*) FROM work WHERE selected AND kind = 'keep'"))

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
