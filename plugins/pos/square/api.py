"""The endpoints in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["Api", "Endpoint"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint: method, path with ``{names}``, the key its rows are under, and the scope it needs."""

    method: str
    path: str
    rows: str = ""
    scope: str = ""

    def url(self, **names: str) -> str:
        """Return the path with the names filled in."""
        return self.path.format(**names)


class Api:
    """Every endpoint the connector calls."""

    LOCATIONS: Final = Endpoint("GET", "/v2/locations", "locations", "MERCHANT_PROFILE_READ")
    CUSTOMERS: Final = Endpoint("POST", "/v2/customers/search", "customers", "CUSTOMERS_READ")
    CUSTOMER: Final = Endpoint("GET", "/v2/customers/{customer_id}", "customer", "CUSTOMERS_READ")
    GROUPS: Final = Endpoint("GET", "/v2/customers/groups", "groups", "CUSTOMERS_READ")
    GROUP_CREATE: Final = Endpoint("POST", "/v2/customers/groups", "group", "CUSTOMERS_WRITE")
    GROUP_ADD: Final = Endpoint("PUT", "/v2/customers/{customer_id}/groups/{group_id}", "", "CUSTOMERS_WRITE")
    GROUP_REMOVE: Final = Endpoint("DELETE", "/v2/customers/{customer_id}/groups/{group_id}", "", "CUSTOMERS_WRITE")
    ORDERS: Final = Endpoint("POST", "/v2/orders/search", "orders", "ORDERS_READ")
    ORDERS_BY_ID: Final = Endpoint("POST", "/v2/orders/batch-retrieve", "orders", "ORDERS_READ")
    PAYMENTS: Final = Endpoint("GET", "/v2/payments", "payments", "PAYMENTS_READ")
    REFUNDS: Final = Endpoint("GET", "/v2/refunds", "refunds", "PAYMENTS_READ")
    LOYALTY_ACCOUNTS: Final = Endpoint("POST", "/v2/loyalty/accounts/search", "loyalty_accounts", "LOYALTY_READ")
    LOYALTY_EVENTS: Final = Endpoint("POST", "/v2/loyalty/events/search", "events", "LOYALTY_READ")

    @classmethod
    def endpoints(cls) -> tuple[Endpoint, ...]:
        """Return all of them."""
        return tuple(value for value in vars(cls).values() if isinstance(value, Endpoint))
