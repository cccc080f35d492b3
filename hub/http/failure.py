"""From a symptom and its rule to the error that the runtime understands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub.errors import AuthError, ConfigError, DeferError, HubError, RetryError, RowError, StreamError
from hub.http.classify import NEVER_SENT, Action, Fault, Rule, Symptom
from hub.http.message import Unit
from hub.redaction import redact

__all__ = ["Failure"]

# A longer promise than this ("come back in ten years") is a mistake of the platform, not a plan.
_LONGEST_DEFERRAL: Final = 86_400.0
_SAID_LENGTH: Final = 300
_UNKNOWN_OUTCOME_HINT: Final = (
    "The platform may have carried out this write, so it was not sent again. Look there before repeating it by hand."
)
_FAULT_TEXT: Final = {
    Fault.CONNECT: "no connection could be made",
    Fault.CONNECT_TIMEOUT: "no connection was made in time",
    Fault.POOL_TIMEOUT: "the time was over before the call could be sent",
    Fault.TLS: "the platform's certificate is not trusted",
    Fault.LOCAL: "the request is not valid HTTP",
    Fault.WRITE: "the connection broke while sending",
    Fault.READ_TIMEOUT: "the platform did not answer in time",
    Fault.DROPPED: "the platform closed the connection before its answer was complete",
    Fault.BODY: "the answer is not readable JSON",
    Fault.TOO_LARGE: "the answer is larger than allowed",
    Fault.TOTAL_TIMEOUT: "the time limit of the whole call was reached",
}
_CLASSES: Final[dict[Action, type[HubError]]] = {
    Action.REFRESH: AuthError,
    Action.AUTH: AuthError,
    Action.ROW: RowError,
    Action.STREAM: StreamError,
    Action.STOP: ConfigError,
}


@dataclass(frozen=True)
class Failure:
    """A failed exchange: what was seen, what the table says, and what is known of the write's fate.

    Attributes:
        symptom: what was seen.
        rule: what the error table says.
        pause: seconds to wait before a repeat.
        asked: seconds that the platform asked for, if it did.
        sent: the request may have reached the platform.
        unknown: the call is not idempotent and may have been carried out; it must not be repeated.
        attempt: number of the try, counted from 1.
    """

    symptom: Symptom
    rule: Rule
    pause: float
    asked: float | None
    sent: bool
    unknown: bool
    attempt: int

    @staticmethod
    def leaves_outcome_unknown(symptom: Symptom, rule: Rule) -> bool:
        """Say whether the platform may have carried out the call that ended like this."""
        if rule.leaves_no_trace:
            return False
        if symptom.fault is not None:
            return symptom.fault not in NEVER_SENT
        return rule.action is Action.RETRY

    @property
    def action(self) -> Action:
        """Return what the table says happens next."""
        return self.rule.action

    def wants_repeat(self, longest_pause: float) -> bool:
        """Say whether the call may be made once more after ``pause``, time and tries permitting."""
        if self.unknown or self.action not in {Action.RETRY, Action.RATE_LIMITED}:
            return False
        tries_left = self.rule.tries is None or self.attempt < self.rule.tries
        return tries_left and self.pause <= longest_pause

    def to_error(self, unit: Unit, context: dict[str, object], secrets: tuple[str, ...]) -> HubError:
        """Build the error to raise.

        Args:
            unit: what a refused call costs.
            context: where it happened.
            secrets: known secret values, kept out of the platform's own words.
        """
        message = self._message()
        full = {**context, **self._what_was_said(secrets)}
        code = self.rule.error_code or (self.symptom.fault.value if self.symptom.fault else None)
        hint = self.rule.hint
        if self.unknown or self.action is Action.RETRY:
            hint = _UNKNOWN_OUTCOME_HINT if self.unknown else hint
            return RetryError(message, sent=self.sent, retry_after=self.asked, code=code, hint=hint, context=full)
        if self.action in {Action.RATE_LIMITED, Action.DEFER}:
            until = min(self.pause, _LONGEST_DEFERRAL)
            return DeferError(message, until=until, code=code, hint=hint, context=full)
        return self._class(unit)(message, code=code, hint=hint, context=full)

    def _class(self, unit: Unit) -> type[HubError]:
        if self.action is Action.REFUSE:
            return RowError if unit is Unit.ROW else StreamError
        return _CLASSES[self.action]

    def _message(self) -> str:
        if self.symptom.fault is not None:
            return f"The call failed: {_FAULT_TEXT[self.symptom.fault]}."
        if self.symptom.error is not None:
            return "The platform refused the call with an error code of its own."
        return f"The platform answered with HTTP status {self.symptom.status}."

    def _what_was_said(self, secrets: tuple[str, ...]) -> dict[str, object]:
        said: dict[str, object] = {}
        if self.symptom.status is not None:
            said["status"] = self.symptom.status
        error = self.symptom.error
        for key, text in (("code", error.code), ("said", error.message), ("trace", error.trace)) if error else ():
            if text:
                said[key] = redact(text, secrets)[:_SAID_LENGTH]
        return said
