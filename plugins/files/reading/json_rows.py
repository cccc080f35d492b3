"""Rows of JSON lines: one flat object per line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import duckdb
import orjson

from plugins.files.mapping.profile import Profile
from plugins.files.reading.errors import RejectedFileError
from plugins.files.reading.expressions import literal
from plugins.files.reading.raw import BrokenRow, EmptyFileError, RawRows, find_head
from plugins.files.reading.staging import Staged

__all__ = ["JsonRows"]

_MAX_KEYS: Final = 2_000
_LINE_BYTES: Final = 4 << 20
_FIRST_LINE_BYTES: Final = 1 << 20
_IS_OBJECT: Final = "CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END"


class JsonRows(RawRows):
    """Rows of a file with one JSON object per line; nested values stay JSON text."""

    text = "line"
    wrong = "line IS NOT NULL AND NOT coalesce(is_object, false)"

    def __init__(
        self, staged: Staged, profile: Profile, shown: str, connection: duckdb.DuckDBPyConnection, max_broken: int
    ) -> None:
        self._staged, self._shown, self._max_broken = staged, shown, max_broken
        if not staged.size:
            raise EmptyFileError
        self._keys = self._all_keys(connection)
        self.head = find_head([self._keys], profile, shown)

    def _lines(self, *, keep_broken: bool) -> str:
        errors = f"store_rejects = true, rejects_limit = {self._max_broken}" if keep_broken else "ignore_errors = true"
        return (
            f"read_csv({literal(str(self._staged.path))}, auto_detect = false, delim = '\x1f', quote = '', escape = '', "
            f"header = false, max_line_size = {_LINE_BYTES}, buffer_size = {4 * _LINE_BYTES}, columns = {{'line': 'VARCHAR'}}, {errors})"
        )

    def _all_keys(self, connection: duckdb.DuckDBPyConnection) -> list[str]:
        rows = connection.execute(
            f"SELECT DISTINCT unnest(json_keys(CASE WHEN {_IS_OBJECT} THEN line END)) FROM {self._lines(keep_broken=False)} "
            f"LIMIT {_MAX_KEYS + 1}"
        ).fetchall()
        if len(rows) > _MAX_KEYS:
            raise RejectedFileError(
                f"{self._shown} has more than {_MAX_KEYS} different keys; its keys seem to hold data.",
                code="header_unknown",
                hint="Send one flat JSON object per line with the same keys on all lines.",
            )
        keys = {str(key) for (key,) in rows}
        first = self._first_object()
        return [*(key for key in first if key in keys), *sorted(keys.difference(first))]

    def _first_object(self) -> list[str]:
        """Return the keys of the first line in their order; the engine gives them in none."""
        with self._staged.path.open("rb") as stream:
            try:
                value = orjson.loads(stream.readline(_FIRST_LINE_BYTES))
            except orjson.JSONDecodeError:
                return []
        return list(value) if isinstance(value, dict) else []

    def relation(self, *, keep_broken: bool = True) -> str:
        """Return the SQL of the rows: a text per key, and whether the line is an object at all."""
        pointers = ", ".join(literal("/" + key.replace("~", "~0").replace("/", "~1")) for key in self._keys)
        cells = ", ".join(f"cells[{number + 1}] AS c{number}" for number in range(len(self._keys)))
        return (
            f"(SELECT {cells}, line, cells IS NOT NULL AS is_object FROM (SELECT line, "
            f"CASE WHEN {_IS_OBJECT} THEN json_extract_string(line, [{pointers}]) END AS cells "
            f"FROM {self._lines(keep_broken=keep_broken)}))"
        )

    def lines(self, ordinals: Iterable[int], total: int) -> dict[int, int]:  # noqa: ARG002 - every line is a row
        """Return the lines of rows."""
        return {ordinal: ordinal + 1 for ordinal in ordinals}

    def broken(self, connection: duckdb.DuckDBPyConnection) -> list[BrokenRow]:
        """Refuse a file with lines that cannot be read as text; there are no other broken rows."""
        found = connection.execute(
            "SELECT line, first(csv_line) FROM reject_errors GROUP BY line ORDER BY line"
        ).fetchall()
        if not found:
            return []
        raise RejectedFileError(
            f"{self._shown}, line {found[0][0]}: no JSON object can be read there (control characters, or a line of more "
            "than 4 MB).",
            code="json_invalid",
            hint="Send one flat JSON object per line, in UTF-8.",
        )
