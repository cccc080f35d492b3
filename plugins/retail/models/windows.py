"""Rolling origins: from which days a model may look, so that it never learns from what it is judged by.

A snapshot at day t is what was known before t; its label is what happened in [t, t + horizon). It may teach a model that is used
at ``today`` only if t + horizon <= today.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Windows", "windows"]

_SPACING = 28
_SNAPSHOTS = 4
_HISTORIES = 3
"""Horizons of history that are needed: one to look back on, one to learn from, one to be judged by."""


@dataclass(frozen=True)
class Windows:
    """The days to look from.

    Attributes:
        horizon: days that are predicted.
        today: the day the model is fitted for.
        judged: the snapshot whose label ends last before ``today``.
        earlier: snapshots that had ended when ``judged`` began; for the model that is judged.
        all: snapshots that have ended by ``today``; for the model that is used.
    """

    horizon: int
    today: int
    judged: int
    earlier: tuple[int, ...]
    all: tuple[int, ...]


def windows(first_day: int, today: int, horizon: int) -> Windows | None:
    """Return the snapshots, or None where the history is shorter than three horizons."""
    if today - first_day < _HISTORIES * horizon:
        return None
    judged = today - horizon
    return Windows(horizon, today, judged, _ending(first_day, judged, horizon), _ending(first_day, today, horizon))


def _ending(first_day: int, by: int, horizon: int) -> tuple[int, ...]:
    """Snapshots every four weeks whose label ends by a day and that have a horizon of history behind them."""
    cuts = (by - horizon - i * _SPACING for i in range(_SNAPSHOTS))
    return tuple(cut for cut in cuts if cut - first_day >= horizon)
