"""``hub simulate``: local copies of the platforms, to develop and to try things against."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.answer import Answer
from hub.cli.app import SET_UP, verb
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.demo import Demo
    from hub.show.screen import Screen

__all__ = ["simulate"]


@verb(SET_UP, "hub simulate", "hub simulate webhook files --people 500 --faults throttling")
def simulate(
    session: Session,
    platforms: Annotated[
        list[str] | None, typer.Argument(metavar="[PLATFORM]...", help="Simulators to start; all when none is named.")
    ] = None,
    *,
    people: Annotated[int, typer.Option(min=200, max=1_000_000, help="Population of the simulated chain.")] = 2_000,
    days: Annotated[int, typer.Option(min=30, max=1_500, help="Days of history.")] = 180,
    seed: Annotated[int, typer.Option(help="The same seed gives the same chain and credentials.")] = 7,
    faults: Annotated[str, typer.Option(metavar="NAME", help="Fault programme; several are joined with +.")] = "none",
    folder: Annotated[
        Path,
        typer.Option("--folder", metavar="FOLDER", help="Where hub.toml and the platforms' state go; emptied first."),
    ] = Path("simulated"),
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", min=0, help="Stop by itself; else with Ctrl-C.")
    ] = None,
) -> Answer:
    """Start simulated platforms on this machine, with credentials and a ready hub.toml.

    They answer until Ctrl-C; then they shut down and their state stays in the folder.
    """
    from hub.cli.demo import require_own, require_simulation

    require_simulation()
    from hub.demo import open_demo

    require_own(folder)
    with open_demo(
        folder,
        people=people,
        days=days,
        seed=seed,
        programme=faults,
        only=platforms or (),
        in_real_time=True,
        progress=session.progress,
    ) as running:
        session.show(lambda screen: _show(screen, running))
        threading.Event().wait(seconds)
        received = {platform.name: dict(platform.received()) for platform in running.platforms}
    return Answer(
        {"folder": folder.absolute(), "received": received}, lambda screen: screen.line("Stopped; the state is kept.")
    )


def _show(screen: Screen, running: Demo) -> None:
    for platform in running.platforms:
        screen.heading(str(platform.title))
        screen.line(platform.hub_toml().strip())
    screen.line()
    screen.line(f"Ready: hub run --config {running.config}    (Ctrl-C stops the platforms)", "green")
