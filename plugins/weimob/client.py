"""Speaks HTTP with the gateway: token, rate budget, errors; nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from hub.errors import AuthError, HubError, RetryError
from hub.http import (
    ApiClient,
    CallOptions,
    Clock,
    InjectedClock,
    MemoryTokenStore,
    NewToken,
    QueryToken,
    RateBudget,
    RetryPolicy,
    StoredToken,
    Timeouts,
    TokenCache,
    Unit,
    Window,
)
from hub.runtime import Runtime
from plugins.weimob.answers import error_table
from plugins.weimob.api import SHOP_TYPE, TOKEN_PATH, Capability
from plugins.weimob.config import Authorisation, WeimobConfig

__all__ = ["WeimobClient"]

_MARGIN: Final = 600.0
"""Seconds before its end at which a token is renewed."""
_TRIES: Final = 5


class WeimobClient:
    """The capabilities of the gateway for one merchant.

    Args:
        config: the connection's settings.
        runtime: time, tokens, budgets and, in tests, the transport.
    """

    def __init__(self, config: WeimobConfig, runtime: Runtime) -> None:
        self._config = config
        self._secret = config.client_secret.get_secret_value()
        clock: Clock = InjectedClock(runtime.now, runtime.sleep)
        # A new token may end the old one: one for all processes, renewed behind one lock.
        account = f"weimob/{config.client_id}/{config.bos_id}"
        tokens = TokenCache(
            account, self._fetch_token, runtime.tokens or MemoryTokenStore(), clock=clock, margin=_MARGIN
        )
        self._http = ApiClient(
            config.base_url,
            name=runtime.connection,
            auth=QueryToken(tokens, param="accesstoken"),
            errors=error_table(),
            budget=RateBudget(account, [Window(config.calls_per_second, 1.0)], ledger=runtime.budgets, clock=clock),
            retry=RetryPolicy(tries=_TRIES, base=1.0, cap=60.0),
            timeouts=Timeouts(connect=10.0, read=20.0, write=10.0, pool=60.0, total=180.0),
            concurrency=config.workers,
            secrets=_secrets(config),
            transport=runtime.transport,
            clock=clock,
            random=runtime.random,
        )

    def ask(self, capability: Capability, body: Mapping[str, Any] | None = None, *, unit: Unit = Unit.STREAM) -> Any:
        """Call what only reads; return ``data``.

        Args:
            capability: what to call.
            body: its parameters.
            unit: what a refusal costs: the stream (a list) or one row (a detail).

        Raises:
            HubError: as :meth:`hub.http.ApiClient.request` says; a capability that was not applied for is a ``StreamError`` with
                code ``weimob_capability_missing``.
        """
        return self._call(capability, body, CallOptions(idempotent=True, unit=unit))

    def change(self, capability: Capability, body: Mapping[str, Any], *, repeatable: bool) -> Any:
        """Call what writes; return ``data``. A refusal is a ``RowError``.

        Args:
            capability: what to call.
            body: its parameters.
            repeatable: doing it twice does no more than doing it once: it is a state, or carries a key of its own.
        """
        return self._call(capability, body, CallOptions(idempotent=repeatable, unit=Unit.ROW))

    def _call(self, capability: Capability, body: Mapping[str, Any] | None, options: CallOptions) -> Any:
        try:
            data = self._http.post(capability.path, dict(body or {}), options=options).data
        except HubError as error:
            error.context = {**error.context, "capability": capability.name, "group": capability.group}
            raise
        return data.get("data")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # ---- the token ---------------------------------------------------------------------------------------------------

    def _fetch_token(self, previous: StoredToken | None) -> NewToken:
        if self._config.authorisation is Authorisation.CLIENT:
            grant = {"grant_type": "client_credentials", "shop_id": self._config.bos_id, "shop_type": SHOP_TYPE}
            return self._token(grant, repeatable=True)
        refusal: AuthError | None = None
        for grant in self._grants(previous):
            try:
                # A code works once, and a refresh token may: a repeat could only fail.
                return self._token(grant, repeatable=False)
            except AuthError as error:
                refusal = error
        raise refusal or AuthError("There is nothing to get a token with.", code="weimob_authorisation_lost")

    def _grants(self, previous: StoredToken | None) -> Iterable[dict[str, str]]:
        """Give the newest refresh token, then what a person has put into the settings since."""
        configured = self._config.refresh_token.get_secret_value() if self._config.refresh_token else None
        stored = previous.refresh_token if previous else None
        for token in dict.fromkeys((stored, configured)):
            if token:
                yield {"grant_type": "refresh_token", "refresh_token": token}
        if self._config.code:
            code = self._config.code.get_secret_value()
            yield {"grant_type": "authorization_code", "code": code, "redirect_uri": self._config.redirect_uri}

    def _token(self, grant: Mapping[str, str], *, repeatable: bool) -> NewToken:
        asked = {"client_id": self._config.client_id, "client_secret": self._secret, **grant}
        options = CallOptions(idempotent=repeatable, authenticate=False)
        answer = self._http.post(TOKEN_PATH, {}, params=asked, options=options).data
        # One client in the field unwraps an outer ``data``.
        data = answer["data"] if isinstance(answer.get("data"), Mapping) else answer
        if not data.get("access_token"):
            raise RetryError("The token address gave no token.", code="weimob_no_token")
        life = max(float(data.get("expires_in") or 0), 60.0)
        return NewToken(str(data["access_token"]), expires_in=life, refresh_token=data.get("refresh_token") or None)


def _secrets(config: WeimobConfig) -> list[str]:
    given = (config.client_secret, config.code, config.refresh_token)
    return [secret.get_secret_value() for secret in given if secret is not None]
