"""Target ``subscribe_message``: one subscription message (订阅消息) per row, checked before and never sent twice."""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from hub.destination import Operation, Outcome, OutcomeStatus
from hub.errors import ConfigError, DeferError, HubError, RetryError, RowError, StreamError
from hub.http import fan_out
from hub.redaction import redact
from hub.runtime import Runtime
from plugins.wechat.client import WechatClient
from plugins.wechat.config import WechatConfig
from plugins.wechat.errors import code_of
from plugins.wechat.fields import Template, problems_of, template_of
from plugins.wechat.sentlog import SentLog, SentState

__all__ = ["Messenger", "field_text"]

_TEMPLATE: Final = "template_id"
_PAGE: Final = "page"
_PATIENCE: Final = 3
"""Messages in a row without an answer after which the rest waits for a later run."""
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")


def field_text(key: str, value: object, zone: dt.tzinfo) -> str:
    """Write a mapped value the way a template's field holds it.

    Args:
        key: name of the field; ``time…`` and ``date…`` get instants as ``2026年03月08日 10:00``.
        value: a text or a number.
        zone: whose time people read.

    Raises:
        TypeError: it is neither a text nor a number.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise TypeError(f"{key} must be a text or a number")
    if isinstance(value, Decimal):
        return format(value.normalize() if value == value.to_integral() else value, "f")
    text = str(value)
    if key.startswith(("time", "date")) and _INSTANT.fullmatch(text):
        return f"{dt.datetime.fromisoformat(text).astimezone(zone):%Y年%m月%d日 %H:%M}"
    return text


@dataclass(frozen=True, slots=True)
class _Message:
    operation: Operation
    body: Mapping[str, Any]


class Messenger:
    """Writes target ``subscribe_message``.

    Args:
        client: the account's API.
        config: the connection's settings.
        runtime: time and time zone.
        folder: the connection's folder.
    """

    def __init__(self, client: WechatClient, config: WechatConfig, runtime: Runtime, folder: Path) -> None:
        self._client = client
        self._config = config
        self._runtime = runtime
        self._folder = folder
        self._templates: Mapping[str, Template] | None = None
        self._unanswered = 0
        self._lock = threading.Lock()
        # The log begins before the hub writes down what it is about to send, so that it can answer for all of it.
        self._log().close()

    def write(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """Send each message once.

        Raises:
            DeferError: the quota is spent or the platform cannot be reached; the rest was not sent.
            HubError: what concerns all rows.
        """
        messages: list[_Message] = []
        for operation in operations:
            problems, body = self._composed(operation)
            if problems:
                text = redact("; ".join(problems))
                yield Outcome(operation.id, OutcomeStatus.INVALID, "message_invalid", f"{text[:1].upper()}{text[1:]}.")
            else:
                messages.append(_Message(operation, body))
        log = self._log()
        try:
            log.prune(self._runtime.now())
            workers = self._config.concurrency
            for result in fan_out(lambda message: self._send(message, log), messages, workers=workers, ahead=0):
                yield result.unwrap()
        finally:
            log.close()

    # What is sent.

    def _composed(self, operation: Operation) -> tuple[list[str], Mapping[str, Any]]:
        """Return what is wrong with a row's message, and its body."""
        settings, values = self._config.message, operation.values
        template = self._template(str(values.get(_TEMPLATE) or settings.template_id))
        # The settings' texts are for the settings' template; of another one they fill what it has of the same name.
        is_usual = template.id == settings.template_id
        defaults = {key: text for key, text in settings.fields.items() if is_usual or key in template.keys}
        given: dict[str, Any] = {**defaults, **{key: value for key, value in values.items() if value is not None}}
        texts: dict[str, str] = {}
        problems: list[str] = []
        for key, value in given.items():
            if key in (_TEMPLATE, _PAGE):
                continue
            try:
                texts[key] = field_text(key, value, self._runtime.timezone)
            except TypeError as error:
                problems.append(str(error))
        problems += problems_of(template, texts) if not problems else []
        return problems, self._body(operation, template.id, str(values.get(_PAGE) or settings.page), texts)

    def _body(self, operation: Operation, template: str, page: str, texts: Mapping[str, str]) -> dict[str, Any]:
        settings = self._config.message
        data = {key: {"value": text} for key, text in texts.items()}
        body: dict[str, Any] = {"touser": operation.key, _TEMPLATE: template, "data": data}
        if self._config.is_official:
            if settings.miniprogram_appid:
                return {**body, "miniprogram": {"appid": settings.miniprogram_appid, "pagepath": page}}
            return {**body, **({_PAGE: page} if page else {})}
        shown = {"miniprogram_state": settings.miniprogram_state, "lang": settings.lang}
        return {**body, **({_PAGE: page} if page else {}), **shown}

    def _template(self, identifier: str) -> Template:
        if not identifier:
            raise ConfigError(
                "No template of a subscription message is named.",
                code="template_not_named",
                hint="Map `template_id` in the sync, or set message.template_id in the connection.",
            )
        if self._templates is None:
            self._templates = {each.id: each for each in map(template_of, self._client.templates())}
        if identifier not in self._templates:
            raise StreamError(
                "The account has no such template of subscription messages.",
                code="wechat_template_unknown",
                hint="Copy the template's id from 订阅消息 → 我的模板.",
                context={"template_id": identifier},
            )
        return self._templates[identifier]

    # Sending.

    def _send(self, message: _Message, log: SentLog) -> Outcome:
        operation = message.operation
        self._check_patience()
        before = log.begin(operation.id, self._runtime.now())
        if before is not SentState.NEVER:
            return _known(operation, before)
        try:
            answer = self._client.send(message.body)
        except RetryError as error:
            if error.sent:
                return self._unknown(operation, error)
            log.take_back(operation.id)
            raise DeferError("The platform cannot be reached.", code=error.code, context=error.context) from error
        except RowError as error:
            log.take_back(operation.id)
            return self._answered(_rejected(operation, error))
        except HubError:
            log.take_back(operation.id)
            raise
        msgid = str(answer["msgid"]) if answer.get("msgid") else None
        log.done(operation.id, msgid)
        return self._answered(Outcome(operation.id, OutcomeStatus.ACCEPTED, remote_id=msgid))

    def _check_patience(self) -> None:
        with self._lock:
            if self._unanswered >= _PATIENCE:
                raise DeferError("The platform does not answer; the rest waits for a later run.", code="no_answers")

    def _answered(self, outcome: Outcome) -> Outcome:
        with self._lock:
            self._unanswered = 0
        return outcome

    def _unknown(self, operation: Operation, error: RetryError) -> Outcome:
        with self._lock:
            self._unanswered += 1
        said = "No answer came; it is not sent again."
        return Outcome(operation.id, OutcomeStatus.UNKNOWN, error.code, said).answered(error)

    def look_up(self, operations: Sequence[Operation], since: dt.datetime) -> Iterator[Outcome]:
        """Tell from the log what became of messages that a killed run left open.

        Args:
            operations: as they were handed over.
            since: a moment before the first of them was.

        Returns:
            ``accepted`` for what the platform has taken, ``deferred`` (code ``not_sent``) for what may be sent again, and
            ``unknown`` for what was under way, and for everything that a log begun later says nothing of.
        """
        log = self._log()
        try:
            is_complete = log.begun_at <= since
            states = {operation.id: log.state(operation.id) for operation in operations}
        finally:
            log.close()
        for operation in operations:
            state = states[operation.id]
            yield _known(operation, SentState.BEGUN if state is SentState.NEVER and not is_complete else state)

    def _log(self) -> SentLog:
        return SentLog(self._folder, self._runtime.now())


def _known(operation: Operation, state: SentState) -> Outcome:
    if state is SentState.SENT:
        return Outcome(operation.id, OutcomeStatus.ACCEPTED, "already_sent")
    if state is SentState.BEGUN:
        text = "It was under way when a run ended; it is not sent again."
        return Outcome(operation.id, OutcomeStatus.UNKNOWN, "interrupted", text)
    return Outcome(operation.id, OutcomeStatus.DEFERRED, "not_sent", "It was not sent.")


def _rejected(operation: Operation, error: RowError) -> Outcome:
    said = str(error.context.get("said") or "")
    text = redact(f"{error.message} {said} {error.hint}".replace("  ", " ").strip())
    return Outcome(operation.id, OutcomeStatus.REJECTED, code_of(error), text).answered(error)
