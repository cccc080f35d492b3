"""A local copy of Pospal's open platform, serving the tills of the simulated chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from plugins.pos.pospal.simulator.accounts import Accounts
from plugins.pos.pospal.simulator.coupons import Coupons
from plugins.pos.pospal.simulator.goods import Goods
from plugins.pos.pospal.simulator.tickets import Tickets

__all__ = ["PospalSimulator"]

_COUNTS: Final = {
    "members with words in the remark": "SELECT count(*) FROM members WHERE remarks LIKE '%【%'",
    "increments": "SELECT count(*) FROM increments",
    "coupons issued": "SELECT count(*) FROM coupons WHERE by_hub",
}


class PospalSimulator(Tickets, Accounts, Coupons, Goods):
    """Pospal, with the shops of the simulated chain."""

    def connection(self, base_url: str) -> dict[str, object]:
        """Return a connection that is quick: the simulator allows more calls than the platform."""
        tickets: dict[str, object] = {"no_limit_flag": True, "window_days": 31}
        if self.world is not None:
            tickets["since"] = self.world.start.date().isoformat()
        return {
            "shops": self.shop_settings(base_url),
            "calls_per_second": 1000,
            "calls_per_day": 1_000_000,
            "tickets": tickets,
        }

    def syncs(self, connection: str) -> str:
        """Return a sync that makes sense at a till: segments as words that the cashier sees."""
        return f"""
[syncs.{connection}_words]
to = "{connection}"
target = "tag"
key = "profile"
segments = ["rfm_champions", "rfm_at_risk", "rfm_promising"]
fields = {{ tags = "segments" }}
"""

    def received(self) -> Mapping[str, int]:
        """Return counts of what was written to the platform."""
        return {name: int(self.db.value(sql)) for name, sql in _COUNTS.items()}
