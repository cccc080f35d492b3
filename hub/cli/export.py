"""``hub export``: everything the hub keeps of one person, for that person."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.answer import Answer
from hub.cli.app import LOOK, verb
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.show.screen import Screen

__all__ = ["export"]


@verb(LOOK, "hub export 15400000001 --to customer.json")
def export(
    session: Session,
    query: Annotated[str, typer.Argument(help="A profile (CONNECTION:ID), phone, card or customer id.")],
    *,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="JSON file to write; refused if it is there.")],
) -> Answer:
    """Write everything the hub keeps of one person into a file, unmasked: what a request of access asks for.

    Who exported whom is written down. A number that several customers have is refused: what belongs to one must not be given to
    another.
    """
    from hub.cli.document import to_json
    from hub.cli.masking import note_reveal
    from hub.errors import ConfigError
    from hub.pipeline.access import everything_about

    with session.hub() as hub:
        found = everything_about(hub, query)
        note_reveal(hub, "export", found["customer_id"])
    try:
        # Readable by nobody else: it is a person's whole file.
        with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(to_json(found) + "\n")
    except OSError as error:
        raise ConfigError(
            f"The file cannot be written: {error.strerror}.", code="export_unwritable", context={"file": str(to)},
            hint="Name a file that is not there yet, in a folder you may write.",
        ) from error  # fmt: skip
    counts = {name: len(rows) for name, rows in found["tables"].items()}
    document = {"customer_id": found["customer_id"], "file": str(to), "rows": counts}
    return Answer(document, lambda screen: _show(screen, document))


def _show(screen: Screen, document: dict[str, Any]) -> None:
    screen.facts({"Customer": document["customer_id"], "Written to": document["file"]})
    screen.table(("Table", ">Rows"), sorted(document["rows"].items()))
