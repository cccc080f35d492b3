"""A local copy of Square's API, serving the tills of the simulated chain as a seller's account."""

from __future__ import annotations

from collections.abc import Mapping

from plugins.pos.square.simulator.endpoints import Endpoints

__all__ = ["SquareSimulator"]


class SquareSimulator(Endpoints):
    """Square, with the shops of the simulated chain as locations."""

    def connection(self, base_url: str) -> dict[str, object]:
        """Return a connection that is quick: the simulator allows more calls than the platform."""
        since = {"since": self.world.start.date().isoformat()} if self.world is not None else {}
        return {"base_url": base_url, **self.credentials, "calls_per_second": 1000, "settle_seconds": 0, **since}

    def syncs(self, connection: str) -> str:
        """Return a sync that makes sense here: segments as customer groups."""
        return f"""
[syncs.{connection}_groups]
to = "{connection}"
target = "group"
key = "profile"
segments = ["rfm_champions", "rfm_at_risk", "rfm_promising"]
fields = {{ groups = "segments" }}
"""

    def received(self) -> Mapping[str, int]:
        """Return counts of what was written to the platform."""
        return {"customers in groups": int(self.db.value("SELECT count(*) FROM customer_groups"))}
