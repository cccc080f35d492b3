"""What to do about a failed call: a table of typed rules, first match wins, plugins' rules before the default ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final

__all__ = [
    "DEFAULT_RULES",
    "Action",
    "BusinessError",
    "Envelope",
    "ErrorTable",
    "Fault",
    "Rule",
    "Symptom",
    "any_envelope",
    "code_envelope",
    "no_envelope",
]


class Action(StrEnum):
    """What happens next.

    ========================  =============================================================================
    ``ACCEPT``                take the answer as good; its business code is in ``ApiResponse.code``
    ``RETRY``                 repeat with backoff, then ``RetryError``
    ``REFRESH``               renew the token and repeat once, then ``AuthError``
    ``RATE_LIMITED``          pause the budget for everybody, repeat, then ``DeferError``
    ``DEFER``                 ``DeferError`` at once
    ``REFUSE``                ``RowError`` or ``StreamError``, as the call's ``CallOptions.unit`` says
    ``ROW``                   ``RowError``
    ``STREAM``                ``StreamError``
    ``AUTH``                  ``AuthError`` at once
    ``STOP``                  ``ConfigError`` at once: a person must change something
    ========================  =============================================================================
    """

    ACCEPT = "accept"
    RETRY = "retry"
    REFRESH = "refresh"
    RATE_LIMITED = "rate_limited"
    DEFER = "defer"
    REFUSE = "refuse"
    ROW = "row"
    STREAM = "stream"
    AUTH = "auth"
    STOP = "stop"


class Fault(StrEnum):
    """Why there is no usable answer. The value is the ``code`` of the error that results."""

    CONNECT = "http_connect_failed"
    CONNECT_TIMEOUT = "http_connect_timeout"
    POOL_TIMEOUT = "http_pool_timeout"
    TLS = "http_tls_untrusted"
    LOCAL = "http_request_malformed"
    WRITE = "http_write_failed"
    READ_TIMEOUT = "http_read_timeout"
    DROPPED = "http_connection_dropped"
    BODY = "http_body_unreadable"
    TOO_LARGE = "http_body_too_large"
    TOTAL_TIMEOUT = "http_total_timeout"


#: Faults after which nothing of the request can have been carried out.
NEVER_SENT: Final = frozenset({Fault.CONNECT, Fault.CONNECT_TIMEOUT, Fault.POOL_TIMEOUT, Fault.TLS, Fault.LOCAL})


@dataclass(frozen=True)
class BusinessError:
    """What the platform says went wrong, in its own words.

    Args:
        code: its code, verbatim.
        message: its text; shown redacted.
        trace: its own id of the call, which its support asks for.
    """

    code: str
    message: str = ""
    trace: str = ""


#: Reads a decoded body; ``None`` means that the body reports success.
Envelope = Callable[[Any], BusinessError | None]


def no_envelope(data: Any) -> BusinessError | None:  # noqa: ARG001
    """Read platforms that use the HTTP status alone."""
    return None


def code_envelope(
    code: str, *, message: str = "", trace: str = "", ok: Collection[str] = ("0",), required: bool = False
) -> Envelope:
    """Build the reader of bodies that hold a code, like ``{"errcode": 0, "errmsg": "ok"}``.

    Args:
        code: where the code is; dots lead into nested objects (``"code.errcode"``). Compared as text.
        message: where the text is.
        trace: where the platform's id of the call is.
        ok: codes that mean success.
        required: a JSON object without the code counts as failed, with an empty code.
    """

    def read(data: Any) -> BusinessError | None:
        value = _dig(data, code)
        found = _text(value)
        if found in ok or (value is None and not required):
            return None
        return BusinessError(found, _text(_dig(data, message)), _text(_dig(data, trace)))

    return read


def any_envelope(*envelopes: Envelope) -> Envelope:
    """Combine readers for platforms that answer in several shapes; the first that finds an error is believed."""

    def read(data: Any) -> BusinessError | None:
        return next((error for error in (envelope(data) for envelope in envelopes) if error is not None), None)

    return read


def _dig(data: Any, path: str) -> Any:
    for key in path.split(".") if path else ():
        data = data.get(key) if isinstance(data, Mapping) else None
    return data if path else None


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return "; ".join(_text(item) for item in value)
    return "" if value is None else str(value)


@dataclass(frozen=True)
class Symptom:
    """What was seen of a failed call; rules are matched against it."""

    path: str
    status: int | None = None
    error: BusinessError | None = None
    fault: Fault | None = None

    @property
    def code(self) -> str:
        """Return the business code, or the fault's name, or nothing."""
        if self.fault is not None:
            return self.fault.value
        return self.error.code if self.error else ""


@dataclass(frozen=True)
class Rule:
    """One line of an error table: every condition that is given must hold.

    Args:
        action: what happens next.
        status: one HTTP status, a range or several.
        code: one business code or several; ``*`` and ``?`` are wildcards.
        says: regular expression looked for in the platform's text.
        fault: one kind of missing answer or several.
        path: path of the call; ``*`` and ``?`` are wildcards.
        wait: seconds to wait where the answer has no ``Retry-After``.
        tries: at most so many tries for this symptom.
        unprocessed: the platform did not carry out the call, so that even a write may be repeated. Always taken to
            hold for ``REFRESH`` and ``RATE_LIMITED``.
        hint: what a person can do; the error class's own hint unless given.
        error_code: stable code of the resulting error; the class's own unless given.
    """

    action: Action
    status: int | Collection[int] | None = None
    code: str | Collection[str] | None = None
    says: str | None = None
    fault: Fault | Collection[Fault] | None = None
    path: str | None = None
    wait: float | None = None
    tries: int | None = None
    unprocessed: bool = False
    hint: str | None = None
    error_code: str | None = None

    def __post_init__(self) -> None:
        if self.says is not None:
            re.compile(self.says)

    def matches(self, symptom: Symptom) -> bool:
        """Say whether this line speaks of ``symptom``."""
        return (
            _among(symptom.status, self.status)
            and _among(symptom.fault, self.fault)
            and (self.path is None or fnmatchcase(symptom.path, self.path))
            and (self.code is None or _has_code(symptom.error, self.code))
            and (self.says is None or _has_text(symptom.error, self.says))
        )

    @property
    def leaves_no_trace(self) -> bool:
        """Say whether the platform certainly did not carry out the call."""
        return self.unprocessed or self.action in {Action.REFRESH, Action.RATE_LIMITED}


def _among(seen: int | Fault | None, wanted: Any) -> bool:
    if wanted is None:
        return True
    return seen in wanted if isinstance(wanted, Collection) and not isinstance(wanted, str) else seen == wanted


def _has_code(error: BusinessError | None, wanted: str | Collection[str]) -> bool:
    patterns = (wanted,) if isinstance(wanted, str) else wanted
    return error is not None and any(fnmatchcase(error.code, pattern) for pattern in patterns)


def _has_text(error: BusinessError | None, wanted: str) -> bool:
    return error is not None and re.search(wanted, error.message) is not None


_MOVED_HINT: Final = "Put the address that the platform redirects to into the connection's base URL."
_TLS_HINT: Final = (
    "Check the base URL and the clock of this machine, and install the certificate authority if it is your own."
)
_LOCAL_HINT: Final = "Check the base URL and the credentials for line breaks and characters that HTTP does not allow."
_LARGE_HINT: Final = "Ask for smaller pages, or raise the limit with CallOptions.max_bytes."
_PERMISSION_HINT: Final = "Ask the platform to grant this API to the application, then run again."

#: Used after the plugin's own rules. A business code that no rule knows is refused and kept verbatim.
DEFAULT_RULES: Final[tuple[Rule, ...]] = (
    Rule(Action.STOP, fault=Fault.TLS, hint=_TLS_HINT),
    Rule(Action.STOP, fault=Fault.LOCAL, hint=_LOCAL_HINT),
    Rule(Action.STREAM, fault=Fault.TOO_LARGE, hint=_LARGE_HINT),
    Rule(Action.RETRY, fault=frozenset(Fault)),
    Rule(Action.RATE_LIMITED, status=429, error_code="http_rate_limited"),
    Rule(Action.RETRY, status=(408, 425), error_code="http_try_again"),
    Rule(Action.RETRY, status=range(500, 600), error_code="http_server_fault"),
    Rule(Action.REFRESH, status=401),
    Rule(Action.STREAM, status=403, hint=_PERMISSION_HINT, error_code="http_forbidden"),
    Rule(Action.STOP, status=407, error_code="http_proxy_refused", hint="Check the proxy's user and password."),
    Rule(Action.STOP, status=range(300, 400), hint=_MOVED_HINT, error_code="http_redirected"),
    Rule(Action.STREAM, status=(405, 406, 411, 414, 415, 426, 431), error_code="http_call_unsupported"),
    Rule(Action.REFUSE, error_code="http_refused"),
)


@dataclass(frozen=True)
class ErrorTable:
    """A platform's errors: how to find them in a body, and what to do about each.

    Args:
        rules: the plugin's rules, in order; the default rules follow.
        envelope: finds the business error in a decoded body.
    """

    rules: Iterable[Rule] = ()
    envelope: Envelope = no_envelope
    _all: tuple[Rule, ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", tuple(self.rules))
        object.__setattr__(self, "_all", (*self.rules, *DEFAULT_RULES))

    def rule_for(self, symptom: Symptom) -> Rule:
        """Return the first rule that speaks of ``symptom``; the last default rule speaks of everything."""
        return next(rule for rule in self._all if rule.matches(symptom))
