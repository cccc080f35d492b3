"""Webhook events: signature, and what the next run needs of them. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import orjson

from hub.errors import RowError
from plugins.pos.square.values import text

__all__ = ["EventError", "is_authentic", "read_event", "signature"]


class EventError(RowError):
    """A webhook event that cannot be used."""

    default_code = "event_invalid"


def signature(key: str, url: str, body: bytes) -> str:
    """Return the signature of an event: HMAC-SHA-256 over notification URL and body (Square's webhook guide)."""
    return base64.b64encode(hmac.new(key.encode(), url.encode() + body, hashlib.sha256).digest()).decode()


def is_authentic(key: str, url: str, body: bytes, given: str) -> bool:
    """Say whether an event was signed with the subscription's key."""
    return hmac.compare_digest(signature(key, url, body).encode(), given.strip().encode("utf-8", "replace"))


def read_event(body: bytes) -> dict[str, Any]:
    """Return what is kept of an event: its id, kind, the thing it is about, and a merge if it tells of one.

    Raises:
        EventError: it cannot be read.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise EventError("A webhook event is not JSON.") from None
    if not isinstance(found, Mapping) or not text(found.get("event_id")) or not text(found.get("type")):
        raise EventError("A webhook event lacks event_id or type.")
    data: Mapping[str, Any] = found.get("data") or {}
    held: Mapping[str, Any] = data.get("object") or {}
    merge: Mapping[str, Any] = (held.get("event_context") or data.get("event_context") or {}).get("merge") or {}
    stub: Mapping[str, Any] = next((value for value in held.values() if isinstance(value, Mapping)), {})
    return {
        "key": found["event_id"],
        "type": found["type"],
        "thing": text(data.get("id")) or text(stub.get("order_id")) or text(stub.get("id")) or "",
        "at": text(found.get("created_at")),
        "merged": [str(each) for each in merge.get("from_customer_ids") or ()],
        "into": text(merge.get("to_customer_id")),
    }
