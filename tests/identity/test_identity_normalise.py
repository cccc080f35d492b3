"""Two spellings of one thing become equal; what is no identifier does not pass for one."""

from __future__ import annotations

import pyarrow as pa
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from identity import normalise
from identity.normalise import NameKind, Status, bulk
from identity.normalise.bulk import FUNCTIONS, STATUSES, birthdays, names, normal_values
from identity.normalise.dates import PLACEHOLDER_DATES


@pytest.mark.parametrize(
    "raw",
    [
        "15410000001",
        "+8615410000001",
        "86 154 1000 0001",
        "0086-154-1000-0001",
        "'15410000001",
        "１５４１００００００１",
        "015410000001",
    ],
)
def test_a_mobile_number_has_one_form_however_it_is_written(raw: str) -> None:
    assert normalise.phone(raw) == normalise.Normal("+8615410000001", Status.KEY)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ("154****0001", Status.MASKED),
        ("+86 154****0001", Status.MASKED),
        ("021-12345678", Status.LANDLINE),
        ("400-800-1234", Status.LANDLINE),
        ("15400000000", Status.BLOCKED),
        ("15412345678", Status.BLOCKED),
        ("15444444444", Status.BLOCKED),
        ("", Status.EMPTY),
        ("-", Status.EMPTY),
        ("null", Status.EMPTY),
        ("未知", Status.EMPTY),
        ("1541000000", Status.INVALID),
        ("my phone", Status.INVALID),
    ],
)
def test_what_is_no_personal_number_is_no_key(raw: str, status: Status) -> None:
    assert normalise.phone(raw).status is status


def test_a_mask_keeps_its_pattern_and_a_full_number_knows_its_mask() -> None:
    assert normalise.phone("154****0001").value == normalise.mask_of("+8615410000001") == "154****0001"
    assert normalise.national("+8615410000001") == "15410000001"


def test_account_ids_keep_their_case_and_card_numbers_their_zeros() -> None:
    assert normalise.account(" oAbC-1_x ").value == "oAbC-1_x"
    assert normalise.number("00-12 ab").value == "0012AB"
    assert normalise.email("Wang.Fang＠Example.COM").value == "wang.fang@example.com"
    assert normalise.email("test@example.com").status is Status.BLOCKED


@pytest.mark.parametrize(
    ("raw", "kind", "sound"),
    [
        ("王芳", NameKind.FULL, "wang fang"),
        ("歐陽麗華", NameKind.FULL, "ou yang li hua"),
        ("单晗", NameKind.FULL, "shan han"),
        ("单涵", NameKind.FULL, "shan han"),
        ("王女士", NameKind.TITLE, None),
        ("小李", NameKind.TITLE, None),
        ("张姐3号店", NameKind.NICKNAME, None),
        ("AA建材批发", NameKind.NICKNAME, None),
        ("微信用户", NameKind.NONE, None),
        ("-", NameKind.NONE, None),
    ],
)
def test_names_say_how_much_they_say(raw: str, kind: NameKind, sound: str | None) -> None:
    found = normalise.name(raw)
    assert (found.kind, found.sound) == (kind, sound)


def test_a_title_knows_surname_and_gender() -> None:
    found = normalise.name("欧阳先生")
    assert (found.surname, found.gender) == ("ou yang", "male")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("1990-05-17", "1990-05-17"),
        ("1990年5月17日", "1990-05-17"),
        ("19900517", "1990-05-17"),
        ("1990/5/17 00:00:00", "1990-05-17"),
        ("5-17", "--05-17"),
        ("--05-17", "--05-17"),
        ("0000-05-17", "--05-17"),
        ("1990-02-30", None),
        ("1900-01-01", None),
        ("soon", None),
    ],
)
def test_birthdays_have_one_form(raw: str, value: str | None) -> None:
    assert normalise.birthday(raw).value == value


def test_a_lunar_birthday_agrees_with_its_solar_day() -> None:
    lunar = normalise.birthday("农历1990-8-15")
    assert lunar.lunar
    assert normalise.birthdays_agree(lunar, normalise.birthday("1990-10-03")) is True
    assert normalise.birthdays_agree(normalise.birthday("1990-08-15"), normalise.birthday("1990-10-03")) is None
    assert normalise.birthdays_agree(normalise.birthday("1990-08-15"), normalise.birthday("1991-02-03")) is False
    assert normalise.birthdays_agree(normalise.birthday("1990-08-15"), normalise.birthday("08-15")) is True


NOISE = st.text(alphabet=" \t-_.()'+*０１５４0123456789abcXYZ@.王女士oU\u200b\u3000null", max_size=24)
NUMBERS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "+86", "86", "0086", " ", "'", "+86 ", "+852 "]),
    st.sampled_from(["154", "021", "1", "９1"]),
    st.from_regex(r"[0-9]{0,9}", fullmatch=True),
    st.sampled_from(["", " ", "\n", "x"]),
)


WORDS = st.sampled_from(["NULL", "None", "N/A", "TEST", "Undefined", "无", "0-0"])


@settings(deadline=None, max_examples=examples(15))
@given(st.lists(st.one_of(NOISE, NUMBERS, WORDS), min_size=25, max_size=80))
def test_columns_and_single_values_are_normalised_alike(raw: list[str]) -> None:
    cases = [(which, text) for which in FUNCTIONS for text in raw]
    half = len(cases) // 3
    which, raw = (pa.chunked_array([column[:half], column[half:]], pa.string()) for column in zip(*cases, strict=True))
    values, statuses = normal_values(which, raw)
    found = zip(values.to_pylist(), STATUSES.take(pa.array(statuses)).to_pylist(), strict=True)
    for (name, text), answer in zip(cases, found, strict=True):
        assert answer == (FUNCTIONS[name](text).value, FUNCTIONS[name](text).status.value), (name, text)


def test_a_value_that_is_not_there_is_empty() -> None:
    which = pa.chunked_array([["phone", "account"], ["email", "number"]])
    values, statuses = normal_values(which, pa.chunked_array([pa.nulls(4, pa.string())]))
    assert values.to_pylist() == [None] * 4
    assert STATUSES.take(pa.array(statuses)).to_pylist() == ["empty"] * 4


def test_columns_too_long_for_one_piece_are_normalised_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "_FEW", 1)
    which = pa.chunked_array([["phone"], ["account", "phone", "email"]])
    raw = pa.chunked_array([["154 1000 0001", "oAbc1"], [None, "Fang@EXAMPLE.CN"]], pa.string())
    values, statuses = normal_values(which, raw)
    assert values.to_pylist() == ["+8615410000001", "oAbc1", None, "fang@example.cn"]
    assert STATUSES.take(pa.array(statuses)).to_pylist() == ["key", "key", "empty", "key"]


def test_columns_without_rows_have_no_values() -> None:
    nothing = pa.chunked_array([], pa.string())
    values, statuses = normal_values(nothing, nothing)
    assert (len(values), values.type, len(statuses)) == (0, pa.string(), 0)


@given(st.one_of(NOISE, NUMBERS))
def test_normalising_twice_changes_nothing(raw: str) -> None:
    for function in FUNCTIONS.values():
        once = function(raw)
        if once.value is not None:
            assert function(once.value) == once


def test_columns_of_names_and_birthdays_keep_their_rows() -> None:
    taken = names(pa.chunked_array([pa.array(["王芳", None, "李先生", "王芳"])]))
    assert taken["sound"].to_pylist() == ["wang fang", None, None, "wang fang"]
    assert taken["title_gender"].to_pylist() == [None, None, "male", None]
    dates = birthdays(
        pa.chunked_array([pa.array(["1990-05-17", None, "1990-08-15"])]),
        pa.chunked_array([pa.array([None, None, "lunar"])]),
        PLACEHOLDER_DATES,
    )
    assert dates.to_pylist() == [
        {"birthday": "1990-05-17", "lunar": False},
        {"birthday": None, "lunar": False},
        {"birthday": "1990-08-15", "lunar": True},
    ]
