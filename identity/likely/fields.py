"""What a link model compares, and how near counts as near."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Compare", "Field", "comparisons", "prepared_columns"]


class Compare(StrEnum):
    """How two values of a field are compared, from equal to different."""

    NAME = "name"
    """Given or family names: equal, typing error (Jaro–Winkler ≥ 0.92, ≥ 0.8)."""
    TEXT = "text"
    """Longer texts such as addresses: equal, Jaro–Winkler ≥ 0.92, ≥ 0.8."""
    DATE = "date"
    """Dates written with digits only: equal, two digits swapped or one wrong, two wrong."""
    CODE = "code"
    """Short codes such as a postcode or a house number: equal, one character wrong."""
    EXACT = "exact"
    """Equal or not."""
    HAN_NAME = "han_name"
    """A Chinese name beside its pinyin (``sounds``) and its surname: equal, same sound (homophones), nearly the same sound."""
    BIRTHDAY = "birthday"
    """``1990-05-17`` or ``--05-17``: equal, same day of the year, one digit wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column of the records.

    Attributes:
        name: the column.
        compare: how values are compared.
        swaps_with: another NAME field that people confuse with this one (given name and surname).
        sounds: the column with a HAN_NAME's pinyin.
        frequent: whether agreeing on a frequent value says less; frequencies are those of the records at hand, so that a
            model that uses them weighs a pair differently in other company.
    """

    name: str
    compare: Compare
    swaps_with: str | None = None
    sounds: str | None = None
    frequent: bool = False


_JARO = (0.92, 0.8)


def comparisons(fields: tuple[Field, ...]) -> list[dict[str, Any]]:
    """The fields as comparisons of a Splink settings dictionary."""
    return [_comparison(field) for field in fields]


def prepared_columns(fields: tuple[Field, ...]) -> list[str]:
    """Columns a table of records must have."""
    return [name for field in fields for name in (field.name, field.sounds) if name]


def _comparison(field: Field) -> dict[str, Any]:
    left, right = f'"{field.name}_l"', f'"{field.name}_r"'
    levels: list[dict[str, Any]] = [
        {"sql_condition": f"{left} IS NULL OR {right} IS NULL", "label_for_charts": "missing", "is_null_level": True}
    ]
    exact: dict[str, Any] = {"sql_condition": f"{left} = {right}", "label_for_charts": "equal"}
    if field.frequent:
        exact |= {"tf_adjustment_column": field.name, "tf_adjustment_weight": 1.0, "tf_minimum_u_value": 0.0001}
    levels.append(exact)
    if field.swaps_with:
        other = field.swaps_with
        levels.append(
            {"sql_condition": f'{left} = "{other}_r" OR "{other}_l" = {right}', "label_for_charts": "swapped"}
        )
    levels += [{"sql_condition": sql, "label_for_charts": label} for sql, label in _near(field, left, right)]
    levels.append({"sql_condition": "ELSE", "label_for_charts": "different"})
    return {"output_column_name": field.name, "comparison_levels": levels}


def _near(field: Field, left: str, right: str) -> list[tuple[str, str]]:
    if field.compare in {Compare.NAME, Compare.TEXT}:
        return [
            (f"jaro_winkler_similarity({left}, {right}) >= {least}", label)
            for least, label in zip(_JARO, ("nearly equal", "similar"), strict=True)
        ]
    if field.compare is Compare.DATE:
        distance = f"damerau_levenshtein({left}, {right})"
        return [(f"{distance} <= 1", "one slip"), (f"{distance} <= 2", "two slips")]
    if field.compare is Compare.CODE:
        return [(f"damerau_levenshtein({left}, {right}) <= 1", "one slip")]
    if field.compare is Compare.BIRTHDAY:
        same_day = f"right({left}, 5) = right({right}, 5)"
        return [(same_day, "same day of the year"), (f"damerau_levenshtein({left}, {right}) <= 1", "one slip")]
    if field.compare is Compare.HAN_NAME:
        one, other = f'"{field.sounds}_l"', f'"{field.sounds}_r"'
        near = f"jaro_winkler_similarity({one}, {other}) >= 0.95"
        return [(f"{one} = {other}", "same sound"), (near, "nearly the same sound")]
    return []
