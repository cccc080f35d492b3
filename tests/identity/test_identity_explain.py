"""Why two profiles are one, why two are not, and what people can do about it."""

from __future__ import annotations

import pyarrow as pa
import pytest
from identity_frames import AT, customers, identifiers, phone, profiles

import identity
from identity import Rules, State, Tier

PEOPLE = profiles(
    {"profile": "pos:1", "name": "王芳"},
    {"profile": "pos:2", "name": "李强"},
    "yz:1",
    "mini:1",
    {"profile": "wm:9", "name": "陈静"},
)
IDS = identifiers(
    ("pos:1", "phone", phone(1)),
    ("yz:1", "phone", phone(1), "", "authorised"),
    ("yz:1", "unionid", "oAbcdef1", "brand"),
    ("mini:1", "unionid", "oAbcdef1", "brand"),
    ("pos:2", "phone", phone(2)),
    ("pos:2", "phone", "13800138000"),
    ("wm:9", "phone", "13800138000"),
)
FAMILY = pa.concat_tables([IDS, identifiers(("pos:2", "phone", phone(1)))])


def state(ids: pa.Table = IDS, **options: object) -> State:
    return identity.resolve(PEOPLE, ids, at=AT, new_ids=identity.sequential_ids(), **options).state  # type: ignore[arg-type]


def test_together_is_explained_by_a_chain_of_evidence() -> None:
    found = identity.explain(state(), "pos:1", "mini:1")
    assert found.together
    assert [(reason.left, reason.right, reason.kind) for reason in found.reasons] == [
        ("pos:1", "yz:1", "phone"),
        ("yz:1", "mini:1", "unionid"),
    ]
    assert found.words("en").splitlines() == [
        "pos:1 and mini:1 are one customer (c1):",
        "- pos:1 and yz:1 share the phone 154****0001",
        "- yz:1 and mini:1 share the WeChat unionid oAb***f1",
    ]
    assert found.words().splitlines()[1] == "- pos:1 与 yz:1 的手机号相同：154****0001"


def test_apart_is_explained_by_the_rule_that_refused() -> None:
    found = identity.explain(state(FAMILY), "pos:2", "pos:1")
    assert not found.together
    assert "the phone 154****0001 spoke for joining pos:1 and pos:2, but the names differ" in found.words("en")


def test_sharing_a_value_with_several_people_is_said_to_be_so() -> None:
    text = identity.explain(state(FAMILY), "pos:2", "mini:1").words("en")
    assert "the phone 154****0001 spoke for joining pos:2 and yz:1, but several people share it" in text


def test_apart_is_explained_by_the_value_that_says_nothing() -> None:
    text = identity.explain(state(), "pos:2", "wm:9").words("en")
    assert "both carry the phone 138****8000, which says nothing about a person: a placeholder" in text


def test_the_owners_own_limit_on_a_kind_is_told_with_the_values_that_clash() -> None:
    people = profiles({"profile": "pos:1", "name": "王芳"}, {"profile": "yz:1", "name": "王芳"})
    ids = identifiers(
        ("pos:1", "phone", phone(1)),
        ("yz:1", "phone", phone(1)),
        ("pos:1", "card_no", "88000001", "till"),
        ("yz:1", "card_no", "88000002", "till"),
    )
    rules = Rules().with_kind("card_no", per_customer=1)
    found = identity.resolve(people, ids, rules=rules, at=AT, new_ids=identity.sequential_ids()).state
    told = identity.explain(found, "pos:1", "yz:1", kinds=rules.kinds)
    assert [(one.kind, one.rule) for one in told.reasons] == [("phone", "limit"), ("phone_mask+name", "contradicted")]
    assert [[clash.kind for clash in one.clashes] for one in told.reasons] == [["card_no"], ["card_no"]]
    assert "different card number: 880***01 on one side, 880***02 on the other" in told.words("en", detailed=True)


def test_two_numbers_whose_visible_digits_are_the_same_are_said_to_differ_in_the_others() -> None:
    people = profiles({"profile": "pos:1", "name": "王芳"}, {"profile": "yz:1", "name": "王芳"})
    ids = identifiers(("pos:1", "phone", "15410000001"), ("yz:1", "phone", "15420000001"))
    found = identity.resolve(people, ids, at=AT, new_ids=identity.sequential_ids()).state
    told = identity.explain(found, "pos:1", "yz:1")
    assert [(one.kind, one.rule) for one in told.reasons] == [("phone_mask+name", "contradicted")]
    said = "different phone: both look like 154****0001, and differ in what is hidden here"
    assert said in told.words("en", detailed=True)
    assert "手机号不同：双方都显示为 154****0001，差别在隐去的部分" in told.words("zh", detailed=True)


def test_a_kind_of_ones_own_that_is_a_contact_tells_how_the_names_go_together() -> None:
    people = profiles({"profile": "pos:1", "name": "王芳"}, {"profile": "yz:1", "name": "王芳"})
    ids = identifiers(("pos:1", "custom", "desk-7", "shop"), ("yz:1", "custom", "desk-7", "shop"))
    rules = Rules().with_kind("custom", tier=Tier.CONTACT)
    found = identity.resolve(people, ids, rules=rules, at=AT, new_ids=identity.sequential_ids()).state
    (reason,) = identity.explain(found, "pos:1", "yz:1", kinds=rules.kinds).reasons
    assert (reason.kind, reason.agreement) == ("custom", "same_name")


def test_apart_without_any_evidence_is_said_to_be_so() -> None:
    assert "没有任何证据" in identity.explain(state(), "pos:1", "wm:9").words("zh")


def test_a_persons_decision_is_explained_with_the_reason_given() -> None:
    apart = identity.unmerge(["mini:1"], ["pos:1", "yz:1"], actor="li", reason="mother and daughter", at=AT)
    text = identity.explain(state(constraints=apart), "pos:1", "mini:1").words("en")
    assert "a person said that mini:1 and pos:1 are not one (mother and daughter)" in text
    joined = identity.merge(["pos:1", "wm:9"], actor="li", reason="changed her name", at=AT)
    text = identity.explain(state(constraints=joined), "wm:9", "mini:1").words("en")
    assert "a person said that wm:9 and pos:1 are one (changed her name)" in text


def test_no_explanation_shows_a_whole_value() -> None:
    for ids in (IDS, FAMILY):
        for other in ("pos:2", "yz:1", "mini:1", "wm:9"):
            for language in ("zh", "en"):
                text = identity.explain(state(ids), "pos:1", other).words(language)
                assert phone(1) not in text
                assert "oAbcdef1" not in text


def test_unmerge_and_its_withdrawal_restore_the_ids() -> None:
    first = state()
    apart = identity.unmerge(["mini:1"], ["pos:1", "yz:1"], actor="li", reason="not her", at=AT)
    options = {"at": AT, "new_ids": identity.sequential_ids("n")}
    parted = identity.resolve(PEOPLE, IDS, previous=first, constraints=apart, **options)
    assert customers(parted.memberships)["mini:1"] != customers(parted.memberships)["pos:1"]
    back = identity.resolve(PEOPLE, IDS, previous=parted.state, constraints=apart.slice(0, 0), **options)
    assert customers(back.memberships) == customers(first.memberships)


def test_a_preview_tells_what_other_rules_would_do_and_changes_nothing() -> None:
    before = state()
    seen = identity.preview(PEOPLE, IDS, previous=before, rules=Rules(blocked={"phone": frozenset({phone(1)})}), at=AT)
    assert seen.counts == {"split": 1}
    assert seen.profiles_moved == 1
    assert identity.resolve(PEOPLE, IDS, at=AT, previous=before).events.num_rows == 0


def test_malformed_questions_are_refused() -> None:
    with pytest.raises(identity.UnknownCustomerError):
        identity.explain(state(), "pos:1", "nobody:1")
    with pytest.raises(ValueError, match="language"):
        identity.explain(state(), "pos:1", "pos:2").words("fr")
    with pytest.raises(identity.InvalidInputError, match="two profiles"):
        identity.merge(["pos:1"], actor="li", reason="", at=AT)
    with pytest.raises(identity.InvalidInputError, match="two sides"):
        identity.unmerge(["pos:1"], ["pos:1"], actor="li", reason="", at=AT)
