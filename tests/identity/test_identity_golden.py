"""One record per customer: what holds, where it came from, what it beat."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
from identity_frames import AT, phone

import identity
from identity import State

DAY = dt.timedelta(days=1)


def state(people: list[dict[str, object]], ids: list[dict[str, object]]) -> State:
    seen = {"first_seen": AT - 10 * DAY, "last_seen": AT - 9 * DAY}
    given = [{**seen, **row} for row in ids]
    resolution = identity.resolve(
        pa.Table.from_pylist([{**seen, **row} for row in people], schema=identity.PROFILES),
        pa.Table.from_pylist(given, schema=identity.IDENTIFIERS),
        at=AT,
        new_ids=identity.sequential_ids(),
    )
    return resolution.state


def card(*profiles: str) -> list[dict[str, object]]:
    return [{"profile": one, "kind": "card_no", "value": "A001", "scope": "chain"} for one in profiles]


def a_phone(profile: str, number: int, **more: object) -> dict[str, object]:
    return {"profile": profile, "kind": "phone", "value": phone(number), **more}


def chosen(found: State) -> dict[str, str]:
    rows = identity.golden_records(found).fields.to_pylist()
    return {row["field"]: row["value"] for row in rows if row["place"] == 1 and row["customer"] == "c1"}


def test_the_most_frequent_name_holds_and_the_others_are_kept() -> None:
    people = [
        {"profile": "a", "name": "王芳"},
        {"profile": "b", "name": "王女士"},
        {"profile": "c", "name": "王芳"},
        {"profile": "d", "name": "王小芳", "last_seen": AT},
    ]
    found = state(people, card("a", "b", "c", "d"))
    assert chosen(found) == {"name": "王芳", "salutation": "王女士", "gender": "female"}
    names = [row for row in identity.golden_records(found).fields.to_pylist() if row["field"] == "name"]
    assert [(row["place"], row["value"], row["profile"]) for row in names] == [
        (1, "王芳", "a"),
        (2, "王芳", "c"),
        (3, "王小芳", "d"),
    ]


def test_an_assured_birthday_beats_a_typed_one_and_a_full_date_a_part() -> None:
    people = [
        {"profile": "a", "birthday": "1990-05-17", "birthday_assurance": "typed_by_customer"},
        {"profile": "b", "birthday": "--05-18", "birthday_assurance": "authorised"},
        {"profile": "c", "birthday": "1990-05-18", "birthday_assurance": "authorised"},
    ]
    assert chosen(state(people, card("a", "b", "c")))["birthday"] == "1990-05-18"


def test_what_people_declare_beats_what_a_title_suggests() -> None:
    people = [{"profile": "a", "name": "王先生"}, {"profile": "b", "gender": "female"}]
    assert chosen(state(people, card("a", "b")))["gender"] == "female"


def test_an_address_comes_whole_from_one_profile() -> None:
    people = [
        {"profile": "a", "province": "浙江省", "city": "杭州市", "district": "西湖区", "address": "样板街1号"},
        {"profile": "b", "province": "江苏省", "city": "南京市", "last_seen": AT},
    ]
    found = chosen(state(people, card("a", "b")))
    assert found == {"province": "浙江省", "city": "杭州市", "district": "西湖区", "address": "样板街1号"}


def contacts(found: State) -> dict[tuple[str, str], tuple[str, bool]]:
    rows = identity.golden_records(found).contacts.to_pylist()
    return {(row["customer"], row["value"][-1]): (row["state"], row["primary"]) for row in rows}


def test_the_primary_phone_is_a_confirmed_one_of_the_customers_own() -> None:
    ids = [
        *card("a"),
        a_phone("a", 1, last_seen=AT),
        a_phone("a", 2, assurance="authorised"),
        a_phone("a", 3, assurance="authorised"),
        a_phone("b", 3),
    ]
    people = [{"profile": "a", "name": "王芳"}, {"profile": "b", "name": "李强"}]
    assert contacts(state(people, ids)) == {
        ("c1", "1"): ("usable", False),
        ("c1", "2"): ("usable", True),
        ("c1", "3"): ("shared", False),
        ("c2", "3"): ("shared", False),
    }


def test_a_number_that_went_to_somebody_else_is_recycled_for_its_old_owner() -> None:
    ids = [a_phone("a", 1, first_seen=AT - 900 * DAY, last_seen=AT - 800 * DAY), a_phone("b", 1)]
    people = [{"profile": "a", "name": "王芳"}, {"profile": "b", "name": "李强"}]
    assert contacts(state(people, ids)) == {("c1", "1"): ("recycled", False), ("c2", "1"): ("usable", True)}


def test_records_of_some_customers_equal_those_of_all() -> None:
    ids = [*card("a", "b"), a_phone("a", 1), a_phone("c", 1), a_phone("d", 2)]
    people = [
        {"profile": "a", "name": "王芳"},
        {"profile": "b"},
        {"profile": "c", "name": "李强"},
        {"profile": "d", "name": "陈静"},
    ]
    found = state(people, ids)
    whole, part = identity.golden_records(found), identity.golden_records(found, ["c1"])
    for all_rows, some in ((whole.fields, part.fields), (whole.contacts, part.contacts)):
        assert some.to_pylist() == [row for row in all_rows.to_pylist() if row["customer"] == "c1"]


def test_the_owner_s_order_of_sources_comes_before_frequency_and_never_before_assurance() -> None:
    people = [
        {"profile": "pos:1", "name": "王芳", "birthday": "1990-05-17", "birthday_assurance": "typed_by_staff"},
        {"profile": "wm:1", "name": "王方", "birthday": "1990-05-18", "birthday_assurance": "authorised"},
        {"profile": "wm:2", "name": "王方", "last_seen": AT},
    ]
    found = state(people, card("pos:1", "wm:1", "wm:2"))
    held = {
        row["field"]: row["value"]
        for row in identity.golden_records(found, sources=["pos"]).fields.to_pylist()
        if row["place"] == 1
    }
    assert (held["name"], held["birthday"]) == ("王芳", "1990-05-18")


def test_a_bounce_holds_until_the_contact_is_seen_again_and_an_opt_out_for_the_whole_customer() -> None:
    ids = [*card("a", "b"), a_phone("a", 1), a_phone("b", 2), a_phone("c", 3)]
    found = state([{"profile": "a", "name": "王芳"}, {"profile": "b"}, {"profile": "c", "name": "李强"}], ids)

    def states(*reports: dict[str, object]) -> dict[tuple[str, str], tuple[str, bool]]:
        reported = pa.Table.from_pylist(list(reports), schema=identity.REPORTED)
        rows = identity.golden_records(found, reported=reported).contacts.to_pylist()
        return {(row["customer"], row["value"][-1]): (row["state"], row["primary"]) for row in rows}

    number = {"profile": "a", "kind": "phone", "value": f"+86{phone(1)}"}
    assert states({**number, "state": "bounced", "at": AT})[("c1", "1")] == ("bounced", False)
    assert states({**number, "state": "bounced", "at": AT - 20 * DAY})[("c1", "1")][0] == "usable"
    out = states({"profile": "b", "state": "opted_out", "at": AT})
    assert [out[key][0] for key in sorted(out)] == ["opted_out", "opted_out", "usable"]
