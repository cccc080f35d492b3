"""Bring one delivered file into the scratch folder: known by its content, unpacked, and as UTF-8.

The file is read once, in pieces: its digest is taken, ``.gz`` is unpacked under a guard against decompression bombs, and text
in another encoding is rewritten. A plain local UTF-8 file is not copied; :meth:`Staged.changed` tells whether it was written to
meanwhile.
"""

from __future__ import annotations

import codecs
import errno
import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from hub.errors import StoreError
from plugins.files.reading.errors import RejectedFileError
from plugins.files.reading.listing import Found

__all__ = ["Limits", "Staged", "stage", "with_plain_line_feeds"]

_PIECE = 1 << 20
_RATIO_FLOOR = 64 << 20
"""A small file may shrink a thousandfold honestly; the ratio is looked at from this size on."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Limits:
    """What one file may cost.

    Attributes:
        max_bytes: size after unpacking.
        max_ratio: how many times larger than the packed file.
    """

    max_bytes: int
    max_ratio: int


@dataclass(frozen=True)
class Staged:
    """A file that can be read: its content's digest, where it is, and what it was.

    Attributes:
        path: the readable file; UTF-8 if it is text.
        digest: SHA-256 of the unpacked content, so that ``a.csv`` and ``a.csv.gz`` are one file.
        size: bytes after unpacking.
        encoding: what a text file was written in.
        lines: number of line feeds in a text file.
        ends_with_newline: whether a text file's last line is finished.
        original: the delivered local file if it is read in place, with its size and modification time.
    """

    path: Path
    digest: str
    size: int
    encoding: str | None = None
    lines: int = 0
    ends_with_newline: bool = True
    original: tuple[Path, int, int] | None = None

    def changed(self) -> bool:
        """Say whether a file that is read in place was written to since it was staged."""
        if self.original is None:
            return False
        path, size, modified = self.original
        now = path.stat()
        return (now.st_size, now.st_mtime_ns) != (size, modified)


class _Raw:
    """The unpacked bytes of a file, in pieces, with their digest and number."""

    def __init__(self, found: Found, fs: AbstractFileSystem, limits: Limits) -> None:
        self._found, self._fs, self._limits = found, fs, limits
        self.digest = hashlib.sha256()
        self.size = self.lines = 0
        self.last = b""

    def pieces(self) -> Iterator[bytes]:
        # Hashing takes as long as everything else together, and lets other threads work meanwhile.
        with self._fs.open(self._found.path, "rb") as stream, ThreadPoolExecutor(1) as hasher:
            hashing: Future[None] | None = None
            for piece in self._unpacked(stream) if self._found.packed else iter(lambda: stream.read(_PIECE), b""):
                if hashing is not None:
                    hashing.result()
                hashing = hasher.submit(self.digest.update, piece)
                self._count(piece)
                yield piece

    def _unpacked(self, stream: BinaryIO) -> Iterator[bytes]:
        """Yield the content of one or several gzip members; bounded, however little the packed bytes are."""
        engine = zlib.decompressobj(wbits=31)
        pending, begun = stream.read(_PIECE), False
        while pending:
            try:
                piece = engine.decompress(pending, _PIECE)
            except zlib.error as error:
                raise RejectedFileError(
                    f"{self._found.shown} is not a whole gzip file ({error}).", code="gzip_broken"
                ) from error
            begun = True
            yield piece
            pending = engine.unconsumed_tail
            if engine.eof:
                pending, begun = engine.unused_data.lstrip(b"\0"), False
                engine = zlib.decompressobj(wbits=31)
            pending = pending or stream.read(_PIECE)
        if begun:
            raise RejectedFileError(
                f"{self._found.shown} is cut off: the gzip stream has no end.",
                code="gzip_truncated",
                hint="It was probably still being written, or its transfer broke; send it again.",
            )

    def _count(self, piece: bytes) -> None:
        self.size += len(piece)
        self.lines += piece.count(b"\n")
        self.last = piece[-1:] or self.last
        if self.size > self._limits.max_bytes:
            raise self._too_large(f"more than {self._limits.max_bytes:,} bytes", "max_bytes")
        packed = max(self._found.size, 1)
        if self._found.packed and self.size > max(_RATIO_FLOOR, packed * self._limits.max_ratio):
            raise self._too_large(f"more than {self._limits.max_ratio} times its packed size", "max_ratio")

    def _too_large(self, how: str, key: str) -> RejectedFileError:
        return RejectedFileError(
            f"{self._found.shown} unpacks to {how} ({self._found.size:,} bytes packed); unpacking was stopped.",
            code="file_too_large",
            hint=f"If the file is genuine, raise {key} of this connection.",
        )


def stage(found: Found, fs: AbstractFileSystem, scratch: Path, limits: Limits, encoding: str | None = None) -> Staged:
    """Bring a file into ``scratch``.

    Args:
        found: the delivered file.
        fs: where it lies.
        scratch: folder for the unpacked copy.
        limits: guard against decompression bombs.
        encoding: of text files; None finds it out: byte-order mark, UTF-8, GB18030 (which includes GBK and GB2312).

    Raises:
        RejectedFileError: unreadable, cut off, too large, or in none of the encodings.
        StoreError: the disk is full.
    """
    with _disk_errors(found):
        if found.format in ("excel", "parquet"):
            return _stage_binary(found, fs, scratch, limits)
        return _stage_known_text(found, fs, scratch, limits, encoding or _encoding_by_mark(found, fs, limits))


@contextmanager
def _disk_errors(found: Found) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"The disk is full: {found.shown} ({found.size:,} bytes) could not be unpacked.",
                code="disk_full",
                hint="Free space on the volume of the hub's home; the next run goes on with this file.",
            ) from error
        raise RejectedFileError(
            f"{found.shown} cannot be read: {type(error).__name__}: {error.strerror or error}.",
            code="file_unreadable",
            hint="Check the file's permissions and that it still exists; it is tried again in the next run.",
        ) from error


def _stage_binary(found: Found, fs: AbstractFileSystem, scratch: Path, limits: Limits) -> Staged:
    raw = _Raw(found, fs, limits)
    target = scratch / f"staged{found.suffix}"
    with target.open("wb") as out:
        for piece in raw.pieces():
            out.write(piece)
    if zipfile.is_zipfile(target):
        _guard_zip(target, found, limits)
    return Staged(target, raw.digest.hexdigest(), raw.size)


def _guard_zip(path: Path, found: Found, limits: Limits) -> None:
    """An .xlsx is a zip: refuse one whose parts would unpack beyond the limits."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
    except zipfile.BadZipFile as error:
        raise RejectedFileError(f"{found.shown} is not a whole workbook ({error}).", code="file_unreadable") from error
    if size > min(limits.max_bytes, max(_RATIO_FLOOR, path.stat().st_size * limits.max_ratio)):
        raise RejectedFileError(
            f"{found.shown} would unpack from {found.size:,} to {size:,} bytes; it was not opened.",
            code="file_too_large",
            hint="If the file is genuine, raise max_bytes or max_ratio of this connection.",
        )


def _stage_known_text(
    found: Found, fs: AbstractFileSystem, scratch: Path, limits: Limits, encoding: str | None
) -> Staged:
    if encoding is None:
        return _stage_unknown_text(found, fs, scratch, limits)
    try:
        return _stage_text(found, fs, scratch, limits, encoding)
    except _BadBytes as error:
        raise error.rejected(found, encoding) from error


def _stage_unknown_text(found: Found, fs: AbstractFileSystem, scratch: Path, limits: Limits) -> Staged:
    try:
        return _stage_text(found, fs, scratch, limits, "utf-8")
    except _BadBytes as as_utf8:
        if as_utf8.cut_off:
            raise as_utf8.rejected(found, "utf-8") from as_utf8
        try:
            return _stage_text(found, fs, scratch, limits, "gb18030")
        except _BadBytes as as_gb18030:
            if as_gb18030.cut_off:
                raise as_gb18030.rejected(found, "gb18030") from as_gb18030
            raise RejectedFileError(
                f"{found.shown} is neither UTF-8 (first wrong byte at position {as_utf8.position:,}, line {as_utf8.line:,}) nor "
                f"GB18030 (at {as_gb18030.position:,}, line {as_gb18030.line:,}).",
                code="encoding_unknown",
                hint="Set encoding of this connection (for instance big5), or export the file as UTF-8.",
            ) from as_gb18030


class _BadBytes(Exception):  # noqa: N818 - never leaves this module
    """The text is not in the encoding it was taken for."""

    def __init__(self, position: int, line: int, *, cut_off: bool) -> None:
        super().__init__(position)
        self.position, self.line, self.cut_off = position, line, cut_off

    def rejected(self, found: Found, encoding: str) -> RejectedFileError:
        if self.cut_off:
            return RejectedFileError(
                f"{found.shown} ends in the middle of a character (line {self.line:,}): it is only half written.",
                code="half_written",
                hint="Write to a temporary name and rename it when it is whole; it is tried again when it changes.",
            )
        return RejectedFileError(
            f"{found.shown} is not {encoding}: wrong byte at position {self.position:,}, line {self.line:,}.",
            code="encoding_wrong",
            hint="Set encoding of this connection to what the file is written in, or leave it out to have it found out.",
        )


def _encoding_by_mark(found: Found, fs: AbstractFileSystem, limits: Limits) -> str | None:
    pieces = _Raw(found, fs, limits).pieces()
    start = next(pieces, b"")[:4096]
    pieces.close()  # type: ignore[attr-defined]
    for mark, encoding in _BOMS:
        if start.startswith(mark):
            return encoding
    if start.count(b"\0") * 4 > len(start):
        raise RejectedFileError(
            f"{found.shown} looks like UTF-16 without a byte-order mark.",
            code="encoding_unknown",
            hint='Set encoding of this connection to "utf-16-le" or "utf-16-be".',
        )
    return None


def _stage_text(found: Found, fs: AbstractFileSystem, scratch: Path, limits: Limits, encoding: str) -> Staged:
    raw = _Raw(found, fs, limits)
    in_place = isinstance(fs, LocalFileSystem) and not found.packed and encoding == "utf-8"
    before = Path(found.path).stat() if in_place else None
    target = scratch / f"staged{found.suffix}"
    target.unlink(missing_ok=True)
    sink: AbstractContextManager[Any] = _Nowhere() if in_place else target.open("wb")
    with sink as out:
        _decode(raw, encoding, out)
    staged = Staged(target, raw.digest.hexdigest(), raw.size, encoding, raw.lines, raw.last in (b"\n", b"", b"\r"))
    if before is None:
        return staged if encoding == "utf-8" else _recount(staged)
    target.symlink_to(found.path)
    return replace(staged, original=(Path(found.path), before.st_size, before.st_mtime_ns))


class _Nowhere:
    """A sink for a text that is only checked."""

    def __enter__(self) -> _Nowhere:
        return self

    def __exit__(self, *args: object) -> None:
        return None

    def write(self, data: bytes) -> None:
        """Forget the bytes."""


def _decode(raw: _Raw, encoding: str, out: Any) -> None:
    """Check the text and write it as UTF-8; bytes that are UTF-8 already are passed on as they are."""
    decoder = codecs.getincrementaldecoder(encoding)()
    same = encoding == "utf-8"
    before = pending = 0
    lines = 0
    try:
        for piece in raw.pieces():
            pending = len(decoder.getstate()[0])
            text = decoder.decode(piece)
            out.write(piece if same else text.encode())
            before += len(piece)
            lines = raw.lines
        pending = len(decoder.getstate()[0])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        position = before - pending + error.start
        line = 1 + lines + error.object[pending : error.start].count(b"\n")
        raise _BadBytes(position, line, cut_off=before == raw.size) from error


def _recount(staged: Staged) -> Staged:
    """Count the lines of the rewritten text: a line feed's byte may be part of another character in UTF-16."""
    lines, last = 0, b""
    with staged.path.open("rb") as stream:
        for piece in iter(lambda: stream.read(_PIECE), b""):
            lines, last = lines + piece.count(b"\n"), piece[-1:]
    return replace(staged, lines=lines, ends_with_newline=last in (b"\n", b""))


def with_plain_line_feeds(staged: Staged, target: Path) -> Staged:
    """Write the text anew with one kind of line end; an exchange of files between systems sometimes mixes them."""
    held = b""
    with staged.path.open("rb") as stream, target.open("wb") as out:
        for piece in iter(lambda: stream.read(_PIECE), b""):
            text = held + piece
            held = b"\r" if text.endswith(b"\r") else b""
            out.write(text.removesuffix(b"\r").replace(b"\r\n", b"\n"))
        out.write(held)
    return replace(staged, path=target)
