"""Put a finished file in its place: whole or not at all, then its manifest. On a disk or on any fsspec URL.

On a disk the file is written beside its place under a name that readers pass over (``.vip.csv.part``), flushed to the disk
and renamed. Elsewhere it is made in the scratch folder and uploaded under such a name, then moved; object stores show an
object only when it is complete.
"""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson
from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from pydantic import BaseModel, SecretStr, ValidationError

from hub.errors import RetryError, StreamError
from hub.redaction import redact_url
from hub.runtime import Runtime
from plugins.files.output import MANIFEST_SUFFIX

__all__ = ["Drop", "Manifest", "measure", "storage_errors"]

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_PROBE: Final = ".hub-check.part"


class Manifest(BaseModel):
    """What lies beside a file and says what it is.

    Attributes:
        file: the file's name.
        kind: ``audience`` (the whole set) or ``changes``.
        target: the target's name.
        connection: the connection's name.
        batch_id: the push that the file last stood for; a repeat of that push leaves everything as it is.
        created_at: when the file was written.
        rows: rows in the file, the header not counted.
        columns: their names, in order.
        operations: how many rows the push created, updated, deleted and kept.
        format: ``csv`` or ``parquet``.
        bytes: size of the file.
        sha256: digest of the file. A reader that finds another one has come between the file and its manifest.
    """

    file: str
    kind: str
    target: str
    connection: str
    batch_id: str
    created_at: dt.datetime
    rows: int
    columns: list[str]
    operations: dict[str, int]
    format: str
    bytes: int
    sha256: str


@contextmanager
def storage_errors(folder: str, connection: str) -> Iterator[None]:
    """Turn what a disk or file system says into what a person can do.

    Raises:
        StreamError: ``disk_full``, ``permission_denied`` or ``folder_unwritable``.
        RetryError: ``storage_unreachable``: the connection to a remote store broke or timed out.
    """
    context = {"connection": connection, "folder": folder}
    try:
        yield
    except (ConnectionError, TimeoutError) as error:
        text = f"The file store does not answer: {type(error).__name__}."
        raise RetryError(text, code="storage_unreachable", context=context) from error
    except OSError as error:
        raise _unwritable(error, context) from error


def _unwritable(error: OSError, context: Mapping[str, object]) -> StreamError:
    if error.errno in _FULL:
        text, code = "The disk is full or a quota is used up.", "disk_full"
        hint = "Free some space and push again. The file of the last push is still in place, unchanged."
    elif error.errno in _FORBIDDEN or isinstance(error, PermissionError):
        text, code = "The folder may not be written to.", "permission_denied"
        hint = "Give the hub's user the right to create and rename files there."
    else:
        text, code = f"The folder cannot be written to: {error.strerror or type(error).__name__}.", "folder_unwritable"
        hint = "Check `url`: it must be a folder, and no file may be in its way."
    return StreamError(text, code=code, hint=hint, context=context)


class Drop:
    """The folder that files are put into.

    Args:
        url: a folder, local (relative to ``hub.toml``) or any fsspec URL.
        options: what the file system's driver needs.
        runtime: the scratch folder and the connection's name.
    """

    def __init__(self, url: str, options: Mapping[str, Any], runtime: Runtime) -> None:
        here = "://" not in url and "::" not in url
        self.shown = url if here else redact_url(url)
        self._runtime = runtime
        self._fs, self._root = _open(str(runtime.path(url)) if here else url, options, runtime.connection)
        self._local = isinstance(self._fs, LocalFileSystem)

    def errors(self) -> AbstractContextManager[None]:
        """Return the context in which this folder's faults are told, see :func:`storage_errors`."""
        return storage_errors(self.shown, self._runtime.connection)

    @contextmanager
    def new_file(self, name: str) -> Iterator[tuple[BinaryIO, Path]]:
        """Open a file that nobody sees yet; it is removed at the end of the block unless :meth:`place` took it."""
        path = Path(self._at(_part(name))) if self._local else self._runtime.scratch / _part(name)
        self._fs.makedirs(self._root, exist_ok=True)
        try:
            # A leftover of a killed process, or a link somebody put there, is not written through.
            path.unlink(missing_ok=True)
            with path.open("xb") as file:
                yield file, path
        finally:
            path.unlink(missing_ok=True)

    def place(self, path: Path, name: str) -> None:
        """Give a finished file its name; an older file of this name is replaced in one step."""
        if self._local:
            _flush_to_disk(path)
            path.replace(self._at(name))
            _flush_to_disk(Path(self._root))
            return
        part = self._at(_part(name))
        try:
            self._fs.put_file(str(path), part)
            self._fs.mv(part, self._at(name))
        except BaseException:
            with suppress(OSError):  # What went wrong first is what counts.
                self._fs.rm_file(part)
            raise

    def place_manifest(self, manifest: Manifest) -> None:
        """Put the manifest beside its file."""
        name = manifest.file + MANIFEST_SUFFIX
        with self.new_file(name) as (file, path):
            file.write(orjson.dumps(manifest.model_dump(mode="json"), option=orjson.OPT_INDENT_2) + b"\n")
            file.flush()
            self.place(path, name)

    def manifest(self, pattern: str, target: str) -> Manifest | None:
        """Return the manifest of a target's file that is in place, complete as far as its size tells.

        Args:
            pattern: the file's name; ``?`` stands for any character, and the last match in the order of names is taken.
            target: the target's name.
        """
        for name in sorted(self._names(pattern + MANIFEST_SUFFIX), reverse=True):
            try:
                manifest = Manifest.model_validate_json(self._fs.cat_file(self._at(name)))
                size = self._fs.info(self._at(manifest.file)).get("size")
            except (FileNotFoundError, ValidationError):
                continue  # Somebody removed the file or wrote over its manifest: as if it were not there.
            if (manifest.target, size) == (target, manifest.bytes):
                return manifest
        return None

    def _names(self, pattern: str) -> list[str]:
        """Return names in the folder; not by the driver's own glob, which would read ``[`` in the folder's name as a pattern."""
        if "?" not in pattern:
            return [pattern]
        self._fs.invalidate_cache()
        try:
            found = self._fs.ls(self._root, detail=False)
        except FileNotFoundError:
            return []
        names = (str(path).rstrip("/").rsplit("/", 1)[-1] for path in found)
        return [name for name in names if fnmatchcase(name, pattern)]

    def probe(self) -> None:
        """Write a small file and remove it.

        Raises:
            StreamError: as :func:`storage_errors`.
        """
        with self.errors(), self.new_file(_PROBE) as (file, path):
            file.write(b"hub check\n")
            file.flush()
            self.place(path, _PROBE)
            self._fs.rm_file(self._at(_PROBE))

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"


def _part(name: str) -> str:
    return f".{name}.part"


def measure(path: Path) -> tuple[int, str]:
    """Return size and SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


def _flush_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _open(url: str, options: Mapping[str, Any], connection: str) -> tuple[AbstractFileSystem, str]:
    try:
        fs, root = url_to_fs(url, **_plain(options))
    except (ImportError, ValueError) as error:
        raise StreamError(
            f"The address {redact_url(url)} cannot be opened: {type(error).__name__}.",
            code="address_unusable",
            hint="Install the fsspec driver it names (s3fs, ossfs, sshfs …) beside the hub, and check `options`.",
            context={"connection": connection, "key": "url"},
        ) from error
    return fs, str(root).rstrip("/")


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _plain_value(value) for key, value in options.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return _plain(value) if isinstance(value, Mapping) else value
