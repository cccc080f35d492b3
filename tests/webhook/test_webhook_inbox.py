"""The local receiver over real HTTP: nothing lost, nothing double, whatever is repeated."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from webhook_rig import OTHER_SECRET, SECRET, Rig, operations

from hub.destination import OutcomeStatus
from hub.errors import AuthError
from plugins.webhook.events import CloudEvent, encode_event, structured_message
from plugins.webhook.inbox import Inbox, LocalReceiver
from plugins.webhook.receiver import Received
from plugins.webhook.signing import Signer

LOCAL: dict[str, Any] = {"allow_http": True, "allow": ["127.0.0.1"]}


@pytest.mark.parametrize(("target", "mode"), [("events", "structured"), ("events", "binary"), ("batch", "structured")])
def test_what_is_sent_arrives_once(rig: Rig, receiver: LocalReceiver, target: str, mode: str) -> None:
    outcomes = rig.send(rig.connect(None, url=receiver.url, mode=mode, **LOCAL), target, operations(25))
    assert {outcome.status for outcome in outcomes} == {OutcomeStatus.ACCEPTED}
    stored = receiver.inbox.events()
    assert sorted(event.id for event in stored) == sorted(f"op-{n}" for n in range(1, 26))
    assert {event.times for event in stored} == {1}
    assert stored[0].data["level"] == "gold"
    assert {event.type for event in stored} == {"customer.updated"}


@pytest.mark.parametrize("target", ["events", "batch"])
def test_a_repeat_is_counted_and_not_stored_again(rig: Rig, receiver: LocalReceiver, target: str) -> None:
    for _ in range(3):
        rig.send(rig.connect(None, url=receiver.url, **LOCAL), target, operations(4))
    assert len(receiver.inbox.events()) == 4
    assert set(receiver.inbox.requests().values()) == {3}


def test_an_event_that_comes_in_another_request_is_not_stored_again(rig: Rig, receiver: LocalReceiver) -> None:
    destination = rig.connect(None, url=receiver.url, **LOCAL)
    rig.send(destination, "events", operations(4))
    rig.send(destination, "batch", operations(4))
    assert {event.id: event.times for event in receiver.inbox.events()} == {f"op-{n}": 2 for n in range(1, 5)}


def test_a_refusal_by_name_comes_back_as_that_rows_outcome(rig: Rig, tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "refusing.sqlite")

    def refuse(event: CloudEvent) -> str | None:
        return "no such shop" if event.subject == "c2" else None

    with LocalReceiver(inbox, [SECRET], refuse=refuse) as running:
        outcomes = rig.send(rig.connect(None, url=running.url, **LOCAL), "batch", operations(3))
        again = rig.send(rig.connect(None, url=running.url, **LOCAL), "batch", operations(3))
    inbox.close()
    assert [outcome.status.value for outcome in outcomes] == ["accepted", "rejected", "accepted"]
    assert outcomes[1].message == "no such shop"
    assert again == outcomes


def test_another_secret_is_refused(rig: Rig, receiver: LocalReceiver) -> None:
    with pytest.raises(AuthError) as caught:
        rig.send(rig.connect(None, url=receiver.url, secrets=[OTHER_SECRET], **LOCAL), "events", operations(1))
    assert caught.value.code == "endpoint_refused"
    assert receiver.inbox.requests() == {}


def test_while_rotating_the_receiver_knows_one_of_two_secrets(rig: Rig, receiver: LocalReceiver) -> None:
    destination = rig.connect(None, url=receiver.url, secrets=[OTHER_SECRET, SECRET], **LOCAL)
    assert rig.send(destination, "events", operations(1))[0].status is OutcomeStatus.ACCEPTED


def test_the_check_finds_the_receiver(rig: Rig, receiver: LocalReceiver) -> None:
    destination = rig.connect(None, url=receiver.url, handshake=True, origin="hub.example.com", **LOCAL)
    assert [(check.ok, check.message) for check in destination.check()] == [
        (True, "127.0.0.1"),
        (True, "origin hub.example.com is allowed"),
    ]


def test_the_check_finds_a_forbidden_address(rig: Rig, receiver: LocalReceiver) -> None:
    destination = rig.connect(None, url=receiver.url, allow_http=True)
    assert [check.ok for check in destination.check()] == [False, False]
    assert "allow" in destination.check()[0].message


@pytest.mark.parametrize(
    ("body", "signed", "status"), [(b"{}", False, 401), (b"{}", True, 400), (b"not json", True, 400)]
)
def test_what_is_no_signed_event_is_refused(
    rig: Rig, receiver: LocalReceiver, body: bytes, signed: bool, status: int
) -> None:
    headers = Signer([SECRET]).headers("m1", rig.runtime().now(), body) if signed else {}
    headers["Content-Type"] = "application/cloudevents+json"
    assert httpx.post(receiver.url, content=body, headers=headers).status_code == status


def test_a_request_without_a_length_or_too_long_is_not_read(receiver: LocalReceiver) -> None:
    assert httpx.post(receiver.url, content=iter([b"{}"])).status_code == 411
    connection = http.client.HTTPConnection("127.0.0.1", httpx.URL(receiver.url).port)
    connection.putrequest("POST", "/events")
    connection.putheader("Content-Length", "99999999")
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_a_failing_decision_leaves_no_half_recorded_request(tmp_path: Path, rig: Rig) -> None:
    inbox, now = Inbox(tmp_path / "half.sqlite"), rig.runtime().now()
    events = tuple(CloudEvent(f"e{n}", "urn:x", "t", data={}) for n in range(2))

    def refuse(event: CloudEvent) -> str | None:
        if event.id == "e1":
            raise LookupError("the shop list is not there")
        return None

    with pytest.raises(LookupError):
        inbox.record(Received("m1", now, events), refuse, now)
    assert (inbox.events(), inbox.requests()) == ([], {})
    inbox.record(Received("m1", now, events), lambda _: None, now)
    assert len(inbox.events()) == 2
    inbox.close()


_SENDER = """
import os, signal, sys
from pathlib import Path
from hub.destination import Operation, OperationKind
from hub.runtime import Runtime
from plugins.webhook.config import WebhookConfig
from plugins.webhook.destination import WebhookDestination
url, secret, target, scratch, die_after = sys.argv[1:]
settings = {"url": url, "secrets": [secret], "allow_http": True, "allow": ["127.0.0.1"], "concurrency": 2}
destination = WebhookDestination(WebhookConfig.model_validate(settings), Runtime(connection="crm", scratch=Path(scratch)))
rows = [Operation(f"op-{n}", f"b{n // 5}", OperationKind.CREATE, f"c{n}", {}, f"c{n}") for n in range(20)]
found = next(entry for entry in destination.targets() if entry.name == target)
for number, outcome in enumerate(destination.write(found, rows)):
    if number == int(die_after):
        os.kill(os.getpid(), signal.SIGKILL)
destination.close()
"""


@pytest.mark.parametrize("target", ["events", "batch"])
def test_a_killed_sender_loses_and_doubles_nothing_when_it_starts_again(
    receiver: LocalReceiver, tmp_path: Path, target: str
) -> None:
    def run(die_after: int) -> int:
        command = [sys.executable, "-c", _SENDER, receiver.url, SECRET, target, str(tmp_path), str(die_after)]
        return subprocess.run(command, env={**os.environ, "PYTHONPATH": str(Path.cwd())}, check=False).returncode

    for die_after in (0, 7):
        assert run(die_after) == -signal.SIGKILL
    assert run(10_000) == 0
    stored = receiver.inbox.events()
    assert sorted(event.id for event in stored) == sorted(f"op-{n}" for n in range(20))
    assert {event.times for event in stored} == {1}
    assert max(receiver.inbox.requests().values()) == 3


def test_a_message_can_be_received_without_any_server(rig: Rig, tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "bare.sqlite")
    receiver = LocalReceiver(inbox, [SECRET])
    message = structured_message(encode_event(CloudEvent("e1", "urn:x", "t", data={"a": 1})))
    headers = {**message.headers, **Signer([SECRET]).headers("e1", rig.runtime().now(), message.body)}
    assert receiver.answer(headers, message.body)[0] == 200
    receiver.close()
    assert inbox.events()[0].data == {"a": 1}
    inbox.close()
