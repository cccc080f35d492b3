"""Every capability the connector calls: its request and the answer's fields, as the platform's pages give them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from weimob_rig import Rig, members

import plugins.weimob
from plugins.weimob.api import Api, Capability
from plugins.weimob.config import WeimobConfig

Body = Callable[[Rig], Mapping[str, Any]]
YEAR = {"startTime": 1_735_700_000_000, "endTime": 1_738_000_000_000, "type": 1}


def one(rig: Rig) -> int:
    return int(members(rig, 1)[0])


def who(rig: Rig) -> dict[str, Any]:
    return {"wid": one(rig), "vid": rig.sim.root_vid}


def value(rig: Rig, sql: str) -> Any:
    return rig.sim.db.value(sql)


def plan(rig: Rig) -> int:
    return int(rig.sim.credentials["membership_plan_id"])


def related(rig: Rig) -> dict[str, Any]:
    known = rig.sim.credentials
    tag = rig.sim.tag_id("t")
    return {
        "vid": rig.sim.root_vid, "bosId": int(known["bos_id"]), "productInstanceId": int(known["product_instance_id"]),
        "merchantId": int(known["merchant_id"]), "widList": [one(rig)], "tagList": [{"tagId": tag, "attrIdList": [rig.sim.value_id(tag, "v")]}],
        "needCheckExist": True, "tcode": "weimob", "operationSource": 2,
    }  # fmt: skip


def adjusting(rig: Rig, name: str, **more: Any) -> dict[str, Any]:
    return {
        "requestId": "r-1", "requestType": "5", "adjustType": "1", "changeReason": "生日礼", "changeType": "107", "operatorWid": "0",
        name: [who(rig)], **more,
    }  # fmt: skip


# Capability: the request as the connector sends it, and the paths its ``data`` must have ("[]" is the first element).
CONTRACTS: dict[Capability, tuple[Body, tuple[str, ...]]] = {
    Api.INFO: (lambda rig: {}, ("bosId", "bosName")),
    Api.ROOT: (lambda rig: {}, ("vid",)),
    Api.ORGANISATIONS: (
        lambda rig: {"parentVid": 0, "isDirect": 0, "pageNum": 1, "pageSize": 50},
        ("totalSize", "data.[].vid", "data.[].vidName", "data.[].vidCode", "data.[].vidType", "data.[].parentVid"),
    ),
    Api.ORGANISATION_DETAILS: (
        lambda rig: {"vidList": [rig.sim.vid_of("S001")], "fields": ["provinceName"]}, ("[].vid", "[].provinceName", "[].contactTels"),
    ),
    Api.USER_SEARCH: (
        lambda rig: {"fields": ["wid"], "query": [{"field": "becomeCustomerTime", "value": "[1,4000000000000]"}], "pageNum": 1, "pageSize": 100,
                     "isReturnPageResult": 1},
        ("result", "totalSize"),
    ),
    Api.SUPER_WID: (lambda rig: {"bosId": 1, "wid": one(rig)}, ("bosId", "superWid")),
    Api.CHANNELS: (
        lambda rig: {
            "bosId": 1, "wid": value(rig, "SELECT wid FROM customers WHERE status = 'active' AND json_extract(body, '$.unionid') > ''"),
            "channelTypeList": [0, 1, 2], "appId": "default", "pageSize": 50, "pageNum": 0, "queryType": 0, "needDistinct": True,
        },
        ("superWid", "userChannelInfoDtoList.[].channelType", "userChannelInfoDtoList.[].openId", "userChannelInfoDtoList.[].appId"),
    ),
    Api.CUSTOMERS: (
        lambda rig: {"widList": [one(rig)], "resultType": [1, 2, 3, 4], "vid": rig.sim.root_vid},
        ("userBaseInfoList.[].wid", "userBaseInfoList.[].phone", "userBaseInfoList.[].becomeMemberTime", "userBaseInfoList.[].belongVid",
         "userBaseInfoList.[].memberIdentifyInfoList.[].levelId", "userBaseInfoList.[].extendInfoList"),
    ),
    Api.CUSTOMER_UPDATE: (lambda rig: {**who(rig), "extMap": {"pet": "cat"}}, ("result",)),
    Api.CARDS: (
        lambda rig: {**who(rig), "queryType": [1, 2, 3, 4, 6]},
        ("[].customCardNo", "[].membershipPlanId", "[].levelId", "[].levelName", "[].growthValue", "[].obtainTime", "[].effectiveTime"),
    ),
    Api.CARD_PLANS: (
        lambda rig: {"queryType": [2], "membershipPlanId": plan(rig), "vid": rig.sim.root_vid},
        ("[].membershipPlanId", "[].levelInfos.[].levelId", "[].levelInfos.[].levelName"),
    ),
    Api.CARD_UPDATE: (
        lambda rig: {"wid": one(rig), "membershipPlanId": plan(rig), "updateType": 3, "levelId": value(rig, "SELECT level_id FROM levels"),
                     "operatorName": "hub", "operatorWid": 0, "reason": "r", "channelType": 971, "channelId": 0},
        ("status",),
    ),
    Api.GROWTH_ADJUST: (
        lambda rig: {**who(rig), "membershipPlanId": plan(rig), "changeGrowth": 5, "eventSource": 1, "eventType": "1", "eventId": "e-1",
                     "reason": "r", "operatorChannel": 0, "operatorWid": 0, "channelType": 971, "channelId": 0},
        ("growthBillId",),
    ),
    Api.POINTS: (who, ("availablePoint", "totalPoint", "acctStatus")),
    Api.POINTS_ADJUST: (
        lambda rig: adjusting(rig, "adjustPointInfoList", changePoint="50"), ("result", "list.[].wid", "list.[].status", "list.[].userTransId"),
    ),
    Api.BALANCE: (who, ("availableAmount", "totalAmount")),
    Api.BALANCE_ADJUST: (
        lambda rig: adjusting(rig, "adjustBalanceInfoList", changCapitalAmount="5.00", changeGrantsAmount="0.00"), ("result", "list.[].status"),
    ),
    Api.COUPON_TEMPLATES: (
        lambda rig: {"pageNum": 1, "pageSize": 50, "vid": rig.sim.root_vid},
        ("pageList.[].couponTemplateId", "pageList.[].name", "pageList.[].stock", "totalCount"),
    ),
    Api.COUPON_CODES: (
        lambda rig: {"param": {"couponTemplateId": value(rig, "SELECT template_id FROM coupons")}, "mode": 1, "pageNum": 1, "pageSize": 50},
        ("pageList.[].code", "pageList.[].wid", "pageList.[].publishTime", "pageList.[].usedTime", "nextStartId"),
    ),
    Api.COUPON_SEND: (
        lambda rig: {"wid": one(rig), "scene": 945000, "vid": rig.sim.root_vid, "vidType": 1,
                     "couponNums": [{"couponTemplateId": value(rig, "SELECT template_id FROM templates"), "num": 1, "requestId": "c-1"}]},
        ("couponResultList.[].isSuccess", "couponResultList.[].codes.[]", "successCount", "failedCount", "status"),
    ),
    Api.TAGS: (
        lambda rig: {"vid": rig.sim.root_vid, "pageNum": 1, "pageSize": 20 if rig.sim.tag_id("t") else 1, "operationSource": 2},
        ("totalCount", "pageList.[].tagId", "pageList.[].tagName", "pageList.[].openTagAttrVoList"),
    ),
    Api.TAGS_CREATE: (
        lambda rig: {"vid": rig.sim.root_vid, "vidType": 1, "operationSource": 2, "openCreateTagRequestList": [
            {"source": 2, "tagName": "客户中台", "tagType": 1, "isPersonal": 0, "tagAttrRequestList": [{"attrName": "高价值"}]}]},
        ("listVo.[].tagId", "listVo.[].isSuccess"),
    ),
    Api.TAG_VALUE_CREATE: (lambda rig: {"tagId": rig.sim.tag_id("t"), "attrName": "高价值", "vid": rig.sim.root_vid}, ("attrId",)),
    Api.TAGS_OF: (
        lambda rig: {"widList": [one(rig)], "isFilterCrow": True, "vid": rig.sim.root_vid}, ("customerTagListMap",),
    ),
    Api.TAGS_BIND: (related, ("isSuccess", "successCount", "errorCount", "errorList")),
    Api.TAGS_UNBIND: (related, ("isSuccess",)),
    Api.ORDERS: (
        lambda rig: {"pageNum": 1, "pageSize": 100, "queryParameter": {"queryTime": YEAR}, "orderDomains": [1, 2, 3]},
        ("totalCount", "pageList.[].orderInfo.orderBaseInfo.orderNo", "pageList.[].orderInfo.buyerInfo.wid",
         "pageList.[].orderInfo.items.[].goodsId", "pageList.[].orderInfo.payInfo.shouldPayAmount", "pageList.[].rightsInfos"),
    ),
    Api.ORDER: (
        lambda rig: {"orderNo": value(rig, "SELECT order_no FROM orders"), "orderDomains": [1, 2, 3]},
        ("orderInfo.orderBaseInfo.orderNo", "orderInfo.items.[].skuNum"),
    ),
    Api.RIGHTS: (
        lambda rig: {"pageNum": 1, "pageSize": 100, "queryParameter": {"queryTime": YEAR}},
        ("totalCount", "pageList.[].rightsOrder.rightsId", "pageList.[].originOrder.orderNo", "pageList.[].refundDetail.refundAmount"),
    ),
    Api.RIGHT: (
        lambda rig: {"rightsId": value(rig, "SELECT rights_id FROM rights")},
        ("rightsInfo.rightsOrder.rightsStatus", "rightsInfo.rightsItems.[].refundDetail.refundAmount"),
    ),
    Api.GOODS: (
        lambda rig: {"pageNum": 1, "pageSize": 20, "basicInfo": {"vid": rig.sim.root_vid}, "queryParameter": {"startUpdateTime": 1, "endUpdateTime": 2**42}},
        ("totalCount", "pageList.[].goodsId", "pageList.[].title", "pageList.[].goodsPrice.minSalePrice"),
    ),
    Api.GUIDES: (
        lambda rig: {"queryParameter": {}, "pageNum": 1, "pageSize": 50},
        ("totalCount", "pageList.[].guiderWid", "pageList.[].guiderName", "pageList.[].guiderPhone", "pageList.[].guiderVid"),
    ),
    Api.GUIDE_CUSTOMERS: (
        lambda rig: {"queryParameter": {"guiderWid": value(rig, "SELECT guide FROM customers WHERE guide IS NOT NULL AND status = 'active'")},
                     "pageNum": 1, "pageSize": 50, "bizVid": rig.sim.root_vid, "tcode": "weimob"},
        ("totalCount", "pageList.[].wid"),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Rig(tmp_path_factory.mktemp("contracts")) as rig:
        yield rig


def test_every_capability_in_use_has_a_contract() -> None:
    assert set(CONTRACTS) == set(Api.all())


@pytest.mark.parametrize("capability", CONTRACTS, ids=lambda capability: capability.name)
def test_request_and_answer(shared: Rig, capability: Capability) -> None:
    body, paths = CONTRACTS[capability]
    answer = shared.call(capability, body(shared))
    assert answer["code"] == {"errcode": "0", "errmsg": "success"}, answer
    assert answer["globalTicket"]
    for path in paths:
        found = answer["data"]
        for key in path.split("."):
            found = found[0] if key == "[]" else found[key]


def refused(rig: Rig, capability: Capability, body: Mapping[str, Any]) -> str:
    code = rig.call(capability, body)["code"]
    assert code["errcode"] != "0"
    return str(code["errmsg"])


@pytest.mark.parametrize(
    ("capability", "body", "said"),
    [
        (Api.USER_SEARCH, {"fields": ["wid"], "pageNum": 1, "pageSize": 30, "isReturnPageResult": 1}, "pageSize"),
        (Api.USER_SEARCH, {"fields": ["wid"], "pageNum": 101, "pageSize": 100, "isReturnPageResult": 1}, "最多查询"),
        (Api.USER_SEARCH, {"fields": ["shoeSize"], "pageNum": 1, "pageSize": 10, "isReturnPageResult": 1}, "字段"),
        (Api.CUSTOMERS, {"widList": list(range(1, 22)), "resultType": [1]}, "widList"),
        (Api.CARDS, {"wid": 1, "queryType": [3]}, "queryType"),
        (Api.TAGS_OF, {"widList": list(range(1, 22)), "isFilterCrow": True, "vid": 1}, "widList"),
        (Api.ORDERS, {"pageNum": 1, "pageSize": 101, "queryParameter": {"queryTime": YEAR}}, "pageSize"),
        (
            Api.ORDERS,
            {"pageNum": 1, "pageSize": 1, "queryParameter": {"queryTime": {**YEAR, "endTime": 1_739_000_000_000}}},
            "30天",
        ),
        (Api.GOODS, {"pageNum": 501, "pageSize": 20, "basicInfo": {"vid": 1}, "queryParameter": {}}, "pageNum"),
        (Api.GOODS, {"pageNum": 1, "pageSize": 21, "basicInfo": {"vid": 1}, "queryParameter": {}}, "pageSize"),
        (Api.ORGANISATIONS, {"parentVid": 0, "pageNum": 1, "pageSize": 51}, "pageSize"),
        (Api.COUPON_SEND, {"wid": 1, "scene": 1, "vid": 1, "vidType": 1, "couponNums": []}, "scene"),
    ],
    ids=lambda each: each.name if isinstance(each, Capability) else "",
)
def test_documented_limits_are_kept(shared: Rig, capability: Capability, body: Mapping[str, Any], said: str) -> None:
    assert said in refused(shared, capability, body)


def test_tags_are_bound_to_fifty_customers_and_hold_twenty_values(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig()
    assert "widList" in refused(rig, Api.TAGS_BIND, {**related(rig), "widList": list(range(51))})
    tag = rig.sim.tag_id("full")
    for number in range(20):
        rig.sim.value_id(tag, f"v{number}")
    assert "最多20个" in refused(rig, Api.TAG_VALUE_CREATE, {"tagId": tag, "attrName": "one more", "vid": 1})


def test_search_results_are_json_inside_a_text_and_count_on_the_first_page_only(shared: Rig) -> None:
    asked = {"fields": ["wid", "phone"], "query": [], "pageSize": 10, "isReturnPageResult": 1}
    first, second = (shared.call(Api.USER_SEARCH, {**asked, "pageNum": number})["data"] for number in (1, 2))
    assert isinstance(first["result"], str)
    assert len(json.loads(first["result"])) == 10
    assert "totalSize" in first
    assert "totalSize" not in second


def test_the_token_address_takes_the_query_or_the_body_and_answers_flat(shared: Rig) -> None:
    http = shared.http()
    by_query = http.post("/fuwu/b/oauth2/token", params=shared.token_query()).json()
    by_body = http.post("/fuwu/b/oauth2/token", json=shared.token_query()).json()
    for answer in (by_query, by_body):
        assert answer["token_type"] == "bearer"
        assert answer["expires_in"] == 604_799
        assert "code" not in answer
    bad = http.post("/fuwu/b/oauth2/token", params=shared.token_query(client_secret="no"))
    assert (bad.status_code, bad.json()["error"]) == (401, "invalid_client")
    assert http.post("/fuwu/b/oauth2/token", params=shared.token_query(shop_id="1")).status_code == 400


def test_a_bad_token_is_told_with_http_200(shared: Rig) -> None:
    answer = shared.http().post(Api.INFO.path, params={"accesstoken": "no"}, json={})
    assert answer.status_code == 200
    assert answer.json()["code"]["errcode"] == "80001001000119"
    assert answer.json()["data"] is None


def test_unknown_keys_of_a_request_are_ignored(shared: Rig) -> None:
    assert shared.call(Api.INFO, {"ShopId": 1, "Method": "POST"})["code"]["errcode"] == "0"


def test_money_of_every_order_adds_up(shared: Rig) -> None:
    query = {"queryTime": {**YEAR, "endTime": YEAR["startTime"] + 2_591_000_000}}
    asked = {"pageNum": 1, "pageSize": 100, "queryParameter": query, "orderDomains": [1]}
    rows = shared.call(Api.ORDERS, asked)["data"]["pageList"]
    assert rows
    for row in rows:
        info = row["orderInfo"]
        pay = info["payInfo"]
        lines = sum(Decimal(item["payInfo"]["shouldPayAmount"]) for item in info["items"])
        freight = sum(Decimal(each["amount"]) for each in pay["amountInfos"] if each["type"] == 250)
        assert lines + freight == Decimal(pay["shouldPayAmount"])
        assert Decimal(pay["totalAmount"]) - Decimal(pay["totalDiscountAmount"]) == Decimal(pay["shouldPayAmount"])


def test_the_guide_names_every_capability_and_setting_in_use() -> None:
    guide = (Path(plugins.weimob.__file__).parent / "README.md").read_text(encoding="utf-8")
    assert [capability.name for capability in Api.all() if capability.action not in guide] == []
    assert [name for name in setting_names(WeimobConfig) if f"`{name}`" not in guide] == []


def setting_names(model: type[BaseModel], stem: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from setting_names(kind, f"{stem}{name}.")
        else:
            yield stem + name
