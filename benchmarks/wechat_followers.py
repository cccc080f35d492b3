"""Read 100,000 followers of a simulated official account, tag half of them, and take the tags away again.

Prints whether everybody came exactly once and the account holds just the wanted tags, and the calls made over the fewest possible::

    python benchmarks/wechat_followers.py [followers]
"""

from __future__ import annotations

import datetime as dt
import math
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from hub.destination import Operation, OperationKind, OutcomeStatus
from hub.http import MemoryTokenStore
from hub.runtime import Runtime
from hub.simulation.server import VirtualClock
from hub.simulation.world import World
from plugins.wechat.config import WechatConfig
from plugins.wechat.destination import WechatDestination
from plugins.wechat.simulator import WechatSimulator
from plugins.wechat.source import WechatSource

LIST, DETAILS, TAGGING, BATCH = 10_000, 100, 50, 500


def fill(sim: WechatSimulator, followers: int, until: float) -> list[str]:
    """Add followers, two a minute; return everybody who follows, in order."""
    for number in range(followers):
        sim.put_follower(f"oB{number:026d}", int(until) - (followers - number) * 30, unionid=f"oU{number:026d}")
    return [
        row["openid"] for row in sim.db.rows("SELECT openid FROM followers WHERE following ORDER BY followed, number")
    ]


def runtime_of(sim: WechatSimulator, clock: VirtualClock, folder: Path) -> Runtime:
    return Runtime(
        connection="wechat",
        scratch=folder,
        base=folder,
        now=lambda: dt.datetime.fromtimestamp(clock.time(), dt.UTC),
        sleep=clock.sleep,
        tokens=MemoryTokenStore(),
        transport=sim.transport(),
    )


def batches(openids: list[str], kind: OperationKind) -> Iterator[list[Operation]]:
    for start in range(0, len(openids), BATCH):
        part = openids[start : start + BATCH]
        yield [Operation(f"{kind}-{key}", f"b{start}", kind, key, {"segments": ["rfm_champions"]}, key) for key in part]


def push(destination: WechatDestination, openids: list[str], kind: OperationKind) -> Counter[OutcomeStatus]:
    target = next(each for each in destination.targets() if each.name == "tag")
    return Counter(outcome.status for batch in batches(openids, kind) for outcome in destination.write(target, batch))


def main(followers: int = 100_000) -> None:
    world = World.generate(1200, 11, days=30)
    clock = VirtualClock(world.end.timestamp() + 10 * 3600)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with WechatSimulator(world, state=folder / "wechat.db", seed=5, clock=clock) as sim:
            everybody = fill(sim, followers, clock.time())
            config = WechatConfig.model_validate({**sim.connection(sim.base_url), "calls_per_second": 100})
            source, destination = (
                kind(config, runtime_of(sim, clock, folder)) for kind in (WechatSource, WechatDestination)
            )
            started = time.perf_counter()
            stream = next(each for each in source.streams() if each.name == "followers")
            seen = Counter(record.source_id for page in stream.read({}) for record in page.records)
            read = time.perf_counter() - started
            wanted = everybody[::2]
            started = time.perf_counter()
            given = push(destination, wanted, OperationKind.CREATE)
            pushed = time.perf_counter() - started
            target = destination.targets()[0]
            back = {row.key for row in destination.read_back(target)}
            taken = push(destination, wanted, OperationKind.DELETE)
            left = sum(1 for _ in destination.read_back(target))
            source.close()
            destination.close()
            counts = sim.journal.counts()
    lists, details = counts["/cgi-bin/user/get"].calls, counts["/cgi-bin/user/info/batchget"].calls
    tagging = counts["/cgi-bin/tags/members/batchtagging"].calls
    least = math.ceil(len(everybody) / LIST) + 1
    looks = sum(math.ceil(min(BATCH, len(wanted) - start) / DETAILS) for start in range(0, len(wanted), BATCH))
    asked = math.ceil(len(everybody) / DETAILS) + 2 * looks
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"followers {len(everybody):,}, read {seen.total():,}, different {len(seen):,}, in {read:.1f} s")
    print(f"list calls {lists} (fewest {least}), detail calls {details:,} (fewest {asked:,})")
    print(
        f"tagged {given}, in {pushed:.1f} s with {tagging:,} calls (fewest {math.ceil(len(wanted) / TAGGING):,}); read back {len(back):,}"
    )
    print(f"taken away {taken}; left {left}; peak {peak:.0f} MiB, simulator included")
    accepted = {OutcomeStatus.ACCEPTED: len(wanted)}
    if seen != Counter(everybody) or given != accepted or taken != accepted or back != set(wanted) or left:
        raise SystemExit("not complete, exactly once and just the wanted tags")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
