"""The values in a row that may say who somebody is."""

from __future__ import annotations

from typing import Final

from hub.records import Assurance, IdentifierKind
from plugins.files.reading.expressions import literal
from plugins.files.reading.settings import Settings
from plugins.files.reading.typed import TypedRows

__all__ = ["identifier_rows"]

_ISSUED: Final = {
    "member_no": IdentifierKind.MEMBER_NO,
    "card_no": IdentifierKind.CARD_NO,
}
"""Unique within the connection's scope."""

_WIDE: Final = {
    "unionid": IdentifierKind.UNIONID,
    "openid": IdentifierKind.OPENID,
    "payment_token": IdentifierKind.PAYMENT_TOKEN,
    "email": IdentifierKind.EMAIL,
}

_MASKED: Final = "[*＊]"
_MOBILE: Final = r"(\+?86)?1[3-9]\d{9}"


def identifier_rows(rows: TypedRows, settings: Settings, source: str) -> str | None:
    """Return the SQL of the identifiers of all records of ``source``, or None if the file has no such column.

    Args:
        rows: which fields there are.
        settings: the scope of member numbers; whether a member number may be a phone number.
        source: a relation with ``key`` and the fields.
    """
    found = [
        _one(kind, rows.column(name), settings.scope, Assurance.ISSUED)
        for name, kind in _ISSUED.items()
        if rows.has(name)
    ]
    if "customer_id" in rows.fields and "member_no" not in rows.fields:
        found.append(_one(IdentifierKind.MEMBER_NO, rows.column("customer_id"), settings.scope, Assurance.ISSUED))
    found += [_one(kind, rows.column(name), "", Assurance.ISSUED) for name, kind in _WIDE.items() if rows.has(name)]
    found += _phones(rows, settings)
    if not found:
        return None
    listed = f"SELECT key, list_filter([{', '.join(found)}], lambda i: i.value IS NOT NULL) AS found FROM {source}"
    return (
        "SELECT key AS source_id, place - 1 AS position, item.kind AS kind, item.value AS value, item.scope AS scope, "
        "item.assurance AS assurance FROM (SELECT key, unnest(found) AS item, generate_subscripts(found, 1) AS place "
        f"FROM ({listed}))"
    )


def _phones(rows: TypedRows, settings: Settings) -> list[str]:
    """A masked number is no identifier; a member number that is a mobile number stands in for a missing one."""
    phone, found = rows.column("phone"), []
    if rows.has("phone"):
        masked = f"regexp_matches({phone}, '{_MASKED}')"
        found.append(
            _one(IdentifierKind.PHONE, f"CASE WHEN NOT {masked} THEN {phone} END", "", Assurance.TYPED_BY_STAFF)
        )
        found.append(
            _one(IdentifierKind.PHONE_MASKED, f"CASE WHEN {masked} THEN {phone} END", "", Assurance.TYPED_BY_STAFF)
        )
    numbers = [
        f"CASE WHEN regexp_full_match({rows.column(name)}, '{_MOBILE}') THEN {rows.column(name)} END"
        for name in ("member_no", "card_no")
        if rows.has(name)
    ]
    if settings.profile.phone_from_member_no and numbers:
        missing = f"({phone} IS NULL OR regexp_matches({phone}, '{_MASKED}'))"
        stand_in = f"CASE WHEN {missing} THEN coalesce({', '.join(numbers)}) END"
        found.append(_one(IdentifierKind.PHONE, stand_in, "", Assurance.TYPED_BY_STAFF))
    return found


def _one(kind: IdentifierKind, value: str, scope: str, assurance: Assurance) -> str:
    return (
        f"{{'kind': {literal(kind.value)}, 'value': {value}, 'scope': {literal(scope)}, "
        f"'assurance': {literal(assurance.value)}}}"
    )
