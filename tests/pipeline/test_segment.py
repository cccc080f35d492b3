"""Segments: who is in, since when, who entered and left; wrong conditions are all told at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from analysts import customers_are, office, scorer, segment, table
from crm import Wall
from toy import MORNING

from hub.errors import ConfigError
from hub.pipeline.score import score
from hub.pipeline.segment import SegmentReport
from hub.pipeline.segment import segment as segment_stage
from hub.scorer import TraitType

LENGTH = scorer(
    "length", {"letters": TraitType.INTEGER}, "SELECT customer_id, nullif(length(name), 9) AS letters FROM customers"
)
SHORT, LONG = segment("short", "letters < 4"), segment("long", "letters >= 4")


def sizes(report: SegmentReport) -> dict[str, tuple[int, int, int]]:
    """Members, entered and left by segment."""
    return {size.segment.name: (size.members, size.entered, size.left) for size in report.sizes}


def test_customers_enter_and_leave(tmp_path: Path, clock: Wall) -> None:
    with office(tmp_path, LENGTH, segments=[SHORT, LONG], clock=clock) as hub:
        customers_are(hub, "anna", "bo")
        score(hub)
        assert sizes(segment_stage(hub)) == {"short": (1, 1, 0), "long": (1, 1, 0)}
        clock.advance(hours=1)
        customers_are(hub, "anna", "cyril")
        score(hub)
        clock.advance(hours=1)
        report = segment_stage(hub)
        assert sizes(report) == {"short": (0, 0, 1), "long": (2, 1, 0)}
        assert report.changed == 2
        first, second, seen = MORNING, MORNING.replace(hour=10), MORNING.replace(hour=11)
        assert table(hub, "SELECT segment, customer_id, since FROM members ORDER BY ALL") == [
            ("long", "anna", first),
            ("long", "cyril", second),
        ]
        assert table(hub, "SELECT happened_at, as_of, segment, customer_id, event FROM member_events ORDER BY ALL") == [
            (first, first, "long", "anna", "entered"),
            (first, first, "short", "bo", "entered"),
            (seen, second, "long", "cyril", "entered"),
            (seen, second, "short", "bo", "left"),
        ]


def test_nothing_changed_means_nothing_written(tmp_path: Path, clock: Wall) -> None:
    with office(tmp_path, LENGTH, segments=[SHORT], clock=clock) as hub:
        customers_are(hub, "bo")
        score(hub)
        segment_stage(hub)
        before = table(hub, "SELECT rowid, * FROM members"), table(hub, "FROM member_events")
        clock.advance(days=1)
        score(hub)
        assert segment_stage(hub).changed == 0
        assert (table(hub, "SELECT rowid, * FROM members"), table(hub, "FROM member_events")) == before


def test_whoever_has_no_trait_is_in_no_segment_about_it(tmp_path: Path) -> None:
    with office(tmp_path, LENGTH, segments=[SHORT, LONG, segment("unknown", "letters IS NULL")]) as hub:
        customers_are(hub, "wilhelmin", "bo")
        score(hub)
        assert {name: size[0] for name, size in sizes(segment_stage(hub)).items()} == {
            "short": 1,
            "long": 0,
            "unknown": 1,
        }


def test_members_of_a_segment_that_is_gone_leave(tmp_path: Path) -> None:
    with office(tmp_path, LENGTH, segments=[SHORT]) as hub:
        customers_are(hub, "bo")
        score(hub)
        segment_stage(hub)
    with office(tmp_path, LENGTH) as hub:
        assert sizes(segment_stage(hub)) == {}
        assert table(hub, "FROM members") == []
        assert table(hub, "SELECT event FROM member_events ORDER BY ALL") == [("entered",), ("left",)]


def test_own_segments_win_over_ready_made_ones(tmp_path: Path) -> None:
    config = '[segments.short]\nwhere = "letters < 3"\ntitle = "Very short"'
    with office(tmp_path, LENGTH, segments=[SHORT], config=config) as hub:
        customers_are(hub, "bo", "eve")
        score(hub)
        report = segment_stage(hub)
        assert sizes(report) == {"short": (1, 1, 0)}
        assert report.sizes[0].segment.title.en == "Very short"


def test_every_wrong_condition_is_told(tmp_path: Path) -> None:
    config = "\n".join(
        f'[segments.{name}]\nwhere = "{where}"'
        for name, where in {
            "typo": "leters > 1",
            "call": "read_csv(letters)",
            "half": "letters >",
            "fine": "letters = 1",
        }.items()
    )
    with office(tmp_path, LENGTH, config=config) as hub:
        score(hub)
        with pytest.raises(ConfigError) as caught:
            segment_stage(hub)
    told = {problem.key: problem.message for problem in caught.value.problems}
    assert told.keys() == {"segments.typo.where", "segments.call.where", "segments.half.where"}
    assert "did you mean 'letters'" in told["segments.typo.where"]


def test_every_condition_that_cannot_be_evaluated_is_told_and_nobody_moves(tmp_path: Path) -> None:
    with office(tmp_path, LENGTH, segments=[SHORT]) as hub:
        customers_are(hub, "bo")
        score(hub)
        segment_stage(hub)
    wrong = [SHORT, segment("words", "letters = 'many'"), segment("cast", "CAST(name AS INTEGER) > 5"), LONG]
    with office(tmp_path, LENGTH, segments=wrong) as hub:
        with pytest.raises(ConfigError) as caught:
            segment_stage(hub)
        assert [problem.key for problem in caught.value.problems] == ["segments.cast.where", "segments.words.where"]
        assert "'bo'" not in str(caught.value), "the value that does not fit is somebody's"
        assert table(hub, "SELECT segment, customer_id FROM members") == [("short", "bo")]


def test_segments_of_one_family_that_overlap_are_noted(tmp_path: Path) -> None:
    both = [
        segment("short", "letters < 4", "size"),
        segment("tiny", "letters < 3", "size"),
        segment("other", "letters < 3"),
    ]
    with office(tmp_path, LENGTH, segments=both) as hub:
        customers_are(hub, "bo", "al", "eve")
        score(hub)
        report = segment_stage(hub)
        assert report.notes == ["family size: 2 customers are in more than one of its segments."]
        assert hub.store.runs.list(stage="segment")[0].notes == report.notes


def test_without_segments_scores_or_customers_there_is_nothing_to_do(tmp_path: Path) -> None:
    with office(tmp_path) as hub:
        assert sizes(segment_stage(hub)) == {}
    with office(tmp_path, segments=[segment("all", "customer_id IS NOT NULL")]) as hub:
        assert sizes(segment_stage(hub)) == {"all": (0, 0, 0)}
