"""Full reads: a source may keep a note from one completed read to the next; all else of its state is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from toy import Feed, Toy, alive, member

from hub.pipeline.ingest import ingest
from hub.records import Customer
from hub.source import KEPT, CursorKind, Page, State


class NotingFeed(Feed):
    """Two pages per full read; notes how many reads were completed before, and the states it was given."""

    def __init__(self) -> None:
        super().__init__(Customer, cursor=CursorKind.FULL)
        self.given: list[State] = []

    def read(self, state: State, part: str = "") -> Iterator[Page]:
        self.given.append(dict(state))
        kept = state.get(KEPT, {"reads": 0})
        for number in range(int(state.get("page", 0)), 2):
            reads = kept["reads"] + (number == 1)
            yield Page(records=[member(str(number))], cursor={"page": number + 1, KEPT: {"reads": reads}})


def test_only_what_is_kept_outlives_a_completed_full_read(tmp_path: Path) -> None:
    feed = NotingFeed()
    with Toy({"pos": {"members": feed}}).hub(tmp_path, batch_rows=1) as hub:
        for _ in range(3):
            assert ingest(hub).failed == []
        assert set(alive(hub)) == {"0", "1"}
    assert feed.given == [{}, {KEPT: {"reads": 1}}, {KEPT: {"reads": 2}}]
