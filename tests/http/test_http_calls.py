"""One call: what goes out, what comes back, what is measured."""

from __future__ import annotations

import gzip
import hashlib
import logging
import threading
from collections.abc import Callable
from decimal import Decimal

import httpx
import pytest

from hub.errors import ConfigError, StreamError
from hub.http import (
    Action,
    ApiClient,
    BodyToken,
    CallOptions,
    CallRecord,
    Draft,
    ErrorTable,
    Expect,
    HeaderToken,
    QueryToken,
    Rule,
    SignedRequest,
    code_envelope,
)
from hub.http.testing import ScriptedPlatform, VirtualClock, reply, server_fault, too_many_requests

MakeClient = Callable[..., ApiClient]


def test_a_path_is_joined_to_the_base_url_and_parameters_are_written_as_text(
    make_client: MakeClient, platform: ScriptedPlatform
) -> None:
    platform.on("GET", "/v2/orders").answers(reply({"orders": []}))
    params = {"page": 2, "ids": [7, 8], "deleted": False, "cursor": None}
    response = make_client("https://api.example.com/v2/").get("/orders", params)
    assert response.data == {"orders": []}
    assert str(platform.requests[0].url.query, "ascii") == "page=2&ids=7&ids=8&deleted=false"


def test_json_goes_out_as_plain_utf8_without_escapes(client: ApiClient, platform: ScriptedPlatform) -> None:
    platform.on("POST", "/tags").answers(reply({}))
    client.post("/tags", {"name": "老客 🎁", "amount": Decimal("12.30")})
    request = platform.requests[0]
    assert request.content == '{"name":"老客 🎁","amount":12.30}'.encode()
    assert request.headers["content-type"] == "application/json; charset=utf-8"


def test_forms_and_raw_bytes_can_be_sent_too(client: ApiClient, platform: ScriptedPlatform) -> None:
    platform.on("POST", "/token").answers(reply({}))
    platform.on("PUT", "/file").answers(reply({}))
    client.request("POST", "/token", form={"grant_type": "refresh_token"})
    client.request("put", "/file", content=b"\x00\x01", headers={"Content-Type": "application/zip"})
    token, upload = platform.requests
    assert (token.content, token.headers["content-type"]) == (
        b"grant_type=refresh_token",
        "application/x-www-form-urlencoded",
    )
    assert (upload.content, upload.headers["content-type"]) == (b"\x00\x01", "application/zip")


def test_two_bodies_at_once_are_a_mistake(client: ApiClient) -> None:
    with pytest.raises(ValueError, match="at most one"):
        client.request("POST", "/x", json={}, content=b"x")


def test_a_next_link_on_the_same_host_is_followed_but_never_one_elsewhere(
    client: ApiClient, platform: ScriptedPlatform
) -> None:
    platform.on("GET", "/orders", params={"page": "2"}).answers(reply([]))
    assert client.get("https://api.example.com:443/orders?page=2").data == []
    with pytest.raises(ConfigError) as caught:
        client.get("https://evil.example.org/orders")
    assert (caught.value.code, caught.value.context["host"]) == ("http_foreign_host", "evil.example.org")


@pytest.mark.parametrize(
    "base_url",
    ["", "api.example.com", "ftp://api.example.com", "https://u:p@x.example.com", "https://x.example.com/?a=1"],
)
def test_a_base_url_that_cannot_work_is_refused_at_once(base_url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ApiClient(base_url)
    assert caught.value.code == "http_base_url"
    assert "u:p" not in str(caught.value)


def test_an_empty_answer_is_none(client: ApiClient, platform: ScriptedPlatform) -> None:
    platform.on("DELETE", "/tags/1").answers(reply(status=204))
    assert client.request("DELETE", "/tags/1").data is None


def test_money_is_decimal_on_request_and_big_ids_keep_every_digit(
    client: ApiClient, platform: ScriptedPlatform
) -> None:
    platform.on("GET", "/order").answers(reply(content=b'{"id": 98765432109876543210, "paid": 19.90}'))
    data = client.get("/order", options=CallOptions(decimals=True)).data
    assert data == {"id": 98765432109876543210, "paid": Decimal("19.90")}


def test_a_file_is_given_as_bytes_unless_the_platform_sends_a_json_error_in_its_place(
    make_client: MakeClient, platform: ScriptedPlatform
) -> None:
    client = make_client(errors=ErrorTable(envelope=code_envelope("errcode", message="errmsg")))
    platform.on("GET", "/qr").answers(
        reply(content=b"\x89PNG", headers={"Content-Type": "image/png"}),
        reply({"errcode": 41030, "errmsg": "invalid page"}),
    )
    options = CallOptions(expect=Expect.BYTES)
    assert client.get("/qr", options=options).body == b"\x89PNG"
    with pytest.raises(StreamError) as caught:
        client.get("/qr", options=options)
    assert caught.value.context["code"] == "41030"


def test_an_accepted_business_code_is_told_with_the_answer(make_client: MakeClient, platform: ScriptedPlatform) -> None:
    rules = [Rule(Action.ACCEPT, code="84061")]
    client = make_client(errors=ErrorTable(rules, code_envelope("errcode")))
    platform.on("GET", "/list").answers(reply({"errcode": 84061, "list": []}))
    response = client.get("/list")
    assert (response.code, response.data["list"]) == ("84061", [])


# Authentication.


@pytest.mark.parametrize(
    ("auth", "where"),
    [
        (HeaderToken("tok-1"), lambda request: request.headers["authorization"] == "Bearer tok-1"),
        (HeaderToken("tok-1", header="X-Key", prefix=""), lambda request: request.headers["x-key"] == "tok-1"),
        (QueryToken("tok-1"), lambda request: request.url.params["access_token"] == "tok-1"),
        (QueryToken("tok-1", param="accesstoken"), lambda request: request.url.params["accesstoken"] == "tok-1"),
        (BodyToken("tok-1"), lambda request: request.content == b'{"a":1,"access_token":"tok-1"}'),
    ],
)
def test_a_token_travels_where_the_platform_wants_it(
    auth: HeaderToken, where: Callable[[httpx.Request], bool], make_client: MakeClient, platform: ScriptedPlatform
) -> None:
    platform.on("POST", "/x").answers(reply({}))
    make_client(auth=auth).post("/x", {"a": 1})
    assert where(platform.requests[0])


def test_a_token_in_the_body_gives_a_call_without_body_one(make_client: MakeClient, platform: ScriptedPlatform) -> None:
    platform.on("POST", "/x").answers(reply({}))
    make_client(auth=BodyToken("tok-1", key="token")).post("/x")
    assert platform.requests[0].content == b'{"token":"tok-1"}'


def test_a_token_cannot_go_into_a_body_that_is_no_object(make_client: MakeClient) -> None:
    with pytest.raises(ConfigError):
        make_client(auth=BodyToken("tok-1")).post("/x", [1, 2])


def test_a_signature_covers_the_bytes_sent_and_is_made_anew_for_each_try(
    make_client: MakeClient, platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    def sign(draft: Draft, token: str) -> Draft:
        stamp = str(int(clock.time()))
        proof = hashlib.sha256(stamp.encode() + draft.body + token.encode()).hexdigest()
        return draft.with_header("time-stamp", stamp).with_header("data-signature", proof)

    platform.on("POST", "/x").answers(too_many_requests(retry_after=5), reply({}))
    make_client(auth=SignedRequest(sign, token="key-9999", secrets=["key-9999"])).post("/x", {"名": 1})
    stamps = []
    for request in platform.requests:
        stamp = request.headers["time-stamp"]
        expected = hashlib.sha256(stamp.encode() + request.content + b"key-9999").hexdigest()
        assert request.headers["data-signature"] == expected
        stamps.append(int(stamp))
    assert stamps[1] - stamps[0] == 5


def test_the_call_that_fetches_a_token_goes_without_one(make_client: MakeClient, platform: ScriptedPlatform) -> None:
    platform.on("GET", "/token").answers(reply({}))
    make_client(auth=QueryToken("tok-1")).get("/token", options=CallOptions(authenticate=False))
    assert platform.requests[0].url.query == b""


# Limits on what comes back.


def test_a_body_over_the_limit_is_not_read_to_its_end(make_client: MakeClient, platform: ScriptedPlatform) -> None:
    platform.on("GET", "/big").answers(reply(content=b"[" + b"1," * 5000 + b"1]"))
    with pytest.raises(StreamError) as caught:
        make_client(max_bytes=1000).get("/big")
    assert caught.value.code == "http_body_too_large"


def test_the_limit_counts_decompressed_bytes(make_client: MakeClient, platform: ScriptedPlatform) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    assert len(bomb) < 20_000
    platform.on("GET", "/bomb").answers(reply(content=bomb, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(StreamError) as caught:
        make_client(max_bytes=1_000_000).get("/bomb")
    assert caught.value.code == "http_body_too_large"


def test_one_call_may_ask_for_a_larger_limit(make_client: MakeClient, platform: ScriptedPlatform) -> None:
    platform.on("GET", "/big").answers(reply(content=b"[" + b"1," * 5000 + b"1]"))
    assert len(make_client(max_bytes=1000).get("/big", options=CallOptions(max_bytes=100_000)).data) == 5001


def test_redirects_are_not_followed_because_credentials_would_travel(
    client: ApiClient, platform: ScriptedPlatform
) -> None:
    platform.on("GET", "/x").answers(reply(status=301, headers={"Location": "https://elsewhere.example.org/"}))
    with pytest.raises(ConfigError) as caught:
        client.get("/x")
    assert caught.value.code == "http_redirected"


def test_cookies_of_one_call_do_not_travel_with_the_next(client: ApiClient, platform: ScriptedPlatform) -> None:
    platform.on("GET", "/x").answers(reply({}, headers={"Set-Cookie": "sid=1; Path=/"}), reply({}))
    client.get("/x")
    client.get("/x")
    assert "cookie" not in platform.requests[1].headers


# Being watched.


def test_every_exchange_is_told_to_the_observer(make_client: MakeClient, platform: ScriptedPlatform) -> None:
    seen: list[CallRecord] = []
    ids = iter(["call-1"])
    platform.on("GET", "/customers/*").answers(server_fault(502), reply({"ok": True}))
    client = make_client(on_call=seen.append, new_id=lambda: next(ids))
    response = client.get("/customers/15400001234", options=CallOptions(group="detail"))
    assert [(record.status, record.outcome, record.attempt) for record in seen] == [(502, "retry", 1), (200, "ok", 2)]
    assert {record.path for record in seen} == {"/customers/154****1234"}
    assert {(record.connection, record.method, record.group, record.request_id) for record in seen} == {
        ("shop", "GET", "detail", "call-1")
    }
    assert (response.request_id, response.attempt) == ("call-1", 2)


def test_a_broken_observer_does_not_hide_what_the_platform_did(
    make_client: MakeClient, platform: ScriptedPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(record: CallRecord) -> None:
        raise RuntimeError("counter is broken")

    platform.on("POST", "/points").answers(reply({"done": True}))
    with caplog.at_level(logging.ERROR, "hub.http"):
        assert make_client(on_call=broken).post("/points", {"add": 5}).data == {"done": True}
    assert "observer of shop failed" in caplog.text


def test_the_request_id_travels_in_the_header_that_the_platform_has_for_it(
    make_client: MakeClient, platform: ScriptedPlatform
) -> None:
    platform.on("GET", "/x").answers(server_fault(), reply({}))
    make_client(request_id_header="X-Request-Id").get("/x")
    first, second = (request.headers["x-request-id"] for request in platform.requests)
    assert first == second != ""


def test_headers_of_the_client_and_of_the_call_are_sent(make_client: MakeClient, platform: ScriptedPlatform) -> None:
    platform.on("GET", "/x").answers(reply({}))
    make_client(headers={"User-Agent": "openApi"}).request("GET", "/x", headers={"Square-Version": "2026-01-22"})
    sent = platform.requests[0].headers
    assert (sent["user-agent"], sent["square-version"]) == ("openApi", "2026-01-22")


def test_no_more_calls_are_under_way_at_once_than_allowed() -> None:
    limit, calls = 3, 12
    guard, full = threading.Lock(), threading.Barrier(limit)
    under_way = most = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        with guard:
            under_way += 1
            most = max(most, under_way)
        full.wait(10)  # Nobody leaves before three are inside: the cap is reached, not only kept.
        with guard:
            under_way -= 1
        return httpx.Response(200, json={})

    client = ApiClient("https://api.example.com", concurrency=limit, transport=httpx.MockTransport(answer))
    threads = [threading.Thread(target=client.get, args=("/x",)) for _ in range(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == limit


def test_a_client_needs_at_least_one_place() -> None:
    with pytest.raises(ValueError, match="concurrency"):
        ApiClient("https://api.example.com", concurrency=0)
