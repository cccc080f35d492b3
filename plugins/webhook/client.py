"""Speaks HTTP with a webhook endpoint: signs every attempt, guards its address, sorts its refusals; nothing else.

Refusals that concern the endpoint as a whole (gone, moved, credential refused) are errors; refusals that may concern the
rows of one request come back as an answer with its status.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import httpx

from hub.errors import ConfigError, StreamError
from hub.http import (
    Action,
    ApiClient,
    ApiResponse,
    CallOptions,
    Clock,
    Draft,
    ErrorTable,
    Expect,
    Fault,
    RateBudget,
    RetryPolicy,
    Rule,
    SignedRequest,
    Timeouts,
    Window,
)
from hub.runtime import Runtime
from plugins.webhook.config import WebhookConfig
from plugins.webhook.events import Message
from plugins.webhook.guard import AllowList, GuardedTransport, Resolve
from plugins.webhook.signing import HEADER_ID, Signer

__all__ = ["WebhookClient"]

_CONNECT_SECONDS: Final = 10.0
_LONGEST_PAUSE: Final = 30.0
_BACKOFF_CAP: Final = 10.0
_MINUTE: Final = 60.0
_ANSWER_BYTES: Final = 1_048_576

_GONE = "The endpoint says it is gone for good. Nothing more is sent until a person enables the target again."
_REDIRECTS = "Webhooks are never sent on to another address. Put the final address into `url`."
_NOT_FOUND = "Check `url`: the receiver has nothing at this path."
_REFUSED = "The receiver did not accept the signature or the headers: compare `secrets` and `headers` on both sides, and the clocks."
_FORMAT = "The receiver does not take this format: change `mode`, or use the other target (`events` or `batch`)."
_TLS = "Check that the certificate fits the host in `url`; for a certificate authority of your own set `ca_file`."

_RULES: Final = (
    Rule(Action.STREAM, status=410, error_code="endpoint_gone", hint=_GONE),
    Rule(Action.STREAM, status=range(300, 400), error_code="endpoint_redirects", hint=_REDIRECTS),
    Rule(Action.STREAM, status=(404, 405), error_code="endpoint_not_found", hint=_NOT_FOUND),
    Rule(Action.AUTH, status=(401, 403), error_code="endpoint_refused", hint=_REFUSED),
    Rule(Action.STREAM, status=(406, 415), error_code="format_refused", hint=_FORMAT),
    Rule(Action.STREAM, fault=Fault.TLS, hint=_TLS),
    Rule(Action.STREAM, fault=Fault.BODY),
    # Throttling and passing faults are left to the general rules; every other 4xx speaks of the rows.
    Rule(Action.ACCEPT, status=tuple({*range(400, 500)} - {407, 408, 425, 429})),
)
_CHECK_RULES: Final = (
    Rule(Action.STREAM, status=410, error_code="endpoint_gone", hint=_GONE),
    Rule(Action.STREAM, status=range(300, 400), error_code="endpoint_redirects", hint=_REDIRECTS),
    Rule(Action.STREAM, fault=Fault.TLS, hint=_TLS),
    Rule(Action.STREAM, fault=Fault.BODY),
    Rule(Action.ACCEPT, status=range(400, 500)),
)


@dataclass(frozen=True)
class _RuntimeClock:
    """The runtime's time, as ``hub.http`` wants it."""

    runtime: Runtime

    def time(self) -> float:
        return self.runtime.now().timestamp()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        self.runtime.sleep(seconds)


class WebhookClient:
    """One endpoint.

    Args:
        config: the connection's settings.
        runtime: time, sleep, randomness and, in tests, the transport.
        resolve: finds the endpoint's addresses.
    """

    def __init__(self, config: WebhookConfig, runtime: Runtime, resolve: Resolve) -> None:
        self._config = config
        self._runtime = runtime
        self._signer = Signer(secret.get_secret_value() for secret in config.secrets)
        self._transport = runtime.transport or _guarded(config, runtime, resolve)
        self._posting = self._client(ErrorTable(_RULES), SignedRequest(self._sign))
        self._checking = self._client(ErrorTable(_CHECK_RULES), None)

    def _client(self, errors: ErrorTable, auth: SignedRequest | None) -> ApiClient:
        config, runtime = self._config, self._runtime
        clock = _RuntimeClock(runtime)
        parts = urlsplit(config.url)
        return ApiClient(
            urlunsplit((parts.scheme, parts.netloc, "", "", "")),
            name=runtime.connection,
            auth=auth,
            errors=errors,
            budget=_budget(config, runtime, clock),
            retry=RetryPolicy(tries=config.tries, base=1.0, cap=_BACKOFF_CAP, longest_pause=_LONGEST_PAUSE),
            timeouts=_timeouts(config),
            concurrency=config.concurrency,
            max_bytes=_ANSWER_BYTES,
            headers={name: value.get_secret_value() for name, value in config.headers.items()},
            secrets=config.secret_values(),
            transport=self._transport,
            clock=clock,
            random=runtime.random,
        )

    def _sign(self, draft: Draft, token: str) -> Draft:  # noqa: ARG002 - a signature needs no token
        for name, value in self._signer.headers(draft.headers[HEADER_ID], self._runtime.now(), draft.body).items():
            draft = draft.with_header(name, value)
        return draft

    def post(self, message: Message, webhook_id: str) -> ApiResponse:
        """Send a message; repeated under the same id, signed anew, while the fault may pass.

        Args:
            message: body and headers.
            webhook_id: the receiver's key for de-duplication.

        Returns:
            the answer, 2xx, or a 4xx that speaks of the rows.

        Raises:
            StreamError: ``endpoint_gone`` (410), ``endpoint_redirects``, ``endpoint_not_found``, ``format_refused``,
                ``address_forbidden``, ``http_tls_untrusted``.
            AuthError: ``endpoint_refused`` (401, 403).
            RetryError: time-outs and 5xx that outlasted the tries.
            DeferError: the endpoint asked for a longer pause (429).
        """
        return self._call("POST", self._posting, {**message.headers, HEADER_ID: webhook_id}, message.body)

    def ask_consent(self) -> ApiResponse:
        """Send the validation request of the CloudEvents webhook profile (OPTIONS); any answer below 500 comes back.

        Raises:
            HubError: no answer, a redirect, or 410.
        """
        asked = {"WebHook-Request-Origin": self._config.origin, "WebHook-Request-Rate": self._config.rate_per_minute}
        return self._call("OPTIONS", self._checking, {name: str(value) for name, value in asked.items() if value}, b"")

    def _call(self, method: str, client: ApiClient, headers: Mapping[str, str], body: bytes) -> ApiResponse:
        # A repeat carries the same webhook-id, so the receiver can tell it; that makes the call idempotent.
        options = CallOptions(idempotent=True, expect=Expect.BYTES)
        try:
            return client.request(method, self._config.url, headers=headers, content=body, options=options)
        except StreamError as error:
            if error.code != Fault.BODY:
                raise
            # The endpoint said 2xx; that the JSON of its answer is broken takes nothing back.
            return ApiResponse(200, None, b"", {})

    def close(self) -> None:
        """Close the connections."""
        self._posting.close()
        self._checking.close()


def _budget(config: WebhookConfig, runtime: Runtime, clock: Clock) -> RateBudget | None:
    if config.rate_per_minute is None:
        return None
    windows = [Window(config.rate_per_minute, _MINUTE)]
    # A spent window is free again after a minute at most, which is worth waiting for.
    return RateBudget(runtime.connection, windows, ledger=runtime.budgets, clock=clock, max_wait=2 * _MINUTE)


def _timeouts(config: WebhookConfig) -> Timeouts:
    step = config.timeout
    total = config.tries * step + (config.tries - 1) * _LONGEST_PAUSE
    return Timeouts(connect=min(_CONNECT_SECONDS, step), read=step, write=step, pool=step, total=total)


def _guarded(config: WebhookConfig, runtime: Runtime, resolve: Resolve) -> GuardedTransport:
    inner = httpx.HTTPTransport(
        verify=_tls(config, runtime),
        # No proxy and no settings from the environment: the connection must go where the guard looked.
        trust_env=False,
        limits=httpx.Limits(max_connections=config.concurrency, max_keepalive_connections=config.concurrency),
    )
    return GuardedTransport(inner, AllowList.of(config.allow), resolve)


def _tls(config: WebhookConfig, runtime: Runtime) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if config.ca_file is None:
        return context
    path = runtime.path(config.ca_file)
    try:
        context.load_verify_locations(path)
    except (OSError, ssl.SSLError):
        raise ConfigError(
            "The certificate file cannot be read.",
            hint="Give a readable PEM file as `ca_file`.",
            context={"connection": runtime.connection, "ca_file": str(path)},
        ) from None
    return context
