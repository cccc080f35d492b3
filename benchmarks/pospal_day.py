"""One shop's day of 50 000 tickets through the simulated Pospal: complete, once, to the cent, resumed after a kill.

    python benchmarks/pospal_day.py [--tickets 50000]

Prints what it checks and what it measured; exits with 1 when a check fails.
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
import resource
import tempfile
import time
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from hub.context import open_hub
from hub.pipeline.ingest import ingest
from hub.plugins import load_plugins
from hub.simulation.server import VirtualClock
from plugins.pos import pospal
from plugins.pos.pospal.simulator import PospalSimulator

DAY = dt.datetime(2026, 3, 4, 4, tzinfo=dt.timezone(dt.timedelta(hours=8)))
FIRST_UID = 73_983_541_200_000_000


class OneShop(PospalSimulator):
    """A shop without a world behind it."""

    view = ""


def ring_up(shop: OneShop, tickets: int, draw: random.Random) -> tuple[int, Decimal]:
    """Fill the day: voids, refunds, split payments, walk-ins; 20 tickets to the same second now and then."""
    counted, revenue = 0, Decimal(0)
    with shop.db.transaction():
        for number in range(tickets):
            at = DAY + dt.timedelta(seconds=number // 20 * 20 * 86_000 // max(tickets, 1))
            refund, void = number % 97 == 5, number % 211 == 7
            fen = draw.randrange(300, 9_000)
            row = _ticket(number, at, fen, refund=refund, void=void)
            shop.put_ticket("S01", row, sale=str(FIRST_UID + number - 1) if refund else None, told=False)
            counted += 1
            revenue += 0 if void else Decimal(-fen if refund else fen) / 100
    return counted, revenue


def _ticket(number: int, at: dt.datetime, fen: int, *, refund: bool, void: bool) -> dict[str, Any]:
    cash = fen // 2 if number % 13 == 0 else fen
    payments = [{"code": "payCode_1", "amount": cash / 100}]
    if cash != fen:
        payments.append({"code": "payCode_13", "amount": (fen - cash) / 100})
    return {
        "uid": FIRST_UID + number, "sn": f"{at:%Y%m%d%H%M%S}{number:06}", "datetime": f"{at:%Y-%m-%d %H:%M:%S}",
        "ticketType": "SELL_RETURN" if refund else "SELL", "invalid": int(void), "totalAmount": fen / 100, "discount": 100, "rounding": 0.0,
        "customerUid": 360_135_572_336_000_000 + number % 4_000 if number % 3 == 0 else 0, "cashierUid": 832_101_480_292_933_201,
        "remark": "", "externalOrderNo": "", "payments": payments,
        "items": [
            {"name": "茉莉绿茶", "sellPrice": fen / 100, "quantity": 1, "discount": 100, "totalAmount": fen / 100,
             "productUid": 379_659_791_803_681_560, "productBarcode": "T0101", "isWeighing": 0, "ticketitemattributes": []},
        ],
    }  # fmt: skip


def settings(shop: OneShop, calls_per_day: int) -> str:
    """The connection's table, and nothing else."""
    [one] = shop.shop_settings("https://example.com")
    keys = ", ".join(f'{key} = "{value}"' for key, value in one.items() if isinstance(value, str))
    return f"""[hub]
timezone = "Asia/Shanghai"
day_cutoff = "04:00"
[connections.till]
plugin = "pos.pospal"
calls_per_second = 1000
calls_per_day = {calls_per_day}
shops = [{{ {keys} }}]
tickets = {{ since = 2026-03-04, refund_links = false }}
"""


def hub_of(folder: Path, shop: OneShop, clock: VirtualClock, calls_per_day: int) -> Any:
    """Open a hub on the shop, in its time."""
    (folder / "hub.toml").write_text(settings(shop, calls_per_day), encoding="utf-8")
    plugins = load_plugins([])
    plugins.manager.register(pospal, name="pos.pospal")
    return open_hub(
        folder / "hub.toml", plugins=plugins, now=clock.now, sleep=clock.sleep, chance=random.Random(1), transport=shop.transport()
    )  # fmt: skip


def measure(folder: Path, tickets: int) -> Mapping[str, tuple[Any, Any]]:
    """Read the day, cut short by a quota half-way and taken up the next day; return what was expected and found."""
    clock = VirtualClock(DAY.timestamp() + 86_400 - 3_600)
    shop = OneShop(None, seed=5, clock=clock, shops=("S01",), state=folder / "platform.db")
    shop.open()
    counted, revenue = ring_up(shop, tickets, random.Random(7))
    half = tickets // 200 + 2
    began = time.process_time()
    with hub_of(folder, shop, clock, half) as hub:
        first = ingest(hub, streams=["tickets"])
        with hub.warehouse() as engine:
            halfway = int(engine.value("SELECT count(*) FROM orders"))
    clock.advance(86_400)
    with hub_of(folder, shop, clock, 100_000) as hub:
        second = ingest(hub, streams=["tickets"])
        with hub.warehouse() as engine:
            rows, distinct = engine.rows("SELECT count(*), count(DISTINCT source_id) FROM orders")[0]
            total = engine.value("SELECT sum(total_amount) FROM orders WHERE status <> 'void'")
            off = engine.value("SELECT count(*) FROM orders WHERE len(flags) > 0")
    seconds = time.process_time() - began
    calls = len(shop.journal.entries(endpoint="ticketOpenApi/queryTicketPages"))
    shop.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{tickets} tickets in {calls} calls, {seconds:.1f} s of processor time with the simulator, peak {peak:.0f} MiB"
    )
    return {
        "the first run is cut short by the quota": (True, bool(first.failed) and 0 < halfway < counted),
        "the second run fails in nothing": ([], [str(stream.error) for stream in second.failed]),
        "every ticket is there": (counted, rows),
        "and once": (counted, distinct),
        "turnover to the cent": (revenue, Decimal(str(total))),
        "no ticket is off": (0, off),
        "pages are not read twice": (True, calls <= tickets // 100 + 12),
    }


def main() -> int:
    """Run, print, and say whether everything held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=50_000)
    with tempfile.TemporaryDirectory(prefix="pospal-day-") as folder:
        checks = measure(Path(folder), parser.parse_args().tickets)
    for name, (expected, found) in checks.items():
        print(f"{'ok  ' if expected == found else 'FAIL'} {name}: {found}")
    return int(any(expected != found for expected, found in checks.values()))


if __name__ == "__main__":
    raise SystemExit(main())
