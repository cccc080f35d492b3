"""Views: the world as one platform serves it at one moment. Nothing of the truth can be read here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from hub.simulation.world.moment import BlockMoment
from hub.simulation.world.platforms import Platform
from hub.simulation.world.schemas import CHAIN_TABLES, SCHEMAS, TABLES_OF
from hub.simulation.world.tables_behaviour import browsing_table, feedback_table
from hub.simulation.world.tables_chain import chain_table
from hub.simulation.world.tables_loyalty import (
    coupons_table,
    level_changes_table,
    messages_table,
    points_table,
    stored_value_table,
)
from hub.simulation.world.tables_orders import OrderTables
from hub.simulation.world.tables_people import (
    contacts_table,
    followers_table,
    follows_table,
    group_members_table,
    groups_table,
    members_table,
)

if TYPE_CHECKING:
    from datetime import datetime

    from hub.simulation.world.world import WorldState

__all__ = ["View", "block_table"]

_Maker = Callable[[BlockMoment, Platform], dict[str, Any]]
_MAKERS: Final[dict[str, _Maker]] = {
    "members": members_table,
    "contacts": contacts_table,
    "followers": followers_table,
    "follows": follows_table,
    "groups": groups_table,
    "group_members": group_members_table,
    "orders": lambda moment, platform: OrderTables.of(moment, platform).orders_table(),
    "order_lines": lambda moment, platform: OrderTables.of(moment, platform).lines_table(),
    "tenders": lambda moment, platform: OrderTables.of(moment, platform).tenders_table(),
    "refunds": lambda moment, platform: OrderTables.of(moment, platform).refunds_table(),
    "coupons": coupons_table,
    "points": points_table,
    "stored_value": stored_value_table,
    "level_changes": level_changes_table,
    "messages": messages_table,
    "browsing": browsing_table,
    "feedback": feedback_table,
}


def chain_columns(name: str, state: WorldState) -> pa.Table:
    """One table about the chain."""
    return _finish(chain_table(name, state.chain, state.assortment, state.now), SCHEMAS[name])


def block_table(moment: BlockMoment, platform: Platform, name: str) -> pa.Table:
    """One table of one platform for one block of people."""
    return _finish(_MAKERS[name](moment, platform), SCHEMAS[name])


def _finish(columns: dict[str, Any], schema: pa.Schema) -> pa.Table:
    """Put the columns into the order and types of the schema."""
    arrays = []
    for field in schema:
        column = columns[field.name]
        array = column if isinstance(column, pa.Array) else pa.array(column, _plain(field.type))
        arrays.append(array if array.type == field.type else array.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def _plain(kind: pa.DataType) -> pa.DataType | None:
    return None if pa.types.is_dictionary(kind) else kind


class View:
    """One platform as of one moment.

    Tables are Arrow tables with the columns of :data:`hub.simulation.world.SCHEMAS`; rows are in order of block, then of
    time or account. ``table`` keeps what it has returned; ``batches`` keeps nothing.
    """

    def __init__(self, state: WorldState, platform: Platform) -> None:
        self._state = state
        self.platform = platform
        self._kept: dict[str, pa.Table] = {}

    @property
    def at(self) -> datetime:
        """The moment of the view."""
        return self._state.moment

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of all tables this platform has."""
        return (*CHAIN_TABLES, *TABLES_OF[self.platform.code])

    def table(self, name: str) -> pa.Table:
        """A whole table.

        Raises:
            KeyError: the platform has no such table; the message lists those it has.
        """
        self._check(name)
        if name not in self._kept:
            parts = list(self.batches(name))
            self._kept[name] = pa.concat_tables(parts) if len(parts) > 1 else parts[0]
        return self._kept[name]

    def batches(self, name: str) -> Iterator[pa.Table]:
        """A table in pieces, one per block of 50 000 people, so that memory does not grow with the population.

        Raises:
            KeyError: the platform has no such table; the message lists those it has.
        """
        self._check(name)
        if name in CHAIN_TABLES:
            yield chain_columns(name, self._state)
            return
        for moment in self._state.blocks():
            yield block_table(moment, self.platform, name)

    def _check(self, name: str) -> None:
        if name not in self.tables:
            raise KeyError(f"{self.platform.code} has no table {name!r}; it has {', '.join(self.tables)}")
