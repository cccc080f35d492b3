"""``hub plugins``: what is installed, and what was left out and why."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.answer import Answer, ExitCode
from hub.cli.app import SET_UP, verb
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.plugins import Loaded, Plugins
    from hub.show.screen import Screen

__all__ = ["plugins"]


@verb(SET_UP, "hub plugins", "hub plugins -v --strict")
def plugins(
    session: Session,
    *,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the traceback of a broken plugin.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when a plugin is broken.")] = False,
) -> Answer:
    """List the installed plugins with what they offer, and those left out with the reason.

    HUB_PLUGINS names the only ones to load, HUB_PLUGINS_DISABLED those to leave out (comma separated), and
    HUB_TRACE_PLUGINS=1 logs every call of a hook.
    """
    from hub.plugins import load_plugins

    del session
    logging.getLogger("hub.plugins").setLevel(logging.ERROR)  # what is broken stands in the list itself
    found = load_plugins()
    probe(found)
    broken = any(plugin.state == "broken" for plugin in found.loaded)
    return Answer(
        {"plugins": found.loaded},
        lambda screen: _show(screen, found.loaded, verbose=verbose),
        ExitCode.PARTIAL if strict and broken else ExitCode.FINE,
    )


def probe(found: Plugins) -> None:
    """Call every hook once: some plugins show only then that they are broken."""
    for ask in (found.sources, found.destinations, found.scorers, found.segments):
        ask()


def _show(screen: Screen, loaded: Sequence[Loaded], *, verbose: bool) -> None:
    screen.table(
        ("Plugin", "Distribution", "State", "Offers or reason"),
        [(p.name, p.distribution, p.state, p.reason or _offers(p)) for p in loaded],
        empty="No plugin is installed.",
    )
    for plugin in loaded:
        if verbose and plugin.detail:
            screen.heading(plugin.name)
            screen.line(plugin.detail.rstrip(), "dim")


def _offers(plugin: Loaded) -> str:
    return ", ".join(hook.removeprefix("register_") for hook in plugin.hooks)
