"""A local copy of Youzan's open platform, serving the simulated chain's shop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from plugins.youzan.simulator.benefits import Benefits
from plugins.youzan.simulator.coupons import Coupons
from plugins.youzan.simulator.shops import Shops
from plugins.youzan.simulator.tags import Tags
from plugins.youzan.simulator.trades import Trades

__all__ = ["YouzanSimulator"]

_COUNTS: Final = {
    "tags on customers": "SELECT count(*) FROM customer_tags WHERE by_hub",
    "customers with attributes": "SELECT count(DISTINCT open_id) FROM attributes",
    "levels set": "SELECT count(*) FROM customers WHERE set_level IS NOT NULL",
    "points changes": "SELECT count(*) FROM points_log WHERE entry LIKE 'hub-%'",
    "coupons issued": "SELECT count(*) FROM vouchers WHERE source = 'carmen'",
    "cards granted": "SELECT count(*) FROM customer_cards",
}


class YouzanSimulator(Trades, Tags, Benefits, Coupons, Shops):
    """Youzan, with the shop of the simulated chain."""

    def connection(self, base_url: str) -> dict[str, object]:
        """Return a connection that is quick: the simulator allows more calls than the platform."""
        settings = {"base_url": base_url, **self.credentials, "calls_per_second": 1000, "tag_calls_per_second": 1000}
        return {**settings, "attributes": {"rfm_code": "RFM", "r_score": "R分", "net_value": "累计净消费"}}

    def syncs(self, connection: str) -> str:
        """Return syncs that make sense on this platform: segments as tags, scores as attributes."""
        return f"""
[syncs.{connection}_tags]
to = "{connection}"
target = "tag"
key = "profile"
segments = ["tea_heavy", "tea_taster", "tea_sleeping", "rfm_champions"]
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
