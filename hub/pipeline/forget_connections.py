"""Take a forgotten person out of what connections keep in folders of their own, and tell what is left elsewhere in the hub's home."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from hub.context import Hub
from hub.errors import HubError
from hub.kept_files import Names, cut_folder
from hub.store.forgotten import Person

__all__ = ["KeptByConnections", "cut_connections", "left_over"]

_OWN = frozenset({"packages", "snapshots", "plans", "ledgers", "scratch"})
"""Folders of the hub's home that other steps clear."""
_SHORTEST_EXACT = 4
_SHORTEST = 8
"""Characters of an identifier that is looked for within texts; shorter ones must be the whole text."""


@dataclass
class KeptByConnections:
    """What connections keep of a person in folders of their own.

    Attributes:
        counts: rows by connection.
        folders: the folders that were looked into.
        failed: a sentence for each connection that could not be looked into.
    """

    counts: dict[str, int] = field(default_factory=dict)
    folders: list[Path] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def cut_connections(hub: Hub, person: Person, *, trial: bool = False) -> KeptByConnections:
    """Take a person out of the files that connections keep.

    Args:
        hub: the opened hub.
        person: whom it is about.
        trial: only count.
    """
    kept = KeptByConnections()
    for name, connection in hub.settings.connections.items():
        if connection.is_source:
            try:
                _cut_one(hub, name, _names(person, name), kept, trial=trial)
            except (HubError, OSError, sqlite3.Error, pa.ArrowException) as error:
                kind = type(error).__name__
                kept.failed.append(f"connection {name}: what it keeps could not be looked into ({kind})")
    return kept


def _cut_one(hub: Hub, name: str, names: Names, kept: KeptByConnections, *, trial: bool) -> None:
    with hub.source(name) as source:
        folders = [path.resolve() for path in source.kept_folders()]
    kept.folders += folders
    if found := sum(cut_folder(folder, names, trial=trial) for folder in folders):
        kept.counts[name] = found


def left_over(hub: Hub, person: Person, looked_into: Sequence[Path]) -> list[str]:
    """Tell where the person is named although nothing may be changed there: cursors, hub.toml, and files that are nobody's.

    Args:
        hub: the opened hub.
        person: whom it is about.
        looked_into: folders of connections.
    """
    told = [f"cursor of {place}: the next read moves it on" for place in _cursors(hub, person)]
    home, config = hub.settings.home, hub.settings.path
    if config.is_file() and _is_named_in(config, _names(person)):
        told.append(f"file {config.name}: take the value out of it")
    told += [
        f"file {file.relative_to(home)}: no connection of hub.toml says it is its own; delete it"
        for file in _foreign_files(hub, looked_into)
        if _is_named_in(file, _names(person))
    ]
    return told


def _names(person: Person, connection: str = "") -> Names:
    """What names the person; with the platform's own ids in the files of that connection."""
    own = {one for place, one in person.records if place == connection and len(one) >= _SHORTEST_EXACT}
    long = [value for value in {*person.values, *own} if len(value) >= _SHORTEST]
    return Names(sorted(long), frozenset({*person.names, *own}))


def _cursors(hub: Hub, person: Person) -> Iterator[str]:
    for cursor in hub.store.packages.cursors():
        if _names(person, cursor.connection).are_in(json.dumps(cursor.state, ensure_ascii=False)):
            yield f"{cursor.connection}/{cursor.stream}" + (f" ({cursor.partition})" if cursor.partition else "")


def _foreign_files(hub: Hub, looked_into: Sequence[Path]) -> Iterator[Path]:
    """Files in the home that no step knows."""
    home = hub.settings.home
    known = (hub.settings.warehouse.name, "store.db", "budgets.db", "secret.key")
    for file in sorted(path for path in home.rglob("*") if path.is_file()):
        first = file.relative_to(home).parts[0]
        is_own = first in _OWN or first.startswith(known)
        if not is_own and not any(file.resolve().is_relative_to(folder) for folder in looked_into):
            yield file


def _is_named_in(file: Path, names: Names) -> bool:
    """Whether a file's bytes name the person, or the rows of a Parquet file, which is compressed."""
    if file.suffix == ".parquet":
        return bool(cut_folder(file.parent, names, trial=True))
    text = file.read_bytes().decode("utf-8", "ignore")
    return bool(names.values) and re.search(names.pattern, text) is not None
