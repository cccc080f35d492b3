"""What canonical records are made of: identifiers, relations, cards, an order's lines and payments.

Import them from :mod:`hub.records`.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from hub.record_fields import ZERO, Key, Money, Quantity, Text

__all__ = [
    "Assurance",
    "Card",
    "Identifier",
    "IdentifierKind",
    "OrderLine",
    "Part",
    "Relation",
    "Tender",
    "TenderMethod",
]


class IdentifierKind(StrEnum):
    """What an identifier is; the scope says within which system it is unique."""

    PHONE = "phone"
    """Full mobile or landline number, as found; normalised by identity resolution."""
    PHONE_MASKED = "phone_masked"
    """138****1234: partial evidence, never an identifier."""
    EMAIL = "email"
    MEMBER_NO = "member_no"
    CARD_NO = "card_no"
    UNIONID = "unionid"
    """WeChat, unique per open-platform account (the scope)."""
    OPENID = "openid"
    """WeChat, unique per app (the scope is the appid)."""
    EXTERNAL_USERID = "external_userid"
    """WeCom contact, unique per corp (and provider)."""
    YZ_OPEN_ID = "yz_open_id"
    WID = "wid"
    ALIPAY_ID = "alipay_id"
    PAYMENT_TOKEN = "payment_token"  # noqa: S105 - the name of a kind of identifier
    """A payer's id from a payment platform or a card's fingerprint: links anonymous orders."""
    CUSTOM = "custom"


class Assurance(StrEnum):
    """How an identifier came to be known, strongest first."""

    ISSUED = "issued"
    """Given out by the platform itself."""
    AUTHORISED = "authorised"
    """Confirmed by the person: one-tap login, one-time password."""
    TYPED_BY_CUSTOMER = "typed_by_customer"
    TYPED_BY_STAFF = "typed_by_staff"
    PARSED = "parsed"
    """Found in a free text such as a remark."""


class Part(BaseModel):
    """What every model of a record shares: no unknown fields, no changes, texts without spaces around them."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Identifier(Part):
    """A value that may say who somebody is: kind, value, and the scope within which it is unique."""

    kind: IdentifierKind
    value: Key
    scope: str = ""
    assurance: Assurance = Assurance.ISSUED


class Relation(Part):
    """A tie between a customer and a member of staff (WeCom follow relation, a shop's own guide)."""

    staff_id: Key
    kind: str = "follow"
    remark: Text = None
    description: Text = None
    tags: tuple[str, ...] = ()
    add_way: Text = None
    state: Text = None
    """The channel code the contact was added through (渠道码)."""
    added_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None


class Card(Part):
    """A membership in one scheme: level, points, stored value. Never summed across schemes."""

    scheme: str = ""
    card_no: Text = None
    level_id: Text = None
    level: Text = None
    points: Money | None = None
    growth: Money | None = None
    balance: Money | None = None
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None


class TenderMethod(StrEnum):
    """How it was paid."""

    CASH = "cash"
    CARD = "card"
    WECHAT = "wechat"
    ALIPAY = "alipay"
    STORED_VALUE = "stored_value"
    POINTS = "points"
    COUPON = "coupon"
    GIFT_CARD = "gift_card"
    CREDIT = "credit"
    OTHER = "other"


class OrderLine(Part):
    """One line of a ticket. ``net_amount`` is what counts: after all discounts, negative on a return."""

    line_id: Text = None
    kind: Literal["item", "set", "component", "modifier", "gift", "service", "deposit", "adjustment"] = "item"
    parent_line_id: Text = None
    product_id: Text = None
    sku_id: Text = None
    barcode: Text = None
    name: Text = None
    category: Text = None
    quantity: Quantity = Decimal(1)
    unit: Text = None
    list_price: Money | None = None
    unit_price: Money | None = None
    discount_amount: Money = ZERO
    net_amount: Money
    tax_amount: Money | None = None
    cost_amount: Money | None = None
    refunded_quantity: Quantity = ZERO
    refunded_amount: Money = ZERO
    guide_id: Text = None
    discount_allocated: bool = False
    """True when a ticket discount was spread over the lines by the hub, not by the platform."""
    options: tuple[str, ...] = ()
    """Choices without a price of their own: 少糖, 去冰, colour, size."""


class Tender(Part):
    """One payment of a ticket."""

    method: TenderMethod
    amount: Money
    method_text: Text = None
    """What the platform called it."""
    reference: Text = None
    paid_at: AwareDatetime | None = None
