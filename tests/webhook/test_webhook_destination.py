"""The destination against an endpoint: what is sent, and what every answer comes to."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from standardwebhooks import Webhook
from webhook_rig import OTHER_SECRET, SECRET, URL, Endpoint, Rig, in_turn, ok, operations

from hub.cli.entry import main
from hub.destination import Operation, OperationKind, OutcomeStatus
from hub.errors import AuthError, DeferError, HubError, RetryError, StreamError
from plugins.webhook.config import WebhookConfig
from plugins.webhook.destination import WebhookDestination

NOW = dt.datetime(2026, 3, 1, 9, 30, tzinfo=dt.UTC)


def status(code: int, **more: Any) -> httpx.Response:
    return httpx.Response(code, **more)


def body_ids(request: httpx.Request) -> list[str]:
    return [event["id"] for event in orjson.loads(request.content)]


def test_what_it_can_do_is_told_before_a_connection_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["describe", "webhook", "--json"]) == 0
    told = orjson.loads(capsys.readouterr().out)
    assert [(target["name"], target["keys"]) for target in told["targets"]] == [
        ("events", ["customer_id"]),
        ("batch", ["customer_id"]),
    ]
    assert told["listed_for"] == ""


# What is sent.


def test_each_event_is_one_signed_request_that_the_reference_library_verifies(rig: Rig) -> None:
    endpoint = Endpoint(ok)
    outcomes = rig.send(rig.connect(endpoint, secrets=[SECRET, OTHER_SECRET]), "events", operations(3))
    assert [outcome.status for outcome in outcomes] == [OutcomeStatus.ACCEPTED] * 3
    assert [outcome.http_status for outcome in outcomes] == [204] * 3
    for request in endpoint.requests:
        assert str(request.url) == URL
        assert request.headers["content-type"] == "application/cloudevents+json; charset=UTF-8"
        for secret in (SECRET, OTHER_SECRET):
            event = Webhook(secret).verify(request.content, dict(request.headers))
            assert event["id"] == request.headers["webhook-id"]
            assert event["source"] == "urn:customer-hub:crm"


def test_the_kind_of_change_gives_the_type(rig: Rig) -> None:
    endpoint = Endpoint(ok)
    destination = rig.connect(endpoint, concurrency=1, event_types={"delete": "com.example.vip.left"})
    kinds = [OperationKind.CREATE, OperationKind.UPDATE, OperationKind.DELETE]
    for number, kind in enumerate(kinds):
        rig.send(destination, "events", operations(1, kind=kind, first=number))
    types = [orjson.loads(request.content)["type"] for request in endpoint.requests]
    assert types == ["customer.entered", "customer.updated", "com.example.vip.left"]


def test_a_row_that_is_kept_is_not_sent(rig: Rig) -> None:
    endpoint = Endpoint(ok)
    outcomes = rig.send(rig.connect(endpoint), "events", operations(1, kind=OperationKind.KEEP))
    assert (outcomes[0].status, endpoint.requests) == (OutcomeStatus.UNCHANGED, [])


def test_binary_mode_signs_the_data_alone(rig: Rig) -> None:
    endpoint = Endpoint(ok)
    rig.send(rig.connect(endpoint, mode="binary", source="https://hub.example.com/vip"), "events", operations(1))
    (request,) = endpoint.requests
    assert request.headers["ce-source"] == "https://hub.example.com/vip"
    data = Webhook(SECRET).verify(request.content, dict(request.headers))
    assert data == {"customer_id": "c1", "phone": "15400000001", "level": "gold"}


def test_a_batch_is_one_request_under_the_batchs_id(rig: Rig) -> None:
    endpoint = Endpoint(ok)
    outcomes = rig.send(rig.connect(endpoint), "batch", operations(3))
    (request,) = endpoint.requests
    assert request.headers["content-type"] == "application/cloudevents-batch+json; charset=UTF-8"
    assert request.headers["webhook-id"] == "batch-1"
    Webhook(SECRET).verify(request.content, dict(request.headers), json_parse=False)
    assert body_ids(request) == [outcome.operation_id for outcome in outcomes] == ["op-1", "op-2", "op-3"]


def test_every_attempt_has_the_same_id_and_its_own_time(rig: Rig) -> None:
    times = iter(NOW + dt.timedelta(seconds=n) for n in range(1000))
    endpoint = Endpoint(in_turn(status(503), httpx.ReadTimeout("slow"), status(200)))
    (outcome,) = rig.send(rig.connect(endpoint, now=lambda: next(times)), "events", operations(1))
    assert outcome.status is OutcomeStatus.ACCEPTED
    assert endpoint.webhook_ids == ["op-1"] * 3
    stamps = [request.headers["webhook-timestamp"] for request in endpoint.requests]
    assert len(set(stamps)) == 3
    assert len({request.headers["webhook-signature"] for request in endpoint.requests}) == 3


@pytest.mark.parametrize("target", ["events", "batch"])
def test_a_repeat_by_a_later_process_carries_the_same_ids(rig: Rig, target: str) -> None:
    endpoint = Endpoint(ok)
    for _ in range(2):
        rig.send(rig.connect(endpoint), target, operations(2))
    half = len(endpoint.requests) // 2
    assert sorted(endpoint.webhook_ids[:half]) == sorted(endpoint.webhook_ids[half:])


def test_extra_headers_are_sent_and_own_headers_cannot_be_replaced(rig: Rig) -> None:
    endpoint = Endpoint(ok)
    rig.send(rig.connect(endpoint, headers={"Authorization": "Bearer abcdef123456"}), "events", operations(1))
    assert endpoint.requests[0].headers["authorization"] == "Bearer abcdef123456"
    for name in ("webhook-id", "CE-Type", "Host", "Content-Type", "a b"):
        with pytest.raises(ValidationError, match="not a header"):
            WebhookConfig.model_validate({"url": URL, "secrets": [SECRET], "headers": {name: "x"}})


def test_a_query_in_the_address_is_kept(rig: Rig) -> None:
    endpoint = Endpoint(ok)
    rig.send(rig.connect(endpoint, url=URL + "/?key=a%2Fb&x="), "events", operations(1))
    assert str(endpoint.requests[0].url) == URL + "/?key=a%2Fb&x="


# What answers come to.


@pytest.mark.parametrize("code", [200, 201, 202, 204])
@pytest.mark.parametrize("body", [b"", b"ok", b"{}", b'{"results": 5}', b"[1]"])
def test_any_2xx_is_acceptance_whatever_its_body(rig: Rig, code: int, body: bytes) -> None:
    endpoint = Endpoint(lambda _: status(code, content=body))
    (outcome,) = rig.send(rig.connect(endpoint), "events", operations(1))
    assert outcome.status is OutcomeStatus.ACCEPTED


def test_broken_json_beside_a_2xx_takes_nothing_back(rig: Rig) -> None:
    endpoint = Endpoint(lambda _: status(200, content=b"{", headers={"Content-Type": "application/json"}))
    (outcome,) = rig.send(rig.connect(endpoint), "events", operations(1))
    assert outcome.status is OutcomeStatus.ACCEPTED
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("code", "kind", "error_code"),
    [
        (301, StreamError, "endpoint_redirects"),
        (302, StreamError, "endpoint_redirects"),
        (307, StreamError, "endpoint_redirects"),
        (401, AuthError, "endpoint_refused"),
        (403, AuthError, "endpoint_refused"),
        (404, StreamError, "endpoint_not_found"),
        (405, StreamError, "endpoint_not_found"),
        (410, StreamError, "endpoint_gone"),
        (415, StreamError, "format_refused"),
    ],
)
@pytest.mark.parametrize("target", ["events", "batch"])
def test_an_answer_about_the_endpoint_is_an_error_at_once(
    rig: Rig, target: str, code: int, kind: type[HubError], error_code: str
) -> None:
    location = {"Location": "https://elsewhere.example.com/"}
    endpoint = Endpoint(lambda _: status(code, headers=location))
    with pytest.raises(kind) as caught:
        rig.send(rig.connect(endpoint), target, operations(1))
    assert caught.value.code == error_code
    assert caught.value.hint
    assert [str(request.url) for request in endpoint.requests] == [URL]
    assert rig.sleeps == []


@pytest.mark.parametrize("code", [500, 502, 503, 504, 408])
def test_a_passing_fault_is_tried_again_then_left_to_the_hub(rig: Rig, code: int) -> None:
    endpoint = Endpoint(lambda _: status(code))
    with pytest.raises(RetryError) as caught:
        rig.send(rig.connect(endpoint), "events", operations(1))
    assert caught.value.sent
    assert endpoint.webhook_ids == ["op-1"] * 3
    assert len(rig.sleeps) == 2


@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_retry_after_in_seconds_is_waited_for(rig: Rig, code: int) -> None:
    endpoint = Endpoint(in_turn(status(code, headers={"Retry-After": "7"}), status(200)))
    rig.send(rig.connect(endpoint), "events", operations(1))
    assert rig.sleeps == [7]


def test_retry_after_as_a_date_is_waited_for(rig: Rig) -> None:
    later = format_datetime(NOW + dt.timedelta(seconds=12), usegmt=True)
    endpoint = Endpoint(in_turn(status(429, headers={"Retry-After": later}), status(200)))
    rig.send(rig.connect(endpoint, now=lambda: NOW), "events", operations(1))
    assert rig.sleeps == [12]


def test_a_long_retry_after_on_429_defers_and_says_until_when(rig: Rig) -> None:
    endpoint = Endpoint(lambda _: status(429, headers={"Retry-After": "600"}))
    with pytest.raises(DeferError) as caught:
        rig.send(rig.connect(endpoint), "events", operations(1))
    assert (caught.value.until, rig.sleeps, len(endpoint.requests)) == (600, [], 1)


def test_a_long_retry_after_on_503_is_handed_on(rig: Rig) -> None:
    endpoint = Endpoint(lambda _: status(503, headers={"Retry-After": "600"}))
    with pytest.raises(RetryError) as caught:
        rig.send(rig.connect(endpoint), "events", operations(1))
    assert (caught.value.retry_after, rig.sleeps, len(endpoint.requests)) == (600, [], 1)


@pytest.mark.parametrize(("fault", "sent"), [(httpx.ConnectError("x"), False), (httpx.ReadTimeout("x"), True)])
def test_a_fault_tells_whether_anything_was_sent(rig: Rig, fault: Exception, sent: bool) -> None:
    endpoint = Endpoint(in_turn(*[fault] * 3))
    with pytest.raises(RetryError) as caught:
        rig.send(rig.connect(endpoint), "events", operations(1))
    assert caught.value.sent is sent


@pytest.mark.parametrize("code", [400, 409, 422])
def test_a_refused_event_is_rejected_and_the_others_go_on(rig: Rig, code: int) -> None:
    endpoint = Endpoint(lambda request: status(code if b"op-2" in request.content else 204))
    outcomes = rig.send(rig.connect(endpoint), "events", operations(3))
    assert [outcome.status.value for outcome in outcomes] == ["accepted", "rejected", "accepted"]
    assert (outcomes[1].code, outcomes[1].http_status) == (f"http_{code}", code)
    assert len(endpoint.requests) == 3


def test_an_answer_may_settle_each_row_by_name(rig: Rig) -> None:
    results = [
        {"id": "op-1", "status": "unchanged"},
        {"id": "op-2", "status": "rejected", "code": "no_such_shop", "message": "call 15400001234"},
        {"id": "op-3", "status": "rejected"},
        {"id": "op-4", "status": "deferred"},
        {"id": "op-5", "status": "perhaps"},
        {"id": "op-99", "status": "rejected"},
    ]
    endpoint = Endpoint(lambda _: status(200, json={"results": results}))
    outcomes = {outcome.operation_id: outcome for outcome in rig.send(rig.connect(endpoint), "batch", operations(6))}
    assert {key: outcome.status.value for key, outcome in outcomes.items()} == {
        "op-1": "unchanged",
        "op-2": "rejected",
        "op-3": "rejected",
        "op-4": "deferred",
        "op-5": "unknown",
        "op-6": "accepted",
    }
    assert (outcomes["op-2"].code, outcomes["op-2"].message) == ("no_such_shop", "call 154****1234")
    assert json.loads(outcomes["op-2"].response)["message"] == "call 154****1234"
    assert outcomes["op-3"].code == "endpoint_rejected"
    assert outcomes["op-5"].code == "answer_unreadable"


def test_the_gone_endpoint_ends_the_batch_after_the_outcomes_so_far(rig: Rig) -> None:
    endpoint = Endpoint(in_turn(status(204), status(204), status(410)))
    destination = rig.connect(endpoint, concurrency=1)
    found = destination.write(destination.targets()[0], operations(5))
    assert [next(found).operation_id, next(found).operation_id] == ["op-1", "op-2"]
    with pytest.raises(StreamError) as caught:
        next(found)
    assert caught.value.code == "endpoint_gone"
    assert len(endpoint.requests) == 3


# Batches that are too large.


def test_a_batch_that_is_too_large_is_halved_down_to_the_one_bad_row(rig: Rig) -> None:
    endpoint = Endpoint(lambda request: status(413 if "op-6" in body_ids(request) else 204))
    outcomes = rig.send(rig.connect(endpoint), "batch", operations(8))
    rejected = [outcome for outcome in outcomes if outcome.status is OutcomeStatus.REJECTED]
    assert [(outcome.operation_id, outcome.code, outcome.http_status) for outcome in rejected] == [
        ("op-6", "event_too_large", 413)
    ]
    assert sorted(outcome.operation_id for outcome in outcomes) == [f"op-{n}" for n in range(1, 9)]
    assert [len(body_ids(request)) for request in endpoint.requests] == [8, 4, 4, 2, 1, 1, 2]


def test_one_refused_row_does_not_cost_its_neighbours(rig: Rig) -> None:
    endpoint = Endpoint(lambda request: status(422 if "op-3" in body_ids(request) else 204))
    outcomes = rig.send(rig.connect(endpoint), "batch", operations(5))
    assert {outcome.operation_id for outcome in outcomes if outcome.status is OutcomeStatus.REJECTED} == {"op-3"}
    assert len(outcomes) == 5


def test_rows_that_a_refusal_names_are_left_out_of_the_next_request(rig: Rig) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        bad = [
            {"id": key, "status": "rejected", "message": "no"} for key in body_ids(request) if key in {"op-2", "op-4"}
        ]
        return status(422, json={"results": bad}) if bad else status(204)

    endpoint = Endpoint(answer)
    outcomes = rig.send(rig.connect(endpoint), "batch", operations(5))
    assert [outcome.operation_id for outcome in outcomes] == ["op-2", "op-4", "op-1", "op-3", "op-5"]
    assert [body_ids(request) for request in endpoint.requests][1:] == [["op-1", "op-3", "op-5"]]


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 40),
    bad=st.sets(st.integers(1, 40)),
    code=st.sampled_from([400, 413, 422]),
    most=st.integers(1, 40),
)
def test_whatever_is_refused_every_row_has_just_one_outcome(
    tmp_path_factory: pytest.TempPathFactory, count: int, bad: set[int], code: int, most: int
) -> None:
    wrong = {f"op-{n}" for n in bad}
    taken: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        ids = body_ids(request)
        if wrong & set(ids) or len(ids) > most:
            return status(code)
        taken.extend(ids)
        return status(204)

    rig = Rig(tmp_path_factory.getbasetemp())
    endpoint = Endpoint(answer)
    outcomes = rig.send(rig.connect(endpoint), "batch", operations(count))
    rig.close()
    everything = {f"op-{n}" for n in range(1, count + 1)}
    assert sorted(outcome.operation_id for outcome in outcomes) == sorted(everything)
    assert sorted(taken) == sorted(everything - wrong)
    assert {o.operation_id for o in outcomes if o.status is OutcomeStatus.REJECTED} == everything & wrong
    assert len(endpoint.webhook_ids) == len(set(endpoint.webhook_ids))


def test_parts_of_a_batch_have_ids_that_a_repeat_gives_again(rig: Rig) -> None:
    endpoint = Endpoint(lambda request: status(413 if len(body_ids(request)) > 2 else 204))
    for _ in range(2):
        rig.send(rig.connect(endpoint), "batch", operations(4))
    first, again = endpoint.webhook_ids[:3], endpoint.webhook_ids[3:]
    assert first == again
    assert first[0] == "batch-1"
    assert all(part.startswith("batch-1-") and "." not in part for part in first[1:])


def test_a_batch_is_split_by_bytes_before_it_is_sent(rig: Rig) -> None:
    endpoint = Endpoint(ok)
    outcomes = rig.send(rig.connect(endpoint, max_batch_bytes=1024), "batch", operations(20))
    assert [outcome.operation_id for outcome in outcomes] == [f"op-{n}" for n in range(1, 21)]
    assert len(endpoint.requests) > 1
    assert all(len(request.content) <= 1024 for request in endpoint.requests)


def test_more_rows_than_the_batch_size_travel_in_several_requests(rig: Rig) -> None:
    endpoint = Endpoint(ok)
    rig.send(rig.connect(endpoint, batch_size=3), "batch", [*operations(7), *operations(2, batch="batch-2", first=8)])
    assert [len(body_ids(request)) for request in endpoint.requests] == [3, 2, 2, 2]
    assert endpoint.webhook_ids[-1] == "batch-2"


@pytest.mark.parametrize("target", ["events", "batch"])
def test_an_event_beyond_the_limit_is_invalid_and_not_sent(rig: Rig, target: str) -> None:
    big = Operation("op-big", "batch-1", OperationKind.UPDATE, "c9", {"note": "x" * 2000}, "c9")
    odd = Operation("op-odd", "batch-1", OperationKind.UPDATE, "c8", {"note": object()}, "c8")
    endpoint = Endpoint(ok)
    outcomes = rig.send(rig.connect(endpoint, max_event_bytes=1024), target, [big, *operations(1), odd])
    found = {outcome.operation_id: (outcome.status.value, outcome.code) for outcome in outcomes}
    assert found == {
        "op-big": ("invalid", "event_too_large"),
        "op-odd": ("invalid", "value_not_json"),
        "op-1": ("accepted", ""),
    }
    assert len(endpoint.requests) == 1


# Trying the connection.


def test_the_check_reports_an_endpoint_that_answers(rig: Rig) -> None:
    endpoint = Endpoint(lambda _: status(405))
    (check,) = rig.connect(endpoint).check()
    assert (check.ok, check.message) == (True, "HTTP status 405")
    assert [request.method for request in endpoint.requests] == ["OPTIONS"]
    assert "webhook-signature" not in endpoint.requests[0].headers


@pytest.mark.parametrize(
    ("headers", "consents"),
    [
        ({"WebHook-Allowed-Origin": "hub.example.com", "WebHook-Allowed-Rate": "120"}, True),
        ({"WebHook-Allowed-Origin": "*"}, True),
        ({"WebHook-Allowed-Origin": "*", "WebHook-Allowed-Rate": "*"}, True),
        ({"WebHook-Allowed-Origin": "hub.example.com", "WebHook-Allowed-Rate": "30"}, False),
        ({"WebHook-Allowed-Origin": "other.example.com"}, False),
        ({}, False),
    ],
)
def test_the_handshake_asks_for_consent(rig: Rig, headers: dict[str, str], consents: bool) -> None:
    endpoint = Endpoint(lambda _: status(200, headers=headers))
    destination = rig.connect(endpoint, handshake=True, origin="hub.example.com", rate_per_minute=60)
    (check,) = destination.check()
    assert check.ok is consents
    assert endpoint.requests[0].headers["webhook-request-origin"] == "hub.example.com"
    assert endpoint.requests[0].headers["webhook-request-rate"] == "60"


@pytest.mark.parametrize(("code", "says"), [(302, "final address"), (410, "gone"), (500, "500")])
def test_the_check_says_what_is_wrong(rig: Rig, code: int, says: str) -> None:
    (check,) = rig.connect(Endpoint(lambda _: status(code))).check()
    assert not check.ok
    assert says in check.message


# Settings and secrets.


def test_a_single_secret_may_be_written_without_a_list() -> None:
    assert len(WebhookConfig.model_validate({"url": URL, "secrets": SECRET}).secrets) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"secrets": []},
        {"secrets": ["whsec_tooshort"]},
        {"timeout": 5},
        {"timeout": 31},
        {"event_types": {"create": "customer entered"}},
        {"event_types": {"create": "a..b"}},
        {"source": "two words"},
        {"handshake": True},
        {"allow": ["10.0.0.1/8"]},
        {"unknown": 1},
    ],
)
def test_a_wrong_setting_is_refused_without_showing_a_secret(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        WebhookConfig.model_validate({"url": URL, "secrets": [SECRET], **wrong})
    assert "tooshort" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_neither_secrets_nor_values_reach_a_message_or_a_log(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    token = "T0KEN-in-the-path-of-the-url"
    echo = [{"id": "op-1", "status": "rejected", "message": f"{SECRET} {token} 15400000001"}]
    endpoint = Endpoint(in_turn(status(422, json={"results": echo}), *[status(500, text=SECRET)] * 3))
    destination = rig.connect(endpoint, url=f"https://crm.example.com/{token}")
    (outcome,) = rig.send(destination, "events", operations(1))
    with pytest.raises(RetryError) as caught:
        rig.send(destination, "events", operations(1))
    shown = f"{outcome} {caught.value} {caplog.text} {destination.config!r}".replace(f"crm.example.com/{token}", "")
    assert not [text for text in (SECRET, token, "15400000001") if text in shown]


def test_the_rate_is_kept(rig: Rig) -> None:
    endpoint = Endpoint(ok)
    clock = {"now": NOW}

    def sleep(seconds: float) -> None:
        rig.sleeps.append(seconds)
        clock["now"] += dt.timedelta(seconds=seconds)

    config = WebhookConfig.model_validate({"url": URL, "secrets": [SECRET], "rate_per_minute": 2, "concurrency": 1})
    runtime = replace(rig.runtime(transport=endpoint, now=lambda: clock["now"]), sleep=sleep)
    destination = WebhookDestination(config, runtime)
    rig.send(destination, "events", operations(3))
    destination.close()
    assert sum(rig.sleeps) == pytest.approx(60, abs=1)
