"""Pushed messages: from the simulated accounts through the receiver to the stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from test_wechat_crypto import AES_KEY, APPID, ENCRYPTED, NONCE, TIMESTAMP, TOKEN
from wechat_rig import Rig, TinyChain, openid, rig, user
from wechatpy import parse_message as read_by_them
from wechatpy.crypto import WeChatCrypto

from plugins.wechat.config import PushSettings
from plugins.wechat.crypto import MessageCrypto, MessageError
from plugins.wechat.inbox import Inbox
from plugins.wechat.pushed import PushApp, PushReceiver, parse_message
from plugins.wechat.simulator.messages import ARRIVAL

URL = "http://hub.example.com/wechat"
PUSH = {"token": TOKEN, "aes_key": AES_KEY}


class AppTransport(httpx.BaseTransport):
    """Hands every request to an ASGI application."""

    def __init__(self, app: PushApp) -> None:
        self.app = app
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        return asyncio.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        sent: list[Mapping[str, Any]] = []
        waiting = [{"type": "http.request", "body": request.content, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return waiting.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": request.method, "path": request.url.path, "query_string": request.url.query}
        await self.app(scope, receive, send)
        return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=sent[1]["body"])


@contextmanager
def receiving(folder: Path, kind: str = "official_account", **knobs: Any) -> Iterator[tuple[Rig, AppTransport]]:
    """The accounts, and a receiver for one of them at :data:`URL`."""
    with rig(folder / "plan") as plan:
        own, appid = plan.sim.credentials, plan.settings(kind)["appid"]
        crypto = PushSettings.model_validate({"token": own["push_token"], "aes_key": own["push_aes_key"]}).crypto(appid)
        receiver = PushReceiver(
            crypto, folder / ".hub/wechat" / ("wechat" if kind != "miniprogram" else kind), plan.now
        )
    transport = AppTransport(PushApp(receiver))
    with rig(folder, TinyChain(), push_transport=transport, **knobs) as accounts:
        yield accounts, transport
    receiver.close()


def events(accounts: Rig, kind: str = "official_account", state: Any = None) -> list[Any]:
    push = {"token": accounts.sim.credentials["push_token"], "aes_key": accounts.sim.credentials["push_aes_key"]}
    with accounts.source(kind, push=push) as source:
        stream = next(each for each in source.streams() if each.name == "events")
        return [record for page in stream.read(state or {}) for record in page.records]


def test_the_console_s_question_is_answered(tmp_path: Path) -> None:
    with receiving(tmp_path) as (accounts, _):
        assert accounts.sim.verify_push(URL)


@pytest.mark.parametrize("plain", [False, True])
def test_followers_who_come_and_go_become_events(tmp_path: Path, plain: bool) -> None:
    with receiving(tmp_path) as (accounts, transport):
        accounts.sim.act("set_push", url=URL, appid=accounts.sim.official, plain=plain)
        accounts.sim.tell_follower("subscribe", openid(1), 1_772_413_200, "store_s001")
        accounts.sim.tell_follower("unsubscribe", openid(2), 1_772_413_201)
        assert [attempt.status for attempt in accounts.sim.pushes.deliver_due()] == [200, 200]
        found = events(accounts)
        assert [(each.type, each.customer_id, each.occurred_at.timestamp()) for each in found] == [
            ("official_account.followed", openid(1), 1_772_413_200),
            ("official_account.unfollowed", openid(2), 1_772_413_201),
        ]
        assert found[0].properties == {"EventKey": "qrscene_store_s001"}
        assert [(each.kind, each.scope) for each in found[0].identifiers] == [("openid", accounts.sim.official)]
        assert (b"Encrypt" in transport.requests[0].content) is not plain


def test_consents_and_deliveries_of_a_mini_program_come_as_json(tmp_path: Path) -> None:
    with receiving(tmp_path, "miniprogram") as (accounts, _):
        accounts.sim.act("set_push", url=URL)
        accounts.sim.act("accepts", openid=user(1), template_id=ARRIVAL)
        accounts.sim.message_sent(accounts.sim.miniprogram, user(1), ARRIVAL, 2_000_000_000_000_000_001)
        assert [attempt.status for attempt in accounts.sim.pushes.deliver_due()] == [200, 200]
        asked, sent = events(accounts, "miniprogram")
        assert (asked.type, asked.subject_id) == ("message.consent_asked", ARRIVAL)
        assert asked.properties["List"][0]["SubscribeStatusString"] == "accept"
        # One row came as an object, not as a list.
        assert (sent.type, sent.properties["List"][0]["MsgID"]) == ("message.delivered", "2000000000000000001")


def test_repeats_are_kept_once_and_the_stream_goes_on_behind_what_it_gave(tmp_path: Path) -> None:
    with receiving(tmp_path) as (accounts, transport):
        accounts.sim.use_faults("duplicate_push+out_of_order_push", seed=1, rate=1.0)
        accounts.sim.act("set_push", url=URL, appid=accounts.sim.official)
        for number in range(1, 6):
            accounts.sim.tell_follower("subscribe", openid(number), 1_772_413_200)
        accounts.sim.pushes.drain()
        assert len(transport.requests) > 5
        assert sorted(each.customer_id for each in events(accounts)) == [openid(n) for n in range(1, 6)]
        inbox = Inbox(accounts.folder / ".hub/wechat/wechat")
        second = inbox.after(0, 2)[-1].number
        inbox.close()
        assert len(events(accounts, state={"after": second})) == 3


def test_the_independent_client_reads_what_the_accounts_push(tmp_path: Path) -> None:
    with receiving(tmp_path) as (accounts, transport):
        accounts.sim.act("set_push", url=URL, appid=accounts.sim.official)
        accounts.sim.tell_follower("subscribe", openid(1), 1_772_413_200, "store_s001")
        accounts.sim.pushes.deliver_due()
        request, own = transport.requests[-1], accounts.sim.credentials
        query = dict(request.url.params)
        theirs = WeChatCrypto(own["push_token"], own["push_aes_key"], own["appid"])
        text = theirs.decrypt_message(request.content, query["msg_signature"], query["timestamp"], query["nonce"])
        message = read_by_them(text)
        # A follower with a code is an event of its own to that library.
        assert (message.event, message.source, message.scene_id) == ("subscribe_scan", openid(1), "store_s001")


def test_the_documented_message_is_received(tmp_path: Path, accounts: Rig) -> None:
    receiver = PushReceiver(MessageCrypto(TOKEN, AES_KEY, APPID), tmp_path / "inbox", accounts.now)
    query = {"timestamp": TIMESTAMP, "nonce": NONCE, "encrypt_type": "aes",
             "msg_signature": "70455446b169bfb395636a1643f1a765c0d353d7"}  # fmt: skip
    body = f"<xml><ToUserName>gh_demo</ToUserName><Encrypt>{ENCRYPTED}</Encrypt></xml>".encode()
    assert receiver.receive(query, body) is True
    assert receiver.receive(query, body) is False
    receiver.close()
    inbox = Inbox(tmp_path / "inbox")
    assert [kept.fields["Event"] for kept in inbox.after(0, 10)] == ["subscribe"]
    inbox.close()


@pytest.mark.parametrize(
    ("method", "query", "body", "status", "text"),
    [
        ("GET", {"echostr": "1"}, b"", 403, "signature_mismatch"),
        ("POST", {}, b"<xml><Event>x</Event></xml>", 403, "signature_mismatch"),
        ("POST", {"encrypt_type": "aes"}, b"<xml><Encrypt>AAAA</Encrypt></xml>", 403, "signature_mismatch"),
        ("POST", {"encrypt_type": "aes"}, b"not xml", 400, "message_invalid"),
        ("POST", {}, b"\xff\xfe", 400, "message_invalid"),
        ("POST", {}, b"x" * 300_000, 413, "too large"),
        ("PUT", {}, b"", 405, "method not allowed"),
    ],
)
def test_what_is_not_the_platforms_is_refused_and_not_kept(
    tmp_path: Path, accounts: Rig, method: str, query: dict[str, str], body: bytes, status: int, text: str
) -> None:
    receiver = PushReceiver(MessageCrypto(TOKEN, AES_KEY, APPID), tmp_path / "inbox", accounts.now)
    with httpx.Client(transport=AppTransport(PushApp(receiver))) as client:
        answer = client.request(method, URL, params=query, content=body)
    receiver.close()
    assert (answer.status_code, answer.text) == (status, text)
    inbox = Inbox(tmp_path / "inbox")
    assert inbox.after(0, 10) == []
    inbox.close()


@pytest.mark.parametrize(
    "written",
    [
        "<xml><Event>e</Event><List><item><TemplateId>T</TemplateId></item><item><TemplateId>U</TemplateId></item></List></xml>",
        "<xml><Event>e</Event><SubscribeMsgPopupEvent><List><TemplateId>T</TemplateId></List><List><TemplateId>U</TemplateId></List></SubscribeMsgPopupEvent></xml>",
        json.dumps({"Event": "e", "List": [{"TemplateId": "T"}, {"TemplateId": "U"}]}),
    ],
)
def test_rows_are_read_from_every_form_they_have_been_seen_in(written: str) -> None:
    assert parse_message(written) == {"Event": "e", "List": [{"TemplateId": "T"}, {"TemplateId": "U"}]}


@pytest.mark.parametrize("written", ["<xml>", "{", "[]", '<!DOCTYPE a [<!ENTITY b "c">]><xml>&b;</xml>'])
def test_what_is_neither_xml_nor_an_object_is_refused(written: str) -> None:
    with pytest.raises(MessageError) as caught:
        parse_message(written)
    assert caught.value.code == "message_invalid"


def test_a_message_without_time_or_person_is_a_reject_and_words_of_people_are_left_out(accounts: Rig) -> None:
    inbox = Inbox(accounts.folder / ".hub/wechat/wechat")
    inbox.add({"Event": "subscribe", "FromUserName": openid(1)}, accounts.now())
    text = {
        "FromUserName": openid(1),
        "CreateTime": "1772413200",
        "MsgType": "text",
        "Content": "我的电话变了",
        "MsgId": "9" * 19,
    }
    inbox.add(text, accounts.now())
    inbox.add({**text, "CreateTime": "1772413201"}, accounts.now())
    inbox.close()
    with accounts.source(push=PUSH) as source:
        pages = list(next(each for each in source.streams() if each.name == "events").read({}))
    assert [(each.code, each.column) for page in pages for each in page.rejects] == [
        ("message_incomplete", "CreateTime")
    ]
    records = [record for page in pages for record in page.records]
    assert [(each.source_id, each.type, each.properties) for each in records] == [
        (f"msg-{'9' * 19}", "message.received", {"kind": "text"})
    ]
