"""One call from first try to last: admission, signing, exchange, judgement, repeat."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tenacity import RetryCallState, Retrying
from tenacity.retry import retry_if_result

from hub.http.admission import Admission
from hub.http.auth import Auth, NoAuth
from hub.http.classify import Action, ErrorTable, Fault, Symptom
from hub.http.clock import Clock
from hub.http.decode import BodyError, decode_json
from hub.http.failure import Failure
from hub.http.message import ApiResponse, CallObserver, CallOptions, CallRecord, Draft, Expect, Timeouts, redacted_path
from hub.http.retry import RetryPolicy, parse_retry_after
from hub.http.secret_values import SecretValues
from hub.http.tokens import StoredToken
from hub.http.wire import Answer, NoAnswer, Wire

__all__ = ["Call", "Surroundings"]

log = logging.getLogger("hub.http")


@dataclass(frozen=True)
class Surroundings:
    """What all calls of one client share."""

    name: str
    wire: Wire
    auth: Auth
    errors: ErrorTable
    admission: Admission
    policy: RetryPolicy
    clock: Clock
    random: Random
    secrets: SecretValues
    observer: CallObserver | None


class Call:
    """One call and all its tries. Used once, by one thread."""

    def __init__(
        self,
        around: Surroundings,
        draft: Draft,
        options: CallOptions,
        *,
        timeouts: Timeouts,
        max_bytes: int,
        request_id: str,
    ) -> None:
        self._around = around
        self._draft = draft
        self._options = options
        self._timeouts = timeouts
        self._max_bytes = max_bytes
        self._request_id = request_id
        self._auth: Auth = around.auth if options.authenticate else NoAuth()
        self._policy = around.policy if options.tries is None else replace(around.policy, tries=options.tries)
        self._deadline = around.clock.monotonic() + timeouts.total
        self._attempt = 0
        self._renewed = False
        self._sent = False

    def run(self) -> ApiResponse:
        """Make the call.

        Raises:
            HubError: of the class that the error table chose.
        """
        retrying = Retrying(
            retry=retry_if_result(self._wants_repeat),
            wait=self._pause,
            stop=self._must_stop,
            sleep=self._around.clock.sleep,
            before_sleep=self._log_repeat,
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        result: ApiResponse | Failure = retrying(self._try)
        if isinstance(result, ApiResponse):
            return result
        raise self._error(result)

    def _error(self, failure: Failure) -> Exception:
        context: dict[str, object] = {
            "connection": self._around.name,
            "call": f"{self._draft.method} {self._path()}",
            "request_id": self._request_id,
            "tries": failure.attempt,
        }
        context = {key: value for key, value in context.items() if value != ""}
        # An earlier try may have arrived although the last one never left.
        return replace(failure, sent=self._sent).to_error(self._options.unit, context, self._secrets())

    # Repeating: what tenacity asks.

    def _wants_repeat(self, result: object) -> bool:
        return isinstance(result, Failure) and result.wants_repeat(self._policy.longest_pause)

    def _pause(self, state: RetryCallState) -> float:
        return _last(state).pause

    def _must_stop(self, state: RetryCallState) -> bool:
        time_is_up = self._around.clock.monotonic() + state.upcoming_sleep >= self._deadline
        return time_is_up or state.attempt_number >= self._policy.tries

    def _log_repeat(self, state: RetryCallState) -> None:
        failure = _last(state)
        log.warning(
            "%s: %s %s failed (%s); trying again in %.2f s (try %d of %d, request %s)",
            self._around.name or "http",
            self._draft.method,
            self._path(),
            self._clean(failure.symptom.code) or failure.symptom.status,
            state.upcoming_sleep,
            state.attempt_number + 1,
            self._policy.tries,
            self._request_id,
        )

    # One try.

    def _try(self) -> ApiResponse | Failure:
        self._attempt += 1
        token = self._auth.current()
        result = self._exchange(token)
        if _is_stale_token(result) and not self._renewed and self._auth.renew(token):
            self._renewed = True
            result = self._exchange(self._auth.current())
        return result

    def _exchange(self, token: StoredToken | None) -> ApiResponse | Failure:
        around, options = self._around, self._options
        with around.admission.enter(options.group, options.units) as waited:
            self._deadline += waited
            # Signed only now: a signature made before the wait might be too old.
            signed = self._auth.apply(self._draft, token)
            started = around.clock.monotonic()
            answer = around.wire.exchange(signed, self._timeouts, self._deadline, self._max_bytes)
            seconds = around.clock.monotonic() - started
        result = self._judge(answer, seconds)
        self._sent = self._sent or not isinstance(result, Failure) or result.sent
        self._report(answer, result, seconds)
        if isinstance(answer, Answer):
            around.admission.note_headers(answer.headers, options.group)
        if isinstance(result, Failure) and result.action is Action.RATE_LIMITED:
            around.admission.pause(result.pause, options.group)
        return result

    def _judge(self, answer: Answer | NoAnswer, seconds: float) -> ApiResponse | Failure:
        if isinstance(answer, NoAnswer):
            return self._failure(Symptom(self._draft.path, fault=answer.fault), asked=None)
        try:
            data = self._decode(answer)
        except BodyError:
            return self._failure(Symptom(self._draft.path, answer.status, fault=Fault.BODY), asked=None)
        error = self._around.errors.envelope(data) if data is not None else None
        code = ""
        if error is not None or answer.status >= 300:
            symptom = Symptom(self._draft.path, answer.status, error)
            asked = parse_retry_after(answer.headers.get("retry-after"), self._around.clock.time())
            failure = self._failure(symptom, asked)
            if failure.action is not Action.ACCEPT:
                return failure
            code = symptom.code
        return ApiResponse(
            answer.status, data, answer.body, answer.headers, code, self._request_id, self._attempt, seconds
        )

    def _decode(self, answer: Answer) -> Any:
        content_type = answer.headers.get("content-type", "")
        if self._options.expect is Expect.BYTES and "json" not in content_type.lower():
            return None
        try:
            return decode_json(answer.body, content_type, decimals=self._options.decimals)
        except BodyError:
            if answer.status < 300:
                raise
            return None  # An error page of a proxy or a gateway: its status says enough.

    def _failure(self, symptom: Symptom, asked: float | None) -> Failure:
        rule = self._around.errors.rule_for(symptom)
        unknown = Failure.leaves_outcome_unknown(symptom, rule) and not self._options.may_repeat(self._draft.method)
        pause = asked if asked is not None else rule.wait
        if pause is None:
            pause = self._policy.backoff(self._attempt, self._around.random)
        sent = symptom.fault is None or NoAnswer(symptom.fault, "").sent
        return Failure(symptom, rule, pause, asked, sent, unknown, self._attempt)

    # Telling others.

    def _report(self, answer: Answer | NoAnswer, result: ApiResponse | Failure, seconds: float) -> None:
        failure = result if isinstance(result, Failure) else None
        record = CallRecord(
            connection=self._around.name,
            method=self._draft.method,
            path=self._path(),
            group=self._options.group,
            status=answer.status if isinstance(answer, Answer) else None,
            code=self._clean(failure.symptom.code if failure else _code_of(result)),
            outcome=failure.action.value if failure else "ok",
            seconds=seconds,
            attempt=self._attempt,
            request_id=self._request_id,
        )
        log.debug("%s", record)
        if self._around.observer is None:
            return
        try:
            self._around.observer(record)
        except Exception:
            # The platform has already acted: a broken counter must not hide the outcome of a write.
            log.exception("The on_call observer of %s failed", self._around.name or "http")

    def _path(self) -> str:
        return redacted_path(self._draft.url, self._secrets())

    def _clean(self, text: str) -> str:
        return self._around.secrets.redact(text, self._auth)

    def _secrets(self) -> tuple[str, ...]:
        return self._around.secrets.known(self._auth)


def _last(state: RetryCallState) -> Failure:
    result = state.outcome.result() if state.outcome else None
    if not isinstance(result, Failure):
        raise TypeError("tenacity asked for a pause after a call that did not fail")
    return result


def _is_stale_token(result: ApiResponse | Failure) -> bool:
    return isinstance(result, Failure) and result.action is Action.REFRESH


def _code_of(result: ApiResponse | Failure) -> str:
    return result.code if isinstance(result, ApiResponse) else ""
