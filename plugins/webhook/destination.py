"""The ``webhook`` destination: one signed request per customer, or one per batch of customers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import groupby
from operator import attrgetter
from typing import ClassVar, Final
from urllib.parse import urlsplit

from hub.destination import Destination, Operation, OperationKind, Outcome, OutcomeStatus, Target
from hub.errors import HubError
from hub.http import fan_out
from hub.redaction import redact
from hub.runtime import Runtime
from hub.source import Check
from hub.titles import Title
from plugins.webhook.answers import Verdict, halves, judge
from plugins.webhook.client import WebhookClient
from plugins.webhook.config import ContentMode, WebhookConfig
from plugins.webhook.events import (
    EventError,
    Message,
    batch_message,
    binary_message,
    encode_event,
    event_of,
    structured_message,
)
from plugins.webhook.guard import AllowList, Resolve, permitted_addresses, system_addresses

__all__ = ["WebhookDestination"]

EVENTS: Final = "events"
BATCH: Final = "batch"
_EVENTS_PER_WRITE: Final = 500


@dataclass(frozen=True)
class _Row:
    """An operation that is ready to be sent."""

    operation: Operation
    message: Message
    encoded: bytes = field(repr=False)


class WebhookDestination(Destination):
    """Sends customer changes as CloudEvents 1.0 with Standard Webhooks signatures.

    Args:
        config: the connection's settings.
        runtime: time, sleep, randomness and, in tests, the transport.
        resolve: finds the endpoint's addresses; the operating system unless given.
    """

    name: ClassVar[str] = "webhook"
    title: ClassVar[Title] = Title("网络回调", "Webhook")
    Config: ClassVar[type[WebhookConfig]] = WebhookConfig

    def __init__(self, config: WebhookConfig, runtime: Runtime, resolve: Resolve = system_addresses) -> None:
        super().__init__(config, runtime)
        self._settings = config
        self._resolve = resolve
        self._client = WebhookClient(config, runtime, resolve)

    def targets(self) -> Sequence[Target]:
        """List ``events`` and ``batch``."""
        return [
            Target(
                EVENTS,
                Title("逐条事件", "One event per request"),
                keys=("customer_id",),
                batch_size=_EVENTS_PER_WRITE,
                parallel=True,
                description="Each customer change is one CloudEvent in one signed request.",
            ),
            Target(
                BATCH,
                Title("批量事件", "Events in batches"),
                keys=("customer_id",),
                batch_size=self._settings.batch_size,
                parallel=True,
                description="Customer changes travel together as a CloudEvents batch in one signed request.",
            ),
        ]

    def write(self, target: Target, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Send the operations; see :class:`hub.destination.Destination` and the README's table of outcomes.

        Raises:
            HubError: as :meth:`plugins.webhook.client.WebhookClient.post` says; outcomes known by then are given first.
        """
        return self._write_batches(operations) if target.name == BATCH else self._write_events(operations)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    # One event per request.

    def _write_events(self, operations: Iterable[Operation]) -> Iterator[Outcome]:
        for result in fan_out(self._send_one, operations, workers=self._settings.concurrency):
            yield result.unwrap()

    def _send_one(self, operation: Operation) -> Outcome:
        row = self._prepare(operation)
        if isinstance(row, Outcome):
            return row
        answer = self._client.post(row.message, operation.id)
        return judge(answer.status, answer.body, [operation.id], self._settings.secret_values()).outcomes[0]

    def _prepare(self, operation: Operation) -> _Row | Outcome:
        """Encode an operation, or say why it is not sent."""
        if operation.kind is OperationKind.KEEP:
            return Outcome(operation.id, OutcomeStatus.UNCHANGED)
        event = event_of(
            operation,
            source=self._settings.event_source(self.runtime.connection),
            event_type=self._settings.event_types.of(operation.kind),
            now=self.runtime.now(),
        )
        try:
            encoded = encode_event(event)
            binary = self._settings.mode is ContentMode.BINARY
            message = binary_message(event) if binary else structured_message(encoded)
        except EventError as error:
            return Outcome(operation.id, OutcomeStatus.INVALID, "value_not_json", redact(str(error)))
        limit = self._settings.max_event_bytes
        if len(encoded) > limit:
            text = f"The event has {len(encoded)} bytes, the connection allows {limit} (max_event_bytes); map fewer values."
            return Outcome(operation.id, OutcomeStatus.INVALID, "event_too_large", text)
        return _Row(operation, message, encoded)

    # Many events per request.

    def _write_batches(self, operations: Iterable[Operation]) -> Iterator[Outcome]:
        for batch_id, members in groupby(operations, key=attrgetter("batch_id")):
            rows: list[_Row] = []
            for prepared in map(self._prepare, members):
                if isinstance(prepared, Outcome):
                    yield prepared
                else:
                    rows.append(prepared)
            yield from self._send_rows(batch_id, rows)

    def _send_rows(self, batch_id: str, rows: Sequence[_Row]) -> Iterator[Outcome]:
        """Send rows together; what the endpoint refuses as a whole goes again in halves, down to the single bad row."""
        waiting = [rows] if rows else []
        while waiting:
            part = waiting.pop()
            if self._is_too_large(part):
                waiting.extend(reversed(halves(part)))
                continue
            verdict = self._send_part(part, batch_id if part is rows else _part_id(batch_id, part))
            yield from verdict.outcomes
            waiting.extend(reversed(_smaller_parts(part, verdict.open)))

    def _is_too_large(self, part: Sequence[_Row]) -> bool:
        size = sum(len(row.encoded) + 1 for row in part) + 1
        return len(part) > 1 and (len(part) > self._settings.batch_size or size > self._settings.max_batch_bytes)

    def _send_part(self, part: Sequence[_Row], webhook_id: str) -> Verdict:
        answer = self._client.post(batch_message([row.encoded for row in part]), webhook_id)
        ids = [row.operation.id for row in part]
        verdict = judge(answer.status, answer.body, ids, self._settings.secret_values())
        if verdict.open:
            reason = "batch_too_large" if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else "batch_refused"
            self.runtime.log.info(
                "%s: %d of %d rows go again in smaller requests", reason, len(verdict.open), len(part)
            )
        return verdict

    # Trying the connection.

    def check(self) -> Sequence[Check]:
        """Look up the endpoint's address and ask it for its consent (OPTIONS); sends no event."""
        # A transport of the tests makes no connection, so it has no address to look up.
        address = [self._check_address()] if self.runtime.transport is None else []
        return [*address, self._check_endpoint()]

    def _check_address(self) -> Check:
        name, parts = "address is permitted", urlsplit(self._settings.url)
        port = parts.port or (80 if parts.scheme == "http" else 443)
        try:
            found = permitted_addresses(parts.hostname or "", port, self._resolve, AllowList.of(self._settings.allow))
        except HubError as error:
            return Check(name, ok=False, message=str(error))
        except OSError:
            return Check(
                name, ok=False, message=f"The host {parts.hostname} cannot be resolved: check `url` and the DNS."
            )
        return Check(name, ok=True, message=", ".join(found))

    def _check_endpoint(self) -> Check:
        name = "endpoint consents" if self._settings.handshake else "endpoint answers"
        try:
            answer = self._client.ask_consent()
        except HubError as error:
            return Check(name, ok=False, message=str(error))
        if not self._settings.handshake:
            return Check(name, ok=True, message=f"HTTP status {answer.status}")
        allowed = answer.headers.get("webhook-allowed-origin", "")
        if answer.status >= HTTPStatus.BAD_REQUEST or allowed not in {"*", self._settings.origin}:
            text = "The endpoint did not allow this origin: register it there, or set handshake = false."
            return Check(name, ok=False, message=text)
        return self._check_rate(name, answer.headers.get("webhook-allowed-rate", "*"))

    def _check_rate(self, name: str, allowed: str) -> Check:
        """Compare the rate the endpoint allows (requests per minute, ``*`` for any) with the configured one."""
        limit, ours = int(allowed) if allowed.isdecimal() else None, self._settings.rate_per_minute
        if limit is not None and (ours is None or ours > limit):
            text = f"The endpoint allows {limit} requests per minute: set rate_per_minute = {limit} or less."
            return Check(name, ok=False, message=text)
        return Check(name, ok=True, message=f"origin {self._settings.origin} is allowed")


def _part_id(batch_id: str, part: Sequence[_Row]) -> str:
    """Name a part of a batch after what is in it, so that the same rows always travel under the same id."""
    ids = "\n".join(row.operation.id for row in part)
    return f"{batch_id}-{hashlib.sha256(ids.encode()).hexdigest()[:16]}"


def _smaller_parts(part: Sequence[_Row], still_open: Sequence[str]) -> list[Sequence[_Row]]:
    """Return what to send next: without the rows that the endpoint named, else in halves."""
    wanted = frozenset(still_open)
    rest = [row for row in part if row.operation.id in wanted]
    return halves(rest) if len(rest) == len(part) else [rest] if rest else []
