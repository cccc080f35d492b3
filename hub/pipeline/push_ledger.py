"""Bring a target's ledger into the workbench, in time that depends on what changed, not on how much there is.

The store keeps the ledger row by row; comparing needs it in columns. Large ledgers are therefore kept as a Parquet file beside
it, and only the rows that changed since are read from the store. The file is a copy that can be deleted at any time: one that
does not fit the store (another machine pushed, a backup was restored) is made anew.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from hub.store.store import Store
from hub.warehouse.engine import Engine, literal

__all__ = ["load_ledger"]

_COLUMNS = """key VARCHAR, sync VARCHAR, customer_id VARCHAR, accepted_hash VARCHAR, attempted_hash VARCHAR, doubtful BOOLEAN,
    outcome VARCHAR, remote_id VARCHAR, version BIGINT, failures INTEGER, first_failed_at TIMESTAMPTZ, changed_at TIMESTAMPTZ,
    touched BIGINT"""
_LARGE = 100_000
"""Rows from which on a copy is worth its while."""
_STALE = 0.05
"""Share of changed rows from which on the copy is made anew."""


def load_ledger(
    engine: Engine, store: Store, connection: str, target: str, folder: Path | None, *, large: int = _LARGE
) -> int:
    """Make table ``ledger`` of a workbench.

    Args:
        engine: the workbench.
        store: the ledger's home.
        connection, target: whose ledger.
        folder: where copies of large ledgers are kept; None for no copy.
        large: number of rows from which on one is kept.

    Returns:
        How many rows it has.
    """
    rows = store.ledger.rows(connection, target)
    copy = _copy_of(folder, connection, target) if folder is not None and rows >= large else None
    if copy is not None and copy.exists():
        changed = _view_of(engine, store, connection, target, copy)
        if engine.value("SELECT count(*) FROM ledger") == rows:
            if changed > rows * _STALE:
                _keep(engine, copy)
            return rows
        engine.execute("DROP VIEW ledger")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE ledger ({_COLUMNS})")
    _load(engine, store, connection, target, "ledger", after=-1)
    if copy is not None:
        _keep(engine, copy)
    return rows


def _view_of(engine: Engine, store: Store, connection: str, target: str, copy: Path) -> int:
    """Read the copy in place, with what changed since it was made; return how many rows that were."""
    file = f"read_parquet({literal(str(copy))})"
    through = engine.value(f"SELECT max(touched) FROM {file}")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE ledger_changes ({_COLUMNS})")
    _load(engine, store, connection, target, "ledger_changes", after=int(through or 0))
    changed = int(engine.value("SELECT count(*) FROM ledger_changes"))
    same = f"SELECT * FROM {file} ANTI JOIN ledger_changes USING (key)" if changed else f"FROM {file}"
    engine.execute(f"CREATE OR REPLACE TEMP VIEW ledger AS {same} UNION ALL BY NAME FROM ledger_changes")
    return changed


def _load(engine: Engine, store: Store, connection: str, target: str, table: str, *, after: int) -> None:
    names: Sequence[str] = tuple(engine.columns(table))
    for chunk in store.ledger.columns(connection, target, names, after=after):
        with engine.register({"ledger_chunk": pa.table(dict(zip(names, chunk, strict=True)))}):
            engine.execute(f"INSERT INTO {table} BY NAME FROM ledger_chunk")


def _copy_of(folder: Path, connection: str, target: str) -> Path:
    # Names of targets are the plugins' own; a digest is a file name everywhere.
    digest = hashlib.sha256(f"{connection}\n{target}".encode()).hexdigest()[:16]
    return folder / f"{digest}.parquet"


def _keep(engine: Engine, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    writing = copy.with_suffix(f".{uuid.uuid4().hex}.writing")
    engine.execute(f"COPY ledger TO {literal(str(writing))} (FORMAT parquet, COMPRESSION zstd)")
    writing.replace(copy)
