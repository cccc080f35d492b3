"""WeCom at the size of a middling chain: 20 000 customers over 120 guides, read twice, and 10 000 of them tagged.

Prints the calls made and the fewest that the API allows, the time they take within the rate budget (virtual), and the time
this machine needs (real). The simulated corp runs in the same process, so the real time includes its work.

Run: .venv/bin/python benchmarks/wecom.py
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "wecom"))

from wecom_rig import Rig, chain, customer, guide, rig, tags_of

from hub.pipeline.ingest import ingest
from hub.pipeline.publish import publish
from hub.pipeline.push import SyncReport, push
from hub.pipeline.resolve import resolve
from hub.pipeline.score import score
from hub.pipeline.segment import segment

CUSTOMERS, GUIDES, TAGGED = 20_000, 120, 10_000
SWITCHES = 30
"""A customer with two guides and no gender."""
SYNC = """
[segments.women]
where = "gender = 'female'"
[segments.men]
where = "gender = 'male'"
[segments.others]
where = "gender IS NULL"

[syncs.tags]
to = "wecom"
target = "tag"
key = "profile"
where = "belonging_guide_id < 'guide_060'"
segments = ["women", "men", "others"]
fields = { segments = "segments", guide = "belonging_guide_id" }
"""


def relations() -> list[tuple[int, int]]:
    """Each customer has a guide, every tenth two."""
    first = [(number % GUIDES, number) for number in range(CUSTOMERS)]
    second = [((number * 7 + 3) % GUIDES, number) for number in range(0, CUSTOMERS, 10)]
    return sorted({*first, *second}, key=lambda pair: pair[1])


@contextmanager
def timed(rig: Rig, what: str) -> Iterator[None]:
    """Print how long something took, in the corp's time and in ours."""
    virtual, real = rig.clock.time(), time.perf_counter()
    yield
    print(
        f"{what}: {rig.clock.time() - virtual:.1f} s within the budget, {time.perf_counter() - real:.1f} s on this machine"
    )


def read_twice(rig: Rig) -> None:
    """Read all customers, let three change, and read again."""
    by_guide = [rig.corp.db.value("SELECT count(*) FROM relations WHERE userid = ?", guide(n)) for n in range(GUIDES)]
    least = sum(math.ceil(sum(by_guide[start : start + 100]) / 100) for start in range(0, GUIDES, 100))
    with rig.hub() as hub:
        with timed(rig, "first read"):
            report = ingest(hub, ["wecom"], ["customers"])
        calls = rig.calls("batch/get_by_user")
        print(f"  {report.streams[0].records} profiles; calls {calls}, fewest possible {least}: {calls / least:.3f}")
        rig.corp.act("edits", userid=guide(1), external_userid=customer(1), description="喜欢连衣裙")
        rig.corp.act("drops", userid=guide(2), external_userid=customer(2))
        rig.corp.act("adds", userid=guide(3), name="新客")
        with timed(rig, "second read"):
            report = ingest(hub, ["wecom"], ["customers"])
        print(f"  given: {report.streams[0].records} rows; in the warehouse: {report.loaded['wecom/profiles']}")


def push_segments(rig: Rig) -> SyncReport:
    """Resolve, segment, publish and push what the last read has brought."""
    with rig.hub(SYNC) as hub:
        ingest(hub, ["wecom"], ["customers"])
        resolve(hub)
        score(hub)
        segment(hub)
        publish(hub)
        return push(hub).syncs[0]


def tag(rig: Rig) -> None:
    """Tag half of the customers with three segments, then let one of them change the segment."""
    with timed(rig, f"three segments for {TAGGED} customers, all stages"):
        report = push_segments(rig)
    marks = rig.corp.journal.writes("mark_tag")
    print(f"  {report.outcomes}; mark_tag calls {marks}, relations tagged {len(tags_of(rig.corp))}")
    rig.corp.db.execute("UPDATE contacts SET gender = 2 WHERE id = ?", customer(SWITCHES))
    relations = rig.corp.db.value("SELECT count(*) FROM relations WHERE id = ?", customer(SWITCHES))
    with timed(rig, "one customer switches segment, all stages"):
        report = push_segments(rig)
    print(
        f"  {report.outcomes}; mark_tag calls {rig.corp.journal.writes('mark_tag') - marks} for {relations} relations"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, rig(Path(folder), chain(staff=GUIDES, follows=relations())) as corp:
        read_twice(corp)
        tag(corp)
