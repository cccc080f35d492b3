"""The scripted platform is strict: a test cannot pass by making too few, too many or other calls."""

from __future__ import annotations

import contextlib
import threading

import httpx
import pytest

from hub.errors import HubError
from hub.http import ApiClient
from hub.http import testing as double
from hub.http.testing import (
    ScriptedPlatform,
    ScriptedReply,
    ScriptError,
    ThreadedVirtualClock,
    VirtualClock,
    reply,
    server_fault,
    slow,
)


def client_of(platform: ScriptedPlatform) -> ApiClient:
    return ApiClient("https://api.example.com", transport=platform, clock=platform.clock)


def test_a_call_that_was_expected_and_not_made_fails_the_test() -> None:
    platform = ScriptedPlatform()
    platform.on("GET", "/a").answers(reply({}))
    platform.on("GET", "/b").answers(reply({}), reply({}))
    client_of(platform).get("/a")
    with pytest.raises(ScriptError, match=r"GET /b: 2 expected call\(s\) not made"), platform:
        pass


def test_an_unexpected_call_fails_at_once_and_says_what_was_expected() -> None:
    platform = ScriptedPlatform()
    platform.on("GET", "/a").answers(reply({}))
    with pytest.raises(ScriptError, match=r"unexpected call GET /b; expected: GET /a \(1 missing\)"):
        client_of(platform).get("/b")


def test_one_call_too_many_is_unexpected() -> None:
    platform = ScriptedPlatform()
    platform.on("GET", "/a").answers(reply({}))
    client = client_of(platform)
    client.get("/a")
    with pytest.raises(ScriptError):
        client.get("/a")


def test_an_unexpected_call_cannot_be_hidden_by_the_code_under_test() -> None:
    platform = ScriptedPlatform()
    with pytest.raises(ScriptError):
        client_of(platform).get("/a")
    with pytest.raises(ScriptError, match="unexpected call GET /a"):
        platform.verify()


def test_a_failure_of_the_test_itself_is_not_covered_up() -> None:
    platform = ScriptedPlatform()
    platform.on("GET", "/a").answers(reply({}))
    with pytest.raises(ZeroDivisionError), platform:
        raise ZeroDivisionError


def test_calls_are_told_apart_by_method_path_parameters_and_body() -> None:
    with ScriptedPlatform() as platform:
        platform.on("POST", "/x", json={"page": 1}).answers(reply("body"))
        platform.on("POST", "/x", params={"p": "1"}).answers(reply("params"))
        platform.on("PUT", "/x").answers(reply("method"))
        wild = platform.on("GET", "/users/*").times(2, reply("path"))
        client = client_of(platform)
        assert client.query("/x", {"page": 2}, params={"p": 1}).data == "params"
        assert client.query("/x", {"page": 1}).data == "body"
        assert client.request("PUT", "/x").data == "method"
        assert [client.get(f"/users/{name}").data for name in "ab"] == ["path", "path"]
    assert [request.url.path for request in wild.requests] == ["/users/a", "/users/b"]
    assert wild.bodies == [None, None]


def test_always_allows_any_number_of_calls_none_included() -> None:
    with ScriptedPlatform() as platform:
        platform.on("GET", "/never").always(reply({}))
        sometimes = platform.on("GET", "/often").answers(reply(1)).always(reply(2))
        client = client_of(platform)
        assert [client.get("/often").data for _ in range(4)] == [1, 2, 2, 2]
    assert len(sometimes.requests) == 4


def test_an_answer_can_be_any_function_of_the_request() -> None:
    echo = ScriptedReply(lambda request, clock: httpx.Response(200, json=dict(request.url.params)))
    with ScriptedPlatform() as platform:
        platform.on("GET", "/echo").answers(echo)
        assert client_of(platform).get("/echo", {"a": 1}).data == {"a": "1"}


def test_a_slow_answer_takes_virtual_time_only() -> None:
    with ScriptedPlatform() as platform:
        platform.on("GET", "/slow").answers(slow(12, reply({})))
        response = client_of(platform).get("/slow")
    assert response.seconds == 12
    assert platform.clock.monotonic() == 12


def test_arrivals_note_the_virtual_time_of_each_call() -> None:
    clock = VirtualClock(1000.0)
    with ScriptedPlatform(clock) as platform:
        platform.on("GET", "/x").answers(reply({}), reply({}))
        client = client_of(platform)
        client.get("/x")
        clock.advance(5)
        client.get("/x")
    assert platform.arrivals == [1000.0, 1005.0]


@pytest.mark.parametrize("name", [name for name in double.__all__ if name in vars(double) and name[0].islower()])
def test_every_fault_ends_in_an_answer_or_in_an_error_of_the_hub(name: str) -> None:
    arguments = {"reply": ({},), "truncated": ({"a": 1},), "slow": (100, reply({}))}
    fault: ScriptedReply = getattr(double, name)(*arguments.get(name, ()))
    platform = ScriptedPlatform()
    platform.on("GET", "/x").always(fault)
    with contextlib.suppress(HubError):  # anything else would fail the test
        assert client_of(platform).get("/x").status == 200
    assert platform.requests


def test_time_of_several_threads_moves_on_only_when_all_sleep() -> None:
    clock = ThreadedVirtualClock(3)
    log: list[tuple[float, int]] = []

    def work(number: int) -> None:
        with clock.thread():
            for _ in range(4):
                clock.sleep(number)
                log.append((clock.monotonic(), number))

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(log) == sorted((float(number * turn), number) for number in (1, 2, 3) for turn in (1, 2, 3, 4))
    assert [time for time, _ in log] == sorted(time for time, _ in log)


def test_a_burst_of_faults_is_written_as_a_list() -> None:
    with ScriptedPlatform() as platform:
        platform.on("GET", "/x").times(3, server_fault(502)).answers(reply({"ok": 1}))
        assert client_of(platform).get("/x").data == {"ok": 1}
