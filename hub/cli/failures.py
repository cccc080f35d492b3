"""Errors for people and scripts: what happened, where, what to do, and an exit code."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hub.cli.answer import ExitCode
from hub.errors import ConfigError, HubError, PluginError
from hub.unexpected import as_hub_error

if TYPE_CHECKING:
    from hub.show.screen import Screen

__all__ = ["exit_code_of", "scrubbed", "tell"]

_SHORTEST_SECRET = 4


def exit_code_of(error: HubError) -> ExitCode:
    """Return the exit code of a command that an error ended before it did anything."""
    return ExitCode.USAGE if isinstance(error, ConfigError | PluginError) else ExitCode.NOTHING


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """Return a text of the hub's own without known secrets.

    Only they are taken out: guessing by shape would also hide what `export SHOP_TOKEN=…` tells a person to type.
    """
    from hub.redaction import MASK

    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, MASK)
    return text


def tell(screen: Screen, error: BaseException, *, debug: bool = False, secrets: Iterable[str] = ()) -> None:
    """Write an error on standard error.

    Args:
        screen: of standard error.
        error: what happened.
        debug: write the traceback too.
        secrets: values that must not be shown.
    """
    from hub.redaction import redact

    known = tuple(secrets)
    told = as_hub_error(error, known)
    screen.verbatim(f"Error: {redact(told.message, known)} [{told.code}]", "bold red")
    for problem in told.problems if isinstance(told, ConfigError) else ():
        screen.verbatim(f"  {scrubbed(str(problem), known)}")
    if told.context:
        where = ", ".join(f"{key} {value}" for key, value in told.context.items())
        screen.verbatim(f"Where: {redact(where, known)}")
    if told.hint:
        screen.verbatim(f"What to do: {scrubbed(told.hint, known)}")
    if debug:
        text = "".join(traceback.format_exception(error))
        screen.verbatim(redact(text, known), "dim")
