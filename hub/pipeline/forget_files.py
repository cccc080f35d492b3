"""Take a forgotten person's rows out of the files that later stages made: snapshots, plans, copies of ledgers."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path

from hub.context import Hub
from hub.pipeline.forget_person import people_tables
from hub.pipeline.publish import SNAPSHOT_NAME
from hub.storage import make_durable
from hub.store.forgotten import Person
from hub.store.tables import Snapshot
from hub.warehouse.engine import Engine, literal

__all__ = [
    "OTHERS",
    "cut_plans",
    "cut_snapshots",
    "found_in_plans",
    "found_in_snapshots",
    "mine",
    "without_profiles",
]

OTHERS = "list_filter(t.profiles, lambda one: NOT list_contains(getvariable('person_profiles'), one))"
"""SQL of the other people's profiles of an identity event."""


def found_in_snapshots(hub: Hub, person: Person) -> dict[str, int]:
    """Return how many rows of all kept snapshots tell of a person, by table."""
    found: dict[str, int] = {}
    with hub.workbench() as engine:
        people_tables(engine, person.customers, person.profiles)
        for snapshot in _kept(hub):
            for table, count in _rows_in(engine, hub.snapshots.files(snapshot.location)).items():
                found[table] = found.get(table, 0) + count
    return found


def cut_snapshots(hub: Hub, person: Person) -> None:
    """Write every kept snapshot that tells of a person anew, and remove the old files."""
    with hub.workbench() as engine:
        people_tables(engine, person.customers, person.profiles)
        for snapshot in _kept(hub):
            files = hub.snapshots.files(snapshot.location)
            if _rows_in(engine, files):
                _cut_snapshot(hub, engine, snapshot, files)
    known = {snapshot.location for snapshot in _kept(hub)}
    present = [name.lstrip("/") for name in hub.snapshots.folders("")]
    hub.snapshots.remove(name for name in present if SNAPSHOT_NAME.fullmatch(name) and name not in known)


def _kept(hub: Hub) -> Sequence[Snapshot]:
    return [one for state in ("published", "aside") for one in hub.store.snapshots.list(limit=10_000, state=state)]


def _rows_in(engine: Engine, files: dict[str, str]) -> dict[str, int]:
    counts = {}
    for table, file in files.items():
        source = f"read_parquet({literal(file)})"
        if where := mine(engine.arrow(f"SELECT * FROM {source} LIMIT 0").column_names):
            counts[table] = int(engine.value(f"SELECT count(*) FROM {source} WHERE {where}"))
    return {table: count for table, count in counts.items() if count}


def _cut_snapshot(hub: Hub, engine: Engine, snapshot: Snapshot, files: dict[str, str]) -> None:
    location = f"{snapshot.location.rpartition('-')[0]}-{uuid.uuid4().hex[:8]}"
    counts = {}
    with hub.snapshots.new_folder(location) as folder:
        for table, file in files.items():
            source, target = f"read_parquet({literal(file)})", folder / f"{table}.parquet"
            columns = engine.arrow(f"SELECT * FROM {source} LIMIT 0").column_names
            where = mine(columns)
            kept = f"SELECT {without_profiles(columns)} FROM {source} AS t" + (f" WHERE NOT ({where})" if where else "")
            engine.execute(f"COPY ({kept}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd)")
            counts[table] = int(engine.value(f"SELECT count(*) FROM read_parquet({literal(str(target))})"))
    hub.store.snapshots.move(snapshot, location, counts)


def mine(columns: Sequence[str]) -> str:
    """SQL of the condition that a row of a table with these columns is the person's; empty where none can be."""
    customers, profiles = "IN (SELECT customer FROM person_customers)", "IN (SELECT profile FROM person_profiles)"
    parts = [
        f'coalesce("{name}" {customers}, false)' for name in ("customer_id", "customer", "other") if name in columns
    ]
    parts += [f'coalesce("{name}" {profiles}, false)' for name in ("profile", "left", "right") if name in columns]
    return " OR ".join(parts)


def without_profiles(columns: Sequence[str]) -> str:
    """SQL of a row's columns, the person's profiles left out of lists of profiles: an event may be of several people."""
    return f"t.* REPLACE ({OTHERS} AS profiles)" if {"event", "profiles"} <= set(columns) else "t.*"


def found_in_plans(hub: Hub, person: Person) -> dict[str, int]:
    """Return how many rows of open plans and of ledgers' copies are a person's."""
    found = {}
    with hub.workbench() as engine:
        people_tables(engine, person.customers, person.profiles)
        for place in ("plans", "ledgers"):
            found[place] = sum(_count_in(engine, file) for file in _files(hub, place))
    return {place: count for place, count in found.items() if count}


def cut_plans(hub: Hub, person: Person) -> None:
    """Write open plans anew without a person, and remove copies of ledgers that name him: a push makes them again."""
    with hub.workbench() as engine:
        people_tables(engine, person.customers, person.profiles)
        for file in _files(hub, "plans"):
            if _count_in(engine, file):
                aside = file.with_suffix(".rewritten")
                kept = f"SELECT * FROM read_parquet({literal(str(file))}) WHERE NOT ({mine(['customer_id'])})"
                engine.execute(f"COPY ({kept}) TO {literal(str(aside))} (FORMAT parquet, COMPRESSION zstd)")
                make_durable(aside)
                aside.replace(file)
        for file in _files(hub, "ledgers"):
            if _count_in(engine, file):
                file.unlink()


def _files(hub: Hub, place: str) -> list[Path]:
    return sorted((hub.settings.home / place).glob("**/*.parquet"))


def _count_in(engine: Engine, file: Path) -> int:
    return int(engine.value(f"SELECT count(*) FROM read_parquet({literal(str(file))}) WHERE {mine(['customer_id'])}"))
