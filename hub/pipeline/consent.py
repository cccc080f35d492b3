"""What people said about being written to: recorded for their profiles, looked up, and read from a file.

A statement is about a purpose and a channel, or about everything, and has a source and a time; a newer one takes the place of an
older one about the same. Who a statement names is looked up in the current snapshot.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from hub.chunks import chunks
from hub.context import Hub
from hub.errors import ConfigError
from hub.pipeline.publish import snapshot_views
from hub.store.push_tables import Consent
from hub.warehouse.engine import Engine
from hub.warehouse.people import spellings

__all__ = ["ConsentReport", "Refused", "Said", "consents_of", "import_consents", "record_consents"]

_CHUNK = 1_000
_COLUMNS = frozenset({"who", "granted", "purpose", "channel", "at"})
_ANSWERS = {
    **dict.fromkeys(("yes", "true", "1", "y", "是"), True),
    **dict.fromkeys(("no", "false", "0", "n", "否"), False),
}
_NAMED = """
    WITH exact AS (SELECT s.line, l.customer_id, l.profile FROM said AS s JOIN links AS l ON l.profile = s.who),
    people AS (
        SELECT s.line, l.customer_id FROM said AS s JOIN links AS l ON l.source_id = s.who
        UNION SELECT s.line, c.customer_id FROM said AS s JOIN customers AS c ON c.customer_id = s.who
        UNION SELECT f.line, i.customer_id FROM forms AS f JOIN customer_identifiers AS i ON i.value = f.form)
    FROM exact
    UNION ALL
    SELECT p.line, p.customer_id, l.profile FROM people AS p JOIN links AS l USING (customer_id) ANTI JOIN exact USING (line)
    ORDER BY ALL"""


@dataclass(frozen=True, slots=True)
class Said:
    """One statement.

    Attributes:
        who: a profile (``pos:1001``), which it then is about alone; or a platform's own id, a customer id, or a phone or
            another identifier as a person writes it, which stand for all of the customer's profiles.
        granted: yes or no.
        purpose: for what; empty for everything.
        channel: how; empty for every way.
        at: when it was said; now, when nobody knows.
        line: where it stands in its file, from 1.
    """

    who: str
    granted: bool
    purpose: str = ""
    channel: str = ""
    at: dt.datetime | None = None
    line: int = 1


@dataclass(frozen=True, slots=True)
class Refused:
    """A statement that was not recorded: its line, a code, and why."""

    line: int
    code: str
    reason: str


@dataclass
class ConsentReport:
    """What became of statements.

    Attributes:
        statements: how many were given.
        recorded: how many were recorded, for all profiles they are about.
        older: how many were left alone because the person had said something since.
        refused: the others.
        customers: ids of those whom the recorded ones are about, of at most a hundred.
    """

    statements: int = 0
    recorded: int = 0
    older: int = 0
    refused: list[Refused] = field(default_factory=list)
    customers: list[str] = field(default_factory=list)


def record_consents(hub: Hub, statements: Iterable[Said], *, source: str, actor: str = "") -> ConsentReport:
    """Record what people said; a statement that cannot be used stops no other.

    A yes under a number that several customers have is refused, for nobody knows whose it is; a no counts for all of them.

    Args:
        hub: the opened hub.
        statements: what was said.
        source: where it was said: a form, a call, a file.
        actor: who records it; the user of this machine unless given.

    Raises:
        ConfigError: nothing was published yet.
    """
    report = ConsentReport()
    with _people(hub) as engine:
        for chunk in chunks(statements, _CHUNK):
            _record(hub, engine, chunk, report, source=source, actor=actor)
    detail = {"statements": report.statements, "recorded": report.recorded, "source": source}
    hub.store.audit("consent_recorded", ", ".join(report.customers[:5]), detail, actor)
    return report


def _record(hub: Hub, engine: Engine, chunk: Sequence[Said], report: ConsentReport, *, source: str, actor: str) -> None:
    named = _named(engine, chunk)
    for one in chunk:
        report.statements += 1
        profiles = named.get(one.line, {})
        people = sorted(set(profiles.values()))
        if not people:
            report.refused.append(
                Refused(one.line, "profile_unknown", "No customer of the current snapshot has this id.")
            )
        elif one.granted and len(people) > 1:
            reason = f"{len(people)} customers have it, and nobody knows which of them said yes."
            report.refused.append(Refused(one.line, "customer_ambiguous", reason))
        elif hub.store.audience.say(
            list(profiles), granted=one.granted, purpose=one.purpose, channel=one.channel, source=source, at=one.at,
            actor=actor,
        ):  # fmt: skip
            report.recorded += 1
            report.customers = (report.customers + people)[:100]
        else:
            report.older += 1


def consents_of(hub: Hub, query: str) -> tuple[list[str], list[Consent], dict[str, bool]]:
    """Return who a query names, what was said for their profiles, and what the profiles' own flags come to by customer.

    Args:
        hub: the opened hub.
        query: as :attr:`Said.who`; a profile stands for its customer here.

    Raises:
        ConfigError: nobody has it, or nothing was published yet.
    """
    with _people(hub) as engine:
        people = sorted(set(_named(engine, [Said(query.strip(), granted=False)]).get(1, {}).values()))
        if not people:
            raise ConfigError(
                "No customer of the current snapshot has this phone, number or id.",
                code="profile_unknown",
                hint="Give a profile (CONNECTION:ID), a phone, a card number or a customer id.",
            )
        rows = engine.rows("SELECT profile FROM links WHERE list_contains(?, customer_id) ORDER BY profile", [people])
        flags: dict[str, bool] = {}
        if engine.columns("consents"):
            flags = dict(engine.rows("SELECT * FROM consents WHERE list_contains(?, customer_id)", [people]))
    said = [one for chunk in hub.store.audience.consents([row[0] for row in rows]) for one in chunk]
    return people, said, flags


@contextmanager
def _people(hub: Hub) -> Iterator[Engine]:
    """The current snapshot in a workbench."""
    snapshot = hub.store.snapshots.current()
    if snapshot is None:
        raise ConfigError(
            "There is no snapshot yet, so nobody can be found.",
            code="snapshot_missing",
            hint="Run `hub publish` first.",
        )
    with hub.workbench() as engine:
        snapshot_views(hub, engine, snapshot)
        yield engine


def _named(engine: Engine, chunk: Sequence[Said]) -> dict[int, dict[str, str]]:
    """Profiles by line, each with its customer."""
    forms = [(one.line, form) for one in chunk for form in sorted(spellings(one.who))]
    tables: dict[str, Any] = {
        "said": pa.table({"line": [one.line for one in chunk], "who": [one.who for one in chunk]}),
        "forms": pa.table({"line": [line for line, _ in forms], "form": [form for _, form in forms]}),
    }
    found: dict[int, dict[str, str]] = {}
    with engine.register(tables):
        for line, customer, profile in engine.rows(_NAMED):
            found.setdefault(line, {})[profile] = customer
    return found


# From a file.


def import_consents(hub: Hub, path: Path, *, source: str = "", actor: str = "") -> ConsentReport:
    """Record the statements of a CSV file with columns who, granted, and if it has them purpose, channel and at.

    Args:
        hub: the opened hub.
        path: the file, UTF-8.
        source: where it was said; the file's name unless given.
        actor: who records it.

    Raises:
        ConfigError: the file cannot be read, or has other columns.
    """
    bad: list[Refused] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            _require_columns(path, rows.fieldnames or ())
            report = record_consents(
                hub, _parsed(rows, hub.settings.zone, bad), source=source or path.name, actor=actor
            )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"The file cannot be read: {error}.", code="file_unusable", context={"file": str(path)},
            hint="Give a CSV file in UTF-8 with the columns who and granted.",
        ) from error  # fmt: skip
    report.statements += len(bad)
    report.refused = sorted([*report.refused, *bad], key=lambda one: one.line)
    return report


def _require_columns(path: Path, names: Sequence[str]) -> None:
    if not {"who", "granted"} <= set(names) <= _COLUMNS:
        raise ConfigError(
            f"The file has the columns {', '.join(names) or '(none)'}.", code="columns_unknown", context={"file": str(path)},
            hint="It needs who and granted, and may have purpose, channel and at.",
        )  # fmt: skip


def _parsed(rows: Iterable[dict[str, str]], zone: dt.tzinfo, bad: list[Refused]) -> Iterator[Said]:
    for line, row in enumerate(rows, start=2):
        granted = _ANSWERS.get((row["granted"] or "").strip().lower())
        try:
            at = _instant(row.get("at") or "", zone)
        except ValueError:
            bad.append(Refused(line, "value_unusable", "at is no ISO 8601 instant."))
            continue
        if granted is None or not (row["who"] or "").strip():
            bad.append(Refused(line, "value_unusable", "granted must be yes or no, and who must not be empty."))
            continue
        yield Said(
            row["who"].strip(),
            granted,
            (row.get("purpose") or "").strip(),
            (row.get("channel") or "").strip(),
            at,
            line,
        )


def _instant(text: str, zone: dt.tzinfo) -> dt.datetime | None:
    if not text.strip():
        return None
    at = dt.datetime.fromisoformat(text.strip())
    return at if at.tzinfo else at.replace(tzinfo=zone)
