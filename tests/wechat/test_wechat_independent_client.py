"""The simulated accounts as an independent client (wechatpy) sees them, over a socket."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from requests.adapters import HTTPAdapter
from wechat_rig import MORNING, NOTICE, Rig, openid, phone, unionid, user
from wechatpy import WeChatClient
from wechatpy.crypto import WeChatWxaCrypto
from wechatpy.exceptions import APILimitedException, WeChatClientException

from plugins.wechat.simulator.messages import ARRIVAL

HOST = "https://api.weixin.qq.com"


class ToSimulator(HTTPAdapter):
    """Sends what is meant for the platform to the simulator: the client's token address cannot be set."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self.base_url = base_url

    def send(self, request: Any, *arguments: Any, **options: Any) -> Any:
        request.url = self.base_url + request.url.removeprefix(HOST)
        return super().send(request, *arguments, **options)


@pytest.fixture
def served(accounts: Rig) -> Iterator[Rig]:
    accounts.sim.start()
    yield accounts
    accounts.sim.stop()


def connect(accounts: Rig, kind: str = "official_account") -> WeChatClient:
    own = accounts.settings(kind)
    client = WeChatClient(own["appid"], own["secret"])
    client._http.trust_env = False
    client._http.mount(f"{HOST}/", ToSimulator(accounts.sim.base_url))
    return client


def test_token_followers_and_their_details(served: Rig) -> None:
    client = connect(served)
    assert client.fetch_access_token()["access_token"] == client.access_token
    assert list(client.user.iter_followers()) == [openid(n) for n in range(1, 6)]
    assert client.user.get_followers()["total"] == 5
    rows = client.user.get_batch([openid(1), openid(4)])
    assert [(row["openid"], row.get("unionid"), row["subscribe"]) for row in rows] == [
        (openid(1), unionid(1), 1), (openid(4), None, 1)
    ]  # fmt: skip
    assert client.user.get(openid(1)) == rows[0]
    client.user.update_remark(openid(1), "常客")
    assert client.user.get(openid(1))["remark"] == "常客"


def test_tags_are_made_given_listed_and_taken(served: Rig) -> None:
    client = connect(served)
    tag = client.tag.create("常客")["id"]
    client.tag.tag_user(tag, [openid(1), openid(2)])
    assert client.tag.get_user_tag(openid(1)) == [tag]
    assert list(client.tag.iter_tag_users(tag)) == [openid(1), openid(2)]
    client.tag.untag_user(tag, openid(1))
    assert client.tag.get_tag_users(tag)["data"]["openid"] == [openid(2)]
    client.tag.update(tag, "老客")
    assert (tag, "老客", 1) in {(each["id"], each["name"], each["count"]) for each in client.tag.get()}
    client.tag.delete(tag)
    assert [each["id"] for each in client.tag.get()] == [0, 1, 2]
    with pytest.raises(WeChatClientException) as caught:
        client.tag.tag_user(tag, [openid(1)])
    assert caught.value.errcode == 45159


def test_a_subscription_message_is_sent_once_per_consent(served: Rig) -> None:
    client = connect(served, "miniprogram")
    data = {key: {"value": value} for key, value in NOTICE.items()}
    served.sim.act("accepts", openid=user(1))
    assert client.wxa.send_subscribe_message(user(1), ARRIVAL, data, page="pages/index/index")["errcode"] == 0
    with pytest.raises(WeChatClientException) as caught:
        client.wxa.send_subscribe_message(user(1), ARRIVAL, data)
    assert caught.value.errcode == 43101
    assert served.sent() == [user(1)]


def test_a_code_becomes_a_session_and_a_phone(served: Rig) -> None:
    client = connect(served, "miniprogram")
    session = client.wxa.code_to_session(served.sim.act("logs_in", openid=user(2)))
    assert (session["openid"], session["unionid"]) == (user(2), unionid(2))
    found = client.wxa.get_phone_number(served.sim.act("taps_phone", openid=user(2)))
    assert found["phone_info"]["purePhoneNumber"] == phone(2)
    sent = served.sim.act("sends_encrypted", openid=user(2))
    assert isinstance(sent, dict)
    crypto = WeChatWxaCrypto(session["session_key"], sent["iv"], served.sim.miniprogram)
    assert crypto.decrypt_message(sent["encryptedData"])["purePhoneNumber"] == phone(2)


def test_statistics_of_both_accounts(served: Rig) -> None:
    yesterday = (MORNING - dt.timedelta(days=1)).date()
    body = {"begin_date": f"{yesterday:%Y%m%d}", "end_date": f"{yesterday:%Y%m%d}"}
    mini = connect(served, "miniprogram")
    trend = mini.post(f"{HOST}/datacube/getweanalysisappiddailyvisittrend", data=body)["list"]
    assert [(row["ref_date"], row["visit_uv"]) for row in trend] == [("20260301", 3)]
    official = connect(served)
    assert official.datacube.get_user_cumulate(yesterday, yesterday) == [{"ref_date": "2026-03-01", "cumulate_user": 5}]
    long_ago = MORNING.date() - dt.timedelta(days=20)
    assert sum(row["new_user"] for row in official.datacube.get_user_summary(long_ago, long_ago)) == 5


def test_an_expired_token_is_renewed_and_a_spent_quota_is_told(served: Rig) -> None:
    client = connect(served)
    served.sim.tokens.expire(client.access_token)
    assert client.user.get_followers()["count"] == 5
    served.sim.quotas["/cgi-bin/tags/get"] = 0
    with pytest.raises(APILimitedException):
        client.tag.get()
