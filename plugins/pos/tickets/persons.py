"""The columns of a row that may say who somebody is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from plugins.pos.tickets.fields import IDENTIFIERS
from plugins.pos.tickets.typed import literal

__all__ = ["identifiers_sql"]

_MASKED: Final = "[*＊]"
_SCOPED: Final = ("member_no", "card_no")
"""Unique within one member system only."""


def identifiers_sql(source: str, scope: str, columns: Iterable[str]) -> str:
    """Return the SQL of the identifiers of all rows of ``source``, which has ``source_id`` and some identifier columns.

    Args:
        source: a relation.
        scope: within what member and card numbers are unique.
        columns: that the relation has.
    """
    there = {name: assurance for name, assurance in IDENTIFIERS.items() if name in columns}
    # Of most tickets nobody is known: only the others are looked at closely.
    somebody = " OR ".join(f"{name} IS NOT NULL" for name in there) or "false"
    nobody = "{'kind': NULL::VARCHAR, 'value': NULL::VARCHAR, 'scope': NULL::VARCHAR, 'assurance': NULL::VARCHAR}"
    found = ", ".join(_one(name, assurance, scope) for name, assurance in there.items()) or nobody
    listed = (
        f"SELECT source_id, list_filter([{found}], i -> i.value IS NOT NULL) AS found FROM {source} WHERE {somebody}"
    )
    return (
        "SELECT source_id, CAST(place - 1 AS INTEGER) AS position, item.kind AS kind, item.value AS value, item.scope AS scope, "
        "item.assurance AS assurance FROM (SELECT source_id, unnest(found) AS item, generate_subscripts(found, 1) AS place "
        f"FROM ({listed}))"
    )


def _one(name: str, assurance: str, scope: str) -> str:
    kind = literal(name)
    if name == "phone":  # 154****0001 is partial evidence, never an identifier
        kind = f"CASE WHEN regexp_matches(phone, '{_MASKED}') THEN 'phone_masked' ELSE 'phone' END"
    within = literal(scope if name in _SCOPED else "")
    return f"{{'kind': {kind}, 'value': {name}, 'scope': {within}, 'assurance': {literal(assurance)}}}"
