"""Log lines of a command: on standard error, redacted, warnings and worse unless asked for more."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

from hub.redaction import RedactingFilter

__all__ = ["logging_to_stderr"]


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is now: a progress bar on screen puts its own in place."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        raise AttributeError(f"the stream is always standard error, never {value!r}")


class Secrets:
    """The secrets that no log line may repeat; known once the configuration has been read."""

    def __init__(self, redacting: RedactingFilter) -> None:
        self._redacting = redacting

    @property
    def values(self) -> tuple[str, ...]:
        """What is kept out."""
        return self._redacting.secrets

    def learn(self, secrets: Iterable[str]) -> None:
        """Keep these out as well."""
        self._redacting.secrets = (*self._redacting.secrets, *secrets)


@contextmanager
def logging_to_stderr(*, debug: bool) -> Iterator[Secrets]:
    """Send log lines to standard error within a block.

    Args:
        debug: also show what the hub itself logs below warnings.
    """
    redacting = RedactingFilter()
    handler = _Handler()
    handler.addFilter(redacting)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    root, own = logging.getLogger(), logging.getLogger("hub")
    levels = {logger: logger.level for logger in (own, logging.getLogger("hub.plugins"))}
    traced = os.environ.get("HUB_TRACE_PLUGINS", "").lower() in {"1", "true", "yes"}
    own.setLevel(logging.DEBUG if debug else logging.INFO if traced else logging.WARNING)
    root.addHandler(handler)
    try:
        yield Secrets(redacting)
    finally:
        root.removeHandler(handler)
        for logger, level in levels.items():
            logger.setLevel(level)
