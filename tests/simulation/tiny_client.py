"""A client of the tiny shop that does what every connector does: renew a refused token once, try again on trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from tiny_shop import TinyShop

ATTEMPTS = 3
TOKEN_CODES = (4202, 4203)
TRY_AGAIN = (45009, -1)


class TinyClient:
    """Reads and writes the tiny shop through any httpx client."""

    def __init__(self, http: httpx.Client, credentials: dict[str, str]) -> None:
        self.http = http
        self.credentials = credentials
        self._token = ""

    def token(self) -> str:
        asked = {"app": self.credentials["app_id"], "secret": self.credentials["app_secret"]}
        answer = self._repeated(lambda: self.http.get("/api/token", params=asked))
        return str(answer["access_token"])

    def post(self, path: str, body: dict[str, Any]) -> Any:
        def send() -> httpx.Response:
            self._token = self._token or self.token()
            return self.http.post(path, params={"access_token": self._token}, json=body)

        return self._repeated(send)["data"]

    def members(self) -> Iterator[dict[str, Any]]:
        cursor = ""
        while True:
            page = self.post("/api/members/list", {"cursor": cursor})
            yield from page["items"]
            cursor = page["next"]
            if not cursor:
                return

    def add_points(self, member: int, points: int, request_id: str) -> int:
        answer = self.post("/api/points/add", {"id": member, "points": points, "request_id": request_id})
        return int(answer["total"])

    def _repeated(self, send: Callable[[], httpx.Response]) -> Any:
        for left in reversed(range(ATTEMPTS)):
            try:
                response = send()
                answer = response.json()
            except (httpx.TransportError, ValueError):
                if not left:
                    raise
                continue
            if answer.get("errcode", 0) in TOKEN_CODES:
                self._token = ""
            elif answer.get("errcode", 0) not in TRY_AGAIN:
                assert answer.get("errcode", 0) == 0, answer
                return answer
        raise AssertionError(f"no way through: {answer}")


@contextmanager
def http_for(shop: TinyShop, over: str, timeout: float = 5.0) -> Iterator[httpx.Client]:
    """Give an httpx client that reaches the shop over a real ``socket`` or ``in-process``."""
    transport = None if over == "socket" else shop.transport()
    if over == "socket":
        shop.start()
    with httpx.Client(base_url=shop.base_url, transport=transport, timeout=timeout, trust_env=False) as http:
        yield http


@contextmanager
def client_for(shop: TinyShop, over: str, timeout: float = 5.0) -> Iterator[TinyClient]:
    """Give a :class:`TinyClient` for the shop."""
    with http_for(shop, over, timeout) as http:
        yield TinyClient(http, shop.credentials)
