"""A receiver on this machine that verifies every signature: the far end of a webhook in demos and tests."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, Self

import pyarrow as pa

from hub.runtime import utc_now
from hub.simulation.server.clock import Clock
from hub.titles import Title
from plugins.webhook.inbox import Inbox, LocalReceiver

__all__ = ["ReceiverSimulator"]


class ReceiverSimulator:
    """Takes signed events and keeps them in a SQLite file.

    Args:
        world: not used: a receiver shows nothing of the chain.
        state: the file for what it received.
        seed: decides the signing key.
        programme: not used.
        clock: the receiver's time; signatures are only good for a few minutes.
    """

    name: ClassVar[str] = "webhook"
    title: ClassVar[Title] = Title("接收端", "Webhook receiver")

    def __init__(
        self,
        world: Any = None,
        *,
        state: Path | None = None,
        seed: int = 0,
        programme: str = "none",
        clock: Clock | None = None,
    ) -> None:
        if state is None:
            raise ValueError("the file for what is received is needed: state=Path(...)")
        del world, programme
        key = hashlib.sha256(f"receiver {seed}".encode()).digest()
        self.secret = "whsec_" + base64.b64encode(key).decode()
        self._closing = ExitStack()
        self.inbox = Inbox(state)
        self._closing.callback(self.inbox.close)
        self._receiver: LocalReceiver | None = None
        self._now = clock.now if clock is not None else utc_now

    def start(self, address: str = "127.0.0.1", port: int = 0) -> Self:
        """Listen; only on loopback, whatever the address."""
        del address
        if self._receiver is None:
            self._receiver = self._closing.enter_context(
                LocalReceiver(self.inbox, [self.secret], port=port, now=self._now)
            )
        return self

    @property
    def url(self) -> str:
        """Where events are taken."""
        return self.start()._receiver.url  # type: ignore[union-attr]

    def hub_toml(self) -> str:
        """Return the connection, with one sync of everybody's scores and one of a segment."""
        return f"""
[connections.receiver]
plugin = "webhook"
url = "{self.url}"
secrets = ["{self.secret}"]
allow_http = true
allow = ["127.0.0.1"]

[syncs.scores]
to = "receiver"
target = "batch"
fields = {{ rfm = "rfm_code", tea_segment = "tea_segment", stage = "lifecycle_stage", last_order = "last_order_date", value = "net_value_life", segments = "segments" }}
"""

    def move_to(self, moment: dt.datetime) -> None:
        """Nothing happens at a receiver by itself."""

    def people(self, state: Any) -> Mapping[str, pa.Table]:  # noqa: ARG002 - part of the contract
        """Return nothing: it shows nobody."""
        return {}

    def received(self) -> Mapping[str, int]:
        """Return how many signed requests and events were taken, and how many requests came twice."""
        requests = self.inbox.requests()
        return {
            "signed requests": len(requests),
            "events": len(self.inbox.events()),
            "repeated requests": sum(times - 1 for times in requests.values()),
        }

    def close(self) -> None:
        """Give the port back and close the file."""
        self._closing.close()
