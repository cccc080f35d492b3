"""Receiving WeCom's callbacks (接收消息服务器): verify, decrypt, parse, keep; and an ASGI application that does just that.

    app = CallbackApp(CallbackReceiver(CallbackCrypto(token, aes_key, corp_id), folder))

Events are on the disk before they are acknowledged, and are read by the next ``hub ingest``. See official documents 90930 and
92130.
"""

from __future__ import annotations

import datetime as dt
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hub.http import Incoming, MessageApp, RefusedMessage
from hub.records import Event
from hub.runtime import utc_now
from plugins.wecom.crypto import CallbackCrypto, CallbackError
from plugins.wecom.inbox import Fields, Inbox, ReceivedEvent
from plugins.wecom.mapping import instant

__all__ = ["CallbackApp", "CallbackReceiver", "parse_message", "to_event"]

_MAX_BODY: Final = 262_144
_TYPES: Final[Mapping[tuple[str, str], str]] = {
    ("change_external_contact", "add_external_contact"): "guide.added",
    ("change_external_contact", "add_half_external_contact"): "guide.added_unconfirmed",
    ("change_external_contact", "edit_external_contact"): "guide.edited",
    ("change_external_contact", "del_external_contact"): "guide.removed_customer",
    ("change_external_contact", "del_follow_user"): "guide.removed_by_customer",
    ("change_external_contact", "transfer_fail"): "guide.transfer_failed",
    ("change_external_chat", "create"): "group.opened",
    ("change_external_chat", "update"): "group.changed",
    ("change_external_chat", "dismiss"): "group.dismissed",
    ("change_external_tag", "create"): "tag.added",
    ("change_external_tag", "update"): "tag.changed",
    ("change_external_tag", "delete"): "tag.deleted",
    ("change_external_tag", "shuffle"): "tag.reordered",
}
_SUBJECTS: Final = (("ChatId", "group"), ("Id", "tag"))
_NOT_PROPERTIES: Final = frozenset(
    {"ToUserName", "FromUserName", "MsgType", "CreateTime", "UserID", "ExternalUserID", "WelcomeCode"}
)


def parse_message(text: str) -> dict[str, str]:
    """Return the elements of a decrypted message by name; repeated ones below a list are joined by blanks.

    Raises:
        CallbackError: ``xml_invalid``.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise CallbackError("xml_invalid", "The message declares entities, which the platform never does.")
    try:
        root = ET.fromstring(text)  # noqa: S314 - without declarations there is nothing to expand
    except ET.ParseError as error:
        raise CallbackError("xml_invalid", "The message is not XML.") from error
    return {child.tag: " ".join(_texts(child)) for child in root}


def _texts(element: ET.Element) -> list[str]:
    return [part.strip() for part in element.itertext() if part.strip()]


class CallbackReceiver:
    """Takes callbacks of one connection.

    Args:
        crypto: the callback's cipher.
        folder: the connection's folder, where the streams look for events.
        now: time of arrival.
    """

    def __init__(self, crypto: CallbackCrypto, folder: Path, now: Callable[[], dt.datetime] = utc_now) -> None:
        self._crypto = crypto
        self._inbox = Inbox(folder)
        self._now = now

    def close(self) -> None:
        """Close the file of events."""
        self._inbox.close()

    def verify_url(self, query: Mapping[str, str]) -> str:
        """Answer the admin console's question whether this address is ours: return the text to answer with.

        Args:
            query: the decoded query parameters.

        Raises:
            CallbackError: it is not the platform that asks.
        """
        return self._crypto.open(*_signature(query), query.get("echostr", ""))

    def receive(self, query: Mapping[str, str], body: bytes) -> bool:
        """Check, decrypt and keep one event; return whether it is new.

        Raises:
            CallbackError: it is not the platform's, or not readable; nothing is kept.
        """
        outer = parse_message(_decoded(body))
        fields = parse_message(self._crypto.open(*_signature(query), outer.get("Encrypt", "")))
        return self._inbox.add(fields, self._now())


def _signature(query: Mapping[str, str]) -> tuple[str, str, str]:
    return query.get("msg_signature", ""), query.get("timestamp", ""), query.get("nonce", "")


def _decoded(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise CallbackError("xml_invalid", "The body is not UTF-8 text.") from error


class CallbackApp(MessageApp):
    """An ASGI application for one path: GET verifies the address, POST takes an event. Needs no framework.

    Args:
        receiver: takes the callbacks.
    """

    def __init__(self, receiver: CallbackReceiver) -> None:
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
    except CallbackError as error:
        status = 403 if error.code in {"signature_mismatch", "receiver_mismatch"} else 400
        raise RefusedMessage(status, error.code.encode()) from error


def to_event(received: ReceivedEvent) -> Event:
    """Turn a received callback into an event of the hub; its id is the digest of all its fields."""
    fields: Fields = received.fields
    name, change = fields.get("Event", ""), fields.get("ChangeType", "")
    subject = next(((fields[key], kind) for key, kind in _SUBJECTS if fields.get(key)), (None, None))
    return Event(
        source_id=f"callback:{received.key}",
        type=_TYPES.get((name, change)) or ".".join(part for part in ("wecom", name, change) if part),
        occurred_at=instant(fields.get("CreateTime")) or received.received_at,
        customer_id=fields.get("ExternalUserID") or None,
        channel="wecom",
        staff_id=fields.get("UserID") or None,
        subject_id=subject[0],
        subject_kind=subject[1],
        properties={key: value for key, value in fields.items() if key not in _NOT_PROPERTIES and value},
    )
