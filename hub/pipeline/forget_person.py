"""Whom a request to be forgotten is about: every id, identifier and record that leads to the person's data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from hub.context import Hub
from hub.errors import ConfigError
from hub.pipeline.access import one_customer
from hub.pipeline.identity_state import PREFIX
from hub.pipeline.resolve import prepare_resolving
from hub.store.forgotten import Person, record_mark
from hub.warehouse.engine import Engine
from hub.warehouse.forgotten import PERSONAL_RECORDS, forgotten

__all__ = ["clear_marks", "find_person", "people_tables"]

_LONGEST_AGO = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
_SHORTEST_TEXT = 8
"""Characters of an identifier that is looked for within other texts: shorter ones stand in too many by chance."""
_SHORTEST_MARK = 4
_NO_IDENTIFIERS = "('phone_masked')"
"""Kinds that many people share by their nature."""


def clear_marks(person: Person) -> pa.Table:
    """The person's marks for :func:`hub.warehouse.forgotten.forgotten`, whenever things were done."""
    return pa.table({"mark": pa.array(person.marks, pa.string()), "at": [_LONGEST_AGO] * len(person.marks)})


def find_person(hub: Hub, engine: Engine, query: str) -> Person:
    """Return the one person a query names.

    Args:
        hub: the opened hub.
        engine: the warehouse.
        query: what :func:`hub.pipeline.decisions.profiles_named` takes; also what only a profile has that its platform deleted.

    Raises:
        ConfigError: nobody has it, or several customers do.
    """
    prepare_resolving(hub, engine)
    with forgotten(
        engine, pa.table({"mark": pa.array([], pa.string()), "at": pa.array([], pa.timestamp("us", "UTC"))})
    ):
        people_tables(engine, *_customer_or_deleted(engine, query))
        engine.execute(_IDENTIFIERS)
        return _person(engine)


def _customer_or_deleted(engine: Engine, query: str) -> tuple[list[str], list[str]]:
    """Ids and profile keys of the customer; of a profile that only its platform's deletion is known of, the key."""
    try:
        customer = one_customer(engine, query)
    except ConfigError as error:
        found = engine.rows(_DELETED, [query.strip()]) if error.code == "profile_unknown" else []
        if len(found) != 1:
            raise
        return [], [str(found[0][0])]
    customers = [str(row[0]) for row in engine.rows(_ABSORBED, [customer])]
    rows = engine.rows(
        f"""SELECT profile FROM links WHERE customer_id = ? UNION
            SELECT profile FROM {PREFIX}history ANTI JOIN links USING (profile) WHERE list_contains(?, customer) ORDER BY 1""",
        [customer, customers],
    )
    return customers, [str(row[0]) for row in rows]


def people_tables(engine: Engine, customers: Sequence[str], profiles: Sequence[str]) -> None:
    """Make tables ``person_customers`` and ``person_profiles``, and a variable ``person_profiles`` that holds the same."""
    for table, column, values in (("customers", "customer", customers), ("profiles", "profile", profiles)):
        with engine.register({"given": pa.table({column: pa.array(values, pa.string())})}):
            engine.execute(f"CREATE OR REPLACE TEMP TABLE person_{table} AS FROM given")
    engine.execute("SET VARIABLE person_profiles = (SELECT coalesce(list(profile), []) FROM person_profiles)")


def _person(engine: Engine) -> Person:
    records = engine.rows(
        """SELECT connection, source_id FROM profiles WHERE connection || ':' || source_id IN (FROM person_profiles)
           UNION SELECT connection, source_id FROM profiles_identifiers
           SEMI JOIN (SELECT connection, source_id FROM profiles WHERE deleted) USING (connection, source_id)
           WHERE identifier_mark(kind, scope, value, connection) IN (SELECT mark FROM only_mine)
           ORDER BY 1, 2"""
    )
    known_by_id = engine.rows(
        """SELECT split_part(profile, ':', 1), substr(profile, strpos(profile, ':') + 1) FROM person_profiles
           WHERE NOT contains(profile, ':~') ORDER BY 1, 2"""
    )
    marks = {record_mark("profiles", *place) for place in (*records, *known_by_id)}
    marks |= {row[0] for row in engine.rows("SELECT mark FROM only_mine")} | set(_lone_rows(engine))
    values = engine.rows(
        """SELECT DISTINCT unnest([value, trim(value), loose_value(kind, value)]) AS value FROM my_identifiers
           WHERE mark IN (SELECT mark FROM only_mine) AND length(value) >= ? ORDER BY length(value) DESC, value""",
        [_SHORTEST_TEXT],
    )
    return Person(
        customers=_column(engine, "FROM person_customers ORDER BY ALL"),
        profiles=_column(engine, "FROM person_profiles ORDER BY ALL"),
        records=[(str(place), str(own)) for place, own in records],
        values=[row[0] for row in values if len(row[0]) >= _SHORTEST_TEXT],
        names=_column(engine, _NAMES),
        marks=sorted(marks),
    )


def _column(engine: Engine, query: str) -> list[str]:
    return [str(row[0]) for row in engine.rows(query)]


def _lone_rows(engine: Engine) -> list[str]:
    """Marks of what nothing but its own number leads to: the buyer is known by an identifier that others have too."""
    rows: list[tuple[Any, ...]] = engine.rows(
        """SELECT DISTINCT k.record, k.connection, k.source_id FROM profile_keys AS k
           WHERE k.profile IN (FROM person_profiles) AND contains(k.profile, ':~')
           AND (k.record, k.connection, k.source_id) NOT IN
               (SELECT (record, connection, source_id) FROM my_identifiers WHERE mark IN (SELECT mark FROM only_mine))"""
    )
    return [record_mark(*row) for row in rows]


_DELETED = """
    SELECT DISTINCT p.connection || ':' || p.source_id FROM profiles AS p
    LEFT JOIN profiles_identifiers AS i USING (connection, source_id)
    WHERE p.deleted AND ($1 IN (p.connection || ':' || p.source_id, p.source_id)
          OR loose_value(i.kind, i.value) = loose_value(i.kind, $1))"""

_ABSORBED = f"""
    WITH RECURSIVE absorbed(customer) AS (
        SELECT ?::VARCHAR UNION
        SELECT c.customer FROM {PREFIX}customers AS c JOIN absorbed AS a ON c."into" = a.customer WHERE c.state = 'merged'
    ) FROM absorbed ORDER BY ALL"""

_ALL_IDENTIFIERS = " UNION ALL ".join(
    [
        """SELECT 'profiles' AS record, i.*, i.connection || ':' || i.source_id AS profile, p.deleted AS gone
           FROM profiles_identifiers AS i JOIN profiles AS p USING (connection, source_id)""",
        *(
            f"""SELECT '{record}', i.*, k.profile, false FROM {record}_identifiers AS i
                JOIN profile_keys AS k ON k.record = '{record}' AND k.connection = i.connection AND k.source_id = i.source_id"""
            for record in PERSONAL_RECORDS
            if record != "profiles"
        ),
    ]
)

_IDENTIFIERS = f"""
    CREATE OR REPLACE TEMP TABLE my_identifiers AS
        SELECT *, identifier_mark(kind, scope, value, connection) AS mark FROM ({_ALL_IDENTIFIERS})
        WHERE profile IN (FROM person_profiles) AND kind NOT IN {_NO_IDENTIFIERS}
        AND length(loose_value(kind, value)) >= {_SHORTEST_MARK};
    -- What others have too, or what says nothing of a person, must not keep those others away.
    CREATE OR REPLACE TEMP TABLE only_mine AS
        SELECT DISTINCT mark FROM my_identifiers
        WHERE (kind, loose_value(kind, value)) NOT IN
              (SELECT (kind, loose_value(kind, value)) FROM {PREFIX}value_states WHERE state = 'blocked')
        EXCEPT
        SELECT identifier_mark(kind, scope, value, connection) FROM ({_ALL_IDENTIFIERS})
        WHERE profile NOT IN (FROM person_profiles) AND NOT gone;
"""

_NAMES = """
    WITH mine AS (
        SELECT unnest([name, nickname]) AS name FROM profiles
        WHERE connection || ':' || source_id IN (FROM person_profiles)
    )
    SELECT DISTINCT name FROM mine WHERE length(name) >= 2 AND name NOT IN (
        SELECT unnest([name, nickname]) AS other FROM profiles
        WHERE connection || ':' || source_id NOT IN (FROM person_profiles) AND coalesce(name, nickname) IS NOT NULL
    ) ORDER BY ALL"""
