"""CloudEvents 1.0: what the specification asks of each mode, and that a message can be read back."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.destination import Operation, OperationKind
from plugins.webhook.events import (
    CloudEvent,
    EventError,
    batch_message,
    binary_message,
    encode_event,
    event_of,
    parse_message,
    structured_message,
)

NOW = dt.datetime(2026, 3, 1, 17, 30, 0, 250_000, tzinfo=dt.timezone(dt.timedelta(hours=8)))
VALUES = {
    "phone": "15400001234",
    "name": "测试",
    "spent": Decimal("1280.50"),
    "birthday": dt.date(1990, 5, 1),
    "seen": NOW,
    "tags": ["vip", None],
}


def an_event(**values: Any) -> CloudEvent:
    operation = Operation("op-1", "batch-1", OperationKind.UPDATE, "c1", values or VALUES, "c1")
    return event_of(operation, source="urn:customer-hub:crm", event_type="customer.updated", now=NOW)


def assert_is_cloud_event(event: dict[str, Any]) -> None:
    """The rules of CloudEvents 1.0 §3.1, written down anew."""
    assert event["specversion"] == "1.0"
    assert all(isinstance(event[name], str) and event[name] for name in ("id", "source", "type"))
    assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in event)
    assert urlsplit(event["source"]).scheme == "urn"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", event["time"])
    assert not {"data", "data_base64"} <= event.keys()


def test_a_structured_event_keeps_the_rules_and_its_values() -> None:
    message = structured_message(encode_event(an_event()))
    assert message.headers["Content-Type"] == "application/cloudevents+json; charset=UTF-8"
    event = orjson.loads(message.body)
    assert_is_cloud_event(event)
    assert event["time"] == "2026-03-01T09:30:00.250Z"
    assert event["datacontenttype"] == "application/json"
    assert event["data"] == {
        "customer_id": "c1",
        "phone": "15400001234",
        "name": "测试",
        "spent": "1280.50",
        "birthday": "1990-05-01",
        "seen": "2026-03-01T17:30:00.250000+08:00",
        "tags": ["vip", None],
    }


def test_attributes_hold_nothing_personal() -> None:
    event = orjson.loads(encode_event(an_event()))
    attributes = orjson.dumps({name: value for name, value in event.items() if name != "data"}).decode()
    assert not any(text in attributes for text in ("154", "测试", "1990", "vip"))


def test_a_mapped_value_cannot_replace_the_customer_id() -> None:
    assert orjson.loads(encode_event(an_event(customer_id="other")))["data"] == {"customer_id": "c1"}


def test_a_binary_event_has_its_attributes_in_headers() -> None:
    message = binary_message(an_event())
    assert message.headers == {
        "Content-Type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "op-1",
        "ce-source": "urn:customer-hub:crm",
        "ce-type": "customer.updated",
        "ce-subject": "c1",
        "ce-time": "2026-03-01T09:30:00.250Z",
    }
    assert orjson.loads(message.body)["name"] == "测试"


def test_header_values_are_percent_encoded_as_the_binding_says() -> None:
    # The example of the HTTP binding, §3.1.3.2.
    event = CloudEvent("1", "urn:x", "t", subject='Euro € 😀 "50%"')
    assert binary_message(event).headers["ce-subject"] == "Euro%20%E2%82%AC%20%F0%9F%98%80%20%2250%25%22"


_texts = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=20)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_events = st.builds(
    CloudEvent, _texts, _texts, _texts, subject=_texts, time=st.just("2026-03-01T09:30:00Z"), data=_json
)


@settings(max_examples=50, deadline=None)
@given(st.lists(_events, max_size=4))
def test_every_mode_can_be_read_back(events: list[CloudEvent]) -> None:
    batch = batch_message([encode_event(event) for event in events])
    assert parse_message(batch.headers, batch.body) == events
    for event in events:
        for message in (structured_message(encode_event(event)), binary_message(event)):
            assert parse_message(message.headers, message.body) == [event]


@pytest.mark.parametrize("value", [Decimal("NaN"), {1, 2}, 2**70, b"bytes"])
def test_a_value_without_a_json_form_is_named_by_type_not_by_content(value: Any) -> None:
    with pytest.raises(EventError, match="cannot be written as JSON"):
        encode_event(an_event(odd=value))


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/cloudevents+json", b"{"),
        ("application/cloudevents+json", b"[]"),
        ("application/cloudevents+json", b'{"specversion": "0.3", "id": "1", "source": "s", "type": "t"}'),
        ("application/cloudevents+json", b'{"specversion": "1.0", "id": "", "source": "s", "type": "t"}'),
        ("application/cloudevents+json", b'{"specversion": "1.0", "id": 1, "source": "s", "type": "t"}'),
        ("application/cloudevents-batch+json", b'{"specversion": "1.0"}'),
        ("application/json", b"{}"),
    ],
)
def test_what_is_no_event_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(EventError):
        parse_message({"content-type": content_type}, body)
