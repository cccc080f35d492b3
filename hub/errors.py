"""Every error the hub raises, grouped by what the runtime does next.

    HubError
    ├── StopError            stop: a person must change something
    │   ├── ConfigError        hub.toml, an option or the environment is wrong (carries every problem found)
    │   ├── PluginError        a plugin is missing, broken or breaks its contract
    │   └── StoreError         the store or the warehouse cannot be used as it is
    ├── AuthError            refresh the credential once, then stop this connection
    ├── RetryError           try the same call again, with backoff
    ├── DeferError           not now: a budget is spent or somebody else works; another run will do it
    │   └── LeaseHeldError     another process holds the work
    ├── RowError             put this one record or row aside with its reason, go on
    └── StreamError          put this one stream or target aside with its reason, go on with the others

A message says what happened; ``hint`` says what to do; ``context`` says where (file, key, line, connection …).
Nothing secret or personal belongs in any of the three: pass values through :func:`hub.redaction.redact` first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

__all__ = [
    "AuthError",
    "ConfigError",
    "DeferError",
    "HubError",
    "LeaseHeldError",
    "PluginError",
    "Problem",
    "Recovery",
    "RetryError",
    "RowError",
    "StopError",
    "StoreError",
    "StreamError",
]


class Recovery(StrEnum):
    """What the runtime does next after an error."""

    STOP = "stop"
    REFRESH = "refresh"
    RETRY = "retry"
    DEFER = "defer"
    SKIP_ROW = "skip_row"
    SKIP_STREAM = "skip_stream"


class HubError(Exception):
    """Base of every error the hub raises.

    Args:
        message: what happened, in one sentence, free of secrets and personal data.
        code: stable machine name; the class's own ``default_code`` unless given. Documented in ``docs/errors.md``.
        hint: what a person can do about it; the class's own ``default_hint`` unless given.
        context: where it happened, e.g. ``{"file": "hub.toml", "key": "hub.timezone"}``.
    """

    recovery: ClassVar[Recovery] = Recovery.STOP
    default_code: ClassVar[str] = "error"
    default_hint: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        context: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = self.default_hint if hint is None else hint
        self.context = dict(context or {})

    def __str__(self) -> str:
        where = ", ".join(f"{key} {value}" for key, value in self.context.items())
        parts = [self.message, f"({where})" if where else "", self.hint]
        return " ".join(part for part in parts if part)


class StopError(HubError):
    """A person must change something before this can work; the command stops."""

    default_code = "stop"


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a configuration: where, what was found, what is accepted."""

    file: str
    key: str
    message: str
    hint: str = ""
    line: int | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        text = f"{place} {self.key}: {self.message}".lstrip() if self.key else f"{place}: {self.message}"
        return f"{text} {self.hint}".rstrip()


class ConfigError(StopError):
    """The configuration is wrong. ``problems`` lists every fault found, not only the first."""

    default_code = "config_invalid"

    def __init__(
        self,
        message: str,
        *,
        problems: Sequence[Problem] = (),
        code: str | None = None,
        hint: str | None = None,
        context: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint, context=context)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(f"  - {problem}" for problem in self.problems)])


class PluginError(StopError):
    """A plugin is missing, cannot be imported, or does not keep its contract."""

    default_code = "plugin_broken"
    default_hint = "See `hub plugins` for what is installed and why something was left out."


class StoreError(StopError):
    """The store or the warehouse cannot be used as it is (newer schema, unreadable file, full disk)."""

    default_code = "store_unusable"


class AuthError(HubError):
    """The platform refused the credential: refresh it once and repeat, else stop this connection."""

    recovery = Recovery.REFRESH
    default_code = "auth_refused"
    default_hint = "Check the connection's credentials and the permissions granted to them on the platform."


class RetryError(HubError):
    """A passing fault (time-out, dropped connection, 5xx, busy code): the same call may work in a moment.

    Args:
        sent: whether the request may have reached the platform; ``True`` makes a write's outcome unknown.
        retry_after: seconds the platform asked to wait, if it said so.
    """

    recovery = Recovery.RETRY
    default_code = "temporary_fault"
    default_hint = "The hub tries again by itself; if it lasts, look at the platform's status page."

    def __init__(
        self,
        message: str,
        *,
        sent: bool = True,
        retry_after: float | None = None,
        code: str | None = None,
        hint: str | None = None,
        context: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint, context=context)
        self.sent = sent
        self.retry_after = retry_after


class DeferError(HubError):
    """Not now: a budget is spent or a quota is used up. What is left over is done by a later run.

    Args:
        until: seconds from now after which trying makes sense, if known.
    """

    recovery = Recovery.DEFER
    default_code = "deferred"
    default_hint = "Nothing is lost: the next run goes on from here."

    def __init__(
        self,
        message: str,
        *,
        until: float | None = None,
        code: str | None = None,
        hint: str | None = None,
        context: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint, context=context)
        self.until = until


class LeaseHeldError(DeferError):
    """Another process is doing this very work; ``context`` names the holder."""

    default_code = "lease_held"
    default_hint = "Wait for it to finish; a dead holder's lease expires by itself."


class RowError(HubError):
    """One record or row cannot be used; it is put aside with its reason and the others go on."""

    recovery = Recovery.SKIP_ROW
    default_code = "row_invalid"
    default_hint = "See `hub rejects`; mend the row at its source and send it again."


class StreamError(HubError):
    """One stream or target cannot be used (missing permission, changed header); the others go on."""

    recovery = Recovery.SKIP_STREAM
    default_code = "stream_unusable"
