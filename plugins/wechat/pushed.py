"""Receiving pushed messages (消息推送): verify, decrypt, parse, keep; and an ASGI application that does just that.

    app = PushApp(PushReceiver(MessageCrypto(token, aes_key, appid), folder))

A message is on the disk before it is acknowledged, and is read by the next ``hub ingest``. WeChat waits five seconds and sends
three times more. XML and JSON, the plain, the compatible and the safe mode are understood.
"""

from __future__ import annotations

import datetime as dt
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from hub.errors import RowError
from hub.http import Incoming, MessageApp, RefusedMessage
from hub.records import Event
from hub.runtime import utc_now
from plugins.wechat.crypto import MessageCrypto, MessageError
from plugins.wechat.inbox import Inbox, ReceivedMessage
from plugins.wechat.mapping import identifiers_of, instant

__all__ = ["PushApp", "PushReceiver", "parse_message", "to_event"]

_MAX_BODY: Final = 262_144
_TYPES: Final[Mapping[str, str]] = {
    "subscribe": "official_account.followed",
    "unsubscribe": "official_account.unfollowed",
    "SCAN": "code.scanned",
    "CLICK": "menu.clicked",
    "VIEW": "menu.link_opened",
    "LOCATION": "location.sent",
    "TEMPLATESENDJOBFINISH": "message.delivered",
    "subscribe_msg_popup_event": "message.consent_asked",
    "subscribe_msg_change_event": "message.consent_changed",
    "subscribe_msg_sent_event": "message.delivered",
    "user_authorization_revoke": "privacy.consent_revoked",
}
_NOT_PROPERTIES: Final = frozenset({"ToUserName", "FromUserName", "MsgType", "CreateTime", "Event"})
_LISTS: Final = frozenset({"List", "SubscribeMsgPopupEvent", "SubscribeMsgChangeEvent", "SubscribeMsgSentEvent"})
"""Under which names the rows of an event have been seen."""


def parse_message(text: str) -> dict[str, Any]:
    """Return the elements of a message, XML or JSON, by name; what holds rows is a list under ``List``.

    Raises:
        MessageError: ``message_invalid``.
    """
    fields = _from_json(text) if text.lstrip().startswith("{") else _from_xml(text)
    found = {name: value for name, value in fields.items() if name not in _LISTS}
    for name in _LISTS & fields.keys():
        value = fields[name]
        rows = value.get("List", [value]) if isinstance(value, dict) and name != "List" else value
        found["List"] = rows if isinstance(rows, list) else [rows]
    return found


def _from_json(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MessageError("message_invalid", "The message is not JSON.") from error
    if not isinstance(found, dict):
        raise MessageError("message_invalid", "The message is no JSON object.")
    return found


def _from_xml(text: str) -> dict[str, Any]:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise MessageError("message_invalid", "The message declares entities, which the platform never does.")
    try:
        root = ET.fromstring(text)  # noqa: S314 - without declarations there is nothing to expand
    except ET.ParseError as error:
        raise MessageError("message_invalid", "The message is not XML.") from error
    return {child.tag: _content(child) for child in root}


def _content(element: ET.Element) -> Any:
    """Return an element's text; of one that holds elements a row, of one that holds rows a list of them."""
    children = list(element)
    if not children:
        return (element.text or "").strip()
    if element.tag in _LISTS:
        return [{each.tag: _content(each) for each in row} if len(row) else _content(row) for row in children]
    return {child.tag: _content(child) for child in children}


class PushReceiver:
    """Takes the pushed messages of one connection.

    Args:
        crypto: the account's token and key.
        folder: the connection's folder, where stream ``events`` looks for them.
        now: time of arrival.
    """

    def __init__(self, crypto: MessageCrypto, folder: Path, now: Callable[[], dt.datetime] = utc_now) -> None:
        self._crypto = crypto
        self._inbox = Inbox(folder)
        self._now = now

    def close(self) -> None:
        """Close the file of messages."""
        self._inbox.close()

    def verify_url(self, query: Mapping[str, str]) -> str:
        """Answer the console's question whether this address is ours: return the text to answer with.

        Raises:
            MessageError: it is not the platform that asks.
        """
        self._crypto.check(*_signed(query, "signature"))
        return query.get("echostr", "")

    def receive(self, query: Mapping[str, str], body: bytes) -> bool:
        """Check, decrypt and keep one message; return whether it is new.

        Raises:
            MessageError: it is not the platform's, or not readable; nothing is kept.
        """
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise MessageError("message_invalid", "The message is not UTF-8 text.") from error
        if query.get("encrypt_type") == "aes":
            encrypted = str(parse_message(text).get("Encrypt") or "")
            text = self._crypto.open(*_signed(query, "msg_signature"), encrypted)
        else:
            self._crypto.check(*_signed(query, "signature"))
        return self._inbox.add(parse_message(text), self._now())


def _signed(query: Mapping[str, str], name: str) -> tuple[str, str, str]:
    return query.get(name, ""), query.get("timestamp", ""), query.get("nonce", "")


class PushApp(MessageApp):
    """An ASGI application for one connection's address; put it behind TLS.

    Args:
        receiver: what checks and keeps the messages.
    """

    def __init__(self, receiver: PushReceiver) -> None:
        super().__init__(self._take, b"success", verify=self._show, longest=_MAX_BODY)
        self._receiver = receiver

    def _take(self, incoming: Incoming) -> None:
        with _refusing():
            self._receiver.receive(incoming.query, incoming.body)

    def _show(self, incoming: Incoming) -> bytes:
        with _refusing():
            return self._receiver.verify_url(incoming.query).encode()


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except MessageError as error:
        status = 403 if error.code in ("signature_mismatch", "receiver_mismatch") else 400
        raise RefusedMessage(status, error.code.encode()) from error


def to_event(message: ReceivedMessage, appid: str) -> Event:
    """A pushed message as an event of the person it is about.

    What a person wrote is left out: the hub has no use for it.

    Raises:
        RowError: it has no time or nobody it is about.
    """
    fields = message.fields
    moment, openid = instant(fields.get("CreateTime")), str(fields.get("FromUserName") or fields.get("OpenID") or "")
    if moment is None or not openid:
        column = "CreateTime" if moment is None else "FromUserName"
        raise RowError("The message lacks a field.", code="message_incomplete", context={"column": column})
    is_event = fields.get("MsgType", "event") == "event"
    name = str(fields.get("Event") or "unknown")
    properties = {key: value for key, value in fields.items() if key not in _NOT_PROPERTIES}
    rows = properties.get("List") or [{}]
    return Event(
        source_id=message.key,
        type=_TYPES.get(name, f"wechat.{name}") if is_event else "message.received",
        occurred_at=moment,
        customer_id=openid,
        identifiers=identifiers_of(appid, openid),
        channel="wechat",
        subject_kind="template" if rows[0].get("TemplateId") else None,
        subject_id=str(rows[0]["TemplateId"]) if rows[0].get("TemplateId") else None,
        properties=properties if is_event else {"kind": fields.get("MsgType")},
    )
