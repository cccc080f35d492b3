"""The tables that go in and come out, and the state between two runs. All are Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from identity.errors import InvalidInputError
from identity.lookup import Lookup

__all__ = [
    "CONSTRAINTS",
    "IDENTIFIERS",
    "PAIRS",
    "PROFILES",
    "SCHEMAS",
    "State",
    "conform",
    "empty",
    "pick",
    "text_keys",
]

INSTANT = pa.timestamp("us", tz="UTC")

PROFILES = pa.schema(
    [
        pa.field("profile", pa.string(), nullable=False),
        ("name", pa.string()),
        ("gender", pa.string()),
        ("birthday", pa.string()),
        ("birthday_calendar", pa.string()),
        ("birthday_assurance", pa.string()),
        ("province", pa.string()),
        ("city", pa.string()),
        ("district", pa.string()),
        ("address", pa.string()),
        ("merged_into", pa.string()),
        ("first_seen", INSTANT),
        ("last_seen", INSTANT),
    ]
)
"""Profiles in: ``profile`` is ``connection:source_id`` and the only column that must be there.

``name`` is meant to be a real name (nicknames stay out); ``merged_into`` is the profile the platform itself merged this
one into; ``birthday_calendar`` is "solar" (the default) or "lunar".
"""

IDENTIFIERS = pa.schema(
    [
        pa.field("profile", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        ("value", pa.string()),
        ("scope", pa.string()),
        ("assurance", pa.string()),
        ("first_seen", INSTANT),
        ("last_seen", INSTANT),
    ]
)
"""Identifiers in: ``value`` is raw text; ``assurance`` defaults to the weakest, ``scope`` to none."""

CONSTRAINTS = pa.schema(
    [
        pa.field("rule", pa.string(), nullable=False),
        pa.field("left", pa.string(), nullable=False),
        pa.field("right", pa.string(), nullable=False),
        ("actor", pa.string()),
        ("reason", pa.string()),
        ("at", INSTANT),
    ]
)
"""What people decided: ``rule`` is must_link or cannot_link, between two profiles (customers come and go)."""

PAIRS = pa.schema(
    [
        ("left", pa.string()),
        ("right", pa.string()),
        ("weight", pa.float64()),
        ("probability", pa.float64()),
        ("why", pa.string()),
    ]
)
"""Pairs of profiles that a link model takes for one person: ``left`` comes before ``right`` in order, ``weight`` is in bits
(log2 of the odds), ``why`` is JSON for :func:`identity.likely.waterfall`: the prior, and each field's bits."""

SCHEMAS: Mapping[str, pa.Schema] = {
    "profiles": pa.schema(
        [
            ("profile", pa.string()),
            ("name", pa.string()),
            ("name_kind", pa.string()),
            ("surname", pa.string()),
            ("sound", pa.string()),
            ("gender", pa.string()),
            ("title_gender", pa.string()),
            ("birthday", pa.string()),
            ("lunar", pa.bool_()),
            ("birthday_rank", pa.int8()),
            ("province", pa.string()),
            ("city", pa.string()),
            ("district", pa.string()),
            ("address", pa.string()),
            ("merged_into", pa.string()),
            ("first_seen", INSTANT),
            ("last_seen", INSTANT),
        ]
    ),
    "links": pa.schema(
        [
            ("profile", pa.string()),
            ("kind", pa.string()),
            ("scope", pa.string()),
            ("value", pa.string()),
            ("status", pa.string()),
            ("assurance", pa.int8()),
            ("first_seen", INSTANT),
            ("last_seen", INSTANT),
        ]
    ),
    "value_states": pa.schema(
        [
            ("kind", pa.string()),
            ("scope", pa.string()),
            ("value", pa.string()),
            ("state", pa.string()),
            ("reason", pa.string()),
            ("profiles", pa.int32()),
            ("names", pa.int32()),
        ]
    ),
    "memberships": pa.schema([("profile", pa.string()), ("customer", pa.string()), ("component", pa.string())]),
    "customers": pa.schema(
        [
            ("customer", pa.string()),
            ("state", pa.string()),
            ("into", pa.string()),
            ("born", pa.int64()),
            ("at", INSTANT),
        ]
    ),
    "history": pa.schema([("profile", pa.string()), ("customer", pa.string()), ("at", INSTANT)]),
    "refusals": pa.schema(
        [
            ("left", pa.string()),
            ("right", pa.string()),
            ("kind", pa.string()),
            ("scope", pa.string()),
            ("value", pa.string()),
            ("rule", pa.string()),
            ("review", pa.bool_()),
        ]
    ),
    "pairs": PAIRS,
    "constraints": CONSTRAINTS,
}
"""The tables of a :class:`State`, by name."""


def empty(name: str) -> pa.Table:
    """The state table of that name, without rows."""
    return SCHEMAS[name].empty_table()


def conform(table: pa.Table, schema: pa.Schema, what: str) -> pa.Table:
    """Bring a caller's table to a schema: columns in order, absent optional ones null, types cast.

    Args:
        table: what the caller gave; columns the schema does not know are ignored.
        schema: what is needed.
        what: the table's name for messages.

    Raises:
        InvalidInputError: a required column is absent or holds nulls, or a column cannot be cast.
    """
    columns = []
    for wanted in schema:
        if wanted.name not in table.column_names:
            if not wanted.nullable:
                raise InvalidInputError(f"The {what} have no column {wanted.name!r}.")
            columns.append(pa.nulls(table.num_rows, wanted.type))
            continue
        columns.append(_cast(table[wanted.name], wanted, what))
    return pa.Table.from_arrays(columns, schema=schema)


def pick(table: pa.Table, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    """The rows whose ``column`` is among ``values``."""
    if not (len(values) and table.num_rows):
        return table.slice(0, 0)
    return table.filter(pc.is_in(table[column], _whole(values)))


def text_keys(table: pa.Table, columns: Sequence[str]) -> pa.Array:
    """Some columns of each row as one text; large ones, for together they pass two gibibytes long before memory is full."""
    texts = [table[column].cast(pa.large_string()).combine_chunks() for column in columns]
    if len(texts) == 1:
        return texts[0]
    return pc.binary_join_element_wise(*texts, _BETWEEN, null_handling="replace", null_replacement=_NOTHING)


_BETWEEN, _NOTHING = pa.scalar("\x1f", pa.large_string()), "\x00"


def _whole(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _cast(column: pa.ChunkedArray, wanted: pa.Field, what: str) -> pa.ChunkedArray:
    if not wanted.nullable and column.null_count:
        raise InvalidInputError(f"Column {wanted.name!r} of the {what} has nulls.")
    if column.type == wanted.type:
        return column
    try:
        if pa.types.is_timestamp(column.type) and pa.types.is_timestamp(wanted.type) and column.type.tz is None:
            return pc.assume_timezone(column.cast(pa.timestamp("us")), "UTC")
        return column.cast(wanted.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InvalidInputError(f"Column {wanted.name!r} of the {what} is {column.type}, not {wanted.type}.") from error


_SMALL = 200_000
"""Rows below which reading all texts is quicker than hashing them."""


@dataclass(frozen=True, kw_only=True)
class State:
    """All that one run leaves for the next: evidence, decisions and every id ever issued.

    Attributes:
        rules_version: :attr:`identity.Rules.version` the decisions were made with.
        profiles: normalised profiles.
        links: normalised identifiers of profiles, composite evidence included.
        value_states: the values that are not simply one person's: shared, household, blocked.
        memberships: which customer a profile is, and the component of evidence it lies in.
        customers: every customer id ever issued, live or not.
        history: customers that profiles once were.
        refusals: joins that evidence asked for and a rule refused; those to be looked at have ``review`` set.
        pairs: what a link model takes for one person; empty without a model.
        constraints: what people decided, as of this run.
    """

    rules_version: str = ""
    profiles: pa.Table = field(default_factory=partial(empty, "profiles"))
    links: pa.Table = field(default_factory=partial(empty, "links"))
    value_states: pa.Table = field(default_factory=partial(empty, "value_states"))
    memberships: pa.Table = field(default_factory=partial(empty, "memberships"))
    customers: pa.Table = field(default_factory=partial(empty, "customers"))
    history: pa.Table = field(default_factory=partial(empty, "history"))
    refusals: pa.Table = field(default_factory=partial(empty, "refusals"))
    pairs: pa.Table = field(default_factory=partial(empty, "pairs"))
    constraints: pa.Table = field(default_factory=partial(empty, "constraints"))

    @cached_property
    def _lookup(self) -> Lookup:
        return Lookup()

    def tables(self) -> dict[str, pa.Table]:
        """The state's tables by name, for a store of the caller's own; :meth:`of` takes them back."""
        return {name: getattr(self, name) for name in SCHEMAS}

    def find(self, *wanted: tuple[str, str, pa.Array | pa.ChunkedArray]) -> list[pa.Table]:
        """Rows of the tables: all that an incremental run reads of the state, so that a store can answer in its own way.

        Args:
            wanted: each the name of a table, a column of texts, and the values its rows are wanted for.
        """
        return [self._rows(name, column, _whole(values)) for name, column, values in wanted]

    def _rows(self, name: str, column: str, values: pa.Array) -> pa.Table:
        table = getattr(self, name)
        if table.num_rows < _SMALL:
            return pick(table, column, values)
        return self._lookup.rows(table, f"{name}.{column}", column, values)

    @property
    def last_born(self) -> int:
        """The largest number a customer was born with; 0 before the first."""
        return pc.max(self.customers["born"]).as_py() or 0

    @classmethod
    def of(cls, tables: Mapping[str, pa.Table], rules_version: str) -> State:
        """A state from stored tables; absent ones are empty."""
        given = {name: conform(table, SCHEMAS[name], f"stored {name}") for name, table in tables.items()}
        return cls(rules_version=rules_version, **given)

    def save(self, folder: Path) -> None:
        """Write the state as Parquet files, one per table, into a folder that is made if absent."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in self.tables().items():
            marked = table.replace_schema_metadata({b"rules_version": self.rules_version.encode()})
            pq.write_table(marked, folder / f"{name}.parquet", compression="zstd")

    @classmethod
    def load(cls, folder: Path) -> State:
        """Read what :meth:`save` wrote.

        Raises:
            InvalidInputError: a file is absent.
        """
        paths = {name: folder / f"{name}.parquet" for name in SCHEMAS}
        if absent := [path.name for path in paths.values() if not path.exists()]:
            raise InvalidInputError(f"The saved state lacks {', '.join(absent)}.")
        tables = {name: pq.read_table(path) for name, path in paths.items()}
        metadata = tables["profiles"].schema.metadata or {}
        return cls.of(tables, metadata.get(b"rules_version", b"").decode())
