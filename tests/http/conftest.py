"""What the tests of the HTTP layer share: virtual time, a scripted platform and a client that talks to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from hub.http import ApiClient
from hub.http.testing import ScriptedPlatform, VirtualClock

MakeClient = Callable[..., ApiClient]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def platform(clock: VirtualClock) -> Iterator[ScriptedPlatform]:
    with ScriptedPlatform(clock) as platform:
        yield platform
        platform.verify()


@pytest.fixture
def make_client(clock: VirtualClock, platform: ScriptedPlatform) -> MakeClient:
    def make(base_url: str = "https://api.example.com", **options: Any) -> ApiClient:
        defaults: dict[str, Any] = {"name": "shop", "transport": platform, "clock": clock, "random": Random(7)}
        return ApiClient(base_url, **{**defaults, **options})

    return make


@pytest.fixture
def client(make_client: MakeClient) -> ApiClient:
    return make_client()


@pytest.fixture
def postgres_address(postgres_url: str) -> str:
    """Where an empty database is, with sessions in a zone far from UTC, as servers in China have it."""
    address = postgres_url.replace("postgresql+psycopg://", "postgresql://")
    return make_conninfo(address, options="-c timezone=Asia/Shanghai")
