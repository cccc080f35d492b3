"""Messages the simulated platform pushes (消息推送)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote_plus

import httpx

from hub.simulation.server import Params, Push, PushRequest, Subscription, action
from plugins.youzan.simulator.gateway import Gateway

__all__ = ["Notices"]

_MINUTE: Final = 60.0


class Notices(Gateway):
    """Subscribing, signing and the schedule of repeats."""

    push_retries = (10.0, 30.0, *(_MINUTE * n for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30, 60, 120)))

    @action
    def subscribe(self, params: Params) -> object:
        """Switch messages on (消息订阅): types, and the address they go to."""
        receiver = self.pushes.subscribe(self.root, params.text("url"), topics=params.array("types", []))
        return {"number": receiver.number}

    @action
    def send_test_message(self, params: Params) -> object:
        """The console's button: a message with ``test``."""
        return {"receivers": self.notify(params.text("type", "trade_TradeCreate"), "E0", {"tid": "E0"}, test=True)}

    def notify(
        self, kind: str, thing: str, msg: Mapping[str, Any], *, status: str = "", node: int | None = None, **more: Any
    ) -> int:
        """Queue a message about a thing; its version is one higher than the last one's."""
        version = int(self.db.fact(f"version {kind} {thing}") or self.present()) + 1
        self.db.remember(f"version {kind} {thing}", version)
        data = {
            "id": thing,
            "kdt_id": node or int(self.root),
            "status": status,
            "version": version,
            "msg": dict(msg),
            **more,
        }
        return self.pushes.publish(kind, data, account=self.root)

    def push_request(self, push: Push, subscription: Subscription) -> PushRequest:  # noqa: ARG002
        """Return a message as it is sent: signed over its bytes; most types carry ``msg`` as URL-encoded text."""
        client_id, secret = self.credentials["client_id"], self.credentials["client_secret"]
        msg = json.dumps(push.data["msg"], ensure_ascii=False)
        written = push.data["msg"] if push.topic.startswith("youzan_trade_") else quote_plus(msg)
        body = {
            "client_id": client_id, "root_kdt_id": int(self.root), "kdt_name": "", "type": push.topic, "test": False, "mode": 1,
            **push.data, "msg": written, "sign": hashlib.md5(f"{client_id}{msg}{secret}".encode()).hexdigest(),  # noqa: S324
        }  # fmt: skip
        if push.topic != "youzan_item_SkuStockChanged":
            body["msg_id"] = push.message_id
        if push.attempts:
            body["sendCount"] = push.attempts
        content = json.dumps(body, ensure_ascii=False).encode()
        sign = hashlib.md5(client_id.encode() + content + secret.encode()).hexdigest()  # noqa: S324
        headers = {
            "content-type": "application/json",
            "event-sign": sign,
            "event-type": push.topic,
            "client-id": client_id,
        }
        return PushRequest(content, headers)

    def push_accepted(self, response: httpx.Response) -> bool:
        """Only HTTP 200 with the word ``success`` counts."""
        return response.status_code == 200 and "success" in response.text
