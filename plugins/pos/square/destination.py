"""The ``pos.square`` destination: customer groups."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from hub.destination import (
    Destination,
    Operation,
    OperationKind,
    Outcome,
    OutcomeStatus,
    RemoteRow,
    Target,
)
from hub.errors import RowError
from hub.http import Unit
from hub.runtime import Runtime
from hub.source import Check
from hub.titles import Title
from plugins.pos.square.api import Api
from plugins.pos.square.client import SquareClient
from plugins.pos.square.config import SquareConfig
from plugins.pos.square.mapping.people import LOYALTY_PREFIX
from plugins.pos.square.source import check_account

__all__ = ["SquareDestination"]


class SquareDestination(Destination):
    """Keeps customers in groups. All groups that begin with the prefix are the hub's; others are left alone."""

    name: ClassVar[str] = "pos.square"
    title: ClassVar[Title] = Title("Square 收银", "Square")
    Config: ClassVar[type[SquareConfig]] = SquareConfig

    config: SquareConfig

    def __init__(self, config: SquareConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._client = SquareClient(config, runtime)

    def check(self) -> Sequence[Check]:
        """Try the token, and whether groups may be read."""
        return check_account(self._client, (("customer groups may be read", Api.GROUPS, {"limit": 1}),))

    def targets(self) -> Sequence[Target]:
        """List the one target."""
        return [
            Target(
                "group",
                Title("顾客分组", "Customer groups"),
                ("profile",),
                readable=True,
                description="Groups of the hub's own: lists give a group per element, flags one of their name.",
            )
        ]

    def write(self, target: Target, operations: Iterable[Operation]) -> Iterator[Outcome]:  # noqa: ARG002
        """Put each customer into just the groups that are wanted; a repeat changes nothing more."""
        for operation in operations:
            try:
                yield self._carry_out(operation)
            except RowError as error:
                code = str(error.context.get("code") or error.code)
                said = str(error.context.get("said") or error.message)
                yield Outcome(operation.id, OutcomeStatus.REJECTED, code, said).answered(error)

    def _carry_out(self, operation: Operation) -> Outcome:
        if operation.key.startswith(LOYALTY_PREFIX):
            said = "A loyalty account is in no group; its customer is."
            return Outcome(operation.id, OutcomeStatus.UNCHANGED, "loyalty_account", said)
        names = [] if operation.kind is OperationKind.DELETE else self._names(operation.values)
        wanted = {self._group(name) for name in names}
        found = self._client.call(Api.CUSTOMER, unit=Unit.ROW, customer_id=operation.key).get("customer") or {}
        ours = set(self._groups.values())
        held = set(found.get("group_ids") or ()) & ours
        for group in sorted(wanted - held):
            self._client.call(Api.GROUP_ADD, unit=Unit.ROW, customer_id=operation.key, group_id=group)
        for group in sorted(held - wanted):
            self._client.call(Api.GROUP_REMOVE, unit=Unit.ROW, customer_id=operation.key, group_id=group)
        status = OutcomeStatus.UNCHANGED if wanted == held else OutcomeStatus.ACCEPTED
        return Outcome(operation.id, status)

    def _names(self, values: Mapping[str, Any]) -> list[str]:
        found: list[str] = []
        for field, value in values.items():
            if isinstance(value, list | tuple):
                found += [str(each) for each in value]
            elif value is True:
                found.append(field)
            elif value not in (None, False, ""):
                found.append(f"{self.config.groups.names.get(field, field)}: {value}")
        known = self.config.groups.names
        return [self.config.groups.prefix + known.get(name, name) for name in dict.fromkeys(found)]

    @cached_property
    def _groups(self) -> dict[str, str]:
        """The hub's groups: id by name."""
        prefix = self.config.groups.prefix
        pages = self._client.pages(Api.GROUPS, {"limit": 50})
        rows = [row for page in pages for row in page.rows]
        return {str(row["name"]): str(row["id"]) for row in rows if str(row.get("name")).startswith(prefix)}

    def _group(self, name: str) -> str:
        """Return a group's id, making the group if there is none; the key makes a repeat harmless."""
        if name not in self._groups:
            key = hashlib.sha256(f"{self.runtime.connection} {name}".encode()).hexdigest()[:32]
            given = {"idempotency_key": key, "group": {"name": name}}
            self._groups[name] = str(self._client.call(Api.GROUP_CREATE, given)["group"]["id"])
        return self._groups[name]

    def read_back(self, target: Target) -> Iterator[RemoteRow]:  # noqa: ARG002
        """Give the customers in groups of the hub, once per group."""
        for name, group in self._groups.items():
            query = {"filter": {"group_ids": {"any": [group]}}}
            for page in self._client.pages(Api.CUSTOMERS, {"query": query, "limit": 100}):
                for row in page.rows:
                    yield RemoteRow(str(row["id"]), {"group": name}, group)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
