"""Segments and scores to a simulated platform: the dry run tells what is done, nothing changed means no call."""

from __future__ import annotations

from pathlib import Path

from platform_days import live, platforms


def test_what_is_planned_is_done_and_done_once(tmp_path: Path) -> None:
    """One platform that can be read back; ``benchmarks/push_platforms.py`` has all of them, and the next day."""
    with platforms(tmp_path / "chain", ("wecom",), days=3) as demo:
        planned = live(demo, next_day=True)
    assert set(planned["first day"]) == {"wecom_tags", "wecom_remarks"}
