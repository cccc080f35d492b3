"""The values a sync sends, as SQL: one expression per field, and the whole as JSON text in canonical form.

Equal values give equal text: fields are in the order of their names, decimals without trailing zeros, instants in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import ClassVar

from hub.segments import check_where
from hub.sync_settings import FieldSettings, Scalar, SyncSettings
from hub.warehouse.engine import literal, quoted

__all__ = ["SEGMENTS", "Mapper", "field_problems", "reads_segments", "transformed"]

SEGMENTS = "segments"
_SEGMENT_PREFIX = "segment:"
_TRANSFORMS = {
    "trim": "trim({}::VARCHAR)",
    "lower": "lower({}::VARCHAR)",
    "upper": "upper({}::VARCHAR)",
    "digits": "regexp_replace({}::VARCHAR, '[^0-9]', '', 'g')",
    "round": "round({}::DOUBLE)::BIGINT",
    "text": "{}::VARCHAR",
    "date": "strftime({}::DATE, '%Y-%m-%d')",
    "sha256": "sha256({}::VARCHAR)",
}


def transformed(value: str, transforms: Iterable[str]) -> str:
    """Return the SQL of a value after its transforms."""
    for name in transforms:
        value = _TRANSFORMS[name].format(f"({value})")
    return value


def reads_segments(source: str) -> bool:
    """Whether a value is made of segments."""
    return source == SEGMENTS or source.startswith(_SEGMENT_PREFIX)


def field_problems(field: FieldSettings, columns: Mapping[str, str], segments: Iterable[str]) -> list[str]:
    """Return everything wrong with where a field's value comes from."""
    found: list[str] = []
    for name in field.reads:
        if name == SEGMENTS:
            continue
        if name.startswith(_SEGMENT_PREFIX):
            segment = name.removeprefix(_SEGMENT_PREFIX)
            found += [] if segment in segments else [f"there is no segment {segment!r}."]
        else:
            found += check_where(f"{quoted(name)} IS NULL", columns)
    return found


class Mapper:
    """Writes the SQL of a sync's values.

    Args:
        sync: its settings, checked.
        columns: columns of customers and traits (read as ``c``) with their types; ``s.names`` holds a customer's segments.
    """

    NEVER: ClassVar[str] = "NULL::VARCHAR"
    """SQL of :meth:`missing` where no value must be there."""

    def __init__(self, sync: SyncSettings, columns: Mapping[str, str]) -> None:
        self.sync = sync
        self.columns = columns

    def values(self) -> str:
        """SQL of the values as JSON text, without those that are only set where nothing is."""
        return self._json({name: field for name, field in self._fields() if not field.set_if_empty})

    def first_values(self, filled: str = "") -> str:
        """SQL of the values of a row that the destination has not accepted yet.

        Args:
            filled: SQL of the names of fields that have a value there already; empty when nobody knows.
        """
        if not filled:
            return self._json(dict(self._fields()))
        pieces = [
            f"if(list_contains({filled}, {literal(name)}), NULL, {self._piece(name, field)})"
            if field.set_if_empty
            else self._piece(name, field)
            for name, field in self._fields()
        ]
        return f"'{{' || concat_ws(',', {', '.join(pieces)}) || '}}'"

    def _fields(self) -> list[tuple[str, FieldSettings]]:
        """In the order of their names: equal values give equal text."""
        return sorted(self.sync.fields.items())

    def _json(self, fields: Mapping[str, FieldSettings]) -> str:
        if not fields:
            return "'{}'"
        if not any(field.null == "omit" or self._is_decimal(field) for field in fields.values()):
            # The same text as below, made at once.
            inner = ", ".join(f"{literal(name)}: {self._final(field)}" for name, field in fields.items())
            return f"to_json({{{inner}}})::VARCHAR"
        pieces = ", ".join(self._piece(name, field) for name, field in fields.items())
        return f"'{{' || concat_ws(',', {pieces}) || '}}'"

    def missing(self) -> str:
        """SQL of the name of the first field without a value that must have one; NULL when there is none."""
        cases = " ".join(
            f"WHEN {self._final(field)} IS NULL THEN {literal(name)}"
            for name, field in self._fields()
            if field.null == "reject"
        )
        return f"CASE {cases} END" if cases else self.NEVER

    def _piece(self, name: str, field: FieldSettings) -> str:
        """SQL of ``"name":value``; NULL where the field is left out."""
        label = literal('"' + name.replace("\\", "\\\\").replace('"', '\\"') + '":')
        text = f"{label} || coalesce({self._text(field)}, 'null')"
        return f"if(({self._final(field)}) IS NULL, NULL, {text})" if field.null == "omit" else text

    def _text(self, field: FieldSettings) -> str:
        """SQL of a value as JSON text."""
        value = self._final(field)
        if self._is_decimal(field):
            # Not by way of a JSON number, which is a double; and 1.0000 and 1.00 are one value, whatever the trait's type.
            return f"regexp_replace(regexp_replace(({value})::VARCHAR, '(\\.[0-9]*?)0+$', '\\1'), '\\.$', '')"
        return f"to_json({value})::VARCHAR"

    def _is_decimal(self, field: FieldSettings) -> bool:
        plain = bool(field.source) and not field.transforms and not field.values and field.default is None
        return plain and self.columns.get(field.source, "").startswith("DECIMAL")

    def _final(self, field: FieldSettings) -> str:
        value = transformed(self._origin(field), field.transforms)
        if field.values:
            text = f"({value})::VARCHAR"
            kinds = {type(given) for given in field.values.values()}
            alike = len(kinds) == 1
            cases = " ".join(
                f"WHEN {literal(ours)} THEN {_scalar(theirs) if alike else literal(str(theirs))}"
                for ours, theirs in field.values.items()
            )
            rest = f" ELSE {text}" if kinds == {str} or not alike else ""
            value = f"CASE {text} {cases}{rest} END"
        return value if field.default is None else f"coalesce({value}, {_scalar(field.default)})"

    def _origin(self, field: FieldSettings) -> str:
        if field.constant is not None:
            return _scalar(field.constant)
        return self._template(field.template) if field.template else self._column(field.source)

    def _template(self, template: str) -> str:
        """Text with values in it; a value that is not there is left out."""
        parts = re.split(r"\{([^{}]*)\}", template)
        pieces = [
            f"coalesce(({self._column(part)})::VARCHAR, '')" if number % 2 else literal(part)
            for number, part in enumerate(parts)
        ]
        return " || ".join(pieces)

    def _column(self, source: str) -> str:
        if source == SEGMENTS:
            chosen = ", ".join(literal(name) for name in self.sync.segments)
            return (
                f"list_filter(coalesce(s.names, []), lambda n: n IN ({chosen}))" if chosen else "coalesce(s.names, [])"
            )
        if source.startswith(_SEGMENT_PREFIX):
            return f"list_contains(coalesce(s.names, []), {literal(source.removeprefix(_SEGMENT_PREFIX))})"
        value = f"c.{quoted(source)}"
        if self.columns.get(source) == "TIMESTAMP WITH TIME ZONE":
            return f"strftime(timezone('UTC', {value}), '%Y-%m-%dT%H:%M:%S.%fZ')"
        return value


def _scalar(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return literal(value) if isinstance(value, str) else str(value)
