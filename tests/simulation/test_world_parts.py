"""The small parts the world is put together from."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.simulation.world.arrays import NOBODY, rank_within, spread
from hub.simulation.world.lunar import lunar_month_day, solar_date
from hub.simulation.world.names import draw_names, full_names, homophone, honorifics, nicknames
from hub.simulation.world.phones import DEFAULT_PHONE, FORMATS, phone_text
from hub.simulation.world.seeds import Part, permute, permute_below, stream
from hub.simulation.world.text import fixed, label, numbers


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**64 - 1), st.integers(2, 5_000))
def test_scrambling_row_numbers_never_gives_the_same_code_twice(key, limit):
    codes = permute_below(np.arange(limit), limit, key)
    assert sorted(codes.tolist()) == list(range(limit))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**64 - 1))
def test_a_permutation_of_few_bits_stays_within_them(key):
    assert sorted(permute(np.arange(256), 8, key).tolist()) == list(range(256))


def test_streams_differ_by_part_and_address_and_repeat_by_themselves():
    draws = {
        tuple(stream(seed, part, *address).integers(0, 2**40, 4).tolist())
        for seed in (1, 2)
        for part in (Part.PEOPLE, Part.VISITS)
        for address in ((), (0,), (1,), (0, 1))
    }
    assert len(draws) == 16
    assert stream(1, Part.PEOPLE, 3).random() == stream(1, Part.PEOPLE, 3).random()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.lists(st.integers(0, 500), min_size=1, max_size=5)), max_size=20))
def test_shares_add_up_to_the_total_and_are_fair_to_a_fen(groups):
    totals = np.array([total if sum(weights) else 0 for total, weights in groups], np.int64)
    group = np.array([place for place, (_, weights) in enumerate(groups) for _ in weights], np.int64)
    weights = np.array([weight for _, weights in groups for weight in weights], np.int64)
    parts = spread(totals, weights, group)
    assert np.bincount(group, weights=parts, minlength=len(totals)).tolist() == totals.tolist()
    sums = np.bincount(group, weights=weights, minlength=len(totals))
    assert np.all(np.abs(parts - totals[group] * weights / np.maximum(sums[group], 1)) <= 1)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(-3, 3)))
def test_rank_within_counts_earlier_rows_of_the_same_group(groups):
    expected = [groups[:place].count(value) for place, value in enumerate(groups)]
    assert rank_within(np.array(groups, np.int64)).tolist() == expected


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 10**18 - 1)))
def test_numbers_are_written_with_all_their_digits(values):
    text = fixed(b"<", numbers(np.array(values, np.int64), 18), b">")
    assert text.to_pylist() == [f"<{value:018d}>" for value in values]


def test_labels_turn_negative_codes_into_nulls():
    column = label(("a", "b"), np.array([1, NOBODY, 0]))
    assert column.to_pylist() == ["b", None, "a"]
    assert pa.types.is_dictionary(column.type)


@pytest.mark.parametrize(
    ("lunar", "solar"),
    [
        ((2024, 1, 1), date(2024, 2, 10)),
        ((2025, 7, 7), date(2025, 8, 29)),
        ((2025, 8, 15), date(2025, 10, 6)),
        ((2023, 7, 7), date(2023, 8, 22)),  # after the leap second month of 2023
        ((2033, 8, 15), date(2033, 9, 8)),
    ],
)
def test_festivals_of_the_chinese_calendar_fall_on_their_published_dates(lunar, solar):
    assert solar_date(*lunar) == solar
    month, day = lunar_month_day(np.array([(solar - date(1970, 1, 1)).days]))
    assert (int(month[0]), int(day[0])) == lunar[1:]


def test_a_year_outside_the_lunar_table_is_refused():
    with pytest.raises(ValueError, match="1940 to 2040"):
        solar_date(2041, 1, 1)


def test_every_way_to_write_a_phone_holds_the_same_eleven_digits():
    phone = np.full(len(FORMATS), DEFAULT_PHONE + 12_345_678)
    written = phone_text(phone, np.arange(len(FORMATS)), np.zeros(len(FORMATS), bool)).to_pylist()
    assert written == [
        "15412345678",
        "+8615412345678",
        "8615412345678",
        "008615412345678",
        "154 1234 5678",
        "154-1234-5678",
        "１５４１２３４５６７８",
        "'15412345678",
    ]


def test_masked_and_missing_phones():
    phone = np.array([DEFAULT_PHONE + 12_345_678, NOBODY])
    assert phone_text(phone, np.array([3, 0]), np.array([True, True])).to_pylist() == ["154****5678", None]


def test_names_are_two_to_four_characters_and_fit_their_variants():
    gender = np.repeat([1, 2], 500)
    surname, given_name, second = draw_names(stream(1, Part.PEOPLE), gender)
    names = full_names(surname, given_name, second).to_pylist()
    assert {len(name) for name in names} == {2, 3, 4}
    traditional = full_names(surname, given_name, second, traditional=True).to_pylist()
    assert [len(name) for name in traditional] == [len(name) for name in names]
    assert traditional != names
    again = homophone(homophone(np.array([NOBODY])))
    assert again.tolist() == [NOBODY]


def test_honorifics_keep_the_surname_and_tell_the_gender():
    surname = np.zeros(2, np.int64)
    polite = honorifics(surname, np.array([1, 2]), np.array([1, 1])).to_pylist()
    assert polite == ["王先生", "王女士"]
    assert honorifics(surname[:1], np.array([2]), np.array([0])).to_pylist() == ["小王"]


def test_some_nicknames_hold_characters_of_four_bytes():
    texts = nicknames(np.arange(200)).to_pylist()
    assert any(ord(character) > 0xFFFF for text in texts for character in text)
    assert all(texts)
