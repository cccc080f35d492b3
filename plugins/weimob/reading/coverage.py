"""What share of all customers the source can see, and why not more: said after every run, shown by ``hub status``."""

from __future__ import annotations

from typing import Final

from plugins.weimob.config import SearchSettings
from plugins.weimob.roster import Roster

__all__ = ["Coverage"]

_WAYS: Final = {
    "search": "by the search", "orders": "by orders", "guides": "by guides' lists", "coupons": "by coupons", "messages": "by messages",
    "known": "known before",
}  # fmt: skip


class Coverage:
    """Seen and countable customers.

    Attributes:
        total: how many customers the platform counts; None when it does not say.
        cut: whether the search can be cut by time, and so has no end.
        closed: whether the search is not granted.
    """

    def __init__(self, roster: Roster, search: SearchSettings) -> None:
        self._roster = roster
        self._search = search
        self.total: int | None = None
        self.cut = False
        self.closed = False

    def notes(self) -> list[str]:
        """Say how many of how many customers were seen, by which ways, and why not all."""
        found = self._roster.seen()
        seen = sum(found.values())
        ways = ", ".join(f"{count:,} {_WAYS.get(way, way)}" for way, count in found.items()) or "none"
        if self.total is None:
            why = "user/search is not granted" if self.closed else "user/search gave no number"
            return [f"Coverage: {seen:,} customers seen ({ways}); how many there are is not known: {why}."]
        share = min(1.0, seen / self.total) if self.total else 1.0
        return [f"Coverage: {seen:,} of {self.total:,} customers seen, {share:.1%} ({ways}). {self._why(seen)}".strip()]

    def _why(self, seen: int) -> str:
        if self.total is None or seen >= self.total:
            return ""
        if self.cut:
            return "The rest came after this run began, or is left out by the platform's search."
        return (
            f"The platform lists at most {self._search.most:,} customers per search and this one cannot be cut by time; the others are"
            " found only when they buy, hold a coupon, have a guide, or a message names them."
        )
