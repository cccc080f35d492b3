"""Customers, loyalty accounts, and what happened to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from hub.records import Assurance, Card, Customer, Event, Identifier, IdentifierKind, Store
from plugins.pos.square.values import currency_of, moment, money, needed, text

__all__ = [
    "LOYALTY_PREFIX",
    "to_customer",
    "to_loyalty_profile",
    "to_payment_event",
    "to_points_event",
    "to_refund_event",
    "to_store",
]

_CJK: Final = re.compile(r"[\u3400-\u9fff]")
_SCOPE: Final = "square/customer"
LOYALTY_PREFIX: Final = "loyalty-"
"""What the ids of profiles begin with that are loyalty accounts."""
_KEPT: Final = (
    "creation_source",
    "group_ids",
    "segment_ids",
    "version",
    "note",
    "company_name",
    "preferences",
    "tax_ids",
)


def to_customer(row: Mapping[str, Any], groups: Mapping[str, str]) -> Customer:
    """Return a customer; its groups are its tags.

    Raises:
        RowError: it has no id, or an unreadable time.
    """
    uid = needed(row)
    address: Mapping[str, Any] = row.get("address") or {}
    found = [Identifier(kind=IdentifierKind.CUSTOM, value=uid, scope=_SCOPE)]
    typed = Assurance.TYPED_BY_STAFF
    if phone := text(row.get("phone_number")):
        found.append(Identifier(kind=IdentifierKind.PHONE, value=phone, assurance=typed))
    if mail := text(row.get("email_address")):
        found.append(Identifier(kind=IdentifierKind.EMAIL, value=mail, assurance=typed))
    if number := text(row.get("reference_id")):
        found.append(Identifier(kind=IdentifierKind.MEMBER_NO, value=number, scope="square"))
    lines = [text(address.get(f"address_line_{place}")) for place in (1, 2, 3)]
    unsubscribed = (row.get("preferences") or {}).get("email_unsubscribed")
    return Customer(
        source_id=uid,
        updated_at=moment(row.get("updated_at"), "updated_at"),
        identifiers=tuple(found),
        name=_name(text(row.get("given_name")), text(row.get("family_name"))),
        nickname=text(row.get("nickname")),
        birthday=_birthday(text(row.get("birthday"))),
        country=text(address.get("country")),
        province=text(address.get("administrative_district_level_1")),
        city=text(address.get("locality")),
        address=" ".join(line for line in lines if line) or None,
        registered_at=moment(row.get("created_at")),
        acquired_through=text(row.get("creation_source")),
        marketing_consent=False if unsubscribed is True else None,
        tags=tuple(groups.get(group, group) for group in row.get("group_ids") or ()),
        extra={name: row[name] for name in _KEPT if row.get(name) not in (None, "", [], {})},
    )


def _name(given: str | None, family: str | None) -> str | None:
    parts = [part for part in (given, family) if part]
    if len(parts) == 2 and all(_CJK.search(part) for part in parts):
        return f"{family}{given}"
    return " ".join(parts) or None


def _birthday(value: str | None) -> str | None:
    """Return a birthday; year 0000 says that it is not known."""
    if value is None or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value[:10]):
        return None
    return f"--{value[5:10]}" if value.startswith("0000") else value[:10]


def to_loyalty_profile(row: Mapping[str, Any]) -> Customer:
    """Return a loyalty account as a profile of its own: it is tied to a phone, and to a customer where one is named.

    Raises:
        RowError: it has no id, or an unreadable time.
    """
    uid = needed(row)
    mapping: Mapping[str, Any] = row.get("mapping") or {}
    phone = text(mapping.get("phone_number")) or text(mapping.get("value"))
    found = []
    if phone:
        found.append(Identifier(kind=IdentifierKind.PHONE, value=phone, assurance=Assurance.TYPED_BY_CUSTOMER))
    if customer := text(row.get("customer_id")):
        found.append(Identifier(kind=IdentifierKind.CUSTOM, value=customer, scope=_SCOPE))
    points = money({"amount": int(row.get("balance") or 0), "currency": "JPY"})
    return Customer(
        source_id=f"{LOYALTY_PREFIX}{uid}",
        updated_at=moment(row.get("updated_at"), "updated_at"),
        identifiers=tuple(found),
        points=points,
        registered_at=moment(row.get("enrolled_at") or row.get("created_at")),
        cards=(Card(scheme=text(row.get("program_id")) or "square", card_no=uid, points=points),),
        extra={"lifetime_points": row.get("lifetime_points"), "customer_id": text(row.get("customer_id"))},
    )


def to_points_event(row: Mapping[str, Any], stores: Mapping[str, str]) -> Event:
    """Return a loyalty event: points earned, spent or adjusted.

    Raises:
        RowError: it has no id or time.
    """
    kind = str(row.get("type") or "")
    detail: Mapping[str, Any] = row.get(kind.lower()) or {}
    points = detail.get("points")
    at = moment(needed(row, "created_at"))
    assert at is not None  # noqa: S101 - needed() has refused the row otherwise
    account, location = text(row.get("loyalty_account_id")), text(row.get("location_id")) or ""
    spent = kind in {"CREATE_REWARD", "REDEEM_REWARD"}
    return Event(
        source_id=needed(row),
        type="points.changed",
        occurred_at=at,
        customer_id=f"{LOYALTY_PREFIX}{account}" if account else None,
        channel="store",
        store_id=stores.get(location, location) or None,
        order_id=text(detail.get("order_id")),
        amount=None if points is None else -abs(int(points)) if spent else int(points),
        properties={"type": kind, "source": row.get("source")},
    )


def to_payment_event(row: Mapping[str, Any], stores: Mapping[str, str]) -> Event:
    """Return a payment as an event: its order carries the money; till, clerk and off-line time stand here only.

    Raises:
        RowError: it has no id or time, or an unreadable amount.
    """
    card: Mapping[str, Any] = (row.get("card_details") or {}).get("card") or {}
    fingerprint = text(card.get("fingerprint"))
    payer = [Identifier(kind=IdentifierKind.PAYMENT_TOKEN, value=fingerprint, scope="square")] if fingerprint else []
    offline: Mapping[str, Any] = row.get("offline_payment_details") or {}
    told = {
        "status": row.get("status"), "source_type": row.get("source_type"), "receipt_number": row.get("receipt_number"),
        "currency": currency_of(row.get("amount_money")), "is_offline": row.get("is_offline_payment"),
        "client_created_at": offline.get("client_created_at"), "device_id": (row.get("device_details") or {}).get("device_id"),
    }  # fmt: skip
    return _money_event(row, "payment.made", stores, tuple(payer), told)


def to_refund_event(row: Mapping[str, Any], stores: Mapping[str, str]) -> Event:
    """Return a refunded payment as an event; the goods that came back are an order of their own.

    Raises:
        RowError: it has no id or time, or an unreadable amount.
    """
    told = {
        "status": row.get("status"), "reason": row.get("reason"), "payment_id": row.get("payment_id"),
        "currency": currency_of(row.get("amount_money")), "unlinked": row.get("unlinked"),
    }  # fmt: skip
    return _money_event(row, "payment.refunded", stores, (), told)


def _money_event(
    row: Mapping[str, Any],
    kind: str,
    stores: Mapping[str, str],
    payer: tuple[Identifier, ...],
    told: Mapping[str, Any],
) -> Event:
    at = moment(needed(row, "created_at"))
    assert at is not None  # noqa: S101 - needed() has refused the row otherwise
    location = text(row.get("location_id")) or ""
    return Event(
        source_id=needed(row),
        updated_at=moment(row.get("updated_at"), "updated_at"),
        type=kind,
        occurred_at=at,
        customer_id=text(row.get("customer_id")),
        identifiers=payer,
        channel="store",
        store_id=stores.get(location, location) or None,
        staff_id=text(row.get("team_member_id")),
        order_id=text(row.get("order_id")),
        amount=money(row.get("amount_money")),
        properties={name: value for name, value in told.items() if value not in (None, "")},
    )


def to_store(row: Mapping[str, Any], stores: Mapping[str, str]) -> Store:
    """Return a location under the chain's own number of it.

    Raises:
        RowError: it has no id.
    """
    uid = needed(row)
    address: Mapping[str, Any] = row.get("address") or {}
    place: Mapping[str, Any] = row.get("coordinates") or {}
    return Store(
        source_id=stores.get(uid, uid),
        name=text(row.get("name")) or uid,
        number=uid,
        province=text(address.get("administrative_district_level_1")),
        city=text(address.get("locality")),
        address=text(address.get("address_line_1")),
        longitude=place.get("longitude"),
        latitude=place.get("latitude"),
        phone=text(row.get("phone_number")),
        timezone=text(row.get("timezone")),
        extra={name: row[name] for name in ("status", "currency", "business_name", "type") if row.get(name)},
    )
