"""Read 200,000 Youzan orders of 90 days, 30,000 of them on one day, from the simulated platform.

Prints whether they came completely and exactly once, and the calls made over the fewest possible::

    python benchmarks/youzan_orders.py [orders]
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
from plugins.youzan.config import YouzanConfig
from plugins.youzan.simulator import YouzanSimulator
from plugins.youzan.source import YouzanSource

DAY = 86_400.0
DAYS = 90
PAGE = 100


def fill(sim: YouzanSimulator, orders: int, end: float) -> float:
    """Spread the orders over the days, 15 % of them on the 41st; return the first moment."""
    begin = end - DAYS * DAY
    crowded = orders * 3 // 20
    sim.act("copy_trades", count=orders - crowded, start=begin, end=end, series="a")
    sim.act("copy_trades", count=crowded, start=begin + 40 * DAY, end=begin + 41 * DAY, series="b")
    return begin


def source_of(sim: YouzanSimulator, clock: VirtualClock, folder: Path, since: float) -> YouzanSource:
    day = dt.datetime.fromtimestamp(since, dt.UTC).date() - dt.timedelta(days=1)
    settings = {"orders": {"since": day.isoformat(), "details": "never"}, "calls_per_second": 20}
    config = YouzanConfig.model_validate({**sim.credentials, "base_url": "https://open.youzanyun.com", **settings})
    runtime = Runtime(
        connection="youzan",
        scratch=folder,
        now=clock.now,
        sleep=clock.sleep,
        tokens=MemoryTokenStore(),
        transport=sim.transport(),
    )
    return YouzanSource(config, runtime)


def read(source: YouzanSource) -> tuple[Counter[str], Decimal]:
    stream = next(stream for stream in source.streams() if stream.name == "orders")
    seen: Counter[str] = Counter()
    amount = Decimal(0)
    for page in stream.read({}):
        seen.update(record.source_id for record in page.records)
        amount += sum((record.total_amount for record in page.records if isinstance(record, Order)), Decimal(0))
    return seen, amount


def main(orders: int = 200_000) -> None:
    world = World.generate(1200, 11, days=60, profile="tea")
    clock = VirtualClock(world.end.timestamp() + 3600)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with YouzanSimulator(world, state=folder / "youzan.db", seed=5, clock=clock) as sim:
            begin = fill(sim, orders, clock.time() - 1800)
            total = sim.db.value("SELECT count(*) FROM trades WHERE updated >= ?", begin - 2 * DAY)
            fen = sim.db.value("SELECT sum(paid_fen) FROM trades")
            source = source_of(sim, clock, folder, begin)
            started, virtual = time.perf_counter(), clock.time()
            seen, amount = read(source)
            seconds, virtual = time.perf_counter() - started, clock.time() - virtual
            source.close()
            every = sim.db.value("SELECT count(*) FROM trades")
            calls, least = sim.journal.counts()["trades.sold.get"].calls, math.ceil(every / PAGE)
    print(f"orders on the platform {every:,} (of these days {total:,}), read {seen.total():,}, different {len(seen):,}")
    print(f"amount on the platform {Decimal(fen) / 100:,}, read {amount:,}")
    print(f"list calls {calls:,}, fewest possible {least:,}, ratio {calls / least:.3f}")
    print(f"{seconds:.0f} s here; {virtual:.0f} s of platform time at 20 calls per second")
    if every != seen.total() or len(seen) != every or amount != Decimal(fen) / 100:
        raise SystemExit("not complete and exactly once")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
