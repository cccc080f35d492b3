"""What a command gives back: a document for machines, a screen for people, an exit code for scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.show.screen import Screen

__all__ = ["Answer", "ExitCode"]


class ExitCode(IntEnum):
    """What a script can trust; ``docs/commands.md`` lists them."""

    FINE = 0
    PARTIAL = 1
    """Some rows, streams or syncs failed, or a query found nothing; the rest was done."""
    USAGE = 2
    """The command line or ``hub.toml`` is wrong; nothing was done."""
    NOTHING = 3
    """Nothing could run: somebody else holds the work, or the store, the network or a plugin is out of order."""
    INTERRUPTED = 130
    """Stopped with Ctrl-C."""


@dataclass(frozen=True)
class Answer:
    """The outcome of a command.

    Attributes:
        document: what ``--json`` prints; anything :func:`hub.cli.document.to_json` understands.
        show: writes the same for people.
        code: the exit code.
        problems: faults told on standard error after the screen; they did not stop the command.
    """

    document: Any
    show: Callable[[Screen], None]
    code: ExitCode = ExitCode.FINE
    problems: Sequence[Exception] = ()
