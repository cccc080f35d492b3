"""Messages that Weimob pushes (消息推送): checked and read. Pure functions.

A message is a trigger, not data: what it tells of is read anew through the API, so that repeats and wrong order do no harm.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson

from hub.errors import RowError
from plugins.weimob.values import text

__all__ = [
    "ACKNOWLEDGEMENT",
    "REFUSAL",
    "Message",
    "MessageError",
    "Subject",
    "decode",
    "is_authentic",
    "read_message",
    "sign",
]

ACKNOWLEDGEMENT: Final = b'{"code":{"errcode":"0","errmsg":"success"}}'
"""What Weimob takes for "received"."""
REFUSAL: Final = b'{"code":{"errcode":"4900100100004","errmsg":"refused"}}'
"""The platform's own receivers answer a message they cannot take with this code."""


class MessageError(RowError):
    """A pushed message that cannot be trusted or read."""

    default_code = "message_invalid"
    default_hint = "Compare client_id and client_secret with the application's; Weimob sends the message again."


class Subject(StrEnum):
    """What a message is about, and so which stream reads it."""

    CUSTOMER = "customer"
    ORDER = "order"
    REFUND = "refund"
    COUPON = "coupon"
    OTHER = "other"


_SUBJECTS: Final = (
    ("weimob_shop.order", Subject.ORDER),
    ("weimob_shop.rights", Subject.REFUND),
    ("weimob_crm.coupon", Subject.COUPON),
    ("weimob_cdp.customer", Subject.CUSTOMER),
    ("weimob_crm", Subject.CUSTOMER),
    ("weimob_guide.guider.relationship", Subject.CUSTOMER),
    ("bos.user", Subject.CUSTOMER),
)
_KEYS: Final[Mapping[Subject, str]] = {Subject.ORDER: "orderNo", Subject.REFUND: "rightsId", Subject.COUPON: "code"}
_STAFF: Final = ("guide", "guider", "operator", "employee")
"""Beginnings of fields that name a guide's or an employee's wid."""


@dataclass(frozen=True, slots=True)
class Message:
    """One pushed message.

    Attributes:
        id: the same for every repeat.
        topic: e.g. ``weimob_crm.customer``.
        event: e.g. ``create``.
        bos_id: the merchant it happened at.
        test: sent by the console to try the address; there is nothing to do.
        body: the decoded ``msgBody``.
    """

    id: str
    topic: str
    event: str
    bos_id: str
    test: bool
    body: Mapping[str, Any]

    @property
    def subject(self) -> Subject:
        """What it is about."""
        return next((subject for start, subject in _SUBJECTS if self.topic.startswith(start)), Subject.OTHER)

    @property
    def is_cancellation(self) -> bool:
        """Whether a person has had the account deleted (注销)."""
        return self.topic == "bos.user" and "cancel" in self.event.lower()

    def things(self) -> Iterator[str]:
        """Give the ids of what must be read again: order numbers, after-sales, coupon codes or wids."""
        if self.subject is Subject.CUSTOMER:
            yield from dict.fromkeys(_wids(self.body))
        elif (name := _KEYS.get(self.subject)) and (found := text(self.body.get(name))):
            yield found


def _wids(body: Mapping[str, Any]) -> Iterator[str]:
    """Give every customer's wid: merges name two, under names that no page tells."""
    for name, value in body.items():
        word = str(name).lower()
        if word.startswith(_STAFF):
            continue
        if word.endswith("wid") and (found := text(value)) and found.isdecimal() and found != "0":
            yield found
        elif word.endswith("widlist") and isinstance(value, list):
            yield from filter(None, map(text, value))


def sign(client_id: str, client_secret: str, message_id: str, body: str) -> str:
    """Return ``sign``: the MD5 of client id, message id, ``msgBody`` as it came and client secret, in hexadecimal."""
    # MD5 is what the platform signs with; nothing here is chosen by us.
    return hashlib.md5(f"{client_id}{message_id}{body}{client_secret}".encode(), usedforsecurity=False).hexdigest()


def is_authentic(client_id: str, client_secret: str, content: Mapping[str, Any]) -> bool:
    """Say whether a message was signed with our secret; takes the same time whatever differs.

    Args:
        client_id: the application's id.
        client_secret: its secret.
        content: the decoded request.
    """
    body, given = content.get("msgBody"), content.get("sign")
    if not isinstance(body, str) or not isinstance(given, str):
        return False
    expected = sign(client_id, client_secret, str(content.get("id") or ""), body)
    return hmac.compare_digest(expected.encode(), given.strip().lower().encode())


def decode(content: bytes) -> Mapping[str, Any]:
    """Return the request as an object.

    Raises:
        MessageError: it is not a JSON object, or ``msgBody`` is no text: how an object would be signed is not known.
    """
    try:
        data = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise MessageError("A pushed message is not JSON.") from None
    if not isinstance(data, dict) or not isinstance(data.get("msgBody"), str):
        raise MessageError("A pushed message has no msgBody as text.")
    return data


def read_message(data: Mapping[str, Any], bos_id: str) -> Message:
    """Read a message whose signature was found good.

    Args:
        data: the decoded request.
        bos_id: ours; a message of another merchant is refused.

    Raises:
        MessageError: without id or topic, or not for us.
    """
    if not data.get("id") or not data.get("topic"):
        raise MessageError("A pushed message has no id or no topic.")
    owner = text(data.get("bosId"))
    if owner not in (None, bos_id):
        raise MessageError("A pushed message is for another merchant.", code="message_foreign")
    try:
        body = orjson.loads(data["msgBody"])
    except orjson.JSONDecodeError:
        raise MessageError("The body of a pushed message is not JSON.") from None
    return Message(
        id=str(data["id"]),
        topic=str(data["topic"]),
        event=str(data.get("event") or ""),
        bos_id=bos_id,
        test=data.get("test") is True,
        body=body if isinstance(body, dict) else {},
    )
