"""Looking back: the scores of an earlier day, worked out today, and nothing of the present moves."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from analysts import customers_are, office, scorer, segment, table
from toy import MORNING

from hub.context import Hub
from hub.errors import ConfigError
from hub.pipeline.history import publish_as_of
from hub.pipeline.publish import publish, snapshot_views
from hub.pipeline.score import score
from hub.pipeline.segment import segment as make_segments
from hub.scorer import TraitType
from hub.store.tables import Snapshot

DAY_OF_MONTH = scorer(
    "calendar",
    {"day": TraitType.INTEGER},
    lambda inputs: f"SELECT customer_id, {inputs.as_of.day} AS day FROM customers",
)
EVEN = segment("even_days", "day % 2 = 0")


def traits(hub: Hub, snapshot: Snapshot) -> list[tuple[object, ...]]:
    """The traits and memberships of a snapshot."""
    with hub.workbench() as engine:
        snapshot_views(hub, engine, snapshot)
        return engine.rows("SELECT customer_id, day, segment FROM traits LEFT JOIN members USING (customer_id)")


def test_a_backfill_gives_what_the_daily_runs_gave_and_leaves_the_present_alone(tmp_path: Path) -> None:
    days = [MORNING + dt.timedelta(days=number) for number in range(4)]
    with office(tmp_path, DAY_OF_MONTH, segments=[EVEN]) as hub:
        customers_are(hub, "anna")
        for day in days:
            score(hub, day)
            make_segments(hub)
            publish(hub)
        daily = {found.as_of: traits(hub, found) for found in hub.store.snapshots.list()}
        current, present = hub.store.snapshots.current(), table(hub, "FROM traits")
        members = table(hub, "FROM members")
        reports = [publish_as_of(hub, day) for day in days]
        assert all(report.is_new for report in reports)
        again = {found.as_of: traits(hub, found) for found in hub.store.snapshots.list(state="aside")}
        assert again == daily
        assert hub.store.snapshots.current() == current
        assert (table(hub, "FROM traits"), table(hub, "FROM members")) == (present, members)


def test_what_is_kept_aside_goes_with_the_row_logs(tmp_path: Path) -> None:
    moment = MORNING

    with office(tmp_path, DAY_OF_MONTH, clock=lambda: moment) as hub:
        customers_are(hub, "anna")
        score(hub)
        publish(hub)
        aside = publish_as_of(hub, MORNING - dt.timedelta(days=3)).snapshot
        score(hub, MORNING + dt.timedelta(days=1))
        publish(hub)
        assert aside in {name.strip("/") for name in hub.snapshots.folders("")}
        moment = MORNING + dt.timedelta(days=91)
        score(hub)
        publish(hub)
        assert aside not in {name.strip("/") for name in hub.snapshots.folders("")}
        assert hub.store.snapshots.list(state="aside") == []


def test_there_must_be_something_to_look_back_into(tmp_path: Path) -> None:
    with office(tmp_path, DAY_OF_MONTH) as hub:
        hub.settings.warehouse.unlink()
        with pytest.raises(ConfigError, match="hub ingest"):
            publish_as_of(hub, MORNING)
