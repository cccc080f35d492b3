"""The simulated gateway: tokens, order of checks, the four shapes of an answer, messages. What all methods stand on."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Final, TypeVar

from hub.simulation.server import (
    CHINA,
    DIGITS,
    Call,
    Caller,
    Code,
    Limit,
    Params,
    RefusalError,
    Reply,
    Simulator,
    Token,
    TokenRule,
    Trouble,
    TroubleError,
    action,
    endpoint,
)
from hub.titles import Title
from plugins.youzan.simulator import cipher

__all__ = ["Gateway", "TopLevel", "api"]

_DAY: Final = 86_400.0
_OLD_SHAPE: Final = "/api/youzan.trade.memo.update/3.0.0"
_TEXT_CODES: Final = "/api/youzan.trade.refund."
_THROTTLED: Final = ((4101, "请求太频繁，请稍后再试"), (500100004, "请求被限流"), (123000042, "请求被限流"))
_GATEWAY_CODES: Final = frozenset(
    {4001, 4004, 4005, 4007, 4008, 4009, 4010, 4101, 4201, 4202, 4203, 4204, 5001, 5002, 5003}
)

Handler = TypeVar("Handler", bound=Callable[..., object])


class TopLevel(dict[str, Any]):
    """A result whose keys stand beside ``data`` instead of inside it."""


def api(
    name: str, version: str, *, write: bool = False, paged: bool = False, group: str = ""
) -> Callable[[Handler], Handler]:
    """Serve a method of the gateway; GET with a query string reaches it as well as POST."""

    def mark(handler: Handler) -> Handler:
        path = f"/api/youzan.{name}/{version}"
        for method in ("GET", "POST"):
            handler = endpoint(method, path, name=name, group=group or name, write=write, paged=paged)(handler)
        return handler

    return mark


class Gateway(Simulator):
    """Youzan without its methods.

    Args:
        world: the simulated chain.
        encrypted: whether phones and names come as cipher text.
        denied: names of methods (without ``youzan.``) whose capability package the application lacks.
        token_grace: seconds a replaced token lives on; pages say an hour, or none.
        read_lag: seconds until a changed trade can be read.
        qps: calls per second and method, None for no limit.
        per_page: largest page of trades, and
        depth: how many trades a window gives in all; smaller ones make a small world as deep as a large one.
        tool: the application is a 工具型 one: tokens by code and refresh token.
    """

    name = "youzan"
    title = Title("有赞", "Youzan")
    view = "youzan"
    codes: ClassVar = {
        Trouble.WRONG_METHOD: Code(4007, "非法的请求姿势，{detail}"),
        Trouble.BODY_MALFORMED: Code(4004, "非法的JSON"),
        Trouble.PARAMETER_MISSING: Code(5001, "系统异常: {field}"),
        Trouble.PARAMETER_INVALID: Code(5001, "系统异常: {field} {detail}"),
        Trouble.TOKEN_MISSING: Code(4201, "非法的凭证"),
        Trouble.TOKEN_EXPIRED: Code(4202, "Token 已过期"),
        Trouble.TOKEN_UNKNOWN: Code(4203, "Token 不存在"),
        Trouble.TOKEN_REVOKED: Code(4203, "Token 不存在"),
        Trouble.NOT_PERMITTED: Code(4204, "没有权限调用该接口: {detail}"),
        Trouble.BUSY: Code(5002, "后端业务异常"),
        Trouble.TOO_MANY_AT_ONCE: Code(4101, "请求太频繁，请稍后再试"),
        Trouble.QUOTA_SPENT: Code(4101, "请求太频繁，请稍后再试"),
    }
    refresh_rule = TokenRule(lifetime=28 * _DAY, kind="refresh", reuse=False, length=40)

    def __init__(
        self,
        world: Any = None,
        *,
        encrypted: bool = True,
        denied: Iterable[str] = (),
        token_grace: float = 3600.0,
        read_lag: float = 0.0,
        qps: int | None = None,
        per_page: int = 100,
        depth: int = 10_000,
        tool: bool = False,
        **base: Any,
    ) -> None:
        self.encrypted = encrypted
        self.denied = set(denied)
        self.read_lag = read_lag
        self.per_page = per_page
        self.depth = depth
        self.tool = tool
        self.token_rule = TokenRule(lifetime=7 * _DAY, live=1, grace=token_grace, length=30)
        self.limits = [Limit(qps, "second")] if qps else []
        self._throttle_forms = itertools.cycle(_THROTTLED)
        self._traces = itertools.count(88_000)
        super().__init__(world, **base)

    # ---- who calls ---------------------------------------------------------------------------------------------------

    def make_credentials(self) -> dict[str, str]:
        """Return application, secret and the head office's shop id."""
        return {
            "client_id": self.secret("client", length=16),
            "client_secret": self.secret("secret"),
            "kdt_id": self.root,
        }

    @property
    def root(self) -> str:
        """The head office."""
        return "4" + self.secret("kdt", length=5, alphabet=DIGITS) + "00"

    def node_of(self, shop_id: str) -> int:
        """Return the ``kdt_id`` of a shop of the chain: the head office's, plus the shop's number."""
        return int(self.root) + int("".join(filter(str.isdigit, shop_id)) or 0)

    @endpoint("POST", "/auth/token", name="token", group="auth", public=True)
    def get_token(self, call: Call) -> object:
        """Give a token: silently, by code or by refresh token."""
        params = call.params
        known = self.credentials
        if params.text("client_id", "") != known["client_id"]:
            raise RefusalError(1103, "client不存在")
        if params.text("client_secret", "") != known["client_secret"]:
            raise RefusalError(1000, "应用信息错误")
        kind = params.text("authorize_type", "")
        wanted = {"silent": not self.tool, "authorization_code": self.tool, "refresh_token": self.tool}
        if not wanted.get(kind, False):
            raise RefusalError(1105, "应用类型不支持")
        return self._silent(params) if kind == "silent" else self._authorised(kind, params)

    def _silent(self, params: Params) -> object:
        shop = params.text("grant_id", "")
        if not self._is_shop(shop):
            raise RefusalError(1103, "应用与店铺不匹配")
        if self.db.fact(f"withdrawn {shop}"):
            raise RefusalError(1004, "授权关系已过期")
        token = self.tokens.issue(
            shop, self.token_rule, app=self.credentials["client_id"], force=params.flag("refresh", default=False)
        )
        return self._token_answer(token, None)

    def _authorised(self, kind: str, params: Params) -> object:
        once = "code" if kind == "authorization_code" else "refresh"
        try:
            spent = self.tokens.redeem(params.text("code" if once == "code" else "refresh_token", ""), once)
        except TroubleError:
            raise RefusalError(1005 if once == "code" else 1004, "非法的授权凭证") from None
        app = self.credentials["client_id"]
        token = self.tokens.issue(spent.account, self.token_rule, app=app, force=True)
        return self._token_answer(token, self.tokens.issue(spent.account, self.refresh_rule, app=app))

    @staticmethod
    def _token_answer(token: Token, refresh: Token | None) -> dict[str, object]:
        answer: dict[str, object] = {
            "access_token": token.value,
            "expires": int(token.expires * 1000),
            "scope": "trade item scrm",
            "authority_id": token.account,
        }
        return answer if refresh is None else {**answer, "refresh_token": refresh.value}

    def _is_shop(self, kdt_id: str) -> bool:
        known = self.db.value("SELECT 1 FROM shops WHERE kdt_id = ?", kdt_id)
        return kdt_id == self.root or known is not None

    @action
    def authorise_tool(self, params: Params) -> object:
        """The owner agrees: return a code, good once for two minutes."""
        rule = TokenRule(lifetime=120.0, kind="code", reuse=False, length=24)
        return {"code": self.tokens.issue(params.text("kdt_id", self.root), rule).value}

    @action
    def revoke_token(self, params: Params) -> object:
        """Make the shop's present token unknown."""
        return {"revoked": self.tokens.revoke_all(params.text("kdt_id", self.root))}

    @action
    def withdraw(self, params: Params) -> object:
        """The owner takes the authorisation back."""
        shop = params.text("kdt_id", self.root)
        self.db.remember(f"withdrawn {shop}", 1)
        return {"revoked": self.tokens.revoke_all(shop)}

    @action
    def deny(self, params: Params) -> object:
        """Take a method's capability package from the application."""
        self.denied.add(params.text("method"))
        return {"denied": sorted(self.denied)}

    def token_of(self, call: Call) -> str | None:
        """Return the token: only the query string is looked at."""
        return call.query.get("access_token")

    def authenticate(self, call: Call) -> Caller:
        """Return the shop the token is for."""
        token = self.tokens.check(self.token_of(call))
        return Caller(token.account, token.app, token.scopes, token.value)

    def authorise(self, call: Call) -> None:
        """Refuse methods of packages that are not granted."""
        if call.endpoint is not None and call.endpoint.name in self.denied:
            raise TroubleError(Trouble.NOT_PERMITTED, f"youzan.{call.endpoint.name}")

    def limits_for(self, call: Call) -> Sequence[Limit]:
        """Return the calls per second of the methods; the token method is outside of them."""
        return [] if call.path == "/auth/token" else super().limits_for(call)

    def require_head_office(self, call: Call, code: int) -> None:
        """Refuse a node's token."""
        if call.caller.account != self.root:
            raise RefusalError(code, "非总店无权操作")

    # ---- what comes in and goes out ----------------------------------------------------------------------------------

    def parse(self, call: Call) -> Params:
        """Read the JSON body; any other content type is refused, differently by the token method."""
        content_type = call.headers.get("content-type", "")
        if call.method == "POST" and "json" not in content_type and call.body:
            if call.path == "/auth/token":
                text = f"Content type '{content_type}' not supported,Please use 'application/json;charset=UTF-8'"
                raise RefusalError(1000, text)
            raise TroubleError(Trouble.WRONG_METHOD, f"httpMethod:POST, contentType:{content_type}")
        return super().parse(call)

    def envelope(self, call: Call, result: object) -> Reply:
        """Return a success in the shape of its method."""
        if call.path == "/auth/token":
            return Reply.json({"success": True, "code": 200, "message": None, "data": result})
        if call.path == _OLD_SHAPE:
            return Reply.json({"response": result})
        code: object = "200" if call.path.startswith(_TEXT_CODES) else 200
        head = {"trace_id": self._trace(call), "code": code, "success": True, "message": "successful"}
        return Reply.json({**head, **result} if isinstance(result, TopLevel) else {**head, "data": result})

    def refusal(self, call: Call, error: TroubleError) -> RefusalError:
        """Return the platform's refusal; throttling shows in three forms."""
        if error.trouble is Trouble.RATE_LIMITED:
            code, message = next(self._throttle_forms)
            return RefusalError(code, message)
        if error.trouble is Trouble.NO_SUCH_ENDPOINT:
            complete = len([part for part in call.path.split("/") if part]) == 3 and call.path.startswith("/api/")
            return RefusalError(4005, "非法的API或者版本") if complete else RefusalError(4001, "非法的请求地址")
        return super().refusal(call, error)

    def error_reply(self, call: Call, refusal: RefusalError) -> Reply:
        """Return a refusal: the gateway's, the old shape's or the method's own; always HTTP 200."""
        code = int(refusal.code)
        if call.path == "/auth/token":
            return Reply.json({"success": False, "code": code, "data": None, "message": refusal.message})
        if code in _GATEWAY_CODES:
            gateway = {"trace_id": self._trace(call), "err_msg": refusal.message, "err_code": code}
            return Reply.json({"gw_err_resp": gateway})
        if call.path == _OLD_SHAPE:
            return Reply.json({"error_response": {"code": code, "msg": refusal.message}})
        shown: object = str(code) if call.path.startswith(_TEXT_CODES) else code
        head = {"trace_id": self._trace(call), "code": shown, "success": False, "message": refusal.message}
        return Reply.json({**head, "data": refusal.data, "request_id": None})

    def _trace(self, call: Call) -> str:
        return f"yz7-0a0c61f2-{int(call.at * 1000)}-{next(self._traces)}"

    # ---- time and secrets --------------------------------------------------------------------------------------------

    def present(self) -> float:
        """Return the chain's present moment, Unix seconds: the world may be ahead of the clock."""
        reached = self.db.fact("world_at")
        world = dt.datetime.fromisoformat(reached).timestamp() if reached else 0.0
        return max(self.clock.time(), world)

    def hide(self, value: str | None, kdt_id: str) -> str:
        """Return a personal value as this shop's application sees it."""
        if not self.encrypted or not value or "*" in value:
            return value or ""
        return cipher.encrypted(value, self._key(kdt_id))

    def _key(self, kdt_id: str) -> bytes:
        return cipher.key_of(self.credentials["client_id"], kdt_id, self.credentials["client_secret"])

    @api("cloud.secret.decrypt.batch", "1.0.0")
    def decrypt_batch(self, call: Call) -> object:
        """Decrypt up to 10,000 texts of the calling shop."""
        sources = call.params.array("sources", most=10_000, encoded=True)
        return {str(source): self._decrypted(call, str(source)) for source in sources}

    @api("cloud.secret.decrypt.single", "1.0.0")
    def decrypt_single(self, call: Call) -> object:
        """Decrypt one text; plain text comes back unchanged."""
        return self._decrypted(call, call.params.text("source", ""))

    def _decrypted(self, call: Call, source: str) -> str:
        if not source:
            raise RefusalError(10500, "系统异常")
        try:
            return cipher.decrypted(source, self._key(call.caller.account))
        except ValueError:
            raise RefusalError(10500, "系统异常") from None

    @staticmethod
    def text_time(seconds: float | None) -> str:
        """Return a moment as the trade methods write it."""
        return "" if not seconds else dt.datetime.fromtimestamp(seconds, CHINA).strftime("%Y-%m-%d %H:%M:%S")

    @staticmethod
    def read_time(value: str, field: str) -> float:
        """Read ``yyyy-MM-dd HH:mm:ss``; a bare date is the notorious 5001."""
        try:
            return dt.datetime.strptime(value, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA).timestamp()
        except ValueError:
            raise TroubleError(Trouble.PARAMETER_INVALID, "yyyy-MM-dd HH:mm:ss", field=field) from None

    @staticmethod
    def read_epoch(value: int) -> float:
        """Read an epoch number in seconds or milliseconds."""
        return value / 1000 if value >= 10**12 else float(value)
