"""Keep one record per customer: the values that hold, where each came from, what it beat, and every way to reach them.

The choice is :func:`identity.golden_records`'; here its tables become the warehouse's, for the customers that a resolution
touched and no others.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pyarrow as pa

import identity
import identity.normalise as normalise
from hub.pipeline.identity_state import PREFIX, state_around
from hub.records import IdentifierKind
from hub.warehouse.engine import Engine, literal
from identity import Resolution

__all__ = ["refresh_customers"]

_VALUE = ["kind", "scope", "value"]
_SAME_VALUE = " AND ".join(f"v.{name} IS NOT DISTINCT FROM i.{name}" for name in _VALUE)
_KINDS = ", ".join(literal(kind.value) for kind in IdentifierKind)
_TABLES = ("links", "customers", "customer_identifiers", "customer_fields", "customer_contacts")


def refresh_customers(
    engine: Engine, resolution: Resolution, changed: pa.Array | None, *, now: dt.datetime, sources: Sequence[str]
) -> None:
    """Write the records of customers that gained or lost a profile, or of whom anything is known anew.

    Args:
        engine: the warehouse, the resolution's changes already in it.
        resolution: what was decided.
        changed: keys of the profiles that changed; None writes every record.
        now: since when new profiles belong to their customer.
        sources: connections in order of trust.
    """
    whole = changed is None
    touched = _find_touched(engine, resolution, changed)
    state = resolution.state if whole else state_around(engine, touched)
    records = identity.golden_records(
        state, None if whole else touched, sources=sources, reported=_reported(engine, whole=whole)
    )
    engine.execute(_NEW_LINKS, [now])
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE old_customers AS SELECT customer_id, since FROM customers SEMI JOIN touched USING (customer_id)"
    )
    for table in _TABLES:
        engine.execute(f"DELETE FROM {table}" if whole else f"DELETE FROM {table} WHERE customer_id IN (FROM touched)")
    with engine.register({"golden_fields": records.fields, "golden_contacts": records.contacts}):
        for sql in _WRITE:
            engine.execute(sql)
    for table in ("new_links", "old_customers", "touched"):
        engine.execute(f"DROP TABLE {table}")


def _find_touched(engine: Engine, resolution: Resolution, changed: pa.Array | None) -> list[str]:
    """Make table ``touched`` (customer_id); the ids are returned after an incremental run only."""
    if changed is None:
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE touched AS SELECT customer AS customer_id FROM {PREFIX}memberships UNION SELECT customer_id FROM links"
        )
        return []
    moved, judged, linked = (resolution.changes[name] for name in ("memberships", "value_states", "links"))
    arrays = [_one_array(moved.added["profile"]), _one_array(moved.removed["profile"]), changed]
    tables = {
        "touched_profiles": pa.table({"profile": pa.concat_arrays(arrays)}),
        "moved_values": pa.concat_tables(
            [linked.added.select(["kind", "value"]), linked.removed.select(["kind", "value"])]
        ),
        "judged_values": pa.concat_tables([judged.added.select(_VALUE), judged.removed.select(_VALUE)]),
    }
    with engine.register(tables):
        # Whoever carries a value that a touched profile carries, or carried, may share it now, or no longer.
        engine.execute(
            f"""CREATE OR REPLACE TEMP TABLE touched AS
                WITH near AS (
                    SELECT kind, value FROM {PREFIX}links SEMI JOIN touched_profiles USING (profile)
                    WHERE kind IN ('phone', 'email')
                    UNION SELECT kind, value FROM moved_values WHERE kind IN ('phone', 'email')
                ), hit AS (
                    FROM touched_profiles
                    UNION SELECT i.profile FROM {PREFIX}links AS i JOIN judged_values AS v ON {_SAME_VALUE}
                    UNION SELECT i.profile FROM {PREFIX}links AS i SEMI JOIN near USING (kind, value)
                )
                SELECT customer AS customer_id FROM {PREFIX}memberships SEMI JOIN hit USING (profile)
                UNION SELECT customer_id FROM links SEMI JOIN hit USING (profile)"""
        )
    return [str(row[0]) for row in engine.rows("FROM touched")]


def _reported(engine: Engine, *, whole: bool) -> pa.Table:
    """What platforms report of contact points: people who want no messages, and messages that came back."""
    near = (
        ""
        if whole
        else f"SEMI JOIN (SELECT profile FROM {PREFIX}memberships JOIN touched ON customer = customer_id) USING (profile)"
    )
    refused = engine.arrow(
        f"""SELECT profile, NULL::VARCHAR AS kind, NULL::VARCHAR AS value, 'opted_out' AS state, updated_at AS "at"
            FROM (SELECT connection || ':' || source_id AS profile, updated_at FROM profiles
                  WHERE marketing_consent = false AND NOT deleted) {near}"""
    )
    rows = engine.rows(
        f"""SELECT profile, kind, value, happened_at FROM (
                SELECT k.profile, i.kind, i.value, k.happened_at FROM events AS e JOIN events_identifiers AS i USING (connection, source_id)
                JOIN profile_keys AS k ON k.record = 'events' AND k.connection = e.connection AND k.source_id = e.source_id
                WHERE e.type = 'message.bounced' AND NOT e.deleted AND i.kind IN ('phone', 'email')) {near}"""
    )
    forms = {"phone": normalise.phone, "email": normalise.email}
    bounced = [
        {"profile": profile, "kind": kind, "value": forms[kind](value).value, "state": "bounced", "at": at}
        for profile, kind, value, at in rows
    ]
    return pa.concat_tables([refused.cast(identity.REPORTED), pa.Table.from_pylist(bounced, schema=identity.REPORTED)])


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks().cast(pa.string())


# Memberships as the rest of the hub reads them. The source id of a key is what follows its first colon.
_NEW_LINKS = f"""
    CREATE OR REPLACE TEMP TABLE new_links AS
    SELECT m.profile, split_part(m.profile, ':', 1) AS connection,
           substr(m.profile, strpos(m.profile, ':') + 1) AS source_id, m.customer AS customer_id,
           coalesce(l.since, ?) AS since
    FROM {PREFIX}memberships AS m SEMI JOIN touched ON touched.customer_id = m.customer
    LEFT JOIN links AS l ON l.profile = m.profile AND l.customer_id = m.customer"""


def _belonging(field: str) -> str:
    """The value of the profile that was changed last; one that was changed nobody knows when comes after all others."""
    return f"""
        SELECT customer_id, '{field}' AS field,
               row_number() OVER (PARTITION BY customer_id
                                  ORDER BY p.updated_at DESC NULLS LAST, connection DESC, source_id DESC)::INTEGER AS place,
               p.{field} AS value, l.profile, 'latest' AS rule, p.updated_at AS seen
        FROM new_links AS l JOIN profiles AS p USING (connection, source_id) WHERE NOT p.deleted AND p.{field} IS NOT NULL"""


def _held(field: str) -> str:
    return f"max(value) FILTER (field = '{field}')"


_WRITE = (
    "INSERT INTO links BY NAME FROM new_links",
    # Names are compared without dots and in simplified characters, and kept as the person's platform wrote them.
    """INSERT INTO customer_fields BY NAME
       SELECT g.customer AS customer_id, g.field, g.place, CASE WHEN g.field IN ('name', 'nickname', 'salutation')
              THEN coalesce(trim(p.name), g.value) ELSE g.value END AS value, g.profile, g.rule, g.seen
       FROM golden_fields AS g JOIN new_links AS l USING (profile) LEFT JOIN profiles AS p USING (connection, source_id)""",
    f"INSERT INTO customer_fields BY NAME {_belonging('belonging_store_id')} UNION ALL {_belonging('belonging_guide_id')}",
    """INSERT INTO customer_contacts BY NAME
       SELECT customer AS customer_id, kind, value, state, "primary" AS is_primary, assurance, first_seen, last_seen
       FROM golden_contacts""",
    # One value counts once per customer, however many profiles carry it; the best known and latest comes first. A value that
    # says nothing of a person (a shop's phone), or that went to somebody else, is no way to reach one.
    f"""INSERT INTO customer_identifiers BY NAME
        SELECT l.customer_id, i.kind, i.scope, i.value, count(DISTINCT i.profile)::INTEGER AS profiles,
               row_number() OVER (PARTITION BY l.customer_id, i.kind
                                  ORDER BY any_value(list_position(['usable', 'opted_out', 'shared', 'bounced'], c.state)),
                                           coalesce(any_value(c.is_primary), false) DESC,
                                           max((i.assurance, coalesce(i.last_seen, TIMESTAMPTZ '-infinity'))) DESC,
                                           i.scope, i.value)::INTEGER AS rank
        FROM {PREFIX}links AS i JOIN new_links AS l USING (profile)
        LEFT JOIN customer_contacts AS c ON c.customer_id = l.customer_id AND c.kind = i.kind AND c.value = i.value
        ANTI JOIN (FROM {PREFIX}value_states WHERE state = 'blocked') AS v ON {_SAME_VALUE}
        WHERE i.status = 'key' AND i.kind IN ({_KINDS}) AND c.state IS DISTINCT FROM 'recycled'
        GROUP BY l.customer_id, i.kind, i.scope, i.value""",
    f"""INSERT INTO customers BY NAME
        WITH held AS (
            SELECT customer_id, coalesce({_held("name")}, {_held("nickname")}, {_held("salutation")}) AS name,
                   {", ".join(f"{_held(field)} AS {field}" for field in ("gender", "birthday", "province", "city", "belonging_store_id", "belonging_guide_id"))}
            FROM customer_fields SEMI JOIN touched USING (customer_id) WHERE place = 1 GROUP BY customer_id
        ), reached AS (
            SELECT customer_id, max(value) FILTER (kind = 'phone') AS phone, max(value) FILTER (kind = 'email') AS email
            FROM customer_identifiers SEMI JOIN touched USING (customer_id) WHERE rank = 1 GROUP BY customer_id
        ), whole AS (
            SELECT l.customer_id, min(p.registered_at) FILTER (NOT p.deleted) AS registered_at,
                   count(*)::INTEGER AS profiles, min(l.since) AS since
            FROM new_links AS l LEFT JOIN profiles AS p USING (connection, source_id) GROUP BY l.customer_id
        )
        SELECT whole.* REPLACE (coalesce(old.since, whole.since) AS since), held.* EXCLUDE (customer_id),
               reached.* EXCLUDE (customer_id)
        FROM whole LEFT JOIN held USING (customer_id) LEFT JOIN reached USING (customer_id)
        LEFT JOIN old_customers AS old USING (customer_id)""",
)
