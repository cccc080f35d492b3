"""Every endpoint the connector calls: its request, and the answer's fields as the platform's pages give them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from wechat_rig import NOTICE, Rig, openid, user

from plugins.wechat import client, metrics
from plugins.wechat.simulator.messages import ARRIVAL

YESTERDAY = {"begin_date": "20260301", "end_date": "20260301"}
CUBE = "/datacube/getweanalysisappid"
MESSAGE = {"template_id": ARRIVAL, "data": {key: {"value": value} for key, value in NOTICE.items()}}


@dataclass(frozen=True)
class Contract:
    """A request, and the paths its answer must have (``[]`` is the first element)."""

    method: str
    answers: tuple[str, ...]
    body: Callable[[Rig], Mapping[str, Any]] = lambda rig: {}
    kind: str = "official_account"
    is_bare: bool = True
    """A read that answers without ``errcode``."""
    before: Callable[[Rig], object] = field(default=lambda rig: None)


def _tag(rig: Rig) -> int:
    return rig.sim.put_tag("VIP", by_hub=False)


def _members(rig: Rig) -> dict[str, Any]:
    return {"openid_list": [openid(1)], "tagid": _tag(rig)}


def _session(rig: Rig) -> dict[str, Any]:
    own = rig.settings("miniprogram")
    code = rig.sim.act("logs_in", openid=user(1))
    return {"appid": own["appid"], "secret": own["secret"], "js_code": code, "grant_type": "authorization_code"}


def _login(rig: Rig) -> dict[str, Any]:
    own = rig.settings()
    return {"grant_type": "client_credential", "appid": own["appid"], "secret": own["secret"], "force_refresh": False}


CONTRACTS: dict[str, Contract] = {
    "/cgi-bin/stable_token": Contract("POST", ("access_token", "expires_in"), _login),
    "/cgi-bin/user/get": Contract("GET", ("total", "count", "data.openid.[]", "next_openid"), lambda rig: {"next_openid": ""}),
    "/cgi-bin/user/info/batchget": Contract(
        "POST",
        tuple(f"user_info_list.[].{key}" for key in (
            "subscribe", "openid", "unionid", "language", "subscribe_time", "remark", "groupid", "tagid_list",
            "subscribe_scene", "qr_scene", "qr_scene_str")),
        lambda rig: {"user_list": [{"openid": openid(1), "lang": "zh_CN"}]},
    ),
    "/cgi-bin/tags/get": Contract("GET", ("tags.[].id", "tags.[].name", "tags.[].count")),
    "/cgi-bin/tags/create": Contract(
        "POST", ("tag.id", "tag.name"), lambda rig: {"tag": {"name": "VIP"}}, is_bare=False
    ),
    "/cgi-bin/tags/members/batchtagging": Contract("POST", ("errmsg",), _members, is_bare=False),
    "/cgi-bin/tags/members/batchuntagging": Contract("POST", ("errmsg",), _members, is_bare=False),
    "/cgi-bin/user/tag/get": Contract(
        "POST",
        ("count", "data.openid.[]", "next_openid"),
        lambda rig: {"tagid": rig.sim.act("tags_by_hand", name="VIP", openid=openid(1)), "next_openid": ""},
    ),
    "/wxaapi/newtmpl/gettemplate": Contract(
        "GET",
        tuple(f"data.[].{key}" for key in ("priTmplId", "title", "content", "example", "type")),
        is_bare=False,
    ),
    "/cgi-bin/message/subscribe/send": Contract(
        "POST",
        ("errmsg",),
        lambda rig: {"touser": user(1), **MESSAGE, "miniprogram_state": "formal", "lang": "zh_CN"},
        "miniprogram",
        is_bare=False,
        before=lambda rig: rig.sim.act("accepts", openid=user(1)),
    ),
    "/cgi-bin/message/subscribe/bizsend": Contract(
        "POST",
        ("errmsg",),
        lambda rig: {"touser": openid(1), **MESSAGE},
        is_bare=False,
        before=lambda rig: rig.sim.act("accepts", openid=openid(1), appid=rig.sim.official),
    ),
    "/sns/jscode2session": Contract("GET", ("openid", "session_key", "unionid"), _session, "miniprogram"),
    "/wxa/business/getuserphonenumber": Contract(
        "POST",
        tuple(f"phone_info.{key}" for key in (
            "phoneNumber", "purePhoneNumber", "countryCode", "watermark.appid", "watermark.timestamp")),
        lambda rig: {"code": rig.sim.act("taps_phone", openid=user(1))},
        "miniprogram",
        is_bare=False,
    ),
    "/cgi-bin/openapi/quota/get": Contract(
        "POST",
        ("quota.daily_limit", "quota.used", "quota.remain", "rate_limit"),
        lambda rig: {"cgi_path": "/cgi-bin/user/get"},
        is_bare=False,
    ),
    f"{CUBE}dailysummarytrend": Contract(
        "POST",
        tuple(f"list.[].{key}" for key in ("ref_date", "visit_total", "share_pv", "share_uv")),
        lambda rig: YESTERDAY,
        "miniprogram",
    ),
    f"{CUBE}dailyvisittrend": Contract(
        "POST",
        tuple(f"list.[].{key}" for key in (
            "ref_date", "session_cnt", "visit_pv", "visit_uv", "visit_uv_new", "stay_time_uv", "stay_time_session",
            "visit_depth")),
        lambda rig: YESTERDAY,
        "miniprogram",
    ),
    f"{CUBE}visitdistribution": Contract(
        "POST",
        ("ref_date", "list.[].index", "list.[].item_list.[].key", "list.[].item_list.[].access_source_visit_uv"),
        lambda rig: YESTERDAY,
        "miniprogram",
    ),
    f"{CUBE}visitpage": Contract(
        "POST",
        ("ref_date", *(f"list.[].{key}" for key in (
            "page_path", "page_visit_pv", "page_visit_uv", "page_staytime_pv", "entrypage_pv", "exitpage_pv",
            "page_share_pv", "page_share_uv"))),
        lambda rig: YESTERDAY,
        "miniprogram",
    ),
    "/datacube/getusersummary": Contract(
        "POST",
        tuple(f"list.[].{key}" for key in ("ref_date", "user_source", "new_user", "cancel_user")),
        lambda rig: {"begin_date": "20260208", "end_date": "20260214"},
    ),
    "/datacube/getusercumulate": Contract(
        "POST", ("list.[].ref_date", "list.[].cumulate_user"), lambda rig: YESTERDAY
    ),
}  # fmt: skip


def dig(data: Any, path: str) -> Any:
    for key in path.split("."):
        data = data[0] if key == "[]" else data[key]
    return data


def call(rig: Rig, path: str, contract: Contract, **changed: Any) -> Any:
    """Make the request as the connector sends it."""
    contract.before(rig)
    body = {**contract.body(rig), **changed}
    own = rig.settings(contract.kind)
    grant = {"grant_type": "client_credential", "appid": own["appid"], "secret": own["secret"]}
    with httpx.Client(transport=rig.sim.transport(), base_url=rig.sim.base_url) as http:
        token = http.post("/cgi-bin/stable_token", json=grant).json()["access_token"]
        params = {"access_token": token}
        if contract.method == "GET":
            return http.get(path, params={**params, **body}).json()
        return http.post(path, params=params, json=body).json()


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: path.rsplit("/", 1)[-1])
def test_the_answer_has_the_documented_fields(accounts: Rig, path: str) -> None:
    contract = CONTRACTS[path]
    answer = call(accounts, path, contract)
    for each in contract.answers:
        dig(answer, each)
    assert ("errcode" not in answer) is contract.is_bare
    assert answer.get("errcode", 0) == 0


def test_every_endpoint_that_the_connector_calls_has_a_contract() -> None:
    source = Path(client.__file__).read_text(encoding="utf-8")
    called = set(re.findall(r'"(/(?:cgi-bin|sns|wxa|wxaapi)/[a-z0-9/_]+)"', source))
    kinds = (metrics.DAILY_VISITS, metrics.VISIT_SOURCES, metrics.PAGE_VISITS, metrics.FOLLOWER_COUNTS)
    called |= {f"/datacube/{api}" for kind in kinds for api in kind.apis}
    assert called == CONTRACTS.keys()


@pytest.mark.parametrize(
    ("path", "changed", "code"),
    [
        ("/cgi-bin/stable_token", {"secret": "x"}, 40125),
        ("/cgi-bin/stable_token", {"appid": ""}, 41002),
        ("/cgi-bin/stable_token", {"grant_type": "x"}, 40002),
        ("/cgi-bin/user/get", {"next_openid": "oNobody"}, 40003),
        ("/cgi-bin/user/info/batchget", {"user_list": []}, 40032),
        ("/cgi-bin/user/info/batchget", {"user_list": [openid(1)]}, 47001),
        ("/cgi-bin/user/info/batchget", {"user_list": [{"openid": openid(1)}] * 101}, 40032),
        ("/cgi-bin/user/info/batchget", {"user_list": [{"openid": user(1)}]}, 40003),
        ("/cgi-bin/tags/create", {"tag": {"name": "长" * 31}}, 45158),
        ("/cgi-bin/tags/create", {"tag": {"name": "星标组"}}, 45157),
        ("/cgi-bin/tags/members/batchtagging", {"openid_list": [openid(1)] * 51}, 40032),
        ("/cgi-bin/tags/members/batchtagging", {"openid_list": [user(1)]}, 49003),
        ("/cgi-bin/tags/members/batchtagging", {"openid_list": ["oNobody"]}, 40003),
        ("/cgi-bin/tags/members/batchtagging", {"tagid": 999}, 45159),
        ("/cgi-bin/message/subscribe/send", {"touser": openid(1)}, 40003),
        ("/cgi-bin/message/subscribe/send", {"template_id": "T"}, 40037),
        ("/cgi-bin/message/subscribe/send", {"page": "pages/none?a=1"}, 41030),
        ("/cgi-bin/message/subscribe/send", {"data": {"thing1": {"value": "x"}}}, 47003),
        ("/cgi-bin/message/subscribe/send", {"touser": user(2)}, 43101),
        ("/sns/jscode2session", {"js_code": "x"}, 40029),
        ("/sns/jscode2session", {"js_code": ""}, 41008),
        ("/sns/jscode2session", {"secret": "x"}, 40125),
        ("/wxa/business/getuserphonenumber", {"code": "x"}, 40029),
        ("/cgi-bin/openapi/quota/get", {"cgi_path": "cgi-bin/user/get"}, 76003),
        ("/cgi-bin/openapi/quota/get", {"cgi_path": "/cgi-bin/none"}, 76021),
        ("/cgi-bin/openapi/quota/get", {"cgi_path": "/sns/jscode2session"}, 76022),
        (f"{CUBE}dailyvisittrend", {"end_date": "20260302"}, 61501),
        (f"{CUBE}dailyvisittrend", {"begin_date": "20260228"}, 61501),
        (f"{CUBE}dailyvisittrend", {"begin_date": "1 March"}, 61500),
        ("/datacube/getusersummary", {"begin_date": "20260201", "end_date": "20260208"}, 61501),
    ],
)
def test_refusals_carry_the_documented_code_and_the_id_of_the_request(
    accounts: Rig, path: str, changed: dict[str, Any], code: int
) -> None:
    answer = call(accounts, path, CONTRACTS[path], **changed)
    assert answer["errcode"] == code
    assert " rid: " in answer["errmsg"]


def test_a_wrong_method_an_empty_body_and_another_accounts_api_are_refused(accounts: Rig) -> None:
    def code_of(path: str, method: str, kind: str = "official_account", **changed: Any) -> int:
        return int(call(accounts, path, Contract(method, (), kind=kind), **changed)["errcode"])

    assert code_of("/cgi-bin/tags/create", "GET") == 43002
    assert code_of("/cgi-bin/tags/get", "POST") == 43001
    assert code_of("/cgi-bin/tags/get", "GET", "miniprogram") == 48001
    assert code_of(f"{CUBE}dailyvisittrend", "POST", **YESTERDAY) == 48001
    with httpx.Client(transport=accounts.sim.transport(), base_url=accounts.sim.base_url) as http:
        assert http.get("/cgi-bin/tags/get").json()["errcode"] == 41001
        assert http.get("/cgi-bin/tags/get", params={"access_token": "made-up"}).json()["errcode"] == 40001
        assert http.post("/cgi-bin/stable_token").json()["errcode"] == 44002


def test_escaped_characters_are_taken_for_what_is_written(accounts: Rig) -> None:
    own = accounts.settings()
    grant = {"grant_type": "client_credential", "appid": own["appid"], "secret": own["secret"]}
    with httpx.Client(transport=accounts.sim.transport(), base_url=accounts.sim.base_url) as http:
        token = http.post("/cgi-bin/stable_token", json=grant).json()["access_token"]
        body = '{"tag": {"name": "\\u5e38"}}'
        made = http.post("/cgi-bin/tags/create", params={"access_token": token}, content=body).json()
    assert made["tag"]["name"] == "\\u5e38"


def test_stable_and_plain_tokens_live_their_own_lives(accounts: Rig) -> None:
    own = accounts.settings()
    who = {"grant_type": "client_credential", "appid": own["appid"], "secret": own["secret"]}
    with httpx.Client(transport=accounts.sim.transport(), base_url=accounts.sim.base_url) as http:

        def stable(**more: Any) -> dict[str, Any]:
            return dict(http.post("/cgi-bin/stable_token", json={**who, **more}).json())

        def works(token: str) -> bool:
            return "tags" in http.get("/cgi-bin/tags/get", params={"access_token": token}).json()

        first = stable()["access_token"]
        assert stable()["access_token"] == first
        plain = [http.get("/cgi-bin/token", params=who).json()["access_token"] for _ in range(2)]
        assert plain[0] != plain[1]
        assert all(map(works, [first, *plain]))
        accounts.clock.advance(301)
        assert [works(each) for each in (first, *plain)] == [True, False, True]
        forced = stable(force_refresh=True)["access_token"]
        assert [works(each) for each in (first, forced)] == [False, True]
        # Within half a minute a second force does not take effect.
        assert stable(force_refresh=True)["access_token"] == forced
        accounts.clock.advance(7200 - 299)
        renewed = stable()["access_token"]
        assert renewed != forced
        assert works(forced)
        assert works(renewed)


def test_quotas_are_counted_by_day_and_can_be_cleared_ten_times_a_month(accounts: Rig) -> None:
    quota, path = CONTRACTS["/cgi-bin/openapi/quota/get"], "/cgi-bin/openapi/quota/get"
    for _ in range(3):
        call(accounts, "/cgi-bin/user/get", CONTRACTS["/cgi-bin/user/get"])
    assert call(accounts, path, quota)["quota"] == {"daily_limit": 500, "used": 3, "remain": 497}
    clear = Contract("POST", (), lambda rig: {"appid": rig.sim.official})
    codes = [call(accounts, "/cgi-bin/clear_quota", clear)["errcode"] for _ in range(11)]
    assert codes == [0] * 10 + [48006]
    assert call(accounts, path, quota)["quota"]["used"] == 0
