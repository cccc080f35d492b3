"""Settings of a ``files`` connection."""

from __future__ import annotations

import codecs
import datetime as dt
import os
from typing import Annotated, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator

from hub.source import ConnectionConfig
from plugins.files.output import WriteSettings

__all__ = ["FilesConfig", "Options"]

Options: TypeAlias = SecretStr | bool | int | float | dict[str, SecretStr | bool | int | float]
"""A value for the file system's driver; every text is treated as a secret."""


class FilesConfig(ConnectionConfig):
    """Files of one kind in one folder.

    Attributes:
        url: a folder, a file or a glob (``drops/**/*.csv``), local or any fsspec URL (``s3://``, ``sftp://``, ``memory://`` …).
        mapping: name of a shipped mapping profile, path of a TOML file, or the profile itself (perhaps with ``extends``).
        options: what the file system's driver needs: keys, endpoints; see its documentation.
        format: what all files are, whatever their names end in.
        encoding: of text files; found out per file if not given. Big5 is never guessed.
        delimiter: of text files; found out per file if not given.
        sheet: of workbooks; the first one with a known header if not given.
        timezone: of times without an offset; the profile's, then the hub's if not given.
        day_cutoff: when the shop's day begins; the profile's, then the hub's if not given.
        scope: within what member numbers are unique; give connections of one member system the same scope.
        marker: read a file only when ``<name><marker>`` or ``<stem><marker>`` lies beside it (``.ok``, ``.done``); a number in
            the marker is the number of rows the file must have.
        settle_seconds: leave a file alone until it has not been written to for this long.
        max_bytes: largest file after unpacking.
        max_ratio: how many times larger than the packed file it may become.
        max_bad_rows: a file with more bad rows is refused as a whole: its mapping is wrong, not its rows.
        header_changes: ``reject`` refuses a file that lost a known column and has a new unknown one (a renamed header would lose
            data silently); ``accept`` notes it and reads on.
        forget_after_days: how long a file that is gone from the folder is remembered.
        memory: DuckDB's memory limit while a file is read, e.g. ``1GB``; by threads and columns of the file if not given, never by
            its rows.
        threads: DuckDB's threads.
        write: makes this a folder that the hub writes into instead of reading from it; see :class:`WriteSettings`.
    """

    url: str = Field(min_length=1)
    mapping: str | dict[str, Any] = "zh_pos"
    options: dict[str, Options] = Field(default_factory=dict)
    format: Literal["csv", "excel", "parquet", "jsonl"] | None = None
    encoding: str | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    sheet: str | None = None
    timezone: str | None = None
    day_cutoff: dt.time | None = None
    scope: str | None = None
    marker: Annotated[str, Field(pattern=r"^\.\w+$")] | None = None
    settle_seconds: Annotated[float, Field(ge=0)] = 30
    max_bytes: Annotated[int, Field(gt=0)] = 8 << 30
    max_ratio: Annotated[int, Field(gt=1)] = 200
    max_bad_rows: Annotated[int, Field(ge=0)] = 20_000
    header_changes: Literal["reject", "accept"] = "reject"
    forget_after_days: Annotated[int, Field(ge=1)] = 180
    memory: Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?[KMGT]i?B$")] | None = None
    threads: Annotated[int, Field(ge=1)] = min(4, os.cpu_count() or 1)
    write: WriteSettings | None = None

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        try:
            return codecs.lookup(value).name if value else None
        except LookupError:
            raise ValueError(f"there is no encoding {value!r}; use utf-8, gb18030, big5, utf-16 …") from None

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str | None) -> str | None:
        try:
            return ZoneInfo(value).key if value else None
        except (KeyError, ValueError, OSError):
            raise ValueError(f"there is no time zone {value!r}; use a name such as 'Asia/Shanghai'") from None
