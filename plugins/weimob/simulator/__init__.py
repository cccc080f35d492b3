"""A local copy of Weimob's open platform, serving the simulated chain's merchant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from plugins.weimob.simulator.orders import Orders

__all__ = ["WeimobSimulator"]

_COUNTS: Final = {
    "tags on customers": "SELECT count(*) FROM customer_tags WHERE by_hub",
    "customers with fields": "SELECT count(*) FROM customers WHERE fields <> '{}'",
    "levels set": "SELECT count(*) FROM customers WHERE set_level IS NOT NULL",
    "points changes": "SELECT count(*) FROM ledger WHERE account = 'points'",
    "growth changes": "SELECT count(*) FROM ledger WHERE account = 'growth'",
    "balance changes": "SELECT count(*) FROM ledger WHERE account = 'balance'",
    "coupons issued": "SELECT count(*) FROM coupons WHERE request <> ''",
}


class WeimobSimulator(Orders):
    """Weimob, with the merchant of the simulated chain."""

    def connection(self, base_url: str) -> dict[str, object]:
        """Return a connection that is quick: the simulator allows more calls than the platform, and its history is short."""
        since = self.world.start.date().isoformat()
        return {
            "base_url": base_url,
            **self.credentials,
            "calls_per_second": 1000,
            "orders": {"since": since, "window_hours": 720},
            "attributes": {"rfm_code": "rfm_code", "r_score": "r_score", "net_value": "net_value"},
        }

    def syncs(self, connection: str) -> str:
        """Return syncs that make sense on this platform: segments as tags, scores as custom fields."""
        return f"""
[syncs.{connection}_tags]
to = "{connection}"
target = "tag"
key = "profile"
segments = ["rfm_champions", "rfm_at_risk", "rfm_sleeping"]
fields = {{ tags = "segments" }}

[syncs.{connection}_scores]
to = "{connection}"
target = "attribute"
key = "profile"
mode = "upsert"
fields = {{ rfm_code = "rfm_code", r_score = "rfm_r_score", net_value = "net_value_life" }}
where = "rfm_code IS NOT NULL"
"""

    def received(self) -> Mapping[str, int]:
        """Return counts of what was written to the platform."""
        return {name: int(self.db.value(sql)) for name, sql in _COUNTS.items()}
