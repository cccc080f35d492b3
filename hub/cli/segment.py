"""``hub segment``: who is in which segment; which segments there are; how many a condition would find."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.answer import Answer
from hub.cli.app import STAGES, verb
from hub.cli.session import Session
from hub.errors import ConfigError, Problem
from hub.show.stages import show_segment, show_segment_diff

if TYPE_CHECKING:
    from hub.context import Hub
    from hub.segments import Segment
    from hub.show.screen import Screen

__all__ = [
    "segment",
]

_SAMPLE = 10


_ACTIONS = ("list", "preview", "diff")


@verb(STAGES, "hub segment", "hub segment list", 'hub segment preview "rfm_r_score >= 4"', "hub segment diff")
def segment(
    session: Session,
    action: Annotated[
        str | None,
        typer.Argument(
            metavar="ACTION",
            help="list: the segments and their conditions; preview WHERE: whom a condition finds in the current snapshot; "
            "diff: how many would enter and leave now. Without one the members are decided and kept.",
        ),
    ] = None,
    where: Annotated[str | None, typer.Argument(metavar="WHERE", help="For preview: the condition.")] = None,
) -> Answer:
    """Decide who is in which segment, and keep who entered and left when.

    Segments come with plugins; those of hub.toml are added and win on the same name.
    """
    _require_sense(action, where)
    with session.hub() as hub:
        if action == "list":
            return _listed(hub)
        if where is not None:
            return _previewed(hub, where)
        from hub.pipeline.segment import segment as stage
        from hub.pipeline.segment import segment_diff

        report = segment_diff(hub) if action == "diff" else stage(hub)
    show = show_segment_diff if action == "diff" else show_segment
    return Answer(report, lambda screen: show(screen, report))


def _require_sense(action: str | None, where: str | None) -> None:
    """Refuse an unknown action, and a condition that is missing or too much."""
    from hub.config_problems import nearest

    if action is not None and action not in _ACTIONS:
        raise ConfigError(f"hub segment cannot {action!r}.", code="usage", hint=nearest(action, _ACTIONS))
    if action == "preview" and where is None:
        raise ConfigError(
            "hub segment preview needs a condition.",
            code="usage",
            hint='Write it like: hub segment preview "rfm_r_score >= 4"',
        )
    if action != "preview" and where is not None:
        raise ConfigError(f"hub segment {action} takes no condition.", code="usage", hint="Only preview does.")


def _listed(hub: Hub) -> Answer:
    from hub.cli.snapshot import current_snapshot
    from hub.pipeline.segment import segments_of

    found = segments_of(hub)
    sizes: dict[str, int] | None = None
    with current_snapshot(hub) as engine:
        if engine is not None:
            sizes = dict(engine.rows("SELECT segment, count(*) FROM members GROUP BY segment"))
    document = {
        "segments": [
            {**_document(one), "members": None if sizes is None else sizes.get(one.name, 0)} for one in found.values()
        ]
    }
    return Answer(document, lambda screen: _show_list(screen, found, sizes))


def _document(segment: Segment) -> dict[str, object]:
    return {
        "name": segment.name,
        "title": segment.title,
        "where": segment.where,
        "family": segment.family,
        "description": segment.description,
    }


def _show_list(screen: Screen, found: Mapping[str, Segment], sizes: Mapping[str, int] | None) -> None:
    for one in found.values():
        size = "" if sizes is None else f"  {_members(sizes.get(one.name, 0))}"
        screen.line(f"{one.name}  {one.title}{size}", "cyan")
        screen.line(one.where, indent=4)
        if one.description:
            screen.line(one.description, "dim", indent=4)
    if not found:
        screen.line("There is no segment: install a plugin that offers some, or add [segments.NAME] to hub.toml.")


def _members(count: int) -> str:
    return f"{count:,} member{'' if count == 1 else 's'}"


def _previewed(hub: Hub, where: str) -> Answer:
    from hub.cli.snapshot import current_snapshot, snapshot_needed
    from hub.segments import check_where

    with current_snapshot(hub) as engine:
        if engine is None:
            raise snapshot_needed()
        columns = {**engine.columns("customers"), **engine.columns("traits")}
        problems = check_where(where, columns)
        if problems:
            told = [Problem("", "WHERE", problem) for problem in problems]
            raise ConfigError("The condition cannot be used.", code="where_invalid", problems=told)
        people = "customers LEFT JOIN traits USING (customer_id)"
        members, customers = engine.rows(f"SELECT count(*) FILTER ({where}), count(*) FROM {people}")[0]
        sql = f"SELECT customer_id FROM {people} WHERE {where} ORDER BY customer_id"
        rows = engine.rows(f"{sql} LIMIT {_SAMPLE}")
    sample = [row[0] for row in rows]
    share = members / customers if customers else 0.0
    document = {"where": where, "members": members, "customers": customers, "share": share, "sample": sample}
    document["sql"] = sql
    return Answer(document, lambda screen: _show_preview(screen, members, customers, share, sample, sql))


def _show_preview(screen: Screen, members: int, customers: int, share: float, sample: list[str], sql: str) -> None:
    screen.line(f"{members:,} of {customers:,} customers ({share:.1%}).")
    if sample:
        screen.line(f"The first {len(sample)}:" if members > len(sample) else "They are:")
        for customer in sample:
            screen.line(f"  {customer}")
    screen.line(sql, "dim")
