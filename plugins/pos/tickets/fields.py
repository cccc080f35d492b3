"""The vocabulary a mapping speaks: the columns that tickets, lines, payments and lists may have.

What a query or a parser gives under another name is kept in ``extra``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from hub.columns import AMOUNT, INSTANT, parent_table
from hub.records import Customer, Product, Record, Staff, Store

__all__ = ["IDENTIFIERS", "LINE", "LISTS", "LIST_FIELDS", "TENDER", "TICKET", "Kind"]


class Kind(StrEnum):
    """How a value is read."""

    TEXT = "text"
    NUMBER = "number"
    TIME = "time"
    DATE = "date"
    CLOCK = "clock"
    FLAG = "flag"
    FLOAT = "float"
    LIST = "list"


def _fields(**kinds: str) -> dict[str, Kind]:
    return {name: Kind(kind) for kind, names in kinds.items() for name in names.split()}


TICKET: Final[Mapping[str, Kind]] = _fields(
    text="number kind status channel store_id register_id cashier_id guide_id belonging_store_id belonging_guide_id customer_id "
    "member_no card_no phone email unionid openid payment_token original_id currency coupon_no note finding",
    time="ordered_at paid_at updated_at",
    date="business_date",
    number="total_amount gross_amount rounding_amount service_amount freight_amount tax_amount ticket_discount points_earned "
    "points_used",
    flag="void training tax_exclusive",
)
"""Columns of a ticket. ``ticket_discount`` is what was given on the ticket as a whole and stands in no line; ``tax_exclusive``
says that lines are without tax."""

LINE: Final[Mapping[str, Kind]] = _fields(
    text="line_id parent_line_id kind label product_id sku_id barcode name category unit guide_id",
    number="quantity list_price unit_price discount_amount discount_percent discount_per_unit tax_rate net_amount tax_amount "
    "cost_amount",
    list="options",
    flag="void",
)
"""Columns of a line. ``tax_rate`` (0.13) says that its prices are without that tax; in ``label``, a text, words of ``kind`` are
looked for."""

TENDER: Final[Mapping[str, Kind]] = _fields(text="method kind reference", number="amount change_amount", time="paid_at")
"""Columns of a payment; ``change_amount`` is what was given back of it."""

IDENTIFIERS: Final[Mapping[str, str]] = {
    "phone": "typed_by_staff",
    "member_no": "issued",
    "card_no": "issued",
    "email": "typed_by_staff",
    "unionid": "issued",
    "openid": "issued",
    "payment_token": "issued",
}
"""Columns that say who it was, with the assurance they carry."""

LISTS: Final[Mapping[str, type[Record]]] = {
    "customers": Customer,
    "products": Product,
    "stores": Store,
    "staff": Staff,
}
"""Streams that are lists: one row is one record."""


def _list_fields(record: type[Record]) -> dict[str, Kind]:
    kinds = {AMOUNT: Kind.NUMBER, INSTANT: Kind.TIME}
    names = {"date32[day]": Kind.DATE, "time64[us]": Kind.CLOCK, "bool": Kind.FLAG, "double": Kind.FLOAT}
    found = {}
    for field in parent_table(record).schema:
        if field.name in {"source_id", "extra"}:
            continue
        listed = Kind.LIST if str(field.type).startswith("list") else Kind.TEXT
        found[field.name] = kinds.get(field.type) or names.get(str(field.type), listed)
    identifiers = dict.fromkeys(IDENTIFIERS, Kind.TEXT) if record is Customer else {}
    return {**identifiers, **found}


LIST_FIELDS: Final[Mapping[str, Mapping[str, Kind]]] = {name: _list_fields(record) for name, record in LISTS.items()}
"""Columns of each list: those of its record, and of customers the identifiers."""
