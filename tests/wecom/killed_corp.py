"""The work of a process that is killed: three segments to the tags of a corp whose state is a file."""

from __future__ import annotations

from pathlib import Path

from wecom_rig import Rig, TinyChain, chain, rig, tags_of

from hub.pipeline.ingest import ingest
from hub.pipeline.publish import publish
from hub.pipeline.push import SyncReport, push
from hub.pipeline.resolve import resolve
from hub.pipeline.score import score
from hub.pipeline.segment import segment

CUSTOMERS = 60
SYNC = """
[connections.wecom.tags]
names = { women = "女客", men = "男客", others = "未知" }

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
segments = ["women", "men", "others"]
fields = { segments = "segments", guide = "belonging_guide_id" }
"""


def world() -> TinyChain:
    """Sixty customers over four guides; every tenth has a second one."""
    pairs = {(n % 4, n) for n in range(CUSTOMERS)} | {((n + 1) % 4, n) for n in range(0, CUSTOMERS, 10)}
    return chain(staff=4, follows=sorted(pairs, key=lambda pair: pair[1]))


def flow(corp: Rig) -> SyncReport:
    """Read, resolve, segment, publish and push."""
    with corp.hub(SYNC) as hub:
        assert ingest(hub, ["wecom"], ["customers"]).failed == []
        resolve(hub)
        score(hub)
        segment(hub)
        publish(hub)
        return push(hub).syncs[0]


def work(folder: Path, hours: float) -> None:
    """Do it all, that many hours later than the first time."""
    with rig(folder, world(), state=folder / "corp.db", hours=hours) as corp:
        report = flow(corp)
        assert report.error is None, report.error


def outcome(folder: Path) -> dict[tuple[str, str], list[str]]:
    """The tags that there are in the end."""
    with rig(folder, world(), state=folder / "corp.db") as corp:
        return tags_of(corp.corp)
