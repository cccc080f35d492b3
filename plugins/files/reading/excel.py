"""Workbooks (.xlsx, .xls, .xlsb, .ods) turned into Parquet, in batches. Needs the extra ``excel``."""

from __future__ import annotations

import datetime as dt
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from hub.errors import StopError
from plugins.files.config import FilesConfig
from plugins.files.mapping.headers import HEAD_ROWS, Head
from plugins.files.mapping.profile import Profile
from plugins.files.reading.errors import RejectedFileError
from plugins.files.reading.raw import EmptyFileError, ParquetRows, find_head
from plugins.files.reading.staging import Staged

__all__ = ["open_workbook"]

_BATCH: Final = 20_000
_EXACT: Final = 10**15
"""A spreadsheet keeps 15 digits; a longer number in a cell has lost its end."""


def open_workbook(staged: Staged, profile: Profile, config: FilesConfig, shown: str, scratch: Path) -> ParquetRows:
    """Turn a sheet into Parquet in ``scratch`` and return its rows.

    Raises:
        StopError: the reader of workbooks is not installed.
        RejectedFileError: no workbook, no such sheet, or no sheet with a known header.
        EmptyFileError: it has no bytes, or its sheets no cells.
    """
    if not staged.size:
        raise EmptyFileError
    workbook = _open(staged.path, shown)
    sheet, head = _choose_sheet(workbook, profile, config.sheet, shown)
    target = scratch / "sheet.parquet"
    width = len(head.header.names)
    schema = pa.schema([(f"c{number}", pa.string()) for number in range(width)])
    lines = array("I")
    with pq.ParquetWriter(target, schema, compression="lz4") as writer:
        rows = _rows_below(workbook.get_sheet_by_name(sheet), head.row, lines)
        for batch in iter(lambda: list(islice(rows, _BATCH)), []):
            columns = zip(*(pad(row, width) for row in batch), strict=True)
            writer.write_table(pa.table([pa.array(column, pa.string()) for column in columns], schema=schema))
    return ParquetRows(target, head, lines=lines)


def _open(path: Path, shown: str) -> Any:
    try:
        import python_calamine
    except ImportError as error:
        raise StopError(
            f"{shown} is a workbook, and the reader of workbooks is not installed.",
            code="extra_missing",
            hint="Install it: pip install 'customer-hub[excel]'.",
            context={"file": shown},
        ) from error
    try:
        return python_calamine.CalamineWorkbook.from_path(path)
    except (python_calamine.CalamineError, OSError) as error:
        raise RejectedFileError(
            f"{shown} cannot be opened as a workbook: {type(error).__name__}.",
            code="file_unreadable",
            hint="It may be half written, protected by a password, or another format under this name; save it as .xlsx again.",
        ) from error


def _choose_sheet(workbook: Any, profile: Profile, wanted: str | None, shown: str) -> tuple[str, Head]:
    names: list[str] = list(workbook.sheet_names)
    if wanted is not None and wanted not in names:
        raise RejectedFileError(
            f"{shown} has no sheet {wanted!r}; its sheets are: {', '.join(names)}.",
            code="sheet_unknown",
            hint="Set sheet of this connection to one of them, or leave it out.",
        )
    problem: RejectedFileError | None = None
    for name in [wanted] if wanted else names:
        rows = [
            [cell_text(cell) or "" for cell in row]
            for row in islice(_all_rows(workbook.get_sheet_by_name(name)), HEAD_ROWS)
        ]
        if any(any(row) for row in rows):
            try:
                return name, find_head(rows, profile, shown)
            except RejectedFileError as error:
                problem = problem or error
    if problem is not None:
        raise problem
    raise EmptyFileError


def _all_rows(sheet: Any) -> Iterator[Sequence[Any]]:
    """Yield every row of a sheet from its first row on, whether or not the first ones are empty."""
    start = sheet.start
    for _ in range(start[0] if start else 0):
        yield []
    left = [""] * (start[1] if start else 0)
    for row in sheet.iter_rows():
        yield [*left, *row] if left else row


def _rows_below(sheet: Any, header: int, lines: array[int]) -> Iterator[list[str | None]]:
    """Yield the rows below the header that are not blank, noting the line of each."""
    for number, row in enumerate(_all_rows(sheet)):
        if number > header:
            cells = [cell_text(cell) for cell in row]
            if any(cell is not None for cell in cells):
                lines.append(number + 1)
                yield cells


def pad(row: list[str | None], width: int) -> list[str | None]:
    """Return the row with just ``width`` cells; cells beyond the header have no name and are not data."""
    return row[:width] + [None] * (width - len(row))


def cell_text(cell: object) -> str | None:
    """Return what a cell shows as text; a number too long for a spreadsheet keeps its scientific form, as a warning sign."""
    if cell is None or cell == "":
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        if abs(cell) >= _EXACT:
            return f"{cell:.5E}"
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.isoformat(" ")
    if isinstance(cell, dt.timedelta):
        return str((dt.datetime.min.replace(tzinfo=dt.UTC) + cell).time())
    return str(cell)
