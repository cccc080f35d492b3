"""How many of 50,000 Weimob members can be seen where the search is capped at 10,000: after a full run, and after one more day.

Half of the members have bought, in orders of the last 90 days; on the day after, some of the others buy for the first time. Prints what
the source says of its coverage beside the truth, with a search that cannot be cut by time and with one that can; fails where they
differ::

    python benchmarks/weimob_members.py [members]
"""

from __future__ import annotations

import datetime as dt
import re
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.http import MemoryTokenStore
from hub.runtime import Runtime
from hub.simulation.server import VirtualClock
from hub.simulation.world import World
from plugins.weimob.config import WeimobConfig
from plugins.weimob.simulator import WeimobSimulator
from plugins.weimob.source import WeimobSource

DAY = 86_400.0
FIRST = 5_000_000_000_000_000_001
PLAIN = {"tags": False, "channels": False, "cards": False, "points": False}
"""Base data only: what is counted here is who is found."""


def fill(sim: WeimobSimulator, clock: VirtualClock, members: int) -> None:
    """Let members come over a year, and every second of them buy once in the last 90 days."""
    end = clock.time() - 1800
    sim.act("copy_members", count=members, start=end - 365 * DAY, end=end)
    buyers = list(range(FIRST, FIRST + members, 2))
    sim.act("copy_orders", count=len(buyers), start=end - 90 * DAY, end=end, series=1, buyers=buyers)


def source_of(sim: WeimobSimulator, clock: VirtualClock, folder: Path) -> WeimobSource:
    begin = dt.datetime.fromtimestamp(clock.time() - 100 * DAY, dt.UTC).date()
    settings = {
        "orders": {"since": begin.isoformat(), "window_hours": 720},
        "calls_per_second": 1000,
        "customers": PLAIN,
    }
    config = WeimobConfig.model_validate({**sim.credentials, "base_url": "https://dopen.weimob.com", **settings})
    runtime = Runtime(
        connection="weimob", scratch=folder, base=folder, now=clock.now, sleep=clock.sleep, tokens=MemoryTokenStore(),
        transport=sim.transport(),
    )  # fmt: skip
    return WeimobSource(config, runtime)


def read(source: WeimobSource, state: Mapping[str, Any], seen: set[str]) -> tuple[dict[str, Any], str]:
    stream = next(stream for stream in source.streams() if stream.name == "customers")
    told, cursor = "", dict(state)
    for page in stream.read(state):
        seen |= {record.source_id for record in page.records}
        seen -= set(page.deletions)
        cursor = dict(page.cursor) if page.cursor is not None else cursor
        told = next((note for note in page.notes if note.startswith("Coverage")), told)
    return cursor, told


def compare(sim: WeimobSimulator, told: str, seen: set[str], when: str) -> None:
    """Print what the source says beside the truth.

    Raises:
        SystemExit: they differ.
    """
    alive = {str(row[0]) for row in sim.db.rows("SELECT wid FROM customers WHERE status = 'active'")}
    truth = (len(seen & alive), len(alive))
    found = re.match(r"Coverage: ([\d,]+) of ([\d,]+) customers", told)
    said = tuple(int(number.replace(",", "")) for number in found.groups()) if found else (0, 0)
    print(f"{when}: truth {truth[0]:,} of {truth[1]:,} ({truth[0] / truth[1]:.1%})\n  {told}")
    if said != truth:
        raise SystemExit("what the source says of its coverage is not true")


def run(members: int, *, by_time: bool) -> None:
    """Measure one platform."""
    world = World.generate(1500, 11, days=60, profile="fashion")
    clock = VirtualClock(world.end.timestamp() + 3600)
    print(f"search {'cut by time' if by_time else 'that cannot be cut'}, capped at 10,000:")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with WeimobSimulator(world, state=folder / "weimob.db", seed=5, clock=clock, search_by_time=by_time) as sim:
            fill(sim, clock, members)
            source, seen = source_of(sim, clock, folder), set[str]()
            started = time.perf_counter()
            state, told = read(source, {}, seen)
            compare(sim, told, seen, f"after a full run ({time.perf_counter() - started:.0f} s)")
            clock.advance(DAY)
            late = list(range(FIRST + 1, FIRST + members, 50))
            sim.act(
                "copy_orders",
                count=len(late),
                start=clock.time() - DAY / 2,
                end=clock.time() - 3600,
                series=2,
                buyers=late,
            )
            started = time.perf_counter()
            _, told = read(source, state, seen)
            compare(sim, told, seen, f"after one more day ({time.perf_counter() - started:.0f} s)")
            source.close()


def main(members: int = 50_000) -> None:
    run(members, by_time=False)
    run(members, by_time=True)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
