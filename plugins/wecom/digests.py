"""What a source gave last time, as digests: WeCom has no "changed since", so the source compares.

One immutable Parquet file per completed read, named in the stream's state: a file counts once the hub has made the state
durable that names it, so that file and warehouse cannot disagree after a crash. The file is a help, never the truth: where it
is lost, everything is given again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["Digest", "DigestFolder", "DigestWriter"]

_SCHEMA: Final = pa.schema([("id", pa.string()), ("digest", pa.binary()), ("staff", pa.list_(pa.string()))])
_ROWS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Digest:
    """One record as it was given: its id, a digest of its content, and whose relations it came from."""

    id: str
    digest: bytes
    staff: tuple[str, ...] = ()


class DigestFolder:
    """The digest files of one stream.

    Args:
        folder: the connection's folder.
        stream: the stream's name.
    """

    def __init__(self, folder: Path, stream: str) -> None:
        self._folder = folder
        self._stream = stream

    def files(self) -> list[Path]:
        """Return every complete file, oldest first."""
        found = self._folder.glob(f"digests-{self._stream}-*.parquet")
        return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))

    def find(self, name: object) -> Path | None:
        """Return the file of this name, if it is there."""
        return next((path for path in self.files() if path.name == name), None)

    def keep_only(self, name: str) -> None:
        """Delete the other files, half-written ones too."""
        for path in self._folder.glob(f"digests-{self._stream}-*"):
            if path.name != name:
                path.unlink()

    def count(self) -> int:
        """Return the number of records in the newest file; 0 without one."""
        files = self.files()
        return int(pq.read_metadata(files[-1]).num_rows) if files else 0

    def writer(self) -> DigestWriter:
        """Return a writer for a new file."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return DigestWriter(self._folder / f"digests-{self._stream}-{uuid.uuid4().hex}.parquet")


def read_digests(path: Path | None) -> Iterator[Digest]:
    """Give a file's digests in their order; nothing without a file."""
    if path is None:
        return
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_ROWS):
            for row in batch.to_pylist():
                yield Digest(row["id"], row["digest"], tuple(row["staff"]))


class DigestWriter:
    """Writes a file aside and puts it in place when it is complete.

    Attributes:
        name: the file's name, for the state.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path
        self._aside = path.with_name(path.name + ".part")
        self._rows: list[Digest] = []

    def __enter__(self) -> Self:
        self._writer = pq.ParquetWriter(self._aside, _SCHEMA, compression="zstd")
        return self

    def add(self, digest: Digest) -> None:
        """Write one digest; ids must come in ascending order."""
        self._rows.append(digest)
        if len(self._rows) >= _ROWS:
            self._flush()

    def _flush(self) -> None:
        rows: Sequence[Digest] = self._rows
        columns = [[row.id for row in rows], [row.digest for row in rows], [list(row.staff) for row in rows]]
        arrays = [pa.array(values, type=field.type) for values, field in zip(columns, _SCHEMA, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=_SCHEMA))
        self._rows = []

    def finish(self) -> None:
        """Put the file in place."""
        self._flush()
        self._writer.close()
        self._aside.replace(self._path)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        self._aside.unlink(missing_ok=True)
