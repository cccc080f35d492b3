"""Target ``tag``: what is written, what it costs, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wechat_rig import Rig, TinyChain, openid, operation, rig, statuses, user

from hub.destination import OperationKind, OutcomeStatus
from plugins.wechat.tagging import wanted_tags

ACCEPTED, UNCHANGED = (OutcomeStatus.ACCEPTED, ""), (OutcomeStatus.UNCHANGED, "")


def test_followers_get_just_the_wanted_tags_and_keep_other_peoples(accounts: Rig) -> None:
    accounts.sim.act("tags_by_hand", name="会员日", openid=openid(1))
    first = accounts.write("tag", [operation(openid(1), segments=["a", "b"]), operation(openid(2), segments=["b"])])
    assert statuses(first) == [ACCEPTED, ACCEPTED]
    assert accounts.tags() == {openid(1): ["CDP·a", "CDP·b", "会员日"], openid(2): ["CDP·b"]}
    second = accounts.write(
        "tag",
        [operation(openid(1), segments=["b"]), operation(openid(2), segments=["b"]), operation(openid(3), loyal=True)],
    )
    assert statuses(second) == [ACCEPTED, UNCHANGED, ACCEPTED]
    assert accounts.tags() == {openid(1): ["CDP·b", "会员日"], openid(2): ["CDP·b"], openid(3): ["CDP·loyal"]}
    third = accounts.write("tag", [operation(openid(n), kind=OperationKind.DELETE) for n in (1, 2, 4)])
    assert statuses(third) == [ACCEPTED, ACCEPTED, UNCHANGED]
    assert accounts.tags() == {openid(1): ["会员日"], openid(3): ["CDP·loyal"]}


def test_calls_are_as_few_as_the_platform_allows(tmp_path: Path) -> None:
    with rig(tmp_path, TinyChain(followers=240)) as accounts:
        operations = [operation(openid(n), segments=["a"] if n % 2 else ["a", "b"]) for n in range(1, 241)]
        assert set(statuses(accounts.write("tag", operations))) == {ACCEPTED}
        assert accounts.calls("/cgi-bin/user/info/batchget") == 3
        # 240 followers for a, 120 for b, 50 at a time.
        assert accounts.calls("/cgi-bin/tags/members/batchtagging") == 5 + 3
        assert set(statuses(accounts.write("tag", operations))) == {UNCHANGED}
        assert accounts.calls("/cgi-bin/tags/members/batchtagging") == 8


def test_names_come_from_the_settings(accounts: Rig) -> None:
    accounts.write(
        "tag",
        [operation(openid(1), segments=["rfm_champions"])],
        tags={"prefix": "店·", "names": {"rfm_champions": "常客"}},
    )
    assert accounts.tags() == {openid(1): ["店·常客"]}


def test_one_stranger_is_named_and_the_others_are_written(tmp_path: Path) -> None:
    with rig(tmp_path, TinyChain(followers=60)) as accounts:
        accounts.sim.act("unfollows", openid=openid(7))
        keys = [*(openid(n) for n in range(1, 61)), "oNobody", user(1)]
        outcomes = accounts.write("tag", [operation(key, segments=["a"]) for key in keys])
        refused = {o.operation_id: o.code for o in outcomes if o.status is OutcomeStatus.REJECTED}
        assert refused == {f"op-{openid(7)}": "not_following", "op-oNobody": "40003", f"op-{user(1)}": "40003"}
        assert set(accounts.tags()) == {openid(n) for n in range(1, 61) if n != 7}
        gone = accounts.write("tag", [operation(key, kind=OperationKind.DELETE) for key in (openid(7), "oNobody")])
        assert statuses(gone) == [UNCHANGED, UNCHANGED]


def test_one_follower_who_leaves_meanwhile_is_found_by_halving(tmp_path: Path) -> None:
    with rig(tmp_path, TinyChain(followers=50)) as accounts, accounts.destination() as destination:
        details = destination._client.follower_details

        def then_one_leaves(openids: Any) -> Any:
            found = details(openids)
            accounts.sim.act("unfollows", openid=openid(33))
            return found

        destination._client.follower_details = then_one_leaves  # type: ignore[method-assign]
        target = destination.targets()[0]
        outcomes = list(destination.write(target, [operation(openid(n), segments=["a"]) for n in range(1, 51)]))
        assert [o.operation_id for o in outcomes if o.status is not OutcomeStatus.ACCEPTED] == [f"op-{openid(33)}"]
        assert accounts.calls("/cgi-bin/tags/members/batchtagging") <= 1 + 2 * 6
        assert set(accounts.tags()) == {openid(n) for n in range(1, 51) if n != 33}


def test_a_follower_with_too_many_tags_is_refused_without_a_call(accounts: Rig) -> None:
    for number in range(19):
        accounts.sim.act("tags_by_hand", name=f"人工{number}", openid=openid(1))
    outcomes = accounts.write(
        "tag", [operation(openid(1), segments=["a", "b"]), operation(openid(2), segments=["a", "b"])]
    )
    assert [(o.status, o.code) for o in outcomes] == [(OutcomeStatus.REJECTED, "too_many_tags"), ACCEPTED]
    assert len(accounts.tags()[openid(1)]) == 19
    assert statuses(accounts.write("tag", [operation(openid(1), segments=["a"])])) == [ACCEPTED]


def test_the_accounts_limit_of_tags_stops_only_rows_that_need_a_new_one(tmp_path: Path) -> None:
    with rig(tmp_path, tag_cap=1) as accounts:
        rows = [
            operation(openid(1), segments=["a"]),
            operation(openid(2), segments=["b"]),
            operation(openid(3), segments=["a", "b"]),
        ]
        outcomes = accounts.write("tag", rows)
        assert [(o.status, o.code) for o in outcomes] == [
            ACCEPTED, (OutcomeStatus.REJECTED, "45056"), (OutcomeStatus.REJECTED, "45056")
        ]  # fmt: skip
        assert accounts.tags() == {openid(1): ["CDP·a"]}


def test_a_tag_that_is_deleted_meanwhile_is_made_again_by_the_next_push(accounts: Rig) -> None:
    with accounts.destination() as destination:
        target = destination.targets()[0]
        assert statuses(list(destination.write(target, [operation(openid(1), segments=["a"])]))) == [ACCEPTED]
        accounts.sim.act("tag_is_deleted", name="CDP·a")
        late = list(destination.write(target, [operation(openid(2), segments=["a"])]))
        assert statuses(late) == [(OutcomeStatus.DEFERRED, "45159")]
        again = [operation(openid(n), segments=["a"]) for n in (1, 2)]
        assert statuses(list(destination.write(target, again))) == [ACCEPTED, ACCEPTED]
    assert accounts.tags() == {openid(1): ["CDP·a"], openid(2): ["CDP·a"]}


def test_a_tag_whose_making_got_no_answer_is_not_made_twice(accounts: Rig) -> None:
    accounts.sim.put_tag("CDP·a", by_hub=True)
    with accounts.destination() as destination:
        book = destination._tagger._book
        # As if it had been made after the tags were read.
        book._ids = {}
        outcomes = list(destination.write(destination.targets()[0], [operation(openid(1), segments=["a"])]))
    assert statuses(outcomes) == [ACCEPTED]
    assert [row["name"] for row in accounts.sim.db.rows("SELECT name FROM tags")] == ["CDP·a"]


def test_what_is_no_tag_is_invalid_and_named(accounts: Rig) -> None:
    rows = [
        operation(openid(1), score=3),
        operation(openid(2), segments=["长" * 30]),
        operation(openid(3), segments=["a"]),
    ]
    outcomes = accounts.write("tag", rows)
    assert [(o.status, o.code) for o in outcomes] == [
        (OutcomeStatus.INVALID, "value_not_a_tag"), (OutcomeStatus.INVALID, "value_not_a_tag"), ACCEPTED
    ]  # fmt: skip
    assert "score is a number" in outcomes[0].message.lower()


def test_read_back_gives_what_the_platform_holds(tmp_path: Path) -> None:
    with rig(tmp_path, TinyChain(followers=12), list_page=5) as accounts:
        accounts.sim.act("tags_by_hand", name="会员日", openid=openid(1))
        accounts.write("tag", [operation(openid(n), segments=["a"] if n % 2 else ["a", "b"]) for n in range(1, 13)])
        accounts.sim.db.execute("DELETE FROM tagged WHERE openid = ?", openid(3))
        with accounts.destination() as destination:
            found = {row.key: row.values["tags"] for row in destination.read_back(destination.targets()[0])}
    assert found == {
        openid(n): ["CDP·a"] if n % 2 else ["CDP·a", "CDP·b"] for n in range(1, 13) if n != 3
    }  # fmt: skip


def test_a_mini_program_has_no_tags(accounts: Rig) -> None:
    with accounts.destination("miniprogram") as destination:
        assert [target.name for target in destination.targets()] == ["subscribe_message"]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"segments": ["a", "b"], "level": "gold"}, {"a", "b", "gold"}),
        ({"loyal": True, "lost": False, "none": None, "empty": ""}, {"loyal"}),
        ({}, set()),
    ],
)
def test_values_become_tags(values: dict[str, Any], wanted: set[str]) -> None:
    assert wanted_tags(values) == wanted


@given(st.lists(st.dictionaries(st.integers(1, 5), st.sets(st.sampled_from("abc"))), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_pushed_the_account_holds_the_last_wish(accounts: Rig, pushes: list[dict[int, set[str]]]) -> None:
    accounts.sim.db.execute("DELETE FROM tagged")
    wanted: dict[str, list[str]] = {}
    for rows in pushes:
        outcomes = accounts.write("tag", [operation(openid(n), segments=sorted(names)) for n, names in rows.items()])
        assert {outcome.status for outcome in outcomes} <= {OutcomeStatus.ACCEPTED, OutcomeStatus.UNCHANGED}
        wanted |= {openid(n): [f"CDP·{name}" for name in sorted(names)] for n, names in rows.items()}
    assert accounts.tags() == {key: names for key, names in wanted.items() if names}
