"""Every interface the connector calls: its request and the answer's fields, as the platform's pages give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pospal_rig import Rig, item, member, ticket

from plugins.pos.pospal.api import V2_PATHS, Api
from plugins.pos.pospal.signing import signature_v1, signature_v2

UID, RULE = 360135572336007987, 1604560747439474724
DAY = {"startTime": "2026-03-02 00:00:00", "endTime": "2026-03-03 00:00:00"}

# Interface: the request as the connector sends it, and the paths its data must have ("[]" is the first element).
CONTRACTS: dict[Api, tuple[Mapping[str, Any], tuple[str, ...]]] = {
    Api.SHOPS: ({}, ("postBackParameter.parameterType", "pageSize", "result.[].appId", "result.[].company", "result.[].number")),
    Api.CASHIERS: ({}, ("[].uid", "[].name", "[].jobNumber")),
    Api.PAY_METHODS: ({}, ("[].code", "[].name")),
    Api.MEMBERS: (
        {}, ("postBackParameter.parameterValue", "result.[].customerUid", "result.[].weixinOpenIds", "result.[].password",
             "result.[].extInfo", "result.[].point", "result.[].balance", "result.[].enable"),
    ),
    Api.MEMBER: ({"customerUid": UID}, ("customerUid", "number", "categoryName", "remarks")),
    Api.LEVELS: ({}, ("[].name",)),
    Api.MEMBER_UPDATE: ({"customerInfo": {"customerUid": UID, "remarks": "x"}}, ()),
    Api.INCREMENT: (
        {"customerUid": UID, "balanceIncrement": 0, "pointIncrement": 5, "dataChangeTime": "2026-03-04 12:00:00", "validatePoint": 1},
        ("pointAfterUpdate", "balanceAfterUpdate"),
    ),
    Api.RECHARGES: (
        {"stateDate": "2026-03-01 00:00:00", "endDate": "2026-03-31 00:00:00"}, ("result.[].uid", "result.[].rechargeMoney", "pageSize"),
    ),
    Api.TICKETS: (
        DAY, ("postBackParameter.parameterType", "result.[].uid", "result.[].sn", "result.[].items.[].totalAmount",
              "result.[].payments.[].code", "result.[].invalid", "result.[].customerUid"),
    ),
    Api.TICKET: ({"sn": "801"}, ("uid", "items.[].name")),
    Api.SALE_OF_REFUND: ({"refunTcketUid": 802}, ("uid",)),
    Api.PRODUCTS: ({}, ("result", "pageSize")),
    Api.CATEGORIES: ({}, ("result", "pageSize")),
    Api.COUPON_RULES: ({}, ("[].promotionCouponUid", "[].name")),
    Api.COUPON_ADD: ({"promotionCouponUid": RULE, "code": "HABC", "customerUid": UID}, ("codeExpiredDate",)),
    Api.COUPONS_OF: ({"customerUid": UID}, ("result", "postBackParameter.parameterType")),
    Api.COUPONS_USED: ({"startTime": "2026-03-01 00:00:00", "excludeEndTime": "2026-03-06 00:00:00"}, ("result", "pageSize")),
    Api.QUOTA: ({}, ("[].appId", "[].limitTimes")),
    Api.PUSH_URL: ({}, ("sendUrl",)),
    Api.PUSH_URL_SET: ({"pushUrl": "https://hub.example.com/p"}, ()),
}  # fmt: skip


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A shop with a member, a sale, its refund, a top-up and a cashier."""
    rig = Rig(tmp_path_factory.mktemp("contracts"))
    rig.sim.act("join", shop="S01", member=member(UID, "M1", "林小满", "15400010001", point=10))
    rig.sim.act("ring_up", shop="S01", ticket=ticket(801, "2026-03-02 10:00:00", item("a", 1.0)))
    back = ticket(802, "2026-03-02 11:00:00", item("a", 1.0), ticketType="SELL_RETURN")
    rig.sim.act("ring_up", shop="S01", ticket=back, sale="801")
    rig.sim.act(
        "top_up",
        shop="S01",
        recharge={"uid": 1, "customerUid": UID, "rechargeMoney": 1.0, "datetime": "2026-03-02 10:00:00"},
    )
    rig.sim.db.load("INSERT INTO cashiers VALUES (?, ?, ?)", [("7", "S01", {"jobNumber": "1001", "name": "小苏"})])
    yield rig
    rig.close()


def call(rig: Rig, api: Api, body: Mapping[str, Any], *, v2: bool = False) -> dict[str, Any]:
    """One call by hand; the whole answer."""
    http, app, key = rig.http(), rig.sim.app_of("S01"), rig.sim.key_of("S01")
    family = "openinterface/" + V2_PATHS[api] if v2 else f"pospal-api2/openapi/v1/{api}"
    request = http.build_request("POST", f"/area8/{family}", json={"appId": app, **body})
    if v2:
        request.headers.update({"appId": app, "time-stamp": "1772323200000"})
        request.headers["data-signature-v3"] = signature_v2(app, key, 1772323200000, request.content)
    else:
        request.headers["data-signature"] = signature_v1(key, request.content)
    answer = http.send(request)
    assert answer.status_code == 200  # errors too
    return dict(answer.json())


def dig(value: Any, path: str) -> None:
    for key in path.split("."):
        value = value[0] if key == "[]" else value[key]


def test_every_interface_in_use_has_a_contract() -> None:
    assert set(CONTRACTS) == set(Api)


@pytest.mark.parametrize("api", CONTRACTS, ids=str)
def test_request_and_answer(shown: Rig, api: Api) -> None:
    body, paths = CONTRACTS[api]
    answer = call(shown, api, body)
    assert (answer["status"], answer["messages"]) == ("success", [])
    for path in paths:
        dig(answer["data"], path)


@pytest.mark.parametrize("api", V2_PATHS, ids=str)
def test_second_family_answers_alike(shown: Rig, api: Api) -> None:
    body = {**CONTRACTS[api][0], **({"code": "HV2"} if api is Api.COUPON_ADD else {})}
    assert call(shown, api, body, v2=True)["status"] == "success"


REFUSALS: list[tuple[Api, Mapping[str, Any], int]] = [
    (Api.TICKETS, {"startTime": "2026-03-01 00:00:00", "endTime": "2026-03-02 00:00:01"}, 1040),
    (Api.TICKETS, {"startTime": "2026-03-02 00:00:00", "endTime": "2026-03-01 00:00:00"}, 1040),
    (Api.TICKETS, {"startTime": "2026-03-01", "endTime": "2026-03-02"}, 1003),
    (Api.TICKETS, {**DAY, "postBackParameter": {"parameterType": "LAST_RESULT_MIN_ID", "parameterValue": "1"}}, 1003),
    (Api.TICKET, {"sn": "nothing"}, 1041),
    (Api.SALE_OF_REFUND, {"refunTcketUid": 801}, 1041),
    (Api.MEMBER, {"customerUid": 1}, 1050),
    (Api.MEMBER_UPDATE, {"customerInfo": {"customerUid": UID, "categoryName": "钻石会员"}}, 1051),
    (Api.RECHARGES, {"stateDate": "2026-01-01 00:00:00", "endDate": "2026-02-02 00:00:00"}, 1040),
    (Api.COUPONS_USED, {"startTime": "2026-03-01 00:00:00", "excludeEndTime": "2026-03-06 00:00:01"}, 1040),
    (Api.COUPON_ADD, {"promotionCouponUid": RULE, "code": "not ok", "customerUid": UID}, 1061),
]


@pytest.mark.parametrize(("api", "body", "code"), REFUSALS)
def test_refusals(shown: Rig, api: Api, body: Mapping[str, Any], code: int) -> None:
    answer = call(shown, api, body)
    assert (answer["status"], answer["errorCode"]) == ("error", code)
    assert answer["messages"]


def test_flag_lifts_the_limit_of_a_day(shown: Rig) -> None:
    asked = {"startTime": "2026-03-01 00:00:00", "endTime": "2026-03-31 00:00:00", "noLimitTimeRange": 1}
    assert len(call(shown, Api.TICKETS, asked)["data"]["result"]) == 2


def test_first_page_comes_again_when_nothing_is_sent_back(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig(page_size=2)
    for number in range(5):
        rig.sim.act("join", shop="S01", member=member(UID + number, f"M{number}", "", ""))
    first, again = (call(rig, Api.MEMBERS, {})["data"] for _ in range(2))
    assert first == again
    following = call(rig, Api.MEMBERS, {"postBackParameter": first["postBackParameter"]})["data"]
    assert [row["number"] for row in following["result"]] == ["M2", "M3"]


def test_ids_beyond_a_double_come_as_numbers(shown: Rig) -> None:
    [row] = call(shown, Api.MEMBERS, {})["data"]["result"]
    assert row["customerUid"] == UID > 2**53
