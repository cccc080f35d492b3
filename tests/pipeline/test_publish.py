"""Snapshots: immutable, new only when something changed, pruned, on a disk or on any fsspec URL."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import fsspec
import pyarrow.parquet as pq
import pytest
from analysts import customers_are, office, scorer, table
from crm import SYNC, Crm, Person, Wall, desk, publish_people
from sqlalchemy import func, select
from toy import MORNING

from hub.context import Hub
from hub.errors import StoreError
from hub.pipeline.publish import publish, snapshot_views
from hub.pipeline.push import push
from hub.pipeline.score import score
from hub.scorer import TraitType
from hub.source import Reject
from hub.store.tables import Cursor, Delivery, Plan, RejectedRow, Run


def folders(hub: Hub) -> set[str]:
    """What is in the place of the snapshots."""
    return {name.lstrip("/") for name in hub.snapshots.folders("")} - {".writing"}


def read(hub: Hub, query: str) -> list[tuple[object, ...]]:
    """Rows of a query over the current snapshot."""
    snapshot = hub.store.snapshots.current()
    assert snapshot is not None
    with hub.workbench() as engine:
        snapshot_views(hub, engine, snapshot)
        return engine.rows(query)


def test_a_snapshot_holds_what_the_warehouse_held(tmp_path: Path) -> None:
    with office(tmp_path) as hub:
        customers_are(hub, "bo", "anna")
        report = publish(hub)
        assert report.is_new
        assert (report.counts["customers"], report.counts["members"]) == (2, 0)
        customers_are(hub, "cyril")
        assert read(hub, "SELECT customer_id FROM customers") == [("anna",), ("bo",)]
        file = tmp_path / ".hub" / "snapshots" / report.snapshot / "customers.parquet"
        assert pq.read_table(file).num_rows == 2


def test_the_same_content_makes_no_new_one(tmp_path: Path, clock: Wall) -> None:
    with office(tmp_path, clock=clock) as hub:
        customers_are(hub, "bo", "anna")
        first = publish(hub)
        clock.advance(days=1)
        customers_are(hub, "anna", "bo")
        again = publish(hub)
        assert (again.snapshot, again.is_new, again.counts) == (first.snapshot, False, first.counts)
        customers_are(hub, "anna", "bob")
        assert publish(hub).is_new


def test_a_trait_that_is_only_renamed_makes_a_new_one(tmp_path: Path) -> None:
    for name in ("old", "new"):
        made = scorer("one", {name: TraitType.INTEGER}, f"SELECT customer_id, 1 AS {name} FROM customers")
        with office(tmp_path, made) as hub:
            customers_are(hub, "anna")
            score(hub)
            assert publish(hub).is_new
            assert read(hub, f"SELECT {name} FROM traits") == [(1,)]


def test_as_of_is_that_of_the_scores(tmp_path: Path) -> None:
    with office(tmp_path) as hub:
        score(hub, MORNING - dt.timedelta(days=3))
        report = publish(hub)
        assert report.as_of == MORNING - dt.timedelta(days=3)


def test_old_ones_are_pruned_and_litter_is_swept(tmp_path: Path, clock: Wall) -> None:
    with office(tmp_path, config="[hub]\nkeep_snapshots = 2", clock=clock) as hub:
        place = tmp_path / ".hub" / "snapshots"
        names = []
        for name in ("anna", "bo", "cyril"):
            customers_are(hub, name)
            clock.advance(minutes=1)
            names.append(publish(hub).snapshot)
        assert folders(hub) == set(names[1:])
        assert [snapshot.id for snapshot in hub.store.snapshots.list()] == names[:0:-1]
        (place / "20260101T000000-0123abcd").mkdir()
        (place / "notes").mkdir()
        customers_are(hub, "di")
        clock.advance(minutes=1)
        last = publish(hub)
        assert last.pruned == 1
        assert folders(hub) == {names[2], last.snapshot, "notes"}, "what is no snapshot is nobody's to remove"


def test_a_publish_that_dies_leaves_the_old_one_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with office(tmp_path) as hub:
        customers_are(hub, "anna")
        first = publish(hub)
        customers_are(hub, "bo")
        with monkeypatch.context() as patch:
            patch.setattr(hub.store.snapshots, "publish", _die)
            with pytest.raises(KeyboardInterrupt):
                publish(hub)
        assert len(folders(hub)) == 2
        assert read(hub, "SELECT customer_id FROM customers") == [("anna",)]
        second = publish(hub)
        assert folders(hub) == {first.snapshot, second.snapshot}
        assert read(hub, "SELECT customer_id FROM customers") == [("bo",)]


def _die(_: object) -> None:
    raise KeyboardInterrupt


def test_files_that_are_gone_are_told_and_written_anew(tmp_path: Path, crm: Crm) -> None:
    with desk(tmp_path, crm, SYNC) as hub:
        first = publish_people(hub, [Person("a")])
        hub.snapshots.remove([first.snapshot])
        report = push(hub).syncs[0]
        assert isinstance(report.error, StoreError)
        assert "hub publish" in report.error.hint
        assert publish(hub).is_new
        assert push(hub).syncs[0].outcomes == {"accepted": 1}


def test_snapshots_may_be_kept_anywhere(tmp_path: Path, crm: Crm, clock: Wall) -> None:
    root = f"memory://{tmp_path.name}/snapshots"
    with desk(tmp_path, crm, SYNC, clock=clock, extra=f'[hub]\nsnapshots = "{root}"\nkeep_snapshots = 1') as hub:
        for level in ("gold", "silver"):
            clock.advance(minutes=1)
            report = publish_people(hub, [Person("a", level)])
            push(hub)
        assert crm.holds() == {"a": {"level": "silver"}}
        assert folders(hub) == {report.snapshot}
        assert not publish(hub).is_new
    fsspec.filesystem("memory").rm(f"/{tmp_path.name}", recursive=True)


def test_row_logs_are_forgotten_after_a_time_and_the_ledger_never(tmp_path: Path, crm: Crm, clock: Wall) -> None:
    counted = (Run, Delivery, RejectedRow, Plan)
    with desk(tmp_path, crm, SYNC, clock=clock, extra="[hub]\nkeep_days = 10") as hub:
        publish_people(hub, [Person("a")])
        push(hub)
        reject(hub)
        assert [count(hub, kind) for kind in counted] == [2, 1, 1, 1]
        clock.advance(days=9)
        publish(hub)
        assert [count(hub, kind) for kind in counted] == [3, 1, 1, 1]
        clock.advance(days=2)
        publish(hub)
        assert [count(hub, kind) for kind in counted] == [2, 0, 0, 0]
        assert push(hub).syncs[0].planned.unchanged == 1
        assert table(hub, "SELECT customer_id FROM customers") == [("a",)]


def test_what_is_still_being_sent_is_not_forgotten(tmp_path: Path, crm: Crm, clock: Wall) -> None:
    with desk(tmp_path, crm, SYNC, clock=clock, extra="[hub]\nkeep_days = 10") as hub:
        publish_people(hub, [Person("a"), Person("b"), Person("c")])
        crm.answer = _die  # type: ignore[assignment]
        with pytest.raises(KeyboardInterrupt):
            push(hub)
        clock.advance(days=30)
        publish(hub)
        assert (count(hub, Delivery), count(hub, Plan)) == (2, 1)


def reject(hub: Hub) -> None:
    """Put one rejected row into the store."""
    cursor = Cursor(connection="pos", stream="s", partition="", state={})
    with hub.store.leases.hold("test") as lease:
        hub.store.packages.seal(None, cursor, [Reject("f:1", "bad", "Bad.")], run_id="r", lease=lease)


def count(hub: Hub, kind: type) -> int:
    """How many rows a table of the store has."""
    with hub.store.database.read() as session:
        return int(session.scalar(select(func.count()).select_from(kind)) or 0)
