"""An endpoint made of a function, and the destination connected to it."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from hub.destination import Operation, OperationKind, Outcome
from hub.runtime import Runtime
from plugins.webhook.config import WebhookConfig
from plugins.webhook.destination import WebhookDestination

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(bytes(range(50, 74))).decode()
URL = "https://crm.example.com/hooks/customers"


class Endpoint(httpx.BaseTransport):
    """Answers as told and remembers what came."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.answer = answer
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        return self.answer(request)

    @property
    def webhook_ids(self) -> list[str]:
        return [request.headers["webhook-id"] for request in self.requests]


class Rig:
    """Makes destinations and remembers how long they slept."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.sleeps: list[float] = []
        self._open: list[WebhookDestination] = []

    def runtime(self, **more: Any) -> Runtime:
        return Runtime(
            connection="crm", scratch=self.scratch, sleep=self.sleeps.append, random=random.Random(7), **more
        )

    def connect(
        self, endpoint: httpx.BaseTransport | None, *, resolve: Any = None, now: Any = None, **settings: Any
    ) -> WebhookDestination:
        config = WebhookConfig.model_validate({"url": URL, "secrets": [SECRET], **settings})
        runtime = self.runtime(transport=endpoint, **({"now": now} if now else {}))
        destination = WebhookDestination(config, runtime, resolve) if resolve else WebhookDestination(config, runtime)
        self._open.append(destination)
        return destination

    def send(self, destination: WebhookDestination, target: str, operations: list[Operation]) -> list[Outcome]:
        found = next(entry for entry in destination.targets() if entry.name == target)
        return list(destination.write(found, operations))

    def close(self) -> None:
        for destination in self._open:
            destination.close()


def operations(
    count: int, *, kind: OperationKind = OperationKind.UPDATE, batch: str = "batch-1", first: int = 1
) -> list[Operation]:
    """Operations ``op-1`` … on customers ``c1`` …"""
    return [
        Operation(f"op-{n}", batch, kind, f"c{n}", {"phone": f"1540000{n:04d}", "level": "gold"}, f"c{n}")
        for n in range(first, first + count)
    ]


def ok(_: httpx.Request) -> httpx.Response:
    return httpx.Response(204)


def in_turn(*answers: httpx.Response | Exception) -> Callable[[httpx.Request], httpx.Response]:
    """Give the answers one after the other."""
    left = iter(answers)

    def answer(_: httpx.Request) -> httpx.Response:
        following = next(left)
        if isinstance(following, Exception):
            raise following
        return following

    return answer
