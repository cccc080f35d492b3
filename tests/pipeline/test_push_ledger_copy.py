"""The columnar copy of a large ledger: never anything but what the store says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crm import SYNC, Crm, Person, Wall, desk, publish_people, rejected
from sqlalchemy import text

from hub.context import Hub
from hub.pipeline.push import push
from hub.pipeline.push_ledger import load_ledger
from hub.pipeline.reconcile import reconcile, resend


def loaded(hub: Hub, folder: Path | None) -> list[tuple[Any, ...]]:
    """The ledger of target people as the workbench gets it."""
    with hub.workbench() as engine:
        load_ledger(engine, hub.store, "crm", "people", folder, large=1)
        return engine.rows("FROM ledger ORDER BY key")


def test_after_any_change_the_copy_with_what_came_since_is_the_ledger(tmp_path: Path, crm: Crm, clock: Wall) -> None:
    copies = tmp_path / "copies"
    with desk(tmp_path, crm, SYNC, clock=clock) as hub:

        def check() -> None:
            assert loaded(hub, copies) == loaded(hub, None)

        publish_people(hub, [Person(name) for name in "abcdef"])
        push(hub)
        check()
        (copy,) = copies.glob("*.parquet")
        publish_people(hub, [Person(name, "silver") for name in "bcdefg"])
        crm.answer = lambda operation: rejected(operation) if operation.key == "c" else crm.after(operation)
        push(hub)
        check()
        crm.by_hand("d", level="bronze")
        reconcile(hub, "sync1", repair=True)
        check()
        resend(hub, "sync1")
        check()
        copy.unlink()
        check()
        assert list(copies.glob("*")) == [copy]


def test_a_copy_that_does_not_fit_the_store_is_made_anew(tmp_path: Path, crm: Crm) -> None:
    copies = tmp_path / "copies"
    with desk(tmp_path, crm, SYNC) as hub:
        publish_people(hub, [Person(name) for name in "abc"])
        push(hub, ["sync1"])
        loaded(hub, copies)
        with hub.store.database.write() as session:
            session.execute(text("DELETE FROM ledger WHERE key = 'b'"))
        assert [row[0] for row in loaded(hub, copies)] == ["a", "c"]
        push(hub, ["sync1"])
        assert loaded(hub, copies) == loaded(hub, None)
