"""Targets remark and message: a guide's words are never touched, a message never goes out twice."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wecom_rig import Rig, customer, guide, operation

from hub.destination import OperationKind, OutcomeStatus
from hub.errors import RetryError, StreamError
from plugins.wecom.remarks import with_section

ACCEPTED, REJECTED, SUPPRESSED = OutcomeStatus.ACCEPTED, OutcomeStatus.REJECTED, OutcomeStatus.SUPPRESSED
MARKS = "〖〗"


def noted(corp: Rig, who: int, number: int, column: str = "description") -> str:
    return str(
        corp.corp.db.value(f"SELECT {column} FROM relations WHERE userid = ? AND id = ?", guide(who), customer(number))
    )


@pytest.mark.parametrize(
    ("text", "section", "limit", "result"),
    [
        ("", "高价值", 150, "〖高价值〗"),
        ("喜欢连衣裙", "高价值", 150, "喜欢连衣裙 〖高价值〗"),
        ("喜欢连衣裙 〖旧〗", "高价值", 150, "喜欢连衣裙 〖高价值〗"),
        ("喜欢 〖旧〗 连衣裙", "新", 150, "喜欢 〖新〗 连衣裙"),
        ("喜欢连衣裙 〖旧〗", "", 150, "喜欢连衣裙"),
        ("喜欢连衣裙", "", 150, "喜欢连衣裙"),
        ("橙子-VIP", "高价值客户要多关心", 14, "橙子-VIP 〖高价值客…〗"),
        ("长" * 18, "高", 20, None),
        ("甲", "a〖b〗c", 20, "甲 〖abc〗"),
    ],
)
def test_the_hub_s_section_is_put_in_changed_shortened_and_taken_out(
    text: str, section: str, limit: int, result: str | None
) -> None:
    assert with_section(text, section, MARKS, limit) == result


words = st.text(st.sampled_from("甲乙丙 abc"), max_size=30)


@given(text=words, first=words, second=words, limit=st.integers(5, 60))
def test_a_guide_s_own_words_survive_every_section(text: str, first: str, second: str, limit: int) -> None:
    once = with_section(text, first, MARKS, limit)
    if once is None:
        return
    assert once.startswith(text)
    assert len(once) <= max(limit, len(text))
    twice = with_section(once, second, MARKS, limit)
    assert twice is None or twice.startswith(text)
    assert with_section(once, first, MARKS, limit) == once
    assert with_section(once, "", MARKS, limit) == text


def test_the_belonging_guide_s_description_gets_the_section(corp: Rig) -> None:
    corp.corp.act("edits", userid=guide(0), external_userid=customer(2), description="喜欢连衣裙")
    (outcome,) = corp.write("remark", [operation(2, description="高价值")])
    assert outcome.status is ACCEPTED
    assert noted(corp, 0, 2) == "喜欢连衣裙 〖高价值〗"
    assert noted(corp, 1, 2) == "None"
    assert corp.write("remark", [operation(2, description="高价值")])[0].status is OutcomeStatus.UNCHANGED
    assert corp.corp.journal.writes("remark") == 1
    corp.write("remark", [operation(2, kind=OperationKind.DELETE)])
    assert noted(corp, 0, 2) == "喜欢连衣裙"


def test_a_remark_without_room_is_refused_and_stays_as_it_was(corp: Rig) -> None:
    corp.corp.act("edits", userid=guide(0), external_userid=customer(1), remark="长" * 19)
    (outcome,) = corp.write("remark", [operation(1, remark="高价值")])
    assert (outcome.status, outcome.code) == (REJECTED, "no_room")
    assert noted(corp, 0, 1, "remark") == "长" * 19


@pytest.mark.parametrize(("mobiles", "status"), [(False, OutcomeStatus.INVALID), (True, ACCEPTED)])
def test_phones_are_added_only_where_that_is_configured(corp: Rig, mobiles: bool, status: OutcomeStatus) -> None:
    corp.corp.db.execute(
        "UPDATE relations SET phones = ? WHERE userid = ? AND id = ?", ["15400000001"], guide(0), customer(1)
    )
    (outcome,) = corp.write("remark", [operation(1, phone="15400000002")], remark={"mobiles": mobiles})
    assert outcome.status is status
    kept = '["15400000001","15400000002"]' if mobiles else '["15400000001"]'
    assert noted(corp, 0, 1, "phones") == kept


@pytest.mark.parametrize("values", [{"colour": "red"}, {}, {"guide": "g"}])
def test_rows_without_a_known_field_are_stopped(corp: Rig, values: dict[str, str]) -> None:
    (outcome,) = corp.write("remark", [operation(1, **values)])
    assert (outcome.status, outcome.code) == (OutcomeStatus.INVALID, "value_not_usable")


# Messages.


def test_customers_of_one_text_share_one_task(corp: Rig) -> None:
    rows = [operation(1), operation(3), operation(99), operation(6, text="专属优惠")]
    outcomes = corp.write("message", rows, message={"text": "新品上市"})
    assert [(each.status, each.code) for each in outcomes] == [
        (ACCEPTED, "waiting_for_guide"), (ACCEPTED, "waiting_for_guide"), (REJECTED, "unreachable"),
        (ACCEPTED, "waiting_for_guide"),
    ]  # fmt: skip
    assert corp.calls("add_msg_template") == 2
    assert outcomes[0].remote_id == outcomes[1].remote_id != outcomes[3].remote_id


def test_a_push_may_wait_for_the_guides(corp: Rig) -> None:
    corp.corp.db.execute("UPDATE relations SET one_way = 0")
    original = corp.clock.sleep

    pressed: list[float] = []

    def sleep(seconds: float) -> None:
        original(seconds)
        if seconds >= 30 and not pressed:
            pressed.append(seconds)
            corp.corp.db.execute("DELETE FROM relations WHERE userid = ? AND id = ?", guide(1), customer(3))
            corp.corp.act("presses_send", msgid=corp.corp.db.value("SELECT msgid FROM messages"))

    settings = {"text": "新品", "wait_seconds": 300}
    with corp.destination(services={"sleep": sleep}, message=settings) as destination:
        found = list(destination.write(destination.targets()[2], [operation(1), operation(3)]))
    outcomes = {each.operation_id: each for each in found}
    assert (outcomes["op-1"].status, outcomes["op-1"].code) == (ACCEPTED, "")
    assert (outcomes["op-3"].status, outcomes["op-3"].code) == (REJECTED, "not_a_friend")
    assert pressed == [60.0]


def test_caps_per_day_and_month_hold_over_runs(corp: Rig) -> None:
    settings = {"text": "新品", "per_day": 1, "per_month": 2}
    first = corp.write("message", [operation(1, name="a"), operation(1, name="b")], message=settings)
    assert [each.status for each in first] == [ACCEPTED, SUPPRESSED]
    corp.clock.advance(86_400)
    assert corp.write("message", [operation(1, name="c")], message=settings)[0].status is ACCEPTED
    corp.clock.advance(86_400)
    (third,) = corp.write("message", [operation(1, name="d")], message=settings)
    assert (third.status, third.code) == (SUPPRESSED, "frequency_cap")
    corp.clock.advance(31 * 86_400)
    assert corp.write("message", [operation(1, name="e")], message=settings)[0].status is ACCEPTED


class Broken(httpx.BaseTransport):
    """Does the work, then drops the connection; or says "busy"."""

    def __init__(self, inner: httpx.BaseTransport, answer: dict[str, Any] | None) -> None:
        self.inner = inner
        self.answer = answer
        self.calls = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("add_msg_template"):
            return self.inner.handle_request(request)
        self.calls += 1
        if self.answer is not None:
            return httpx.Response(200, json=self.answer)
        self.inner.handle_request(request)
        raise httpx.RemoteProtocolError("gone")


@pytest.mark.parametrize("answer", [None, {"errcode": -1, "errmsg": "system busy"}], ids=["dropped", "busy"])
def test_a_message_whose_outcome_is_open_is_never_repeated_and_counts(corp: Rig, answer: dict[str, Any] | None) -> None:
    transport = Broken(corp.corp.transport(), answer)
    with corp.destination(services={"transport": transport}, message={"text": "新品"}) as destination:
        target = destination.targets()[2]
        assert not target.idempotent
        with pytest.raises(RetryError) as caught:
            list(destination.write(target, [operation(1)]))
    assert caught.value.sent
    assert transport.calls == 1
    (again,) = corp.write("message", [operation(1)], message={"text": "新品"})
    assert again.status is SUPPRESSED


def test_a_refused_content_is_told_and_does_not_count(corp: Rig) -> None:
    transport = Broken(corp.corp.transport(), {"errcode": 40201, "errmsg": "spam"})
    with corp.destination(services={"transport": transport}, message={"text": "新品"}) as destination:
        target = destination.targets()[2]
        with pytest.raises(StreamError):
            list(destination.write(target, [operation(1)]))
    assert corp.write("message", [operation(1)], message={"text": "新品"})[0].status is ACCEPTED


@pytest.mark.parametrize(
    ("values", "settings", "code"),
    [
        ({}, {}, "message_empty"),
        ({"text": "长" * 1334}, {}, "text_too_long"),
        ({"colour": "red"}, {"text": "新品"}, "value_not_usable"),
    ],
)
def test_messages_that_cannot_be_sent_are_stopped(
    corp: Rig, values: dict[str, str], settings: dict[str, str], code: str
) -> None:
    (outcome,) = corp.write("message", [operation(1, **values)], message=settings)
    assert (outcome.status, outcome.code) == (OutcomeStatus.INVALID, code)
    assert corp.calls("add_msg_template") == 0
