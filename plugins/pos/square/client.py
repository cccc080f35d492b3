"""Speaks HTTP with the API: token, version, rate budget, errors, cursors; nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hub.errors import StreamError
from hub.http import (
    Action,
    ApiClient,
    BusinessError,
    CallOptions,
    Clock,
    ErrorTable,
    HeaderToken,
    InjectedClock,
    RateBudget,
    RetryPolicy,
    Rule,
    StaticToken,
    Timeouts,
    Unit,
    Window,
)
from hub.runtime import Runtime
from plugins.pos.square.api import Api, Endpoint
from plugins.pos.square.config import SquareConfig

__all__ = ["CURSOR_REFUSED", "Answer", "SquareClient"]

CURSOR_REFUSED: Final = "square_cursor_refused"
"""A cursor lives five minutes: the walk has to begin anew."""

_TOKEN_HINT: Final = "Check access_token in hub.toml; an OAuth token lives 30 days."  # noqa: S105 - a hint
_SCOPE_HINT: Final = "Grant the application the scope of this endpoint (README, Streams) in Square's developer console."
_RULES: Final = (
    Rule(Action.RATE_LIMITED, code="RATE_LIMITED"),
    Rule(Action.STREAM, code="INVALID_CURSOR", error_code=CURSOR_REFUSED),
    Rule(Action.STREAM, code=("FORBIDDEN", "INSUFFICIENT_SCOPES"), error_code="square_scope_missing", hint=_SCOPE_HINT),
    Rule(
        Action.AUTH,
        code=("UNAUTHORIZED", "ACCESS_TOKEN_EXPIRED", "ACCESS_TOKEN_REVOKED"),
        error_code="square_token_refused",
        hint=_TOKEN_HINT,
    ),
)


def read_error(data: Any) -> BusinessError | None:
    """Return the first of an answer's errors, with its field, or None for a success."""
    if not isinstance(data, Mapping):
        return None
    errors = data.get("errors") or ()
    if not errors:
        return None
    first = errors[0]
    field = f" ({first['field']})" if first.get("field") else ""
    return BusinessError(str(first.get("code") or ""), f"{first.get('detail') or ''}{field}")


@dataclass(frozen=True, slots=True)
class Answer:
    """One page: its rows, and the cursor of the next one (None: this was the last)."""

    rows: list[Any]
    cursor: str | None


class SquareClient:
    """The endpoints of one seller's account.

    Args:
        config: the connection's settings.
        runtime: time, budgets and, in tests, the transport.
    """

    def __init__(self, config: SquareConfig, runtime: Runtime) -> None:
        clock: Clock = InjectedClock(runtime.now, runtime.sleep)
        self._http = ApiClient(
            config.base_url,
            name=runtime.connection,
            auth=HeaderToken(StaticToken(config.access_token.get_secret_value())),
            errors=ErrorTable(_RULES, read_error),
            budget=RateBudget(
                f"square/{runtime.connection}",
                [Window(config.calls_per_second, 1.0)],
                ledger=runtime.budgets,
                clock=clock,
            ),
            retry=RetryPolicy(tries=5, base=1.0, cap=48.0),
            timeouts=Timeouts(total=180.0),
            headers={"Square-Version": config.version.isoformat()},
            transport=runtime.transport,
            clock=clock,
            random=runtime.random,
        )

    def call(
        self,
        endpoint: Endpoint,
        given: Mapping[str, Any] | None = None,
        *,
        unit: Unit = Unit.STREAM,
        repeatable: bool = True,
        **names: str,
    ) -> Mapping[str, Any]:
        """Call an endpoint; return the whole answer.

        Args:
            endpoint: what to call.
            given: query parameters of a GET, else the JSON body.
            unit: what a refusal costs: the stream (a list) or one row.
            repeatable: doing it twice does no more than doing it once.
            names: what stands in the path.

        Raises:
            HubError: as :meth:`hub.http.ApiClient.request` says; a missing scope is a ``StreamError`` with code
                ``square_scope_missing``, a refused token an ``AuthError`` with ``square_token_refused``.
        """
        options = CallOptions(idempotent=repeatable, unit=unit)
        if endpoint.method == "GET":
            answer = self._http.request("GET", endpoint.url(**names), params=dict(given or {}), options=options)
        elif given is None:
            answer = self._http.request(endpoint.method, endpoint.url(**names), options=options)
        else:
            answer = self._http.request(endpoint.method, endpoint.url(**names), json=dict(given), options=options)
        return answer.data or {}

    def pages(
        self, endpoint: Endpoint, given: Mapping[str, Any] | None = None, *, start: str | None = None
    ) -> Iterator[Answer]:
        """Walk a list: the same query again with each cursor.

        Args:
            endpoint: the list.
            given: the query.
            start: cursor of an earlier walk; one that has run out begins the walk anew.
        """
        cursor = start
        used: set[str] = set()
        while True:
            try:
                data = self.call(endpoint, {**(given or {}), **({"cursor": cursor} if cursor else {})})
            except StreamError as error:
                if cursor is None or error.code != CURSOR_REFUSED:
                    raise
                cursor = None
                continue
            cursor = data.get("cursor") or None
            if cursor in used:
                raise StreamError("The platform gave a cursor that leads back.", code="page_repeated")
            yield Answer(list(data.get(endpoint.rows) or ()), cursor)
            if cursor is None:
                return
            used.add(cursor)

    def locations(self) -> list[Mapping[str, Any]]:
        """Return all locations; there are no pages of them."""
        return list(self.call(Api.LOCATIONS).get("locations") or ())

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
