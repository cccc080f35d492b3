"""Speaks HTTP with the gateway: token, rate budget, errors; nothing else."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any, Final

from hub.errors import AuthError, HubError
from hub.http import (
    CHINA_MIDNIGHT,
    ApiClient,
    ApiResponse,
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
from plugins.youzan.answers import error_table
from plugins.youzan.api import TOKEN_PATH, Api, Method
from plugins.youzan.config import Authorisation, YouzanConfig
from plugins.youzan.values import is_cipher

__all__ = ["YouzanClient"]

_DAY: Final = 86_400.0
_TOKEN_LIFE: Final = 7 * _DAY
"""Seconds an access token lives."""
_SHORTEST_LIFE: Final = 600.0
"""Seconds a fresh token is believed in although by this machine's clock it has run out."""
_TAG_GROUP: Final = "ungrouped-tags"
_SLOW_METHODS: Final = (Api.NAMED_TAGS_ADD, Api.NAMED_TAGS_DELETE, Api.NAMED_TAGS_OF)
_DECRYPT_AT_ONCE: Final = 1_000
_REMEMBERED: Final = 50_000
_TRIES: Final = 5


class YouzanClient:
    """The methods of the gateway for one shop.

    Args:
        config: the connection's settings.
        runtime: time, tokens, budgets and, in tests, the transport.
        kdt_id: the shop whose token is used; the connection's own unless given.
    """

    def __init__(self, config: YouzanConfig, runtime: Runtime, kdt_id: str | None = None) -> None:
        self.kdt_id = kdt_id or config.kdt_id
        self._config = config
        self._secret = config.client_secret.get_secret_value()
        self._clock: Clock = InjectedClock(runtime.now, runtime.sleep)
        self._plain: OrderedDict[str, str] = OrderedDict()
        self._guard = Lock()
        tokens = TokenCache(
            f"youzan/{config.client_id}/{self.kdt_id}",
            self._fetch_token,
            runtime.tokens or MemoryTokenStore(),
            clock=self._clock,
            margin=_DAY,
        )
        self._http = ApiClient(
            config.base_url,
            name=runtime.connection,
            auth=QueryToken(tokens),
            errors=error_table(),
            budget=_budget(config, runtime, self._clock),
            retry=RetryPolicy(tries=_TRIES, base=1.0, cap=48.0),
            timeouts=Timeouts(connect=10.0, read=10.0, write=10.0, pool=60.0, total=180.0),
            concurrency=config.workers,
            secrets=_secrets(config),
            transport=runtime.transport,
            clock=self._clock,
            random=runtime.random,
        )

    def ask(
        self, method: Method, body: Mapping[str, Any] | None = None, *, unit: Unit = Unit.STREAM
    ) -> Mapping[str, Any]:
        """Call a method that only reads; return the whole answer.

        Args:
            method: what to call.
            body: its parameters.
            unit: what a refusal costs: the stream (a list) or one row (a detail).

        Raises:
            HubError: as :meth:`hub.http.ApiClient.request` says; a missing capability package is a ``StreamError`` with
                code ``youzan_permission_missing``.
        """
        data: Mapping[str, Any] = self._call(method, body, CallOptions(idempotent=True, unit=unit)).data
        return data

    def change(self, method: Method, body: Mapping[str, Any], *, repeatable: bool) -> ApiResponse:
        """Call a method that writes; a refusal is a ``RowError``.

        Args:
            method: what to call.
            body: its parameters.
            repeatable: doing it twice does no more than doing it once.
        """
        return self._call(method, body, CallOptions(idempotent=repeatable, unit=Unit.ROW))

    def _call(self, method: Method, body: Mapping[str, Any] | None, options: CallOptions) -> ApiResponse:
        if method in _SLOW_METHODS:
            options = CallOptions(idempotent=options.idempotent, unit=options.unit, group=_TAG_GROUP)
        try:
            return self._http.post(method.path, dict(body or {}), options=options)
        except HubError as error:
            error.context = {**error.context, "package": method.package}
            raise

    def decrypt(self, values: Iterable[object]) -> dict[str, str]:
        """Return the plain text of every value that is encrypted; what was decrypted lately is not asked for again."""
        wanted = {str(value) for value in values if is_cipher(value)}
        with self._guard:
            known = {value: self._plain[value] for value in wanted if value in self._plain}
        missing = sorted(wanted - known.keys())
        for start in range(0, len(missing), _DECRYPT_AT_ONCE):
            answer = self.ask(Api.DECRYPT, {"sources": missing[start : start + _DECRYPT_AT_ONCE]})
            known |= {cipher: str(plain) for cipher, plain in (answer.get("data") or {}).items() if plain}
        self._remember(known)
        return known

    def _remember(self, known: Mapping[str, str]) -> None:
        with self._guard:
            self._plain.update(known)
            while len(self._plain) > _REMEMBERED:
                self._plain.popitem(last=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # ---- the token ---------------------------------------------------------------------------------------------------

    def _fetch_token(self, previous: StoredToken | None) -> NewToken:
        if self._config.authorisation is Authorisation.SILENT:
            return self._silent(previous)
        return self._by_refresh(previous)

    def _silent(self, previous: StoredToken | None) -> NewToken:
        """Ask for the valid token; if that is the one we must replace, for a new one."""
        request = {"authorize_type": "silent", "grant_id": self.kdt_id}
        token = self._token({**request, "refresh": False}, repeatable=True)
        if previous is not None and token.value == previous.value:
            return self._token({**request, "refresh": True}, repeatable=True)
        return token

    def _by_refresh(self, previous: StoredToken | None) -> NewToken:
        """Use the newest refresh token; when it is dead, what a person has put into the settings since."""
        refusal: AuthError | None = None
        for grant in self._grants(previous):
            try:
                # A refresh token and a code work once: a repeat could only fail.
                return self._token(grant, repeatable=False)
            except AuthError as error:
                refusal = error
        raise refusal or AuthError("There is nothing to get a token with.", code="youzan_authorisation_lost")

    def _grants(self, previous: StoredToken | None) -> Iterable[dict[str, Any]]:
        configured = self._config.refresh_token.get_secret_value() if self._config.refresh_token else None
        stored = previous.refresh_token if previous else None
        for token in dict.fromkeys((stored, configured)):
            if token:
                yield {"authorize_type": "refresh_token", "refresh_token": token}
        if self._config.code:
            code = self._config.code.get_secret_value()
            yield {"authorize_type": "authorization_code", "code": code, "redirect_uri": self._config.redirect_uri}

    def _token(self, request: Mapping[str, Any], *, repeatable: bool) -> NewToken:
        body = {"client_id": self._config.client_id, "client_secret": self._secret, **request}
        options = CallOptions(idempotent=repeatable, authenticate=False)
        data = self._http.post(TOKEN_PATH, body, options=options).data["data"]
        # ``expires`` is a moment by the platform's clock; ours may differ.
        left = float(data["expires"]) / 1000 - self._clock.time()
        return NewToken(
            str(data["access_token"]),
            expires_in=min(max(left, _SHORTEST_LIFE), _TOKEN_LIFE),
            refresh_token=data.get("refresh_token") or None,
            extra={"authority_id": str(data.get("authority_id") or "")},
        )


def _budget(config: YouzanConfig, runtime: Runtime, clock: Clock) -> RateBudget:
    windows = [Window(config.calls_per_second, 1.0)]
    if config.calls_per_day is not None:
        windows.append(Window(config.calls_per_day, _DAY, anchor=CHINA_MIDNIGHT))
    return RateBudget(
        f"youzan/{config.client_id}",
        windows,
        groups={_TAG_GROUP: [Window(config.tag_calls_per_second, 1.0)]},
        ledger=runtime.budgets,
        clock=clock,
    )


def _secrets(config: YouzanConfig) -> list[str]:
    given = (config.client_secret, config.code, config.refresh_token)
    return [secret.get_secret_value() for secret in given if secret is not None]
