"""The simulated gateway: shops and keys, signatures, envelope, quota, pages, pushed messages. What all interfaces stand on."""
# ruff: noqa: ARG002 - every interface takes the call

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, ClassVar, Final, TypeVar

import httpx

from hub.simulation.server import (
    DIGITS,
    Call,
    Caller,
    Code,
    Limit,
    RefusalError,
    Reply,
    Simulator,
    Trouble,
    TroubleError,
    endpoint,
)
from hub.simulation.server.pushes import Push, PushRequest, Subscription
from hub.titles import Title
from plugins.pos.pospal.signing import signature_v1, signature_v2

__all__ = ["Gateway", "api"]

Handler = TypeVar("Handler", bound=Callable[..., object])
_STRICT_SECONDS: Final = 300.0


def api(name: str, *, v2: str = "", write: bool = False, paged: bool = False) -> Callable[[Handler], Handler]:
    """Serve an interface in every area; those of the V2 family under its own address too."""
    paths = [f"/{{area}}/pospal-api2/openapi/v1/{name}", *([f"/{{area}}/openinterface/{v2}"] if v2 else [])]

    def mark(handler: Handler) -> Handler:
        return endpoint("POST", *paths, name=name, group=name.split("/")[0], write=write, paged=paged)(handler)

    return mark


class Gateway(Simulator):
    """Pospal without its interfaces.

    Args:
        world: the simulated chain.
        alone: how many shops do not share their members with the others.
        quota: calls a day and shop.
        denied: names of interfaces that the keys may not use.
        page_size: rows per page.
        bounds: which end of a ticket window counts: ``start``, ``end`` or ``both``; it is not documented.
        return_sign: sign of a return's amounts: ``+`` or ``-``; both have been seen.
        strict_time: whether a time stamp that is off by more than five minutes is refused.
        gzip: whether answers are compressed for those who accept it.
        item_key: name of a ticket's lines: ``items``, or ``item`` as in one manual.
    """

    name = "pos.pospal"
    title = Title("银豹收银", "Pospal")
    view = "pos"
    in_demo = False
    push_retries = (10.0, 60.0, 300.0)
    codes: ClassVar = {
        Trouble.NO_SUCH_ENDPOINT: Code(1001, "接口不存在"),
        Trouble.WRONG_METHOD: Code(1001, "请使用POST"),
        Trouble.BODY_MALFORMED: Code(1002, "请求内容不是合法的JSON"),
        Trouble.PARAMETER_MISSING: Code(1003, "参数{field}不能为空"),
        Trouble.PARAMETER_INVALID: Code(1003, "参数{field}错误: {detail}"),
        Trouble.TOKEN_UNKNOWN: Code(1010, "appId不存在"),
        Trouble.SIGNATURE_WRONG: Code(1011, "签名错误"),
        Trouble.NOT_PERMITTED: Code(1012, "没有权限访问该接口"),
        Trouble.QUOTA_SPENT: Code(1020, "今日接口访问次数已达上限"),
        Trouble.RATE_LIMITED: Code(1021, "请求过于频繁，请稍后再试"),
        Trouble.CURSOR_INVALID: Code(1003, "参数postBackParameter错误"),
        Trouble.BUSY: Code(1030, "系统繁忙，请稍后再试"),
    }

    def __init__(
        self,
        world: Any = None,
        *,
        alone: int = 1,
        quota: int = 100_000,
        denied: Iterable[str] = (),
        page_size: int = 100,
        bounds: str = "end",
        return_sign: str = "+",
        strict_time: bool = False,
        gzip: bool = True,
        item_key: str = "items",
        shops: Sequence[str] = (),
        **base: Any,
    ) -> None:
        self.alone = alone
        self.denied = set(denied)
        self.page_size = page_size
        self.bounds = bounds
        self.return_sign = return_sign
        self.strict_time = strict_time
        self.gzip = gzip
        self.item_key = item_key
        self.limits = [Limit(quota, "day", counts=("account",), trouble=Trouble.QUOTA_SPENT)]
        self._quota = quota
        self._named_shops = tuple(shops)
        super().__init__(world, **base)

    # ---- shops and keys ----------------------------------------------------------------------------------------------

    @cached_property
    def shop_ids(self) -> list[str]:
        """The chain's numbers of the shops; new ones come last."""
        if self._named_shops:
            return list(self._named_shops)
        return list(map(str, self.world.now.view(self.view).table("shops")["shop_id"].to_pylist()))

    def app_of(self, shop_id: str) -> str:
        """Return a shop's appId."""
        return self.secret(f"app {shop_id}", length=20).upper()

    def key_of(self, shop_id: str) -> str:
        """Return a shop's appKey: a text of 18 digits."""
        return self.secret(f"key {shop_id}", length=18, alphabet=DIGITS)

    def area_of(self, shop_id: str) -> str:
        """Return the area in a shop's address: two areas, as chains that have grown have them."""
        return "area8" if self.shop_ids.index(shop_id) % 2 == 0 else "area24"

    def group_of(self, shop_id: str) -> str:
        """Return the group of shops a shop shares its members with; empty for one that shares with none."""
        shops = self.shop_ids
        place = shops.index(shop_id)
        return "chain" if place < max(1, len(shops) - self.alone) else ""

    def shop_settings(self, base_url: str) -> list[dict[str, object]]:
        """Return the shops as a connection lists them; the first one is the head office."""
        return [
            {
                "id": shop,
                "app_id": self.app_of(shop),
                "app_key": self.key_of(shop),
                "base_url": f"{base_url}/{self.area_of(shop)}/pospal-api2/openapi/v1",
                "v2_base_url": f"{base_url}/{self.area_of(shop)}/openinterface",
                "member_group": self.group_of(shop),
                "headquarters": place == 0,
            }
            for place, shop in enumerate(self.shop_ids)
        ]

    def make_credentials(self) -> dict[str, str]:
        """Return the keys by shop."""
        return {f"{shop} app_id / app_key": f"{self.app_of(shop)} / {self.key_of(shop)}" for shop in self.shop_ids}

    def shop_of(self, call: Call) -> str:
        """Return the shop whose key signed the call."""
        return next(shop for shop in self.shop_ids if self.app_of(shop) == call.caller.account)

    def authenticate(self, call: Call) -> Caller:
        """Return the shop: by the appId in the body, checked by the signature of its family."""
        app_id = call.params.text("appId")
        shop = next((shop for shop in self.shop_ids if self.app_of(shop) == app_id), None)
        if shop is None or call.path_values.get("area") != self.area_of(shop):
            raise TroubleError(Trouble.TOKEN_UNKNOWN)
        stamp = call.headers.get("time-stamp", "")
        if self.strict_time and (not stamp.isdecimal() or abs(int(stamp) / 1000 - call.at) > _STRICT_SECONDS):
            raise TroubleError(Trouble.SIGNATURE_WRONG)
        key = self.key_of(shop)
        if "/openinterface/" in call.path:
            known = call.headers.get("appid") == app_id and stamp.isdecimal()
            good = known and call.headers.get("data-signature-v3") == signature_v2(app_id, key, int(stamp), call.body)
        else:
            good = call.headers.get("data-signature") == signature_v1(key, call.body)
        if not good:
            raise TroubleError(Trouble.SIGNATURE_WRONG)
        return Caller(app_id)

    def authorise(self, call: Call) -> None:
        """Refuse interfaces that were not granted."""
        if call.endpoint is not None and call.endpoint.name in self.denied:
            raise TroubleError(Trouble.NOT_PERMITTED)

    # ---- what comes in and goes out ----------------------------------------------------------------------------------

    def envelope(self, call: Call, result: object) -> Reply:
        """Return a success; some come without an errorCode."""
        head: dict[str, object] = {"status": "success", "messages": []}
        return Reply.json({**head, "errorCode": None, "data": result} if result is not None else head)

    def error_reply(self, call: Call, refusal: RefusalError) -> Reply:
        """Return a refusal: always HTTP 200."""
        return Reply.json({"status": "error", "messages": [refusal.message], "errorCode": refusal.code})

    def finish(self, call: Call, reply: Reply) -> Reply:
        """Compress the answer where the caller takes that."""
        wanted = self.gzip and "gzip" in call.headers.get("accept-encoding", "") and len(reply.body) > 200
        return reply.gzipped() if wanted else reply

    def request_key(self, call: Call) -> str:
        """Return what identifies a request: its body, which holds no time."""
        return f"{call.method} {call.path} {call.body.decode('utf-8', 'replace')}"

    # ---- pages -------------------------------------------------------------------------------------------------------

    def position(self, call: Call, kind: str) -> int:
        """Return the row id that the caller sends back; 0 for the first page.

        Raises:
            TroubleError: it was not given out by this interface.
        """
        given = call.params.mapping("postBackParameter", None)
        if given is None:
            return 0
        value = str(given.get("parameterValue") or "")
        if given.get("parameterType") != kind or not value.isdecimal():
            raise TroubleError(Trouble.CURSOR_INVALID)
        return int(value)

    def page(self, rows: Sequence[Any], last: int, kind: str = "LAST_RESULT_MAX_ID") -> dict[str, object]:
        """Return a page and what has to be sent back for the next one."""
        back = {"parameterType": kind, "parameterValue": str(last)}
        return {"postBackParameter": back, "pageSize": self.page_size, "result": list(rows)}

    # ---- quota and messages ------------------------------------------------------------------------------------------

    @api("openApiLimitAccess/queryAccessTimes")
    def query_access_times(self, call: Call) -> object:
        """Give the daily quotas of the whole chain, whichever shop asks."""
        return [
            {"appId": self.app_of(shop), "limitTimes": self._quota, "startDate": None, "endDate": None}
            for shop in self.shop_ids
        ]

    @api("openNotificationOpenApi/queryPushUrl")
    def query_push_url(self, call: Call) -> object:
        """Give the address that messages of this shop go to."""
        known = self.pushes.subscriptions(call.caller.account)
        return {"sendUrl": known[0].url if known else ""}

    @api("openNotificationOpenApi/updatePushUrl", write=True)
    def update_push_url(self, call: Call) -> object:
        """Set the address: one per key."""
        for known in self.pushes.subscriptions(call.caller.account):
            self.pushes.unsubscribe(call.caller.account, known.url)
        self.pushes.subscribe(call.caller.account, call.params.text("pushUrl"))
        return None

    def tell(self, command: str, shop_id: str, body: dict[str, Any]) -> None:
        """Queue a message for the shop's address."""
        self.pushes.publish(command, body, account=self.app_of(shop_id))

    def push_request(self, push: Push, subscription: Subscription) -> PushRequest:
        """Return a message signed with the shop's key; its inner body is JSON text or an object, both are sent."""
        shop = next(shop for shop in self.shop_ids if self.app_of(shop) == subscription.account)
        inner: object = json.dumps(push.data, ensure_ascii=False) if push.number % 2 else push.data
        body = {
            "appId": subscription.account,
            "cmd": push.topic,
            "body": inner,
            "timestamp": int(push.created * 1000),
            "bornTimeStamp": int(push.created * 1000),
            "version": "1.0",
        }
        raw = json.dumps(body, ensure_ascii=False).encode()
        headers = {"content-type": "application/json", "data-signature": signature_v1(self.key_of(shop), raw)}
        return PushRequest(raw, headers)

    def push_accepted(self, response: httpx.Response) -> bool:
        """Say whether the receiver has answered SUCCESS."""
        return response.status_code == 200 and response.text.strip() == "SUCCESS"
