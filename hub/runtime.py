"""What the hub hands to a plugin: time, randomness, sleep, tokens, rate budgets and a scratch folder.

A plugin takes everything that is not pure from here, so that tests run in virtual time and two processes share one
token and one rate budget.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

__all__ = ["Runtime", "utc_now"]


def utc_now() -> dt.datetime:
    """Return the present instant in UTC."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Services for one connection.

    Attributes:
        connection: the connection's name in ``hub.toml``.
        scratch: a private folder for temporary files; emptied by the hub after each run.
        base: folder that relative paths in the configuration start from (where ``hub.toml`` is).
        timezone: the chain's time zone, for sources that give none.
        day_cutoff: when the shop's day begins; a ticket before it belongs to the day before.
        currency: ISO 4217 code for sources that give none.
        now: the present instant, time-zone aware.
        sleep: waits that many seconds.
        random: source of jitter.
        tokens: a ``hub.http.TokenStore`` shared by all processes, or None outside a hub home.
        budgets: the ``hub.http.Ledger`` in which all processes count their calls, or None for this process alone.
        transport: an ``httpx.BaseTransport`` used instead of the network; tests and simulators set it.
    """

    connection: str
    scratch: Path
    base: Path = field(default_factory=Path.cwd)
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    day_cutoff: dt.time = dt.time.min
    currency: str = "CNY"
    now: Callable[[], dt.datetime] = utc_now
    sleep: Callable[[float], None] = time.sleep
    random: random.Random = field(default_factory=random.SystemRandom)
    tokens: Any = None
    budgets: Any = None
    transport: Any = None

    @property
    def log(self) -> logging.Logger:
        """A logger named after the connection; what it writes is redacted by the hub."""
        return logging.getLogger(f"hub.connection.{self.connection}")

    def path(self, text: str) -> Path:
        """Return a configured path, relative to where ``hub.toml`` is."""
        path = Path(text).expanduser()
        return path if path.is_absolute() else self.base / path
