"""Folders of immutable files (packages, snapshots) on a disk or on any fsspec URL.

A folder is written aside and put in place whole; nobody looks at one that the store does not know, so a crash leaves only
litter that is swept up later.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import fsspec

from hub.errors import StoreError
from hub.redaction import redact, redact_url
from hub.scratch import private_folder, sweep_abandoned

__all__ = ["Storage", "make_durable"]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a full disk, a spent quota and a limit on file sizes are called."""


class Storage:
    """A root under which folders are put.

    Args:
        root: a local path, or an fsspec URL such as ``s3://bucket/packages``.
        scratch: local folder for what is being written; on the same disk as a local root.
    """

    def __init__(self, root: str | Path, scratch: Path) -> None:
        self._remote = "://" in str(root)
        self._root = str(root).rstrip("/")
        self._scratch = scratch
        self._shown = redact_url(self._root) if self._remote else self._root
        self._filesystem: Any = None
        if self._remote:
            self._filesystem, self._path = fsspec.core.url_to_fs(self._root)
        else:
            self._path = str(Path(self._root).absolute())

    @contextmanager
    def new_folder(self, name: str) -> Iterator[Path]:
        """Write files into the yielded local folder; at the end of the block they are durable under ``name``.

        Raises:
            StoreError: the disk is full or cannot be written; nothing is left behind.
        """
        try:
            with private_folder(self._scratch) as aside:
                yield aside
                self._put(aside, name)
        except OSError as error:
            raise StoreError(
                f"Writing {name} failed: {_reason(error)}.",
                code="disk_full" if error.errno in _FULL else "store_unusable",
                hint="Free some space (or mend the folder's rights) and run again: what was sealed before is kept.",
                context={"folder": self._shown},
            ) from error

    def sweep(self) -> int:
        """Remove what killed processes were writing when they died; return how many folders that were."""
        return sweep_abandoned(self._scratch)

    def _put(self, aside: Path, name: str) -> None:
        if self._remote:
            self._upload(aside, name)
            return
        for file in aside.iterdir():
            make_durable(file)
        make_durable(aside)
        target = Path(self._path) / name
        _make_durably(target.parent)
        aside.rename(target)
        make_durable(target.parent)

    def _upload(self, aside: Path, name: str) -> None:
        try:
            for file in sorted(aside.iterdir()):
                self._filesystem.put_file(str(file), f"{self._path}/{name}/{file.name}")
        except OSError:
            raise
        except Exception as error:
            # Every object store's client has exceptions of its own.
            raise StoreError(
                f"Writing {name} failed: {type(error).__name__}: {redact(str(error))}.",
                hint="Check that the place can be reached and written; run again: what was sealed before is kept.",
                context={"folder": self._shown},
            ) from error

    def files(self, name: str, size: int | None = None) -> dict[str, str]:
        """Return a folder's Parquet files by stem, as paths DuckDB can read.

        Args:
            name: the folder.
            size: bytes that all its files together must have, if that is known.

        Raises:
            StoreError: the folder does not hold what was put there.
        """
        sizes = self._sizes(name)
        if size is not None and sum(sizes.values()) != size:
            raise StoreError(
                f"{name} holds {sum(sizes.values())} bytes; {size} were put there.",
                code="package_incomplete",
                hint="Put the folder back from a backup; everything else was loaded.",
                context={"folder": self._shown},
            )
        return {Path(path).stem: path for path in sizes if path.endswith(".parquet")}

    def _sizes(self, name: str) -> dict[str, int]:
        """Return the bytes of a folder's files, by paths DuckDB can read."""
        if self._remote:
            protocol = self._root.split("://", 1)[0]
            return {f"{protocol}://{entry['name']}": int(entry["size"]) for entry in self._listed(name)}
        folder = Path(self._path) / name
        return {str(path): path.stat().st_size for path in folder.iterdir()} if folder.is_dir() else {}

    def register(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let a DuckDB connection read from a remote root."""
        if not self._remote:
            return
        protocol = self._filesystem.protocol
        names = (protocol,) if isinstance(protocol, str) else protocol
        if not any(connection.filesystem_is_registered(name) for name in names):
            connection.register_filesystem(self._filesystem)

    def folders(self, prefix: str) -> list[str]:
        """Return the names of the folders below ``prefix``."""
        if self._remote:
            return [f"{prefix}/{entry['name'].rstrip('/').rsplit('/', 1)[-1]}" for entry in self._listed(prefix)]
        folder = Path(self._path) / prefix
        return [f"{prefix}/{path.name}" for path in folder.iterdir()] if folder.is_dir() else []

    def _listed(self, name: str) -> list[dict[str, Any]]:
        """Return what is in a remote folder; object stores have no empty folders, so a missing one holds nothing."""
        self._filesystem.invalidate_cache()
        try:
            return list(self._filesystem.ls(f"{self._path}/{name}", detail=True))
        except FileNotFoundError:
            return []

    def remove(self, names: Iterable[str]) -> None:
        """Remove folders; one that is gone already is fine."""
        for name in names:
            if self._remote:
                if self._filesystem.exists(f"{self._path}/{name}"):
                    self._filesystem.rm(f"{self._path}/{name}", recursive=True)
            else:
                shutil.rmtree(Path(self._path) / name, ignore_errors=True)


def _reason(error: OSError) -> str:
    return error.strerror or redact(str(error)) or type(error).__name__


def _make_durably(folder: Path) -> None:
    """Make a folder and those above it so that they survive a loss of power."""
    if folder.is_dir():
        return
    _make_durably(folder.parent)
    folder.mkdir(exist_ok=True)
    make_durable(folder.parent)


def make_durable(path: Path) -> None:
    """Bring a file (or a folder's list of files) to the disk, so that a power cut does not lose it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
