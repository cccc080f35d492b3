"""Which files of a folder are ready to be read."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from pydantic import SecretStr

from hub.errors import StreamError
from hub.redaction import redact_url
from hub.runtime import Runtime
from plugins.files.config import FilesConfig, Options

__all__ = ["Folder", "Found", "Listing"]

_FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".tab": "csv",
    ".xlsx": "excel", ".xls": "excel", ".xlsm": "excel", ".xlsb": "excel", ".ods": "excel",
    ".parquet": "parquet", ".pq": "parquet",
    ".jsonl": "jsonl", ".ndjson": "jsonl",
}  # fmt: skip
_UNFINISHED = re.compile(
    r"(\.(tmp|temp|part|partial|filepart|crdownload|download|swp|writing|uploading)|~)$", re.IGNORECASE
)
_MODIFIED = ("mtime", "LastModified", "last_modified", "updated", "modified", "modify", "created")


@dataclass(frozen=True)
class Found:
    """A delivered file.

    Attributes:
        path: as the file system names it.
        name: below the connection's folder; the key of its state.
        shown: for people: the connection's folder and the name.
        size: bytes as delivered.
        version: changes when the file is written anew (modification time, or the store's ETag).
        modified: when it was written, if the file system knows.
        format: ``csv``, ``excel``, ``parquet`` or ``jsonl``.
        packed: whether it is gzip.
        suffix: without ``.gz``.
        rows: the number of rows its marker file promises.
    """

    path: str
    name: str
    shown: str
    size: int
    version: str
    modified: dt.datetime | None
    format: str
    packed: bool
    suffix: str
    rows: int | None = None


@dataclass
class Listing:
    """What lies in a folder at one moment.

    Attributes:
        ready: files to read, oldest first, so that a correction follows what it corrects.
        waiting: why other files are not read yet, by name.
        names: every data file there is, ready or not.
        ignored: how many files are none of ours: temporary names, markers, other formats.
    """

    ready: list[Found] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    ignored: int = 0


class Folder:
    """The folder or glob of one connection, on any fsspec file system."""

    def __init__(self, config: FilesConfig, runtime: Runtime) -> None:
        self._config, self._runtime = config, runtime
        local = "://" not in config.url and "::" not in config.url
        url = str(runtime.path(config.url)) if local else config.url
        self.fs, self.root = _open(url, config.options, runtime.connection)
        self.shown = config.url if local else redact_url(config.url)
        self._glob = any(character in self.root for character in "*?[")
        fixed = self.root.split("*")[0].split("?")[0].split("[")[0]
        self._base = (fixed.rsplit("/", 1)[0] if self._glob else self.root).rstrip("/")

    def list(self) -> Listing:
        """List the files as they are now.

        Raises:
            StreamError: the folder does not exist or may not be read.
        """
        infos = self._infos()
        listing = Listing()
        for path, info in infos.items():
            found = self._found(path, info)
            if found is None:
                listing.ignored += 1
                continue
            listing.names.add(found.name)
            reason, rows = self._not_ready(found, infos)
            if reason:
                listing.waiting[found.name] = reason
            else:
                listing.ready.append(found if rows is None else replace(found, rows=rows))
        oldest = dt.datetime.min.replace(tzinfo=dt.UTC)
        listing.ready.sort(key=lambda found: (found.modified or oldest, found.name))
        return listing

    def _infos(self) -> dict[str, dict[str, Any]]:
        try:
            self.fs.invalidate_cache()
            if self._glob:
                self.fs.ls(self._base or "/", detail=False)
                found = self.fs.glob(self.root, detail=True)
            elif self.fs.isdir(self.root):
                found = {info["name"]: info for info in self.fs.ls(self.root, detail=True)}
            else:
                found = {self.root: self.fs.info(self.root)}
        except (OSError, PermissionError) as error:
            raise StreamError(
                f"The folder {self.shown} cannot be read: {type(error).__name__}.",
                code="folder_unreadable",
                hint="Check that it exists and that the hub's user may list it; relative paths start where hub.toml is.",
                context={"connection": self._runtime.connection, "key": "url"},
            ) from error
        return {str(path).rstrip("/"): info for path, info in found.items() if info.get("type") == "file"}

    def _found(self, path: str, info: Mapping[str, Any]) -> Found | None:
        name = path[len(self._base) :].lstrip("/") if path != self._base else PurePosixPath(path).name
        last = PurePosixPath(name).name
        plain = last[: -len(".gz")] if last.lower().endswith(".gz") else last
        suffix = PurePosixPath(plain).suffix.lower()
        kind = self._config.format or _FORMATS.get(suffix)
        if (
            last.startswith((".", "~$", "_"))
            or _UNFINISHED.search(last)
            or kind is None
            or suffix == self._config.marker
        ):
            return None
        modified = _modified(info)
        version = str(info.get("ETag") or info.get("etag") or (modified.isoformat() if modified else ""))
        shown = f"{self._base_shown()}/{name}" if path != self._base else self.shown
        return Found(path, name, shown, int(info.get("size") or 0), version, modified, kind, plain != last, suffix)

    def _base_shown(self) -> str:
        if not self._glob:
            return self.shown.rstrip("/")
        head = self.shown.split("*")[0].split("?")[0].split("[")[0]
        return head.rsplit("/", 1)[0] if "/" in head else "."

    def _not_ready(self, found: Found, infos: Mapping[str, Any]) -> tuple[str, int | None]:
        """Say why a file must wait, or how many rows its marker promises."""
        if self._config.marker:
            stem = found.path.removesuffix(".gz").removesuffix(found.suffix)
            for name in (found.path + self._config.marker, stem + self._config.marker):
                if name in infos or self.fs.exists(name):
                    return self._promised_rows(name)
            return f"its {self._config.marker} marker has not come yet", None
        age = (self._runtime.now() - found.modified).total_seconds() if found.modified else None
        if age is not None and 0 <= age < self._config.settle_seconds:
            return (
                f"it was written {age:.0f} s ago and may still grow (settle_seconds = {self._config.settle_seconds:g})",
                None,
            )
        return "", None

    def _promised_rows(self, marker: str) -> tuple[str, int | None]:
        text = self.fs.cat_file(marker)[:200].decode("ascii", "replace").strip()
        number = re.search(r"\d+", text)
        return "", int(number[0]) if number else None


def _open(url: str, options: Mapping[str, Options], connection: str) -> tuple[AbstractFileSystem, str]:
    try:
        fs, root = url_to_fs(url, **_plain(options))
    except (ImportError, ValueError) as error:
        raise StreamError(
            f"The address {redact_url(url)} cannot be opened: {error}.",
            code="address_unusable",
            hint="Install the fsspec driver it names (s3fs, ossfs, sshfs …) beside the hub.",
            context={"connection": connection, "key": "url"},
        ) from error
    return fs, str(root) if isinstance(fs, LocalFileSystem) else str(root).rstrip("/")


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _plain_value(value) for key, value in options.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return _plain(value) if isinstance(value, Mapping) else value


def _modified(info: Mapping[str, Any]) -> dt.datetime | None:
    value = next((info[key] for key in _MODIFIED if info.get(key) is not None), None)
    if isinstance(value, int | float):
        return dt.datetime.fromtimestamp(value, dt.UTC)
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, dt.datetime):
        return value if value.tzinfo else value.replace(tzinfo=dt.UTC)
    return None
