"""``hub traits``: everything a segment's condition or a sync's field may name."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hub.cli.answer import Answer
from hub.cli.app import LOOK, verb
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.scorer import Trait
    from hub.show.screen import Screen

__all__ = ["traits"]


@verb(LOOK, "hub traits")
def traits(session: Session) -> Answer:
    """List the traits of all scorers and the customers' own columns.

    These are the names that the conditions of segments and the fields of syncs are made of.
    """
    from hub.plugins import installed_plugins

    del session
    scorers = installed_plugins().scorers()
    listed = [(name, trait) for name, kind in scorers.items() for trait in kind.traits]
    columns = _customer_columns()
    document = {
        "traits": [{"scorer": scorer, **_document(trait)} for scorer, trait in listed],
        "customer_columns": [{"name": name, "type": kind} for name, kind in columns.items()],
    }
    return Answer(document, lambda screen: _show(screen, listed, columns))


def _document(trait: Trait) -> dict[str, object]:
    return {
        "name": trait.name,
        "type": trait.type,
        "unit": trait.unit,
        "title": trait.title,
        "description": trait.description,
        "null_rule": trait.null_rule,
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


def _show(screen: Screen, listed: list[tuple[str, Trait]], columns: dict[str, str]) -> None:
    scorer = ""
    for name, trait in listed:
        if name != scorer:
            scorer = name
            screen.heading(f"Scorer {name}")
        screen.line(f"{trait.name}  {trait.title}", "cyan")
        unit = f", {trait.unit}" if trait.unit else ""
        null = f" (Empty: {trait.null_rule}.)" if trait.null_rule else ""
        screen.line(f"{trait.type.value}{unit}. {trait.description}{null}", indent=4)
    screen.heading("Customer columns")
    screen.line(", ".join(f"{name} ({kind.lower()})" for name, kind in columns.items()))
