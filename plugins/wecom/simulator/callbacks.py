"""Callbacks of the simulated corp: events as encrypted XML, and the question whether an address is the receiver's."""

from __future__ import annotations

from hub.simulation.server import Params, Push, PushRequest, Subscription, action
from hub.simulation.server.credentials import derive
from plugins.wecom.crypto import CallbackCrypto
from plugins.wecom.simulator.base import CorpBase

__all__ = ["Callbacks"]

_NUMBERS = frozenset({"CreateTime", "JoinScene", "QuitScene", "MemChangeCnt"})


class Callbacks(CorpBase):
    """Sends ``change_external_contact``, ``change_external_chat`` and ``change_external_tag``; never for API writes."""

    @action
    def set_callback(self, params: Params) -> object:
        """Send every event to this address from now on (without asking it; see :meth:`verify_callback`)."""
        self.pushes.subscribe(self.credentials["corp_id"], params.text("url"))
        return {}

    def verify_callback(self, url: str) -> bool:
        """Ask an address, as saving the settings in the admin console does, whether it can decrypt; say whether it can."""
        crypto = self._crypto("verify")
        timestamp, nonce = str(self.now()), derive(self.stem, "verify", self.now(), length=10)
        echo = derive(self.stem, "echo", self.now(), length=19, alphabet="123456789")
        encrypted = crypto.encrypt(echo)
        query = {
            "msg_signature": crypto.sign(timestamp, nonce, encrypted),
            "timestamp": timestamp,
            "nonce": nonce,
            "echostr": encrypted,
        }
        answer = self.pushes.client.get(url, params=query)
        return answer.status_code == 200 and answer.text == echo

    def _crypto(self, label: str) -> CallbackCrypto:
        def chance(length: int) -> bytes:
            return derive(self.stem, "random", label, length=length).encode()

        own = self.credentials
        return CallbackCrypto(own["callback_token"], own["callback_aes_key"], own["corp_id"], chance)

    def push_request(self, push: Push, subscription: Subscription) -> PushRequest:
        """Encrypt and sign one attempt; timestamp and nonce are new in each."""
        del subscription
        corp = self.credentials["corp_id"]
        label = f"{push.message_id} {push.attempts} {push.copy}"
        crypto = self._crypto(label)
        fields = {"ToUserName": corp, "FromUserName": "sys", "CreateTime": int(push.created), "MsgType": "event"}
        encrypted = crypto.encrypt(f"<xml>{_elements({**fields, **push.data})}</xml>")
        timestamp, nonce = str(self.now()), derive(self.stem, "nonce", label, length=10)
        body = _elements({"ToUserName": corp, "AgentID": self.credentials["agent_id"], "Encrypt": encrypted})
        query = {"msg_signature": crypto.sign(timestamp, nonce, encrypted), "timestamp": timestamp, "nonce": nonce}
        return PushRequest(f"<xml>{body}</xml>".encode(), {"content-type": "text/xml"}, query)

    def tell_contact(self, change: str, userid: str, identifier: str, **more: str) -> None:
        """Queue an event about a relation."""
        known: dict[str, object] = {"ChangeType": change, "UserID": userid, "ExternalUserID": identifier}
        self._tell("change_external_contact", known | {key: value for key, value in more.items() if value})

    def tell_chat(self, chat_id: str, change: str, **more: object) -> None:
        """Queue an event about a customer group."""
        self._tell("change_external_chat", {"ChatId": chat_id, "ChangeType": change, **more})

    def tell_tag(self, identifier: str, kind: str, change: str) -> None:
        """Queue an event about a tag or tag group (``kind`` ``tag`` or ``tag_group``)."""
        self._tell("change_external_tag", {"Id": identifier, "TagType": kind, "ChangeType": change})

    def _tell(self, event: str, fields: dict[str, object]) -> None:
        self.pushes.publish(event, {"Event": event, **fields}, account=self.credentials["corp_id"])


def _elements(fields: dict[str, object]) -> str:
    return "".join(f"<{name}>{_content(name, value)}</{name}>" for name, value in fields.items())


def _content(name: str, value: object) -> str:
    if isinstance(value, list):
        return "".join(f"<Item><![CDATA[{item}]]></Item>" for item in value)
    return str(value) if name in _NUMBERS else f"<![CDATA[{value}]]>"
