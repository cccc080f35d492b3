"""The simulated corp as an independent client (wechatpy) sees it, over a socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wechatpy.exceptions import WeChatClientException
from wechatpy.work import WeChatClient
from wechatpy.work.crypto import WeChatCrypto
from wechatpy.work.parser import parse_message as parse_event
from wecom_rig import CALLBACK_URL, AppTransport, Rig, chain, customer, guide, rig

from plugins.wecom.callbacks import CallbackApp, CallbackReceiver
from plugins.wecom.config import CallbackSettings
from plugins.wecom.inbox import Inbox


def connect(corp: Rig, **more: Any) -> WeChatClient:
    base = f"{corp.corp.base_url}/cgi-bin/"

    class LocalWeCom(WeChatClient):  # type: ignore[misc]
        API_BASE_URL = base

        def fetch_access_token(self) -> Any:
            params = {"corpid": self.corp_id, "corpsecret": self.secret}
            return self._fetch_access_token(url=base + "gettoken", params=params)

    own = corp.corp.credentials
    client = LocalWeCom(own["corp_id"], own["secret"], **more)
    client._http.trust_env = False
    return client


@pytest.fixture
def client(corp: Rig) -> Iterator[WeChatClient]:
    corp.corp.start()
    client = connect(corp)
    yield client
    client._http.close()
    corp.corp.stop()


def test_token_staff_departments_and_lists(client: WeChatClient, corp: Rig) -> None:
    assert client.external_contact.get_follow_user_list()["follow_user"] == [guide(0), guide(1), guide(2)]
    assert client.fetch_access_token()["access_token"] == client.access_token
    assert client.external_contact.list(guide(0))["external_userid"] == [customer(1), customer(2), customer(4)]
    departments = client.department.list()
    members = client.user.list(departments[1]["id"])
    assert [member["userid"] for member in members] == [guide(0), guide(1), guide(2)]
    assert not {"mobile", "email", "avatar", "gender"} & members[0].keys()


def test_batch_with_cursor_in_the_new_and_the_old_form(client: WeChatClient) -> None:
    seen: list[tuple[str, str]] = []
    cursor = ""
    while True:
        body = {"userid_list": [guide(0), guide(1), guide(2)], "cursor": cursor, "limit": 3}
        page = client.post("externalcontact/batch/get_by_user", data=body)
        rows = page["external_contact_list"]
        seen += [(row["follow_info"]["userid"], row["external_contact"]["external_userid"]) for row in rows]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 8
    legacy = client.external_contact.batch_get_by_user(guide(1), "", 100)
    assert [row["external_contact"]["external_userid"] for row in legacy["external_contact_list"]] == [
        customer(2), customer(3), customer(5)
    ]  # fmt: skip


def test_tags_are_made_marked_listed_and_deleted(client: WeChatClient) -> None:
    group = client.external_contact.add_corp_tag(None, "RFM", 1, [{"name": "重要价值", "order": 2}])["tag_group"]
    tag = group["tag"][0]["id"]
    client.external_contact.mark_tag(guide(0), customer(1), [tag], [])
    detail = client.external_contact.get(customer(1))
    assert detail["follow_user"][0]["tags"] == [{"group_name": "RFM", "tag_name": "重要价值", "tag_id": tag, "type": 1}]
    listed = client.external_contact.get_corp_tag_list()["tag_group"]
    assert [(each["group_name"], [t["name"] for t in each["tag"]]) for each in listed] == [("RFM", ["重要价值"])]
    client.external_contact.edit_corp_tag(tag, "最重要", 1)
    client.external_contact.del_corp_tag([tag], [])
    assert client.external_contact.get_corp_tag_list()["tag_group"] == []
    assert client.external_contact.get(customer(1))["follow_user"][0]["tags"] == []


def test_groups_are_listed_and_shown(client: WeChatClient) -> None:
    listed = client.post("externalcontact/groupchat/list", data={"limit": 1})
    assert listed["next_cursor"]
    chat = listed["group_chat_list"][0]["chat_id"]
    found = client.external_contact_group_chat.get(chat)["group_chat"]
    assert [member["userid"] for member in found["member_list"] if member["type"] == 2] == [customer(1), customer(2)]


def test_a_mass_message_is_a_task_until_the_guide_presses_send(client: WeChatClient, corp: Rig) -> None:
    made = client.external_contact.add_msg_template(
        {"external_userid": [customer(1), customer(99)], "text": {"content": "新品上市"}}
    )
    assert made["fail_list"] == [customer(99)]
    with pytest.raises(WeChatClientException) as caught:
        client.post("externalcontact/get_groupmsg_task", data={"msgid": made["msgid"]})
    assert caught.value.errcode == 41063
    corp.clock.advance(60)
    assert corp.corp.act("presses_send", msgid=made["msgid"]) == 1
    task = client.post("externalcontact/get_groupmsg_task", data={"msgid": made["msgid"]})["task_list"][0]
    assert (task["userid"], task["status"]) == (guide(0), 2)


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("externalcontact/mark_tag", {"userid": guide(0), "external_userid": customer(6), "add_tag": ["et"]}, 84061),
        ("externalcontact/mark_tag", {"userid": guide(0), "external_userid": "wmnobody", "add_tag": ["et"]}, 40096),
        ("externalcontact/mark_tag", {"userid": guide(0), "external_userid": customer(1), "add_tag": ["et"]}, 40068),
        ("externalcontact/mark_tag", {"userid": guide(0), "external_userid": customer(1)}, 40058),
        ("externalcontact/batch/get_by_user", {"userid_list": ["nobody"]}, 60111),
        ("externalcontact/batch/get_by_user", {"userid_list": [guide(0)], "cursor": "made up"}, 50100),
        ("externalcontact/groupchat/list", {}, 40058),
        ("externalcontact/groupchat/get", {"chat_id": "wrnone"}, 86001),
        ("externalcontact/remark", {"userid": guide(0), "external_userid": customer(1), "remark": "长" * 21}, 40058),
        ("externalcontact/get_groupmsg_task", {"msgid": "msgnone"}, 41047),
    ],
)
def test_refusals_carry_the_documented_code(client: WeChatClient, path: str, body: dict[str, Any], code: int) -> None:
    with pytest.raises(WeChatClientException) as caught:
        client.post(path, data=body)
    assert caught.value.errcode == code
    assert f"query?e={code}" in caught.value.errmsg


def test_a_guide_without_customers_and_an_expired_token(client: WeChatClient, corp: Rig) -> None:
    corp.corp.act("drops", userid=guide(2), external_userid=customer(4))
    corp.corp.act("drops", userid=guide(2), external_userid=customer(6))
    with pytest.raises(WeChatClientException) as caught:
        client.external_contact.list(guide(2))
    assert caught.value.errcode == 84061
    corp.corp.tokens.expire(client.access_token)
    assert client.external_contact.get_follow_user_list()["errcode"] == 0


def test_callbacks_of_the_corp_are_read_by_the_independent_client_and_by_us(corp: Rig, tmp_path: Path) -> None:
    own = corp.corp.credentials
    with rig(tmp_path / "second", chain(staff=1)) as other:
        receiver = CallbackReceiver(
            CallbackSettings.model_validate(other.callback()).crypto(own["corp_id"]), tmp_path / "inbox", other.now
        )
        transport = AppTransport(CallbackApp(receiver))
        with rig(tmp_path / "third", chain(staff=1), push_transport=transport) as sender:
            assert sender.corp.verify_callback(CALLBACK_URL)
            sender.corp.act("set_callback", url=CALLBACK_URL)
            name = sender.corp.act("adds", userid=guide(0), name="新客", state="store_s1")
            assert [attempt.status for attempt in sender.corp.pushes.deliver_due()] == [200]
        request = transport.requests[-1]
        query = dict(request.url.params)
        theirs = WeChatCrypto(own["callback_token"], own["callback_aes_key"], own["corp_id"])
        xml = theirs.decrypt_message(request.content, query["msg_signature"], query["timestamp"], query["nonce"])
        event = parse_event(xml)
        assert (event.event, event.change_type, event.user_id) == (
            "change_external_contact",
            "add_external_contact",
            guide(0),
        )
        assert (event.external_user_id, event.state) == (name, "store_s1")
        receiver.close()
    inbox = Inbox(tmp_path / "inbox")
    assert [kept.fields["ExternalUserID"] for kept in inbox.after(0, 10)] == [name]
    inbox.close()
