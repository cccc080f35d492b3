"""Where identity resolution's state is kept between runs: tables of the warehouse, whole or around some customers."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

import identity
from hub.warehouse.engine import Engine, quoted
from hub.warehouse.schema import SQL_TYPES, extend
from identity import Resolution, State

__all__ = ["PREFIX", "StoredState", "load_state", "prepare_identity", "rules_version", "state_around", "store_changes"]

PREFIX = "identity_"
"""Names of the state's tables in the warehouse begin so."""

_CONSTRAINTS = identity.SCHEMAS["constraints"]


def prepare_identity(engine: Engine) -> None:
    """Make or extend the tables."""
    schemas = {**identity.SCHEMAS, "events": identity.EVENTS}
    for name, schema in schemas.items():
        extend(engine, f"{PREFIX}{name}", {column.name: SQL_TYPES[column.type] for column in schema})


def rules_version(engine: Engine) -> str:
    """Return the version of the rules the state was made with; empty before the first run."""
    return str(engine.value("SELECT detail FROM _progress WHERE stage = 'resolve'") or "")


def load_state(engine: Engine) -> State:
    """Return the whole state."""
    tables = {name: engine.arrow(f"FROM {PREFIX}{name}") for name in identity.SCHEMAS}
    return State.of(tables, rules_version(engine))


class StoredState(State):
    """The state as it lies in the warehouse: an increment finds the rows it needs there and never holds the rest.

    Its tables stay empty, except for the constraints; :meth:`tables` reads them all.

    Args:
        engine: the warehouse; its state must not change while an increment runs.
    """

    _engine: Engine

    def __init__(self, engine: Engine) -> None:
        super().__init__(
            rules_version=rules_version(engine),
            constraints=engine.arrow(f"FROM {PREFIX}constraints").cast(_CONSTRAINTS),
        )
        object.__setattr__(self, "_engine", engine)

    def find(self, *wanted: tuple[str, str, pa.Array | pa.ChunkedArray]) -> list[pa.Table]:
        """Rows of the stored tables, see :meth:`identity.State.find`."""
        return [self._found(*one) for one in wanted]

    def _found(self, name: str, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
        schema = identity.SCHEMAS[name]
        if not len(values):
            return schema.empty_table()
        with self._engine.register({"wanted_values": pa.table({"value": values})}):
            found = self._engine.arrow(
                f"SELECT t.* FROM {PREFIX}{name} AS t SEMI JOIN wanted_values AS w ON w.value = t.{quoted(column)}"
            )
        return found.select(schema.names).cast(schema)

    @property
    def last_born(self) -> int:
        """The largest number a customer was born with; 0 before the first."""
        return int(self._engine.value(f"SELECT max(born) FROM {PREFIX}customers") or 0)

    def tables(self) -> dict[str, pa.Table]:
        """All of it, read now."""
        return load_state(self._engine).tables()


def state_around(engine: Engine, customers: Sequence[str]) -> State:
    """Return the part of the state that tells of some customers: enough to explain them and to compute their records."""
    with engine.register({"wanted": pa.table({"customer": pa.array(customers, pa.string())})}):
        mine = f"(SELECT profile FROM {PREFIX}memberships SEMI JOIN wanted USING (customer))"
        values = f"(SELECT value FROM {PREFIX}links WHERE profile IN {mine})"
        carriers = f"(SELECT profile FROM {PREFIX}links WHERE value IN {values})"
        where = {
            "profiles": f"profile IN {mine}",
            "links": f"value IN {values} OR profile IN {mine}",
            "value_states": f"value IN {values}",
            "memberships": f"profile IN {mine} OR profile IN {carriers}",
            "customers": "customer IN (FROM wanted)",
            "history": f"profile IN {mine}",
            "refusals": f'"left" IN {mine} OR "right" IN {mine}',
            "pairs": f'"left" IN {mine} OR "right" IN {mine}',
            "constraints": f'"left" IN {mine} OR "right" IN {mine}',
        }
        tables = {
            name: engine.arrow(f"FROM {PREFIX}{name} WHERE {where.get(name, 'true')}") for name in identity.SCHEMAS
        }
    return State.of(tables, rules_version(engine))


def store_changes(engine: Engine, resolution: Resolution) -> None:
    """Write what a resolution changed, and its events; nothing where nothing changed."""
    for name, change in resolution.changes.items():
        if change.is_empty:
            continue
        table = f"{PREFIX}{name}"
        match = " AND ".join(f"t.{quoted(key)} IS NOT DISTINCT FROM r.{quoted(key)}" for key in change.key)
        with engine.register({"removed_rows": change.removed, "added_rows": change.added}):
            if change.removed.num_rows:
                engine.execute(f"DELETE FROM {table} AS t USING removed_rows AS r WHERE {match}")
            engine.execute(f"INSERT INTO {table} BY NAME FROM added_rows")
    if resolution.events.num_rows:
        with engine.register({"new_events": resolution.events}):
            engine.execute(f"INSERT INTO {PREFIX}events BY NAME FROM new_events")
