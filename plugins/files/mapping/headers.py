"""Find the header in the first rows of a file and say which column is which field."""

from __future__ import annotations

import csv
import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from hub.errors import RowError
from plugins.files.mapping.profile import Profile

__all__ = ["DELIMITERS", "HEAD_ROWS", "Head", "Header", "find_header", "normal_header", "sniff_csv"]

HEAD_ROWS = 60
"""How many rows are looked at to find the header: reports put up to a dozen lines above it."""

DELIMITERS = (",", "\t", ";", "|")

_UNIT = re.compile(r"[(\[【/]?(?:单位[:：]?)?(?:人民币|rmb|cny)?[元￥¥][)\]】]?$")
_NOISE = re.compile(r"[\s　()\[\]【】<>《》:：*_\"'“”．.、,，-]+")


def normal_header(text: str) -> str:
    """Return a header as it is compared: no BOM, white space, brackets, colon, unit (元); half width, lower case.

    >>> normal_header(" 实收金额（元） "), normal_header("Unit Price"), normal_header("手机号：")
    ('实收金额', 'unitprice', '手机号')
    """
    plain = unicodedata.normalize("NFKC", text.replace("﻿", "")).strip().lower()
    return _NOISE.sub("", _UNIT.sub("", plain))


@dataclass(frozen=True)
class Header:
    """A file's columns and what the profile makes of them.

    Attributes:
        names: the headers as they stand in the file, made distinct; one per column.
        fields: column number by field.
        tenders: column number by header of a payment-method column.
        options: column numbers of choices without a price.
        unknown: column number by header of columns nobody knows.
        dropped: headers that are left out.
    """

    names: tuple[str, ...]
    fields: Mapping[str, int]
    tenders: Mapping[str, int] = field(default_factory=dict)
    options: tuple[int, ...] = ()
    unknown: Mapping[str, int] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()

    @cached_property
    def recognised(self) -> int:
        """How many columns are known."""
        return len(self.fields) + len(self.tenders) + len(self.options)

    def missing(self, profile: Profile, given: Iterable[str] = ()) -> list[tuple[str, ...]]:
        """Return the required fields that neither a column nor ``given`` provides, each with its alternatives."""
        have = {*self.fields, *given, *profile.constants}
        return [alternatives for alternatives in profile.required_fields if not have & set(alternatives)]

    def name_of(self, field_name: str) -> str:
        """Return the file's own header of a field (the field's name if a constant stands in)."""
        column = self.fields.get(field_name)
        return field_name if column is None else self.names[column]


@dataclass(frozen=True)
class Head:
    """The beginning of a file: which row is the header, and what stands above it.

    Attributes:
        header: the columns.
        row: position of the header among the rows, from 0.
        title: the text of the rows above.
    """

    header: Header
    row: int
    title: str


def find_header(rows: Sequence[Sequence[str]], profile: Profile) -> Head:
    """Return the row that fits the profile best: rows of a report's title above it are no header.

    Raises:
        RowError: no row has even one known header; the message names what was looked for.
    """
    best: tuple[int, int, Header] | None = None
    for position, row in enumerate(rows[:HEAD_ROWS]):
        header = _match(_fitted(row, rows[position + 1 :]), profile)
        fit = header.recognised - 100 * len(header.missing(profile))
        if header.recognised and (best is None or fit > best[0]):
            best = (fit, position, header)
    if best is None:
        raise RowError("none of the first rows is a header the mapping knows", code="header_unknown")
    _, position, header = best
    title = "\n".join(" ".join(cell.strip() for cell in row if cell.strip()) for row in rows[:position])
    return Head(header, position, title)


def nearest(alternatives: Iterable[str], header: Header, profile: Profile) -> list[str]:
    """Return the file's unknown headers that look most like those the profile has for a field."""
    wanted = [normal_header(text) for name in alternatives for text in profile.columns.get(name, ())]
    known = {normal_header(name): name for name in header.unknown}
    scored = [
        (max((difflib.SequenceMatcher(None, text, other).ratio() for other in wanted), default=0.0), name)
        for text, name in known.items()
    ]
    return [name for score, name in sorted(scored, reverse=True) if score >= 0.4][:3]


def _match(row: Sequence[str], profile: Profile) -> Header:
    names = _distinct(row)
    position = {normal_header(name): column for column, name in reversed(list(enumerate(names))) if name}
    fields: dict[str, int] = {}
    for name, headers in profile.columns.items():
        found = next((position[text] for text in map(normal_header, headers) if text in position), None)
        if found is not None:
            fields[name] = found
    taken = set(fields.values())
    tenders = {
        names[position[text]]: position[text] for text in map(normal_header, profile.tender_columns) if text in position
    }
    options = tuple(position[text] for text in map(normal_header, profile.options) if text in position)
    dropped = {normal_header(name) for name in profile.drop}
    taken |= {*tenders.values(), *options}
    rest = {name: column for column, name in enumerate(names) if name and column not in taken}
    unknown = {name: column for name, column in rest.items() if normal_header(name) not in dropped}
    return Header(names, fields, tenders, options, unknown, tuple(name for name in rest if name not in unknown))


def _distinct(row: Sequence[str]) -> tuple[str, ...]:
    """Return the headers trimmed, so that every column can be named: an empty or repeated one gets its number."""
    seen: dict[str, int] = {}
    names = []
    for number, cell in enumerate(row, 1):
        name = cell.replace("﻿", "").strip() or f"column_{number}"
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return tuple(names)


def _fitted(row: Sequence[str], below: Sequence[Sequence[str]]) -> Sequence[str]:
    """Return the header as wide as the rows below it: some exports end every row but the header with a delimiter."""
    widths = [len(cells) for cells in below if any(cell.strip() for cell in cells)]
    usual = max(set(widths), key=widths.count) if widths else len(row)
    if usual > len(row):
        return [*row, *[""] * (usual - len(row))]
    return row if any(cell.strip() for cell in row[usual:]) else row[:usual]


def sniff_csv(sample: str, profile: Profile, delimiter: str | None = None) -> tuple[str, list[list[str]]]:
    """Return the delimiter under which most headers of the profile are recognised, and the sample's rows.

    Args:
        sample: the beginning of the file, whole lines.
        profile: whose headers are looked for.
        delimiter: the configured one; nothing is guessed then.
    """
    best: tuple[int, str, list[list[str]]] | None = None
    for candidate in (delimiter,) if delimiter else DELIMITERS:
        rows = list(csv.reader(sample.splitlines(keepends=True), delimiter=candidate))
        fit = max((_match(row, profile).recognised for row in rows[:HEAD_ROWS]), default=0)
        if best is None or fit > best[0]:
            best = (fit, candidate, rows)
    if best is None:
        raise AssertionError("there is always a delimiter to try")
    return best[1], best[2]
