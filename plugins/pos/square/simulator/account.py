"""The simulated seller's account: token, version, errors, objects, webhooks. What all endpoints stand on."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

import httpx

from hub.simulation.server import (
    Call,
    Caller,
    Code,
    Limit,
    Params,
    RefusalError,
    Reply,
    Simulator,
    Trouble,
    TroubleError,
    action,
)
from hub.simulation.server.pushes import Push, PushRequest, Subscription
from hub.titles import Title
from plugins.pos.square.events import signature

__all__ = ["Account", "rfc"]

_CATEGORY: Final = {401: "AUTHENTICATION_ERROR", 403: "AUTHENTICATION_ERROR", 429: "RATE_LIMIT_ERROR", 500: "API_ERROR"}


def rfc(value: dt.datetime) -> str:
    """Write a moment as the API does."""
    return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Account(Simulator):
    """Square without its endpoints: token, version, errors, objects, webhooks.

    Args:
        world: the simulated chain.
        denied: names of endpoints the token has no scope for.
        page_size: most rows per page; smaller than asked for where it is smaller.
        currency: currency of all amounts.
    """

    name = "pos.square"
    title = Title("Square 收银", "Square")
    view = "pos"
    in_demo = False
    tables = """
    CREATE TABLE IF NOT EXISTS things (
      kind TEXT, id TEXT, created TEXT NOT NULL, updated TEXT NOT NULL, location TEXT NOT NULL DEFAULT '', body TEXT NOT NULL,
      PRIMARY KEY (kind, id));
    CREATE INDEX IF NOT EXISTS things_updated ON things (kind, updated, id);
    CREATE INDEX IF NOT EXISTS things_created ON things (kind, created, id);
    CREATE TABLE IF NOT EXISTS customer_groups (customer TEXT, grp TEXT, PRIMARY KEY (customer, grp));
    """
    codes: ClassVar = {
        Trouble.NO_SUCH_ENDPOINT: Code("NOT_FOUND", "API endpoint for URL path not found.", 404),
        Trouble.WRONG_METHOD: Code("METHOD_NOT_ALLOWED", "Use {detail}.", 405),
        Trouble.BODY_MALFORMED: Code("EXPECTED_JSON_BODY", "{detail}", 400),
        Trouble.PARAMETER_MISSING: Code("MISSING_REQUIRED_PARAMETER", "Missing required parameter {field}.", 400),
        Trouble.PARAMETER_INVALID: Code("INVALID_VALUE", "{field}: {detail}", 400),
        Trouble.TOKEN_MISSING: Code("UNAUTHORIZED", "This request could not be authorized.", 401),
        Trouble.TOKEN_UNKNOWN: Code("UNAUTHORIZED", "This request could not be authorized.", 401),
        Trouble.NOT_PERMITTED: Code(
            "INSUFFICIENT_SCOPES", "The merchant has not given your application {detail}.", 403
        ),
        Trouble.RATE_LIMITED: Code("RATE_LIMITED", "Too many requests.", 429),
        Trouble.CURSOR_INVALID: Code("INVALID_CURSOR", "The cursor is invalid: {detail}.", 400),
        Trouble.BUSY: Code("SERVICE_UNAVAILABLE", "Service unavailable.", 503),
    }
    push_retries = (60.0, 300.0, 3600.0)

    def __init__(
        self,
        world: Any = None,
        *,
        denied: Iterable[str] = (),
        page_size: int = 1000,
        currency: str = "CNY",
        limit: Limit | None = None,
        **base: Any,
    ) -> None:
        self.denied = set(denied)
        self.page_size = page_size
        self.currency = currency
        self.limits = [limit] if limit else []
        super().__init__(world, **base)

    # ---- who calls, and the envelope ---------------------------------------------------------------------------------

    def make_credentials(self) -> dict[str, str]:
        """Return the access token."""
        return {"access_token": "EAAA" + self.secret("token", length=40)}

    @property
    def webhook_key(self) -> str:
        """The signature key of webhook subscriptions."""
        return self.secret("webhook", length=22)

    def authenticate(self, call: Call) -> Caller:
        """Check the token, and that a version is named."""
        token = self.token_of(call)
        if token != self.credentials["access_token"]:
            raise TroubleError(Trouble.TOKEN_UNKNOWN)
        try:
            dt.date.fromisoformat(call.headers.get("square-version", ""))
        except ValueError:
            raise RefusalError("INVALID_SQUARE_VERSION_FORMAT", "Square-Version: YYYY-MM-DD", status=400) from None
        return Caller("seller", token="")

    def authorise(self, call: Call) -> None:
        """Refuse what the token has no scope for."""
        if call.endpoint is not None and call.endpoint.name in self.denied:
            raise TroubleError(Trouble.NOT_PERMITTED, call.endpoint.name)

    def error_reply(self, call: Call, refusal: RefusalError) -> Reply:  # noqa: ARG002
        """Return a refusal in Square's list of errors."""
        category = _CATEGORY.get(refusal.status, "INVALID_REQUEST_ERROR" if refusal.status < 500 else "API_ERROR")
        error = {"category": category, "code": refusal.code, "detail": refusal.message}
        return Reply.json({"errors": [error]}, status=refusal.status)

    def put(self, kind: str, body: Mapping[str, Any], *, location: str = "") -> None:
        """Add or replace an object; ``created_at`` and ``updated_at`` are its own."""
        created = str(body.get("created_at") or rfc(self.clock.now()))
        updated = str(body.get("updated_at") or created)
        place = location or str(body.get("location_id") or "")
        self.db.execute(
            "INSERT INTO things VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET updated = excluded.updated,"
            " body = excluded.body",
            kind, body["id"], created, updated, place, dict(body),
        )  # fmt: skip

    # ---- webhooks ----------------------------------------------------------------------------------------------------

    @action
    def subscribe(self, params: Params) -> object:
        """A webhook subscription is made for ``url``."""
        self.pushes.subscribe("seller", params.text("url"))
        return {"signature_key": self.webhook_key}

    def tell(self, kind: str, uid: str, held: Mapping[str, Any]) -> None:
        """Queue an event."""
        self.pushes.publish(kind, {"type": kind.split(".")[0], "id": uid, "object": dict(held)}, account="seller")

    def tell_order(self, kind: str, order: Mapping[str, Any]) -> None:
        """Queue an event about an order: a stub, the order has to be fetched."""
        stub = {name: order.get(name) for name in ("version", "location_id", "state", "created_at", "updated_at")}
        self.tell(kind, str(order["id"]), {kind.replace(".", "_"): {"order_id": order["id"], **stub}})

    def push_request(self, push: Push, subscription: Subscription) -> PushRequest:
        """Return an event signed with the subscription's key."""
        created = rfc(dt.datetime.fromtimestamp(push.created, dt.UTC))
        body = {
            "merchant_id": "M1",
            "type": push.topic,
            "event_id": push.message_id,
            "created_at": created,
            "data": push.data,
        }
        raw = json.dumps(body, ensure_ascii=False).encode()
        signed = signature(self.webhook_key, subscription.url, raw)
        return PushRequest(raw, {"content-type": "application/json", "x-square-hmacsha256-signature": signed})

    def push_accepted(self, response: httpx.Response) -> bool:
        """Say whether the receiver has acknowledged."""
        return response.is_success
