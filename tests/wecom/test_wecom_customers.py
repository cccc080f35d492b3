"""Reading customers: one profile each, the fewest calls, only what changed, and nothing lost on the way."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from toy import alive
from wecom_rig import Rig, chain, customer, guide, rig

from hub.context import Hub
from hub.errors import RetryError
from hub.pipeline.ingest import StreamReport, ingest
from hub.source import CursorKind
from plugins.wecom.client import WecomClient

BATCH = "batch/get_by_user"


def read(hub: Hub) -> StreamReport:
    report = ingest(hub, ["wecom"], ["customers"])
    assert report.load_error is None
    return report.streams[0]


def profile(hub: Hub, number: int) -> dict[str, Any]:
    with hub.warehouse() as engine:
        rows = engine.arrow(f"SELECT * FROM profiles WHERE source_id = '{customer(number)}'").to_pylist()
    return dict(rows[0])


def children(hub: Hub, table: str, number: int) -> list[dict[str, Any]]:
    with hub.warehouse() as engine:
        sql = f"SELECT * FROM profiles_{table} WHERE source_id = '{customer(number)}' ORDER BY position"
        return [dict(row) for row in engine.arrow(sql).to_pylist()]


def test_a_customer_of_two_guides_is_one_profile_with_both_relations(corp: Rig) -> None:
    corp.corp.act("edits", userid=guide(1), external_userid=customer(2), remark="橙子-VIP", description="喜欢连衣裙")
    corp.corp.db.execute(
        "UPDATE relations SET phones = ? WHERE userid = ? AND id = ?", ["154 0000 0002"], guide(0), customer(2)
    )
    with corp.hub() as hub:
        assert read(hub).records == 6
        found = profile(hub, 2)
        relations = children(hub, "relations", 2)
        identifiers = children(hub, "identifiers", 2)
    assert (found["nickname"], found["gender"], found["belonging_guide_id"]) == ("顾客2", "female", guide(0))
    assert found["acquired_through"] == "store_s1"
    assert [(row["staff_id"], row["remark"], row["add_way"]) for row in relations] == [
        (guide(0), "顾客2", "scan"), (guide(1), "橙子-VIP", "scan")
    ]  # fmt: skip
    scope = corp.corp.credentials["corp_id"]
    assert [(row["kind"], row["value"], row["scope"], row["assurance"]) for row in identifiers] == [
        ("external_userid", customer(2), scope, "issued"),
        ("unionid", f"o{2:027d}", None, "issued"),
        ("phone", "154 0000 0002", None, "typed_by_staff"),
    ]


def test_tags_of_a_relation_carry_their_names_from_the_library(corp: Rig) -> None:
    group = corp.corp.put_group("会员等级", "console")
    tag = corp.corp.put_tag(group["id"], "金卡", "console")["id"]
    strategy = corp.corp.put_tag(corp.corp.put_group("规则", "console", strategy=True)["id"], "高潜", "console")["id"]
    corp.corp.db.load(
        "INSERT INTO marks VALUES (?, ?, ?)", [(guide(0), customer(1), each) for each in (tag, strategy, "et-gone")]
    )
    with corp.hub() as hub:
        read(hub)
        assert profile(hub, 1)["tags"] == ["et-gone", "金卡", "高潜"]


def test_a_second_read_gives_only_what_changed_and_names_what_is_gone(corp: Rig) -> None:
    with corp.hub() as hub:
        assert read(hub).records == 6
        assert read(hub).records == 0
        corp.corp.act("edits", userid=guide(1), external_userid=customer(3), description="老客")
        corp.corp.act("drops", userid=guide(2), external_userid=customer(6))
        corp.corp.act("drops", userid=guide(1), external_userid=customer(2))
        added = corp.corp.act("adds", userid=guide(2), name="新客")
        report = ingest(hub, ["wecom"], ["customers"])
        counts = report.loaded["wecom/profiles"]
        assert (counts.inserted, counts.updated, counts.deleted, counts.unchanged) == (1, 2, 1, 0)
        assert set(alive(hub)) == {customer(n) for n in range(1, 6)} | {added}
        assert [row["staff_id"] for row in children(hub, "relations", 2)] == [guide(0)]
        assert ingest(hub, ["wecom"], ["customers"]).changed == 0


def test_a_deleted_customer_who_comes_back_is_alive_again(corp: Rig) -> None:
    with corp.hub() as hub:
        read(hub)
        corp.corp.act("drops", userid=guide(2), external_userid=customer(6))
        read(hub)
        assert customer(6) not in alive(hub)
        corp.corp.act("adds", userid=guide(1), external_userid=customer(6), name="顾客6")
        read(hub)
        assert customer(6) in alive(hub)


def test_a_full_read_needs_no_more_calls_than_the_api_allows(tmp_path: Path) -> None:
    pairs = [(n % 120, n) for n in range(1500)] + [((n * 7 + 1) % 120, n) for n in range(0, 1500, 10)]
    with rig(tmp_path, chain(staff=120, follows=sorted(set(pairs)))) as corp:
        sizes = [
            corp.corp.db.value(f"SELECT count(*) FROM relations WHERE userid IN ({marks})")
            for marks in (
                ", ".join(f"'{guide(n)}'" for n in range(100)), ", ".join(f"'{guide(n)}'" for n in range(100, 120))
            )
        ]  # fmt: skip
        with corp.source() as source:
            stream = next(each for each in source.streams() if each.name == "customers")
            assert sum(len(page.records) for page in stream.read({})) == 1500
        least = sum(math.ceil(size / 100) for size in sizes)
        assert corp.calls(BATCH) == least
        times = [entry.at for entry in corp.corp.journal.entries(endpoint=BATCH)]
        assert all(later - earlier >= 1 for earlier, later in zip(times, times[20:], strict=False))


def test_a_read_that_was_interrupted_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with rig(tmp_path, chain(staff=2, follows=[(n % 2, n) for n in range(450)])) as corp, corp.hub() as hub:
        page = WecomClient.contact_page
        calls: list[str] = []

        def failing(self: WecomClient, userids: Any, cursor: str) -> Any:
            calls.append(cursor)
            if len(calls) == 4:
                raise RetryError("The line is down.")
            return page(self, userids, cursor)

        monkeypatch.setattr(WecomClient, "contact_page", failing)
        assert read(hub).state == "failed"
        assert read(hub).records == 450
        assert corp.calls(BATCH) == math.ceil(450 / 100)


def test_what_was_given_before_an_interruption_is_not_lost_and_not_doubled(tmp_path: Path) -> None:
    with rig(tmp_path, chain(staff=2, follows=[(n % 2, n) for n in range(1200)])) as corp:
        with corp.source() as source:
            stream = next(each for each in source.streams() if each.name == "customers")
            pages = stream.read({})
            first = next(pages)
            pages.close()
        corp.corp.act("adds", userid=guide(0), external_userid="wm-0-before-all", name="新客")
        with corp.source() as source:
            stream = next(each for each in source.streams() if each.name == "customers")
            assert stream.cursor is CursorKind.FULL
            rest = [record for page in stream.read(first.cursor or {}) for record in page.records]
        ids = [record.source_id for record in [*first.records, *rest]]
        assert len(ids) == len(set(ids)) == 1200
        with corp.source() as source:
            stream = next(each for each in source.streams() if each.name == "customers")
            # The state was not kept: everything is given again, and what was missed with it.
            again = [record.source_id for page in stream.read({}) for record in page.records]
        assert len(again) == 1201


def test_without_its_digests_a_read_gives_everything_and_the_hub_finds_what_is_gone(corp: Rig) -> None:
    with corp.hub() as hub:
        read(hub)
        for file in (corp.folder / ".hub" / "wecom" / "wecom").glob("digests-*"):
            file.unlink()
        corp.corp.act("drops", userid=guide(2), external_userid=customer(6))
        assert read(hub).records == 5
        assert customer(6) not in alive(hub)
        assert read(hub).records == 0


def test_digests_that_the_state_does_not_name_hide_no_change(corp: Rig) -> None:
    """A read was finished but never made durable: nothing it gave is known to the warehouse."""
    with corp.source() as source:
        stream = next(each for each in source.streams() if each.name == "customers")
        assert sum(len(page.records) for page in stream.read({})) == 6
    with corp.hub() as hub:
        assert read(hub).records == 6
        assert read(hub).records == 0


def test_personal_data_is_not_left_behind_in_the_folder(corp: Rig) -> None:
    with corp.hub() as hub:
        read(hub)
        names = {path.name.split("-")[0] for path in (corp.folder / ".hub" / "wecom" / "wecom").iterdir()}
    assert names == {"digests"}


# One member of staff who cannot be read.


def test_one_failing_guide_does_not_stop_the_others_and_takes_nothing_away(corp: Rig) -> None:
    with corp.hub() as hub:
        read(hub)
        corp.corp.act("staff_status", userid=guide(1), status=4)
        corp.corp.act("edits", userid=guide(0), external_userid=customer(1), description="老客")
        report = read(hub)
        assert (report.state, report.records, report.rejects) == ("succeeded", 1, 1)
        assert set(alive(hub)) == {customer(n) for n in range(1, 7)}
        assert len(children(hub, "relations", 2)) == 2
        corp.corp.act("staff_status", userid=guide(1), status=1)
        assert (read(hub).records, read(hub).rejects) == (0, 0)


def test_customers_of_a_guide_who_left_are_gone_with_the_guide(corp: Rig) -> None:
    with corp.hub() as hub:
        read(hub)
        corp.corp.act("staff_leaves", userid=guide(1))
        report = ingest(hub, ["wecom"], ["customers"])
        assert report.streams[0].rejects == 0
        assert report.loaded["wecom/profiles"].deleted == 2
        assert [row["staff_id"] for row in children(hub, "relations", 2)] == [guide(0)]


@pytest.mark.parametrize("empty_code", [False, True], ids=["empty list", "code 84061"])
def test_guides_without_customers_are_read_as_empty(tmp_path: Path, empty_code: bool) -> None:
    with rig(tmp_path, chain(staff=4, follows=[(0, 1)]), empty_code=empty_code) as corp, corp.hub() as hub:
        report = read(hub)
        assert (report.records, report.rejects, report.state) == (1, 0, "succeeded")


@pytest.mark.parametrize("empty_code", [False, True], ids=["empty list", "code 84061"])
def test_a_corp_without_any_customer_is_read(tmp_path: Path, empty_code: bool) -> None:
    with rig(tmp_path, chain(staff=2), empty_code=empty_code) as corp, corp.hub() as hub:
        assert read(hub).state == "succeeded"


def test_a_cursor_that_the_platform_has_forgotten_begins_the_chunk_again(corp: Rig) -> None:
    with corp.hub() as hub:
        page = WecomClient.contact_page
        given = iter(["forgotten"])

        def forgetful(self: WecomClient, userids: Any, cursor: str) -> Any:
            rows, following = page(self, userids, cursor)
            return rows, next(given, following)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(WecomClient, "contact_page", forgetful)
            report = read(hub)
        assert (report.records, report.state) == (6, "succeeded")
        assert len(corp.corp.journal.entries(endpoint=BATCH, code="50100")) == 1
