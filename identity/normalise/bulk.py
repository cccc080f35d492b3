"""Whole columns at once: the shapes nearly all values have by pattern, the rest through the functions for one value.

The patterns accept only what they surely treat like the functions do; everything else is made distinct first and normalised
in Python, so both ways give the same answer for every input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from identity.normalise import contacts, phones
from identity.normalise.dates import birthday
from identity.normalise.people import name
from identity.normalise.text import NOTHING_PATTERN, Normal, Status

__all__ = ["FUNCTIONS", "STATUSES", "birthdays", "names", "normal_values"]

FUNCTIONS: Mapping[str, Callable[[str], Normal]] = {
    "phone": phones.phone,
    "email": contacts.email,
    "number": contacts.number,
    "account": contacts.account,
}
"""The normaliser of one value, by the name rules use."""

STATUSES = pa.array([status.value for status in Status])
"""What a value may be, by code."""

_CODES = {status: code for code, status in enumerate(Status)}
_KEY, _BLOCKED, _EMPTY = (_CODES[status] for status in (Status.KEY, Status.BLOCKED, Status.EMPTY))
_Codes = NDArray[np.int8]
_Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the raw texts look like that are taken as they are.

    Attributes:
        usual: pattern of these; a phone's last eleven digits are taken.
        words: whether a word for "nothing" can look so too.
        blocked: pattern of normal values that say nothing about a person.
    """

    usual: str
    words: bool = False
    blocked: str | None = None


_SHAPES: Mapping[str, _Shape] = {
    "phone": _Shape(r"^(\+?86|0086)?[ -]?1[3-9]\d{9}$", blocked=phones.BLOCKED_PATTERN),
    "email": _Shape(contacts.EMAIL_PATTERN, blocked=contacts.EMAIL_BLOCKED_PATTERN),
    "number": _Shape(contacts.NUMBER_PATTERN, words=True),
    "account": _Shape(contacts.ACCOUNT_PATTERN, words=True),
}
_WORDS = f"^(?i:{NOTHING_PATTERN})$"


def normal_values(normaliser: pa.ChunkedArray, raw: pa.ChunkedArray) -> tuple[pa.ChunkedArray, _Codes]:
    """Normalise raw texts.

    Args:
        normaliser: for each the name of its normaliser, a key of :data:`FUNCTIONS`.
        raw: the texts.

    Returns:
        For each its normal form, null where it has none, and its place in :data:`STATUSES`.
    """
    given = pa.table({"normaliser": normaliser, "raw": raw})
    if given.num_rows < _FEW:
        given = given.combine_chunks()
    parts = [_mixed(*batch.columns) for batch in given.to_batches()]
    statuses = [status for _, status in parts]
    return pa.chunked_array([value for value, _ in parts], pa.string()), np.concatenate([_NO_CODES, *statuses])


_FEW = 1_000_000
"""Texts below which putting chunks together costs less than looking at each; more may not fit in one."""

_NO_CODES = np.zeros(0, np.int8)


def _mixed(normaliser: pa.Array, raw: pa.Array) -> tuple[pa.Array, _Codes]:
    """The same for texts that lie in one piece."""
    rows = [np.flatnonzero(pc.equal(normaliser, name)) for name in FUNCTIONS]
    parts = [_normal(name, raw.take(pa.array(mine))) for name, mine in zip(FUNCTIONS, rows, strict=True)]
    place = np.full(len(raw), -1)  # Arrow takes no row for a normaliser that is none, and says so
    place[np.concatenate(rows)] = np.arange(len(raw))
    values = pa.concat_arrays([value for value, _ in parts])
    return values.take(pa.array(place)), np.concatenate([status for _, status in parts])[place]


def _normal(normaliser: str, raw: pa.Array) -> tuple[pa.Array, _Codes]:
    """The same for one normaliser."""
    shape = _SHAPES[normaliser]
    usual = _matches(raw, shape.usual)
    if shape.words:
        usual &= ~_matches(raw, _WORDS)
    value = pc.binary_join_element_wise("+86", pc.utf8_slice_codeunits(raw, -11), "") if normaliser == "phone" else raw
    status = np.full(len(raw), _KEY, np.int8)
    if shape.blocked is not None:
        status[_matches(value, shape.blocked)] = _BLOCKED
    odd = ~usual
    if odd.any():
        slow, status[odd] = _slow(normaliser, raw.filter(pa.array(odd)))
        value = pc.replace_with_mask(value, pa.array(odd), slow)
    return value, status


def _matches(texts: pa.Array, pattern: str) -> _Marks:
    return np.asarray(pc.match_substring_regex(texts, pattern).fill_null(False), np.bool_)  # noqa: FBT003 - pyarrow's signature


def _slow(normaliser: str, raw: pa.Array) -> tuple[pa.Array, _Codes]:
    """Each distinct text by the function for one value."""
    encoded = raw.dictionary_encode()
    done = [FUNCTIONS[normaliser](text) for text in encoded.dictionary.to_pylist()]
    statuses = np.array([_CODES[normal.status] for normal in done] + [_EMPTY], np.int8)
    values = pa.array([normal.value for normal in done], pa.string()).take(encoded.indices)
    return values, statuses[np.asarray(encoded.indices.fill_null(len(done)))]


def _distinct(column: pa.ChunkedArray) -> tuple[pa.Array, list[str | None]]:
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.indices, encoded.dictionary.to_pylist()


def names(column: pa.ChunkedArray) -> pa.Table:
    """Take a column of names apart: ``name``, ``name_kind``, ``surname``, ``sound``, ``title_gender``; null stays null."""
    indices, texts = _distinct(column)
    parts = [name(text or "") for text in texts]
    fields = {
        "name": [part.text for part in parts],
        "name_kind": [part.kind.value for part in parts],
        "surname": [part.surname for part in parts],
        "sound": [part.sound for part in parts],
        "title_gender": [part.gender for part in parts],
    }
    return pa.table({field: pc.take(pa.array(values, pa.string()), indices) for field, values in fields.items()})


def birthdays(column: pa.ChunkedArray, calendar: pa.ChunkedArray, placeholders: frozenset[str]) -> pa.Table:
    """Normalise a column of birthdays: ``birthday`` in canonical form and ``lunar``."""
    marked = pc.if_else(pc.equal(calendar, "lunar").fill_null(False), "L", "S")  # noqa: FBT003 - pyarrow's signature
    indices, texts = _distinct(pc.binary_join_element_wise(marked, column, ""))
    days = [
        birthday(text[1:], lunar=text[0] == "L", placeholders=placeholders) if text else birthday("") for text in texts
    ]
    return pa.table(
        {
            "birthday": pc.take(pa.array([day.value for day in days], pa.string()), indices),
            "lunar": pc.take(pa.array([day.lunar for day in days], pa.bool_()), indices).fill_null(False),  # noqa: FBT003
        }
    )
