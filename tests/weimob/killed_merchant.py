"""The work of a process that is killed: points, growth, stored value and a coupon for every buyer of a merchant whose state is a file."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from weimob_rig import Rig, small

from hub.pipeline.ingest import ingest
from hub.pipeline.publish import publish
from hub.pipeline.push import push
from hub.pipeline.resolve import resolve
from hub.pipeline.score import score
from hub.pipeline.segment import segment
from plugins.weimob.client import WeimobClient

TARGETS = ("points", "growth", "balance", "coupon")
CUSTOMERS = {"tags": False, "channels": False, "cards": False, "points": False, "guides": False, "coupons": False}


def syncs() -> str:
    """One sync per target, to everybody who ever bought: as many points, growth, yuan as orders, and one coupon."""
    parts = [
        f'[syncs.gift_{name}]\nto = "wm"\ntarget = "{name}"\nkey = "profile"\nmode = "upsert"\nwhere = "orders_life > 0"\n'
        'fields = { delta = "orders_life" }\n'
        for name in TARGETS
    ]
    return "\n".join(parts)


def work(folder: Path, hours: float) -> None:
    """Do it all, that many hours later than the first time."""
    with Rig(folder, state=folder / "merchant.db", hours=hours) as rig:
        template = str(rig.sim.db.value("SELECT min(template_id) FROM templates"))
        hub = rig.hub(
            extra=syncs(),
            short_leases=True,
            customers=CUSTOMERS,
            balance={"enabled": True},
            coupons={"template_id": template},
            workers=1,
        )
        report = ingest(hub, ["wm"], ["customers", "orders"])
        assert report.failed == [], report.failed
        as_of = hub.now()
        resolve(hub)
        score(hub, as_of=as_of)
        segment(hub)
        publish(hub)
        for each in push(hub).syncs:
            assert each.error is None, each.error


def work_killed_after(folder: Path, changes: int) -> None:
    """Do it all, but die right after the platform has booked so many changes, before anybody has heard of the last one."""
    change, made = WeimobClient.change, []

    def counting(self: WeimobClient, *arguments: Any, **options: Any) -> Any:
        answer = change(self, *arguments, **options)
        made.append(1)
        if len(made) == changes:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    WeimobClient.change = counting  # type: ignore[method-assign]
    work(folder, 0)


def outcome(folder: Path) -> dict[str, dict[int, list[int]]]:
    """What was booked in the end: by account and customer every single change; coupons as one each."""
    with Rig(folder, state=folder / "merchant.db") as rig:
        found: dict[str, dict[int, list[int]]] = {name: {} for name in TARGETS}
        for row in rig.sim.db.rows("SELECT account, wid, change FROM ledger"):
            found[row["account"]].setdefault(row["wid"], []).append(row["change"])
        for row in rig.sim.db.rows("SELECT wid FROM coupons WHERE request <> ''"):
            found["coupon"].setdefault(row["wid"], []).append(1)
        return found


def planned() -> dict[str, dict[int, list[int]]]:
    """What every buyer is due, from the chain itself."""
    alive = {
        row["member_id"] for row in small().view("weimob").table("members").to_pylist() if row["status"] == "active"
    }
    orders: dict[int, int] = {}
    for row in small().view("weimob").table("orders").to_pylist():
        if row["status"] not in ("closed", "void") and row["member_id"] in alive:
            wid = int(row["member_id"])
            orders[wid] = orders.get(wid, 0) + 1
    return {
        "points": {wid: [count] for wid, count in orders.items()},
        "growth": {wid: [count] for wid, count in orders.items()},
        "balance": {wid: [count * 100] for wid, count in orders.items()},
        "coupon": {wid: [1] for wid in orders},
    }
