"""A made-up platform that uses everything the simulator base offers. Run as a program, it serves until it is killed.

Its world is a plain list of member names. It is no platform of the hub and does not ship.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from random import Random
from typing import ClassVar

import httpx

from hub.simulation.server import (
    CHINA,
    Call,
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
    VirtualClock,
    action,
    endpoint,
)
from hub.titles import Title

START = "2026-03-02T09:00:00+08:00"
PAGE = 10
BAD_LOGINS = Limit(3, "hour", ("app",), block=3600.0)


class TinyShop(Simulator):
    name = "tinyshop"
    title = Title("小店", "Tiny shop")
    prefix = "/api"
    tables = """
    CREATE TABLE IF NOT EXISTS members (
      number INTEGER PRIMARY KEY, name TEXT NOT NULL, points INTEGER NOT NULL DEFAULT 0, tags TEXT NOT NULL DEFAULT '[]');
    """
    codes: ClassVar = {
        Trouble.NO_SUCH_ENDPOINT: Code(4005, "unknown api {detail}"),
        Trouble.WRONG_METHOD: Code(4007, "wrong method"),
        Trouble.BODY_MALFORMED: Code(4004, "not JSON"),
        Trouble.PARAMETER_MISSING: Code(4100, "{field} missing"),
        Trouble.PARAMETER_INVALID: Code(4101, "{field}: {detail}"),
        Trouble.TOKEN_MISSING: Code(4201, "no token"),
        Trouble.TOKEN_EXPIRED: Code(4202, "token expired"),
        Trouble.TOKEN_UNKNOWN: Code(4203, "token unknown"),
        Trouble.TOKEN_REVOKED: Code(4203, "token unknown"),
        Trouble.RATE_LIMITED: Code(45009, "api freq out of limit"),
        Trouble.QUOTA_SPENT: Code(45010, "daily quota spent"),
        Trouble.CURSOR_INVALID: Code(50100, "cursor invalid"),
        Trouble.TOO_MANY_AT_ONCE: Code(45033, "too many at once"),
        Trouble.BUSY: Code(-1, "system busy"),
    }
    token_rule = TokenRule(lifetime=7200.0, prefix="ts_")
    push_retries = (10.0, 30.0)

    def make_credentials(self) -> dict[str, str]:
        return {"app_id": self.secret("app", length=8), "app_secret": self.secret("secret", length=24)}

    def fill(self) -> None:
        self.db.load("INSERT INTO members (name) VALUES (?)", [(name,) for name in self.world])

    def token_of(self, call: Call) -> str | None:
        return call.query.get("access_token")

    def envelope(self, call: Call, result: object) -> Reply:
        return Reply.json({"errcode": 0, "data": result})

    def error_reply(self, call: Call, refusal: RefusalError) -> Reply:
        body = {"errcode": refusal.code, "errmsg": refusal.message, "data": refusal.data}
        return Reply.json(body, status=refusal.status)

    def finish(self, call: Call, reply: Reply) -> Reply:
        reply = reply.with_headers(x_trace=f"t-{int(call.at)}")
        return reply.gzipped() if "gzip" in call.headers.get("x-want", "") else reply

    @endpoint("GET", "/token", name="token", group="auth", public=True)
    def token(self, call: Call) -> object:
        if call.params.text("secret") != self.credentials["app_secret"]:
            blocked = self.limiter.take(BAD_LOGINS, "bad log-ins", call.at)
            return RefusalError(40001 if blocked is None else 45009, "invalid secret")
        token = self.tokens.issue("shop-1", self.token_rule, app=call.params.text("app"), force=False)
        return Reply.json({"access_token": token.value, "expires_in": round(token.expires - call.at)})

    @endpoint("POST", "/members/list", name="members", group="members", paged=True)
    def list_members(self, call: Call) -> object:
        name = call.params.text("name", "")
        start = call.params.text("cursor", "")
        after = self.cursors.open(start, query=name) if start else 0
        rows = self.db.rows(
            "SELECT * FROM members WHERE number > ? AND name LIKE ? ORDER BY number LIMIT ?", after, f"%{name}%", PAGE
        )
        items = [{"id": row["number"], "name": row["name"], "points": row["points"]} for row in rows]
        more = len(items) == PAGE
        return {"items": items, "next": self.cursors.seal(items[-1]["id"], query=name, lifetime=300.0) if more else ""}

    @endpoint("GET", "/members/{number}", name="member", group="members")
    def member(self, call: Call) -> object:
        row = self.db.row("SELECT * FROM members WHERE number = ?", call.path_values["number"])
        if row is None:
            raise RefusalError(40096, "no such member")
        return {"id": row["number"], "points": row["points"], "tags": json.loads(row["tags"])}

    @endpoint("POST", "/points/add", name="points", group="points", write=True)
    def add_points(self, call: Call) -> object:
        request_id, number = call.params.text("request_id"), call.params.integer("id")
        if (done := self.db.done("points", request_id)) is not None:
            return done
        changed = self.db.execute(
            "UPDATE members SET points = points + ? WHERE number = ?", call.params.integer("points"), number
        )
        total = self.db.value("SELECT points FROM members WHERE number = ?", number)
        if not changed or total < 0:
            raise RefusalError(40097, "no such member or not enough points")
        self.db.mark_done("points", request_id, {"total": total})
        self.pushes.publish("points", {"id": number, "total": total}, account=call.caller.account)
        return {"total": total}

    @endpoint(
        "POST",
        "/tags/set",
        name="tags",
        group="tags",
        write=True,
        limits=[Limit(100, "day", ("account",), trouble=Trouble.QUOTA_SPENT)],
    )
    def set_tags(self, call: Call) -> object:
        tags = call.params.array("tags", most=3, encoded=True)
        self.db.execute("UPDATE members SET tags = ? WHERE number = ?", tags, call.params.integer("id"))
        return {"is_success": "true"}

    @endpoint("POST", "/media/upload", name="upload", group="media")
    def upload(self, call: Call) -> object:
        return [{"name": part.name, "file": part.filename, "bytes": len(part.content)} for part in call.parts()]

    @endpoint("GET", "/broken", name="broken")
    def broken(self, call: Call) -> object:
        self.db.execute("DELETE FROM members")
        raise ZeroDivisionError("a bug in the simulator")

    def parse(self, call: Call) -> Params:
        return Params() if call.path.endswith("/media/upload") else super().parse(call)

    def shift_page(self, call: Call, draw: Random) -> None:
        self.db.execute("INSERT INTO members (name) VALUES (?)", f"late {draw.randrange(1000)}")

    @action
    def join(self, params: Params) -> object:
        number = self.db.insert("INSERT INTO members (name) VALUES (?)", params.text("name"))
        self.pushes.publish("joined", {"id": number}, account="shop-1")
        return {"id": number}

    @action
    def subscribe(self, params: Params) -> object:
        receiver = self.pushes.subscribe("shop-1", params.text("url"), topics=params.array("topics", []), key="k")
        return {"number": receiver.number}

    def push_request(self, push: Push, subscription: Subscription) -> PushRequest:
        body = {"id": push.message_id, "type": push.topic, "msg": push.data, "sendCount": push.attempts}
        content = json.dumps(body, ensure_ascii=False).encode()
        return PushRequest(content, {"event-sign": sign(content, subscription.settings["key"])}, {"timestamp": "1"})

    def push_accepted(self, response: httpx.Response) -> bool:
        return response.is_success and "success" in response.text


def sign(content: bytes, key: str) -> str:
    return hashlib.md5(content + key.encode()).hexdigest()


def names(count: int) -> list[str]:
    return [f"member {number}" for number in range(1, count + 1)]


def main() -> None:
    state, programme = sys.argv[1:]
    shop = TinyShop(names(25), state=Path(state), seed=7, clock=VirtualClock(START), programme=programme)
    shop.start()
    sys.stdout.write(json.dumps({"base_url": shop.base_url, **shop.credentials}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()

__all__ = ["CHINA", "START", "TinyShop", "names", "sign"]
