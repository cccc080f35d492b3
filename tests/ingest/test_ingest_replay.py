"""What is read twice, late, out of order or in many small pieces ends in the same tables as if it had come once."""

from __future__ import annotations

from pathlib import Path

from toy import Feed, Toy, alive, facts, member, ticket

from hub.pipeline.ingest import ingest
from hub.pipeline.load import load
from hub.records import Customer, Order
from hub.source import Page


def members(*pages: Page) -> Toy:
    return Toy({"pos": {"members": Feed(Customer, list(pages))}})


def test_reading_everything_again_changes_nothing(tmp_path: Path) -> None:
    shop = Toy(
        {
            "pos": {
                "members": Feed(Customer, [Page(records=[member("1", "Ada", 1), member("2", "Bo")])], resumes=False),
                "tickets": Feed(Order, [Page(records=[ticket("t1", "3", "4")])], resumes=False),
            }
        }
    )
    with shop.hub(tmp_path) as hub:
        ingest(hub)
        before = facts(hub, bookkeeping=True)
        again = ingest(hub)
        assert again.changed == 0
        assert again.loaded["pos/profiles"].unchanged == 2
        assert facts(hub, bookkeeping=True) == before


def test_loading_twice_what_was_sealed_once_changes_nothing(tmp_path: Path) -> None:
    """The process died after the warehouse took a package in, before the store noted it."""
    with members(Page(records=[member("1", "Ada")])).hub(tmp_path) as hub:
        ingest(hub)
        before = facts(hub, bookkeeping=True)
        hub.store.packages.load_again(list(hub.store.packages.loaded()))
        assert load(hub).counts == {}
        assert facts(hub, bookkeeping=True) == before
        assert hub.store.packages.waiting() == []


def test_an_older_version_never_overwrites_a_newer_one(tmp_path: Path) -> None:
    pages = [Page(records=[member("1", name, minutes)]) for name, minutes in (("new", 5), ("old", 3), ("newest", 7))]
    for batch_rows in (1, 10):
        with members(*pages[:2]).hub(tmp_path / f"{batch_rows}", batch_rows=batch_rows) as hub:
            ingest(hub)
            assert alive(hub) == {"1": "new"}
        with members(*pages).hub(tmp_path / f"{batch_rows}", batch_rows=batch_rows) as hub:
            ingest(hub)
            assert alive(hub) == {"1": "newest"}


def test_a_version_between_two_equal_ones_does_not_overwrite_them(tmp_path: Path) -> None:
    """The same content was seen at minute 1 and again at minute 9: what held at minute 5 is history."""
    pages = [Page(records=[member("1", name, minutes)]) for name, minutes in (("Ada", 1), ("Ada", 9), ("Eve", 5))]
    with members(*pages).hub(tmp_path, batch_rows=1) as hub:
        ingest(hub)
        assert alive(hub) == {"1": "Ada"}


def test_a_later_time_of_change_alone_is_no_change_for_later_stages(tmp_path: Path) -> None:
    with members(Page(records=[member("1", "Ada", 1)])).hub(tmp_path) as hub:
        ingest(hub)
        before = facts(hub, bookkeeping=True)["profiles"][0]
    with members(Page(), Page(records=[member("1", "Ada", 9)])).hub(tmp_path) as hub:
        report = ingest(hub)
        after = facts(hub, bookkeeping=True)["profiles"][0]
    assert report.changed == 0
    assert after[-3:] == before[-3:]
    assert after[3] > before[3]


def test_a_record_without_a_time_of_change_counts_as_read(tmp_path: Path) -> None:
    pages = [Page(records=[member("1", name)]) for name in ("first", "second")]
    for batch_rows in (1, 10):
        with members(*pages).hub(tmp_path / f"{batch_rows}", batch_rows=batch_rows) as hub:
            ingest(hub)
            assert alive(hub) == {"1": "second"}


def test_versions_with_and_without_a_time_meet_in_the_order_of_reading(tmp_path: Path) -> None:
    pages = [Page(records=[member("1", name, minutes)]) for name, minutes in (("a", 9), ("b", None), ("c", 3))]
    for batch_rows in (1, 10):
        with members(*pages).hub(tmp_path / f"{batch_rows}", batch_rows=batch_rows) as hub:
            ingest(hub)
            assert alive(hub) == {"1": "c"}


def test_lines_are_replaced_with_their_ticket(tmp_path: Path) -> None:
    pages = [Page(records=[ticket("t1", "3", "4", "5", minutes=1)]), Page(records=[ticket("t1", "3", minutes=2)])]
    with Toy({"pos": {"tickets": Feed(Order, pages)}}).hub(tmp_path, batch_rows=1) as hub:
        ingest(hub)
        assert [row[2] for row in facts(hub)["orders_lines"]] == [0]


def test_a_deleted_record_stays_as_a_tombstone_and_may_come_back(tmp_path: Path) -> None:
    pages = [Page(records=[member("1", "Ada", 1), member("2", "Bo", 1)]), Page(deletions=["1", "never seen"])]
    with members(*pages).hub(tmp_path) as hub:
        report = ingest(hub)
        assert report.loaded["pos/profiles"].deleted == 1
        assert alive(hub) == {"2": "Bo"}
        assert len(facts(hub)["profiles"]) == 2
    with members(*pages, Page(records=[member("1", "Ada", 1)])).hub(tmp_path) as hub:
        ingest(hub)
        assert alive(hub) == {"1": "Ada", "2": "Bo"}


def test_a_record_deleted_and_given_again_in_one_read_ends_alive_or_not_by_its_version(tmp_path: Path) -> None:
    pages = [
        Page(records=[member("1", "Ada", 5), member("2", "Bo", 5)]),
        Page(deletions=["1", "2"]),
        Page(records=[member("1", "Ada is back", 6), member("2", "an old Bo", 4)]),
    ]
    for batch_rows in (1, 100):
        with members(*pages).hub(tmp_path / f"{batch_rows}", batch_rows=batch_rows) as hub:
            ingest(hub)
            assert alive(hub) == {"1": "Ada is back"}


def test_the_same_record_beside_other_records_is_still_the_same(tmp_path: Path) -> None:
    """A package holds files only for child tables that have rows; what a record is compared by must not depend on that."""
    bare = ticket("t1").model_copy(update={"tenders": ()})
    with Toy({"pos": {"tickets": Feed(Order, [Page(records=[bare])])}}).hub(tmp_path) as hub:
        ingest(hub)
    with Toy({"pos": {"tickets": Feed(Order, [Page(), Page(records=[bare, ticket("t2", "5")])])}}).hub(tmp_path) as hub:
        report = ingest(hub)
    assert (report.loaded["pos/orders"].inserted, report.loaded["pos/orders"].unchanged) == (1, 1)


def test_fields_a_platform_shuffles_are_no_change(tmp_path: Path) -> None:
    first = member("1", extra={"a": 1, "b": {"x": 1, "y": 2}})
    second = member("1", extra={"b": {"y": 2, "x": 1}, "a": 1})
    with members(Page(records=[first]), Page(records=[second])).hub(tmp_path, batch_rows=1) as hub:
        ingest(hub)
        assert facts(hub, bookkeeping=True)["profiles"][0][-1] == 1


def test_connections_do_not_touch_each_other_s_records(tmp_path: Path) -> None:
    feeds = {name: {"members": Feed(Customer, [Page(records=[member("1", name)])])} for name in ("east", "west")}
    feeds["west"]["members"].pages = [*feeds["west"]["members"].pages, Page(deletions=["1"])]
    with Toy(feeds).hub(tmp_path) as hub:
        ingest(hub)
        assert [(row[0], row[4]) for row in facts(hub)["profiles"]] == [("east", False), ("west", True)]


def test_a_warehouse_that_was_moved_away_is_built_anew_from_the_packages(tmp_path: Path) -> None:
    pages = [Page(records=[member("1", "Ada", 1)]), Page(deletions=["1"]), Page(records=[member("2", "Bo")])]
    with members(*pages).hub(tmp_path) as hub:
        ingest(hub)
        before = facts(hub)
        hub.settings.warehouse.unlink()
        ingest(hub)
        assert facts(hub) == before


def test_an_older_copy_of_the_warehouse_catches_up_with_the_packages(tmp_path: Path) -> None:
    with members(Page(records=[member("1", "Ada")])).hub(tmp_path) as hub:
        ingest(hub)
        backup = hub.settings.warehouse.read_bytes()
    pages = [Page(records=[member("1", "Ada")]), Page(records=[member("2", "Bo")]), Page(records=[member("3", "Cy")])]
    with members(*pages[:2]).hub(tmp_path) as hub:
        ingest(hub)
        hub.settings.warehouse.write_bytes(backup)
    with members(*pages).hub(tmp_path) as hub:
        ingest(hub)
        assert alive(hub) == {"1": "Ada", "2": "Bo", "3": "Cy"}
        assert "loaded again" in hub.store.runs.list(stage="load")[0].notes[0]
