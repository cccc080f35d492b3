"""The ``pos.square`` source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from hub.errors import HubError
from hub.records import Customer, Event, Order, Store
from hub.runtime import Runtime
from hub.source import Check, CursorKind, Source, Stream
from hub.titles import Title
from plugins.pos.square.api import Api, Endpoint
from plugins.pos.square.client import SquareClient
from plugins.pos.square.config import SquareConfig
from plugins.pos.square.reading import Reader
from plugins.pos.square.receiver import inbox_of

__all__ = ["SquareSource", "check_account"]

_ASKED: Final[tuple[tuple[str, Endpoint, dict[str, Any]], ...]] = (
    ("customers may be read", Api.CUSTOMERS, {"limit": 1}),
    ("payments may be read", Api.PAYMENTS, {"limit": 1}),
    ("loyalty may be read", Api.LOYALTY_ACCOUNTS, {"limit": 1}),
)


class SquareSource(Source):
    """Reads a seller's account."""

    name: ClassVar[str] = "pos.square"
    title: ClassVar[Title] = Title("Square 收银", "Square")
    Config: ClassVar[type[SquareConfig]] = SquareConfig

    config: SquareConfig

    def __init__(self, config: SquareConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._client = SquareClient(config, runtime)
        self._reader = Reader(self._client, config, runtime, inbox_of(config, runtime.base))

    def check(self) -> Sequence[Check]:
        """Try the token, then each scope."""
        return check_account(self._client, _ASKED)

    def streams(self) -> Sequence[Stream]:
        """List the streams."""
        reader, full = self._reader, CursorKind.FULL
        return [
            Stream("customers", Customer, reader.customers, title=Title("顾客", "Customers")),
            Stream("orders", Order, reader.orders, title=Title("订单", "Orders")),
            Stream("payments", Event, reader.payments, title=Title("付款", "Payments")),
            Stream("refunds", Event, reader.refunds, title=Title("退款", "Refunds")),
            Stream("loyalty", Customer, reader.loyalty_accounts, full, title=Title("积分账户", "Loyalty accounts")),
            Stream("points", Event, reader.points, title=Title("积分流水", "Loyalty events")),
            Stream("stores", Store, reader.stores, full, title=Title("门店", "Locations")),
        ]

    def kept_folders(self) -> Sequence[Path]:
        """The folder of pushed events, where there is one."""
        inbox = inbox_of(self.config, self.runtime.base)
        return [inbox.folder] if inbox else []

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def check_account(client: SquareClient, asked: Sequence[tuple[str, Endpoint, dict[str, Any]]]) -> list[Check]:
    """Ask for the locations, then each of the others; a missing scope fails its own check only."""
    checks: list[Check] = []
    for name, endpoint, given in (("the account's locations may be read", Api.LOCATIONS, {}), *asked):
        try:
            data = client.call(endpoint, given)
        except HubError as error:
            checks.append(Check(name, ok=False, message=f"{error.message} {error.hint}".strip()))
            if endpoint is Api.LOCATIONS:
                return checks
        else:
            names = [str(row.get("name")) for row in data.get("locations") or ()]
            checks.append(Check(name, ok=True, message=", ".join(names)))
    return checks
