"""Where the process begins: arguments in, exit code out, whatever happens in between."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any

import typer

from hub.cli.answer import ExitCode
from hub.cli.app import app

__all__ = ["COMMANDS", "main"]

COMMANDS = (
    "init", "plugins", "describe", "check", "preview",
    "ingest", "resolve", "score", "segment", "publish", "push", "run",
    "status", "runs", "rejects", "deliveries", "customer", "explain", "export", "forget", "identity", "traits", "rules", "model",
    "decide", "consent", "sync", "cursor", "simulate", "demo", "airflow",
)  # fmt: skip
"""Modules of this package that hold commands, in the order of ``hub --help``; importing one registers its commands."""

for _name in COMMANDS:
    import_module(f"hub.cli.{_name}")

_BROKEN_PIPE = 128 + signal.SIGPIPE if hasattr(signal, "SIGPIPE") else 1


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - how typer calls it
    if wanted:
        import hub

        sys.stdout.write(f"customer-hub {hub.__version__}\n")
        raise typer.Exit


@app.callback(no_args_is_help=True)
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: what follows ``hub``; the process's own arguments unless given.

    Returns:
        The exit code, see :class:`hub.cli.answer.ExitCode`.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    with _ending_on_sigterm():
        try:
            result = app(given, prog_name="hub", standalone_mode=False)
        except typer.TyperException as error:
            return _usage(error, as_json="--json" in given)
        except (KeyboardInterrupt, typer.Abort):
            return _interrupted()
        except BrokenPipeError:
            return _reader_gone()
    if result == ExitCode.INTERRUPTED:
        return _interrupted()
    return int(result or 0)


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Let a polite kill release leases and close runs as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupted() -> int:
    sys.stderr.write("Stopped. What was sealed is kept; the next run goes on from there.\n")
    return int(ExitCode.INTERRUPTED)


def _reader_gone() -> int:
    """Whoever read our output has closed it (`hub runs | head`): say nothing, also not when Python flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return int(_BROKEN_PIPE)


def _usage(error: typer.TyperException, *, as_json: bool) -> int:
    """Tell what is wrong with the command line."""
    from hub.cli.document import to_json

    context: Any = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "hub"
    message = error.format_message()
    if not message:  # a group without a command: typer has shown its help already
        return int(ExitCode.USAGE)
    hint = f"`{command} --help` shows how."
    if as_json:
        document = {"error": {"code": "usage", "message": message, "hint": hint, "context": {"command": command}}}
        sys.stdout.write(to_json(document) + "\n")
    sys.stderr.write(f"Error: {message}\nWhat to do: {hint}\n")
    return int(ExitCode.USAGE)
