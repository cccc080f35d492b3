"""Pushed messages (推送): reading, and which stream they trigger. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from hub.errors import RowError
from plugins.pos.pospal.values import id_of, text

__all__ = ["Message", "MessageError", "Subject", "read_message"]


class Subject(StrEnum):
    """What a message is about."""

    TICKET = "ticket"
    MEMBER = "member"
    OTHER = "other"


_SUBJECTS: Final = {
    "ticket.new": (Subject.TICKET, "sn"),
    "ticket.reverse": (Subject.TICKET, "sn"),
    "customer.new": (Subject.MEMBER, "customerUid"),
    "customer.recharge": (Subject.MEMBER, "customerUid"),
}


class MessageError(RowError):
    """A pushed message that cannot be used."""

    default_code = "message_invalid"


@dataclass(frozen=True, slots=True)
class Message:
    """A pushed message: a hint that something happened, read anew by the next run.

    Attributes:
        app_id: the shop it is from.
        command: the platform's word, e.g. ``ticket.new``.
        subject: what stream it concerns.
        thing: the ticket's number or the member's id.
        key: the same for repeats of the same message.
    """

    app_id: str
    command: str
    subject: Subject
    thing: str
    key: str


def read_message(body: bytes, content_type: str = "application/json") -> Message:
    """Read a message that comes as JSON or as a form, whose inner body is an object or JSON text.

    Raises:
        MessageError: it cannot be read.
    """
    outer = _form(body) if "form" in content_type else _json(body)
    inner = outer.get("body")
    inner = _json(inner.encode()) if isinstance(inner, str) and inner.strip() else inner
    if not isinstance(inner, Mapping):
        inner = {}
    command, app_id = text(outer.get("cmd")), text(outer.get("appId"))
    if command is None or app_id is None:
        raise MessageError("A pushed message lacks cmd or appId.")
    subject, field = _SUBJECTS.get(command, (Subject.OTHER, ""))
    thing = id_of(inner.get(field)) or ""
    digest = hashlib.sha256(f"{app_id} {command} {json.dumps(inner, sort_keys=True, default=str)}".encode())
    return Message(app_id, command, subject if thing else Subject.OTHER, thing, digest.hexdigest()[:32])


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MessageError("A pushed message is not JSON.") from None
    if not isinstance(found, Mapping):
        raise MessageError("A pushed message is not a JSON object.")
    return found


def _form(body: bytes) -> Mapping[str, Any]:
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
