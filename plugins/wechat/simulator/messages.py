"""Subscription messages (订阅消息) of both simulated accounts: templates, consents, sending."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from hub.simulation.server import Call, Params, action, endpoint
from plugins.wechat.fields import problems_of, template_of
from plugins.wechat.simulator.base import BOTH, MINIPROGRAM, OFFICIAL, refuse
from plugins.wechat.simulator.followers import Followers

__all__ = ["ARRIVAL", "EXPIRY", "Messages"]

ARRIVAL: Final = "Tarrival00000000000000000000000000000000000"
"""到货通知: ``thing1``, ``time2``."""
EXPIRY: Final = "Texpiry000000000000000000000000000000000000"
"""优惠券到期提醒: ``thing1``, ``amount2``, ``date3``, ``enum4``."""

_TEMPLATES: Final[tuple[tuple[str, str, str, str, list[dict[str, Any]]], ...]] = (
    (ARRIVAL, "到货通知", "商品:{{thing1.DATA}}\n时间:{{time2.DATA}}\n", "商品:桂花乌龙\n时间:15:01\n", []),
    (
        EXPIRY,
        "优惠券到期提醒",
        "优惠券:{{thing1.DATA}}\n金额:{{amount2.DATA}}\n到期:{{date3.DATA}}\n类型:{{enum4.DATA}}\n",
        "优惠券:周年券\n金额:5元\n到期:2026年3月8日\n类型:满减券\n",
        [{"keywordCode": "enum4.DATA", "enumValueList": ["满减券", "折扣券"]}],
    ),
)
_ONE_TIME: Final = 2
_STATES: Final = frozenset({"developer", "trial", "formal"})
_PAGES: Final = frozenset({"", "pages/index/index", "pages/coupon/index", "pages/product/detail"})
_SENT_EVENT_SECONDS: Final = 1.0


class Messages(Followers):
    """Endpoints for templates and sending."""

    def put_templates(self) -> None:
        """Give both accounts their templates."""
        for appid in (self.official, self.miniprogram):
            for identifier, title, content, example, choices in _TEMPLATES:
                self.db.execute(
                    "INSERT OR IGNORE INTO templates VALUES (?, ?, ?, ?, ?, ?, ?)",
                    appid, identifier, title, content, example, _ONE_TIME, choices,
                )  # fmt: skip

    @endpoint("GET", "/wxaapi/newtmpl/gettemplate", group=BOTH)
    def list_templates(self, call: Call) -> object:
        """List the templates of the calling account."""
        rows = self.db.rows("SELECT * FROM templates WHERE appid = ? ORDER BY id", call.caller.account)
        return {"errcode": 0, "errmsg": "ok", "data": [_listed(row) for row in rows]}

    @endpoint("POST", "/cgi-bin/message/subscribe/send", group=MINIPROGRAM, write=True)
    def send(self, call: Call) -> object:
        """Send a message to a user of the mini-program."""
        if call.params.text("miniprogram_state", "formal") not in _STATES:
            raise refuse(47001, "miniprogram_state")
        if self.db.value("SELECT 1 FROM users WHERE openid = ?", call.params.text("touser", "")) is None:
            raise refuse(40003)
        return self._send(call)

    @endpoint("POST", "/cgi-bin/message/subscribe/bizsend", group=OFFICIAL, write=True)
    def bizsend(self, call: Call) -> object:
        """Send a notice (订阅通知) to a follower of the official account."""
        self.known(call.params.text("touser", ""))
        return self._send(call)

    def _send(self, call: Call) -> object:
        appid, openid = call.caller.account, call.params.text("touser")
        template = call.params.text("template_id", "")
        row = self.db.row("SELECT * FROM templates WHERE appid = ? AND id = ?", appid, template)
        if row is None:
            raise refuse(40037)
        if call.params.text("page", "").partition("?")[0] not in _PAGES:
            raise refuse(41030)
        self._check_values(row, call.params.mapping("data", Params()))
        used = self.db.execute(
            "UPDATE consents SET remaining = remaining - 1 WHERE appid = ? AND openid = ? AND template = ? AND remaining > 0",
            appid, openid, template,
        )  # fmt: skip
        if not used:
            raise refuse(43101)
        body = json.dumps(dict(call.params["data"]), ensure_ascii=False)
        number = self.db.insert(
            "INSERT INTO messages (appid, openid, template, body, sent) VALUES (?, ?, ?, ?, ?)",
            appid, openid, template, body, self.now(),
        )  # fmt: skip
        msgid = 2_000_000_000_000_000_000 + number
        self.message_sent(appid, openid, template, msgid)
        return {"msgid": msgid}

    @staticmethod
    def _check_values(row: Any, data: Params) -> None:
        """Refuse what does not fit, naming the field as the platform does."""
        template = template_of({**_listed(row), "priTmplId": row["id"]})
        texts = {key: str(value.get("value", "")) if isinstance(value, dict) else "" for key, value in data.items()}
        # Fields that the template does not have are passed over.
        problems = problems_of(template, {key: text for key, text in texts.items() if key in template.keys})
        if problems:
            raise refuse(47003, f"data.{problems[0].split()[0]}.value invalid")

    def message_sent(self, appid: str, openid: str, template: str, msgid: int) -> None:
        """Tell the account's server what became of a message."""

    # What happens there.

    @action
    def accepts(self, params: Params) -> object:
        """Somebody agrees to one more message of a template; returns how many there are now."""
        appid, openid = params.text("appid", self.miniprogram), params.text("openid")
        template, times = params.text("template_id", ARRIVAL), params.integer("times", 1)
        self.put_consent(appid, openid, template, times)
        sql = "SELECT remaining FROM consents WHERE appid = ? AND openid = ? AND template = ?"
        return int(self.db.value(sql, appid, openid, template))

    def put_consent(self, appid: str, openid: str, template: str, times: int) -> None:
        """Add consents."""
        self.db.execute(
            "INSERT INTO consents VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET remaining = remaining + excluded.remaining",
            appid, openid, template, times,
        )  # fmt: skip


def _listed(row: Any) -> Mapping[str, Any]:
    choices = json.loads(row["choices"])
    more = {"keywordEnumValueList": choices} if choices else {}
    listed = {"priTmplId": row["id"], "title": row["title"], "content": row["content"], "example": row["example"]}
    return {**listed, "type": row["kind"], **more}
