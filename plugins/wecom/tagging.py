"""Target ``tag``: a customer's segments become corp tags on each chosen relation; nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from hub.destination import Operation, OperationKind, Outcome, RemoteRow
from hub.errors import RowError
from hub.http import fan_out
from plugins.wecom.client import WecomClient
from plugins.wecom.collection import Gathered
from plugins.wecom.config import BELONGING, TagSettings
from plugins.wecom.mapping import tag_ids
from plugins.wecom.outcomes import GUIDE, combined, guide_of, invalid, rejected, unreachable
from plugins.wecom.relations import Follow, Relations, chosen
from plugins.wecom.tagbook import LONGEST_NAME, TagBook

__all__ = ["Tagger", "holds", "wanted_tags"]

_MOST_PER_CALL: Final = 100


def wanted_tags(values: Mapping[str, Any]) -> frozenset[str]:
    """Return what a row's mapped values want as tags: segments or other values, before they are given their tag's name.

    A list gives each of its texts, ``true`` the field's own name, a text itself; ``false`` and nothing give none. The
    field ``guide`` is no tag.

    Raises:
        ValueError: a value is none of these.
    """
    found: set[str] = set()
    for name, value in values.items():
        if name == GUIDE or value is None or value is False or value == "":
            continue
        if value is True:
            found.add(name)
        elif isinstance(value, str):
            found.add(value)
        elif isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            found.update(value)
        elif isinstance(value, int | Decimal):
            raise ValueError(f"{name} is a number; a tag needs a text, a list of texts, true or false")
        else:
            raise ValueError(f"{name} is neither a text, a list of texts, true nor false")
    return frozenset(found)


@dataclass(frozen=True)
class _Row:
    operation: Operation
    wanted: frozenset[str]
    gathered: Gathered | None


class Tagger:
    """Writes target ``tag``.

    Args:
        client: the corp's API.
        settings: group, names and whose relations.
        relations: looks up relations.
        book: the hub's tags.
        workers: calls at once.
    """

    def __init__(
        self, client: WecomClient, settings: TagSettings, relations: Relations, book: TagBook, workers: int
    ) -> None:
        self._client = client
        self._settings = settings
        self._relations = relations
        self._book = book
        self._workers = workers

    def write(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """Bring the chosen relations of each customer to just the wanted tags of the hub's group.

        Raises:
            HubError: what concerns all rows; outcomes known by then are given first.
        """
        rows: list[tuple[Operation, frozenset[str]]] = []
        for operation in operations:
            try:
                wanted = wanted_tags(operation.values) if operation.kind is not OperationKind.DELETE else frozenset()
                _check_names(map(self._book.name_of, wanted))
            except ValueError as error:
                yield invalid(operation, "value_not_a_tag", str(error))
            else:
                rows.append((operation, wanted))
        self._book.ensure(key for _, wanted in rows for key in wanted)
        found = self._relations.of([operation.key for operation, _ in rows])
        items = (_Row(operation, wanted, known) for (operation, wanted), known in zip(rows, found, strict=True))
        for result in fan_out(self._write_row, items, workers=self._workers):
            yield result.unwrap()

    def _write_row(self, row: _Row) -> Outcome:
        refused = [error for key in row.wanted if (error := self._book.refused.get(self._book.name_of(key)))]
        if refused:
            return rejected(row.operation, refused[0])
        try:
            gathered = row.gathered or self._relations.look_up(row.operation.key)
        except RowError as error:
            return unreachable(row.operation, error)
        follows = chosen(gathered.follows, self._settings.staff, guide_of(row.operation))
        wanted = {identifier for key in row.wanted if (identifier := self._book.id_of(key))}
        return combined(row.operation, [self._mark(gathered.id, follow, wanted) for follow in follows])

    def _mark(self, customer: str, follow: Follow, wanted: set[str]) -> bool | RowError:
        """Bring one relation to the wanted tags; return whether anything had to be changed, or why it was not."""
        there = set(tag_ids(follow)) & self._book.own_ids
        add, remove = sorted(wanted - there), sorted(there - wanted)
        try:
            for start in range(0, max(len(add), len(remove)), _MOST_PER_CALL):
                part = slice(start, start + _MOST_PER_CALL)
                self._client.mark(str(follow["userid"]), customer, add[part], remove[part])
        except RowError as error:
            return error
        return bool(add or remove)

    def read_back(self) -> Iterator[RemoteRow]:
        """Give the hub's tags of every customer with a chosen relation.

        ``values`` holds ``segments``, names of the tags that every chosen relation carries, and ``relations``, the names
        by userid; ``all_relations`` has those of the relations that are not chosen too.
        """
        self._book.load()
        names = self._book.names()
        collection = self._relations.sweep()
        try:
            for customer in collection.customers():
                follows = chosen(customer.follows, self._settings.staff)
                tags = {str(follow["userid"]): _names(follow, names) for follow in follows}
                if tags:
                    common = frozenset.intersection(*map(frozenset, tags.values()))
                    every = {str(follow["userid"]): _names(follow, names) for follow in customer.follows}
                    values = {"segments": sorted(common), "relations": tags, "all_relations": every}
                    yield RemoteRow(customer.id, values)
        finally:
            collection.remove()


def _names(follow: Follow, names: Mapping[str, str]) -> list[str]:
    return sorted(names[identifier] for identifier in tag_ids(follow) if identifier in names)


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if not 0 < len(name) <= LONGEST_NAME:
            raise ValueError(
                f"a tag's name has at most {LONGEST_NAME} characters, {name[:LONGEST_NAME]}… has {len(name)}; "
                "give it a shorter one under tags.names"
            )


def holds(operation: Operation | None, rows: Sequence[RemoteRow], settings: TagSettings) -> bool:
    """Tell whether a customer's chosen relations carry just the wanted tags of the hub's group.

    Args:
        operation: what is wanted; None for a customer who is to have none.
        rows: what :meth:`Tagger.read_back` gave for the customer.
        settings: the names of the tags, and whose relations are written.
    """
    keys = wanted_tags(operation.values) if operation and operation.kind is not OperationKind.DELETE else ()
    names = sorted({settings.names.get(key, key) for key in keys})
    if not rows:
        return not names
    (row,) = rows
    guide = guide_of(operation) if operation else None
    if settings.staff == BELONGING and guide in row.values["all_relations"]:
        return bool(row.values["all_relations"][guide] == names)
    return all(tags == names for tags in row.values["relations"].values())
