"""Whole columns at once: the shapes nearly all values have in SQL, the rest through the functions for one value.

The SQL accepts only what it surely treats like the functions do; everything else is made distinct first and normalised
in Python, so both ways give the same answer for every input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from identity.normalise import contacts, phones
from identity.normalise.dates import birthday
from identity.normalise.people import name
from identity.normalise.text import NOTHING_PATTERN, Normal

__all__ = ["FUNCTIONS", "birthdays", "names", "normal_values"]

FUNCTIONS: Mapping[str, Callable[[str], Normal]] = {
    "phone": phones.phone,
    "email": contacts.email,
    "number": contacts.number,
    "account": contacts.account,
}
"""The normaliser of one value, by the name rules use."""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _fast_value() -> str:
    """SQL: the canonical value where the raw text has the usual shape, else NULL."""
    return rf"""CASE normaliser
        WHEN 'phone' THEN CASE WHEN regexp_full_match(raw, '(\+?86|0086)?[ -]?1[3-9]\d{{9}}') THEN '+86' || right(raw, 11) END
        WHEN 'account' THEN CASE WHEN regexp_matches(raw, {_quoted(contacts.ACCOUNT_PATTERN)})
                                  AND NOT regexp_full_match(lower(raw), {_quoted(NOTHING_PATTERN)}) THEN raw END
        WHEN 'number' THEN CASE WHEN regexp_matches(raw, {_quoted(contacts.NUMBER_PATTERN)})
                                 AND NOT regexp_full_match(lower(raw), {_quoted(NOTHING_PATTERN)}) THEN raw END
        WHEN 'email' THEN CASE WHEN regexp_matches(raw, {_quoted(contacts.EMAIL_PATTERN)}) THEN raw END
    END"""


def _fast_status() -> str:
    return f"""CASE
        WHEN fast.normaliser = 'phone' AND regexp_matches(fast.value, {_quoted(phones.BLOCKED_PATTERN)}) THEN 'blocked'
        WHEN fast.normaliser = 'email' AND regexp_matches(fast.value, {_quoted(contacts.EMAIL_BLOCKED_PATTERN)}) THEN 'blocked'
        ELSE 'key' END"""


def normal_values(connection: duckdb.DuckDBPyConnection, relation: str) -> str:
    """Normalise the rows of ``relation`` (columns ``normaliser`` and ``raw``, among others).

    Args:
        connection: where the relation lives; the helper tables ``fast_values`` and ``slow_values`` are made in it.
        relation: name of a table or view.

    Returns:
        SQL of a query that yields every row of the relation plus ``value`` and ``status``.
    """
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE fast_values AS SELECT *, {_fast_value()} AS value FROM {relation}"
    )
    rest = connection.execute(
        "SELECT DISTINCT normaliser, raw FROM fast_values WHERE value IS NULL AND raw IS NOT NULL"
    ).to_arrow_table()
    connection.register("slow_arrow", _slow(rest))
    connection.execute("CREATE OR REPLACE TEMP TABLE slow_values AS FROM slow_arrow")
    connection.unregister("slow_arrow")
    return f"""
        SELECT fast.*, {_fast_status()} AS status FROM fast_values AS fast WHERE value IS NOT NULL
        UNION ALL
        SELECT fast.* REPLACE (slow.value AS value), coalesce(slow.status, 'empty') AS status
        FROM (FROM fast_values WHERE value IS NULL) AS fast LEFT JOIN slow_values AS slow
          ON slow.normaliser = fast.normaliser AND slow.raw = fast.raw"""


def _slow(rest: pa.Table) -> pa.Table:
    normaliser, raw = rest["normaliser"].to_pylist(), rest["raw"].to_pylist()
    done = [FUNCTIONS[which](text) for which, text in zip(normaliser, raw, strict=True)]
    return pa.table(
        {
            "normaliser": pa.array(normaliser, pa.string()),
            "raw": pa.array(raw, pa.string()),
            "value": pa.array([normal.value for normal in done], pa.string()),
            "status": pa.array([normal.status.value for normal in done], pa.string()),
        }
    )


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
