"""Make one finished CSV or Parquet file out of spooled rows."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import pyarrow.parquet as pq

from plugins.files.cells import guarded
from plugins.files.output import WriteSettings
from plugins.files.spool import Spool

__all__ = ["write_rows"]


def write_rows(file: BinaryIO, spool: Spool, settings: WriteSettings) -> None:
    """Write the rows; the same rows and settings always give the same bytes."""
    if settings.format == "parquet":
        _write_parquet(file, spool)
    else:
        _write_csv(file, spool, settings)


def _write_parquet(file: BinaryIO, spool: Spool) -> None:
    with pq.ParquetWriter(file, spool.schema, compression="zstd") as writer:
        for part in spool.parts():
            writer.write_batch(part)


def _write_csv(file: BinaryIO, spool: Spool, settings: WriteSettings) -> None:
    with _packed(file, pack=settings.gzip) as stream:
        text = io.TextIOWrapper(stream, "utf-8-sig" if settings.bom else "utf-8", newline="", write_through=False)
        writer = csv.writer(text, delimiter=settings.delimiter)
        writer.writerow(guarded(name) if settings.formula_guard else name for name in spool.columns)
        for part in spool.parts():
            writer.writerows(zip(*(column.to_pylist() for column in part.columns), strict=True))
        text.flush()
        text.detach()


@contextmanager
def _packed(file: BinaryIO, *, pack: bool) -> Iterator[BinaryIO]:
    if not pack:
        yield file
        return
    # No name and no time in the header, so that the same rows give the same bytes.
    with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        yield packed  # type: ignore[misc]
