"""Coupons (优惠券) as events: taken, used."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from hub.errors import RowError
from hub.records import Event, Identifier, IdentifierKind
from plugins.youzan.values import from_text, is_cipher, text

__all__ = ["log_events", "voucher_events"]


def log_events(log: Mapping[str, Any], activity: str, kdt_id: str) -> Iterator[Event]:
    """Give the events of one line of an activity's log (fetchlogs).

    Raises:
        RowError: the coupon has no id or no time.
    """
    coupon = text(log.get("promocard_id")) or text(log.get("promocode_id"))
    orders = [found for key in ("used_in_order_no", "sub_order_no") if (found := _first(log.get(key)))]
    yield from _events(
        coupon=coupon,
        activity=activity,
        person=text(log.get("yz_open_id")),
        taken=from_text(log.get("taked_at")) or from_text(log.get("created_at")),
        used=from_text(log.get("used_at")),
        order=orders[0] if orders else None,
        properties={
            "title": log.get("title"),
            "source": log.get("receive_source"),
            "shop": text(log.get("send_kdt_id")),
        },
        kdt_id=kdt_id,
    )


def voucher_events(voucher: Mapping[str, Any], used_at: dt.datetime | None, kdt_id: str) -> Iterator[Event]:
    """Give the events of one coupon as voucher.query.detail describes it.

    Args:
        voucher: ``data`` of the answer; it says by which order the coupon was used, not when.
        used_at: when, as told by the message that made us look.
        kdt_id: the head office.
    """
    order = text(voucher.get("used_order_no"))
    yield from _events(
        coupon=text((voucher.get("voucher_identity") or {}).get("coupon_id")),
        activity=text(voucher.get("activity_id")) or "",
        person=text((voucher.get("user_identity") or {}).get("yz_open_id")),
        taken=from_text(voucher.get("send_at")),
        used=from_text(voucher.get("verified_at")) or (used_at if order else None),
        order=order,
        properties={"source": voucher.get("send_source"), "shop": text(voucher.get("send_kdt_id"))},
        kdt_id=kdt_id,
    )


def _first(value: object) -> str | None:
    return text(value[0]) if isinstance(value, list) and value else None if isinstance(value, list) else text(value)


def _events(
    *,
    coupon: str | None,
    activity: str,
    person: str | None,
    taken: dt.datetime | None,
    used: dt.datetime | None,
    order: str | None,
    properties: Mapping[str, Any],
    kdt_id: str,
) -> Iterator[Event]:
    if coupon is None or taken is None:
        raise RowError("A coupon has no id or no time.", code="id_missing", context={"column": "promocard_id"})
    identifiers = (Identifier(kind=IdentifierKind.YZ_OPEN_ID, value=person, scope=kdt_id),) if person else ()
    known = {name: value for name, value in properties.items() if value and not is_cipher(value)}
    for kind, moment, order_id in (("taken", taken, None), ("used", used, order)):
        if moment is not None:
            yield Event(
                source_id=f"{kind}:{coupon}",
                type=f"coupon.{kind}",
                occurred_at=moment,
                updated_at=moment,
                customer_id=person,
                identifiers=identifiers,
                subject_kind="coupon",
                subject_id=coupon,
                order_id=order_id,
                properties={"activity_id": activity, **known},
            )
