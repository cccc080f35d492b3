"""Streams: what they give, where they go on, what they cost."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from wechat_rig import MORNING, Rig, TinyChain, openid, phone, rig, unionid, user

from hub.source import KEPT, Page
from plugins.wechat.logins import Logins
from plugins.wechat.source import WechatSource


def pages_of(source: WechatSource, stream: str, state: dict[str, Any] | None = None) -> list[Page]:
    found = next(each for each in source.streams() if each.name == stream)
    return list(found.read(state or {}))


def ids(pages: list[Page]) -> list[str]:
    return [record.source_id for page in pages for record in page.records]


def test_followers_are_listed_page_by_page_and_read_a_hundred_at_a_time(tmp_path: Path) -> None:
    with rig(tmp_path, TinyChain(followers=330), list_page=150) as accounts, accounts.source() as source:
        pages = pages_of(source, "followers")
        assert ids(pages) == [openid(n) for n in range(1, 331)]
        # 150, 150 and 30 followers: three pages and the empty one behind them; two, two and one call for details.
        assert accounts.calls("/cgi-bin/user/get") == 4
        assert accounts.calls("/cgi-bin/user/info/batchget") == 5


def test_a_read_goes_on_from_every_cursor(tmp_path: Path) -> None:
    with rig(tmp_path, TinyChain(followers=330), list_page=150) as accounts, accounts.source() as source:
        pages = pages_of(source, "followers")
        for number, page in enumerate(pages, 1):
            rest = pages_of(source, "followers", dict(page.cursor or {}))
            assert set(ids(pages[:number])) | set(ids(rest)) == {openid(n) for n in range(1, 331)}
            assert ids(rest) == ids(pages[number:])


def test_a_page_whose_last_given_follower_went_away_is_given_again(tmp_path: Path) -> None:
    with rig(tmp_path, TinyChain(followers=120)) as accounts, accounts.source() as source:
        first = pages_of(source, "followers")[0]
        accounts.sim.act("unfollows", openid=openid(100))
        rest = pages_of(source, "followers", dict(first.cursor or {}))
        assert set(ids(rest)) == {openid(n) for n in range(1, 121) if n != 100}


def test_who_goes_away_between_list_and_details_is_gone(tmp_path: Path) -> None:
    with rig(tmp_path) as accounts, accounts.source() as source:
        list_page = source._client.follower_page

        def then_one_leaves(after: str) -> Any:
            found = list_page(after)
            accounts.sim.act("unfollows", openid=openid(2))
            return found

        source._client.follower_page = then_one_leaves  # type: ignore[method-assign]
        pages = pages_of(source, "followers")
        assert ids(pages) == [openid(n) for n in (1, 3, 4, 5)]
        assert [gone for page in pages for gone in page.deletions] == [openid(2)]


def test_one_follower_who_cannot_be_read_is_put_aside(tmp_path: Path) -> None:
    with rig(tmp_path, TinyChain(followers=10)) as accounts, accounts.source() as source:
        list_page = source._client.follower_page

        def with_a_stranger(after: str) -> Any:
            found = list_page(after)
            return type(found)(
                [*found.openids[:4], "oStranger", *found.openids[4:]] if found.openids else [], found.next
            )

        source._client.follower_page = with_a_stranger  # type: ignore[method-assign]
        pages = pages_of(source, "followers")
        assert ids(pages) == [openid(n) for n in range(1, 11)]
        assert [(each.code, each.source_id) for page in pages for each in page.rejects] == [("40003", "oStranger")]


def test_accounts_that_are_bound_to_nothing_give_no_unionid_and_check_says_so(tmp_path: Path) -> None:
    with rig(tmp_path, unionid_bound=False, old_fields=True) as accounts, accounts.source() as source:
        pages = pages_of(source, "followers")
        kinds = {each.kind for page in pages for record in page.records for each in record.identifiers}
        assert kinds == {"openid"}
        assert any("no unionid" in check.message for check in source.check())


def test_tags_keep_the_day_they_were_first_seen(accounts: Rig) -> None:
    accounts.sim.act("tags_by_hand", name="会员日", openid=openid(1))
    accounts.sim.put_tag("CDP·rfm_champions", by_hub=True)
    with accounts.source() as source:
        first = pages_of(source, "tags")[-1]
        accounts.clock.advance(3 * 86_400)
        accounts.sim.act("tags_by_hand", name="试饮团", openid=openid(1))
        second = pages_of(source, "tags", {KEPT: dict((first.cursor or {})[KEPT])})[-1]
    seen = {record.properties["name"]: record.occurred_at.date() for record in second.records}
    assert seen == {"会员日": MORNING.date(), "试饮团": MORNING.date() + dt.timedelta(days=3)}
    assert accounts.records("followers")[0].tags == ("会员日", "试饮团")


def test_visits_of_every_day_until_yesterday(accounts: Rig) -> None:
    found = accounts.records("daily_visits", "miniprogram")
    days = [MORNING.date() - dt.timedelta(days=back) for back in (3, 2, 1)]
    assert [each.occurred_at.date() for each in found] == days
    assert {each.subject_id for each in found} == {accounts.sim.miniprogram}
    first = found[0].properties
    assert (first["visit_uv"], first["visit_uv_new"], first["visit_pv"], first["session_cnt"]) == (3, 3, 8, 3)
    assert (first["stay_time_uv"], first["share_uv"]) == (26.6667, 2)
    pages = accounts.records("page_visits", "miniprogram")
    assert {each.subject_id for each in pages} == {"pages/index/index", "pages/product/detail", "pages/share/index"}
    sources = accounts.records("visit_sources", "miniprogram")[0].properties
    assert sources["access_depth_info"] == {"2": {"value": 1}, "3": {"value": 2}}


def test_a_next_read_takes_the_last_day_again_and_what_is_new(accounts: Rig) -> None:
    with accounts.source("miniprogram") as source:
        state = dict(pages_of(source, "daily_visits")[-1].cursor or {})
        assert state == {"done": "2026-03-01"}
        before = accounts.calls("/datacube/getweanalysisappiddailyvisittrend")
        again = pages_of(source, "daily_visits", state)
        assert [page.cursor for page in again] == [state]
        assert accounts.calls("/datacube/getweanalysisappiddailyvisittrend") == before + 1


def test_statistics_that_are_not_made_yet_are_asked_for_again(tmp_path: Path) -> None:
    with rig(tmp_path, hours=-4) as accounts, accounts.source("miniprogram") as source:
        pages = pages_of(source, "daily_visits")
        assert (pages[-1].cursor, pages[-2].cursor) == (None, {"done": "2026-02-28"})
        assert "2026-03-01 are not made yet" in pages[-1].notes[0]
        accounts.clock.advance(5 * 3600)
        rest = pages_of(source, "daily_visits", {"done": "2026-02-28"})
        assert rest[-1].cursor == {"done": "2026-03-01"}


def test_a_mini_program_that_nobody_visits_has_days_without_events_and_its_cursor_moves(tmp_path: Path) -> None:
    with rig(tmp_path, TinyChain(days_of_visits=0)) as accounts, accounts.source("miniprogram") as source:
        pages = pages_of(source, "page_visits")
        assert ids(pages) == []
        # Two days may still come; what is older is empty.
        assert pages[-2].cursor == {"done": "2026-02-27"}


def test_follower_counts_of_the_official_account(tmp_path: Path) -> None:
    with rig(tmp_path, TinyChain(gone=frozenset({2}))) as accounts:
        found = {each.occurred_at.date().isoformat(): each.properties for each in accounts.records("follower_counts")}
    assert found["2026-02-10"]["new_user_by_source"] == {"1": 2, "30": 1, "51": 2}
    assert (found["2026-02-28"]["cancel_user"], found["2026-03-01"]["cumulate_user"]) == (1, 4)


def test_users_come_from_the_backends_log_ins_once_each(accounts: Rig) -> None:
    with accounts.source("miniprogram") as source:
        logins = Logins(accounts.folder / ".hub/wechat/miniprogram")
        logins.note(user(1), 1_767_196_800, unionid=unionid(1))
        logins.note(user(2), 1_767_196_900)
        pages = pages_of(source, "users")
        assert ids(pages) == [user(1), user(2)]
        logins.note(user(1), 1_767_200_000)
        assert pages_of(source, "users", dict(pages[-1].cursor or {})) == []
        logins.note(user(1), 1_767_200_000, phone=phone(1))
        later = pages_of(source, "users", dict(pages[-1].cursor or {}))
        logins.close()
    record = later[0].records[0]
    assert [(each.kind, each.value) for each in record.identifiers] == [
        ("openid", user(1)), ("unionid", unionid(1)), ("phone", phone(1))
    ]  # fmt: skip
    assert record.registered_at.timestamp() == 1_767_196_800


@pytest.mark.parametrize(
    ("kind", "streams"),
    [
        ("official_account", ["followers", "tags", "follower_counts"]),
        ("miniprogram", ["users", "daily_visits", "visit_sources", "page_visits"]),
    ],
)
def test_each_kind_of_account_has_its_streams(accounts: Rig, kind: str, streams: list[str]) -> None:
    with accounts.source(kind) as source:
        assert [each.name for each in source.streams()] == streams
