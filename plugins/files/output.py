"""How a ``files`` connection writes: its settings and the names of its files. Pure."""

from __future__ import annotations

import hashlib
import re
from string import Formatter
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = ["ANY_DATE", "MANIFEST_SUFFIX", "WriteSettings", "file_name", "safe_name"]

MANIFEST_SUFFIX: Final = ".manifest.json"
_PLACEHOLDERS: Final = frozenset({"target", "batch_id", "date"})
_UNSAFE: Final = re.compile(r"[^\w.-]+")
_UNSAFE_TEMPLATE: Final = re.compile(r"[^\w.{} -]")
_LONGEST_PART: Final = 64
ANY_DATE: Final = "????-??-??"
_Template = Annotated[str, Field(min_length=1, max_length=60)]
_TargetName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,59}$")]


class WriteSettings(BaseModel):
    """What the ``files`` destination writes into the connection's folder.

    Attributes:
        format: ``csv`` (UTF-8) or ``parquet``.
        gzip: pack CSV files; the name gets ``.gz``. Parquet is always packed inside (zstd).
        bom: begin CSV files with a byte-order mark, so that Excel shows Chinese right.
        delimiter: of CSV files.
        formula_guard: put ``'`` before text that a spreadsheet would run as a formula (begins with ``= + - @``, tab or
            carriage return). Plain signed numbers such as ``+8615400000000`` and ``-12.5`` are left alone. Switch off only for
            files that no spreadsheet opens.
        columns: just these columns in this order; else all mapped ones, in the order of the mapping.
        key_column: column that holds the row's key, first in the file; empty for none.
        operation_column: column of ``changes`` files that holds ``create``, ``update`` or ``delete``.
        audiences: names of the targets that hold a whole set each.
        changes: names of the targets that get one file of changes per push.
        audience_file: name of an audience's file without its ending; ``{target}`` and ``{date}`` are replaced.
        changes_file: name of a file of changes without its ending; ``{target}``, ``{date}`` and ``{batch_id}`` are replaced.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["csv", "parquet"] = "csv"
    gzip: bool = False
    bom: bool = False
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    formula_guard: bool = True
    columns: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    key_column: str = "key"
    operation_column: Annotated[str, Field(min_length=1)] = "operation"
    audiences: tuple[_TargetName, ...] = ("audience",)
    changes: tuple[_TargetName, ...] = ("changes",)
    audience_file: _Template = "{target}"
    changes_file: _Template = "{target}-{batch_id}"

    @field_validator("audience_file", "changes_file")
    @classmethod
    def _is_template(cls, template: str) -> str:
        unknown = _fields(template) - _PLACEHOLDERS
        if unknown or _UNSAFE_TEMPLATE.search(template) or template.startswith("."):
            raise ValueError("may hold {target}, {date} and {batch_id}, no folder, and does not begin with a dot")
        return template

    @field_validator("columns")
    @classmethod
    def _are_distinct(cls, columns: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if columns is not None and len(set(columns)) < len(columns):
            raise ValueError("names a column twice")
        return columns

    @model_validator(mode="after")
    def _fits_together(self) -> WriteSettings:
        names = [*self.audiences, *self.changes]
        if len(set(names)) < len(names) or not names:
            raise ValueError("audiences and changes must name at least one target, and each name once")
        if "batch_id" in _fields(self.audience_file):
            raise ValueError("audience_file must not hold {batch_id}: every push would leave a file behind")
        if "batch_id" not in _fields(self.changes_file):
            raise ValueError("changes_file must hold {batch_id}, else one push overwrites the other")
        several = {"audience_file": self.audiences, "changes_file": self.changes}
        if any(len(targets) > 1 and "target" not in _fields(getattr(self, key)) for key, targets in several.items()):
            raise ValueError("with several targets of a kind their file name must hold {target}")
        if self.gzip and self.format == "parquet":
            raise ValueError("gzip is for CSV; Parquet files are packed inside")
        if self.delimiter in '"\r\n' or self.delimiter.isalnum():
            raise ValueError("delimiter must be a separator such as , ; | or a tab")
        return self

    @property
    def ending(self) -> str:
        """Return the ending of file names."""
        return f".{self.format}{'.gz' if self.gzip else ''}"

    def template(self, target: str) -> str:
        """Return the name template of a target."""
        return self.audience_file if target in self.audiences else self.changes_file


def _fields(template: str) -> set[str]:
    try:
        parts = list(Formatter().parse(template))
    except ValueError:
        return {"unreadable"}
    return {
        name for _, name, spec, conversion in parts if name is not None for name in (name, spec, conversion) if name
    }


def safe_name(text: str) -> str:
    """Return ``text`` as a part of a file name: letters of any script, digits, ``_``, ``-`` and ``.``, nothing else.

    What had to be changed gets a digest of the whole text behind it, so that different texts stay different.
    """
    safe = _UNSAFE.sub("_", text).lstrip(".")
    if safe == text and 0 < len(text) <= _LONGEST_PART:
        return text
    return f"{safe[:_LONGEST_PART]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def file_name(settings: WriteSettings, target: str, *, batch_id: str, date: str = ANY_DATE) -> str:
    """Return the name of the file that a push writes.

    Args:
        settings: templates and ending.
        target: name of the target.
        batch_id: the push's batch.
        date: ``YYYY-MM-DD`` in the chain's time zone; unless given, a pattern for the file of any day.
    """
    parts = {"target": safe_name(target), "batch_id": safe_name(batch_id), "date": date}
    return settings.template(target).format(**parts) + settings.ending
