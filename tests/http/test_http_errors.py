"""Errors sorted by a plugin's table, on answers shaped like those of the platforms the hub serves."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from hub.errors import AuthError, ConfigError, DeferError, HubError, RetryError, RowError, StreamError
from hub.http import (
    DEFAULT_RULES,
    Action,
    ApiClient,
    BusinessError,
    CallOptions,
    ErrorTable,
    Fault,
    MemoryTokenStore,
    NewToken,
    QueryToken,
    RateBudget,
    Rule,
    Symptom,
    TokenCache,
    Unit,
    Window,
    any_envelope,
    code_envelope,
)
from hub.http.testing import ScriptedPlatform, VirtualClock, reply, server_fault, too_many_requests

MakeClient = Callable[..., ApiClient]

# One table per style of platform, as a plugin would write it.

ERRCODE = ErrorTable(
    [
        Rule(Action.STOP, code="40001", path="*/gettoken", hint="Check the secret."),
        Rule(Action.REFRESH, code=("40001", "40014", "42001")),
        Rule(Action.RETRY, code="-1", tries=3, unprocessed=True),
        Rule(Action.RATE_LIMITED, code="45009", wait=20.0),
        Rule(Action.RATE_LIMITED, code="45033"),
        Rule(Action.STREAM, code=("48002", "60020")),
        Rule(Action.DEFER, code="45035", wait=600.0),
        Rule(Action.ROW, code=("40096", "84061")),
    ],
    code_envelope("errcode", message="errmsg"),
)
FOUR_SHAPES = ErrorTable(
    [
        Rule(Action.REFRESH, code=("4201", "4202", "4203")),
        Rule(Action.STREAM, code="4204"),
        Rule(Action.RATE_LIMITED, code=("4101", "500100004", "123000042")),
    ],
    any_envelope(
        code_envelope("gw_err_resp.err_code", message="gw_err_resp.err_msg", trace="gw_err_resp.trace_id"),
        code_envelope("error_response.code", message="error_response.msg"),
        code_envelope("code", message="message", trace="trace_id", ok=("200",)),
    ),
)
NESTED = ErrorTable(
    [
        Rule(Action.REFRESH, code="80001001000119"),
        Rule(Action.STREAM, says="无权限|未授权|没有权限"),
        Rule(Action.RATE_LIMITED, says="频繁|限流|超限"),
        Rule(Action.STOP, status=401, code="invalid_client"),
    ],
    any_envelope(
        code_envelope("code.errcode", message="code.errmsg", trace="globalTicket"),
        code_envelope("error", message="error_description"),
    ),
)


def pospal_status(data: Any) -> BusinessError | None:
    if not isinstance(data, dict) or str(data.get("status")).lower() == "success":
        return None
    return BusinessError(str(data.get("errorCode") or ""), "; ".join(data.get("messages", ())))


STATUS_WORD = ErrorTable([], pospal_status)


@pytest.mark.parametrize(
    ("table", "answer", "expected"),
    [
        (ERRCODE, {"errcode": 60020, "errmsg": "not allow to access from your ip"}, StreamError),
        (ERRCODE, {"errcode": 40096, "errmsg": "invalid external userid"}, RowError),
        (ERRCODE, {"errcode": 45035}, DeferError),
        (FOUR_SHAPES, {"gw_err_resp": {"err_code": 4204, "err_msg": "无权限", "trace_id": "yz7-1"}}, StreamError),
        (FOUR_SHAPES, {"error_response": {"code": 50000, "msg": "订单不存在"}}, StreamError),
        (FOUR_SHAPES, {"success": False, "code": 142400105, "message": "客户不存在"}, StreamError),
        (NESTED, {"code": {"errcode": "8000", "errmsg": "接口未授权"}, "data": None}, StreamError),
        (STATUS_WORD, {"status": "error", "messages": ["会员不存在"], "errorCode": 1032}, StreamError),
    ],
)
def test_a_business_error_inside_http_200_becomes_the_error_of_its_rule(
    table: ErrorTable,
    answer: dict[str, Any],
    expected: type[HubError],
    make_client: MakeClient,
    platform: ScriptedPlatform,
) -> None:
    platform.on("POST", "/api").answers(reply(answer))
    with pytest.raises(expected) as caught:
        make_client(errors=table).post("/api", {})
    assert caught.value.context["connection"] == "shop"
    assert caught.value.context["call"] == "POST /api"


@pytest.mark.parametrize(
    ("table", "answer"),
    [
        (ERRCODE, {"errcode": 0, "errmsg": "ok"}),
        (ERRCODE, {"access_token": "x"}),
        (FOUR_SHAPES, {"success": True, "code": 200, "data": {}}),
        (FOUR_SHAPES, {"success": True, "code": "200", "data": {}}),
        (NESTED, {"code": {"errcode": "0", "errmsg": "success"}, "data": {"code": {"errcode": "7"}}}),
        (NESTED, {"access_token": "x", "expires_in": 604799}),
        (STATUS_WORD, {"status": "Success", "data": {}}),
    ],
)
def test_success_in_each_shape_is_success(
    table: ErrorTable, answer: dict[str, Any], make_client: MakeClient, platform: ScriptedPlatform
) -> None:
    platform.on("POST", "/api").answers(reply(answer))
    assert make_client(errors=table).post("/api", {}).data == answer


def test_an_unknown_code_is_kept_verbatim_with_text_and_trace(
    make_client: MakeClient, platform: ScriptedPlatform
) -> None:
    answer = {"success": False, "code": 142400105, "message": "客户不存在", "trace_id": "yz7-0a0c-88420"}
    platform.on("POST", "/api").answers(reply(answer))
    with pytest.raises(RowError) as caught:
        make_client(errors=FOUR_SHAPES, new_id=lambda: "call-9").post("/api", {}, options=CallOptions(unit=Unit.ROW))
    assert caught.value.context == {
        "connection": "shop",
        "call": "POST /api",
        "request_id": "call-9",
        "tries": 1,
        "status": 200,
        "code": "142400105",
        "said": "客户不存在",
        "trace": "yz7-0a0c-88420",
    }


@pytest.mark.parametrize(("unit", "expected"), [(Unit.ROW, RowError), (Unit.STREAM, StreamError)])
def test_a_refused_call_costs_what_the_caller_says(
    unit: Unit, expected: type[HubError], client: ApiClient, platform: ScriptedPlatform
) -> None:
    platform.on("GET", "/customers/7").answers(reply({"error": "not found"}, status=404))
    with pytest.raises(expected):
        client.get("/customers/7", options=CallOptions(unit=unit))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, ConfigError),
        (400, StreamError),
        (401, AuthError),
        (403, StreamError),
        (404, StreamError),
        (405, StreamError),
        (407, ConfigError),
        (408, RetryError),
        (409, StreamError),
        (413, StreamError),
        (422, StreamError),
        (429, DeferError),
        (500, RetryError),
        (502, RetryError),
        (503, RetryError),
        (504, RetryError),
        (599, RetryError),
    ],
)
def test_the_default_table_sorts_by_status(
    status: int, expected: type[HubError], client: ApiClient, platform: ScriptedPlatform
) -> None:
    platform.on("GET", "/x").answers(reply(status=status))
    with pytest.raises(expected) as caught:
        client.get("/x", options=CallOptions(tries=1))
    assert caught.value.context["status"] == status


def test_a_rule_may_speak_of_one_path_only(make_client: MakeClient, platform: ScriptedPlatform) -> None:
    platform.on("GET", "/cgi-bin/*").times(2, reply({"errcode": 40001, "errmsg": "invalid credential"}))
    client = make_client(errors=ERRCODE)
    with pytest.raises(ConfigError) as caught:
        client.get("/cgi-bin/gettoken")
    assert caught.value.hint == "Check the secret."
    with pytest.raises(AuthError):
        client.get("/cgi-bin/user/list")


def test_a_plugin_can_overrule_a_default(make_client: MakeClient, platform: ScriptedPlatform) -> None:
    table = ErrorTable([Rule(Action.ROW, status=500, error_code="shop_closed")])
    platform.on("GET", "/x").answers(server_fault(500))
    with pytest.raises(RowError) as caught:
        make_client(errors=table).get("/x")
    assert caught.value.code == "shop_closed"


def test_every_condition_of_a_rule_must_hold() -> None:
    rule = Rule(Action.ROW, status=range(200, 300), code="40*", says="user", path="/a/*")
    error = BusinessError("4003", "bad user")
    assert rule.matches(Symptom("/a/b", 200, error))
    assert not rule.matches(Symptom("/a/b", 404, error))
    assert not rule.matches(Symptom("/b", 200, error))
    assert not rule.matches(Symptom("/a/b", 200, BusinessError("5003", "bad user")))
    assert not rule.matches(Symptom("/a/b", 200, BusinessError("4003", "bad tag")))
    assert not rule.matches(Symptom("/a/b", 200))


def test_a_rule_with_a_broken_pattern_is_refused_when_it_is_written() -> None:
    with pytest.raises(re.error):
        Rule(Action.ROW, says="(")


@pytest.mark.parametrize("fault", Fault)
def test_every_kind_of_missing_answer_has_a_rule_of_its_own(fault: Fault) -> None:
    rule = ErrorTable().rule_for(Symptom("/x", fault=fault))
    assert rule.fault is not None


def test_the_last_default_rule_speaks_of_everything() -> None:
    assert DEFAULT_RULES[-1].matches(Symptom("/x"))


def test_a_missing_code_can_count_as_failure() -> None:
    strict = code_envelope("errcode", required=True)
    assert strict({"data": []}) == BusinessError("")
    assert strict({"errcode": 0}) is None


def test_a_list_of_messages_is_joined() -> None:
    read = code_envelope("errorCode", message="messages")
    assert read({"errorCode": 7, "messages": ["a", "b"]}) == BusinessError("7", "a; b")


# Tokens.


def token_cache(clock: VirtualClock, fetched: list[int], name: str = "shop") -> TokenCache:
    def fetch(previous: object) -> NewToken:
        fetched.append(1)
        return NewToken(f"token-{len(fetched)}", expires_in=7200)

    return TokenCache(name, fetch, MemoryTokenStore(), clock=clock)


def test_an_expired_token_is_renewed_and_the_call_repeated_once(
    make_client: MakeClient, platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    fetched: list[int] = []
    platform.on("GET", "/x", params={"access_token": "token-1"}).answers(reply({"errcode": 42001}))
    platform.on("GET", "/x", params={"access_token": "token-2"}).answers(reply({"errcode": 0, "n": 1}))
    client = make_client(auth=QueryToken(token_cache(clock, fetched)), errors=ERRCODE)
    assert client.get("/x").data["n"] == 1
    assert clock.sleeps == []


def test_a_write_too_is_repeated_after_an_expired_token_because_it_was_not_carried_out(
    make_client: MakeClient, platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    platform.on("POST", "/points").answers(reply({"errcode": 42001}), reply({"errcode": 0}))
    make_client(auth=QueryToken(token_cache(clock, [])), errors=ERRCODE).post("/points", {"add": 1})


def test_a_token_refused_again_after_renewal_is_an_auth_error(
    make_client: MakeClient, platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    fetched: list[int] = []
    platform.on("GET", "/x").times(2, reply({"errcode": 40014, "errmsg": "invalid access_token"}))
    with pytest.raises(AuthError) as caught:
        make_client(auth=QueryToken(token_cache(clock, fetched)), errors=ERRCODE).get("/x")
    assert caught.value.context["code"] == "40014"
    assert len(fetched) == 2


def test_a_token_is_renewed_only_once_in_all_tries_of_a_call(
    make_client: MakeClient, platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    fetched: list[int] = []
    stale = reply({"errcode": 42001})
    platform.on("GET", "/x").answers(stale, server_fault(), stale)
    with pytest.raises(AuthError):
        make_client(auth=QueryToken(token_cache(clock, fetched)), errors=ERRCODE).get("/x")
    assert len(fetched) == 2


def test_a_fixed_token_that_is_refused_is_an_auth_error_at_once(
    make_client: MakeClient, platform: ScriptedPlatform
) -> None:
    platform.on("GET", "/x").answers(reply(status=401))
    with pytest.raises(AuthError):
        make_client(auth=QueryToken("fixed-token")).get("/x")


def test_a_token_that_expires_between_two_pages_is_renewed_between_them(
    make_client: MakeClient, platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    platform.on("GET", "/list", params={"page": "1"}).answers(reply({"errcode": 0, "items": [1]}))
    platform.on("GET", "/list", params={"page": "2"}).answers(
        reply({"errcode": 42001}), server_fault(), reply({"errcode": 0, "items": [2]})
    )
    client = make_client(auth=QueryToken(token_cache(clock, [])), errors=ERRCODE)
    assert [client.get("/list", {"page": page}).data["items"] for page in (1, 2)] == [[1], [2]]


def test_an_error_while_fetching_the_token_is_not_tried_five_times_five(
    make_client: MakeClient, platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    client: ApiClient

    def fetch(previous: object) -> NewToken:
        data = client.get("/token", options=CallOptions(authenticate=False)).data
        return NewToken(data["access_token"])

    client = make_client(auth=QueryToken(TokenCache("shop", fetch, MemoryTokenStore(), clock=clock)))
    platform.on("GET", "/token").times(5, server_fault())
    with pytest.raises(RetryError) as caught:
        client.get("/x")
    assert caught.value.context["call"] == "GET /token"


# Rate limits told by the platform.


def test_a_limit_reached_code_waits_as_its_rule_says_and_repeats(
    make_client: MakeClient, platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    platform.on("POST", "/mark").answers(reply({"errcode": 45009}), reply({"errcode": 0}))
    make_client(errors=ERRCODE).post("/mark", {})
    assert clock.sleeps == [20.0]


def test_a_limit_reached_code_stops_everybody_who_shares_the_budget(
    make_client: MakeClient, platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    budget = RateBudget("shop", [Window(100, 1)], clock=clock)
    platform.on("POST", "/mark").answers(reply({"errcode": 45009}))
    with pytest.raises(DeferError):
        make_client(errors=ERRCODE, budget=budget).post("/mark", {}, options=CallOptions(tries=1))
    assert budget.try_acquire().wait == 20.0
    clock.advance(20)
    assert budget.try_acquire().granted


def test_a_limit_of_one_group_does_not_stop_the_others(
    make_client: MakeClient, platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    budget = RateBudget("shop", clock=clock)
    platform.on("POST", "/mark").answers(too_many_requests(retry_after=50))
    with pytest.raises(DeferError):
        make_client(budget=budget).post("/mark", {}, options=CallOptions(tries=1, group="mark"))
    assert budget.try_acquire("mark").wait == 50.0
    assert budget.try_acquire("list").granted
