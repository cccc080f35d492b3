"""One run of a command: its common options, the opened hub, its answer written and its faults told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from hub.cli.answer import Answer, ExitCode
from hub.show.bars import TerminalProgress, progress_for

if TYPE_CHECKING:
    import datetime as dt

    from hub.cli.logs import Secrets
    from hub.config import Settings
    from hub.context import Hub
    from hub.plugins import Plugins
    from hub.show.screen import Screen

__all__ = ["Session", "perform"]


class Session:
    """What a command works with.

    Attributes:
        config: ``--config``: the ``hub.toml``, or None for the nearest one.
        as_json: ``--json``.
        debug: ``--debug``.
        zone: time zone that instants are shown in; the hub's once it is open.
        progress: bars on a terminal, silence elsewhere.
    """

    def __init__(self, secrets: Secrets, *, config: Path | None, as_json: bool, debug: bool) -> None:
        self.config = config
        self.as_json = as_json
        self.debug = debug
        self.zone: dt.tzinfo | None = None
        self._secrets = secrets
        self.progress = progress_for(sys.stderr)

    @contextmanager
    def hub(self) -> Iterator[Hub]:
        """Open the hub.

        Raises:
            ConfigError, StoreError: it cannot be opened; the message says why.
        """
        from hub.context import open_hub

        with open_hub(self.config, progress=self.progress) as hub:
            self.learn(hub.settings)
            try:
                yield hub
            finally:
                self.clear()

    def settings(self, installed: Plugins) -> Settings | None:
        """Return the settings if there are any that can be used, for commands that also work without.

        Raises:
            ConfigError: the file that ``--config`` names cannot be used.
        """
        from hub.config import find_config, load_settings
        from hub.errors import ConfigError

        try:
            found = load_settings(self.config.absolute() if self.config else find_config(), plugins=installed)
        except ConfigError:
            if self.config is not None:
                raise
            return None
        self.learn(found)
        return found

    def learn(self, settings: Settings) -> None:
        """Take over the time zone, and the secrets that nothing may repeat."""
        self.zone = settings.zone
        for connection in settings.connections.values():
            self._secrets.learn(connection.secrets)

    def clear(self) -> None:
        """Take the progress bars off the screen."""
        if isinstance(self.progress, TerminalProgress):
            self.progress.close()

    def show(self, write: Callable[[Screen], None]) -> None:
        """Write for people while the command goes on; nothing with ``--json``."""
        from hub.show.screen import Screen

        if not self.as_json:
            write(Screen(sys.stdout, self.zone))
            sys.stdout.flush()

    def finish(self, answer: Answer) -> ExitCode:
        """Write an answer: the document or the screen on standard output, the faults on standard error."""
        from hub.show.screen import Screen

        if self.as_json:
            self._write_document(answer.document)
        else:
            answer.show(Screen(sys.stdout, self.zone))
        sys.stdout.flush()
        for problem in answer.problems:
            self.tell(problem)
        return answer.code

    def fail(self, error: BaseException) -> ExitCode:
        """Tell what ended the command; with ``--json`` on both ways out."""
        from hub.cli.document import error_document
        from hub.cli.failures import exit_code_of
        from hub.unexpected import as_hub_error

        told = as_hub_error(error, self._secrets.values)
        if self.as_json:
            self._write_document({"error": error_document(told)})
        self.tell(error)
        return exit_code_of(told)

    def _write_document(self, document: object) -> None:
        """Write JSON; no secret of a connection gets out, whatever a plugin put into its messages."""
        from hub.cli.document import to_json
        from hub.cli.failures import scrubbed

        sys.stdout.write(scrubbed(to_json(document), self._secrets.values) + "\n")
        sys.stdout.flush()

    def tell(self, error: BaseException) -> None:
        """Write an error on standard error."""
        from hub.cli.failures import tell
        from hub.show.screen import Screen

        tell(Screen(sys.stderr, self.zone), error, debug=self.debug, secrets=self._secrets.values)


def perform(body: Callable[[Session], Answer], *, config: Path | None, as_json: bool, debug: bool) -> ExitCode:
    """Run a command's body and return its exit code; no exception but Ctrl-C's and a lost pipe's leaves it.

    Args:
        body: does the work and returns the answer.
        config: ``--config``.
        as_json: ``--json``: nothing but one JSON document comes out of standard output, whatever a plugin prints.
        debug: ``--debug``.
    """
    from hub.cli.logs import logging_to_stderr

    with logging_to_stderr(debug=debug) as secrets:
        session = Session(secrets, config=config, as_json=as_json, debug=debug)
        try:
            with redirect_stdout(sys.stderr if as_json else sys.stdout):
                answer = body(session)
            return session.finish(answer)
        except BrokenPipeError:
            raise
        except Exception as error:  # noqa: BLE001 - the command line is where every fault is told
            session.clear()
            return session.fail(error)
        finally:
            session.clear()
