"""``hub traits``: everything a segment's condition or a sync's field may name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.answer import Answer
from hub.cli.app import LOOK, verb
from hub.cli.session import Session
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.config import Settings
    from hub.pipeline.trait_uses import TraitUse
    from hub.scorer import Scorer, Trait
    from hub.show.screen import Screen

__all__ = ["traits"]


@verb(LOOK, "hub traits", "hub traits rfm_code churn_band")
def traits(
    session: Session,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Only these traits; all of them by default.")
    ] = None,
) -> Answer:
    """List the traits of all scorers and the customers' own columns.

    These are the names that the conditions of segments and the fields of syncs are made of. With a hub.toml also which
    segments read a trait and which syncs push it.
    """
    from hub.pipeline.segment import all_segments
    from hub.pipeline.trait_uses import trait_uses
    from hub.plugins import installed_plugins

    installed = installed_plugins()
    settings = session.settings(installed)
    scorers = installed.scorers()
    everything = {trait.name: (name, trait) for name, kind in scorers.items() for trait in kind.traits}
    columns = _customer_columns()
    wanted = list(dict.fromkeys(names)) if names else [*everything, *columns]
    _require_known(wanted, [*everything, *columns])
    segments = all_segments(installed, settings) if settings else installed.segments()
    uses = trait_uses(frozenset(wanted), segments, settings.syncs if settings else {})
    listed = [everything[name] for name in wanted if name in everything]
    columns = {name: kind for name, kind in columns.items() if name in wanted}
    refreshed = {name: _refresh(name, kind, settings) for name, kind in scorers.items()}
    document = {
        "traits": [
            {"scorer": scorer, **_document(trait), "refresh": refreshed[scorer], **asdict(uses[trait.name])}
            for scorer, trait in listed
        ],
        "customer_columns": [{"name": name, "type": kind} for name, kind in columns.items()],
    }
    return Answer(document, lambda screen: _show(screen, listed, columns, uses, refreshed))


def _require_known(wanted: list[str], known: list[str]) -> None:
    from difflib import get_close_matches

    for name in wanted:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else "`hub traits` lists them all."
            raise ConfigError(f"There is no trait {name}.", code="usage", hint=hint)


_REFRESHED = {
    "changed": "on each business day, and in each run for customers whose facts changed",
    "everybody": "on each business day, and in each run for everybody",
}


def _refresh(name: str, kind: type[Scorer], settings: Settings | None) -> str:
    """Whom a run within the day scores again, by a scorer's settings; by its defaults where there are none."""
    given = settings.scores.get(name, {}) if settings else None
    config = kind.Config.model_construct() if given is None else kind.Config.model_validate(given)
    return "changed" if kind().per_customer(config) else "everybody"


def _document(trait: Trait) -> dict[str, object]:
    return {
        "name": trait.name,
        "type": trait.type,
        "unit": trait.unit,
        "title": trait.title,
        "description": trait.description,
        "null_rule": trait.null_rule,
        "family": trait.family,
        "upstream": list(trait.upstream),
    }


def _customer_columns() -> dict[str, str]:
    """Ask the warehouse's own definition, in an empty database."""
    from hub.warehouse.engine import DuckDBEngine
    from hub.warehouse.schema import prepare

    with TemporaryDirectory() as scratch:
        engine = DuckDBEngine(None, Path(scratch))
        try:
            prepare(engine)
            return engine.columns("customers")
        finally:
            engine.close()


def _show(
    screen: Screen,
    listed: list[tuple[str, Trait]],
    columns: dict[str, str],
    uses: Mapping[str, TraitUse],
    refreshed: Mapping[str, str],
) -> None:
    scorer = ""
    for name, trait in listed:
        if name != scorer:
            scorer = name
            screen.heading(f"Scorer {name}")
            screen.line(f"Refreshed {_REFRESHED[refreshed[name]]}.", "dim")
        screen.line(f"{trait.name}  {trait.title}", "cyan")
        unit = f", {trait.unit}" if trait.unit else ""
        null = f" (Empty: {trait.null_rule}.)" if trait.null_rule else ""
        screen.line(f"{trait.type.value}{unit}. {trait.description}{null}", indent=4)
        _show_origin(screen, trait)
        _show_use(screen, uses[trait.name])
    if columns:
        screen.heading("Customer columns")
        screen.line(", ".join(f"{name} ({kind.lower()})" for name, kind in columns.items()))


def _show_origin(screen: Screen, trait: Trait) -> None:
    if trait.family:
        screen.line(f"Family {trait.family.label}", "dim", indent=4)
    if trait.upstream:
        screen.line(f"From {', '.join(trait.upstream)}", "dim", indent=4)


def _show_use(screen: Screen, use: TraitUse) -> None:
    said = {
        "Segments": use.segments,
        "Pushed by": use.pushed,
        "Pushed as segment, or selected by,": use.pushed_as_segment,
    }
    for words, names in said.items():
        if names:
            screen.line(f"{words} {', '.join(names)}", "dim", indent=4)
