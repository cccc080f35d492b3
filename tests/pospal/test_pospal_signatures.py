"""Signatures of both families, and settings that are told wrong all at once."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pospal_rig import Rig
from pydantic import ValidationError

from hub.errors import DeferError, StreamError
from plugins.pos.pospal.api import Api
from plugins.pos.pospal.client import PospalClient
from plugins.pos.pospal.config import CodeMeaning, PospalConfig
from plugins.pos.pospal.signing import is_authentic, signature_v1, signature_v2

KEY = "123456789012345678"


def test_documented_vector_of_the_first_family() -> None:
    body = b'{"appId":"TESTAPPID0001","startTime":"2026-03-01 00:00:00","endTime":"2026-03-01 23:59:59"}'
    assert signature_v1(KEY, body) == "7D60A4F78F240B13169A4B53B35CF2B1"
    assert signature_v1(f" {KEY}\n", b"  " + body + b"\n") == "7D60A4F78F240B13169A4B53B35CF2B1"


def test_documented_vector_of_the_second_family() -> None:
    body = b'{"appId":"TESTAPPID0001","orderNo":"ORDER-1001"}'
    assert signature_v2("TESTAPPID0001", KEY, 1772323200000, body) == "4DB35196435F52F1428BB497D7D7D5A0"


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200), st.binary(min_size=1, max_size=5).filter(lambda more: more.strip() == more))
def test_changed_message_is_not_authentic(body: bytes, more: bytes) -> None:
    assert is_authentic(KEY, body, signature_v1(KEY, body).lower())
    assert not is_authentic(KEY, body + more, signature_v1(KEY, body))


def test_request_is_signed_over_just_the_bytes_that_are_sent(rig: Rig) -> None:
    seen: list[Any] = []
    inner = rig.sim.transport()

    class Watching(type(inner)):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            seen.append(request)
            return super().handle_request(request)

    config = rig.config()
    client = PospalClient(config, rig.runtime(transport=Watching(rig.sim)), config.shops[0])
    client.ask(Api.CASHIERS)
    client.ask(Api.COUPON_RULES)
    client.close()
    first, second = seen
    key = config.shops[0].app_key.get_secret_value()
    assert first.headers["user-agent"] == "openApi"
    assert first.headers["content-type"] == "application/json; charset=utf-8"
    assert first.headers["data-signature"] == hashlib.md5(key.encode() + first.content).hexdigest().upper()
    assert len(first.headers["time-stamp"]) == 13
    assert second.url.path == "/area8/openinterface/promotionOpenApi/queryCouponPromotions"
    assert "data-signature-v3" in second.headers
    assert "data-signature" not in second.headers


def test_platform_that_checks_the_time_stamp_is_content(new_rig: Any) -> None:
    assert new_rig(strict_time=True).client().ask(Api.CASHIERS) == []


def test_all_settings_that_are_wrong_are_told_at_once(rig: Rig) -> None:
    shop = {"id": "S01", "app_id": "A", "app_key": KEY}
    with pytest.raises(ValidationError) as caught:
        PospalConfig.model_validate({"shops": [shop, shop], "tickets": {"window_days": 3}})
    told = str(caught.value)
    for part in ("id 'S01' is given twice", "app_id 'A' is given twice", "has no base_url", "no_limit_flag"):
        assert part in told


def test_key_that_is_written_as_a_number_is_refused_without_being_shown() -> None:
    shop = {"id": "S01", "app_id": "A", "app_key": 123456789012345678, "base_url": "https://example.com"}
    with pytest.raises(ValidationError, match="put the key in quotes") as caught:
        PospalConfig.model_validate({"shops": [shop]})
    assert KEY not in str(caught.value)


# ---- refusals ---------------------------------------------------------------------------------------------------------


def test_wrong_key_of_one_shop_fails_that_shop_alone(rig: Rig) -> None:
    settings = rig.settings()
    settings["shops"][1]["app_key"] = "000000000000000000"
    source = rig.source(shops=settings["shops"])
    checks = {check.name: check for check in source.check()}
    assert [checks[f"shop {shop} answers"].ok for shop in ("S01", "S02", "S03")] == [True, False, True]
    assert "app_key" in checks["shop S02 answers"].message
    assert "000000000000000000" not in checks["shop S02 answers"].message
    with pytest.raises(StreamError) as caught:
        source._counters.named("S02").client.ask(Api.CASHIERS)
    assert caught.value.code == "pospal_key_refused"


def test_interface_that_is_not_open_fails_its_stream_alone(new_rig: Any) -> None:
    rig = new_rig(denied=["promotionOpenApi/queryUsedPromotionCode", "ticketOpenApi/queryAllPayMethod"])
    client = rig.client()
    with pytest.raises(StreamError) as caught:
        client.ask(Api.COUPONS_USED, {"startTime": "2026-03-01 00:00:00", "excludeEndTime": "2026-03-02 00:00:00"})
    assert caught.value.code == "pospal_permission_missing"
    assert client.ask(Api.CASHIERS) == []


def test_spent_quota_is_left_to_the_next_day(new_rig: Any) -> None:
    rig = new_rig(quota=2)
    client = rig.client()
    client.ask(Api.CASHIERS)
    client.ask(Api.CASHIERS)
    with pytest.raises(DeferError) as caught:
        client.ask(Api.CASHIERS)
    assert caught.value.code == "pospal_quota_spent"
    rig.clock.advance(86_400)
    assert client.ask(Api.CASHIERS) == []


def test_own_budget_stops_before_the_platform_does(new_rig: Any) -> None:
    rig = new_rig(quota=2)
    client = rig.client(calls_per_day=2)
    client.ask(Api.CASHIERS)
    client.ask(Api.CASHIERS)
    with pytest.raises(DeferError) as caught:
        client.ask(Api.CASHIERS)
    assert caught.value.code == "rate_budget_spent"
    assert len(rig.sim.journal.entries(endpoint="cashierOpenApi/queryAllCashier")) == 2


def test_code_that_is_known_overrules_the_words(new_rig: Any) -> None:
    rig = new_rig()
    client = rig.client(error_codes={"1040": CodeMeaning.QUOTA})
    with pytest.raises(DeferError):
        client.ask(Api.TICKETS, {"startTime": "2026-03-01 00:00:00", "endTime": "2026-03-09 00:00:00"})


def test_quota_below_the_budget_is_told_by_the_check(new_rig: Any) -> None:
    rig = new_rig(quota=500)
    told = rig.source(calls_per_day=3000).check()[0].message
    assert told.startswith("500 calls a day; calls_per_day is 3000")
