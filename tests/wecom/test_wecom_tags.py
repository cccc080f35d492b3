"""Target tag: segments as corp tags, with the fewest calls, and repaired when somebody changes them by hand."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wecom_rig import FOLLOWS, Rig, chain, customer, guide, operation, rig, tags_of

from hub.destination import Operation, OperationKind, Outcome, OutcomeStatus
from plugins.wecom.relations import chosen
from plugins.wecom.tagging import wanted_tags

ACCEPTED, UNCHANGED, REJECTED = OutcomeStatus.ACCEPTED, OutcomeStatus.UNCHANGED, OutcomeStatus.REJECTED


def statuses(outcomes: list[Outcome]) -> list[OutcomeStatus]:
    return [outcome.status for outcome in outcomes]


def marks(corp: Rig) -> int:
    return corp.corp.journal.writes("mark_tag")


def test_segments_become_tags_on_every_relation(corp: Rig) -> None:
    outcomes = corp.write("tag", [operation(1, segments=["高价值"]), operation(2, segments=["高价值", "沉睡"])])
    assert statuses(outcomes) == [ACCEPTED, ACCEPTED]
    assert tags_of(corp.corp) == {
        (guide(0), customer(1)): ["高价值"],
        (guide(0), customer(2)): ["沉睡", "高价值"],
        (guide(1), customer(2)): ["沉睡", "高价值"],
    }
    assert corp.calls("add_corp_tag") == 1
    assert marks(corp) == 3


@pytest.mark.parametrize(
    ("staff", "values", "tagged"),
    [
        ("all", {}, [guide(0), guide(1)]),
        ("belonging", {}, [guide(0)]),
        ("belonging", {"guide": guide(1)}, [guide(1)]),
        ("belonging", {"guide": "somebody else"}, [guide(0)]),
        ([guide(1), guide(2)], {}, [guide(1)]),
    ],
)
def test_the_connection_chooses_whose_relations_are_tagged(
    corp: Rig, staff: Any, values: dict[str, str], tagged: list[str]
) -> None:
    corp.write("tag", [operation(2, segments=["高价值"], **values)], tags={"staff": staff})
    assert [who for who, _ in tags_of(corp.corp)] == tagged


def test_a_switch_of_segment_is_one_call_per_relation_and_nothing_else(corp: Rig) -> None:
    rows = [operation(n, segments=["高价值"]) for n in range(1, 7)]
    corp.write("tag", rows)
    before = marks(corp)
    assert statuses(corp.write("tag", [operation(1, segments=["沉睡"])])) == [ACCEPTED]
    assert marks(corp) - before == 1
    assert tags_of(corp.corp)[guide(0), customer(1)] == ["沉睡"]


def test_writing_the_same_again_costs_no_call(corp: Rig) -> None:
    rows = [operation(n, segments=["高价值"]) for n in (1, 2)]
    corp.write("tag", rows)
    before = marks(corp)
    assert statuses(corp.write("tag", rows)) == [UNCHANGED, UNCHANGED]
    assert marks(corp) == before


def test_tags_of_others_are_left_alone(corp: Rig) -> None:
    group = corp.corp.put_group("会员等级", "console")
    gold = corp.corp.put_tag(group["id"], "金卡", "console")["id"]
    corp.corp.db.execute("INSERT INTO marks VALUES (?, ?, ?)", guide(0), customer(1), gold)
    corp.write("tag", [operation(1, segments=["高价值"])])
    corp.write("tag", [operation(1, kind=OperationKind.DELETE)])
    assert tags_of(corp.corp) == {}
    assert tags_of(corp.corp, group="会员等级") == {(guide(0), customer(1)): ["金卡"]}


def test_a_customer_who_leaves_loses_the_tags_and_one_who_is_gone_is_no_error(corp: Rig) -> None:
    corp.write("tag", [operation(1, segments=["高价值"]), operation(3, segments=["高价值"])])
    corp.corp.act("drops", userid=guide(1), external_userid=customer(3))
    leaving = [operation(n, kind=OperationKind.DELETE) for n in (1, 3)]
    assert statuses(corp.write("tag", leaving)) == [ACCEPTED, UNCHANGED]
    assert tags_of(corp.corp) == {}


def test_a_new_name_in_the_configuration_renames_the_tag_and_the_group(corp: Rig) -> None:
    corp.write("tag", [operation(1, segments=["champions"])])
    assert tags_of(corp.corp)[guide(0), customer(1)] == ["champions"]
    before = marks(corp)
    outcomes = corp.write(
        "tag", [operation(1, segments=["champions"])], tags={"names": {"champions": "重要价值"}, "group": "RFM分群"}
    )
    assert statuses(outcomes) == [UNCHANGED]
    assert tags_of(corp.corp, group="RFM分群") == {(guide(0), customer(1)): ["重要价值"]}
    assert (corp.calls("add_corp_tag"), corp.calls("edit_corp_tag"), marks(corp)) == (1, 2, before)


def test_a_tag_that_is_there_already_is_used(corp: Rig) -> None:
    group = corp.corp.put_group("客户分群", "console")
    corp.corp.put_tag(group["id"], "高价值", "console")
    assert statuses(corp.write("tag", [operation(1, segments=["高价值"])])) == [ACCEPTED]
    assert corp.calls("add_corp_tag") == 0


def test_a_tag_that_somebody_deleted_is_made_again(corp: Rig) -> None:
    corp.write("tag", [operation(1, segments=["高价值"])])
    corp.corp.act("tag_is_deleted", name="高价值")
    assert statuses(corp.write("tag", [operation(1, segments=["高价值"])])) == [ACCEPTED]
    assert tags_of(corp.corp) == {(guide(0), customer(1)): ["高价值"]}


def test_when_the_corp_has_too_many_tags_only_rows_that_need_a_new_one_are_refused(tmp_path: Path) -> None:
    with rig(tmp_path, chain(staff=3, follows=FOLLOWS), tag_cap=1) as corp:
        outcomes = corp.write("tag", [operation(1, segments=["A"]), operation(3, segments=["B"])])
        assert [(each.status, each.code) for each in outcomes] == [(ACCEPTED, ""), (REJECTED, "40126")]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"points": 12}, "value_not_a_tag"),
        ({"segments": ["长" * 31]}, "value_not_a_tag"),
        ({"x": {"a": 1}}, "value_not_a_tag"),
    ],
)
def test_values_that_are_no_tags_are_stopped_before_sending(corp: Rig, values: dict[str, Any], code: str) -> None:
    (outcome,) = corp.write("tag", [operation(1, **values)])
    assert (outcome.status, outcome.code) == (OutcomeStatus.INVALID, code)
    assert marks(corp) == 0


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"segments": ["a", "b"]}, {"a", "b"}),
        ({"vip": True, "lost": False, "level": "金卡", "none": None, "empty": ""}, {"vip", "金卡"}),
        ({"guide": "g1"}, set()),
    ],
)
def test_mapped_values_say_which_tags(values: dict[str, Any], wanted: set[str]) -> None:
    assert wanted_tags(values) == wanted


def test_a_customer_nobody_follows_is_refused_with_the_platform_s_code(corp: Rig) -> None:
    none, other = corp.write(
        "tag", [operation(99, segments=["A"]), operation(6, segments=["A"])], tags={"staff": [guide(0)]}
    )
    assert (none.status, none.code) == (REJECTED, "40096")
    assert (other.status, other.code) == (REJECTED, "wecom_no_relation")


def test_many_rows_are_looked_up_with_one_sweep_instead_of_one_call_each(tmp_path: Path) -> None:
    with rig(tmp_path, chain(staff=2, follows=[(n % 2, n) for n in range(300)])) as corp:
        outcomes = corp.write("tag", [operation(n, segments=["A"]) for n in range(250)])
        assert set(statuses(outcomes)) == {ACCEPTED}
        assert (corp.calls("externalcontact/get"), corp.calls("batch/get_by_user")) == (0, 3)
        assert marks(corp) == 250


# Repair.


def repaired(corp: Rig, sent: list[Operation]) -> list[Operation]:
    with corp.destination() as destination:
        target = destination.targets()[0]
        assert target.readable
        wanted = {each.key: each for each in sent}
        drifted = [
            row.key
            for row in destination.read_back(target)
            if not destination.holds(target, wanted.get(row.key), [row])
        ]
    return [
        replace(wanted[key], id=f"again-{key}") if key in wanted
        else Operation(f"again-{key}", "repair", OperationKind.DELETE, key, {}, "")
        for key in drifted
    ]  # fmt: skip


def test_what_was_changed_by_hand_is_found_and_repaired(corp: Rig) -> None:
    sent = [operation(n, segments=["高价值"]) for n in (1, 2, 3)]
    corp.write("tag", sent)
    wanted = tags_of(corp.corp)
    assert repaired(corp, sent) == []
    corp.corp.act("retags", userid=guide(1), external_userid=customer(2), remove=["高价值"])
    corp.corp.act("retags", userid=guide(2), external_userid=customer(6), add=["高价值"])
    repairs = repaired(corp, sent)
    assert [(each.key, each.kind) for each in repairs] == [
        (customer(2), OperationKind.UPDATE), (customer(6), OperationKind.DELETE)
    ]  # fmt: skip
    before = marks(corp)
    corp.write("tag", repairs)
    assert tags_of(corp.corp) == wanted
    assert marks(corp) - before == 2
    assert repaired(corp, sent) == []


@pytest.mark.parametrize("seed", range(5))
def test_after_any_changes_by_hand_repair_gives_just_the_wanted_tags(corp: Rig, seed: int) -> None:
    chance = random.Random(seed)
    names = ["A", "B", "C"]
    sent = [operation(n, segments=sorted(chance.sample(names, chance.randint(0, 2)))) for n in range(1, 7)]
    corp.write("tag", [*sent, operation(1, name="all", segments=names)])
    corp.write("tag", sent)
    wanted = tags_of(corp.corp)
    for _ in range(6):
        who, whom = chance.choice(FOLLOWS)
        change = {chance.choice(["add", "remove"]): [chance.choice(names)]}
        corp.corp.act("retags", userid=guide(who), external_userid=customer(whom), **change)
    corp.write("tag", repaired(corp, sent))
    assert tags_of(corp.corp) == wanted


follow = st.builds(lambda who, when: {"userid": who, "createtime": when}, st.sampled_from("abcd"), st.integers(0, 9))


@given(follows=st.lists(follow, max_size=4, unique_by=lambda each: each["userid"]), guide_id=st.sampled_from("abcde"))
def test_a_customer_has_one_belonging_guide_if_anybody_follows(follows: list[dict[str, Any]], guide_id: str) -> None:
    found = chosen(follows, "belonging", guide_id)
    assert len(found) == min(1, len(follows))
    if any(each["userid"] == guide_id for each in follows):
        assert found[0]["userid"] == guide_id
    elif found:
        assert found[0]["createtime"] == min(each["createtime"] for each in follows)
