"""Rate limits in the simulator's time, several windows at once, kept in its state.

Windows are fixed and aligned (a minute begins at its second 0, a day at midnight in China), as the platforms count
theirs. A refused call uses nothing up.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

from hub.simulation.server.call import Call
from hub.simulation.server.clock import CHINA
from hub.simulation.server.database import Database
from hub.simulation.server.trouble import Trouble, TroubleError

__all__ = ["Limit", "Limiter"]

_PERIODS = {"second": 1.0, "minute": 60.0, "hour": 3600.0}

_TABLES = """
CREATE TABLE IF NOT EXISTS sim_limits (
  bucket TEXT, rule TEXT, opened REAL NOT NULL, used INTEGER NOT NULL, blocked_until REAL NOT NULL DEFAULT 0,
  PRIMARY KEY (bucket, rule)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``calls`` within one window.

    Attributes:
        calls: how many pass.
        per: ``second``, ``minute``, ``hour``, ``day``, ``month``, or a number of seconds.
        counts: what is counted together: any of ``account``, ``app``, ``endpoint``, ``group``, ``client``.
        block: seconds for which everything is refused after an excess; None: until the window ends.
        trouble: what an excess is called, e.g. ``QUOTA_SPENT`` for a bought quota.
    """

    calls: int
    per: str | float = "minute"
    counts: tuple[str, ...] = ("account", "endpoint")
    block: float | None = None
    trouble: Trouble = Trouble.RATE_LIMITED

    def __post_init__(self) -> None:
        if isinstance(self.per, str) and self.per not in (*_PERIODS, "day", "month"):
            raise ValueError(
                f"a limit is per second, minute, hour, day, month or a number of seconds, not {self.per!r}"
            )
        if unknown := set(self.counts) - {"account", "app", "endpoint", "group", "client"}:
            raise ValueError(f"a limit cannot count by {', '.join(sorted(unknown))}")

    @property
    def rule(self) -> str:
        """The limit's name in the state."""
        return f"{self.calls}/{self.per}"

    def bucket(self, call: Call) -> str:
        """Return the counter this call belongs to."""
        facts = {
            "account": call.caller.account,
            "app": call.caller.app,
            "endpoint": call.endpoint.name if call.endpoint else call.path,
            "group": call.endpoint.group if call.endpoint else "",
            "client": call.client,
        }
        return "&".join(f"{name}={facts[name]}" for name in self.counts)

    def window(self, now: float) -> tuple[float, float]:
        """Return the begin and end of the window that ``now`` lies in, Unix seconds."""
        if self.per in ("day", "month"):
            return _calendar_window(str(self.per), now)
        length = _PERIODS[self.per] if isinstance(self.per, str) else float(self.per)
        begin = math.floor(now / length) * length
        return begin, begin + length


def _calendar_window(per: str, now: float) -> tuple[float, float]:
    day = dt.datetime.fromtimestamp(now, CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    if per == "day":
        return day.timestamp(), (day + dt.timedelta(days=1)).timestamp()
    first = day.replace(day=1)
    return first.timestamp(), (first + dt.timedelta(days=32)).replace(day=1).timestamp()


class Limiter:
    """Counts calls against limits."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(_TABLES)

    def charge(self, limits: Sequence[Limit], call: Call) -> None:
        """Count one call against every limit.

        Raises:
            TroubleError: the first limit that is spent, with ``retry_after``; nothing is counted then.
        """
        taken = [(limit, limit.bucket(call)) for limit in limits]
        for limit, bucket in taken:
            if (wait := self._wait(limit, bucket, call.at)) is not None:
                raise TroubleError(limit.trouble, limit.rule, retry_after=wait)
        for limit, bucket in taken:
            self._count(limit, bucket, call.at)

    def take(self, limit: Limit, bucket: str, now: float) -> float | None:
        """Count one use of a bucket of one's own. Return None if it passed, else the seconds to wait."""
        wait = self._wait(limit, bucket, now)
        if wait is None:
            self._count(limit, bucket, now)
        return wait

    def used(self, limit: Limit, bucket: str, now: float) -> int:
        """Return how many calls the present window has seen."""
        row = self._database.row(
            "SELECT opened, used FROM sim_limits WHERE bucket = ? AND rule = ?", bucket, limit.rule
        )
        return int(row["used"]) if row is not None and row["opened"] == limit.window(now)[0] else 0

    def reset(self, bucket: str = "") -> None:
        """Forget the counts of one bucket, or of all."""
        self._database.execute("DELETE FROM sim_limits WHERE ? IN ('', bucket)", bucket)

    def _wait(self, limit: Limit, bucket: str, now: float) -> float | None:
        blocked = self._database.value(
            "SELECT blocked_until FROM sim_limits WHERE bucket = ? AND rule = ?", bucket, limit.rule
        )
        if blocked is not None and blocked > now:
            return float(blocked) - now
        if self.used(limit, bucket, now) < limit.calls:
            return None
        if limit.block is None:
            return limit.window(now)[1] - now
        self._database.execute(
            "UPDATE sim_limits SET blocked_until = ? WHERE bucket = ? AND rule = ?",
            now + limit.block,
            bucket,
            limit.rule,
        )
        return limit.block

    def _count(self, limit: Limit, bucket: str, now: float) -> None:
        self._database.execute(
            "INSERT INTO sim_limits (bucket, rule, opened, used) VALUES (?, ?, ?, 1) ON CONFLICT (bucket, rule) DO"
            " UPDATE SET used = iif(opened = excluded.opened, used + 1, 1), opened = excluded.opened",
            bucket,
            limit.rule,
            limit.window(now)[0],
        )
