"""What makes one platform differ from another: everything an author of a simulator may override."""
# ruff: noqa: ARG002 - a hook is given what its overrides may need

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any, ClassVar

import httpx

from hub.simulation.server.call import Call, Caller, Params, Reply
from hub.simulation.server.credentials import HEX, derive
from hub.simulation.server.faulting import request_key
from hub.simulation.server.limits import Limit
from hub.simulation.server.pushes import Push, PushRequest, Subscription
from hub.simulation.server.tokens import TokenBook
from hub.simulation.server.trouble import DEFAULT_CODES, Code, RefusalError, Trouble, TroubleError
from hub.titles import Title

__all__ = ["Platform"]


class Platform:
    """The hooks of a simulator, each with the commonest behaviour."""

    name: ClassVar[str] = ""
    """Short machine name; also the plugin named in the ready ``hub.toml``."""
    title: ClassVar[Title]
    """For people."""
    in_demo: ClassVar[bool] = True
    """Whether ``hub demo`` runs it unasked; False where another platform of the demo shows the same part of the chain."""
    prefix: ClassVar[str] = ""
    """Stands before every endpoint's path; may contain ``{names}``."""
    view: ClassVar[str] = ""
    """The platform's view of the simulated chain, e.g. ``pos``; empty for a simulator that shows nothing of it."""
    tables: ClassVar[str] = ""
    """``CREATE TABLE IF NOT EXISTS …`` statements of the simulator's own tables."""
    codes: ClassVar[Mapping[Trouble, Code]] = {}
    """The platform's error table for troubles the base finds."""
    checks: ClassVar[Sequence[str]] = ("body", "token", "permission", "limit")
    """The order in which the platform checks a call that has found its endpoint."""
    limits: Sequence[Limit] = ()
    """Rate limits of every endpoint."""
    at_once: int | None = None
    """Most calls of one endpoint at the same time, unless the endpoint says otherwise."""
    throttle_pause: float = 1.0
    """Seconds a throttling fault asks to wait."""
    push_retries: Sequence[float] = (10.0, 30.0, 60.0)
    """Seconds before each new attempt of a push that was not acknowledged; then it is dead."""
    push_timeout: float = 5.0
    """Real seconds a push's receiver has to answer."""

    seed: int
    tokens: TokenBook
    world: Any

    @property
    def stem(self) -> str:
        """What everything made up is derived from: the simulator's name and seed."""
        return f"{self.name}:{self.seed}"

    @property
    def connection_name(self) -> str:
        """The connection's name in the ready ``hub.toml``: the platform's own, without the family (``pos.``) before it."""
        return self.name.rpartition(".")[2]

    def secret(self, label: str, *, length: int = 32, alphabet: str = HEX) -> str:
        """Return a credential or id for ``label``; the same for the same name and seed."""
        return derive(self.stem, label, length=length, alphabet=alphabet)

    @property
    def credentials(self) -> dict[str, str]:
        """The credentials a connector needs."""
        return self.make_credentials()

    def make_credentials(self) -> dict[str, str]:
        """Return the credentials a connector needs, by configuration key. Make them with :meth:`secret`."""
        return {}

    def connection(self, base_url: str) -> dict[str, object]:
        """Return the keys of a ready ``[connections.NAME]`` table besides ``plugin``."""
        return {"base_url": base_url, **self.credentials}

    def syncs(self, connection: str) -> str:
        """Return ``[syncs.NAME]`` tables that make sense for this platform in a demo, for a connection of that name."""
        return ""

    def fill(self) -> None:
        """Put the world into the tables; called once in the life of a state, in one transaction.

        Does what :meth:`catch_up` does from the beginning, unless overridden.
        """
        if self.view:
            self.catch_up(None, self.world.now)

    def catch_up(self, since: dt.datetime | None, state: Any) -> None:
        """Take over what happened in the world, in one transaction.

        Args:
            since: the moment the tables stand at; None for empty tables.
            state: the ``WorldState`` to catch up with. Rows with ``updated_at`` (in ledgers ``at``) after ``since`` are new
                or changed; what the hub wrote (tags, points, coupons) stays.
        """

    def received(self) -> Mapping[str, int]:
        """Return counts of what was written to the platform, by what a person would call them."""
        return {}

    def parse(self, call: Call) -> Params:
        """Return the call's parameters: the query, and for other methods than GET and DELETE the JSON body over it."""
        values = dict(call.query)
        if call.method not in ("GET", "DELETE", "HEAD"):
            body = call.json()
            if not isinstance(body, dict):
                raise TroubleError(Trouble.BODY_MALFORMED, "not a JSON object")
            values |= body
        return Params(values)

    def token_of(self, call: Call) -> str | None:
        """Return the token a call carries: the bearer token; override for a query parameter."""
        scheme, _, value = call.headers.get("authorization", "").partition(" ")
        return value.strip() if scheme.lower() == "bearer" else None

    def authenticate(self, call: Call) -> Caller:
        """Return who calls, by its token; override for signatures."""
        token = self.tokens.check(self.token_of(call))
        return Caller(token.account, token.app, token.scopes, token.value)

    def authorise(self, call: Call) -> None:
        """Raise :class:`TroubleError` or :class:`RefusalError` if the caller may not do this."""

    def limits_for(self, call: Call) -> Sequence[Limit]:
        """Return the rate limits of this call."""
        return [*self.limits, *(call.endpoint.limits if call.endpoint else ())]

    def contended(self, call: Call) -> Iterable[tuple[str, int]]:
        """Return what this call needs for itself while it lasts: pairs of a name and how many may share it."""
        most = call.endpoint.at_once if call.endpoint and call.endpoint.at_once else self.at_once
        return [(call.endpoint.name, most)] if call.endpoint and most else []

    def envelope(self, call: Call, result: object) -> Reply:
        """Return the platform's answer to a call that went well."""
        return Reply.json(result)

    def refusal(self, call: Call, error: TroubleError) -> RefusalError:
        """Return the platform's refusal for a trouble: by its :attr:`codes`, else the base's defaults."""
        return (self.codes.get(error.trouble) or DEFAULT_CODES[error.trouble]).refusal(error)

    def error_reply(self, call: Call, refusal: RefusalError) -> Reply:
        """Return a refusal in the platform's envelope."""
        return Reply.json({"error": refusal.code, "message": refusal.message}, status=refusal.status)

    def gateway_page(self, status: int) -> Reply:
        """Return what a broken gateway answers."""
        title = httpx.codes.get_reason_phrase(status)
        page = f"<html><head><title>{status} {title}</title></head><body><h1>{status} {title}</h1></body></html>"
        return Reply.text(page, status=status, content_type="text/html")

    def finish(self, call: Call, reply: Reply) -> Reply:
        """Return the last form of every answer (trace ids, compression)."""
        return reply

    def request_key(self, call: Call) -> str:
        """Return what identifies a request among its repeats; leave out whatever a retry changes."""
        return request_key(call)

    def shift_page(self, call: Call, draw: Random) -> None:
        """Change the data a paged endpoint is just being read from; ``draw`` decides what.

        Whatever is changed must be what the platform's users could have done meanwhile.
        """

    def push_request(self, push: Push, subscription: Subscription) -> PushRequest:
        """Return a message as it is sent, signed the platform's way."""
        body = json.dumps({"id": push.message_id, "topic": push.topic, "data": push.data}, ensure_ascii=False)
        return PushRequest(body.encode(), {"content-type": "application/json"})

    def push_accepted(self, response: httpx.Response) -> bool:
        """Say whether the receiver has acknowledged a message."""
        return response.is_success
