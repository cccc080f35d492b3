"""Levels, words in the remark, points, stored value and coupons: written once, whatever happens to the answers."""

from __future__ import annotations

from typing import Any

import pytest
from pospal_rig import Rig, member, operation

from hub.destination import OperationKind, OutcomeStatus
from hub.pipeline.ingest import ingest
from hub.pipeline.publish import publish
from hub.pipeline.push import push
from hub.pipeline.resolve import resolve
from hub.pipeline.score import score
from hub.pipeline.segment import segment
from plugins.pos.pospal.api import Api
from plugins.pos.pospal.writing.details import with_words

UID, ALONE = 360135572336007987, 360135572336007001
RULE = "1604560747439474724"


@pytest.fixture
def desk(rig: Rig) -> Rig:
    """A member of the group of shops, and one of the shop that shares with none."""
    rig.sim.act(
        "join", shop="S02", member=member(UID, "M1", "林小满", "15400010001", point=120, balance=50, remarks="不吃香菜")
    )
    rig.sim.act("join", shop="S03", member=member(ALONE, "M1", "林小满", "15400010001"))
    return rig


def write(rig: Rig, target: str, *operations: Any, **settings: Any) -> list[Any]:
    destination = rig.destination(writing={"coupon_uid": RULE, "stored_value_limit": 100, **settings})
    chosen = next(each for each in destination.targets() if each.name == target)
    return list(destination.write(chosen, operations))


def column(rig: Rig, name: str, uid: int = UID) -> Any:
    return rig.sim.db.value(f"SELECT {name} FROM members WHERE uid = ?", str(uid))


def test_level_is_set_and_a_level_that_is_none_is_not_sent(desk: Rig) -> None:
    good, bad = write(desk, "level", operation(1, str(UID), level="金卡会员"), operation(2, str(UID), level="钻石会员"))
    assert (good.status, bad.status, bad.code) == (OutcomeStatus.ACCEPTED, OutcomeStatus.INVALID, "level_unknown")
    assert "金卡会员, 普通会员" in bad.message or "普通会员, 金卡会员" in bad.message
    assert column(desk, "level") == "金卡会员"
    assert write(desk, "level", operation(3, str(UID), level="金卡会员"))[0].status is OutcomeStatus.UNCHANGED


def test_words_stand_in_brackets_and_what_staff_wrote_stays(desk: Rig) -> None:
    write(desk, "tag", operation(1, str(UID), tags=["vip", "new"]), tag_names={"vip": "高价值"})
    assert column(desk, "remarks") == "不吃香菜 【标签:高价值、new】"
    write(desk, "tag", operation(2, str(UID), tags=["new"], city="上海"))
    assert column(desk, "remarks") == "不吃香菜 【标签:new、city=上海】"
    write(desk, "tag", operation(3, str(UID), OperationKind.DELETE))
    assert column(desk, "remarks") == "不吃香菜"


def test_remark_that_holds_nothing_else_keeps_empty_brackets(desk: Rig) -> None:
    write(desk, "tag", operation(1, str(ALONE), tags=["vip"]))
    write(desk, "tag", operation(2, str(ALONE), OperationKind.DELETE))
    assert column(desk, "remarks", ALONE) == "【标签:】"


def test_words_cannot_break_out_of_their_brackets() -> None:
    assert with_words("x", "标签", ["a】b", "c、d"]) == "x 【标签:ab、c d】"
    assert with_words("x 【标签:a】 y", "标签", []) == "x y"


def test_details_go_into_base_and_extended_fields(desk: Rig) -> None:
    done, unknown = write(
        desk,
        "details",
        operation(1, str(UID), email="lin@example.com", nickName="小满"),
        operation(2, str(UID), level="x"),
    )
    assert (done.status, unknown.code) == (OutcomeStatus.ACCEPTED, "field_unknown")
    shown = desk.client("S01").ask(Api.MEMBER, {"customerUid": UID})
    assert (shown["email"], shown["extInfo"]["nickName"]) == ("lin@example.com", "小满")


def test_points_are_added_or_brought_to_a_number(desk: Rig) -> None:
    outcomes = write(
        desk, "points", operation(1, str(UID), delta=30), operation(2, str(UID), balance=100), operation(3, str(UID), balance=100),
        operation(4, str(UID)), operation(5, str(UID), delta="0.001"), operation(6, str(UID), delta=-1000),
        operation(7, "404", delta=1),
    )  # fmt: skip
    assert [(o.status.value, o.code) for o in outcomes] == [
        ("accepted", ""), ("accepted", ""), ("unchanged", ""), ("invalid", "amount_unclear"), ("invalid", "amount_invalid"),
        ("rejected", "1052"), ("rejected", "member_unknown"),
    ]  # fmt: skip
    assert '"code": "1052"' in outcomes[5].response, "what the platform answered is kept"
    assert column(desk, "added_points") == -2000


def test_stored_value_is_limited_and_offered_only_with_a_limit(desk: Rig) -> None:
    outcomes = write(desk, "stored_value", operation(1, str(UID), delta="12.50"), operation(2, str(UID), delta=101))
    assert [o.code for o in outcomes] == ["", "amount_above_limit"]
    assert column(desk, "added_fen") == 1250
    assert "stored_value" not in {target.name for target in desk.destination().targets()}


def test_member_of_a_shop_of_its_own_is_written_with_that_shop_s_key(desk: Rig) -> None:
    assert write(desk, "points", operation(1, str(ALONE), delta=5))[0].status is OutcomeStatus.ACCEPTED
    assert column(desk, "added_points", ALONE) == 500


def test_lost_answer_is_read_back_from_the_account(desk: Rig) -> None:
    desk.sim.use_faults("dropped_after_write", rate=1.0)
    outcomes = write(desk, "points", *(operation(n, str(UID), delta=10) for n in range(6)))
    assert {(o.status.value, o.code) for o in outcomes} <= {("accepted", ""), ("accepted", "read_back")}
    assert any(o.code == "read_back" for o in outcomes)
    assert desk.sim.db.value("SELECT count(*) FROM increments") == 6
    assert column(desk, "added_points") == 6000


def test_answer_that_was_never_given_leaves_the_outcome_open_and_is_not_sent_again(desk: Rig) -> None:
    desk.sim.use_faults("dropped", rate=1.0)
    outcomes = write(desk, "points", *(operation(n, str(UID), delta=10) for n in range(3)))
    booked = desk.sim.db.value("SELECT count(*) FROM increments")
    assert sum(o.status is OutcomeStatus.ACCEPTED for o in outcomes) == booked
    assert {o.status for o in outcomes} <= {OutcomeStatus.ACCEPTED, OutcomeStatus.UNKNOWN}
    assert any(o.status is OutcomeStatus.UNKNOWN for o in outcomes)


def test_one_coupon_of_a_rule_per_member_however_often(desk: Rig) -> None:
    desk.sim.use_faults("dropped_after_write", rate=1.0)
    first = write(desk, "coupon", operation(1, str(UID)))[0]
    again = write(desk, "coupon", operation(2, str(UID), coupon_uid=RULE))[0]
    assert first.status in {OutcomeStatus.ACCEPTED, OutcomeStatus.UNCHANGED}
    assert again.status is OutcomeStatus.UNCHANGED
    assert first.remote_id == again.remote_id
    assert desk.sim.received()["coupons issued"] == 1
    wrong = write(desk, "coupon", operation(3, str(UID), coupon_uid="12"), operation(4, str(UID), coupon_uid="x"))
    assert [o.code for o in wrong] == ["1060", "coupon_rule_invalid"]


def test_push_that_was_killed_and_started_again_credits_once(desk: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = '\n[syncs.gift]\nto = "pospal"\ntarget = "points"\nkey = "profile"\nmode = "upsert"\nfields = { delta = "profiles" }\n'
    hub = desk.hub(extra=sync)
    ingest(hub, streams=["members", "tickets"])
    resolve(hub)
    score(hub, as_of=hub.now())
    segment(hub)
    publish(hub)
    from plugins.pos.pospal.writing.account import AccountWriter

    booking = AccountWriter._book

    def killed(self: Any, *given: Any) -> Any:
        booking(self, *given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(AccountWriter, "_book", killed)
        with pytest.raises(KeyboardInterrupt):
            push(hub)
    desk.clock.advance(40 * 86_400)
    for _ in range(2):
        assert str(push(hub).syncs[0].error) == "None"
    most = desk.sim.db.value("SELECT max(n) FROM (SELECT count(*) AS n FROM increments GROUP BY customer)")
    assert most == 1
