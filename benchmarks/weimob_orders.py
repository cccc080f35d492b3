"""Read 100,000 Weimob orders of 90 days, 15,000 of them on one day, from the simulated platform, across its caps.

Prints whether they came completely and exactly once, and the calls made over the fewest possible; fails where they did not::

    python benchmarks/weimob_orders.py [orders]
"""

from __future__ import annotations

import datetime as dt
import math
import sys
import tempfile
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

from hub.http import MemoryTokenStore
from hub.records import Order
from hub.runtime import Runtime
from hub.simulation.server import VirtualClock
from hub.simulation.world import World
from plugins.weimob.config import WeimobConfig
from plugins.weimob.simulator import WeimobSimulator
from plugins.weimob.source import WeimobSource

DAY = 86_400.0
DAYS = 90
PAGE = 100


def fill(sim: WeimobSimulator, orders: int, end: float) -> float:
    """Spread the orders over the days, 15 % of them on the 41st; return the first moment."""
    begin = end - DAYS * DAY
    crowded = orders * 3 // 20
    sim.act("copy_orders", count=orders - crowded, start=begin, end=end, series=1)
    sim.act("copy_orders", count=crowded, start=begin + 40 * DAY, end=begin + 41 * DAY, series=2)
    return begin


def source_of(sim: WeimobSimulator, clock: VirtualClock, folder: Path, since: float) -> WeimobSource:
    day = dt.datetime.fromtimestamp(since, dt.UTC).date() - dt.timedelta(days=1)
    settings = {"orders": {"since": day.isoformat(), "window_hours": 720}, "calls_per_second": 10}
    config = WeimobConfig.model_validate({**sim.credentials, "base_url": "https://dopen.weimob.com", **settings})
    runtime = Runtime(
        connection="weimob", scratch=folder, base=folder, now=clock.now, sleep=clock.sleep, tokens=MemoryTokenStore(),
        transport=sim.transport(),
    )  # fmt: skip
    return WeimobSource(config, runtime)


def read(source: WeimobSource) -> tuple[Counter[str], Decimal]:
    stream = next(stream for stream in source.streams() if stream.name == "orders")
    seen: Counter[str] = Counter()
    amount = Decimal(0)
    for page in stream.read({}):
        seen.update(record.source_id for record in page.records)
        amount += sum((record.total_amount for record in page.records if isinstance(record, Order)), Decimal(0))
    return seen, amount


def main(orders: int = 100_000) -> None:
    world = World.generate(1500, 11, days=60, profile="fashion")
    clock = VirtualClock(world.end.timestamp() + 3600)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with WeimobSimulator(world, state=folder / "weimob.db", seed=5, clock=clock) as sim:
            begin = fill(sim, orders, clock.time() - 1800)
            source = source_of(sim, clock, folder, begin)
            started, virtual = time.perf_counter(), clock.time()
            seen, amount = read(source)
            seconds, virtual = time.perf_counter() - started, clock.time() - virtual
            source.close()
            every = {str(row[0]): row[1] for row in sim.db.rows("SELECT order_no, paid_fen FROM orders")}
            fen = sum(every.values())
            calls, least = sim.journal.counts()["weimob_shop/order/list/search"].calls, math.ceil(len(every) / PAGE)
    print(f"orders on the platform {len(every):,}, read {seen.total():,}, different {len(seen):,}")
    print(f"amount on the platform {Decimal(fen) / 100:,}, read {amount:,}")
    print(f"list calls {calls:,}, fewest possible {least:,}, ratio {calls / least:.3f}")
    print(f"{seconds:.0f} s here; {virtual:.0f} s of platform time at 10 calls per second")
    if len(every) < orders or seen.keys() != every.keys() or seen.total() != len(seen) or amount != Decimal(fen) / 100:
        raise SystemExit("not complete and exactly once")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
