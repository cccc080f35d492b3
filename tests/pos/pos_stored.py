"""Read back what a hub stored, as records, so that each row is checked against the contract once more."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, TypeVar

import orjson

from hub.columns import child_tables
from hub.context import Hub
from hub.records import Record
from hub.warehouse.engine import quoted

R = TypeVar("R", bound=Record)

_BOOKKEEPING = {"connection", "stream", "row_hash", "first_seen_at", "changed_seq"}


def stored(hub: Hub, record: type[R], *, deleted: bool = False) -> list[R]:
    """Every record of a type in the hub's warehouse, by source id; tombstones only if asked for."""
    with hub.warehouse() as engine:
        parents = _rows(engine, record.table)
        children: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
        for child in child_tables(record):
            for row in sorted(_rows(engine, child.name), key=lambda row: (row["source_id"], row["position"])):
                del row["position"]
                children[row.pop("source_id")][child.field or ""].append(row)
    records = []
    for row in sorted(parents, key=lambda row: str(row["source_id"])):
        extra = orjson.loads(row["extra"]) if row.get("extra") else {}
        parts = children[row["source_id"]]
        records.append(record.model_validate({**row, **parts, "extra": extra}))
    return [each for each in records if deleted or not each.deleted]


def _rows(engine: Any, table: str) -> list[dict[str, Any]]:
    names = [name for name in engine.columns(table) if name not in _BOOKKEEPING]
    rows = engine.rows(f"SELECT {', '.join(map(quoted, names))} FROM {table}")
    return [dict(zip(names, row, strict=True)) for row in rows]
