"""Callbacks: only the platform's are taken, each once, safely kept, and what they name is read again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from toy import alive
from wecom_rig import CALLBACK_URL, FOLLOWS, AppTransport, Rig, chain, customer, guide, operation, rig

from hub.pipeline.ingest import ingest
from plugins.wecom.callbacks import CallbackApp, CallbackReceiver, parse_message
from plugins.wecom.config import CallbackSettings
from plugins.wecom.crypto import CallbackError
from plugins.wecom.inbox import Inbox, event_key

CHAT = "wr" + "a" * 30


class Wire(httpx.BaseTransport):
    """Carries the corp's callbacks to a receiver that may be out of order."""

    def __init__(self) -> None:
        self.app: AppTransport | None = None
        self.down = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.down or self.app is None:
            raise httpx.ConnectError("nobody listens")
        return self.app.handle_request(request)


class Line:
    """A corp whose callbacks reach the connection's receiver."""

    def __init__(self, corp: Rig, wire: Wire) -> None:
        self.corp = corp
        self.wire = wire
        own = corp.corp.credentials
        crypto = CallbackSettings.model_validate(corp.callback()).crypto(own["corp_id"])
        self.folder = corp.folder / ".hub" / "wecom" / "wecom"
        self.receiver = CallbackReceiver(crypto, self.folder, corp.now)
        wire.app = AppTransport(CallbackApp(self.receiver))
        corp.corp.act("set_callback", url=CALLBACK_URL)

    @property
    def toml(self) -> str:
        own = self.corp.callback()
        return f'[connections.wecom.callback]\ntoken = "{own["token"]}"\naes_key = "{own["aes_key"]}"'

    def kept(self) -> list[dict[str, str]]:
        inbox = Inbox(self.folder)
        found = [dict(event.fields) for event in inbox.after(0, 1000)]
        inbox.close()
        return found


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    wire = Wire()
    with rig(tmp_path, chain(staff=3, follows=FOLLOWS, groups={CHAT: [1, 2]}), push_transport=wire) as corp:
        line = Line(corp, wire)
        yield line
        line.receiver.close()


def request(line: Line, text: str, *, method: str = "POST", **changed: str) -> httpx.Response:
    crypto = CallbackSettings.model_validate(line.corp.callback()).crypto(line.corp.corp.credentials["corp_id"])
    sealed = crypto.encrypt(text)
    query = {"timestamp": "1", "nonce": "n", "msg_signature": crypto.sign("1", "n", sealed)}
    query |= {"echostr": sealed} if method == "GET" else {}
    body = f"<xml><Encrypt>{changed.pop('body', sealed)}</Encrypt></xml>"
    app = line.wire.app
    assert app is not None
    return app.handle_request(httpx.Request(method, CALLBACK_URL, params={**query, **changed}, content=body))


def test_the_console_s_question_is_answered_with_just_the_plain_text(line: Line) -> None:
    answer = request(line, "8675309001122334455", method="GET")
    assert (answer.status_code, answer.content) == (200, b"8675309001122334455")
    assert line.corp.corp.verify_callback(CALLBACK_URL)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"msg_signature": "0" * 40}, 403),
        ({"msg_signature": "中"}, 403),
        ({"nonce": "other"}, 403),
        ({"body": "x"}, 403),
        ({"method": "PUT"}, 405),
    ],
)
def test_what_the_platform_did_not_sign_is_refused_and_not_kept(
    line: Line, changed: dict[str, Any], status: int
) -> None:
    assert request(line, "<xml><Event>e</Event></xml>", **changed).status_code == status
    assert line.kept() == []


def test_a_body_larger_than_any_callback_is_refused(line: Line) -> None:
    assert request(line, "<xml/>", body="x" * 300_000).status_code == 413


@pytest.mark.parametrize("text", ["no xml", "<xml>", '<!DOCTYPE x [<!ENTITY a "b">]><xml><A>&a;</A></xml>'])
def test_messages_that_are_not_plain_xml_are_refused(text: str) -> None:
    with pytest.raises(CallbackError, match=r"XML|entities"):
        parse_message(text)


def test_repeats_are_kept_once_and_simultaneous_events_stay_apart(line: Line) -> None:
    corp = line.corp.corp
    for name in ("甲", "乙"):
        corp.act("adds", userid=guide(0), name=name)
    attempts = corp.pushes.drain()
    corp.pushes.redeliver(attempts[0].push)
    corp.pushes.drain()
    kept = line.kept()
    assert len(kept) == 2
    assert len({event_key(event) for event in kept}) == 2
    assert {event["CreateTime"] for event in kept} == {str(int(line.corp.clock.time()))}


@pytest.mark.parametrize("programme", ["duplicate_push", "out_of_order_push", "duplicate_push+out_of_order_push"])
def test_faults_on_the_way_neither_double_nor_lose_events(line: Line, programme: str) -> None:
    corp = line.corp.corp
    corp.use_faults(programme, seed=3, rate=0.5)
    for number in range(8):
        corp.act("edits", userid=guide(0), external_userid=customer(1), remark=f"备注{number}")
        line.corp.clock.advance(1)
    corp.pushes.drain()
    assert len(line.kept()) == 8


def test_an_event_that_nobody_takes_is_sent_three_times_in_all(line: Line) -> None:
    line.wire.down = True
    line.corp.corp.act("edits", userid=guide(0), external_userid=customer(1), remark="新")
    assert len(line.corp.corp.pushes.drain()) == 3
    assert line.kept() == []


def test_api_writes_cause_no_callback(line: Line) -> None:
    line.corp.write("tag", [operation(1, segments=["高价值"])])
    line.corp.write("remark", [operation(1, description="高价值")])
    assert line.corp.corp.pushes.pushes() == []


def test_callbacks_become_events_of_the_hub(line: Line) -> None:
    corp = line.corp.corp
    corp.act("edits", userid=guide(0), external_userid=customer(1), remark="新")
    corp.act("hands_over", userid=guide(1), takeover_userid=guide(2), external_userid=customer(3))
    corp.act("is_dropped", userid=guide(2), external_userid=customer(6))
    corp.act("leaves_group", chat_id=CHAT, external_userid=customer(2))
    corp.act("adds", userid=guide(0), name="半", half=True)
    corp.pushes.drain()
    with line.corp.hub(connection=line.toml) as hub:
        ingest(hub, ["wecom"], ["events"])
        with hub.warehouse() as engine:
            rows = engine.rows("SELECT type, staff_id, customer_id, subject_id, properties FROM events ORDER BY ALL")
        assert ingest(hub, ["wecom"], ["events"]).changed == 0
    assert [row[:4] for row in rows if row[0] != "guide.added_unconfirmed"] == [
        ("group.changed", None, None, CHAT),
        ("guide.added", guide(2), customer(3), None),
        ("guide.edited", guide(0), customer(1), None),
        ("guide.removed_by_customer", guide(2), customer(6), None),
        ("guide.removed_customer", guide(1), customer(3), None),
    ]
    assert len(rows) == 6
    assert "DELETE_BY_TRANSFER" in str(rows)
    assert customer(2) in str(rows[0][4])


def test_between_full_reads_only_named_customers_are_read_again(line: Line) -> None:
    corp = line.corp.corp
    with line.corp.hub(connection=line.toml) as hub:
        ingest(hub, ["wecom"], ["customers"])
        pages = line.corp.calls("batch/get_by_user")
        corp.act("edits", userid=guide(1), external_userid=customer(2), description="老客")
        corp.act("drops", userid=guide(2), external_userid=customer(6))
        added = corp.act("adds", userid=guide(2), name="新客")
        half = corp.act("adds", userid=guide(2), name="半", half=True)
        corp.pushes.drain()
        report = ingest(hub, ["wecom"], ["customers"])
        counts = report.loaded["wecom/profiles"]
        assert (counts.inserted, counts.updated, counts.deleted) == (1, 1, 1)
        assert line.corp.calls("batch/get_by_user") == pages
        assert line.corp.calls("externalcontact/get") == 4
        assert half not in alive(hub)
        assert ingest(hub, ["wecom"], ["customers"]).changed == 0
        # What batch and get say of a customer is the same profile: the next full read finds nothing new.
        line.corp.clock.advance(24 * 3600)
        assert ingest(hub, ["wecom"], ["customers"]).changed == 0
        assert line.corp.calls("batch/get_by_user") > pages
        assert added in alive(hub)


def test_a_full_read_heals_what_lost_callbacks_did_not_tell(line: Line) -> None:
    corp = line.corp.corp
    with line.corp.hub(connection=line.toml) as hub:
        ingest(hub, ["wecom"], ["customers"])
        added = str(corp.act("adds", userid=guide(2), name="新客"))
        corp.pushes.drain()
        ingest(hub, ["wecom"], ["customers"])
        line.wire.down = True
        corp.act("drops", userid=guide(2), external_userid=added)
        corp.act("drops", userid=guide(2), external_userid=customer(6))
        corp.pushes.drain()
        assert ingest(hub, ["wecom"], ["customers"]).changed == 0
        line.corp.clock.advance(24 * 3600)
        assert ingest(hub, ["wecom"], ["customers"]).loaded["wecom/profiles"].deleted == 2
        assert not {added, customer(6)} & alive(hub).keys()


def test_old_events_are_forgotten_once_they_are_read(line: Line) -> None:
    line.corp.corp.act("edits", userid=guide(0), external_userid=customer(1), remark="新")
    line.corp.corp.pushes.drain()
    with line.corp.hub(connection=line.toml) as hub:
        ingest(hub, ["wecom"], ["events"])
        line.corp.clock.advance(31 * 86_400)
        ingest(hub, ["wecom"], ["events"])
    assert line.kept() == []
