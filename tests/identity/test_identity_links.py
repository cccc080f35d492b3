"""From identifiers to links and composite evidence, beside plain loops that say the same."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping

import pyarrow as pa
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_frames import AT, phone
from phonenumbers import PhoneNumberFormat, PhoneNumberType, example_number_for_type, format_number

import identity
from identity.composites import compose
from identity.evidence import load_evidence, load_kinds
from identity.links import read_links
from identity.normalise.bulk import FUNCTIONS
from identity.rules import ASSURANCE_RANK, Composite, Kind, Rules
from identity.workspace import Workspace

GERMAN = format_number(example_number_for_type("DE", PhoneNumberType.MOBILE), PhoneNumberFormat.E164)
"""As long as a mainland mobile; the library's example, which is nobody's."""
PROFILES = ["p:1", "p:2", "p:3"]
RULES = Rules()
DAYS = [None, *(AT - dt.timedelta(days=days) for days in (1, 40, 400))]

row = st.fixed_dictionaries(
    {
        "profile": st.sampled_from([*PROFILES, "nobody:1"]),
        "kind": st.sampled_from(["phone", "phone_masked", "openid", "card_no", "email", "shoe_size"]),
        "value": st.sampled_from(
            [
                None,
                "",
                "无",
                "154 1000 0001",
                "15410000001",
                "154****0001",
                "oAbc1",
                " oAbc1",
                "C-001",
                "a@example.cn",
                "?",
            ]
        ),
        "scope": st.sampled_from([None, "", " ", "app", " app "]),
        "assurance": st.sampled_from([None, "issued", "typed_by_staff", "hearsay"]),
        "first_seen": st.sampled_from(DAYS),
        "last_seen": st.sampled_from(DAYS),
    }
)
again = row.map(lambda said: {**said, "profile": "p:1", "kind": "phone", "value": said["value"] and "15410000001"})
"""Rows of one profile and value, written in two ways at most."""
Link = dict[str, object]


def kinds(rules: Rules = RULES) -> pa.Table:
    with Workspace() as work:
        load_kinds(work, rules)
        return work.given("kind")


def told(rows: list[Link]) -> list[tuple]:
    """Rows that can be compared, whatever their order."""
    return sorted(tuple(sorted((name, str(value)) for name, value in one.items())) for one in rows)


def said_one_by_one(rows: list[Link]) -> tuple[list[Link], Counter[str]]:
    """What :func:`read_links` is to find."""
    links: dict[tuple, Link] = {}
    ignored: Counter[str] = Counter()
    for given_row in rows:
        kind = "phone" if given_row["kind"] == "phone_masked" else str(given_row["kind"])
        rule = next((known for known in RULES.kinds if known.name == kind), None)
        scope = str(given_row["scope"] or "").strip(" ")
        if rule is None:
            ignored["unknown_kind"] += 1
            continue
        normal = FUNCTIONS[str(rule.normaliser)](str(given_row["value"] or ""))
        if given_row["profile"] not in PROFILES:
            ignored["unknown_profile"] += 1
        elif normal.status in {"empty", "invalid"}:
            ignored[normal.status.value] += 1
        elif rule.scoped and not scope:
            ignored["unscoped"] += 1
        else:
            key = (given_row["profile"], kind, scope if rule.scoped else "", normal.value)
            found: Link = dict(zip(("profile", "kind", "scope", "value"), key, strict=True))
            merged = {**found, "status": normal.status.value, "place": PROFILES.index(str(given_row["profile"]))}
            links[key] = joined(links.get(key), {**merged, **facts(given_row)})
    return list(links.values()), ignored


def facts(given_row: Link) -> Link:
    return {
        "assurance": ASSURANCE_RANK.get(str(given_row["assurance"]), 1),
        "first_seen": given_row["first_seen"],
        "last_seen": given_row["last_seen"],
    }


def joined(one: Link | None, other: Link) -> Link:
    """Two rows of one profile and value: the best assurance, the whole time."""
    if one is None:
        return other
    best = {"assurance": max, "first_seen": min, "last_seen": max}
    known = {name: [row[name] for row in (one, other) if row[name] is not None] for name in best}
    return {**one, **{name: best[name](values) if values else None for name, values in known.items()}}


@settings(deadline=None, max_examples=examples(60))
@given(st.lists(st.one_of(row, again), max_size=25), st.integers(0, 25))
def test_links_are_what_a_loop_over_the_identifiers_finds(rows: list[Link], cut: int) -> None:
    parts = [pa.Table.from_pylist(part, schema=identity.IDENTIFIERS) for part in (rows[:cut], rows[cut:])]
    links, ignored = read_links(kinds(), pa.array(PROFILES), pa.concat_tables(parts))
    expected, left_out = said_one_by_one(rows)
    assert told(links.to_pylist()) == told(expected)
    assert ignored == dict(left_out)


def test_a_masked_number_is_of_no_known_kind_where_the_rules_have_no_phones() -> None:
    rules = Rules(kinds=tuple(kind for kind in RULES.kinds if kind.name != "phone"))
    table = pa.Table.from_pylist(
        [{"profile": "p:1", "kind": "phone_masked", "value": "154****0001"}], schema=identity.IDENTIFIERS
    )
    links, ignored = read_links(kinds(rules), pa.array(PROFILES), table)
    assert (links.num_rows, ignored) == (0, {"unknown_kind": 1})


def test_without_any_kind_every_identifier_is_of_an_unknown_one() -> None:
    table = pa.Table.from_pylist([{"profile": "p:1", "kind": "phone", "value": phone(1)}], schema=identity.IDENTIFIERS)
    links, ignored = read_links(kinds(Rules(kinds=())), pa.array(PROFILES), table)
    assert (links.num_rows, ignored) == (0, {"unknown_kind": 1})


def test_a_kind_with_a_normaliser_that_is_none_is_refused() -> None:
    with pytest.raises(identity.InvalidRulesError, match="unknown normaliser: shoe_size") as raised:
        Rules(kinds=(Kind(name="shoe_size", priority=1, normaliser="inches"),))  # type: ignore[arg-type]
    assert "phone, email, number, account" in str(raised.value.hint)


def composed(composite: Composite, *people: Mapping[str, object], ids: list[Link] | None = None) -> list[Link]:
    """The links of a composite that some profiles give."""
    profiles = pa.Table.from_pylist([dict(one) for one in people], schema=identity.PROFILES)
    with Workspace() as work:
        load_kinds(work, RULES)
        load_evidence(work, profiles, pa.Table.from_pylist(ids or [], schema=identity.IDENTIFIERS), RULES)
        found = work.given("new_link").to_pylist()
    return [link for link in found if link["kind"] == composite]


@pytest.mark.parametrize(
    ("address", "value"),
    [
        ("南京东路 100 号\t3 楼", "上海市 黄浦区 南京东路100号3楼 wang fang"),
        ("南京 1 号", "上海市 黄浦区 南京1号 wang fang"),
        ("南京路1号", None),
        ("南京东路的尽头", None),
        (None, None),
    ],
)
def test_a_name_and_an_address_with_a_house_number_are_evidence(address: str | None, value: str | None) -> None:
    person = {"profile": "p:1", "name": "王芳", "city": "上海市", "district": "黄浦区", "address": address}
    nowhere = {"profile": "p:2", "name": "李强"}
    nameless = {**person, "profile": "p:3", "name": None}
    found = composed(Composite.NAME_AND_ADDRESS, nowhere, person, nameless)
    assert [(link["profile"], link["value"]) for link in found] == ([("p:1", value)] if value else [])


def test_an_address_needs_neither_city_nor_district() -> None:
    people = [
        {"profile": "p:1", "name": "王芳", "district": "黄浦区", "address": "南京东路100号"},
        {"profile": "p:2", "name": "王芳", "address": "南京东路100号"},
    ]
    values = [link["value"] for link in composed(Composite.NAME_AND_ADDRESS, *people)]
    assert values == ["黄浦区 南京东路100号 wang fang", "南京东路100号 wang fang"]


@pytest.mark.parametrize(
    ("birthday", "calendar", "value"),
    [
        ("1990-05-17", None, "1990-05-17 wang fang"),
        ("05-17", None, None),
        ("1990-05-17", "lunar", None),
        (None, None, None),
    ],
)
def test_a_name_and_a_full_solar_birthday_are_evidence(
    birthday: str | None, calendar: str | None, value: str | None
) -> None:
    person = {"profile": "p:1", "name": "王芳", "birthday": birthday, "birthday_calendar": calendar}
    titled = {**person, "profile": "p:2", "name": "王女士"}
    found = composed(Composite.NAME_AND_BIRTHDAY, person, titled)
    assert [(link["profile"], link["value"]) for link in found] == ([("p:1", value)] if value else [])


def test_composite_evidence_is_as_sure_and_as_old_as_what_it_is_made_of() -> None:
    times = {"first_seen": AT - dt.timedelta(days=9), "last_seen": AT}
    sure = {"profile": "p:1", "name": "王芳", "birthday": "1990-05-17", "birthday_assurance": "authorised", **times}
    unsure = {**sure, "profile": "p:2", "birthday_assurance": "hearsay"}
    one, other = composed(Composite.NAME_AND_BIRTHDAY, sure, unsure)
    assert (one["assurance"], other["assurance"]) == (4, 1)
    assert {name: one[name] for name in times} == times
    (place,) = composed(Composite.NAME_AND_ADDRESS, {**sure, "address": "南京东路100号"})
    assert (place["assurance"], place["first_seen"], place["scope"], place["status"]) == (
        1,
        times["first_seen"],
        "",
        "key",
    )


@pytest.mark.parametrize("shown", [phone(1), "154****0001"])
def test_a_phone_and_its_mask_are_one_piece_of_evidence_together_with_a_name(shown: str) -> None:
    person = {"profile": "p:1", "name": "王芳"}
    ids = [{"profile": "p:1", "kind": "phone", "value": shown, "assurance": "issued"}]
    (found,) = composed(Composite.MASKED_PHONE_AND_NAME, person, {"profile": "p:2"}, ids=ids)
    assert (found["profile"], found["value"], found["assurance"]) == ("p:1", "154****0001 wang fang", 5)


def test_one_mask_of_several_phones_counts_once_with_all_that_is_known_of_them() -> None:
    first, last = AT - dt.timedelta(days=50), AT - dt.timedelta(days=5)
    ids = [
        {"profile": "p:1", "kind": "phone", "value": phone(1), "assurance": "typed_by_staff", "first_seen": first},
        {"profile": "p:1", "kind": "phone", "value": "154****0001", "assurance": "issued", "last_seen": last},
    ]
    (found,) = composed(Composite.MASKED_PHONE_AND_NAME, {"profile": "p:1", "name": "王芳"}, ids=ids)
    assert (found["assurance"], found["first_seen"], found["last_seen"]) == (5, first, last)


@pytest.mark.parametrize("value", [GERMAN, "021-12345678", "13800138000"])
def test_numbers_that_no_platform_masks_so_are_no_composite_evidence(value: str) -> None:
    ids = [{"profile": "p:1", "kind": "phone", "value": value}]
    assert composed(Composite.MASKED_PHONE_AND_NAME, {"profile": "p:1", "name": "王芳"}, ids=ids) == []


def test_composites_of_nobody_are_no_rows_of_the_right_shape() -> None:
    profiles = identity.SCHEMAS["profiles"].empty_table()
    links = identity.SCHEMAS["links"].append(pa.field("place", pa.int32())).empty_table()
    for composite in Composite:
        assert compose(composite, profiles, links).schema == identity.SCHEMAS["links"]
