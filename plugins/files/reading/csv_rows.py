"""Rows of delimited text files, read by DuckDB in parallel."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import duckdb

from plugins.files.config import FilesConfig
from plugins.files.mapping.headers import sniff_csv
from plugins.files.mapping.profile import Profile
from plugins.files.reading.errors import RejectedFileError
from plugins.files.reading.expressions import literal
from plugins.files.reading.raw import BrokenRow, EmptyFileError, RawRows, find_head
from plugins.files.reading.staging import Staged

__all__ = ["CsvRows"]

_SAMPLE_BYTES: Final = 256 << 10


class CsvRows(RawRows):
    """Rows of a delimited text file.

    Args:
        staged: the file, in UTF-8.
        profile: whose headers are looked for.
        config: may set the delimiter.
        shown: the file's name for messages.
    """

    def __init__(self, staged: Staged, profile: Profile, config: FilesConfig, shown: str) -> None:
        self._staged, self._shown, self._max_broken = staged, shown, config.max_bad_rows + 1
        sample = _read_sample(staged.path)
        self.delimiter, rows = sniff_csv(sample, profile, config.delimiter)
        if not any(any(cell.strip() for cell in row) for row in rows):
            raise EmptyFileError
        self.head = find_head(rows, profile, shown)
        self._skip = _physical_line(sample, self.delimiter, self.head.row)
        self._broken: list[BrokenRow] = []

    def relation(self, *, keep_broken: bool = True) -> str:
        """Return the SQL of the rows: ``c0`` … as VARCHAR, in the file's order."""
        columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(self.head.header.names)))
        errors = f"store_rejects = true, rejects_limit = {self._max_broken}" if keep_broken else "ignore_errors = true"
        return (
            f"read_csv({literal(str(self._staged.path))}, auto_detect = false, delim = {literal(self.delimiter)}, quote = '\"', "
            f"escape = '\"', header = false, skip = {self._skip}, columns = {{{columns}}}, {errors})"
        )

    def broken(self, connection: duckdb.DuckDBPyConnection) -> list[BrokenRow]:
        """Return the rows with more or fewer columns than the header; refuse a file that is not whole."""
        found = connection.execute(
            "SELECT line_byte_position, first(error_type::VARCHAR), first(error_message), first(csv_line) FROM reject_errors "
            "GROUP BY line_byte_position ORDER BY line_byte_position"
        ).fetchall()
        starts = _line_numbers(self._staged.path, [position - 1 for position, *_ in found])
        for (_, kind, message, text), start in zip(found, starts, strict=True):
            line = start + len(text) - len(text.lstrip("\r\n"))
            if kind == "UNQUOTED VALUE" and "\n" in text.strip("\r\n"):
                raise RejectedFileError(
                    f"{self._shown}, line {line}: a quotation mark is opened and not closed properly, so the rows after it "
                    "cannot be told apart.",
                    code="quote_unclosed",
                    hint="Mend the quotation mark on that line, or export the file again.",
                )
            self._broken.append(BrokenRow(line, _broken_reason(kind, message), text.strip("\r\n")[:2000]))
        self._check_whole()
        return self._broken

    def _check_whole(self) -> None:
        last = self._staged.lines + 1
        if not self._staged.ends_with_newline and any(row.line == last for row in self._broken):
            raise RejectedFileError(
                f"{self._shown} ends in the middle of line {last}: it is only half written.",
                code="half_written",
                hint="Write to a temporary name and rename it when it is whole; it is tried again when it changes.",
            )

    def lines(self, ordinals: Iterable[int], total: int) -> dict[int, int]:
        """Return the lines of rows; counted record by record only where rows and lines differ."""
        present = self._staged.lines + (not self._staged.ends_with_newline) - self._skip
        if present == total and not self._broken:
            return {ordinal: self._skip + ordinal + 1 for ordinal in ordinals}
        wanted = set(ordinals)
        return self._counted(wanted) if wanted else {}

    def _counted(self, wanted: set[int]) -> dict[int, int]:
        """Walk through the records: quoted line feeds, blank lines and broken rows make lines and rows differ."""
        found: dict[int, int] = {}
        broken, last, ordinal = {row.line for row in self._broken}, max(wanted), -1
        for line, record in _records(self._staged.path, self.delimiter, self._skip):
            if not record or line in broken:
                continue
            ordinal += 1
            if ordinal in wanted:
                found[ordinal] = line
            if ordinal >= last:
                break
        return found


def _read_sample(path: Path) -> str:
    """Return the beginning of a UTF-8 text, whole lines."""
    with path.open("rb") as stream:
        data = stream.read(_SAMPLE_BYTES)
        more = bool(stream.read(1))
    if more:
        cut = max(data.rfind(b"\n"), data.rfind(b"\r"))
        data = data[: cut + 1] or data
    return data.decode("utf-8-sig", "ignore")


def _physical_line(sample: str, delimiter: str, row: int) -> int:
    """Return how many lines of the file the records up to and including ``row`` take."""
    reader = csv.reader(sample.splitlines(keepends=True), delimiter=delimiter)
    for _ in range(row + 1):
        next(reader)
    return reader.line_num


def _line_numbers(path: Path, positions: Sequence[int]) -> list[int]:
    """Return the line number (from 1) at each byte position; positions ascend."""
    numbers, line, at = [], 1, 0
    with path.open("rb") as stream:
        for position in positions:
            while at < position:
                piece = stream.read(min(1 << 20, position - at))
                if not piece:
                    break
                line, at = line + piece.count(b"\n"), at + len(piece)
            numbers.append(line)
    return numbers


def _records(path: Path, delimiter: str, skip: int) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the line it begins on."""
    with path.open(encoding="utf-8", newline="") as stream:
        for _ in range(skip):
            stream.readline()
        before = 0
        reader = csv.reader(stream, delimiter=delimiter)
        for record in reader:
            yield skip + before + 1, record
            before = reader.line_num


def _broken_reason(kind: str, message: str) -> str:
    reasons = {
        "MISSING COLUMNS": "the row has fewer columns than the header",
        "TOO MANY COLUMNS": "the row has more columns than the header",
        "UNQUOTED VALUE": "a quotation mark stands where none may be",
        "LINE SIZE OVER MAXIMUM": "the row is longer than 2 MB",
        "INVALID ENCODING": "the row is not UTF-8",
    }
    return reasons.get(kind, message)
