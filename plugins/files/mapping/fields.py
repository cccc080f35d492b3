"""The vocabulary of mapping profiles: every field a column can stand for, by stream.

A *field* is what a column means (``number`` is the ticket's number, whatever the export calls it); a mapping profile lists
the headers that stand for it. Fields of a ticket are the same on all its rows; fields of a line belong to one row.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from hub.records import Customer, Order, Product, Record, Store

__all__ = ["FIELDS", "ITEM_FIELDS", "RECORDS", "Field", "Kind", "Level", "StreamName"]


class StreamName(StrEnum):
    """What a mapping profile turns a file into."""

    ORDERS = "orders"
    CUSTOMERS = "customers"
    PRODUCTS = "products"
    STORES = "stores"


class Kind(StrEnum):
    """How the text of a cell is read."""

    TEXT = "text"
    """Words: trimmed, empty means not known."""
    CODE = "code"
    """An id: trimmed, Excel's text guard taken off, full-width digits made plain; never a number."""
    NUMBER = "number"
    """A quantity, a rate, points: see :func:`plugins.files.reading.expressions.macros`."""
    MONEY = "money"
    """An amount; divided by 100 where the profile says the files are in fen."""
    TIME = "time"
    """A date with or without a time of day, in the profile's zone."""
    DATE = "date"
    CLOCK = "clock"
    """A time of day."""
    BIRTHDAY = "birthday"
    """A date, with or without its year."""
    FLOAT = "float"
    """Degrees of longitude and latitude."""
    FLAG = "flag"
    """Yes or no."""
    LIST = "list"
    """Several words in one cell, parted by comma, semicolon, 、 or |."""


class Level(StrEnum):
    """What a field belongs to in a ticket file."""

    TICKET = "ticket"
    LINE = "line"


@dataclass(frozen=True, slots=True)
class Field:
    """One thing a column can stand for."""

    name: str
    kind: Kind
    level: Level = Level.TICKET


def _fields(level: Level, kinds: dict[Kind, str]) -> dict[str, Field]:
    return {name: Field(name, kind, level) for kind, names in kinds.items() for name in names.split()}


_TICKET = {
    Kind.CODE: "number original_number store_id register_id cashier_id guide_id belonging_store_id belonging_guide_id "
    "customer_id member_no card_no phone unionid openid payment_token coupon_no currency",
    Kind.TEXT: "store_name channel email customer_name note tender tender_reference",
    Kind.TIME: "ordered_at ordered_date paid_at updated_at",
    Kind.CLOCK: "ordered_time",
    Kind.DATE: "business_date",
    Kind.MONEY: "total_gross total_discount total_amount rounding service_amount freight_amount tax_amount tender_amount "
    "change_amount",
    Kind.NUMBER: "points_earned points_used",
}
_LINE = {
    Kind.CODE: "line_no product_id sku_id barcode",
    Kind.TEXT: "kind product_name category unit",
    Kind.MONEY: "list_price unit_price gross discount amount line_gross line_discount line_amount line_tax cost_amount",
    Kind.NUMBER: "quantity discount_rate",
}
_CUSTOMER = {
    Kind.CODE: "customer_id member_no card_no phone unionid openid belonging_store_id belonging_guide_id level_id merged_into",
    Kind.TEXT: "email name nickname gender birthday_calendar country province city district address avatar_url level "
    "acquired_through",
    Kind.BIRTHDAY: "birthday",
    Kind.NUMBER: "points growth",
    Kind.MONEY: "balance",
    Kind.TIME: "registered_at updated_at",
    Kind.DATE: "card_valid_from card_valid_to",
    Kind.FLAG: "marketing_consent deleted",
    Kind.LIST: "tags",
}
_PRODUCT = {
    Kind.CODE: "product_id sku_id barcode",
    Kind.TEXT: "name category brand unit",
    Kind.MONEY: "list_price cost_price",
    Kind.NUMBER: "stock",
    Kind.TIME: "created_at updated_at",
    Kind.FLAG: "on_sale deleted",
    Kind.LIST: "sold_out_at tags",
}
_STORE = {
    Kind.CODE: "store_id number phone parent_id",
    Kind.TEXT: "name kind province city district address timezone",
    Kind.FLOAT: "longitude latitude",
    Kind.DATE: "opened_on closed_on",
    Kind.CLOCK: "day_cutoff",
    Kind.TIME: "updated_at",
    Kind.FLAG: "deleted",
    Kind.LIST: "tags",
}

FIELDS: MappingProxyType[StreamName, dict[str, Field]] = MappingProxyType(
    {
        StreamName.ORDERS: _fields(Level.TICKET, _TICKET) | _fields(Level.LINE, _LINE),
        StreamName.CUSTOMERS: _fields(Level.TICKET, _CUSTOMER),
        StreamName.PRODUCTS: _fields(Level.TICKET, _PRODUCT),
        StreamName.STORES: _fields(Level.TICKET, _STORE),
    }
)
"""Every field by stream and name. ``gross``, ``discount`` and ``amount`` belong to the line or to the ticket as the
profile's ``amounts`` says; ``line_*`` and ``total_*`` leave no doubt."""

ITEM_FIELDS = ("product_id", "sku_id", "barcode", "product_name")
"""A ticket file with none of these has one row per ticket, and its orders have no lines."""

RECORDS: MappingProxyType[StreamName, type[Record]] = MappingProxyType(
    {
        StreamName.ORDERS: Order,
        StreamName.CUSTOMERS: Customer,
        StreamName.PRODUCTS: Product,
        StreamName.STORES: Store,
    }
)
"""The record type of each stream."""
