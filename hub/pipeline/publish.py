"""Publish a snapshot: an immutable copy of customers, traits and members that any number of readers may use.

Nothing changed since the current snapshot: no new one is made.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

import identity
from hub.context import Hub
from hub.errors import StoreError
from hub.pipeline.identity_state import PREFIX
from hub.store.pruning import prune
from hub.store.tables import Snapshot
from hub.warehouse.engine import DuckDBEngine, Engine, literal

__all__ = ["SNAPSHOT_NAME", "SNAPSHOT_TABLES", "PublishReport", "publish", "snapshot_views"]

SNAPSHOT_TABLES = {
    "customers": "FROM customers ORDER BY customer_id",
    "traits": "FROM traits ORDER BY customer_id",
    "members": "SELECT segment, customer_id, since FROM members ORDER BY customer_id, segment",
    "links": "FROM links ORDER BY customer_id, profile",
    "customer_identifiers": "FROM customer_identifiers ORDER BY customer_id, kind, rank",
    "customer_fields": "FROM customer_fields ORDER BY customer_id, field, place",
    "customer_contacts": "FROM customer_contacts ORDER BY customer_id, kind, value",
    "identity_events": "FROM identity_events ORDER BY ALL",
    "identity_constraints": "FROM identity_constraints ORDER BY ALL",
    "consents": "FROM consents ORDER BY customer_id",
}
"""Tables of a snapshot and the queries that fill them."""

_PRUNED_AT_ONCE = 500
SNAPSHOT_NAME = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}")
"""What snapshots' folders are called; nothing else in their place is ever removed."""


@dataclass
class PublishReport:
    """What publishing did: the current snapshot, whether it is new, and its row counts."""

    snapshot: str
    is_new: bool
    as_of: dt.datetime
    counts: dict[str, int] = field(default_factory=dict)
    pruned: int = 0


def publish(hub: Hub, *, aside: bool = False) -> PublishReport:
    """Publish what the warehouse holds, if it differs from the current snapshot; forget old snapshots and row logs.

    Args:
        hub: the opened hub.
        aside: keep the snapshot for looking back, and leave the current one current; it is always a new one.

    Raises:
        LeaseHeldError: another process has the warehouse open.
        StoreError: the snapshot cannot be written.
    """
    forget = hub.now() - dt.timedelta(days=hub.settings.hub.keep_days)
    with hub.warehouse() as engine, hub.store.runs.open("publish") as run:
        prune(hub.store.database, forget)
        _gather_consents(engine)
        as_of = _as_of(engine, hub.now())
        digest = _content_hash(engine)
        current = hub.store.snapshots.current()
        if not aside and current is not None and current.content_hash == digest and _is_there(hub, current):
            run.add(**current.counts)
            return PublishReport(current.id, is_new=False, as_of=current.as_of, counts=current.counts)
        snapshot = _write(hub, engine, digest, as_of, "aside" if aside else "published")
        run.add(**snapshot.counts)
        return PublishReport(snapshot.id, is_new=True, as_of=as_of, counts=snapshot.counts, pruned=_prune(hub))


def _as_of(engine: Engine, now: dt.datetime) -> dt.datetime:
    detail = engine.value("SELECT detail FROM _progress WHERE stage = 'score'")
    return dt.datetime.fromisoformat(detail) if detail else now


def _gather_consents(engine: Engine) -> None:
    """Make table ``consents``: whether a customer may be written to, as far as any of his profiles says; one no is a no."""
    engine.execute(
        """CREATE OR REPLACE TEMP TABLE consents AS
           SELECT customer_id, bool_and(marketing_consent) AS granted
           FROM links JOIN profiles USING (connection, source_id)
           WHERE NOT deleted AND marketing_consent IS NOT NULL GROUP BY customer_id"""
    )
    if not engine.value("SELECT count(*) FROM consents"):
        engine.execute("DROP TABLE temp.consents")


def _content_hash(engine: Engine) -> str:
    """A hash over all columns and rows that does not depend on the order of the rows."""
    parts = []
    for table in _tables(engine):
        facts = engine.rows(f"SELECT count(*), bit_xor(hash(t)), sum(hash(t) % 1000000007)::BIGINT FROM {table} AS t")
        parts.append(repr((table, sorted(engine.columns(table).items()), facts)))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _tables(engine: Engine) -> list[str]:
    """Tables of a snapshot that the warehouse has; identity's come with the first resolution."""
    present = {row[0] for row in engine.rows("SELECT table_name FROM duckdb_tables()")}
    return [table for table in SNAPSHOT_TABLES if table in present]


def _is_there(hub: Hub, snapshot: Snapshot) -> bool:
    return _files(hub, snapshot).keys() == snapshot.counts.keys()


def _files(hub: Hub, snapshot: Snapshot) -> dict[str, str]:
    try:
        return hub.snapshots.files(snapshot.location)
    except FileNotFoundError:
        return {}


def _write(hub: Hub, engine: DuckDBEngine, digest: str, as_of: dt.datetime, state: str) -> Snapshot:
    identifier = f"{hub.now():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
    counts = {}
    with hub.snapshots.new_folder(identifier) as folder:
        for table in _tables(engine):
            path = literal(str(folder / f"{table}.parquet"))
            engine.execute(f"COPY ({SNAPSHOT_TABLES[table]}) TO {path} (FORMAT parquet, COMPRESSION zstd)")
            counts[table] = int(engine.value(f"SELECT count(*) FROM {table}"))
        counts["lookup"] = _write_lookup(engine, folder / "lookup.parquet")
    snapshot = Snapshot(
        id=identifier,
        location=identifier,
        as_of=as_of,
        content_hash=digest,
        counts=counts,
        state=state,
        published_at=hub.now(),
    )
    hub.store.snapshots.publish(snapshot)
    return snapshot


def _write_lookup(engine: DuckDBEngine, file: Path) -> int:
    """Write what leads to a customer, in its order: whoever looks for one key reads a thousandth of the file."""
    with engine.register({"crosswalk": _crosswalk(engine)}):
        engine.execute(
            f"""COPY (FROM ({_LOOKUP}) ORDER BY key, customer_id)
                TO {literal(str(file))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 8192)"""
        )
    return int(engine.value(f"SELECT count(*) FROM read_parquet({literal(str(file))})"))


_LOOKUP = """
    SELECT value AS key, customer_id FROM customer_identifiers
    UNION SELECT profile, customer_id FROM links
    UNION SELECT source_id, customer_id FROM links
    UNION SELECT customer_id, customer_id FROM customers
    UNION SELECT customer, live FROM crosswalk"""


def _crosswalk(engine: Engine) -> pa.Table:
    """What the ids of earlier mean today; nothing before the first resolution, or while there is none of earlier."""
    if not engine.columns(f"{PREFIX}customers") or not engine.value(
        f"SELECT EXISTS (FROM {PREFIX}customers WHERE state <> 'live')"
    ):
        return identity.CROSSWALK.empty_table()
    parts = {name: engine.arrow(f"FROM {PREFIX}{name}") for name in ("customers", "history", "memberships")}
    return identity.crosswalk(identity.State.of(parts, ""))


def _prune(hub: Hub) -> int:
    """Remove the oldest snapshots beyond the number to keep, those aside from before the days to keep, and folders that
    a killed publish left."""
    keep = hub.settings.hub.keep_snapshots
    published = hub.store.snapshots.list(limit=keep + _PRUNED_AT_ONCE)
    since = hub.now() - dt.timedelta(days=hub.settings.hub.keep_days)
    aside = hub.store.snapshots.list(state="aside", limit=_PRUNED_AT_ONCE)
    old = [*published[keep:], *(snapshot for snapshot in aside if snapshot.published_at < since)]
    hub.store.snapshots.mark_pruned([snapshot.id for snapshot in old])
    gone = {snapshot.id for snapshot in old}
    locations = {snapshot.location for snapshot in (*published, *aside) if snapshot.id not in gone}
    present = [name.lstrip("/") for name in hub.snapshots.folders("")]
    hub.snapshots.remove(name for name in present if SNAPSHOT_NAME.fullmatch(name) and name not in locations)
    return len(old)


def snapshot_views(hub: Hub, engine: DuckDBEngine, snapshot: Snapshot) -> None:
    """Make a snapshot's tables readable by name in a workbench.

    Raises:
        StoreError: its files are not there.
    """
    files = _files(hub, snapshot)
    if not files:
        raise StoreError(
            "The files of the current snapshot are gone.",
            context={"snapshot": snapshot.id},
            hint="Run `hub publish`: it writes a new one from the warehouse.",
        )
    for table, path in files.items():
        engine.execute(f"CREATE OR REPLACE VIEW {table} AS FROM read_parquet({literal(path)})")
