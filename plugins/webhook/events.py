"""CloudEvents 1.0: from an operation to an event, and between events and HTTP messages. Pure functions.

Attributes may be logged by anything on the way, so nothing personal goes into them: ``subject`` is the hub's own customer
id, ``id`` the operation's. Personal values are in ``data`` alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote, unquote

import orjson

from hub.destination import Operation

__all__ = [
    "BATCH_TYPE",
    "STRUCTURED_TYPE",
    "CloudEvent",
    "EventError",
    "Message",
    "batch_message",
    "binary_message",
    "encode_event",
    "event_of",
    "parse_message",
    "structured_message",
]

STRUCTURED_TYPE: Final = "application/cloudevents+json"
BATCH_TYPE: Final = "application/cloudevents-batch+json"
_DATA_TYPE: Final = "application/json"
_UTF8: Final = "; charset=UTF-8"
_REQUIRED: Final = ("specversion", "id", "source", "type")
# Printable ASCII except blank, quote and percent travels as it is (HTTP binding, §3.1.3.2).
_PLAIN: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


class EventError(ValueError):
    """A message is not a CloudEvent, or a value cannot be written as JSON; the text quotes no value."""


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """One event.

    Attributes:
        id: unique within ``source``; a repeat has the same.
        source: who sends it.
        type: what happened, e.g. ``customer.entered``.
        subject: the hub's customer id.
        time: when the hub sent it, RFC 3339; on a repeat the time of the repeat.
        data: the payload.
    """

    id: str
    source: str
    type: str
    subject: str = ""
    time: str = ""
    data: Any = field(default=None, repr=False)

    def attributes(self) -> dict[str, str]:
        """Return the context attributes, the empty ones left out."""
        known = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": self.time,
        }
        return {name: value for name, value in known.items() if value}


@dataclass(frozen=True, slots=True)
class Message:
    """A body and the headers that belong to it."""

    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def event_of(operation: Operation, *, source: str, event_type: str, now: dt.datetime) -> CloudEvent:
    """Describe an operation as an event; ``data`` is ``customer_id`` and the mapped values."""
    return CloudEvent(
        id=operation.id,
        source=source,
        type=event_type,
        subject=operation.customer_id,
        time=now.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        data={"customer_id": operation.customer_id, **_without(operation.values, "customer_id")},
    )


def _without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


def _to_json(value: object) -> bytes:
    try:
        return orjson.dumps(value, default=_write_decimal)
    except orjson.JSONEncodeError as error:
        raise EventError(f"A value cannot be written as JSON: {error}.") from None


def _write_decimal(value: object) -> str:
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    raise TypeError(f"type {type(value).__name__}")


def encode_event(event: CloudEvent) -> bytes:
    """Return the event as one JSON object. ``Decimal`` becomes a string, so that no receiver rounds money.

    Raises:
        EventError: a value has no JSON form.
    """
    return _to_json({**event.attributes(), "datacontenttype": _DATA_TYPE, "data": event.data})


def structured_message(encoded: bytes) -> Message:
    """Return the request for one encoded event."""
    return Message({"Content-Type": STRUCTURED_TYPE + _UTF8}, encoded)


def batch_message(encoded: Sequence[bytes]) -> Message:
    """Return the request for several encoded events."""
    return Message({"Content-Type": BATCH_TYPE + _UTF8}, b"[" + b",".join(encoded) + b"]")


def binary_message(event: CloudEvent) -> Message:
    """Return the request that carries attributes as headers and the data as body.

    Raises:
        EventError: a value has no JSON form.
    """
    headers = {f"ce-{name}": quote(value, safe=_PLAIN) for name, value in event.attributes().items()}
    return Message({"Content-Type": _DATA_TYPE, **headers}, _to_json(event.data))


def parse_message(headers: Mapping[str, str], body: bytes) -> list[CloudEvent]:
    """Read the events of a request in any of the three modes.

    Args:
        headers: names in any case.
        body: the verified bytes.

    Raises:
        EventError: not CloudEvents 1.0 in JSON.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    content_type = lower.get("content-type", "").partition(";")[0].strip().lower()
    data = _from_json(body)
    if content_type == BATCH_TYPE:
        if not isinstance(data, list):
            raise EventError("A batch must be a JSON array.")
        return [_event_from(item) for item in data]
    if content_type == STRUCTURED_TYPE:
        return [_event_from(data)]
    attributes = {name[3:]: unquote(value) for name, value in lower.items() if name.startswith("ce-")}
    return [_event_from({**attributes, "data": data})]


def _from_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise EventError("The body is not JSON.") from None


def _event_from(item: object) -> CloudEvent:
    if not isinstance(item, Mapping):
        raise EventError("An event must be a JSON object.")
    attributes = {name: item.get(name) for name in (*_REQUIRED, "subject", "time")}
    wrong = [name for name in _REQUIRED if not isinstance(attributes[name], str) or not attributes[name]]
    if wrong or attributes["specversion"] != "1.0":
        raise EventError(f"Not a CloudEvent 1.0: {', '.join(wrong) or 'specversion'} is missing or wrong.")
    return CloudEvent(
        id=str(attributes["id"]),
        source=str(attributes["source"]),
        type=str(attributes["type"]),
        subject=str(attributes["subject"] or ""),
        time=str(attributes["time"] or ""),
        data=item.get("data"),
    )
