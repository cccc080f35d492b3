"""Rows on their way to a file, kept in the scratch folder so that memory does not grow with their number.

A file needs its columns and their types before its first row; those are known only after the last operation. So rows are
written down in parts first (Arrow streams, one after the other in one file), and the file is made from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

import pyarrow as pa

__all__ = ["Spool"]

PART_ROWS: Final = 20_000
"""Rows in memory at a time."""


class Spool:
    """Write rows with :meth:`add`, then :meth:`finish`, then read them with :meth:`parts`; in a ``with`` statement.

    Args:
        path: the file to use; removed at the end.
        columns: the first columns, whether they occur or not.
        only: take no others; else all that occur follow, in the order of their first occurrence.
        convert: turns a mapped value into what the file holds.
        errors: gives the context in which the file is written, to tell its faults.
        part_rows: rows in memory at a time.
    """

    def __init__(
        self,
        path: Path,
        columns: tuple[str, ...],
        convert: Callable[[Any], Any],
        *,
        only: bool,
        errors: Callable[[], AbstractContextManager[None]] = nullcontext,
        part_rows: int = PART_ROWS,
    ) -> None:
        self.rows = 0
        self._path = path
        self._only = only
        self._convert = convert
        self._part_rows = part_rows
        self._types: dict[str, pa.DataType] = dict.fromkeys(columns, pa.null())
        self._waiting: dict[str, list[Any]] = {}
        self._count = 0
        self._errors = errors
        with errors():
            self._file: BinaryIO = path.open("w+b")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Unlinked first: closing flushes, which fails again where the disk is full.
        self._path.unlink(missing_ok=True)
        try:
            self._file.close()
        except OSError:
            if kind is None:
                raise

    @property
    def columns(self) -> list[str]:
        """Return the columns; complete after :meth:`finish`."""
        return list(self._types)

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row; columns it does not have are empty."""
        for name, value in row.items():
            if name in self._types:
                column = self._waiting.get(name)
            elif self._only:
                continue
            else:
                self._types[name] = pa.null()
                column = None
            if column is None:
                column = self._waiting[name] = []
            # Rows before the column's first occurrence, or without it, are empty here.
            column.extend([None] * (self._count - len(column)))
            column.append(self._convert(value))
        self._count += 1
        self.rows += 1
        if self._count >= self._part_rows:
            self._flush()

    def finish(self) -> None:
        """Write down what is still in memory."""
        if self._count:
            self._flush()

    def _flush(self) -> None:
        arrays = {name: _array(values + [None] * (self._count - len(values))) for name, values in self._waiting.items()}
        if not arrays:  # Rows without any wanted column still count.
            arrays = {"": pa.nulls(self._count)}
        for name, array in arrays.items():
            if name:
                self._types[name] = _common_type(self._types[name], array.type)
        batch = pa.record_batch(list(arrays.values()), names=list(arrays))
        with self._errors(), pa.ipc.new_stream(self._file, batch.schema) as writer:
            writer.write_batch(batch)
        with self._errors():
            self._file.flush()
        self._waiting, self._count = {}, 0

    @property
    def schema(self) -> pa.Schema:
        """Return the columns with the types that fit all rows; a column without any value is text."""
        return pa.schema(
            [(name, pa.string() if pa.types.is_null(kind) else kind) for name, kind in self._types.items()]
        )

    def parts(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in their order, in parts of the final schema."""
        end, schema = self._file.tell(), self.schema
        self._file.seek(0)
        while self._file.tell() < end:
            with pa.ipc.open_stream(self._file) as reader:
                for batch in reader:
                    yield _fitted(batch, schema)


def _array(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return _texts(values)  # Values of several kinds, or numbers beyond 64 bits.


def _texts(values: list[Any]) -> pa.Array:
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def _common_type(known: pa.DataType, new: pa.DataType) -> pa.DataType:
    schemas = [pa.schema([("column", kind)]) for kind in (known, new)]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.string()


def _fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for field in schema:
        at = batch.schema.get_field_index(field.name)
        column = pa.nulls(batch.num_rows, field.type) if at < 0 else batch.column(at)
        mixed = pa.types.is_string(field.type) and not pa.types.is_string(column.type)
        # Unsafe only for whole numbers beyond 2**53 in a column that elsewhere holds fractions: those are rounded.
        columns.append(_texts(column.to_pylist()) if mixed else column.cast(field.type, safe=False))
    return pa.RecordBatch.from_arrays(columns, schema=schema)
