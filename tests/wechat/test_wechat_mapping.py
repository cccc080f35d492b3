"""Ids and times of WeChat's JSON in canonical records."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import RowError
from plugins.wechat.mapping import day_of, instant, to_day, to_follower, to_pages, to_tag, to_user

APPID = "wx0000000000000000"
CHINA = ZoneInfo("Asia/Shanghai")
REPLY: dict[str, Any] = {
    "subscribe": 1, "openid": "o1", "unionid": "oU1", "language": "zh_CN", "subscribe_time": 1767196800, "remark": "",
    "groupid": 134, "tagid_list": [134, 2, 135, 136], "subscribe_scene": "ADD_SCENE_QR_CODE", "qr_scene": 98765, "qr_scene_str": "store107",
}  # fmt: skip


def follower(**changed: Any) -> Any:
    return to_follower({**REPLY, **changed}, APPID, {134: "VIP", 135: "CDP·rfm_champions"}, "CDP·")


def test_a_follower_as_documented() -> None:
    found = follower()
    assert [(each.kind, each.value, each.scope) for each in found.identifiers] == [
        ("openid", "o1", APPID),
        ("unionid", "oU1", ""),
    ]
    assert found.registered_at == dt.datetime(2026, 1, 1, tzinfo=CHINA)
    assert found.acquired_through == "store107"
    assert found.extra == {"language": "zh_CN", "subscribe_scene": "ADD_SCENE_QR_CODE", "qr_scene": 98765, "qr_scene_str": "store107"}  # fmt: skip


def test_the_hubs_own_tags_and_the_platforms_are_left_out_and_unknown_ones_keep_their_number() -> None:
    assert follower().tags == ("136", "VIP")


def test_empty_keys_of_older_accounts_say_nothing() -> None:
    old = {"nickname": "", "sex": 0, "city": "", "province": "", "country": "", "headimgurl": ""}
    assert follower(**old) == follower()
    filled = follower(
        nickname="喝茶的猫", sex=2, city="南京", province="江苏", country="中国", headimgurl="https://example.com/a"
    )
    assert (filled.nickname, filled.gender, filled.city) == ("喝茶的猫", "female", "南京")


def test_a_follower_without_unionid_or_code_is_one_all_the_same() -> None:
    found = follower(unionid=None, qr_scene_str="")
    assert [each.kind for each in found.identifiers] == ["openid"]
    assert found.acquired_through == "ADD_SCENE_QR_CODE"


@given(st.integers(1, 4_000_000_000), st.booleans())
@settings(max_examples=50, deadline=None)
def test_every_time_is_in_seconds(seconds: int, as_text: bool) -> None:
    given_time: object = str(seconds) if as_text else seconds
    assert instant(given_time) == dt.datetime.fromtimestamp(seconds, dt.UTC)
    assert follower(subscribe_time=given_time).registered_at.timestamp() == seconds
    assert to_user({"openid": "o", "seen_at": given_time}, APPID).registered_at.timestamp() == seconds


@given(st.dates(dt.date(2015, 1, 1), dt.date(2090, 1, 1)))
@settings(max_examples=50, deadline=None)
def test_every_day_begins_at_midnight_in_china(day: dt.date) -> None:
    events = [
        to_day("daily_visits", day, {"visit_pv": 1}, APPID),
        to_pages(day, {"page_path": "p"}, APPID),
        to_tag({"id": 1, "name": "x"}, day, APPID),
    ]
    for event in events:
        local = event.occurred_at.astimezone(CHINA)
        assert (local.date(), local.time()) == (day, dt.time.min)
    assert day_of(f"{day:%Y%m%d}") == day_of(day.isoformat()) == day


@given(st.integers(10**18, 2**63 - 1), st.text("oABCdef0123_-", min_size=1, max_size=28))
@settings(max_examples=50, deadline=None)
def test_long_numbers_and_ids_survive(number: int, openid: str) -> None:
    found = follower(openid=openid, qr_scene=number, tagid_list=[number])
    assert (found.source_id, found.extra["qr_scene"], found.tags) == (openid, number, (str(number),))
    assert to_tag({"id": number, "name": "x"}, dt.date(2026, 1, 1), APPID).subject_id == str(number)


@pytest.mark.parametrize("text", ["", None, "2026", "20261301", "20260105-20260111"])
def test_what_is_no_day_is_refused(text: object) -> None:
    with pytest.raises(RowError) as caught:
        day_of(text)
    assert caught.value.code == "day_unreadable"


def test_zero_is_no_time() -> None:
    assert [instant(value) for value in (0, "0", "", None)] == [None] * 4
