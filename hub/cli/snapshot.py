"""The current snapshot, opened for reading: works while the pipeline writes, in any number of processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.context import Hub
    from hub.warehouse.engine import DuckDBEngine

__all__ = ["current_snapshot", "snapshot_needed"]


@contextmanager
def current_snapshot(hub: Hub) -> Iterator[DuckDBEngine | None]:
    """Yield an engine in which the tables of the current snapshot can be read, or None when there is none yet."""
    from hub.pipeline.publish import snapshot_views

    snapshot = hub.store.snapshots.current()
    if snapshot is None:
        yield None
        return
    with hub.workbench() as engine:
        snapshot_views(hub, engine, snapshot)
        yield engine


def snapshot_needed() -> ConfigError:
    """Return the error of a command that needs a snapshot when there is none."""
    return ConfigError(
        "There is no snapshot to read yet.",
        code="snapshot_missing",
        hint="Run `hub run`, or `hub publish` after scoring.",
    )
