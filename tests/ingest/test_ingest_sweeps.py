"""Full reads: what a completed one did not contain is gone; a broken or empty one takes nothing away."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy import Feed, Toy, alive, facts, member

from hub.columns import to_arrow
from hub.errors import RetryError
from hub.hookspecs import hookimpl  # noqa: F401 - the toy's hooks
from hub.pipeline.ingest import IngestReport, ingest
from hub.records import Customer, Product
from hub.source import CursorKind, Page, Reject


def read(folder: Path, *pages: Page | Exception, resumes: bool = True, batch_rows: int = 2) -> IngestReport:
    feed = Feed(Customer, pages, CursorKind.FULL, resumes=resumes)
    with Toy({"pos": {"members": feed}}).hub(folder, batch_rows=batch_rows) as hub:
        report = ingest(hub)
        report.now_alive = set(alive(hub))  # type: ignore[attr-defined]
        return report


def page(*ids: str) -> Page:
    return Page(records=[member(number, f"name {number}") for number in ids])


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 100])
def test_what_a_completed_full_read_did_not_contain_is_deleted(tmp_path: Path, batch_rows: int) -> None:
    read(tmp_path, page("1", "2"), page("3", "4"), batch_rows=batch_rows)
    report = read(tmp_path, page("2"), page("3"), page("5"), batch_rows=batch_rows)
    assert report.now_alive == {"2", "3", "5"}
    assert report.loaded["pos/profiles"].deleted == 2


def test_what_comes_back_in_a_later_full_read_is_alive_again(tmp_path: Path) -> None:
    read(tmp_path, page("1", "2"))
    read(tmp_path, page("2"))
    assert read(tmp_path, page("1", "2")).now_alive == {"1", "2"}


def test_a_full_read_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    read(tmp_path, page("1", "2"), page("3"))
    assert read(tmp_path, page("1", "2"), page("3")).changed == 0


@pytest.mark.parametrize(
    "empty",
    [[], [Page()], [Page(tables=to_arrow(Customer, []))]],
    ids=["no page", "a page without records", "a table without rows"],
)
def test_an_empty_full_read_deletes_nothing_and_says_so(tmp_path: Path, empty: list[Page]) -> None:
    read(tmp_path, page("1", "2"))
    report = read(tmp_path, *empty)
    assert report.now_alive == {"1", "2"}
    assert report.notes == ["pos/profiles: a full read gave no record at all; nothing was deleted."]


def test_a_full_read_that_broke_off_deletes_nothing_until_it_is_completed(tmp_path: Path) -> None:
    read(tmp_path, page("1", "2"), page("3"))
    broken = read(tmp_path, page("2", "5"), RetryError("busy"))
    assert broken.failed[0].error.message == "busy"
    assert broken.now_alive == {"1", "2", "3", "5"}
    assert read(tmp_path, page("2", "5"), page("6")).now_alive == {"2", "5", "6"}


def test_a_full_read_that_begins_anew_forgets_its_first_attempt(tmp_path: Path) -> None:
    """Without a cursor the second attempt reads everything: what only the first one saw is gone by now."""
    read(tmp_path, page("1"), resumes=False)
    read(tmp_path, page("2"), RetryError("busy"), resumes=False, batch_rows=1)
    assert read(tmp_path, page("3"), resumes=False).now_alive == {"3"}


def test_a_rejected_row_that_tells_its_id_is_not_taken_for_deleted(tmp_path: Path) -> None:
    read(tmp_path, page("1", "2"))
    bad = Page(rejects=[Reject("members#1", "row_invalid", "The birthday is no date.", source_id="1")])
    report = read(tmp_path, page("2"), bad)
    assert report.now_alive == {"1", "2"}
    assert report.streams[0].rejects == 1


def test_a_full_read_takes_away_only_what_its_own_stream_brought(tmp_path: Path) -> None:
    feeds = {
        "list": Feed(Product, [Page(records=[Product(source_id="1", name="tea")])], CursorKind.FULL, resumes=False),
        "extra": Feed(Product, [Page(records=[Product(source_id="2", name="cup")])]),
    }
    shop = Toy({"pos": feeds})
    with shop.hub(tmp_path) as hub:
        ingest(hub)
        feeds["list"].pages = [Page(records=[Product(source_id="3", name="pot")])]
        ingest(hub)
        assert alive(hub, "products") == {"2": "cup", "3": "pot"}


def test_a_stream_in_parts_cannot_be_read_in_full(tmp_path: Path) -> None:
    shop = Toy(
        {"pos": {"members": Feed(Customer, [], CursorKind.FULL, parts=("a",)), "ok": Feed(Customer, [page("1")])}}
    )
    with shop.hub(tmp_path) as hub:
        report = ingest(hub)
    assert "must be one or the other" in str(report.failed[0].error)


def test_bulk_full_reads_delete_too(tmp_path: Path) -> None:
    def bulk(*ids: str) -> Page:
        return Page(tables=to_arrow(Customer, [member(number, "x") for number in ids]))

    read(tmp_path, bulk("1", "2"), bulk("3"))
    assert read(tmp_path, bulk("1"), bulk("4")).now_alive == {"1", "4"}


def test_children_of_a_deleted_record_stay_with_its_tombstone(tmp_path: Path) -> None:
    read(tmp_path, page("1", "2"))
    read(tmp_path, page("2"))
    with Toy({"pos": {}}).hub(tmp_path) as hub:
        assert [row[1] for row in facts(hub)["profiles_identifiers"]] == ["1", "2"]
