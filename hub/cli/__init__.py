"""The ``hub`` command.

Every command is one function in this package: it takes a :class:`hub.cli.session.Session` and its own options, calls the same
functions as the Python API and the scheduler's tasks, and returns an :class:`hub.cli.answer.Answer`. What is heavy (databases,
HTTP, Arrow) is imported when a command runs, never before.
"""

from __future__ import annotations

__all__ = ["main"]

from hub.cli.entry import main
