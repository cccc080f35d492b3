"""The simulated gateway: tokens, envelope, permissions, messages. What all capabilities stand on."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Final, TypeVar

import httpx

from hub.simulation.server import (
    CHINA,
    DIGITS,
    Call,
    Caller,
    Code,
    Limit,
    Params,
    Push,
    PushRequest,
    RefusalError,
    Reply,
    Simulator,
    Subscription,
    TokenRule,
    Trouble,
    TroubleError,
    action,
    endpoint,
)
from hub.titles import Title
from plugins.weimob.api import SHOP_TYPE, TOKEN_PATH, Capability

__all__ = ["Gateway", "api"]

_TOKEN: Final = "80001001000119"  # noqa: S105 - an error code
_DAY: Final = 86_400.0

Handler = TypeVar("Handler", bound=Callable[..., object])


def api(
    capability: Capability, *, write: bool = False, paged: bool = False, group: str = ""
) -> Callable[[Handler], Handler]:
    """Serve a capability of the gateway."""
    return endpoint(
        "POST", capability.path, name=capability.name, group=group or capability.name, write=write, paged=paged
    )


class Gateway(Simulator):
    """Weimob without its capabilities.

    Args:
        world: the simulated chain.
        denied: names of capabilities (``bos/user/search``) that were not applied for.
        token_life: seconds a token lives.
        live: how many tokens are valid at once; None for all.
        qps: calls per second of the shop, None for no limit.
        search_most: rows that one user search gives in all.
        search_by_time: whether the user search takes a column of time.
        depth: rows that a list of orders or after-sales gives in all.
        duplicates: what a request number that was used before gets: ``first`` (the first answer again) or ``error``.
        names_failures: whether a partly failed tag call names the customers, as the newer answers do.
        masked: whether all phones come masked.
        encrypted: whether phones come as cipher text.
    """

    name = "weimob"
    title = Title("微盟", "Weimob")
    view = "weimob"
    in_demo = False
    # One web shop is enough to show the hub; its fault programmes are tested beside the plugin.
    push_retries: Sequence[float] = (1.0, 5.0, 15.0)
    codes: ClassVar = {
        Trouble.NO_SUCH_ENDPOINT: Code("80001001000102", "API不存在，无权限访问"),
        Trouble.WRONG_METHOD: Code("80001001000105", "请求方式错误"),
        Trouble.BODY_MALFORMED: Code("80001001000106", "请求参数不是合法的JSON"),
        Trouble.PARAMETER_MISSING: Code("1001", "参数{field}不能为空"),
        Trouble.PARAMETER_INVALID: Code("1002", "参数{field}错误: {detail}"),
        Trouble.TOKEN_MISSING: Code(_TOKEN, "accesstoken无效"),
        Trouble.TOKEN_EXPIRED: Code(_TOKEN, "accesstoken已过期"),
        Trouble.TOKEN_UNKNOWN: Code(_TOKEN, "accesstoken无效"),
        Trouble.TOKEN_REVOKED: Code(_TOKEN, "accesstoken无效"),
        Trouble.NOT_PERMITTED: Code("80001001000104", "无权限调用该接口: {detail}，请先申请能力"),
        Trouble.RATE_LIMITED: Code("80001001000130", "请求过于频繁，触发限流"),
        Trouble.TOO_MANY_AT_ONCE: Code("80001001000130", "请求过于频繁，触发限流"),
        Trouble.QUOTA_SPENT: Code("80001001000130", "请求过于频繁，触发限流"),
        Trouble.BUSY: Code("9999", "系统繁忙，请稍后再试"),
    }

    def __init__(
        self,
        world: Any = None,
        *,
        denied: Iterable[str] = (),
        token_life: float = 604_799.0,
        live: int | None = 1,
        qps: int | None = None,
        search_most: int = 10_000,
        search_by_time: bool = True,
        depth: int = 10_000,
        duplicates: str = "first",
        names_failures: bool = True,
        masked: bool = False,
        encrypted: bool = False,
        **base: Any,
    ) -> None:
        self.denied = set(denied)
        self.search_most = search_most
        self.search_by_time = search_by_time
        self.depth = depth
        self.duplicates = duplicates
        self.names_failures = names_failures
        self.masked = masked
        self.encrypted = encrypted
        self.token_rule = TokenRule(lifetime=token_life, live=live, reuse=False, length=32)
        self.refresh_rule = TokenRule(lifetime=30 * _DAY, kind="refresh", reuse=False, length=40)
        self.limits = [Limit(qps, "second")] if qps else []
        self._tickets = itertools.count(1)
        super().__init__(world, **base)

    # ---- who calls ---------------------------------------------------------------------------------------------------

    def make_credentials(self) -> dict[str, str]:
        """Return application, secret and the merchant's numbers."""
        return {
            "client_id": self.secret("client", length=32),
            "client_secret": self.secret("secret"),
            "bos_id": "402" + self.secret("bos", length=10, alphabet=DIGITS),
            "product_instance_id": "403" + self.secret("product", length=10, alphabet=DIGITS),
            "merchant_id": "200" + self.secret("merchant", length=10, alphabet=DIGITS),
            "membership_plan_id": str(self.number_of("plan", 9)),
        }

    def number_of(self, label: str, digits: int = 19) -> int:
        """Return the platform's number for a thing of the world; of 19 digits it does not fit into a double."""
        return int("1" + self.secret(label, length=digits - 1, alphabet=DIGITS))

    @property
    def root_vid(self) -> int:
        """The root of the organisation tree."""
        return 6_000_000_000_001

    def vid_of(self, shop_id: str | None) -> int:
        """Return the node of a shop of the chain."""
        return self.root_vid + 100 + int("".join(filter(str.isdigit, shop_id or "")) or 0)

    def guide_of(self, staff_id: str | None) -> int:
        """Return a guide's wid."""
        return self.number_of(f"guide {staff_id}", 11)

    @endpoint("POST", TOKEN_PATH, name="token", group="auth", public=True)
    def get_token(self, call: Call) -> object:
        """Give a token: by client credentials, by code or by refresh token. Parameters stand in the query or the body."""
        params, known = call.params, self.credentials
        right = (known["client_id"], known["client_secret"])
        if (params.text("client_id", ""), params.text("client_secret", "")) != right:
            return _oauth("invalid_client", "Bad client credentials", 401)
        kind = params.text("grant_type", "")
        if kind == "client_credentials":
            return self._by_client(params)
        if kind in ("authorization_code", "refresh_token"):
            return self._by_grant(params, kind)
        return _oauth("unsupported_grant_type", f"Unsupported grant type: {kind}", 400)

    def _by_client(self, params: Params) -> object:
        asked = (params.text("shop_id", ""), params.text("shop_type", ""))
        if asked != (self.credentials["bos_id"], SHOP_TYPE):
            return _oauth("invalid_request", "shop_id or shop_type is missing or wrong", 400)
        if self.db.fact("withdrawn"):
            return _oauth("invalid_grant", "the application is not authorised", 400)
        return self._token_answer(refresh=False)

    def _by_grant(self, params: Params, kind: str) -> object:
        once, field = ("code", "code") if kind == "authorization_code" else ("refresh", "refresh_token")
        try:
            self.tokens.redeem(params.text(field, ""), once)
        except TroubleError:
            return _oauth("invalid_grant", f"Invalid {field}", 400)
        return self._token_answer(refresh=True)

    def _token_answer(self, *, refresh: bool) -> Reply:
        bos, app = self.credentials["bos_id"], self.credentials["client_id"]
        token = self.tokens.issue(bos, self.token_rule, app=app, force=True)
        answer: dict[str, object] = {
            "access_token": token.value, "token_type": "bearer", "expires_in": int(token.expires - self.clock.time()), "scope": "default",
            SHOP_TYPE: bos, "public_account_id": None, "business_id": None,
        }  # fmt: skip
        if refresh:
            answer["refresh_token"] = self.tokens.issue(bos, self.refresh_rule, app=app).value
            answer["refresh_token_expires_in"] = 30
        return Reply.json(answer)

    @action
    def authorise_tool(self, params: Params) -> object:
        """The merchant agrees: return a code, good once for ten minutes."""
        del params
        rule = TokenRule(lifetime=600.0, kind="code", reuse=False, length=24)
        return {"code": self.tokens.issue(self.credentials["bos_id"], rule).value}

    @action
    def revoke_token(self, params: Params) -> object:
        """Make the present token invalid."""
        del params
        held = self.tokens.valid(self.credentials["bos_id"], app=self.credentials["client_id"])
        return {"revoked": sum(self.tokens.revoke(token.value) for token in held)}

    @action
    def withdraw(self, params: Params) -> object:
        """The merchant takes the authorisation back."""
        self.db.remember("withdrawn", 1)
        return self.revoke_token(params)

    @action
    def deny(self, params: Params) -> object:
        """Take a capability from the application."""
        self.denied.add(params.text("capability"))
        return {"denied": sorted(self.denied)}

    def token_of(self, call: Call) -> str | None:
        """Return the token: only the query string is looked at, and the name is one word."""
        return call.query.get("accesstoken")

    def authenticate(self, call: Call) -> Caller:
        """Return the merchant the token is for."""
        token = self.tokens.check(self.token_of(call))
        return Caller(token.account, token.app, token.scopes, token.value)

    def authorise(self, call: Call) -> None:
        """Refuse capabilities that were not applied for."""
        if call.endpoint is not None and call.endpoint.name in self.denied:
            raise TroubleError(Trouble.NOT_PERMITTED, call.endpoint.name)

    def limits_for(self, call: Call) -> Sequence[Limit]:
        """Return the shop's calls per second; the token address is outside of them."""
        return [] if call.path == TOKEN_PATH else super().limits_for(call)

    # ---- what comes in and goes out ----------------------------------------------------------------------------------

    def parse(self, call: Call) -> Params:
        """Read the JSON body; at the token address the query wins over it."""
        body = call.json() if call.body else {}
        if not isinstance(body, dict):
            raise TroubleError(Trouble.BODY_MALFORMED, "not a JSON object")
        return Params({**body, **dict(call.query)} if call.path == TOKEN_PATH else body)

    def envelope(self, call: Call, result: object) -> Reply:
        """Return a success; the token address answers flat."""
        del call
        code = {"errcode": "0", "errmsg": "success"}
        return Reply.json({"code": code, "data": result, **self._ticket()})

    def error_reply(self, call: Call, refusal: RefusalError) -> Reply:
        """Return a refusal, with HTTP 200."""
        if call.path == TOKEN_PATH:
            return _oauth("invalid_request", refusal.message, 400)
        code = {"errcode": str(refusal.code), "errmsg": refusal.message}
        return Reply.json({"code": code, "data": None, **self._ticket()})

    def _ticket(self) -> dict[str, str]:
        ticket = f"{int(self.clock.time() * 1000):x}-{next(self._tickets):04d}"
        return {"globalTicket": ticket, "monitorTrackId": ticket}

    def once(self, scope: str, key: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Do what carries a number of its own once; a repeat gets the first answer again, or an error."""
        first = self.db.done(scope, key)
        if first is None:
            first = work()
            self.db.mark_done(scope, key, first)
            return first
        if self.duplicates == "error":
            raise RefusalError("4028", "请求重复，该请求已处理")
        found: dict[str, Any] = first
        return found

    # ---- time --------------------------------------------------------------------------------------------------------

    def present(self) -> int:
        """Return the chain's present moment in milliseconds: the world may be ahead of the clock."""
        reached = self.db.fact("world_at")
        world = dt.datetime.fromisoformat(reached).timestamp() if reached else 0.0
        return int(max(self.clock.time(), world) * 1000)

    @staticmethod
    def text_time(milliseconds: int | None) -> str:
        """Return a moment as the card capabilities write it."""
        return (
            ""
            if not milliseconds
            else dt.datetime.fromtimestamp(milliseconds / 1000, CHINA).strftime("%Y-%m-%d %H:%M:%S")
        )

    # ---- messages ----------------------------------------------------------------------------------------------------

    @action
    def subscribe(self, params: Params) -> object:
        """Switch messages on (消息订阅): topics, and the address they go to."""
        receiver = self.pushes.subscribe(
            self.credentials["bos_id"], params.text("url"), topics=params.array("topics", [])
        )
        return {"number": receiver.number}

    @action
    def send_test_message(self, params: Params) -> object:
        """The console's button: a message with ``test``."""
        return {
            "receivers": self.notify(params.text("topic", "weimob_shop.order"), "create", {"orderNo": 1}, test=True)
        }

    def notify(self, topic: str, event: str, body: dict[str, Any], *, test: bool = False) -> int:
        """Queue a message."""
        bos = self.credentials["bos_id"]
        data = {"event": event, "test": test, "body": {**body, "bosId": int(bos)}}
        return self.pushes.publish(topic, data, account=bos)

    def push_request(self, push: Push, subscription: Subscription) -> PushRequest:
        """Return a message as it is sent: the body is JSON inside JSON, and the signature is over that text."""
        del subscription
        client, secret = self.credentials["client_id"], self.credentials["client_secret"]
        text = json.dumps(push.data["body"], ensure_ascii=False, separators=(",", ":"))
        number = str(7_300_000_000_000_000_000 + int(hashlib.sha256(push.message_id.encode()).hexdigest()[:12], 16))
        sign = hashlib.md5(f"{client}{number}{text}{secret}".encode()).hexdigest()  # noqa: S324
        body = {
            "id": number, "topic": push.topic, "event": push.data["event"], "bosId": int(self.credentials["bos_id"]), "sign": sign,
            "msgBody": text, "saasChannel": "wos", "saasClientId": client, "test": push.data["test"], "msgVersion": "1.0", "specsType": "WOS",
        }  # fmt: skip
        return PushRequest(json.dumps(body, ensure_ascii=False).encode(), {"content-type": "application/json"})

    def push_accepted(self, response: httpx.Response) -> bool:
        """Only HTTP 200 with errcode 0 counts."""
        try:
            code = response.json()["code"]["errcode"]
        except (ValueError, KeyError, TypeError):
            return False
        return response.status_code == 200 and str(code) == "0"


def _oauth(error: str, description: str, status: int) -> Reply:
    return Reply.json({"error": error, "error_description": description}, status=status)
