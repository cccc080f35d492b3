"""The simulated mini-program: log-ins, phone numbers, encrypted data, visit statistics."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, Final

from hub.simulation.server import Call, Params, RefusalError, TokenRule, Trouble, TroubleError, action, endpoint
from plugins.wechat.crypto import encrypt_user_data
from plugins.wechat.simulator.base import MINIPROGRAM, refuse
from plugins.wechat.simulator.messages import Messages

__all__ = ["MiniProgramSide"]

_LOGIN: Final = TokenRule(lifetime=300, kind="js_code", reuse=False, length=32, prefix="0")
_PHONE: Final = TokenRule(lifetime=300, kind="phone_code", reuse=False, length=64)
_DATACUBE: Final = "/datacube/getweanalysisappid"


class MiniProgramSide(Messages):
    """Endpoints for a mini-program's backend, and its statistics."""

    @endpoint("GET", "/sns/jscode2session", public=True)
    def code_to_session(self, call: Call) -> object:
        """Redeem the code of wx.login; a token in the query does not matter."""
        appid = self.checked_account(call)
        if appid != self.miniprogram:
            raise refuse(40013)
        if call.params.text("grant_type", "") != "authorization_code":
            raise refuse(40002)
        openid = self._redeem(call.params.text("js_code", ""), _LOGIN)
        row = self.db.row("SELECT * FROM users WHERE openid = ?", openid)
        if row is None or row["risky"]:
            return refuse(40226)
        self.check_login_rate(openid, call.at)
        self.db.remember(f"logins {openid}", int(self.db.fact(f"logins {openid}") or 0) + 1)
        unionid = {"unionid": row["unionid"]} if row["unionid"] and self.unionid_bound else {}
        return {"openid": openid, "session_key": self.session_key(openid), **unionid}

    def _redeem(self, code: str, rule: TokenRule) -> str:
        if not code:
            raise refuse(41008)
        try:
            return self.tokens.redeem(code, rule.kind).account
        except TroubleError as error:
            raise refuse(40163 if error.trouble is Trouble.TOKEN_REVOKED else 40029) from error

    @endpoint("POST", "/wxa/business/getuserphonenumber", group=MINIPROGRAM)
    def phone_number(self, call: Call) -> object:
        """Redeem the code of the phone button."""
        openid = self._redeem(call.params.text("code", ""), _PHONE)
        given = call.params.text("openid", "")
        if given and given != openid:
            raise refuse(40003)
        return {"errcode": 0, "errmsg": "ok", "phone_info": self._phone_info(openid)}

    def _phone_info(self, openid: str) -> dict[str, Any]:
        phone = str(self.db.value("SELECT phone FROM users WHERE openid = ?", openid))
        country, pure = ("86", phone) if not phone.startswith("+") else (phone[1:4], phone[4:])
        return {
            "phoneNumber": phone if country == "86" else f"{country}{pure}", "purePhoneNumber": pure,
            "countryCode": country, "watermark": {"timestamp": self.now(), "appid": self.miniprogram},
        }  # fmt: skip

    # Statistics.

    def _statistics(self, call: Call, kind: str) -> list[Any]:
        day, _ = self.span(call, most=1)
        body = self.db.value("SELECT body FROM statistics WHERE kind = ? AND day = ?", kind, f"{day:%Y%m%d}")
        return [] if body is None else list(json.loads(body))

    @endpoint("POST", f"{_DATACUBE}dailysummarytrend", group=MINIPROGRAM)
    def summary_trend(self, call: Call) -> object:
        """One day's users so far and shares."""
        return {"list": self._statistics(call, "summary")}

    @endpoint("POST", f"{_DATACUBE}dailyvisittrend", group=MINIPROGRAM)
    def visit_trend(self, call: Call) -> object:
        """One day's visits."""
        return {"list": self._statistics(call, "visits")}

    @endpoint("POST", f"{_DATACUBE}visitdistribution", group=MINIPROGRAM)
    def visit_distribution(self, call: Call) -> object:
        """One day's visits by where they came from, how long and how deep they were."""
        day, _ = self.span(call, most=1)
        return {"ref_date": f"{day:%Y%m%d}", "list": self._statistics(call, "distribution")}

    @endpoint("POST", f"{_DATACUBE}visitpage", group=MINIPROGRAM)
    def visit_page(self, call: Call) -> object:
        """One day's 200 pages with the most views."""
        day, _ = self.span(call, most=1)
        return {"ref_date": f"{day:%Y%m%d}", "list": self._statistics(call, "pages")}

    def put_statistics(self, kind: str, day: dt.date, rows: list[Mapping[str, Any]]) -> None:
        """Keep one day's statistics of a kind."""
        self.db.execute("INSERT OR REPLACE INTO statistics VALUES (?, ?, ?)", kind, f"{day:%Y%m%d}", rows)

    # What happens there.

    def put_user(self, openid: str, unionid: str = "", phone: str = "") -> None:
        """Add a user of the mini-program, or change one."""
        self.db.execute(
            "INSERT INTO users (openid, unionid, phone) VALUES (?, ?, ?) ON CONFLICT (openid) DO UPDATE SET"
            " unionid = excluded.unionid, phone = coalesce(excluded.phone, phone)",
            openid, unionid or None, phone or None,
        )  # fmt: skip

    @action
    def logs_in(self, params: Params) -> object:
        """A user opens the mini-program; returns the code of wx.login."""
        return self.tokens.issue(self._user(params), _LOGIN).value

    @action
    def taps_phone(self, params: Params) -> object:
        """A user taps the phone button; returns its code."""
        openid = self._user(params)
        if self.db.value("SELECT phone FROM users WHERE openid = ?", openid) is None:
            raise TroubleError(Trouble.PARAMETER_INVALID, "this user has no phone", field="openid")
        return self.tokens.issue(openid, _PHONE).value

    @action
    def sends_encrypted(self, params: Params) -> object:
        """A user's client encrypts the phone with the session key of the last log-in; returns encryptedData and iv."""
        openid = self._user(params)
        iv = base64.b64encode(self.secret(f"iv {openid}", length=16).encode()).decode()
        sealed = encrypt_user_data(self.session_key(openid), iv, self._phone_info(openid))
        return {"encryptedData": sealed, "iv": iv}

    @action
    def is_risky(self, params: Params) -> object:
        """WeChat comes to hold a user for risky."""
        return self.db.execute("UPDATE users SET risky = 1 WHERE openid = ?", self._user(params))

    def _user(self, params: Params) -> str:
        openid = params.text("openid")
        if self.db.value("SELECT 1 FROM users WHERE openid = ?", openid) is None:
            raise RefusalError(46004, "user not exist")
        return openid
