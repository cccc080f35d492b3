"""The columns of every table a platform view offers, by table name. Authors of platform simulators start here.

Amounts are whole fen (1 yuan = 100 fen). Times have the zone Asia/Shanghai and whole seconds. Texts with few different
values are dictionaries. ``updated_at`` moves whenever another column of the row has changed. A null time has not come.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

__all__ = ["CHAIN_TABLES", "SCHEMAS", "TABLES_OF", "TIME"]

TIME: Final = pa.timestamp("ms", tz="Asia/Shanghai")
_TEXT: Final = pa.string()
_WORD: Final = pa.dictionary(pa.int32(), pa.string())
_INT: Final = pa.int64()
_BOOL: Final = pa.bool_()
_DATE: Final = pa.date32()
_WORDS: Final = pa.list_(pa.string())
#: Options of an order line as ``[{"name": "甜度", "value": "三分糖"}, …]``.
OPTIONS: Final = pa.list_(pa.struct([("name", _WORD), ("value", _WORD)]))


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema(list(columns.items()))


#: Columns of every table.
SCHEMAS: Final[dict[str, pa.Schema]] = {
    # The chain: the same on every platform.
    "shops": _schema(
        shop_id=_TEXT, name=_TEXT, province=_TEXT, city=_TEXT, district=_TEXT, address=_TEXT, phone=_TEXT, opens_hour=_INT,
        closes_hour=_INT, cut_over_hour=_INT, status=_TEXT, opened_on=_DATE, closed_on=_DATE, updated_at=TIME,
    ),
    "staff": _schema(
        staff_id=_TEXT, name=_TEXT, gender=_INT, phone=_TEXT, shop_id=_TEXT, is_manager=_BOOL, job_number=_TEXT, status=_TEXT,
        hired_at=TIME, left_at=TIME, updated_at=TIME,
    ),
    "categories": _schema(category_code=_TEXT, title_zh=_TEXT, title_en=_TEXT),
    "products": _schema(
        product_id=_TEXT, name=_TEXT, category_code=_TEXT, price_fen=_INT, cost_fen=_INT, status=_TEXT, listed_at=TIME,
        updated_at=TIME,
    ),
    "skus": _schema(sku_id=_TEXT, product_id=_TEXT, name=_TEXT, options=OPTIONS, price_fen=_INT, barcode=_TEXT),
    "coupon_templates": _schema(
        template_code=_TEXT, name=_TEXT, kind=_TEXT, valid_days=_INT, min_fen=_INT, off_fen=_INT, percent_off=_INT,
    ),
    "levels": _schema(level_code=_TEXT, name=_TEXT, rank=_INT, from_fen=_INT),
    # People and accounts.
    "members": _schema(
        member_id=_TEXT, card_no=_TEXT, name=_TEXT, nickname=_TEXT, phone=_TEXT, phone_verified=_BOOL, gender=_INT,
        birthday=_TEXT, email=_TEXT, unionid=_TEXT, openid=_TEXT, level_code=_WORD, points=_INT, balance_fen=_INT,
        orders=_INT, spent_fen=_INT, last_order_at=TIME, home_shop_id=_WORD, guide_id=_WORD, source=_WORD, tags=_WORDS,
        province=_WORD, city=_WORD, district=_WORD, status=_WORD, created_at=TIME, updated_at=TIME, closed_at=TIME,
        merged_at=TIME, merged_into=_TEXT,
    ),
    "contacts": _schema(
        member_id=_TEXT, name=_TEXT, gender=_INT, unionid=_TEXT, created_at=TIME, updated_at=TIME, deleted_at=TIME,
    ),
    "follows": _schema(
        staff_id=_WORD, member_id=_TEXT, remark=_TEXT, description=_TEXT, remark_phone=_TEXT, add_way=_INT, state=_WORD,
        tags=_WORDS, added_at=TIME, ended_at=TIME, ended_by=_WORD, updated_at=TIME,
    ),
    "groups": _schema(group_id=_TEXT, name=_TEXT, shop_id=_WORD, owner_staff_id=_WORD, created_at=TIME, updated_at=TIME),
    "group_members": _schema(
        group_id=_TEXT, member_id=_TEXT, unionid=_TEXT, name=_TEXT, join_scene=_INT, joined_at=TIME, left_at=TIME, updated_at=TIME,
    ),
    "followers": _schema(
        member_id=_TEXT, unionid=_TEXT, scene=_WORD, shop_id=_WORD, followed_at=TIME, unfollowed_at=TIME, updated_at=TIME,
    ),
    # Orders.
    "orders": _schema(
        order_id=_TEXT, order_no=_TEXT, member_id=_TEXT, shop_id=_WORD, guide_id=_WORD, kind=_WORD, status=_WORD,
        business_date=_DATE, ordered_at=TIME, paid_at=TIME, completed_at=TIME, abandoned_at=TIME, voided_at=TIME,
        received_at=TIME, updated_at=TIME, goods_fen=_INT, promotion_fen=_INT, promotion=_WORD, coupon_fen=_INT,
        coupon_code=_TEXT, delivery_fen=_INT, rounding_fen=_INT, paid_fen=_INT, refunded_fen=_INT, units=_INT,
        fulfilment=_WORD, receiver_name=_TEXT, receiver_phone=_TEXT, receiver_province=_WORD, receiver_city=_WORD,
        receiver_district=_WORD, receiver_address=_TEXT, external_no=_TEXT,
    ),
    "order_lines": _schema(
        order_id=_TEXT, line_no=_INT, line_id=_TEXT, product_id=_WORD, product_name=_WORD, sku_id=_WORD, quantity=_INT,
        unit_fen=_INT, goods_fen=_INT, discount_fen=_INT, net_fen=_INT, refunded_quantity=_INT, options=OPTIONS,
    ),
    "tenders": _schema(order_id=_TEXT, tender_no=_INT, tender=_WORD, amount_fen=_INT, paid_at=TIME),
    "refunds": _schema(
        refund_id=_TEXT, order_id=_TEXT, member_id=_TEXT, shop_id=_WORD, amount_fen=_INT, whole=_BOOL, reason=_WORD,
        tender=_WORD, status=_WORD, applied_at=TIME, refunded_at=TIME, updated_at=TIME,
    ),
    # The member programme of one platform.
    "coupons": _schema(
        coupon_code=_TEXT, template_code=_WORD, member_id=_TEXT, source=_WORD, campaign_id=_WORD, status=_WORD, taken_at=TIME,
        expires_at=TIME, used_at=TIME, used_order_id=_TEXT, updated_at=TIME,
    ),
    "points": _schema(
        entry_id=_TEXT, member_id=_TEXT, change=_INT, balance=_INT, reason=_WORD, order_id=_TEXT, at=TIME,
    ),
    "stored_value": _schema(
        entry_id=_TEXT, member_id=_TEXT, change_fen=_INT, bonus_fen=_INT, balance_fen=_INT, reason=_WORD, order_id=_TEXT, at=TIME,
    ),
    "level_changes": _schema(member_id=_TEXT, old_level_code=_WORD, new_level_code=_WORD, at=TIME),
    # Behaviour.
    "messages": _schema(
        message_id=_TEXT, campaign_id=_WORD, name=_WORD, member_id=_TEXT, coupon_code=_TEXT, sent_at=TIME, opened_at=TIME,
        clicked_at=TIME, updated_at=TIME,
    ),
    "browsing": _schema(
        event_id=_TEXT, member_id=_TEXT, session_id=_TEXT, kind=_WORD, product_id=_WORD, search=_WORD, shop_id=_WORD,
        seconds=_INT, at=TIME,
    ),
    "feedback": _schema(
        feedback_id=_TEXT, member_id=_TEXT, order_id=_TEXT, shop_id=_WORD, kind=_WORD, stars=_INT, nps=_INT, topic=_WORD,
        text=_TEXT, at=TIME,
    ),
}  # fmt: skip

#: Tables about the chain; every platform has them.
CHAIN_TABLES: Final = ("shops", "staff", "categories", "products", "skus", "coupon_templates", "levels")
_SHOP_TABLES: Final = (
    *("members", "orders", "order_lines", "tenders", "refunds"),
    *("coupons", "points", "stored_value", "level_changes", "feedback"),
)
#: Tables of each platform beyond those about the chain.
TABLES_OF: Final[dict[str, tuple[str, ...]]] = {
    "pos": _SHOP_TABLES,
    "youzan": _SHOP_TABLES,
    "weimob": _SHOP_TABLES,
    "wecom": ("contacts", "follows", "groups", "group_members", "messages"),
    "wechat": ("followers", "messages"),
    "miniprogram": (*_SHOP_TABLES, "browsing", "messages"),
}
