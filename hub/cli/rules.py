"""``hub rules``: what the chain's own data says of its rules, and who would move under others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.answer import Answer
from hub.cli.app import STAGES, group, verb
from hub.cli.moment import moment
from hub.cli.score import AS_OF
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.pipeline.rules import Moves, RuleDiff
    from hub.scorer import Suggestion
    from hub.show.screen import Screen

__all__ = ["diff", "suggest"]

rules = group("rules", "Rules of the scores: what the data suggests, who would move.", STAGES)


@verb(STAGES, "hub rules suggest", "hub rules suggest --as-of 2026-04-01", under=rules)
def suggest(session: Session, *, as_of: Annotated[str | None, AS_OF] = None) -> Answer:
    """Read settings of scores off the chain's own data.

    Nothing is changed: try a suggestion with hub rules diff, then write it into hub.toml.
    """
    from hub.pipeline.rules import rules_suggest

    with session.hub() as hub:
        found = rules_suggest(hub, moment(as_of, hub.settings.zone))
    document = {
        "suggestions": [
            {"scorer": name, "key": one.key, "now": one.now, "found": one.found, "reason": one.reason}
            for name, one in found
        ]
    }
    return Answer(document, lambda screen: _show_suggestions(screen, found))


def _show_suggestions(screen: Screen, found: list[tuple[str, Suggestion]]) -> None:
    screen.table(
        ("Setting", ">Now", ">Found", "Why"),
        [(f"{name}.{one.key}", one.now, "-" if one.found is None else one.found, one.reason) for name, one in found],
        empty="No scorer suggests anything.",
    )


@verb(STAGES, "hub rules diff retail.stages.active=45", "hub rules diff 'retail.trade=\"tea\"'", under=rules)
def diff(
    session: Session,
    changes: Annotated[list[str], typer.Argument(help="Settings to try: SCORER.KEY=VALUE, the value as in hub.toml.")],
) -> Answer:
    """Show who would move between segments under other rules, before they are applied.

    The customers of the last scoring are scored again with both sets of rules. Nothing is written.
    """
    from hub.pipeline.rules import rules_diff

    with session.hub() as hub:
        report = rules_diff(hub, changes)
    return Answer(report, lambda screen: _show_diff(screen, report))


def _show_diff(screen: Screen, report: RuleDiff) -> None:
    versions = {f"Rules of {name}": f"{before} → {after}" for name, (before, after) in report.versions.items()}
    screen.facts({"As of": report.as_of, "Customers": report.customers, **versions})
    for moves in report.moves:
        screen.heading(f"{moves.family}: {moves.moved:,} of {report.customers:,} customers move")
        _show_matrix(screen, moves)
    if not report.moves:
        screen.line("Nobody moves.")
    if report.traits:
        screen.heading("Traits that change")
        screen.table(("Trait", ">Customers"), list(report.traits.items()))


def _show_matrix(screen: Screen, moves: Moves) -> None:
    """Rows are where customers are, columns where they would be."""
    names = sorted(
        {name for before, after, _ in moves.matrix for name in (before, after)}, key=lambda name: name or "~"
    )
    counts = {(before, after): count for before, after, count in moves.matrix}
    screen.table(
        ("From \\ to", *(f">{name or '(none)'}" for name in names)),
        [(row or "(none)", *(counts.get((row, column), "") for column in names)) for row in names],
    )
