"""The application that takes pushed messages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hub.http import Incoming, MessageApp, RefusedMessage

KEPT: list[Incoming] = []


def keep(incoming: Incoming) -> None:
    if incoming.headers.get("signature") != "good":
        raise RefusedMessage(401)
    KEPT.append(incoming)


def app(**settings: Any) -> MessageApp:
    return MessageApp(keep, b"success", **settings)


def ask(
    application: MessageApp, method: str, *parts: bytes, query: bytes = b"", signature: bytes = b"good"
) -> tuple[int, bytes]:
    """Answer one request whose body comes in parts."""
    events = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    events.append({"type": "http.request", "body": b""})
    sent: list[Any] = []

    async def receive() -> Any:
        return events.pop(0)

    async def send(event: Any) -> None:
        sent.append(event)

    scope = {"type": "http", "method": method, "query_string": query, "headers": [(b"Signature", signature)]}
    asyncio.run(application(scope, receive, send))
    length = dict(sent[0]["headers"])[b"content-length"]
    assert int(length) == len(sent[1]["body"])
    return sent[0]["status"], sent[1]["body"]


def test_a_message_in_parts_is_taken_whole_with_its_headers_and_query() -> None:
    KEPT.clear()
    assert ask(app(), "POST", b"ab", b"cd", query=b"a=1&a=2&b=%E5%A5%BD") == (200, b"success")
    assert [Incoming(b"abcd", {"signature": "good"}, {"a": "2", "b": "好"})] == KEPT


def test_a_refusal_answers_with_its_status_and_the_platform_s_words() -> None:
    KEPT.clear()
    assert ask(app(refused=b'{"code":1}'), "POST", b"x", signature=b"bad") == (401, b'{"code":1}')
    assert KEPT == []


def test_a_message_larger_than_any_is_not_read_on() -> None:
    assert ask(app(longest=10), "POST", b"x" * 8, b"x" * 8, b"x") == (413, b"too large")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_is_taken_where_the_platform_asks_nothing_else(method: str) -> None:
    assert ask(app(), method) == (405, b"method not allowed")


def test_the_platform_s_question_whether_the_address_is_ours_is_answered() -> None:
    echo = app(verify=lambda incoming: incoming.query["echostr"].encode())
    assert ask(echo, "GET", query=b"echostr=hello") == (200, b"hello")


def test_the_server_s_start_and_stop_are_acknowledged() -> None:
    events: list[Any] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return events.pop(0)

    async def send(event: Any) -> None:
        sent.append(event["type"])

    asyncio.run(app()({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
