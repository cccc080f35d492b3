"""Three segments and scores to simulated platforms, day after day: what the tests and the benchmark of it share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hub.demo import Demo, open_demo
from hub.pipeline.push import push
from hub.pipeline.push_report import SyncReport
from hub.pipeline.reconcile import reconcile
from hub.pipeline.run import run

ALL = ("pos.pospal", "wecom", "weimob", "youzan")
SEGMENTS = """
[segments.often]
where = "orders_life > 2"
[segments.rarely]
where = "orders_life BETWEEN 1 AND 2"
[segments.never]
where = "coalesce(orders_life, 0) = 0"
"""


@contextmanager
def platforms(folder: Path, names: Sequence[str], days: int) -> Iterator[Demo]:
    """A small chain with these platforms; the segments they get are such that everybody is in one."""
    with open_demo(folder, people=200, days=days, seed=7, only=names) as running:
        text = running.config.read_text(encoding="utf-8")
        text = re.sub(r'segments = \["rfm_[^\]]*\]', 'segments = ["often", "rarely", "never"]', text)
        running.config.write_text(text + SEGMENTS, encoding="utf-8")
        yield running


def day(demo: Demo) -> dict[str, SyncReport]:
    """Run every stage for the chain's present instant; the push first as a dry run, then in earnest."""
    for platform in demo.platforms:
        platform.move_to(demo.moment)
    with demo.hub() as hub:
        demo.wait((demo.moment - hub.now()).total_seconds())
        planned = run(hub, as_of=demo.moment, dry_run=True)
        assert planned.error is None
        before = {report.sync: report for report in planned.push.syncs}
        after = {report.sync: report for report in push(hub).syncs}
    for name, report in after.items():
        assert report.error is None, f"{name}: {report.error}"
        assert before[name].planned == report.planned, name
        assert sum(report.outcomes.values()) == report.planned.to_do, name
    return after


def calls(demo: Demo) -> int:
    """How many calls the platforms have got."""
    return sum(counts.calls for platform in demo.platforms for counts in platform.journal.counts().values())  # type: ignore[attr-defined]


def live(demo: Demo, *, next_day: bool = True) -> dict[str, dict[str, int]]:
    """Push on the first day, once more, and on the next day; check each; return what was planned by day and sync."""
    first = day(demo)
    sent = {name: report.planned.create for name, report in first.items()}
    # Every platform gets something: segments as tags, and scores where it has a place for them.
    for platform in demo.platforms:
        assert sum(platform.received().values()) > 0, platform.name

    told = calls(demo)
    with demo.hub() as hub:
        again = push(hub).syncs
    assert [report.sync for report in again if report.outcomes] == []
    assert calls(demo) == told, "nothing changed: not one call"

    planned = {"first day": sent}
    if next_day:
        demo.next_day()
        third = day(demo)
        changed = {name: report.planned.to_do for name, report in third.items()}
        assert 0 < sum(changed.values()) < sum(sent.values())
        planned["next day"] = changed

    with demo.hub() as hub:
        readable = [name for name in first if name.endswith("_tags") and name.startswith(("wecom", "youzan"))]
        for name in readable:
            assert reconcile(hub, name).drift.drifted == 0, name
    return planned
