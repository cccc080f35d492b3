"""Messages that Youzan pushes (消息推送): checked and read. Pure functions.

A message is a trigger, not data: what it tells of is read anew through the API, so that repeats and wrong order do no harm.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import unquote_plus

import orjson

from hub.errors import RowError

__all__ = ["ACKNOWLEDGEMENT", "Message", "MessageError", "Subject", "event_sign", "is_authentic", "read_message"]

ACKNOWLEDGEMENT: Final = b'{"code":0,"msg":"success"}'
"""What Youzan takes for "received"."""
_OWN_SOURCE: Final = "hub"


class MessageError(RowError):
    """A pushed message that cannot be trusted or read."""

    default_code = "message_invalid"
    default_hint = "Compare client_id and client_secret with the application's; Youzan sends the message again."


class Subject(StrEnum):
    """What a message is about, and so which stream reads it."""

    CUSTOMER = "customer"
    TRADE = "trade"
    REFUND = "refund"
    COUPON = "coupon"
    OTHER = "other"


_SUBJECTS: Final = (
    ("trade_refund_", Subject.REFUND),
    ("youzan_trade_Refund", Subject.REFUND),
    ("trade_", Subject.TRADE),
    ("youzan_trade_", Subject.TRADE),
    ("SCRM_CUSTOMER_", Subject.CUSTOMER),
    ("POINTS", Subject.CUSTOMER),
    ("OPEN_PUSH_SCRM_MEMBER_", Subject.CUSTOMER),
    ("youzan_scrm_ScrmTagChangePush", Subject.CUSTOMER),
    ("COUPON_CUSTOMER_PROMOTION", Subject.COUPON),
)
_KEYS: Final[Mapping[Subject, tuple[str, ...]]] = {
    Subject.TRADE: ("tid",),
    Subject.REFUND: ("refund_id",),
    Subject.COUPON: ("id",),
}


@dataclass(frozen=True, slots=True)
class Message:
    """One pushed message.

    Attributes:
        key: the same for every repeat: ``msg_id``, else type, shop, business id and version.
        type: kind of event, e.g. ``trade_TradeClose``.
        status: its sub-state.
        kdt_id: the shop it happened in.
        business_id: Youzan's id of the thing: order number, refund id, user.
        version: grows with each event of the thing; the higher one counts.
        test: sent by the console to try the address; there is nothing to do.
        body: the decoded ``msg``.
    """

    key: str
    type: str
    status: str
    kdt_id: str
    business_id: str
    version: int
    test: bool
    body: Mapping[str, Any]

    @property
    def subject(self) -> Subject:
        """What it is about."""
        return next((subject for start, subject in _SUBJECTS if self.type.startswith(start)), Subject.OTHER)

    @property
    def is_own_echo(self) -> bool:
        """Whether it tells of a tag change that the hub itself made."""
        return self.body.get("operate_source") == _OWN_SOURCE

    def things(self) -> Iterator[str]:
        """Give the ids of what must be read again: order numbers, refunds, coupons or customers."""
        if self.subject is Subject.CUSTOMER:
            yield from dict.fromkeys(_open_ids(self.body))
            return
        names = _KEYS.get(self.subject, ())
        found = next((str(self.body[name]) for name in names if self.body.get(name)), self.business_id)
        if self.subject in _KEYS and found:
            yield found


def _open_ids(value: object) -> Iterator[str]:
    """Give every ``yz_open_id`` anywhere inside: merges name two, under names that no page tells."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if isinstance(item, str) and "yz_open_id" in _snake(str(name)) and item:
                yield item
            else:
                yield from _open_ids(item)
        if str(value.get("account_type")) in {"5", "YzOpenId"} and value.get("account_id"):
            yield str(value["account_id"])
    elif isinstance(value, list):
        for item in value:
            yield from _open_ids(item)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def event_sign(client_id: str, client_secret: str, body: bytes) -> str:
    """Return ``Event-Sign``: the MD5 of client id, raw body and client secret, in hexadecimal."""
    # MD5 is what the platform signs with; nothing here is chosen by us.
    return hashlib.md5(client_id.encode() + body + client_secret.encode(), usedforsecurity=False).hexdigest()


def is_authentic(client_id: str, client_secret: str, body: bytes, signature: str) -> bool:
    """Say whether a message was signed with our secret; takes the same time whatever differs.

    Args:
        client_id: the application's id.
        client_secret: its secret.
        body: the bytes as received, before any decoding.
        signature: header ``Event-Sign``, in any case.
    """
    expected = event_sign(client_id, client_secret, body)
    return hmac.compare_digest(expected.encode(), signature.strip().lower().encode())


def read_message(body: bytes, client_id: str) -> Message:
    """Read a message whose signature was found good.

    Args:
        body: the bytes as received.
        client_id: ours; a message for another application is refused.

    Raises:
        MessageError: not JSON, or not for us.
    """
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MessageError("A pushed message is not JSON.") from None
    if not isinstance(data, dict) or not data.get("type"):
        raise MessageError("A pushed message has no type.")
    if data.get("client_id") not in (None, "", client_id):
        raise MessageError("A pushed message is for another application.", code="message_foreign")
    version = int(data.get("version") or 0) if str(data.get("version") or 0).isdecimal() else 0
    kind, shop, thing = str(data["type"]), str(data.get("kdt_id") or ""), str(data.get("id") or "")
    return Message(
        key=str(data.get("msg_id") or "") or f"{kind}/{shop}/{thing}/{version}",
        type=kind,
        status=str(data.get("status") or ""),
        kdt_id=shop,
        business_id=thing,
        version=version,
        test=data.get("test") is True,
        body=_decoded(data.get("msg")),
    )


def _decoded(value: object) -> Mapping[str, Any]:
    """Return ``msg``: some types send an object, others its URL-encoded JSON."""
    if isinstance(value, str):
        for written in (unquote_plus(value), value):
            try:
                value = orjson.loads(written)
            except orjson.JSONDecodeError:
                continue
            break
    return value if isinstance(value, dict) else {}
