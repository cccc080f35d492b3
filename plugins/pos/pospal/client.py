"""Speaks HTTP with one shop's interface: signature, rate budget, errors, pages; nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hub.errors import StreamError
from hub.http import (
    CHINA_MIDNIGHT,
    ApiClient,
    CallOptions,
    Clock,
    InjectedClock,
    RateBudget,
    RetryPolicy,
    SignedRequest,
    Timeouts,
    Unit,
    Window,
    cursor_pages,
)
from hub.runtime import Runtime
from plugins.pos.pospal.answers import error_table
from plugins.pos.pospal.api import V2_PATHS, Api
from plugins.pos.pospal.config import PospalConfig, ShopSettings
from plugins.pos.pospal.signing import sign_v1, sign_v2

__all__ = ["PospalClient", "ResultPage"]

_DAY: Final = 86_400.0
_PAGE_SIZE: Final = 100
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class ResultPage:
    """One page: its rows, and the parameter to send back for the next one (None: this was the last)."""

    rows: list[Any]
    following: Mapping[str, Any] | None


class PospalClient:
    """The interfaces of one shop.

    Args:
        config: the connection's settings.
        runtime: time, budgets and, in tests, the transport.
        shop: whose address and key are used.
    """

    def __init__(self, config: PospalConfig, runtime: Runtime, shop: ShopSettings) -> None:
        self.shop = shop
        clock: Clock = InjectedClock(runtime.now, runtime.sleep)
        app_id, key = shop.app_id, shop.app_key.get_secret_value()

        def stamp() -> int:
            return round(clock.time() * 1000)

        budget = RateBudget(
            f"pospal/{app_id}",
            [Window(config.calls_per_second, 1.0), Window(config.calls_per_day, _DAY, anchor=CHINA_MIDNIGHT)],
            ledger=runtime.budgets,
            clock=clock,
        )

        def connect(base_url: str, auth: SignedRequest) -> ApiClient:
            return ApiClient(
                base_url,
                name=runtime.connection,
                auth=auth,
                errors=error_table(config.error_codes),
                budget=budget,
                retry=RetryPolicy(tries=_TRIES, base=1.0, cap=48.0),
                timeouts=Timeouts(connect=10.0, read=30.0, write=30.0, pool=60.0, total=180.0),
                headers={"User-Agent": "openApi"},
                secrets=[key],
                transport=runtime.transport,
                clock=clock,
                random=runtime.random,
            )

        v1 = SignedRequest(lambda draft, key: sign_v1(draft, key, stamp()), token=key)
        self._v1 = connect(shop.base_url or config.base_url, v1)
        self._v2: ApiClient | None = None
        if shop.v2_base_url:
            v2 = SignedRequest(lambda draft, key: sign_v2(draft, app_id, key, stamp()), token=key)
            self._v2 = connect(shop.v2_base_url, v2)

    def ask(self, api: Api, body: Mapping[str, Any] | None = None, *, unit: Unit = Unit.STREAM) -> Any:
        """Call an interface that only reads; return its ``data``.

        Args:
            api: what to call.
            body: its parameters besides the appId.
            unit: what a refusal costs: the stream (a list) or one row (a detail).

        Raises:
            HubError: as :meth:`hub.http.ApiClient.request` says; a key or interface that is refused is a ``StreamError``
                with code ``pospal_key_refused`` or ``pospal_permission_missing``, a spent quota a ``DeferError``.
        """
        return self._call(api, body, CallOptions(idempotent=True, unit=unit, decimals=True))

    def change(self, api: Api, body: Mapping[str, Any], *, repeatable: bool) -> Any:
        """Call an interface that writes; a refusal is a ``RowError``.

        Args:
            api: what to call.
            body: its parameters.
            repeatable: doing it twice does no more than doing it once.
        """
        return self._call(api, body, CallOptions(idempotent=repeatable, unit=Unit.ROW, decimals=True))

    def _call(self, api: Api, body: Mapping[str, Any] | None, options: CallOptions) -> Any:
        given = {"appId": self.shop.app_id, **(body or {})}
        if self._v2 is not None and api in V2_PATHS:
            return self._v2.post(V2_PATHS[api], given, options=options).data.get("data")
        return self._v1.post(api.value, given, options=options).data.get("data")

    def pages(
        self, api: Api, body: Mapping[str, Any] | None = None, *, start: Mapping[str, Any] | None = None
    ) -> Iterator[ResultPage]:
        """Walk the pages of a list: what the platform gives to send back is sent back unchanged.

        Args:
            api: what to call.
            body: its parameters.
            start: where an earlier walk was; if the platform no longer takes that, the walk begins at the beginning.

        Raises:
            StreamError: a page leads back to an earlier one (``page_repeated``).
        """
        try:
            first = self._page(api, body, start)
        except StreamError:
            if start is None:
                raise
            first, start = self._page(api, body, None), None
        yield first
        if first.following is None:
            return
        following = cursor_pages(
            lambda cursor: self._page(api, body, cursor),
            next_cursor=lambda page: page.following,
            start=first.following,
        )
        yield from following

    def _page(self, api: Api, body: Mapping[str, Any] | None, cursor: Mapping[str, Any] | None) -> ResultPage:
        given = dict(body or {})
        if cursor is not None:
            given["postBackParameter"] = dict(cursor)
        data = self.ask(api, given)
        if isinstance(data, list):  # Some lists come without pages.
            return ResultPage(data, None)
        data = data or {}
        rows = list(data.get("result") or ())
        whole = len(rows) >= int(data.get("pageSize") or _PAGE_SIZE)
        back = data.get("postBackParameter")
        return ResultPage(rows, _plain(back) if whole and back else None)

    def close(self) -> None:
        """Close the connections."""
        self._v1.close()
        if self._v2 is not None:
            self._v2.close()


def _plain(parameter: Mapping[str, Any]) -> dict[str, Any]:
    """Return a parameter with JSON values only, as a cursor wants it."""
    return {
        key: value if isinstance(value, str | int | bool | None) else str(value) for key, value in parameter.items()
    }
