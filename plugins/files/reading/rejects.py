"""Tell which rows of a file could not be used, where they stand, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import duckdb
import orjson

from hub.source import Reject
from plugins.files.mapping.headers import Header
from plugins.files.reading.errors import RejectedFileError
from plugins.files.reading.raw import RawRows
from plugins.files.reading.settings import Settings
from plugins.files.reading.typed import TypedRows

__all__ = ["BadRow", "RowReport"]

_REASONS: Final[Mapping[str, str]] = {
    "value_missing": "{header} is empty",
    "number_unreadable": "{header} is not a number the hub can read (or too large)",
    "time_unreadable": "{header} is not a date or time the hub can read",
    "flag_unreadable": "{header} is neither yes nor no",
    "key_too_long": "the record's id is longer than 512 characters",
    "json_invalid": "the line is not a JSON object",
    "amount_missing": "the line has neither an amount nor a price",
    "ticket_contradicts": "the row differs in shop, register, total or by many hours from line {other}, which has the same {header}: "
    "two tickets under one number, or a wrong key or amounts in the mapping",
    "line_repeated": "{header} is the same as on line {other}, but the rows differ; line {other} was kept",
    "key_repeated": "{header} is the same as on line {other}, but the rows differ; line {other} was kept",
}


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used.

    Attributes:
        ordinal: its place among the rows, from 0.
        faults: code and field of everything that is wrong with it.
        other: the row it clashes with.
    """

    ordinal: int
    faults: Sequence[tuple[str, str]]
    other: int | None = None


class RowReport:
    """The bad rows of one file.

    Args:
        connection: DuckDB session of the file.
        raw: the file.
        rows: its typed rows.
        settings: how many bad rows a file may have; what total rows begin with.
        shown: its name.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, raw: RawRows, rows: TypedRows, settings: Settings, shown: str
    ) -> None:
        self._connection, self._raw, self._rows, self._shown = connection, raw, rows, shown
        self._limit = settings.config.max_bad_rows
        self._total_words = settings.profile.total_words
        self._skipped: dict[str, int] = {}
        self._faulty = 0
        self.broken = [row for row in raw.broken(connection) if not self._is_total(row.text)]

    def _is_total(self, text: str) -> bool:
        """A total row is often shorter than the others, and no data."""
        return text.replace('"', "").lstrip("\ufeff ,;\t|").startswith(self._total_words)

    def judge(self) -> None:
        """Count the verdicts; refuse the file if its ids are mangled or most of it is bad."""
        counts = Counter(
            dict(
                self._connection.execute(
                    f"SELECT status, count(*) FROM {self._rows.source} WHERE status IS NOT NULL GROUP BY status"
                ).fetchall()
            )
        )
        self._skipped = {kind: counts.pop(kind, 0) for kind in ("total", "blank")}
        for status in counts:
            for code, field in _faults(status):
                if code == "id_mangled":
                    raise self._mangled(field)
        self._faulty = sum(counts.values()) + len(self.broken)
        if self._faulty > self._limit:
            raise self._hopeless(counts)

    @property
    def data_rows(self) -> int:
        """How many rows are data, good or bad."""
        return self._rows.total + len(self.broken) - sum(self._skipped.values())

    def notes(self) -> list[str]:
        """Return what was skipped without being a fault."""
        total = self._skipped.get("total", 0)
        return [f"{total} total or footer row(s) skipped"] if total else []

    def _mangled(self, field: str) -> RejectedFileError:
        header = self._rows.header.name_of(field)
        ordinals = self._connection.execute(
            f"SELECT min(rid) FROM {self._rows.source} WHERE contains(status, 'id_mangled:{field}')"
        ).fetchone()
        line = next(iter(self._raw.lines([ordinals[0]], self._rows.total).values())) if ordinals else "?"
        return RejectedFileError(
            f"{self._shown}, {self._raw.unit} {line}: {header} was turned into scientific notation (1.2E+17) by a spreadsheet; its "
            "last digits are lost, so the ids of this file are not the real ones.",
            code="id_mangled",
            hint=f"Export it again without opening and saving it in Excel, or format {header} as text before.",
        )

    def _hopeless(self, counts: Mapping[str, int]) -> RejectedFileError:
        reasons: Counter[str] = Counter()
        for status, count in counts.items():
            code, field = _faults(status)[0]
            reasons[self._reason(code, field)] += count
        for row in self.broken:
            reasons[row.reason] += 1
        named = "; ".join(f"{reason}: {count:,} rows" for reason, count in reasons.most_common(3))
        return RejectedFileError(
            f"{self._shown} has {self._faulty:,} bad rows of {self._rows.total + len(self.broken):,}, more than max_bad_rows = "
            f"{self._limit:,}. {named}.",
            code="too_many_bad_rows",
            hint="Its mapping probably does not fit; if the rows are really bad, raise max_bad_rows of this connection.",
        )

    def rejects(self) -> list[Reject]:
        """Return a reject for every bad row, those refused by later checks included.

        Raises:
            RejectedFileError: there are too many.
        """
        bad = self._bad_rows()
        if len(bad) + len(self.broken) > self._limit:
            counts = Counter(";".join(f"{code}:{field}" for code, field in row.faults) for row in bad)
            self._faulty = len(bad) + len(self.broken)
            raise self._hopeless(counts)
        ordinals = {row.ordinal for row in bad} | {row.other for row in bad if row.other is not None}
        lines = self._raw.lines(ordinals, self._rows.total)
        texts = self._texts([row.ordinal for row in bad])
        rejects = [self._reject(row, lines, texts) for row in bad]
        rejects += [
            Reject(f"{self._shown}:{row.line}", "row_broken", f"{row.reason}.", raw=row.text) for row in self.broken
        ]
        return rejects

    def _bad_rows(self) -> list[BadRow]:
        """Read what the checks found; texts that mean a verdict on a good row never get here."""
        if not self._faulty and not self._count_refused():
            return []
        judged = self._connection.execute(
            f"SELECT rid, status FROM {self._rows.source} WHERE status NOT IN ('total', 'blank') ORDER BY rid"
        ).fetchall()
        refused = self._connection.execute("SELECT rid, code, field, other FROM refused ORDER BY rid").fetchall()
        return [
            *(BadRow(rid, _faults(status)) for rid, status in judged),
            *(BadRow(rid, [(code, field)], other) for rid, code, field, other in refused),
        ]

    def _count_refused(self) -> int:
        row = self._connection.execute("SELECT count(*) FROM refused").fetchone()
        return int(row[0]) if row else 0

    def _texts(self, ordinals: list[int]) -> dict[int, str]:
        """Read the bad rows once more, as they came."""
        if not ordinals:
            return {}
        header: Header = self._rows.header
        self._connection.execute(f"CREATE TABLE wanted AS SELECT unnest({ordinals}::BIGINT[]) AS ordinal")
        cells = self._raw.text or ", ".join(f"c{number}" for number in range(len(header.names)))
        found = self._connection.execute(
            f"SELECT ordinal, {cells} FROM (SELECT row_number() OVER () - 1 AS ordinal, * FROM {self._raw.relation(keep_broken=False)}) "
            "WHERE ordinal IN (SELECT ordinal FROM wanted)"
        ).fetchall()
        if self._raw.text:
            return dict(found)
        kept = [(number, name) for number, name in enumerate(header.names) if name not in header.dropped]
        return {row[0]: _as_json({name: row[number + 1] for number, name in kept}) for row in found}

    def _reject(self, row: BadRow, lines: Mapping[int, int], texts: Mapping[int, str]) -> Reject:
        other = lines.get(row.other) if row.other is not None else None
        code, field = row.faults[0]
        reason = "; ".join(dict.fromkeys(self._reason(*fault, other=other) for fault in row.faults))
        column = self._rows.header.name_of(field) if field else None
        place = lines.get(row.ordinal, f"row {row.ordinal + 1}")
        return Reject(f"{self._shown}:{place}", code, f"{reason}.", column, raw=texts.get(row.ordinal))

    def _reason(self, code: str, field: str, *, other: int | None = None) -> str:
        return _REASONS[code].format(header=self._rows.header.name_of(field) if field else "", other=other)


def _faults(status: str) -> list[tuple[str, str]]:
    pairs = (fault.partition(":") for fault in status.split(";"))
    return [(code, field) for code, _, field in pairs]


def _as_json(cells: Mapping[str, str | None]) -> str:
    return orjson.dumps({name: text for name, text in cells.items() if text is not None}).decode()
