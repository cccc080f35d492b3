"""What a file is read with: the connection's settings over the profile's over the hub's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from hub.runtime import Runtime
from plugins.files.config import FilesConfig
from plugins.files.mapping.profile import Profile
from plugins.files.reading.expressions import macros

__all__ = ["Settings", "session"]


@dataclass(frozen=True)
class Settings:
    """What does not change from file to file.

    Attributes:
        profile: the mapping.
        config: the connection's settings.
        timezone: zone of times without an offset.
        day_cutoff: when the shop's day begins.
        scope: within what member and card numbers are unique.
        currency: of amounts, unless a column or constant says otherwise.
        now: the instant of reading; a ticket after it has a wrong clock.
        scratch: folder for everything temporary.
    """

    profile: Profile
    config: FilesConfig
    timezone: str
    day_cutoff: dt.time
    scope: str
    currency: str
    now: dt.datetime
    scratch: Path

    @classmethod
    def of(cls, config: FilesConfig, profile: Profile, runtime: Runtime, scratch: Path | None = None) -> Settings:
        """Gather the settings of a connection."""
        cutoff = next(
            value for value in (config.day_cutoff, profile.day_cutoff, runtime.day_cutoff) if value is not None
        )
        return cls(
            profile=profile,
            config=config,
            timezone=config.timezone or profile.timezone or runtime.timezone.key,
            day_cutoff=cutoff,
            scope=next(text for text in (config.scope, profile.scope, runtime.connection) if text is not None),
            currency=runtime.currency,
            now=runtime.now(),
            scratch=scratch or runtime.scratch,
        )

    def memory(self, columns: int = 0) -> str:
        """Return DuckDB's memory limit for a file of so many columns; it does not depend on the number of rows.

        Each thread holds a block of rows of every column while it writes: measured, 3 MB a column are enough.
        """
        if self.config.memory is not None:
            return self.config.memory
        per_thread = 64 + 3 * max(0, columns - 12)
        return f"{128 + self.config.threads * per_thread}MB"


@contextmanager
def session(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a DuckDB of one's own for one file, with bounded memory and the macros that read cells."""
    spill = settings.scratch / "spill"
    spill.mkdir(parents=True, exist_ok=True)
    options: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": settings.memory(),
        "temp_directory": str(spill),
        "threads": settings.config.threads,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    connection = duckdb.connect(":memory:", config=options)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        profile = settings.profile
        connection.execute(
            macros(
                timezone=settings.timezone,
                null_values=profile.null_values,
                time_formats=profile.time_formats,
                fen=profile.fen,
            )
        )
        yield connection
    finally:
        connection.close()
