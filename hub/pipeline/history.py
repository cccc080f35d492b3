"""Look back: the scores and segments as they would have been at an earlier instant, beside the present ones.

The work is done on a copy of the warehouse, so that present traits, the history of memberships and the current snapshot
stay as they are, and nothing of the past is pushed.
"""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import replace

from hub.context import Hub
from hub.errors import ConfigError
from hub.pipeline.publish import PublishReport, publish
from hub.pipeline.score import score
from hub.pipeline.segment import segment
from hub.scratch import private_folder

__all__ = ["publish_as_of"]


def publish_as_of(hub: Hub, as_of: dt.datetime) -> PublishReport:
    """Score and segment for an instant that has passed, and keep the result as a snapshot aside.

    Args:
        hub: the opened hub.
        as_of: the instant; facts from later are not looked at.

    Returns:
        The snapshot. Doing it again gives the same traits and members.

    Raises:
        ConfigError: there is no warehouse yet, or ``as_of`` has no time zone.
        LeaseHeldError: another process has the warehouse open.
    """
    if not hub.settings.warehouse.exists():
        raise ConfigError(
            "There is no warehouse to look back into.", code="warehouse_missing", hint="Run `hub ingest` first."
        )
    with private_folder(hub.scratch) as folder:
        copy = folder / "warehouse.duckdb"
        with hub.warehouse() as engine:
            engine.execute("CHECKPOINT")
            shutil.copyfile(hub.settings.warehouse, copy)
        settings = replace(hub.settings, hub=hub.settings.hub.model_copy(update={"warehouse": str(copy)}))
        with Hub(settings, hub.plugins, now=hub.now, sleep=hub.sleep, progress=hub.progress) as past:
            past.store.runs.parent = hub.store.runs.parent
            score(past, as_of)
            segment(past)
            return publish(past, aside=True)
