"""Whose of the people on one phone somebody is who does not give a full name."""

from __future__ import annotations

import pytest
from identity_frames import AT, groups, identifiers, phone, profiles

import identity


def resolved(*people: dict[str, object]) -> identity.Resolution:
    links = identifiers(*((str(one["profile"]), "phone", phone(1)) for one in people))
    return identity.resolve(profiles(*people), links, at=AT)


def on_one_phone(*people: dict[str, object]) -> set[frozenset[str]]:
    return groups(resolved(*people).memberships)


def said(profile: str, name: str | None = None, birthday: str | None = None) -> dict[str, object]:
    return {"profile": profile, "name": name, "birthday": birthday}


def test_a_title_that_fits_the_only_name_speaks_for_nobody_else() -> None:
    assert len(on_one_phone(said("pos:1", "王芳"), said("yz:1", "王女士"), said("wm:1"))) == 1


def test_a_title_that_does_not_fit_the_only_name_leaves_the_nameless_undecided() -> None:
    found = on_one_phone(said("pos:1", "王芳"), said("yz:1", "李先生"), said("wm:1"))
    assert found == {frozenset({"pos:1"}), frozenset({"yz:1"}), frozenset({"wm:1"})}


def test_two_titles_leave_the_nameless_undecided_each_for_itself() -> None:
    assert len(on_one_phone(said("pos:1", "王女士"), said("yz:1", "李先生"), said("wm:1"), said("wm:2"))) == 4


def test_one_title_alone_stands_for_all_who_give_no_name() -> None:
    assert len(on_one_phone(said("pos:1", "王女士"), said("yz:1", "王女士"), said("wm:1"), said("wm:2"))) == 1


@pytest.mark.parametrize(
    ("theirs", "together"),
    [
        (None, True),
        ("1990-05-17", True),
        ("--05-17", True),
        ("1991-05-17", True),  # a year is easily mistyped
        ("1990-06-20", True),  # a day of the lunar calendar is a month off
        ("--06-20", True),
        ("1961-03-02", False),
        ("--03-02", False),
        ("1990-05-25", False),
        ("1990-08-30", False),
    ],
)
def test_who_gives_no_name_on_a_familys_phone_is_told_apart_by_the_birthday(
    theirs: str | None, *, together: bool
) -> None:
    people = said("pos:1", "王芳", "1990-05-17"), said("pos:2", None, theirs)
    found = resolved(*people)
    assert (len(groups(found.memberships)) == 1) is together
    assert found.report.refused == ({} if together else {"birthdays_differ": 1})


def test_a_day_of_the_lunar_calendar_tells_nobody_apart() -> None:
    people = said("pos:1", "王芳", "1990-05-17"), {**said("pos:2", None, "1961-03-02"), "birthday_calendar": "lunar"}
    assert len(on_one_phone(*people)) == 1
    assured = [{**one, "name": "王芳", "birthday_assurance": "issued"} for one in people]
    assert len(on_one_phone(*assured)) == 1
    solar = [{**one, "birthday_calendar": "solar"} for one in assured]
    assert len(on_one_phone(*solar)) == 2


def test_a_second_login_on_a_typed_phone_is_not_assumed_to_be_the_same_person() -> None:
    ids = identifiers(
        ("pos:1", "phone", phone(1)),
        ("mini:1", "phone", phone(1)),
        ("mini:1", "unionid", "oAbc1", "brand"),
        ("mini:2", "phone", phone(1)),
        ("mini:2", "unionid", "oAbc2", "brand"),
    )
    found = identity.resolve(profiles("pos:1", "mini:1", "mini:2"), ids, at=AT)
    assert groups(found.memberships) == {frozenset({"pos:1", "mini:1"}), frozenset({"mini:2"})}
    assert found.report.refused == {"other_account": 1}


def test_a_second_login_whose_owner_proved_the_phone_is_the_same_person() -> None:
    ids = identifiers(
        ("mini:1", "phone", phone(1), "", "authorised"),
        ("mini:1", "unionid", "oAbc1", "brand"),
        ("mini:2", "phone", phone(1), "", "authorised"),
        ("mini:2", "unionid", "oAbc2", "brand"),
    )
    assert len(groups(identity.resolve(profiles("mini:1", "mini:2"), ids, at=AT).memberships)) == 1


def test_several_profiles_on_one_card_are_called_what_most_of_them_are() -> None:
    people = profiles(said("pos:1", "白芳"), said("pos:2", "王芳"), said("pos:3", "王芳"), said("yz:1", "王芳"))
    card = [(f"pos:{number}", "card_no", "88000001", "till") for number in (1, 2, 3)]
    links = identifiers(*card, ("pos:1", "phone", phone(1)), ("yz:1", "phone", phone(1)))
    assert len(groups(identity.resolve(people, links, at=AT).memberships)) == 1


def test_a_second_login_among_those_of_one_name_is_not_why_they_stay_apart() -> None:
    people = [
        said(key, name)
        for name, keys in {"李强": ("crm:1", "mini:2"), "王芳": ("mini:1", "pos:1", "yz:1")}.items()
        for key in keys
    ]
    logins = [("mini:1", "unionid", "oAbc1", "brand"), ("mini:2", "unionid", "oAbc2", "brand")]
    links = identifiers(*((str(one["profile"]), "phone", phone(1)) for one in people), *logins)
    found = identity.resolve(profiles(*people), links, at=AT)
    assert len(groups(found.memberships)) == 2
    assert found.report.refused == {"names_differ": 1}
