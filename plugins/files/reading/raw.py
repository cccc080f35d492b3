"""A staged file as a relation of texts: one column per column of the file, rows in the file's order.

Whatever the format, what follows sees columns ``c0``, ``c1``, … of type VARCHAR, and can ask on which line of the file a row
stands. CSV and JSON lines are read by DuckDB in parallel; a workbook is turned into Parquet first, in batches.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from hub.errors import RowError
from plugins.files.mapping.headers import Head, find_header
from plugins.files.mapping.profile import Profile
from plugins.files.reading.errors import RejectedFileError
from plugins.files.reading.expressions import literal
from plugins.files.reading.staging import Staged

__all__ = ["BrokenRow", "EmptyFileError", "ParquetRows", "RawRows", "find_head", "open_parquet"]


_DATA: Final = re.compile(r"\d{4}|\d[.:/-]\d|@")


class EmptyFileError(Exception):
    """The file has no rows at all: a shop without sales, and no error."""


@dataclass(frozen=True)
class BrokenRow:
    """A row that does not even have the file's columns.

    Attributes:
        line: where it stands, from 1.
        reason: one sentence.
        text: the row as it came.
    """

    line: int
    reason: str
    text: str


class RawRows(ABC):
    """The rows of one file below its header.

    Attributes:
        head: the file's header and the title above it.
        unit: what a row's place is called: ``line`` or ``row``.
        text: the column that holds a row as it came; None where only its cells are known.
        wrong: SQL that says that a row as such cannot be read.
    """

    head: Head
    unit = "line"
    text: str | None = None
    wrong = "false"

    @abstractmethod
    def relation(self, *, keep_broken: bool = True) -> str:
        """Return the SQL of the rows: ``c0`` … as VARCHAR, in the file's order.

        Args:
            keep_broken: write broken rows down for :meth:`broken`; only the first scan of a connection does.
        """

    @abstractmethod
    def lines(self, ordinals: Iterable[int], total: int) -> dict[int, int]:
        """Return on which line of the file the rows with these ordinals (from 0) stand; ``total`` is the number of rows."""

    def broken(self, connection: duckdb.DuckDBPyConnection) -> list[BrokenRow]:  # noqa: ARG002 - CSV alone has them
        """Return the rows that were left out because they do not have the file's columns."""
        return []


class ParquetRows(RawRows):
    """Rows of a Parquet file; also of a workbook that was turned into one (:mod:`plugins.files.reading.excel`).

    Args:
        path: the file.
        head: what its columns mean.
        lines: the line of each row, if rows were left out; else row n stands on line n + ``first``.
        first: line of the first row.
    """

    unit = "row"

    def __init__(self, path: Path, head: Head, *, lines: Sequence[int] | None = None, first: int = 1) -> None:
        self._path, self.head, self._lines, self._first = path, head, lines, first

    def relation(self, *, keep_broken: bool = True) -> str:  # noqa: ARG002 - a Parquet file has no broken rows
        """Return the SQL of the rows, every value as text."""
        names = ", ".join(f"c{number}" for number in range(len(self.head.header.names)))
        cells = ", ".join(f"c{number}::VARCHAR AS c{number}" for number in range(len(self.head.header.names)))
        return f"(SELECT {cells} FROM read_parquet({literal(str(self._path))}) AS t({names}))"

    def lines(self, ordinals: Iterable[int], total: int) -> dict[int, int]:  # noqa: ARG002 - known without counting
        """Return the lines of rows, or their numbers where the format has no lines."""
        if self._lines is not None:
            return {ordinal: self._lines[ordinal] for ordinal in ordinals}
        return {ordinal: ordinal + self._first for ordinal in ordinals}


def open_parquet(staged: Staged, profile: Profile, shown: str, connection: duckdb.DuckDBPyConnection) -> ParquetRows:
    """Return the rows of a Parquet file.

    Raises:
        RejectedFileError: it is no whole Parquet file.
        EmptyFileError: it has no bytes.
    """
    if not staged.size:
        raise EmptyFileError
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({literal(str(staged.path))})").fetchall()
    except duckdb.Error as error:
        raise RejectedFileError(
            f"{shown} is not a whole Parquet file.",
            code="file_unreadable",
            hint="It was probably still being written, or its transfer broke; send it again.",
        ) from error
    return ParquetRows(staged.path, find_head([[str(row[0]) for row in described]], profile, shown))


def find_head(rows: Sequence[Sequence[str]], profile: Profile, shown: str) -> Head:
    """Return the header among the first rows, or refuse the file with what was looked for."""
    try:
        return find_header(rows, profile)
    except RowError as error:
        found = next((row for row in rows if sum(bool(cell.strip()) for cell in row) > 1), rows[0])
        cells = [cell.strip() for cell in found if cell.strip()]
        # A first row of data may hold names and numbers of persons: nothing of it belongs in a message.
        headers = "what looks like data" if any(map(_DATA.search, cells)) else ", ".join(cells)[:200]
        wanted = ", ".join(sorted({names[0] for names in profile.columns.values() if names})[:8])
        raise RejectedFileError(
            f"{shown}: none of its first rows is a header that mapping {profile.name} knows. Found: {headers}. "
            f"Looked for: {wanted} …",
            code="header_unknown",
            hint="Add its headers to the mapping ([connections.….mapping.columns]), or point the connection to files of this kind.",
        ) from error
