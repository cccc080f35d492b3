"""When a call is repeated, when it must not be, and how long all of it may take."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import DeferError, RetryError
from hub.http import (
    Action,
    ApiClient,
    CallOptions,
    ErrorTable,
    InjectedClock,
    RateBudget,
    RetryPolicy,
    Rule,
    Timeouts,
    Window,
    code_envelope,
    parse_retry_after,
)
from hub.http.testing import (
    ScriptedPlatform,
    ScriptedReply,
    VirtualClock,
    dropped_after_send,
    dropped_before_send,
    reply,
    server_fault,
    slow,
    too_many_requests,
    truncated,
)

MakeClient = Callable[..., ApiClient]
BODY = {"orders": list(range(50))}


class Highest(Random):
    """Draws the upper bound, so that a test sees the exact ceiling of each pause."""

    def uniform(self, a: float, b: float) -> float:
        return b


# The pause.


def test_the_ceiling_of_the_pause_doubles_from_half_a_second_to_the_cap() -> None:
    policy = RetryPolicy(cap=5.0)
    assert [policy.ceiling(attempt) for attempt in range(1, 7)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


@settings(deadline=None)
@given(
    attempt=st.integers(1, 5000),
    base=st.floats(0, 100),
    cap=st.floats(0, 3600),
    seed=st.integers(),
)
def test_a_pause_is_never_negative_and_never_above_its_ceiling(
    attempt: int, base: float, cap: float, seed: int
) -> None:
    policy = RetryPolicy(base=base, cap=cap)
    assert 0 <= policy.backoff(attempt, Random(seed)) <= policy.ceiling(attempt) <= cap


def test_jitter_is_full_the_whole_range_is_used_evenly() -> None:
    policy, random = RetryPolicy(base=8.0, cap=8.0), Random(3)
    draws = [policy.backoff(1, random) for _ in range(8000)]
    for low in range(8):
        assert 850 <= sum(low <= draw < low + 1 for draw in draws) <= 1150


def test_a_call_sleeps_exactly_what_the_policy_draws(
    make_client: MakeClient, platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    platform.on("GET", "/x").answers(*[server_fault()] * 4, reply({}))
    make_client(random=Highest()).get("/x")
    assert clock.sleeps == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize("wrong", [{"tries": 0}, {"base": -1.0}, {"cap": -1.0}, {"longest_pause": -1.0}])
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="tries"):
        RetryPolicy(**wrong)  # type: ignore[arg-type]


# What is repeated.

PASSING = [
    server_fault(500),
    server_fault(502),
    server_fault(503),
    server_fault(504),
    reply(status=408),
    too_many_requests(),
    too_many_requests(retry_after=2),
    truncated(BODY),
    truncated(BODY, announced=False),
    dropped_before_send(),
    dropped_after_send(),
    slow(31, reply({})),
    reply(content=b"<html>captive portal</html>"),
    reply(content=b"\x1f\x8b broken", headers={"Content-Encoding": "gzip"}),
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: fault.what)
def test_a_read_gets_over_every_passing_fault(
    fault: ScriptedReply, client: ApiClient, platform: ScriptedPlatform
) -> None:
    platform.on("GET", "/orders").answers(fault, fault, reply(BODY))
    assert client.get("/orders").data == BODY


def test_a_burst_longer_than_the_tries_ends_in_a_retry_error_that_counts_them(
    client: ApiClient, platform: ScriptedPlatform
) -> None:
    platform.on("GET", "/orders").times(5, server_fault(503))
    with pytest.raises(RetryError) as caught:
        client.get("/orders")
    assert (caught.value.code, caught.value.context["status"], caught.value.context["tries"]) == (
        "http_server_fault",
        503,
        5,
    )


def test_the_number_of_tries_can_be_set_for_client_call_and_symptom(
    make_client: MakeClient, platform: ScriptedPlatform
) -> None:
    rules = [Rule(Action.RETRY, code="5001", tries=2)]
    client = make_client(retry=RetryPolicy(tries=3), errors=ErrorTable(rules, code_envelope("code")))
    platform.on("GET", "/client").times(3, server_fault())
    platform.on("GET", "/call").times(1, server_fault())
    platform.on("GET", "/symptom").times(2, reply({"code": 5001}))
    for path, options in (("client", CallOptions()), ("call", CallOptions(tries=1)), ("symptom", CallOptions())):
        with pytest.raises(RetryError):
            client.get(path, options=options)


# Writes.

UNKNOWN_OUTCOME = [
    server_fault(500),
    server_fault(502),
    server_fault(503),
    server_fault(504),
    reply(status=408),
    truncated(BODY),
    truncated(BODY, announced=False),
    dropped_after_send(),
    slow(31, reply({})),
    reply(content=b"<html>oops</html>"),
    reply(content=b"[" + b"1," * 900 + b"1]"),
]


@pytest.mark.parametrize("fault", UNKNOWN_OUTCOME, ids=lambda fault: fault.what)
def test_a_write_whose_outcome_is_unknown_is_never_repeated(
    fault: ScriptedReply, make_client: MakeClient, platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    platform.on("POST", "/points").answers(fault)
    with pytest.raises(RetryError) as caught:
        make_client(max_bytes=1000).post("/points", {"add": 100})
    assert caught.value.sent
    assert clock.sleeps == []
    assert "not sent again" in caught.value.hint


@pytest.mark.parametrize("harmless", [dropped_before_send(), too_many_requests(), too_many_requests(retry_after=1)])
def test_a_write_that_certainly_was_not_carried_out_is_repeated(
    harmless: ScriptedReply, client: ApiClient, platform: ScriptedPlatform
) -> None:
    platform.on("POST", "/points").answers(harmless, harmless, reply({"done": True}))
    assert client.post("/points", {"add": 100}).data == {"done": True}


def test_a_write_that_never_left_says_so(client: ApiClient, platform: ScriptedPlatform) -> None:
    platform.on("POST", "/points").times(5, dropped_before_send())
    with pytest.raises(RetryError) as caught:
        client.post("/points", {"add": 100})
    assert not caught.value.sent


def test_a_read_that_left_once_says_so_though_the_last_try_did_not(
    client: ApiClient, platform: ScriptedPlatform
) -> None:
    platform.on("GET", "/x").answers(dropped_after_send(), *[dropped_before_send()] * 4)
    with pytest.raises(RetryError) as caught:
        client.get("/x")
    assert caught.value.sent


def test_a_write_declared_idempotent_is_repeated_with_the_same_idempotency_key(
    client: ApiClient, platform: ScriptedPlatform
) -> None:
    platform.on("POST", "/payments").answers(dropped_after_send(), reply({"done": True}))
    client.request(
        "POST", "/payments", json={}, headers={"Idempotency-Key": "k-1"}, options=CallOptions(idempotent=True)
    )
    assert [request.headers["idempotency-key"] for request in platform.requests] == ["k-1", "k-1"]


def test_a_post_that_only_reads_is_repeated(client: ApiClient, platform: ScriptedPlatform) -> None:
    platform.on("POST", "/search").answers(dropped_after_send(), server_fault(), reply(BODY))
    assert client.query("/search", {"page": 1}).data == BODY


def test_a_get_declared_not_idempotent_is_not_repeated(client: ApiClient, platform: ScriptedPlatform) -> None:
    platform.on("GET", "/send-coupon").answers(dropped_after_send())
    with pytest.raises(RetryError):
        client.get("/send-coupon", options=CallOptions(idempotent=False))


@pytest.mark.parametrize(("unprocessed", "calls"), [(False, 1), (True, 2)])
def test_a_busy_code_stops_a_write_unless_the_rule_says_that_nothing_was_done(
    unprocessed: bool, calls: int, make_client: MakeClient, platform: ScriptedPlatform
) -> None:
    rules = [Rule(Action.RETRY, code="-1", unprocessed=unprocessed, tries=2)]
    client = make_client(errors=ErrorTable(rules, code_envelope("errcode")))
    platform.on("POST", "/mark").times(calls, reply({"errcode": -1}))
    with pytest.raises(RetryError):
        client.post("/mark", {})


# Retry-After.


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_obeyed_in_seconds_and_as_a_date(
    as_date: bool, client: ApiClient, platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    platform.on("GET", "/x").answers(too_many_requests(retry_after=17, as_date=as_date), reply({}))
    client.get("/x")
    assert clock.sleeps == [17.0]


def test_retry_after_is_obeyed_after_a_503_too(
    client: ApiClient, platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    platform.on("GET", "/x").answers(reply(status=503, headers={"Retry-After": "9"}), reply({}))
    client.get("/x")
    assert clock.sleeps == [9.0]


def test_a_longer_wait_than_the_policy_allows_is_left_to_a_later_run(
    client: ApiClient, platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    platform.on("GET", "/x").answers(too_many_requests(retry_after=3600))
    with pytest.raises(DeferError) as caught:
        client.get("/x")
    assert caught.value.until == 3600
    assert clock.sleeps == []


def test_an_absurd_retry_after_defers_for_a_day_at_most(client: ApiClient, platform: ScriptedPlatform) -> None:
    platform.on("GET", "/x").answers(too_many_requests(retry_after=1e9))
    with pytest.raises(DeferError) as caught:
        client.get("/x")
    assert caught.value.until == 86_400


def test_a_rate_limit_that_lasts_is_deferred_not_failed(client: ApiClient, platform: ScriptedPlatform) -> None:
    platform.on("GET", "/x").times(5, too_many_requests(retry_after=1))
    with pytest.raises(DeferError) as caught:
        client.get("/x")
    assert caught.value.code == "http_rate_limited"


@settings(deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 10**6))
def test_both_forms_of_retry_after_mean_the_same(now: int, seconds: int) -> None:
    date = format_datetime(datetime.fromtimestamp(now + seconds, UTC), usegmt=True)
    assert parse_retry_after(date, now) == parse_retry_after(str(seconds), now) == seconds


@pytest.mark.parametrize("value", [None, "", "soon", "nan", "inf", "Wed, 99 Foo 2026", "1e400"])
def test_a_retry_after_that_says_nothing_is_ignored(value: str | None) -> None:
    assert parse_retry_after(value, 0.0) is None


def test_a_retry_after_in_the_past_means_now() -> None:
    assert parse_retry_after("Thu, 01 Jan 1970 00:00:00 GMT", 50.0) == 0.0
    assert parse_retry_after("-5", 50.0) == 0.0


# The total time.


def test_the_total_time_holds_over_all_tries_and_pauses(
    make_client: MakeClient, platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    platform.on("GET", "/x").always(slow(9, server_fault()))
    client = make_client(timeouts=Timeouts(total=30), retry=RetryPolicy(tries=100))
    with pytest.raises(RetryError):
        client.get("/x")
    assert 18 < clock.monotonic() <= 30


def test_a_single_step_is_cut_short_by_the_total_time(
    make_client: MakeClient, platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    platform.on("GET", "/x").always(slow(500, reply({})))
    with pytest.raises(RetryError) as caught:
        make_client(timeouts=Timeouts(read=100, total=40)).get("/x")
    assert caught.value.code == "http_read_timeout"
    assert clock.monotonic() == 40


def test_a_body_that_drips_in_cannot_outlast_the_total_time(
    make_client: MakeClient, platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    platform.on("GET", "/x").always(slow(1000, reply(BODY), chunks=100))
    with pytest.raises(RetryError) as caught:
        make_client(timeouts=Timeouts(total=60)).get("/x")
    assert caught.value.code == "http_total_timeout"
    assert 60 <= clock.monotonic() <= 70


@settings(deadline=None)
@given(
    total=st.floats(1, 120),
    read=st.floats(0.1, 60),
    delays=st.lists(st.floats(0, 100), min_size=1, max_size=6),
    seed=st.integers(),
)
def test_no_call_ever_takes_longer_than_its_total_time(
    total: float, read: float, delays: list[float], seed: int
) -> None:
    clock = VirtualClock()
    platform = ScriptedPlatform(clock)
    platform.on("GET", "/x").answers(*(slow(delay, server_fault()) for delay in delays)).always(reply({}))
    client = ApiClient(
        "https://api.example.com",
        transport=platform,
        clock=clock,
        random=Random(seed),
        timeouts=Timeouts(read=read, total=total),
    )
    with contextlib.suppress(RetryError):
        client.get("/x")
    assert clock.monotonic() <= total + 1e-6


def test_waiting_for_the_rate_budget_does_not_count_as_time_of_the_call(
    make_client: MakeClient, platform: ScriptedPlatform, clock: VirtualClock
) -> None:
    platform.on("GET", "/x").times(2, slow(8, reply({})))
    budget = RateBudget("shop", [Window(1, 50)], clock=clock)
    client = make_client(budget=budget, timeouts=Timeouts(total=10))
    client.get("/x")
    client.get("/x")
    assert clock.monotonic() == pytest.approx(58, abs=0.1)


def test_a_clock_of_two_injected_functions_serves_and_never_runs_backwards(platform: ScriptedPlatform) -> None:
    moments = [datetime(2026, 3, 1, 12, 0, second, tzinfo=UTC) for second in (5, 3, 8)]
    remaining, slept = iter(moments), list[float]()
    clock = InjectedClock(lambda: next(remaining), slept.append)
    start = moments[0].timestamp()
    assert [clock.monotonic() - start for _ in moments] == [0, 0, 3]
    clock.sleep(2.5)
    assert slept == [2.5]
    assert InjectedClock(lambda: moments[2], slept.append).time() == start + 3
