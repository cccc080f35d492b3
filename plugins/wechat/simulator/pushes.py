"""Messages that the simulated accounts push (消息推送): followers who come and go, what became of messages; plain or safe mode."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import httpx

from hub.simulation.server import Params, Push, PushRequest, Subscription, action
from hub.simulation.server.credentials import derive
from plugins.wechat.crypto import MessageCrypto
from plugins.wechat.simulator.miniprogram import MiniProgramSide

__all__ = ["Pushes"]

_GHOST: Final = "gh_"
"""What the original id (原始ID) of an account begins with."""


class Pushes(MiniProgramSide):
    """Sends events of both accounts: XML for the official account, JSON for the mini-program."""

    @action
    def set_push(self, params: Params) -> object:
        """Send the events of an account (the mini-program unless ``appid`` is given) to this address from now on."""
        self.db.remember("push plain", int(params.flag("plain", default=False)))
        self.pushes.subscribe(params.text("appid", self.miniprogram), params.text("url"))
        return {}

    def verify_push(self, url: str) -> bool:
        """Ask an address, as saving the settings in the console does, whether it knows the token; say whether it does."""
        timestamp, nonce = str(self.now()), derive(self.stem, "verify", self.now(), length=10)
        echo = derive(self.stem, "echo", self.now(), length=19, alphabet="123456789")
        signature = self._crypto(self.official, "verify").sign(timestamp, nonce)
        query = {"signature": signature, "timestamp": timestamp, "nonce": nonce, "echostr": echo}
        answer = self.pushes.client.get(url, params=query)
        return answer.status_code == 200 and answer.text == echo

    def _crypto(self, appid: str, label: str) -> MessageCrypto:
        def chance(length: int) -> bytes:
            return derive(self.stem, "random", label, length=length).encode()

        return MessageCrypto(self.credentials["push_token"], self.credentials["push_aes_key"], appid, chance)

    def push_request(self, push: Push, subscription: Subscription) -> PushRequest:
        """Write, encrypt and sign one attempt; timestamp and nonce are new in each."""
        appid = subscription.account
        label = f"{push.message_id} {push.attempts} {push.copy}"
        crypto, is_json = self._crypto(appid, label), appid == self.miniprogram
        timestamp, nonce = str(self.now()), derive(self.stem, "nonce", label, length=10)
        text = _written(push.data, is_json=is_json)
        query = {"signature": crypto.sign(timestamp, nonce), "timestamp": timestamp, "nonce": nonce}
        headers = {"content-type": "application/json" if is_json else "text/xml"}
        if self.db.fact("push plain") == "1":
            return PushRequest(text.encode(), headers, {**query, "openid": str(push.data["FromUserName"])})
        encrypted = crypto.encrypt(text)
        outer = _written({"ToUserName": push.data["ToUserName"], "Encrypt": encrypted}, is_json=is_json)
        signed = {"encrypt_type": "aes", "msg_signature": crypto.sign(timestamp, nonce, encrypted)}
        return PushRequest(outer.encode(), headers, {**query, **signed})

    def push_accepted(self, response: httpx.Response) -> bool:
        """Take ``success`` and an empty body for an acknowledgement."""
        return response.status_code == 200 and response.text in ("success", "")

    def tell(self, appid: str, openid: str, at: int, fields: Mapping[str, Any]) -> None:
        """Queue an event about a person."""
        head = {"ToUserName": _GHOST + appid[-12:], "FromUserName": openid, "CreateTime": at, "MsgType": "event"}
        self.pushes.publish(str(fields["Event"]), {**head, **fields}, account=appid)

    def tell_follower(self, event: str, openid: str, at: int, code: str = "") -> None:
        """Queue that somebody follows or goes away."""
        more = {"EventKey": f"qrscene_{code}"} if code else {"EventKey": ""}
        self.tell(self.official, openid, at, {"Event": event, **more})

    def message_sent(self, appid: str, openid: str, template: str, msgid: int) -> None:
        """Queue what became of a message; a list in XML, one object in JSON, as the platform has been seen to do."""
        one = {"TemplateId": template, "MsgID": str(msgid), "ErrorCode": "0", "ErrorStatus": "success"}
        self.tell(appid, openid, self.now(), {"Event": "subscribe_msg_sent_event", "List": one})

    @action
    def accepts(self, params: Params) -> object:
        """Somebody agrees to one more message of a template; returns how many there are now."""
        found = super().accepts(params)
        appid, template = params.text("appid", self.miniprogram), params.text("template_id", "")
        one = {"TemplateId": template, "SubscribeStatusString": "accept", "PopupScene": "0"}
        self.tell(appid, params.text("openid"), self.now(), {"Event": "subscribe_msg_popup_event", "List": [one]})
        return found


def _written(fields: Mapping[str, Any], *, is_json: bool) -> str:
    return json.dumps(dict(fields), ensure_ascii=False) if is_json else f"<xml>{_elements(fields)}</xml>"


def _elements(fields: Mapping[str, Any]) -> str:
    return "".join(f"<{name}>{_content(name, value)}</{name}>" for name, value in fields.items())


def _content(name: str, value: Any) -> str:
    if name == "List":
        rows = value if isinstance(value, list) else [value]
        return "".join(f"<item>{_elements(row)}</item>" for row in rows)
    return str(value) if isinstance(value, int) else f"<![CDATA[{value}]]>"
