"""Target ``subscribe_message``: checked before it is sent, refused for its own reasons, never sent twice."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from wechat_rig import NOTICE, Rig, TinyChain, message, openid, operation, rig, statuses, user

from hub.destination import Operation, Outcome, OutcomeStatus
from hub.errors import ConfigError, DeferError, StreamError
from plugins.wechat.destination import WechatDestination
from plugins.wechat.sentlog import SentLog, SentState
from plugins.wechat.simulator.messages import ARRIVAL, EXPIRY

ACCEPTED = (OutcomeStatus.ACCEPTED, "")
SEND = "/cgi-bin/message/subscribe/send"


def agree(accounts: Rig, *numbers: int, times: int = 1) -> None:
    for number in numbers:
        accounts.sim.act("accepts", openid=user(number), times=times)


def send(accounts: Rig, operations: Any, **more: Any) -> list[Any]:
    return accounts.write("subscribe_message", operations, "miniprogram", **more)


def until_deferred(destination: WechatDestination, operations: list[Operation]) -> tuple[list[Outcome], DeferError]:
    """The outcomes that were given, and the error that put off the rest."""
    outcomes: list[Outcome] = []
    with pytest.raises(DeferError) as caught:
        outcomes.extend(destination.write(destination.targets()[0], operations))
    return outcomes, caught.value


def test_who_has_agreed_gets_it_and_who_has_not_is_rejected(accounts: Rig) -> None:
    agree(accounts, 1, 3)
    outcomes = send(accounts, [message(n) for n in (1, 2, 3)])
    assert statuses(outcomes) == [ACCEPTED, (OutcomeStatus.REJECTED, "43101"), ACCEPTED]
    assert outcomes[0].remote_id
    assert "one-time consent" in outcomes[1].message
    assert '"code": "43101"' in outcomes[1].response, "what the platform answered is kept"
    assert sorted(accounts.sent()) == [user(1), user(3)]


def test_one_consent_is_one_message(accounts: Rig) -> None:
    agree(accounts, 1)
    assert statuses(send(accounts, [message(1)])) == [ACCEPTED]
    again = operation(user(1), name="another", template_id=ARRIVAL, **NOTICE)
    assert statuses(send(accounts, [again])) == [(OutcomeStatus.REJECTED, "43101")]


def test_texts_come_from_the_row_and_else_from_the_settings(accounts: Rig) -> None:
    agree(accounts, 1, 2)
    settings = {
        "template_id": ARRIVAL,
        "page": "pages/coupon/index?c=1",
        "fields": {"thing1": "春茶", "time2": "10:00"},
    }
    rows = [operation(user(1)), operation(user(2), thing1="乌龙", time2=None)]
    assert statuses(send(accounts, rows, message=settings)) == [ACCEPTED, ACCEPTED]
    sql = (
        "SELECT json_extract(body, '$.thing1.value'), json_extract(body, '$.time2.value') FROM messages ORDER BY openid"
    )
    assert [tuple(row) for row in accounts.sim.db.rows(sql)] == [("春茶", "10:00"), ("乌龙", "10:00")]


def test_texts_of_the_settings_fill_another_template_where_it_has_fields_of_that_name(accounts: Rig) -> None:
    accounts.sim.act("accepts", openid=user(1), template_id=EXPIRY)
    settings = {"template_id": ARRIVAL, "fields": {"thing1": "周年券", "time2": "10:00"}}
    row = operation(user(1), template_id=EXPIRY, amount2="5元", date3="2026-03-08", enum4="满减券")
    assert statuses(send(accounts, [row], message=settings)) == [ACCEPTED]
    assert json.loads(accounts.sim.db.value("SELECT body FROM messages"))["thing1"] == {"value": "周年券"}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"thing1": "字" * 21}, "Thing1 has 21 characters and must be at most 20 characters."),
        ({"thing1": ""}, "Thing1 is empty."),
        (
            {"time2": "3 pm"},
            "Time2 has 4 characters and must be a time like 15:01, with or without a day, or a span with ~.",
        ),
        ({"thing9": "x"}, "Thing9 is no field of the template, which has thing1, time2."),
        ({"thing1": ["a"], "time2": True}, "Thing1 must be a text or a number; time2 must be a text or a number."),
        ({"thing1": None}, "Thing1 is missing."),
    ],
)
def test_what_does_not_fit_the_template_is_not_sent(accounts: Rig, values: dict[str, Any], says: str) -> None:
    agree(accounts, 1)
    outcome = send(accounts, [message(1, **values)])[0]
    assert (outcome.status, outcome.code, outcome.message) == (OutcomeStatus.INVALID, "message_invalid", says)
    assert accounts.calls(SEND) == 0


def test_choices_and_amounts_of_a_template_are_checked_too(accounts: Rig) -> None:
    accounts.sim.act("accepts", openid=user(1), template_id=EXPIRY)
    good = {"thing1": "周年券", "amount2": 5, "date3": "2026-03-08T02:00:00.000000Z", "enum4": "满减券"}
    wrong = operation(user(1), name="wrong", template_id=EXPIRY, **{**good, "enum4": "现金"})
    right = operation(user(1), template_id=EXPIRY, **good)
    outcomes = send(accounts, [wrong, right])
    assert [outcome.status for outcome in outcomes] == [OutcomeStatus.INVALID, OutcomeStatus.ACCEPTED]


def test_a_template_that_is_not_there_stops_the_target(accounts: Rig) -> None:
    with pytest.raises(StreamError) as caught:
        send(accounts, [message(1, template_id="Tgone")])
    assert caught.value.code == "wechat_template_unknown"
    with pytest.raises(ConfigError) as named:
        send(accounts, [operation(user(1), **NOTICE)])
    assert named.value.code == "template_not_named"


def test_a_page_that_is_not_published_stops_the_target_and_nothing_counts_as_sent(accounts: Rig) -> None:
    agree(accounts, 1)
    with pytest.raises(StreamError) as caught:
        send(accounts, [message(1, page="pages/none")])
    assert caught.value.code == "wechat_page_unknown"
    assert statuses(send(accounts, [message(1)])) == [ACCEPTED]


def test_openids_of_another_account_are_rejected(accounts: Rig) -> None:
    outcomes = send(accounts, [operation(openid(1), template_id=ARRIVAL, **NOTICE)])
    assert statuses(outcomes) == [(OutcomeStatus.REJECTED, "40003")]


def test_the_official_account_sends_notices_to_its_followers(accounts: Rig) -> None:
    accounts.sim.act("accepts", openid=openid(1), appid=accounts.sim.official)
    settings = {"template_id": ARRIVAL, "page": "pages/index/index", "miniprogram_appid": accounts.sim.miniprogram}
    rows = [operation(openid(n), **NOTICE) for n in (1, 2)]
    outcomes = accounts.write("subscribe_message", rows, message=settings)
    assert statuses(outcomes) == [ACCEPTED, (OutcomeStatus.REJECTED, "43101")]
    assert accounts.sent() == [openid(1)]


def test_the_same_operation_is_sent_once_however_often_it_is_handed_over(accounts: Rig) -> None:
    agree(accounts, 1, times=5)
    assert statuses(send(accounts, [message(1)])) == [ACCEPTED]
    assert statuses(send(accounts, [message(1)])) == [(OutcomeStatus.ACCEPTED, "already_sent")]
    assert accounts.sent() == [user(1)]


def test_a_lost_answer_leaves_the_message_unknown_and_it_is_not_sent_again(accounts: Rig) -> None:
    agree(accounts, 1, 2, 3, times=5)
    accounts.sim.use_faults("dropped_after_write", seed=1, rate=0.0)
    accounts.sim.use_faults("dropped_after_write", seed=1, rate=0.5)
    first = send(accounts, [message(n) for n in (1, 2, 3)])
    accounts.sim.use_faults("none")
    lost = [outcome for outcome in first if outcome.status is OutcomeStatus.UNKNOWN]
    assert lost
    assert {outcome.code for outcome in lost} == {"http_connection_dropped"}
    second = send(accounts, [message(n) for n in (1, 2, 3)])
    assert {outcome.operation_id for outcome in second if outcome.code == "interrupted"} == {
        o.operation_id for o in lost
    }
    assert sorted(accounts.sent()) == [user(1), user(2), user(3)]


def test_a_platform_that_stops_answering_is_left_alone(tmp_path: Path) -> None:
    with rig(tmp_path, TinyChain(users=30)) as accounts:
        agree(accounts, *range(1, 31))
        accounts.sim.use_faults("dropped_after_write", seed=1, rate=1.0)
        with accounts.destination("miniprogram", concurrency=1) as destination:
            outcomes, error = until_deferred(destination, [message(n) for n in range(1, 31)])
        assert error.code == "no_answers"
        assert {outcome.status for outcome in outcomes} == {OutcomeStatus.UNKNOWN}
        assert len(accounts.sent()) == len(outcomes) == 3


def test_a_busy_platform_is_asked_again_and_sends_once(tmp_path: Path) -> None:
    with rig(tmp_path, TinyChain(users=12)) as accounts:
        agree(accounts, *range(1, 13), times=3)
        accounts.sim.use_faults("busy+throttling", seed=3, rate=0.3)
        assert set(statuses(send(accounts, [message(n) for n in range(1, 13)]))) == {ACCEPTED}
        assert sorted(accounts.sent()) == [user(n) for n in range(1, 13)]


def test_a_spent_quota_defers_the_rest_until_midnight(tmp_path: Path) -> None:
    with rig(tmp_path, quotas={SEND: 2}) as accounts:
        agree(accounts, 1, 2, 3)
        with accounts.destination("miniprogram", concurrency=1) as destination:
            outcomes, error = until_deferred(destination, [message(n) for n in (1, 2, 3)])
        assert statuses(outcomes) == [ACCEPTED, ACCEPTED]
        assert error.code == "wechat_quota_spent"
        # A little less than the fifteen hours from nine in the morning, because a minute was waited.
        assert error.until == pytest.approx(15 * 3600 - 60, abs=30)
        accounts.clock.advance(15 * 3600)
        assert statuses(send(accounts, [message(3)])) == [ACCEPTED]


def test_what_became_of_open_messages_can_be_looked_up(accounts: Rig) -> None:
    agree(accounts, 1)
    before = accounts.now()
    send(accounts, [message(1)])
    rows = [message(n) for n in (1, 2, 3)]
    with accounts.destination("miniprogram") as destination:
        target = destination.targets()[0]
        log = SentLog(accounts.folder / ".hub/wechat/miniprogram", accounts.now())
        assert log.begin("op-" + user(2), accounts.now()) is SentState.NEVER
        log.close()
        assert statuses(list(destination.look_up(target, rows, accounts.now()))) == [
            (OutcomeStatus.ACCEPTED, "already_sent"), (OutcomeStatus.UNKNOWN, "interrupted"), (OutcomeStatus.DEFERRED, "not_sent")
        ]  # fmt: skip
        # A log that was begun after the messages were handed over cannot say that one was not sent.
        earlier = list(destination.look_up(target, rows, before - dt.timedelta(hours=1)))
        assert statuses(earlier)[2] == (OutcomeStatus.UNKNOWN, "interrupted")


def test_the_log_forgets_what_is_long_ago(tmp_path: Path, accounts: Rig) -> None:
    log = SentLog(tmp_path, accounts.now())
    begun = log.begun_at
    log.begin("old", accounts.now())
    accounts.clock.advance(200 * 86_400)
    log.begin("new", accounts.now())
    log.prune(accounts.now())
    assert (log.state("old"), log.state("new")) == (SentState.NEVER, SentState.BEGUN)
    log.close()
    again = SentLog(tmp_path, accounts.now())
    assert again.begun_at == begun
    again.close()
