"""What all endpoints of the simulated corp share: tables, tokens, the order of checks, envelopes, errors, limits."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final

from hub.simulation.server import (
    Call,
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

__all__ = ["CONTACT", "CorpBase", "refuse"]

CONTACT: Final = "/cgi-bin/externalcontact"
_PAIR: Final = "pair "
_BAD_SECRETS: Final = Limit(5, "hour", ("client",), block=3600.0)
_MESSAGES: Final[Mapping[int, str]] = {
    40001: "invalid credential", 40003: "invalid userid", 40013: "invalid corpid", 40031: "invalid userid list",
    40033: "invalid charset, request should not contain \\uxxxx", 40058: "invalid request parameter",
    40068: "invalid tag id", 40071: "tag name already exists", 40072: "invalid tag name length",
    40096: "invalid external userid", 40126: "tag count limit", 41001: "access_token missing", 41002: "corpid missing",
    41004: "corpsecret missing", 41046: "msgid missing", 41047: "invalid msgid", 41048: "no customer to send",
    41054: "user not activated", 41063: "message is being dispatched", 44004: "empty content", 45002: "content too long",
    45009: "api freq out of limit", 45033: "api concurrent out of limit", 45035: "conflicting concurrent edit",
    48002: "api forbidden for app", 49008: "chat is dissolved", 50100: "invalid cursor",
    60020: "not allow to access from your ip", 60111: "userid not found", 60123: "invalid department",
    81011: "no permission to edit this tag", 81017: "too many owners, please name them", 84061: "not external contact",
    86001: "invalid chatid",
}  # fmt: skip

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS departments (id INTEGER PRIMARY KEY, name TEXT, parent INTEGER, shop TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS staff (
  userid TEXT PRIMARY KEY, name TEXT, department INTEGER, position TEXT, status INTEGER NOT NULL DEFAULT 1,
  follows INTEGER NOT NULL DEFAULT 1, visible INTEGER NOT NULL DEFAULT 1) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS contacts (
  id TEXT PRIMARY KEY, name TEXT, type INTEGER NOT NULL DEFAULT 1, gender INTEGER NOT NULL DEFAULT 0, unionid TEXT,
  corp_name TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS relations (
  number INTEGER PRIMARY KEY AUTOINCREMENT, userid TEXT NOT NULL, id TEXT NOT NULL, remark TEXT, description TEXT,
  phones TEXT NOT NULL DEFAULT '[]', created INTEGER NOT NULL, add_way INTEGER NOT NULL DEFAULT 0, state TEXT,
  company TEXT, half INTEGER NOT NULL DEFAULT 0, one_way INTEGER NOT NULL DEFAULT 0, first_remark TEXT,
  first_description TEXT, UNIQUE (userid, id));
CREATE INDEX IF NOT EXISTS relations_of ON relations (id);
CREATE TABLE IF NOT EXISTS personal_tags (userid TEXT, id TEXT, name TEXT, PRIMARY KEY (userid, id, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tag_groups (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, created INTEGER, place INTEGER, app TEXT, strategy INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS tags (
  id TEXT PRIMARY KEY, group_id TEXT NOT NULL, name TEXT NOT NULL, created INTEGER, place INTEGER, app TEXT,
  deleted INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS marks (userid TEXT, id TEXT, tag TEXT, PRIMARY KEY (userid, id, tag)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS marks_of ON marks (tag);
CREATE TABLE IF NOT EXISTS chats (
  id TEXT PRIMARY KEY, name TEXT, owner TEXT, created INTEGER, notice TEXT, status INTEGER NOT NULL DEFAULT 0,
  version INTEGER NOT NULL DEFAULT 1, dissolved INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chat_members (
  chat TEXT, member TEXT, type INTEGER, unionid TEXT, joined INTEGER, scene INTEGER, name TEXT, state TEXT,
  invitor TEXT, PRIMARY KEY (chat, member)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
  msgid TEXT PRIMARY KEY, number INTEGER UNIQUE, created INTEGER, sender TEXT, content TEXT, by_hub INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message_rows (
  msgid TEXT, userid TEXT, id TEXT, status INTEGER NOT NULL DEFAULT 0, sent INTEGER, PRIMARY KEY (msgid, userid, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS message_rows_of ON message_rows (id, status);
"""


def refuse(code: int, detail: str = "", data: object = None) -> RefusalError:
    """Return the platform's refusal of this code."""
    text = _MESSAGES.get(code, "error")
    return RefusalError(code, f"{text}: {detail}" if detail else text, data=data)


class CorpBase(Simulator):
    """Tokens, permissions, limits and envelopes of one corp.

    Args:
        world: the simulated chain.
        trusted_addresses: 企业可信IP of the app; None trusts every address.
        permitted: whether the app is among 可调用接口的应用.
        unionid_bound: whether a 微信开发者ID is bound, so that unionids are shown.
        token_seconds: life of a token.
        dispatch_seconds: how long a new mass message answers 41063.
        tag_cap: most tags of the corp.
        empty_code: a member of staff without customers answers 84061 also in batch/get_by_user.
        strict_escapes: bodies with ``\\uXXXX`` are refused.
        per_minute, per_hour: calls of each API.
        concurrent: calls of one API at the same time.
    """

    tables: ClassVar[str] = _TABLES
    checks: ClassVar[Sequence[str]] = ("token", "permission", "limit", "body")
    push_retries: Sequence[float] = (5.0, 5.0)
    codes: ClassVar[Mapping[Trouble, Code]] = {
        Trouble.NO_SUCH_ENDPOINT: Code(404, "not found", 404),
        Trouble.WRONG_METHOD: Code(40058, "wrong method, use {detail}"),
        Trouble.BODY_MALFORMED: Code(40058, "invalid json: {detail}"),
        Trouble.PARAMETER_MISSING: Code(40058, "{field} missing"),
        Trouble.PARAMETER_INVALID: Code(40058, "{field}: {detail}"),
        Trouble.TOKEN_MISSING: Code(41001, "access_token missing"),
        Trouble.TOKEN_UNKNOWN: Code(40014, "invalid access_token"),
        Trouble.TOKEN_REVOKED: Code(40014, "invalid access_token"),
        Trouble.TOKEN_EXPIRED: Code(42001, "access_token expired"),
        Trouble.NOT_PERMITTED: Code(48002, "api forbidden for app"),
        Trouble.RATE_LIMITED: Code(45009, "api freq out of limit"),
        Trouble.TOO_MANY_AT_ONCE: Code(45033, "api concurrent out of limit"),
        Trouble.CURSOR_INVALID: Code(50100, "invalid cursor"),
        Trouble.BUSY: Code(-1, "system busy"),
    }

    def __init__(
        self,
        world: Any = None,
        *,
        trusted_addresses: Sequence[str] | None = None,
        permitted: bool = True,
        unionid_bound: bool = True,
        token_seconds: float = 7200.0,
        dispatch_seconds: float = 45.0,
        tag_cap: int = 10_000,
        empty_code: bool = False,
        strict_escapes: bool = True,
        per_minute: int = 10_000,
        per_hour: int = 150_000,
        concurrent: int = 20,
        **base: Any,
    ) -> None:
        self.trusted_addresses = trusted_addresses
        self.permitted = permitted
        self.unionid_bound = unionid_bound
        self.token_rule = TokenRule(lifetime=token_seconds, length=190)
        self.dispatch_seconds = dispatch_seconds
        self.tag_cap = tag_cap
        self.empty_code = empty_code
        self.strict_escapes = strict_escapes
        self.limits = [Limit(per_minute, "minute", block=60.0), Limit(per_hour, "hour", block=3600.0)]
        self.at_once = concurrent
        super().__init__(world, **base)

    def make_credentials(self) -> dict[str, str]:
        """Return the corp, the app, and the secrets of its callback."""
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        return {
            "corp_id": "ww" + self.secret("corp", length=16),
            "agent_id": "1000002",
            "secret": self.secret("secret", length=43, alphabet=letters),
            "callback_token": self.secret("callback token", length=24, alphabet=letters),
            # The last character carries four bits only: "A" leaves none of them over.
            "callback_aes_key": self.secret("callback key", length=42, alphabet=letters) + "A",
        }

    def connection(self, base_url: str) -> dict[str, object]:
        """Return the keys that a connection needs for reading and writing."""
        return {"base_url": base_url, "corp_id": self.credentials["corp_id"], "secret": self.credentials["secret"]}

    # Hooks.

    def token_of(self, call: Call) -> str | None:
        """Return the token of the query; a token elsewhere does not count."""
        return call.query.get("access_token")

    def authorise(self, call: Call) -> None:
        """Check the caller's address, then the app's rights."""
        if self.trusted_addresses is not None and call.client not in self.trusted_addresses:
            raise refuse(60020)
        if not self.permitted and call.path.startswith(CONTACT):
            raise refuse(48002)

    def contended(self, call: Call) -> Iterable[tuple[str, int]]:
        """One relation is changed by one call at a time."""
        yield from super().contended(call)
        if call.endpoint and call.endpoint.group == "pair":
            try:
                body = call.json()
            except TroubleError:
                return
            if isinstance(body, dict):
                yield f"{_PAIR}{body.get('userid')} {body.get('external_userid')}", 1

    def refusal(self, call: Call, error: TroubleError) -> RefusalError:
        """Tell a conflict over one relation from too many calls of one API."""
        if error.trouble is Trouble.TOO_MANY_AT_ONCE and error.detail.startswith(_PAIR):
            return refuse(45035)
        return super().refusal(call, error)

    def parse(self, call: Call) -> Params:
        """Read the body as JSON whatever its content type."""
        if self.strict_escapes and re.search(rb"\\u[0-9a-fA-F]{4}", call.body):
            raise refuse(40033)
        return super().parse(call)

    def envelope(self, call: Call, result: object) -> Reply:
        """Put a result into the platform's envelope."""
        del call
        return Reply.json({"errcode": 0, "errmsg": "ok", **(result if isinstance(result, dict) else {})})

    def error_reply(self, call: Call, refusal: RefusalError) -> Reply:
        """Put a refusal into the platform's envelope, with hint and the caller's address."""
        if refusal.status == 404:
            return Reply.text("<html><body>404 Not Found</body></html>", status=404, content_type="text/html")
        hint = f"{int(call.at)}{zlib.crc32(f'{call.url}{call.at}'.encode()):010d}"
        link = f"https://open.work.weixin.qq.com/devtool/query?e={refusal.code}"
        text = f"{refusal.message}, hint: [{hint}], from ip: {call.client}, more info at {link}"
        return Reply.json(
            {"errcode": refusal.code, "errmsg": text, **(refusal.data if isinstance(refusal.data, dict) else {})}
        )

    def now(self) -> int:
        """Return the present second."""
        return int(self.clock.time())

    def new_id(self, prefix: str) -> str:
        """Return an id of the platform's form that was not given before."""
        number = int(self.db.fact("ids") or 0) + 1
        self.db.remember("ids", number)
        return prefix + self.secret(f"id {number}", length=30)

    @endpoint("GET", "/cgi-bin/gettoken", name="gettoken", public=True)
    def get_token(self, call: Call) -> object:
        """Give the app's token: the same one until it expires."""
        corp, secret = call.params.text("corpid", ""), call.params.text("corpsecret", "")
        for value, code in ((corp, 41002), (secret, 41004)):
            if not value:
                raise refuse(code)
        if corp != self.credentials["corp_id"]:
            raise refuse(40013)
        if secret != self.credentials["secret"]:
            return refuse(40001 if self.limiter.take(_BAD_SECRETS, call.client, call.at) is None else 45009)
        token = self.tokens.issue(corp, self.token_rule, app=self.credentials["agent_id"])
        return {"access_token": token.value, "expires_in": max(1, round(token.expires - call.at))}

    @endpoint("GET", "/cgi-bin/getcallbackip", name="getcallbackip")
    def callback_addresses(self, call: Call) -> object:
        """Name the addresses that callbacks come from."""
        del call
        return {"ip_list": ["127.0.0.1"]}
