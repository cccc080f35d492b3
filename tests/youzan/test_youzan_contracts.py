"""Every method the connector calls: its request and the answer's fields, as the platform's pages give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
from youzan_rig import Rig, members

from plugins.youzan.api import Api, Method

Body = Callable[[Rig], Mapping[str, Any]]


def _open_id(rig: Rig) -> str:
    return members(rig, 1)[0]


def _user(rig: Rig) -> dict[str, Any]:
    return {"account_type": 5, "account_id": _open_id(rig)}


def _account(rig: Rig) -> dict[str, Any]:
    return {"account_type": "YzOpenId", "account_id": _open_id(rig)}


def _value(rig: Rig, sql: str) -> Any:
    return rig.sim.db.value(sql)


def _group(rig: Rig) -> int:
    http = rig.http()
    rig.call(
        http,
        "scrm.tag.category.create",
        "1.0.0",
        {"tag_category_name": "g", "tag_add_rule": 1, "tag_category_status": 0},
    )
    return int(_value(rig, "SELECT id FROM tag_groups"))


def _tag(rig: Rig) -> int:
    return rig.sim.tag_id("t", _group(rig))


def _held_card(rig: Rig) -> str:
    body = {
        "params": {
            "user": _user(rig),
            "card_alias": "Y9benefitcard1",
            "term_start_at": 0,
            "term_end_at": 4_000_000_000_000,
        }
    }
    return str(rig.call(rig.http(), "scrm.customer.card.grant", "4.0.0", body)["data"]["card_no"])


def _points(rig: Rig) -> dict[str, Any]:
    return {"user": _user(rig), "points": 5, "reason": "r", "biz_value": "b-1"}


def _day(rig: Rig) -> dict[str, Any]:
    now = int(rig.clock.time())
    return {"user": _user(rig), "begin_time": now - 86_400, "end_time": now, "type": 0, "page": 1, "page_size": 50}


# Method: the request as the connector sends it, and the paths its answer must have ("[]" is the first element).
CONTRACTS: dict[Method, tuple[Body, tuple[str, ...]]] = {
    Api.CUSTOMER_LIST: (
        lambda rig: {"created_at_start": 0, "created_at_end": 4_000_000_000, "page_no": 1, "page_size": 50},
        ("data.total", "data.record_list.[].yz_open_id", "data.record_list.[].created_at"),
    ),
    Api.CUSTOMER_SCAN: (
        lambda rig: {"page_size": 300, "updated_at_start": 0, "updated_at_end": 4_000_000_000_000},
        ("data.index_id", "data.customer_list.[].yz_open_id"),
    ),
    Api.CUSTOMER_DETAIL: (
        lambda rig: {"yz_open_id": _open_id(rig), "fields": "user_base,tags,level,credit,prepaid,auth_info"},
        ("data.name", "data.mobile", "data.gender", "data.created_at", "data.updated_at", "data.ascription_kdt_id",
         "data.customer_attrInfos", "data.tags", "data.level_infos.[].level_alias", "data.points", "data.prepaid_balance",
         "data.auth_info.is_mobile_auth"),
    ),
    Api.CUSTOMER_ATTRIBUTES: (
        lambda rig: {"account": _account(rig), "customer_info": {"gender": 1, "attribute_value_list": [{"name": "RFM", "value": "5"}]}},
        ("data",),
    ),
    Api.USER_INFO: (
        lambda rig: {
            "yz_open_id": _value(rig, "SELECT open_id FROM customers WHERE status = 'active' AND json_extract(body, '$.unionid') > ''"),
            "result_type_list": [1, 2, 9],
        },
        ("data.user_list.[].wechat_info.union_id", "data.user_list.[].wechat_info.wechat_type",
         "data.user_list.[].platform_info.weixin_open_id"),
    ),
    Api.GUIDE_OF: (
        lambda rig: {"yz_open_id": _value(rig, "SELECT open_id FROM customers WHERE status = 'active' AND json_extract(body, '$.guide_id') > ''")},
        ("data.staff_no",),
    ),
    Api.DECRYPT: (lambda rig: {"sources": [rig.sim.hide("15400000001", rig.sim.root)]}, ("data",)),
    Api.TAG_GROUP_CREATE: (
        lambda rig: {"tag_category_name": "客户中台", "tag_add_rule": 1, "tag_category_status": 0, "operate_source": "hub"}, ("data",),
    ),
    Api.TAG_GROUP_LIST: (
        lambda rig: {"page": _tag(rig) and 1, "page_size": 50, "tag_category_name": "g"},
        ("data.paginator.total_count", "data.items.[].tag_category_id", "data.items.[].tag_category_name", "data.items.[].tags.[].tag_id"),
    ),
    Api.TAG_CREATE: (
        lambda rig: {"tag_template_create_d_t_o": {"tag_name": "重要价值", "tag_category_id": _group(rig), "operate_source": "hub"}},
        ("data.tag_id",),
    ),
    Api.TAGS_ADD: (lambda rig: {"account": _user(rig), "tag_ids": [_tag(rig)], "operate_source": "hub"}, ("data",)),
    Api.TAGS_DELETE: (lambda rig: {"account": _user(rig), "tag_ids": [_tag(rig)], "operate_source": "hub"}, ("data",)),
    Api.TAGS_OF: (
        lambda rig: {"account": _user(rig), "display_type": 2, "filter_invalid_tag": True, "filter_category_tag": False},
        ("data.yz_open_id", "data.tags"),
    ),
    Api.NAMED_TAGS_ADD: (lambda rig: {**_account(rig), "tags": [{"tag_name": "CDP·高价值"}]}, ("data",)),
    Api.NAMED_TAGS_DELETE: (lambda rig: {**_account(rig), "tags": [{"tag_name": "t"}] if rig.sim.tag_id("t", 0) else []}, ("data",)),
    Api.NAMED_TAGS_OF: (_account, ("data",)),
    Api.LEVELS: (lambda rig: {"level_type": 1}, ("data.level_details.[].level_alias", "data.level_details.[].name")),
    Api.LEVEL_OF: (lambda rig: {"user": _user(rig), "type": 1}, ("data.level_alias", "data.level_value")),
    Api.LEVEL_SET: (
        lambda rig: {"params": {"user": _user(rig), "level_alias": _value(rig, "SELECT alias FROM levels WHERE rank = 2")}},
        ("data.is_success",),
    ),
    Api.CARD_GRANT: (
        lambda rig: {"params": {"user": _user(rig), "card_alias": "Y9benefitcard1", "term_start_at": 1, "term_end_at": 2}},
        ("data.is_success", "data.card_no"),
    ),
    Api.CARDS_OF: (
        lambda rig: {"params": {"user": _user(rig), "page_no": int(bool(_held_card(rig)))}},
        ("data.items.[].card_alias", "data.items.[].card_no", "data.items.[].card_state", "data.items.[].card_end_time"),
    ),
    Api.CARD_DELETE: (lambda rig: {"params": {"user": _user(rig), "card_no": _held_card(rig)}}, ("data.is_success",)),
    Api.POINTS_INCREASE: (lambda rig: {"params": _points(rig)}, ("data.is_success",)),
    Api.POINTS_DECREASE: (
        lambda rig: {"params": {**_points(rig), "biz_value": "b-2"}}
        if rig.call(rig.http(), "crm.customer.points.increase", "4.0.0", {"params": _points(rig)})
        else {},
        ("data.is_success",),
    ),
    Api.POINTS_SET: (_points, ("data.is_success",)),
    Api.POINTS_LOG: (
        lambda rig: _day(rig) if rig.call(rig.http(), "crm.customer.points.sync", "4.0.0", _points(rig)) else {},
        ("data.paginator.total_count", "data.items.[].amount", "data.items.[].biz_value", "data.items.[].created_at"),
    ),
    Api.COUPON_ACTIVITIES: (lambda rig: {"request": {"ump_type": 105, "page_no": 1, "page_size": 50}}, ("data.[].activity_id",)),
    Api.COUPON_ACTIVITY: (
        lambda rig: {"activity_id": str(_value(rig, "SELECT id FROM activities"))}, ("data.send_stock_qty", "data.status"),
    ),
    Api.COUPON_LOG: (
        lambda rig: {"coupon_group_id": str(_value(rig, "SELECT activity FROM vouchers")), "start_taked": "2020-01-01 00:00:00",
                     "end_taked": "2099-01-01 00:00:00", "order_type": 2, "page_no": 1, "page_size": 50},
        ("data.total_results", "data.fetchlogs.[].promocard_id", "data.fetchlogs.[].yz_open_id", "data.fetchlogs.[].taked_at",
         "data.fetchlogs.[].used_at", "data.fetchlogs.[].used_in_order_no"),
    ),
    Api.COUPON_SEND: (
        lambda rig: {"activity_id": str(_value(rig, "SELECT id FROM activities")), "yz_open_id": _open_id(rig)},
        ("data.voucher_identity.coupon_id", "data.activity_id", "data.sent_at", "data.send_source"),
    ),
    Api.COUPONS_OF: (
        lambda rig: {"yz_open_id": _value(rig, "SELECT open_id FROM vouchers"), "activity_type_group": 1, "status": 0, "page_num": 1,
                     "page_size": 200},
        ("total", "page_num", "data.[].voucher_identity.coupon_id", "data.[].activity_id", "data.[].send_at", "data.[].send_source"),
    ),
    Api.COUPON_DETAIL: (
        lambda rig: {"coupon_id": str(_value(rig, "SELECT coupon_id FROM vouchers")), "coupon_type": 0},
        ("data.voucher_identity.coupon_id", "data.user_identity.yz_open_id", "data.activity_id", "data.status", "data.used_order_no"),
    ),
    Api.TRADES: (
        lambda rig: {"start_update": "2025-01-01 00:00:00", "end_update": "2025-03-01 00:00:00", "page_no": 1, "page_size": 100},
        ("data.total_results", "data.full_order_info_list.[].full_order_info.order_info.tid",
         "data.full_order_info_list.[].full_order_info.pay_info.payment", "data.full_order_info_list.[].full_order_info.orders.[].oid"),
    ),
    Api.TRADE: (
        lambda rig: {"tid": _value(rig, "SELECT tid FROM trades")},
        ("data.full_order_info.order_info.tid", "data.order_promotion.order_discount_fee", "data.refund_order", "data.delivery_order"),
    ),
    Api.REFUNDS: (
        lambda rig: {"update_time_start": 1, "update_time_end": 4_000_000_000, "page_no": 1, "page_size": 50},
        ("data.total", "data.refunds.[].refund_id", "data.refunds.[].tid", "data.refunds.[].refund_fee", "data.refunds.[].modified"),
    ),
    Api.REFUND: (
        lambda rig: {"refund_id": _value(rig, "SELECT refund_id FROM refunds")},
        ("data.tid", "data.refund_fee", "data.refund_order_item.[].oid", "data.refund_order_item.[].refund_fee", "data.refund_fund_list"),
    ),
    Api.ITEMS: (
        lambda rig: {"kdt_id": int(rig.sim.root), "channel": 0, "page_no": 1, "page_size": 50},
        ("data.items.[].item_id", "data.items.[].channel_item_id", "data.items.[].title", "data.items.[].price"),
    ),
    Api.SHOP: (lambda rig: {}, ("data.name", "data.sid")),
    Api.CHAIN: (
        lambda rig: {"page_num": 1, "page_size": 50}, ("data.organization_list.[].kdt_id", "data.organization_list.[].outer_id"),
    ),
    Api.CHAIN_STAFF: (lambda rig: {"page_no": 1, "page_size": 20}, ("data.staff_list.[].staff_no",)),
    Api.SHOP_STAFF: (lambda rig: {"page_no": 1, "page_size": 50}, ("data.staff_list.[].staff_no",)),
}  # fmt: skip


def test_every_method_in_use_has_a_contract() -> None:
    assert {method.name for method in CONTRACTS} == {method.name for method in Api.methods()}


@pytest.mark.parametrize("method", CONTRACTS, ids=lambda method: method.name)
def test_request_and_answer(rig: Rig, method: Method) -> None:
    body, paths = CONTRACTS[method]
    asked = body(rig)
    answer = rig.call(rig.http(), method.name, method.version, asked)
    assert answer.get("success") is True, answer
    for path in paths:
        _dig(answer, path)


def _dig(value: Any, path: str) -> None:
    for key in path.split("."):
        value = value[0] if key == "[]" else value[key]


REFUSALS: list[tuple[str, str, Mapping[str, Any], int]] = [
    ("scrm.customer.list", "1.0.0", {"page_no": 201, "page_size": 50}, 142710032),
    ("trades.sold.get", "4.0.4", {"page_size": 101}, 5000),
    ("trades.sold.get", "4.0.4", {"start_update": "2025-02-01 00:00:00", "end_update": "2025-01-01 00:00:00"}, 5000),
    ("trades.sold.get", "4.0.4", {"start_update": "2024-01-01 00:00:00", "end_update": "2025-01-01 00:00:00"}, 5000),
    (
        "trades.sold.get",
        "4.0.4",
        {"start_update": "2099-01-01 00:00:00", "end_update": "2099-01-02 00:00:00"},
        106000003,
    ),
    ("trades.sold.get", "4.0.4", {"start_update": "2025-01-01", "end_update": "2025-01-02"}, 5001),
    ("trade.get", "4.0.2", {"tid": "E20200101000000000000000"}, 5000),
    ("trade.get", "4.0.2", {"tid": "1"}, 106000004),
    ("trade.refund.search", "3.0.1", {"page_no": 61, "page_size": 50}, 103010052),
    ("cloud.secret.decrypt.batch", "1.0.0", {"sources": [""]}, 10500),
    ("scrm.customer.detail.get", "1.0.1", {"yz_open_id": "nobody"}, 141001107),
]


@pytest.mark.parametrize(("name", "version", "body", "code"), REFUSALS)
def test_refusals(rig: Rig, name: str, version: str, body: Mapping[str, Any], code: int) -> None:
    answer = rig.call(rig.http(), name, version, body)
    found = answer.get("gw_err_resp", {}).get("err_code") or answer["code"]
    assert int(found) == code


def test_points_are_booked_once_per_business_value(rig: Rig) -> None:
    http, body = rig.http(), {"params": _points(rig)}
    assert rig.call(http, "crm.customer.points.increase", "4.0.0", body)["data"] == {"is_success": "true"}
    assert rig.call(http, "crm.customer.points.increase", "4.0.0", body)["code"] == 142100106
    assert _value(rig, "SELECT count(*) FROM points_log WHERE entry LIKE 'hub-%'") == 1


def test_points_belong_to_the_head_office(rig: Rig) -> None:
    http = rig.http()
    token = rig.token(http, grant_id=str(rig.sim.node_of("S001")))
    answer = http.post(
        "/api/youzan.crm.customer.points.increase/4.0.0", params={"access_token": token}, json={"params": _points(rig)}
    )
    assert answer.json()["code"] == 142100002


def test_money_identities_hold_for_every_trade(rig: Rig) -> None:
    http = rig.http()
    token = rig.token(http)
    for row in rig.sim.db.rows("SELECT tid FROM trades"):
        answer = http.post(
            "/api/youzan.trade.get/4.0.2", params={"access_token": token}, json={"tid": row["tid"]}
        ).json()["data"]
        pay, promotion = answer["full_order_info"]["pay_info"], answer["order_promotion"]
        off = Decimal(promotion["order_discount_fee"]) + Decimal(promotion["item_discount_fee"])
        expected = Decimal(pay["total_fee"]) - off + Decimal(promotion["adjust_fee"]) + Decimal(pay["post_fee"])
        assert Decimal(pay["payment"]) == expected
        assert sum(Decimal(line["payment"]) for line in answer["full_order_info"]["orders"]) == Decimal(pay["payment"])


def test_ids_beyond_a_double_come_as_numbers_and_line_ids_as_text(rig: Rig) -> None:
    answer = rig.call(rig.http(), "trades.sold.get", "4.0.4", {"page_no": 1, "page_size": 1})
    line = answer["data"]["full_order_info_list"][0]["full_order_info"]["orders"][0]
    assert isinstance(line["item_id"], int)
    assert line["item_id"] > 2**53
    assert isinstance(line["oid"], str)


def test_refund_methods_write_their_code_as_text(rig: Rig) -> None:
    assert rig.call(rig.http(), "trade.refund.search", "3.0.1", {"page_no": 1, "page_size": 1})["code"] == "200"
