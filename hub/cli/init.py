"""``hub init``: a commented ``hub.toml`` to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.answer import Answer
from hub.cli.app import SET_UP, verb
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.show.screen import Screen

__all__ = ["TEMPLATE", "init"]

TEMPLATE = Path(__file__).with_name("hub.toml.template")


@verb(SET_UP, "hub init", "hub init my-chain")
def init(
    session: Session,
    folder: Annotated[Path, typer.Argument(help="Where to put it; made if it is not there.")] = Path(),
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a hub.toml that is there.")] = False,
) -> Answer:
    """Write a commented hub.toml.

    It holds every setting of the hub with its default, one connection that reads till receipts from a folder, and examples
    of segments and syncs to take the comment signs off.
    """
    from hub.errors import ConfigError

    path = session.config or folder / "hub.toml"
    text = TEMPLATE.read_text(encoding="utf-8")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(
            f"{path} is there already.",
            code="config_exists",
            hint="--force overwrites it; nothing was changed.",
        ) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.", code="config_unwritable") from error
    return Answer({"path": path.absolute(), "next": "hub check"}, lambda screen: _show(screen, path))


def _show(screen: Screen, path: Path) -> None:
    screen.verbatim(f"Wrote {path}.")
    screen.line("Put exports of your tills into the folder drops beside it (or change connections.pos.url), then run:")
    screen.line("  hub check    whether every connection works")
    screen.line("  hub run      read, merge, score, segment, publish, push")
