"""The client that connector plugins use: one per connection, shared by all its threads."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from random import Random
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from hub.errors import ConfigError
from hub.http.admission import Admission, ReadLimits
from hub.http.auth import Auth, NoAuth
from hub.http.budget import RateBudget
from hub.http.call import Call, Surroundings
from hub.http.classify import ErrorTable
from hub.http.clock import Clock, SystemClock
from hub.http.message import NOTHING, ApiResponse, CallObserver, CallOptions, Draft, Timeouts
from hub.http.retry import RetryPolicy
from hub.http.secret_values import SecretValues
from hub.http.wire import Wire

__all__ = ["ApiClient"]

_DEFAULT_OPTIONS = CallOptions()
_MEGABYTE = 1024 * 1024


class ApiClient:
    """Calls a platform's API: authenticates, keeps to the rate budget, repeats what may be repeated, and sorts errors.

    Safe for use by many threads. Close it, or use it in a ``with`` statement.

    Args:
        base_url: scheme, host and common path prefix, e.g. ``https://api.example.com/v2``.
        name: the connection's name, for messages and records.
        auth: how requests are authenticated.
        errors: what to do about which error.
        budget: the rate budget; several clients may share one.
        read_limits: reads the platform's own account of the budget from an answer's headers.
        retry: how often and how patiently calls are repeated.
        timeouts: time limits of a call.
        concurrency: most calls under way at once in this client.
        max_bytes: largest decompressed body that is read.
        headers: sent with every call.
        secrets: secret values of the connection beside the auth strategy's own; kept out of every message.
        on_call: told about every exchange with the platform; called by the thread that makes the call.
        request_id_header: header that carries the hub's id of the call, if the platform has one for it.
        transport: where requests go; the network unless given.
        clock: source of time, and of sleep.
        random: source of jitter.
        new_id: makes the ids of calls.
    """

    def __init__(
        self,
        base_url: str,
        *,
        name: str = "",
        auth: Auth | None = None,
        errors: ErrorTable | None = None,
        budget: RateBudget | None = None,
        read_limits: ReadLimits | None = None,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        concurrency: int = 8,
        max_bytes: int = 32 * _MEGABYTE,
        headers: Mapping[str, str] | None = None,
        secrets: Iterable[str] = (),
        on_call: CallObserver | None = None,
        request_id_header: str | None = None,
        transport: httpx.BaseTransport | None = None,
        clock: Clock | None = None,
        random: Random | None = None,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._base = _checked_base(base_url)
        self._timeouts = timeouts or Timeouts()
        self._max_bytes = max_bytes
        self._request_id_header = request_id_header
        self._new_id = new_id
        clock = clock or SystemClock()
        auth = auth or NoAuth()
        self._around = Surroundings(
            name=name,
            wire=Wire(transport, clock, connections=concurrency, headers=headers or {}),
            auth=auth,
            errors=errors or ErrorTable(),
            admission=Admission(concurrency, budget, clock, read_limits),
            policy=retry or RetryPolicy(),
            clock=clock,
            random=random or Random(),  # noqa: S311 - jitter, not cryptography
            secrets=SecretValues(secrets, auth),
            observer=on_call,
        )

    def __repr__(self) -> str:
        return f"ApiClient({self._around.name or urlsplit(self._base).hostname!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._around.wire.close()

    def get(
        self, path: str, params: Mapping[str, object] | None = None, *, options: CallOptions = _DEFAULT_OPTIONS
    ) -> ApiResponse:
        """Make a GET call; see :meth:`request`."""
        return self.request("GET", path, params=params, options=options)

    def post(
        self,
        path: str,
        json: Any = NOTHING,
        *,
        params: Mapping[str, object] | None = None,
        options: CallOptions = _DEFAULT_OPTIONS,
    ) -> ApiResponse:
        """Make a POST call, which is *not* repeated once it may have arrived; see :meth:`request`."""
        return self.request("POST", path, params=params, json=json, options=options)

    def query(
        self,
        path: str,
        json: Any = NOTHING,
        *,
        params: Mapping[str, object] | None = None,
        options: CallOptions = _DEFAULT_OPTIONS,
    ) -> ApiResponse:
        """Make a POST call that only reads, so it may be repeated; see :meth:`request`."""
        return self.post(path, json, params=params, options=_reading(options))

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        json: Any = NOTHING,
        form: Mapping[str, str] | None = None,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        options: CallOptions = _DEFAULT_OPTIONS,
    ) -> ApiResponse:
        """Make one call.

        Args:
            method: HTTP method.
            path: path below the base URL, or a whole URL on the same host (a "next page" link).
            params: query parameters; ``None`` values are left out, lists repeat the name.
            json: JSON body. At most one of ``json``, ``form`` and ``content``.
            form: form-encoded body.
            content: body as bytes; give its ``Content-Type`` in ``headers``.
            headers: headers of this call. An idempotency key set here is the same in every try.
            options: what is special about this call.

        Raises:
            RetryError: a passing fault outlasted the tries, or a write's outcome is unknown (``sent`` is true).
            DeferError: a rate limit or budget is spent for longer than the call may wait.
            AuthError: the credential is refused, also after one renewal.
            RowError: the platform refused this one object.
            StreamError: the platform refused this kind of call.
            ConfigError: a person must change the connection.
        """
        method = method.upper()
        if (json is not NOTHING) + (form is not None) + bool(content) > 1:
            raise ValueError("give at most one of json, form and content")
        request_id = self._new_id()
        draft = Draft(method, self._url(path), _pairs(params), dict(headers or {}), json, content)
        if form is not None:
            draft = draft.with_form(form)
        if self._request_id_header is not None:
            draft = draft.with_header(self._request_id_header, request_id)
        return Call(
            self._around,
            draft,
            options,
            timeouts=options.timeouts or self._timeouts,
            max_bytes=options.max_bytes or self._max_bytes,
            request_id=request_id,
        ).run()

    def _url(self, path: str) -> str:
        if "://" not in path.split("?", 1)[0]:
            return f"{self._base}/{path.lstrip('/')}" if path else self._base
        if _origin(path) != _origin(self._base):
            # Credentials go with every call, so a link in an answer must not decide where to.
            raise ConfigError(
                "A call was asked for at another host than the connection's.",
                code="http_foreign_host",
                hint="Make a client of its own for that host.",
                context={"connection": self._around.name, "host": urlsplit(path).hostname or ""},
            )
        return path


def _checked_base(base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ConfigError(
            "The base URL of a connection needs http:// or https://, a host, and neither query nor user.",
            code="http_base_url",
            context={"host": parts.hostname or ""},
        )
    return base_url.rstrip("/")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, parts.port or default


def _pairs(params: Mapping[str, object] | None) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str]] = []
    for name, value in (params or {}).items():
        values = value if isinstance(value, list | tuple) else (value,)
        pairs.extend((name, _as_text(item)) for item in values if item is not None)
    return tuple(pairs)


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _reading(options: CallOptions) -> CallOptions:
    return replace(options, idempotent=True)
