"""How a simulator says no.

The base knows *troubles* (a token has expired, a body is not JSON); each platform knows its *codes* (42001, 4202,
``ACCESS_TOKEN_EXPIRED``). A simulator's ``codes`` table joins the two, and its ``error_reply`` puts a code into the
platform's envelope.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

__all__ = ["DEFAULT_CODES", "Code", "RefusalError", "Trouble", "TroubleError"]


class Trouble(StrEnum):
    """Everything the base itself can find wrong with a call."""

    NO_SUCH_ENDPOINT = "no_such_endpoint"
    WRONG_METHOD = "wrong_method"
    BODY_MALFORMED = "body_malformed"
    PARAMETER_MISSING = "parameter_missing"
    PARAMETER_INVALID = "parameter_invalid"
    TOKEN_MISSING = "token_missing"  # noqa: S105 - the name of a trouble
    TOKEN_UNKNOWN = "token_unknown"  # noqa: S105
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    SIGNATURE_WRONG = "signature_wrong"
    NOT_PERMITTED = "not_permitted"
    RATE_LIMITED = "rate_limited"
    QUOTA_SPENT = "quota_spent"
    TOO_MANY_AT_ONCE = "too_many_at_once"
    CURSOR_INVALID = "cursor_invalid"
    BUSY = "busy"


class TroubleError(Exception):
    """A trouble found in a call; ``Simulator.refusal`` turns it into the platform's own refusal.

    Args:
        trouble: what is wrong.
        detail: more about it, for the message.
        field: the parameter concerned, if one is.
        retry_after: seconds after which the same call may pass, if that is known.
    """

    def __init__(
        self, trouble: Trouble, detail: str = "", *, field: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(f"{trouble}: {field or detail}".rstrip(": "))
        self.trouble = trouble
        self.detail = detail
        self.field = field
        self.retry_after = retry_after


class RefusalError(Exception):
    """The platform refuses the call with a code of its own.

    A handler *raises* it to undo everything it has written, or *returns* it to keep that (a counter of bad log-ins).

    Args:
        code: the platform's business code.
        message: the platform's text.
        status: the HTTP status.
        data: what the envelope carries besides code and message.
        retry_after: seconds to wait; sent as ``Retry-After`` with status 429 and 503.
    """

    def __init__(
        self,
        code: str | int,
        message: str = "",
        *,
        status: int = 200,
        data: object = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{code} {message}".strip())
        self.code = code
        self.message = message
        self.status = status
        self.data = data
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Code:
    """One row of a platform's error table.

    ``message`` may contain ``{field}`` and ``{detail}``, which are filled from the trouble.
    """

    code: str | int
    message: str = ""
    status: int = 200

    def refusal(self, error: TroubleError) -> RefusalError:
        """Return the refusal for one occurrence."""
        text = self.message.replace("{field}", error.field).replace("{detail}", error.detail)
        return RefusalError(self.code, text.strip(), status=self.status, retry_after=error.retry_after)


DEFAULT_CODES: Mapping[Trouble, Code] = MappingProxyType(
    {
        Trouble.NO_SUCH_ENDPOINT: Code("NOT_FOUND", "no such endpoint", 404),
        Trouble.WRONG_METHOD: Code("METHOD_NOT_ALLOWED", "use {detail}", 405),
        Trouble.BODY_MALFORMED: Code("MALFORMED", "{detail}", 400),
        Trouble.PARAMETER_MISSING: Code("MISSING_PARAMETER", "{field} is required", 400),
        Trouble.PARAMETER_INVALID: Code("INVALID_PARAMETER", "{field}: {detail}", 400),
        Trouble.TOKEN_MISSING: Code("UNAUTHORIZED", "token missing", 401),
        Trouble.TOKEN_UNKNOWN: Code("UNAUTHORIZED", "token unknown", 401),
        Trouble.TOKEN_EXPIRED: Code("TOKEN_EXPIRED", "token expired", 401),
        Trouble.TOKEN_REVOKED: Code("TOKEN_REVOKED", "token revoked", 401),
        Trouble.SIGNATURE_WRONG: Code("SIGNATURE_WRONG", "signature wrong", 401),
        Trouble.NOT_PERMITTED: Code("FORBIDDEN", "{detail}", 403),
        Trouble.RATE_LIMITED: Code("RATE_LIMITED", "too many calls", 429),
        Trouble.QUOTA_SPENT: Code("QUOTA_SPENT", "quota spent", 429),
        Trouble.TOO_MANY_AT_ONCE: Code("TOO_MANY_AT_ONCE", "too many calls at once", 429),
        Trouble.CURSOR_INVALID: Code("CURSOR_INVALID", "cursor invalid", 400),
        Trouble.BUSY: Code("BUSY", "system busy, try again", 503),
    }
)
"""What a platform without an own code for a trouble answers."""
