"""The one pass over a file's texts: every cell becomes a value, every row gets a verdict.

The result is a Parquet file in the scratch folder with the rows in the file's order, so that a row's place is its ordinal.
``status`` is NULL for a good row, ``blank`` or ``total`` for a row that is no data, else the row's faults as
``code:field`` joined by semicolons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from plugins.files.mapping.fields import FIELDS, Field, Kind, StreamName
from plugins.files.mapping.headers import Header
from plugins.files.mapping.profile import Profile
from plugins.files.reading.expressions import identifier, literal, value_of
from plugins.files.reading.raw import RawRows

__all__ = ["SQL_TYPES", "TypedRows", "joined", "key_parts", "word_case", "write_typed"]

SQL_TYPES: Final[Mapping[Kind, str]] = {
    Kind.TEXT: "VARCHAR",
    Kind.CODE: "VARCHAR",
    Kind.NUMBER: "DECIMAL(18,4)",
    Kind.MONEY: "DECIMAL(18,4)",
    Kind.FLOAT: "DOUBLE",
    Kind.TIME: "TIMESTAMP",
    Kind.DATE: "DATE",
    Kind.CLOCK: "TIME",
    Kind.BIRTHDAY: "VARCHAR",
    Kind.FLAG: "BOOLEAN",
    Kind.LIST: "VARCHAR[]",
}

_UNREADABLE: Final[Mapping[Kind, str]] = {
    Kind.NUMBER: "number_unreadable",
    Kind.MONEY: "number_unreadable",
    Kind.FLOAT: "number_unreadable",
    Kind.TIME: "time_unreadable",
    Kind.DATE: "time_unreadable",
    Kind.CLOCK: "time_unreadable",
    Kind.BIRTHDAY: "time_unreadable",
    Kind.FLAG: "flag_unreadable",
}

_TIME_PARTS: Final = ("ordered_at", "ordered_date", "ordered_time", "business_date")
_KEY_LENGTH: Final = 512


@dataclass(frozen=True)
class TypedRows:
    """The typed rows of a file.

    Attributes:
        path: the Parquet file.
        header: the file's header.
        fields: the fields that are columns of the file.
        constants: SQL of the fields that are the same on all rows: constants and what the patterns found.
        stream: what the rows become.
        key_field: the field that is the whole id; its column is ``key``.
        total: number of rows, good and bad.
    """

    path: Path
    header: Header
    fields: Mapping[str, Field]
    constants: Mapping[str, str]
    stream: StreamName
    key_field: str | None
    total: int

    @property
    def source(self) -> str:
        """SQL of the rows, with their ordinal as ``rid``."""
        return (
            f"(SELECT *, file_row_number AS rid FROM read_parquet({literal(str(self.path))}, file_row_number = true))"
        )

    def column(self, name: str) -> str:
        """Return the SQL of a field: its column, its constant, or a typed NULL if the file does not have it."""
        if name == self.key_field:
            return "key"
        if name in self.fields:
            return identifier(name)
        return self.constants.get(name, f"NULL::{SQL_TYPES[FIELDS[self.stream][name].kind]}")

    def has(self, name: str) -> bool:
        """Say whether a field is known, from a column or as a constant."""
        return name in self.fields or name in self.constants


@dataclass(frozen=True)
class _Cell:
    """One field's SQL: the text it comes from, and how it is read."""

    field: Field
    text: str

    @property
    def value(self) -> str:
        return f"{value_of(self.field.kind, self.text)} AS {identifier(self.field.name)}"


def write_typed(
    connection: duckdb.DuckDBPyConnection, raw: RawRows, profile: Profile, given: Mapping[str, str], path: Path
) -> TypedRows:
    """Read the file once and write its typed rows to ``path``.

    Args:
        connection: of :func:`plugins.files.reading.settings.session`.
        raw: the file.
        profile: the mapping.
        given: texts of fields that no column provides, from constants and patterns.
        path: where the Parquet file goes.
    """
    header, known = raw.head.header, FIELDS[profile.stream]
    cells = [_Cell(known[name], f"c{column}") for name, column in header.fields.items()]
    fields = {cell.field.name: cell.field for cell in cells}
    constants = {name: value_of(known[name].kind, literal(text)) for name, text in given.items() if name not in fields}
    query = _query(raw, profile, cells, constants)
    connection.execute(
        f"COPY ({query}) TO {literal(str(path))} (FORMAT parquet, COMPRESSION lz4_raw, WRITE_BLOOM_FILTER false)"
    )
    total = connection.execute(f"SELECT count(*) FROM read_parquet({literal(str(path))})").fetchone()
    key_field = _key_field(profile, fields, constants)
    return TypedRows(path, header, fields, constants, profile.stream, key_field, total[0] if total else 0)


def _key_field(profile: Profile, fields: Mapping[str, Field], constants: Mapping[str, str]) -> str | None:
    """Return the one column that is the record's whole id, if it is one."""
    parts = _present(profile, {**{name: name for name in fields}, **constants})
    if len(parts) != 1 or len(parts[0]) != 1 or parts[0][0] not in fields:
        return None
    return parts[0][0] if fields[parts[0][0]].kind in (Kind.CODE, Kind.TEXT) else None


def _query(raw: RawRows, profile: Profile, cells: list[_Cell], constants: Mapping[str, str]) -> str:
    fields = {cell.field.name: identifier(cell.field.name) for cell in cells} | dict(constants)
    values = ", ".join(["*", *(cell.value for cell in cells), *_extra_columns(raw.head.header, profile)])
    derived = ", ".join(f"{sql} AS {name}" for name, sql in _derived(profile, cells, fields).items())
    everything = f"SELECT *, {derived} FROM (SELECT {values} FROM {raw.relation()})"
    # What is wrong is spelled out only for rows that one of the cheap tests doubts.
    tests, named = zip(*_faults(profile, cells, fields), strict=True)
    doubtful = " OR ".join(f"({test})" for test in tests)
    faults = f"CASE WHEN {doubtful} THEN concat_ws(';', {', '.join(named)}, NULL) END"
    skipped = _key_field(profile, {cell.field.name: cell.field for cell in cells}, constants)
    kept = _kept(raw, profile, [cell.field.name for cell in cells if cell.field.name != skipped])
    return f"SELECT {kept}, {_status(raw, profile, cells)} AS status FROM (SELECT *, {faults} AS faults FROM ({everything}))"


def _extra_columns(header: Header, profile: Profile) -> Iterator[str]:
    """Yield the columns beside the fields: payment methods ``t<n>``, choices, and what nobody knows as ``u<n>``."""
    for column in header.tenders.values():
        yield f"as_money(c{column}) AS t{column}"
    if header.options:
        texts = ", ".join(f"as_text(c{column})" for column in header.options)
        yield f"list_filter([{texts}], lambda x: x IS NOT NULL) AS options"
    if profile.unknown == "extra":
        for column in header.unknown.values():
            yield f"as_text(c{column}) AS u{column}"


def _derived(profile: Profile, cells: list[_Cell], fields: Mapping[str, str]) -> dict[str, str]:
    derived = {"key": joined(key_parts(profile, fields))}
    if profile.stream is StreamName.ORDERS:
        derived |= {"ts": _moment(cells, fields), "time_text": _time_text(cells)}
        if "kind" in fields:
            derived["row_kind"] = word_case(fields["kind"], {word: kind.value for word, kind in profile.kinds.items()})
    return derived


def word_case(text: str, meanings: Mapping[str, str], otherwise: str = "NULL") -> str:
    """Return the SQL that gives the meaning of the first word found in a text."""
    cases = " ".join(
        f"WHEN contains({text}, {literal(word)}) THEN {literal(value)}" for word, value in meanings.items()
    )
    return f"CASE {cases} ELSE {otherwise} END" if cases else otherwise


def key_parts(profile: Profile, fields: Mapping[str, str]) -> list[str]:
    """Return the SQL of each part of the record's id, as text; a part the file has no field for is left out.

    Args:
        profile: which fields make the id.
        fields: SQL of the fields there are.
    """
    parts = []
    for names in _present(profile, fields):
        texts = ", ".join(_as_text(name, fields[name], profile) for name in names)
        parts.append(f"coalesce({texts})" if len(names) > 1 else texts)
    return parts


def _as_text(name: str, sql: str, profile: Profile) -> str:
    texts = (Kind.CODE, Kind.TEXT)
    return sql if FIELDS[profile.stream][name].kind in texts else f"CAST({sql} AS VARCHAR)"


def joined(parts: Sequence[str]) -> str:
    """Return the SQL of a record's id made of its parts."""
    return parts[0] if len(parts) == 1 else f"concat_ws('/', {', '.join(parts) or 'NULL'})"


def _moment(cells: list[_Cell], fields: Mapping[str, str]) -> str:
    """Return the SQL of a ticket's time: one column, or a date and a time of day in two, or in the title and a column."""
    day = [f"CAST({fields[name]} AS TIMESTAMP)" for name in ("ordered_date", "business_date") if name in fields]
    clock = [fields["ordered_time"]] if "ordered_time" in fields else []
    clock += [
        f"CASE WHEN ordered_at IS NULL THEN as_clock({cell.text}) END"
        for cell in cells
        if cell.field.name == "ordered_at"
    ]
    options = [fields["ordered_at"]] if "ordered_at" in fields else []
    if day and clock:
        options.append(f"CAST(coalesce({', '.join(day)}) AS DATE) + coalesce({', '.join(clock)})")
    return f"coalesce({', '.join([*options, *day, 'NULL::TIMESTAMP'])})"


def _time_text(cells: list[_Cell]) -> str:
    texts = [cell.text for name in _TIME_PARTS for cell in cells if cell.field.name == name]
    return texts[0] if len(texts) == 1 else f"nullif(concat_ws(' ', {', '.join(texts) or 'NULL'}), '')"


def _faults(profile: Profile, cells: list[_Cell], fields: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return what can be wrong with a row: a cheap test that every faulty row passes, and the SQL that names the fault."""
    faults = [
        (f"{part} IS NULL", f"CASE WHEN {part} IS NULL THEN 'value_missing:{names[0]}' END")
        for names, part in zip(_present(profile, fields), key_parts(profile, fields), strict=True)
    ]
    long = f"length(key) > {_KEY_LENGTH}"
    faults.append((long, f"CASE WHEN {long} THEN 'key_too_long:{_present(profile, fields)[-1][0]}' END"))
    if profile.stream is StreamName.ORDERS:
        faults.append(("ts IS NULL", "CASE WHEN ts IS NULL THEN 'value_missing:ordered_at' END"))
    elif profile.stream in (StreamName.PRODUCTS, StreamName.STORES):
        faults.append(("name IS NULL", "CASE WHEN name IS NULL THEN 'value_missing:name' END"))
    return [*faults, *(fault for cell in cells if (fault := _fault(cell)))]


def _present(profile: Profile, fields: Mapping[str, str]) -> list[list[str]]:
    present = [[name for name in alternatives if name in fields] for alternatives in profile.key_fields]
    return [names for names in present if names]


def _fault(cell: _Cell) -> tuple[str, str] | None:
    name, text = cell.field.name, cell.text
    if cell.field.kind is Kind.CODE:
        mangled = f"regexp_full_match(trimmed({text}), '[+-]?\\d(\\.\\d+)?[Ee]\\+\\d+')"
        return f"contains({text}, '+')", f"CASE WHEN {mangled} THEN 'id_mangled:{name}' END"
    code = _UNREADABLE.get(cell.field.kind)
    if code is None:
        return None
    missing = f"{identifier(name)} IS NULL AND {text} IS NOT NULL"
    given = f"known({text}) IS NOT NULL"
    if name == "ordered_at":
        given = f"as_clock({text}) IS NULL AND {given}"
    return missing, f"CASE WHEN {missing} AND {given} THEN '{code}:{name}' END"


def _kept(raw: RawRows, profile: Profile, fields: Sequence[str]) -> str:
    """Return the columns later steps need; what has become part of another one is left behind."""
    header = raw.head.header
    names = ["key", *(identifier(name) for name in fields)]
    if profile.stream is StreamName.ORDERS:
        names = [name for name in names if name.strip('"') not in ("ordered_at", "ordered_date", "ordered_time")]
        names += ["ts", "time_text", *(["row_kind"] if "kind" in fields else [])]
    names += [f"t{column}" for column in header.tenders.values()] + (["options"] if header.options else [])
    if profile.unknown == "extra":
        names += [f"u{column}" for column in header.unknown.values()]
    return ", ".join(names)


def _status(raw: RawRows, profile: Profile, cells: Sequence[_Cell]) -> str:
    columns = [f"c{number}" for number in range(len(raw.head.header.names))]
    first = f"coalesce({', '.join(f'trimmed({column})' for column in columns)})"
    words = "|".join(re.escape(word) for word in profile.total_words)
    begins = literal(f"^({words})" if words else "^$.")
    # A total is named where the id stands, or in any place of a row that lacks something: 合计套餐 may be a product's name.
    parts = {name for names in profile.key_fields for name in names}
    named = [
        f"CASE WHEN {_foreign(cell, profile)} THEN regexp_matches({cell.text}, {begins}) END"
        for cell in cells
        if cell.field.name in parts
    ]
    return (
        f"CASE WHEN {raw.wrong} THEN 'json_invalid:' WHEN coalesce({', '.join([*(f'nullif({test}, false)' for test in named), 'false'])}) THEN 'total' "
        f"WHEN faults <> '' THEN CASE WHEN {first} IS NULL THEN 'blank' "
        f"WHEN contains(faults, 'value_missing') AND regexp_matches({first}, {begins}) THEN 'total' ELSE faults END END"
    )


def _foreign(cell: _Cell, profile: Profile) -> str:
    """Return a cheap test that every text passes which begins with a total word, and most ids do not."""
    return f"{cell.text} > '~'" if all(word > "~" for word in profile.total_words) else f"{cell.text} IS NOT NULL"
