"""The result of each stage as a person reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.pipeline.ingest import IngestReport, StreamReport
    from hub.pipeline.publish import PublishReport
    from hub.pipeline.push import PushReport
    from hub.pipeline.resolve import ResolveReport
    from hub.pipeline.score import ScoreReport
    from hub.pipeline.segment import SegmentReport
    from hub.show.screen import Screen

__all__ = [
    "STAGE_SCREENS",
    "show_ingest",
    "show_publish",
    "show_push",
    "show_resolve",
    "show_score",
    "show_segment",
    "show_segment_diff",
    "stream_subject",
]


def show_ingest(screen: Screen, report: IngestReport) -> None:
    """Write what was read, stream by stream, and what it changed in the warehouse."""
    screen.table(
        ("Stream", ">Records", ">Rejected", ">Packages", "Result"),
        [(stream_subject(s), s.records, s.rejects, s.packages, s.state) for s in report.streams],
    )
    if report.loaded:
        screen.line()
        screen.table(
            ("Warehouse", ">Inserted", ">Updated", ">Unchanged", ">Deleted"),
            [(name, c.inserted, c.updated, c.unchanged, c.deleted) for name, c in report.loaded.items()],
        )
    screen.notes(f"{stream_subject(s)}: {note}" for s in report.streams for note in s.notes)
    screen.notes(report.notes)
    if any(stream.rejects for stream in report.streams):
        screen.line("Why rows were rejected: hub rejects")


def show_resolve(screen: Screen, report: ResolveReport) -> None:
    """Write how many customers there are and what happened to them."""
    happened = {name: count for name, count in report.events.items() if count}
    screen.facts(
        {
            "Customers": report.customers,
            "Profiles": report.profiles,
            "Looked at": report.changed,
            "Largest looked at": f"{report.largest} profiles" if report.largest > 1 else None,
            "What happened": happened or "nothing changed",
            "To review": f"{report.review:,} joins a person should look at" if report.review else None,
        }
    )


def show_score(screen: Screen, report: ScoreReport) -> None:
    """Write how many customers were scored, for how many something changed, and which orders no score counts."""
    from hub.warehouse.left_out import LEFT_OUT

    screen.facts(
        {
            "As of": report.as_of,
            "Customers": report.customers,
            "Scored by": dict(report.scorers) or "no scorer is installed",
            "Changed": report.changed,
            "Orders left out": {LEFT_OUT[name]: count for name, count in report.left_out.items()} or None,
        }
    )


def show_segment(screen: Screen, report: SegmentReport) -> None:
    """Write the size of every segment, and how many entered and left."""
    screen.table(
        ("Segment", "Title", ">Members", ">Entered", ">Left"),
        [(s.segment.name, s.segment.title, s.members, s.entered, s.left) for s in report.sizes],
        empty="There is no segment.",
    )
    screen.notes(report.notes)


def show_segment_diff(screen: Screen, report: SegmentReport) -> None:
    """Write the segments that somebody would enter or leave."""
    screen.table(
        ("Segment", "Title", ">Members then", ">Would enter", ">Would leave"),
        [(s.segment.name, s.segment.title, s.members, s.entered, s.left) for s in report.sizes if s.entered or s.left],
        empty="Nobody would enter or leave a segment.",
    )
    screen.notes(report.notes)


def show_publish(screen: Screen, report: PublishReport) -> None:
    """Write which snapshot is current and what it holds."""
    screen.facts(
        {
            "Snapshot": f"{report.snapshot} ({'new' if report.is_new else 'nothing changed, still current'})",
            "As of": report.as_of,
            "Rows": report.counts,
            "Removed": f"{report.pruned} old snapshots" if report.pruned else None,
        }
    )


def show_push(screen: Screen, report: PushReport) -> None:
    """Write what was planned and what became of it, sync by sync."""
    screen.table(
        ("Sync", ">New", ">Changed", ">Gone", ">Same", ">Invalid", ">Held back", ">Waiting", "Result"),
        [
            (s.sync, s.planned.create, s.planned.update, s.planned.delete, s.planned.unchanged, s.planned.invalid,
             s.planned.suppressed, s.planned.waiting, "planned only" if report.dry_run and s.error is None else s.state)
            for s in report.syncs
        ],
    )  # fmt: skip
    for sync in report.syncs:
        if sync.outcomes:
            screen.line(
                f"{sync.sync}: " + ", ".join(f"{count:,} {name}" for name, count in sorted(sync.outcomes.items()))
            )
        if sync.planned.given_up:
            screen.notes(
                [f"{sync.sync}: {sync.planned.given_up:,} rows were refused for too long and wait for a change."]
            )
        screen.notes(f"{sync.sync}: {note}" for note in sync.planned.notes)
        if sync.recovered:
            screen.notes([f"{sync.sync}: {sync.recovered:,} rows of an interrupted run were settled first."])
    if report.dry_run:
        screen.line("Nothing was sent.", "dim")


def stream_subject(report: StreamReport) -> str:
    """Return what was read, as people name it: ``pos/orders``, with its part behind."""
    return "/".join(part for part in (report.connection, report.stream, report.partition) if part)


STAGE_SCREENS: dict[str, Callable[[Screen, Any], None]] = {
    "ingest": show_ingest,
    "resolve": show_resolve,
    "score": show_score,
    "segment": show_segment,
    "publish": show_publish,
    "push": show_push,
}
"""How each stage's report is shown, in the order of the stages."""
