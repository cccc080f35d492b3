"""Tokens, permissions, addresses, quotas, settings: what each fault ends in."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from wechat_rig import Rig, rig

from hub.errors import AuthError, ConfigError, DeferError, RetryError, StreamError
from hub.http.testing import ScriptedPlatform, VirtualClock, reply
from hub.pipeline.ingest import ingest
from hub.runtime import Runtime
from plugins.wechat.backend import MiniProgram
from plugins.wechat.client import WechatClient
from plugins.wechat.config import WechatConfig

STABLE = "/cgi-bin/stable_token"
REFUSED = reply({"errcode": 40001, "errmsg": "invalid credential rid: 1"})


def token(value: str) -> Any:
    return reply({"access_token": value, "expires_in": 7200})


def scripted(platform: ScriptedPlatform, clock: VirtualClock, tmp_path: Path) -> WechatClient:
    config = WechatConfig(appid="wx" + "0" * 16, secret="s", base_url="https://api.example.com")
    runtime = Runtime(
        connection="w",
        scratch=tmp_path,
        now=lambda: dt.datetime.fromtimestamp(clock.time(), dt.UTC),
        sleep=clock.sleep,
        transport=platform,
    )
    return WechatClient(config, runtime)


def test_a_refused_token_is_asked_for_again_without_force(tmp_path: Path) -> None:
    clock = VirtualClock()
    with ScriptedPlatform(clock) as platform:
        platform.on("POST", STABLE).answers(token("t1"), token("t2"))
        platform.on("GET", "/cgi-bin/tags/get").answers(REFUSED, reply({"tags": []}))
        assert scripted(platform, clock, tmp_path).tags() == []
    forced = [json.loads(call.content)["force_refresh"] for call in platform.requests if call.url.path == STABLE]
    assert forced == [False, False]


def test_force_is_used_once_where_the_platform_refuses_the_very_token_it_gives_out(tmp_path: Path) -> None:
    clock = VirtualClock()
    with ScriptedPlatform(clock) as platform:
        platform.on("POST", STABLE).answers(token("t1"), token("t1"), token("t2"))
        platform.on("GET", "/cgi-bin/tags/get").answers(REFUSED, reply({"tags": []}))
        assert scripted(platform, clock, tmp_path).tags() == []
    forced = [json.loads(call.content)["force_refresh"] for call in platform.requests if call.url.path == STABLE]
    assert forced == [False, False, True]


def test_a_token_that_stays_refused_ends_the_connection(tmp_path: Path) -> None:
    clock = VirtualClock()
    with ScriptedPlatform(clock) as platform:
        platform.on("POST", STABLE).answers(token("t1"), token("t2"))
        platform.on("GET", "/cgi-bin/tags/get").answers(REFUSED, REFUSED)
        with pytest.raises(AuthError) as caught:
            scripted(platform, clock, tmp_path).tags()
    assert caught.value.code == "wechat_token_refused"


def test_one_token_serves_until_shortly_before_its_end(accounts: Rig) -> None:
    with accounts.source() as source:
        for _ in range(3):
            source._client.tags()
        assert accounts.calls(STABLE) == 1
        accounts.clock.advance(7000)
        source._client.tags()
        assert accounts.calls(STABLE) == 2


@pytest.mark.parametrize(("changed", "code"), [({"secret": "wrong"}, "40125"), ({"appid": "wx" + "f" * 16}, "40013")])
def test_wrong_credentials_are_told_and_not_tried_again(accounts: Rig, changed: dict[str, str], code: str) -> None:
    with accounts.source(**changed) as source:
        for _ in range(2):
            with pytest.raises(ConfigError) as caught:
                source._client.tags()
        assert (caught.value.code, caught.value.context["code"]) == ("wechat_credentials", code)
        assert accounts.calls(STABLE) == 1
        check = source.check()
    assert [each.ok for each in check] == [False]
    assert "AppSecret" in check[0].message


def test_an_address_that_is_not_on_the_list_is_named(tmp_path: Path) -> None:
    with rig(tmp_path, trusted_addresses=["10.0.0.1"]) as accounts, accounts.source() as source:
        check = source.check()
    assert "wechat_address_not_trusted" not in check[0].message
    assert "127.0.0.1" in check[0].message
    assert "IP白名单" in check[0].message


def test_an_account_without_rights_loses_streams_and_not_the_connection(tmp_path: Path) -> None:
    with rig(tmp_path, verified=False) as accounts:
        with accounts.source() as source:
            assert [each.ok for each in source.check()] == [True, False, False, True]
        with accounts.source("miniprogram") as source:
            checks = source.check()
        assert [each.ok for each in checks] == [True, False, True]
        assert "微信认证" in checks[1].message
        with accounts.hub() as hub:
            report = ingest(hub)
    states = {stream.stream: (stream.state, stream.error.code if stream.error else "") for stream in report.streams}
    refused = ("failed", "wechat_not_permitted")
    assert states["followers"] == states["tags"] == states["follower_counts"] == refused
    assert states["users"] == ("succeeded", "")


def test_an_official_account_that_is_called_a_mini_program_says_what_to_look_at(accounts: Rig) -> None:
    own = accounts.sim.credentials
    with (
        accounts.source("miniprogram", appid=own["appid"], secret=own["secret"]) as source,
        pytest.raises(StreamError, match="`kind`"),
    ):
        list(source.streams()[1].read({}))


def test_a_daily_quota_that_is_spent_defers_and_is_explained(tmp_path: Path) -> None:
    with rig(tmp_path, quotas={"/cgi-bin/tags/get": 1}) as accounts, accounts.source() as source:
        source._client.tags()
        with pytest.raises(DeferError) as caught:
            source._client.tags()
    assert caught.value.code == "wechat_quota_spent"
    assert "midnight" in caught.value.hint


def test_a_limit_per_minute_is_waited_for(accounts: Rig) -> None:
    accounts.sim.use_faults("throttling", seed=1, rate=0.1)
    begun = accounts.clock.time()
    with accounts.source() as source:
        assert len(source._client.tags()) == 3
    assert accounts.clock.time() - begun >= 60


def test_an_unknown_code_is_kept_as_it_is(tmp_path: Path) -> None:
    clock = VirtualClock()
    with ScriptedPlatform(clock) as platform:
        platform.on("POST", STABLE).answers(token("t1"))
        platform.on("GET", "/cgi-bin/tags/get").answers(
            reply({"errcode": 999_123, "errmsg": "something new rid: 65f0-1"})
        )
        with pytest.raises(StreamError) as caught:
            scripted(platform, clock, tmp_path).tags()
    assert caught.value.context["code"] == "999123"
    assert "rid: 65f0-1" in str(caught.value)


def test_every_wrong_setting_is_told_at_once() -> None:
    wrong = {
        "kind": "shop", "appid": "123", "secret": "s", "calls_per_second": 0, "push": {"token": "x"}, "tags": {"prefix": ""},
        "message": {"lang": "fr"}, "unknown": 1,
    }  # fmt: skip
    with pytest.raises(ValidationError) as caught:
        WechatConfig.model_validate(wrong)
    places = {".".join(map(str, error["loc"])) for error in caught.value.errors()}
    assert places == {"kind", "appid", "calls_per_second", "push", "tags.prefix", "message.lang", "unknown"}


class Unreachable(httpx.BaseTransport):
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout(f"no answer from {request.url}")


def test_the_secret_in_the_address_of_a_log_in_is_in_no_message(accounts: Rig) -> None:
    config, secret = accounts.config("miniprogram"), accounts.sim.credentials["miniprogram_secret"]
    with (
        MiniProgram(config, accounts.runtime("miniprogram", transport=Unreachable())) as shop,
        pytest.raises(RetryError) as caught,
    ):
        shop.log_in("some-code-of-wx-login")
    said = f"{caught.value} {caught.value!r} {caught.value.context} {caught.value.hint}"
    assert "jscode2session" in said
    assert secret not in said
    assert "some-code-of-wx-login" not in said
