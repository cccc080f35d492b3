"""Canonical records: what every platform's data is turned into, whatever it was called there.

A *record* is one pydantic model with a ``source_id`` that is unique within its connection and record type. Lists of
sub-models (an order's lines, a profile's identifiers) are kept as child rows that belong to exactly one record and are
replaced with it. Unknown platform fields go to ``extra``; they are never dropped silently.

Conventions: money and quantities are ``Decimal`` with at most four decimals; instants carry a time zone; a refund has
negative quantities and amounts; empty strings become ``None``. :mod:`hub.columns` turns records into Arrow tables.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Any, ClassVar, Literal

from pydantic import AwareDatetime, Field

from hub.record_fields import ZERO, Key, Money, Quantity, Text
from hub.record_parts import (
    Assurance,
    Card,
    Identifier,
    IdentifierKind,
    OrderLine,
    Part,
    Relation,
    Tender,
    TenderMethod,
)

__all__ = [
    "RECORD_TYPES",
    "Assurance",
    "Card",
    "Customer",
    "Event",
    "Feedback",
    "Identifier",
    "IdentifierKind",
    "Money",
    "Order",
    "OrderKind",
    "OrderLine",
    "OrderStatus",
    "Product",
    "Quantity",
    "Record",
    "Relation",
    "Staff",
    "Store",
    "Tender",
    "TenderMethod",
]


class Record(Part):
    """What all canonical records share."""

    table: ClassVar[str]
    """Name of the warehouse table the records go to."""

    source_id: Key
    updated_at: AwareDatetime | None = None
    """When the platform last changed it; an older version never overwrites a newer one."""
    deleted: bool = False
    """The platform no longer has it: kept as a tombstone, left out of every measure."""
    extra: dict[str, Any] = Field(default_factory=dict)


class Customer(Record):
    """A profile: what one platform knows of one person."""

    table = "profiles"

    identifiers: tuple[Identifier, ...] = ()
    name: Text = None
    nickname: Text = None
    gender: Literal["male", "female"] | None = None
    birthday: Text = Field(default=None, pattern=r"^(\d{4}|-)-\d{2}-\d{2}$")
    """``1990-05-17``, or ``--05-17`` when the year is not known."""
    birthday_calendar: Literal["solar", "lunar"] = "solar"
    country: Text = None
    province: Text = None
    city: Text = None
    district: Text = None
    address: Text = None
    avatar_url: Text = None
    level_id: Text = None
    level: Text = None
    points: Money | None = None
    growth: Money | None = None
    balance: Money | None = None
    registered_at: AwareDatetime | None = None
    acquired_through: Text = None
    """Channel or campaign that brought the person (获客渠道)."""
    belonging_store_id: Text = None
    """归属门店: the shop that owns the customer, not the one that sold."""
    belonging_guide_id: Text = None
    """归属导购."""
    merged_into: Text = None
    """The platform's own account merge: the source_id that lives on."""
    marketing_consent: bool | None = None
    tags: tuple[str, ...] = ()
    cards: tuple[Card, ...] = ()
    relations: tuple[Relation, ...] = ()


class OrderKind(StrEnum):
    """What a ticket is."""

    SALE = "sale"
    REFUND = "refund"
    EXCHANGE = "exchange"
    DEPOSIT = "deposit"
    """储值充值, gift-card sale: money in, no revenue."""
    ADJUSTMENT = "adjustment"
    WHOLESALE = "wholesale"
    STAFF = "staff"
    """A purchase by the chain's own people."""


class OrderStatus(StrEnum):
    """Where an order stands."""

    OPEN = "open"
    PAID = "paid"
    FULFILLED = "fulfilled"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    VOID = "void"
    """作废, 反结账, cancelled: kept, counted nowhere."""


class Order(Record):
    """A ticket, in one place with its lines and payments. A refund is an order of its own with ``original_id``."""

    table = "orders"

    number: Text = None
    kind: OrderKind = OrderKind.SALE
    status: OrderStatus = OrderStatus.PAID
    channel: str = "store"
    """``store``, ``online``, ``miniprogram``, ``delivery`` …"""
    ordered_at: AwareDatetime
    paid_at: AwareDatetime | None = None
    time_text: Text = None
    """The time as the source wrote it, where the hub had to interpret it."""
    business_date: dt.date | None = None
    """The shop's own day; worked out from ``ordered_at`` and the day cut-off when the source gives none."""
    store_id: Text = None
    """Selling shop (销售门店)."""
    register_id: Text = None
    cashier_id: Text = None
    guide_id: Text = None
    """Selling guide (销售导购)."""
    belonging_store_id: Text = None
    """Shop the customer belonged to at the time (归属门店)."""
    belonging_guide_id: Text = None
    customer_id: Text = None
    """The buyer's source_id on this platform; None for a walk-in."""
    identifiers: tuple[Identifier, ...] = ()
    original_id: Text = None
    """For refunds and exchanges: the order the goods came from, if linked."""
    currency: str = Field(default="CNY", pattern=r"^[A-Z]{3}$")
    gross_amount: Money | None = None
    discount_amount: Money = ZERO
    rounding_amount: Money = ZERO
    """抹零: what was rounded away, as a negative number."""
    service_amount: Money = ZERO
    freight_amount: Money = ZERO
    tax_amount: Money | None = None
    tax_inclusive: bool = True
    total_amount: Money
    """What the customer owed: Σ line net + service + freight + tax if exclusive + rounding."""
    refunded_amount: Money = ZERO
    points_earned: Money | None = None
    points_used: Money | None = None
    coupons: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    """Findings of the hub or the source: ``balance_off``, ``clock_suspect``, ``training`` …"""
    note: Text = None
    lines: tuple[OrderLine, ...] = ()
    tenders: tuple[Tender, ...] = ()


class Product(Record):
    """Something that can be bought."""

    table = "products"

    name: str
    sku_id: Text = None
    barcode: Text = None
    category: Text = None
    category_path: tuple[str, ...] = ()
    brand: Text = None
    unit: Text = None
    list_price: Money | None = None
    cost_price: Money | None = None
    on_sale: bool = True
    stock: Quantity | None = None
    """Units left in all shops together; None where it is not known."""
    sold_out_at: tuple[str, ...] = ()
    """Shops that have none left now."""
    created_at: AwareDatetime | None = None
    tags: tuple[str, ...] = ()


class Store(Record):
    """A shop, warehouse or online shop."""

    table = "stores"

    name: str
    number: Text = None
    kind: str = "store"
    province: Text = None
    city: Text = None
    district: Text = None
    address: Text = None
    longitude: float | None = None
    latitude: float | None = None
    phone: Text = None
    """Also tells identity resolution that this number is no customer's."""
    timezone: Text = None
    day_cutoff: dt.time | None = None
    opened_on: dt.date | None = None
    closed_on: dt.date | None = None
    parent_id: Text = None
    tags: tuple[str, ...] = ()


class Staff(Record):
    """A shop guide, cashier or other employee."""

    table = "staff"

    name: str
    role: Text = None
    store_id: Text = None
    phone: Text = None
    identifiers: tuple[Identifier, ...] = ()
    active: bool = True
    joined_on: dt.date | None = None
    left_on: dt.date | None = None
    departments: tuple[str, ...] = ()


class Event(Record):
    """Something a customer did or that happened to them: visit, page view, coupon, group, message, points, level."""

    table = "events"

    type: Key
    """Dotted name: ``page.viewed``, ``coupon.used``, ``group.joined``, ``points.changed``, ``guide.added`` …"""
    occurred_at: AwareDatetime
    customer_id: Text = None
    identifiers: tuple[Identifier, ...] = ()
    channel: Text = None
    store_id: Text = None
    staff_id: Text = None
    subject_kind: Text = None
    subject_id: Text = None
    """What it was about: a product, a coupon, a group, a page."""
    order_id: Text = None
    amount: Money | None = None
    properties: dict[str, Any] = Field(default_factory=dict)


class Feedback(Record):
    """What a customer said: survey answer, NPS, review, complaint."""

    table = "feedback"

    type: Literal["survey", "nps", "review", "complaint"]
    occurred_at: AwareDatetime
    customer_id: Text = None
    identifiers: tuple[Identifier, ...] = ()
    score: Money | None = None
    score_max: Money | None = None
    question: Text = None
    text: Text = None
    topic: Text = None
    status: Text = None
    order_id: Text = None
    product_id: Text = None
    store_id: Text = None
    staff_id: Text = None


RECORD_TYPES: dict[str, type[Record]] = {
    model.table: model for model in (Customer, Order, Product, Store, Staff, Event, Feedback)
}
"""Every canonical record type by the name of its warehouse table."""
