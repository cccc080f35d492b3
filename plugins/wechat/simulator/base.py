"""What all endpoints share: two accounts, tokens, quotas, the order of checks, envelopes, errors."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from hub.simulation.server import (
    Call,
    Caller,
    Code,
    Limit,
    Params,
    RefusalError,
    Reply,
    Simulator,
    TokenRule,
    Trouble,
    TroubleError,
    endpoint,
)

__all__ = ["BOTH", "DEMO_DAYS", "MINIPROGRAM", "OFFICIAL", "AccountsBase", "refuse"]

OFFICIAL: Final = "official"
"""Group of endpoints that only the official account may call."""
MINIPROGRAM: Final = "miniprogram"
BOTH: Final = ""

DEMO_DAYS: Final = 10
"""Days of statistics that a ready connection reads first: enough to look at, and quick."""
_MESSAGES: Final[Mapping[int, str]] = {
    40001: "invalid credential, access_token is invalid or not latest", 40002: "invalid grant_type",
    40003: "invalid openid", 40013: "invalid appid", 40029: "invalid code", 40032: "invalid openid list size",
    40037: "invalid template_id", 40125: "invalid appsecret", 40163: "code been used", 40164: "invalid ip",
    40226: "code blocked", 41001: "access_token missing", 41002: "appid missing", 41004: "appsecret missing",
    41008: "missing code", 41030: "invalid page", 43001: "require GET method", 43002: "require POST method",
    43101: "user refuse to accept the msg", 44002: "empty post data", 45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute", 45056: "too many tag now, no need to add new",
    45057: "can't modify fans num", 45058: "can't modify sys tag", 45059: "can't add too many tags for a user",
    45157: "invalid tag name", 45158: "tag name too long", 45159: "invalid tag id", 46004: "user not exist",
    47001: "data format error", 47003: "argument invalid!", 48001: "api unauthorized", 48006: "forbid to clear quota",
    49003: "openid does not match appid", 61500: "date format error", 61501: "date range error",
    61503: "data not ready", 76003: "cgi_path error", 76021: "cgi_path not found", 76022: "cgi_path not supported",
}  # fmt: skip

_QUOTAS: Final[Mapping[str, int]] = {
    "/cgi-bin/token": 2000, "/cgi-bin/user/get": 500, "/cgi-bin/user/info": 5_000_000,
    "/cgi-bin/user/info/batchget": 5_000_000, "/cgi-bin/tags/create": 1000, "/cgi-bin/tags/get": 1000,
    "/cgi-bin/tags/update": 1000, "/cgi-bin/tags/members/batchtagging": 100_000,
    "/cgi-bin/tags/members/batchuntagging": 100_000, "/cgi-bin/user/info/updateremark": 10_000,
    "/cgi-bin/message/subscribe/send": 10_000_000, "/cgi-bin/message/subscribe/bizsend": 10_000_000,
}  # fmt: skip
_OTHER_QUOTA: Final = 100_000
_FORCED_APART: Final = 30.0
_FORCED_PER_DAY: Final = Limit(20, "day", ("account",))
_CLEARS_PER_MONTH: Final = Limit(10, "month", ("account",))
_LOGINS_PER_MINUTE: Final = Limit(100, "minute", ("account",))
_STABLE: Final = TokenRule(lifetime=7200, live=1, renew_before=300, grace=300, length=136, prefix="90_")
_PLAIN: Final = TokenRule(lifetime=7200, live=1, grace=300, reuse=False, length=136, prefix="89_")

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS followers (
  number INTEGER PRIMARY KEY AUTOINCREMENT, openid TEXT UNIQUE NOT NULL, unionid TEXT, followed INTEGER NOT NULL,
  scene TEXT NOT NULL, qr_scene_str TEXT, remark TEXT NOT NULL DEFAULT '', following INTEGER NOT NULL DEFAULT 1);
CREATE INDEX IF NOT EXISTS followers_in_order ON followers (followed, number) WHERE following;
CREATE TABLE IF NOT EXISTS follower_days (
  day TEXT, source INTEGER, came INTEGER NOT NULL DEFAULT 0, went INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (day, source)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tags (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL, by_hub INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS tagged (tag INTEGER, openid TEXT, PRIMARY KEY (tag, openid)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tags_of ON tagged (openid);
CREATE TABLE IF NOT EXISTS users (
  openid TEXT PRIMARY KEY, unionid TEXT, phone TEXT, risky INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS templates (
  appid TEXT, id TEXT, title TEXT, content TEXT, example TEXT, kind INTEGER, choices TEXT NOT NULL DEFAULT '[]',
  PRIMARY KEY (appid, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS consents (appid TEXT, openid TEXT, template TEXT, remaining INTEGER NOT NULL,
  PRIMARY KEY (appid, openid, template)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
  number INTEGER PRIMARY KEY AUTOINCREMENT, appid TEXT, openid TEXT, template TEXT, body TEXT, sent INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS statistics (kind TEXT, day TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, day)) WITHOUT ROWID;
"""


def refuse(code: int, detail: str = "") -> RefusalError:
    """Return the platform's refusal of this code."""
    text = _MESSAGES.get(code, "error")
    return RefusalError(code, f"{text} {detail}".strip())


class AccountsBase(Simulator):
    """Tokens, quotas and envelopes of one official account and one mini-program of the same 微信开放平台 account.

    Args:
        world: the simulated chain.
        trusted_addresses: IP白名单 of the token endpoints; None trusts every address.
        verified: whether the accounts have passed 微信认证; without it most APIs answer 48001.
        unionid_bound: whether the accounts are bound to an open-platform account, so that unionids are shown.
        old_fields: followers' details carry the empty keys that some accounts still get.
        list_page: followers in one page of user/get and user/tag/get.
        tag_cap, tags_per_user: most tags of the account, of one follower.
        quotas: daily quotas that differ from a new account's, by path.
        ready_hour: hour of the day at which yesterday's statistics are made.
    """

    tables: ClassVar[str] = _TABLES
    checks: ClassVar[Sequence[str]] = ("token", "permission", "limit", "body")
    throttle_pause: float = 60.0
    push_retries: Sequence[float] = (5.0, 5.0, 5.0)
    codes: ClassVar[Mapping[Trouble, Code]] = {
        Trouble.NO_SUCH_ENDPOINT: Code(404, "not found", 404),
        Trouble.BODY_MALFORMED: Code(47001, "data format error"),
        Trouble.PARAMETER_MISSING: Code(47001, "data format error, {field} missing"),
        Trouble.PARAMETER_INVALID: Code(47001, "data format error, {field}: {detail}"),
        Trouble.TOKEN_MISSING: Code(41001, "access_token missing"),
        Trouble.TOKEN_UNKNOWN: Code(40001, _MESSAGES[40001]),
        Trouble.TOKEN_REVOKED: Code(40001, _MESSAGES[40001]),
        Trouble.TOKEN_EXPIRED: Code(42001, "access_token expired"),
        Trouble.NOT_PERMITTED: Code(48001, "api unauthorized"),
        Trouble.RATE_LIMITED: Code(45011, _MESSAGES[45011]),
        Trouble.QUOTA_SPENT: Code(45009, _MESSAGES[45009]),
        Trouble.TOO_MANY_AT_ONCE: Code(45011, _MESSAGES[45011]),
        Trouble.BUSY: Code(-1, "system error"),
    }

    def __init__(
        self,
        world: Any = None,
        *,
        trusted_addresses: Sequence[str] | None = None,
        verified: bool = True,
        unionid_bound: bool = True,
        old_fields: bool = False,
        list_page: int = 10_000,
        tag_cap: int = 100,
        tags_per_user: int = 20,
        quotas: Mapping[str, int] | None = None,
        ready_hour: int = 8,
        **base: Any,
    ) -> None:
        self.trusted_addresses = trusted_addresses
        self.verified = verified
        self.unionid_bound = unionid_bound
        self.old_fields = old_fields
        self.list_page = list_page
        self.tag_cap = tag_cap
        self.tags_per_user = tags_per_user
        self.quotas = {**_QUOTAS, **(quotas or {})}
        self.ready_hour = ready_hour
        super().__init__(world, **base)

    def make_credentials(self) -> dict[str, str]:
        """Return both accounts, and the secrets of their pushed messages."""
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        return {
            "appid": "wx" + self.secret("official", length=16),
            "secret": self.secret("official secret", length=32),
            "miniprogram_appid": "wx" + self.secret("miniprogram", length=16),
            "miniprogram_secret": self.secret("miniprogram secret", length=32),
            "push_token": self.secret("push token", length=24, alphabet=letters),
            # The last character carries four bits only: "A" leaves none of them over.
            "push_aes_key": self.secret("push key", length=42, alphabet=letters) + "A",
        }

    def connection(self, base_url: str) -> dict[str, object]:
        """Return the keys of the official account's connection."""
        own = self.credentials
        keys = {"base_url": base_url, "kind": "official_account", "appid": own["appid"], "secret": own["secret"]}
        return {**keys, "metrics_days": DEMO_DAYS}

    @property
    def official(self) -> str:
        """The official account's appid."""
        return self.credentials["appid"]

    @property
    def miniprogram(self) -> str:
        """The mini-program's appid."""
        return self.credentials["miniprogram_appid"]

    # Hooks.

    def token_of(self, call: Call) -> str | None:
        """Return the token of the query; a token elsewhere does not count."""
        return call.query.get("access_token")

    def authenticate(self, call: Call) -> Caller:
        """Return which account calls."""
        token = self.tokens.check(self.token_of(call))
        return Caller(token.account, token.app, token=token.value)

    def authorise(self, call: Call) -> None:
        """Refuse what this kind of account may not call."""
        group = call.endpoint.group if call.endpoint else ""
        own = {OFFICIAL: self.official, MINIPROGRAM: self.miniprogram}.get(group, call.caller.account)
        if call.caller.account != own or (not self.verified and group != BOTH):
            raise refuse(48001)

    def limits_for(self, call: Call) -> Sequence[Limit]:
        """Return the daily quota of the API."""
        return [self.quota_of(call.path)]

    def quota_of(self, path: str) -> Limit:
        """Return an API's daily quota."""
        return Limit(self.quotas.get(path, _OTHER_QUOTA), "day", ("account", "endpoint"), trouble=Trouble.QUOTA_SPENT)

    def refusal(self, call: Call, error: TroubleError) -> RefusalError:
        """Name the right method."""
        if error.trouble is Trouble.WRONG_METHOD:
            return refuse(43002 if "POST" in error.detail else 43001)
        return super().refusal(call, error)

    def parse(self, call: Call) -> Params:
        """Read the body as JSON whatever its content type; escapes of characters are taken for what is written there."""
        if call.method == "POST" and not call.body.strip():
            raise refuse(44002)
        call.body = call.body.replace(b"\\u", b"\\\\u")
        return super().parse(call)

    def envelope(self, call: Call, result: object) -> Reply:
        """Return reads as they are, and writes with the code of success."""
        body = result if isinstance(result, dict) else {}
        is_write = bool(call.endpoint and call.endpoint.write)
        return Reply.json({"errcode": 0, "errmsg": "ok", **body} if is_write or not body else body)

    def error_reply(self, call: Call, refusal: RefusalError) -> Reply:
        """Put a refusal into the platform's envelope, with the id of the request."""
        if refusal.status == 404:
            return Reply.text("<html><body>404 Not Found</body></html>", status=404, content_type="text/html")
        mark = zlib.crc32(f"{call.url}{call.at}".encode())
        rid = f"{int(call.at):08x}-{mark:08x}-{mark ^ 0x5BD1E995:08x}"
        return Reply.json({"errcode": refusal.code, "errmsg": f"{refusal.message} rid: {rid}"})

    def now(self) -> int:
        """Return the present second."""
        return int(self.clock.time())

    # Tokens.

    def _account(self, call: Call) -> str:
        """Return the account that a token call is for, after checking address, appid and secret."""
        if self.trusted_addresses is not None and call.client not in self.trusted_addresses:
            raise refuse(40164, f"{call.client} ipv6 ::ffff:{call.client}, not in whitelist")
        return self.checked_account(call)

    def checked_account(self, call: Call) -> str:
        """Return the account whose appid and secret a call carries."""
        appid, secret = call.params.text("appid", ""), call.params.text("secret", "")
        for value, code in ((appid, 41002), (secret, 41004)):
            if not value:
                raise refuse(code)
        own = self.credentials
        known = {own["appid"]: own["secret"], own["miniprogram_appid"]: own["miniprogram_secret"]}
        if appid not in known:
            raise refuse(40013)
        if secret != known[appid]:
            raise refuse(40125)
        return appid

    @endpoint("GET", "/cgi-bin/token", public=True)
    def token(self, call: Call) -> object:
        """Give a new token; the one before it lives on for five minutes."""
        if call.params.text("grant_type", "") != "client_credential":
            raise refuse(40002)
        token = self.tokens.issue(self._account(call), _PLAIN, app="token")
        return {"access_token": token.value, "expires_in": 7200}

    @endpoint("POST", "/cgi-bin/stable_token", public=True)
    def stable_token(self, call: Call) -> object:
        """Give the stable token: the same one until five minutes before its end, or by force a new one."""
        if call.params.text("grant_type", "") != "client_credential":
            raise refuse(40002)
        appid = self._account(call)
        force = call.params.flag("force_refresh", default=False) and self._may_force(appid, call.at)
        token = self.tokens.issue(appid, _STABLE, app="stable", force=force, grace=0.0 if force else None)
        return {"access_token": token.value, "expires_in": max(1, round(token.expires - call.at))}

    def _may_force(self, appid: str, at: float) -> bool:
        last = float(self.db.fact(f"forced {appid}") or 0)
        if at - last < _FORCED_APART:
            return False
        if self.limiter.take(_FORCED_PER_DAY, f"forced {appid}", at) is not None:
            raise refuse(45009)
        self.db.remember(f"forced {appid}", at)
        return True

    def session_key(self, openid: str) -> str:
        """Return the session key of a user's last log-in."""
        logins = self.db.fact(f"logins {openid}") or "0"
        return base64.b64encode(self.secret(f"session {openid} {logins}", length=16).encode()).decode()

    def check_login_rate(self, openid: str, at: float) -> None:
        """Refuse a user's more than a hundred log-ins in a minute."""
        if self.limiter.take(_LOGINS_PER_MINUTE, f"login {openid}", at) is not None:
            raise refuse(45011)

    # Quotas.

    @endpoint("POST", "/cgi-bin/openapi/quota/get")
    def quota(self, call: Call) -> object:
        """Tell how much of an API's daily quota is left."""
        path = call.params.text("cgi_path", "")
        if not path.startswith("/") or "//" in path:
            raise refuse(76003)
        if path.startswith("/sns/"):
            raise refuse(76022)
        found = next((each for each in self.endpoints if each.path == path), None)
        if found is None:
            raise refuse(76021)
        limit = self.quota_of(path)
        used = self.limiter.used(limit, self._bucket(call, found.name), call.at)
        quota = {"daily_limit": limit.calls, "used": used, "remain": limit.calls - used}
        return {"errcode": 0, "errmsg": "ok", "quota": quota, "rate_limit": {}, "component_rate_limit": {}}

    @staticmethod
    def _bucket(call: Call, name: str) -> str:
        return f"account={call.caller.account}&endpoint={name}"

    @endpoint("POST", "/cgi-bin/clear_quota", write=True)
    def clear_quota(self, call: Call) -> object:
        """Count every quota of the account anew; ten times a month."""
        if call.params.text("appid", "") != call.caller.account:
            raise refuse(40013)
        if self.limiter.take(_CLEARS_PER_MONTH, f"clear {call.caller.account}", call.at) is not None:
            raise refuse(48006)
        for each in self.endpoints:
            self.limiter.reset(self._bucket(call, each.name))
        return {}
