"""Who stands behind a row: profiles the platforms know, and buyers that only their orders tell of.

Most tickets name no profile the hub has read: a card number, a phone, or only the platform's customer id. Every such row is
given a *profile key*: ``connection:source_id``, or, when only an identifier is known, ``connection:~kind:scope:value``. All
rows with the same key are the same profile before identity resolution begins.
"""

from __future__ import annotations

from collections.abc import Mapping

import identity.normalise as normalise
from hub.warehouse.engine import Engine, literal

__all__ = ["create_views", "keep_times", "spellings"]

_ACTIVITY = {"orders": "ordered_at", "events": "occurred_at", "feedback": "occurred_at"}
"""Record tables that happen to somebody, with the column that says when."""

_NAMING = (
    "member_no",
    "card_no",
    "unionid",
    "openid",
    "external_userid",
    "yz_open_id",
    "wid",
    "phone",
    "email",
    "custom",
)
"""Kinds that can stand for an unknown profile, best first. A payer's token can only once somebody is known by it too: alone
it would make a customer of every passer-by who paid with a phone."""

_PAYER = "payment_token"

_UNSCOPED = ("phone", "email")
"""Kinds that mean the same everywhere."""


def create_views(engine: Engine, open_platform: Mapping[str, str]) -> None:
    """Make the temporary views ``known_payers``, ``profile_keys``, ``walk_in_keys``, ``active_times``, ``seen_profiles``, ``seen_identifiers``
    and ``seen_fingerprints``.

    Args:
        engine: the warehouse.
        open_platform: WeChat open-platform account of each connection: the scope of its unionids. Connections that are
            not listed share one account.
    """
    scope = _scope_sql(open_platform)
    # Names are qualified: while scoring, an unqualified "orders" is the scorers' view.
    views = {
        "known_payers": _known_payers_sql(scope),
        "profile_keys": " UNION ALL ".join(_keys_sql(table, at, scope) for table, at in _ACTIVITY.items()),
        "walk_in_keys": " UNION ALL ".join(
            _keys_sql(table, at, scope) + " AND r.customer_id IS NULL AND n.key IS NOT NULL"
            for table, at in _ACTIVITY.items()
        ),
        "active_times": _TIMES_SQL,
        "seen_profiles": _PROFILES_SQL,
        "seen_identifiers": _identifiers_sql(scope),
        "seen_fingerprints": _FINGERPRINTS_SQL,
    }
    for name, sql in views.items():
        engine.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {sql}")


def keep_times(engine: Engine) -> None:
    """Work out once when each profile was active: that reads all there ever was, and ``seen_profiles`` needs it every time it is asked.

    Holds until the views are made again; what is loaded meanwhile is not in it.
    """
    engine.execute("CREATE OR REPLACE TEMP TABLE times_now AS FROM temp.active_times")
    engine.execute("CREATE OR REPLACE TEMP VIEW active_times AS FROM temp.times_now")


def _keys_sql(table: str, at: str, scope: str) -> str:
    """Rows of one activity table with the profile key behind each, NULL for walk-ins."""
    kinds = ", ".join(literal(kind) for kind in (*_NAMING, _PAYER))
    best = f"(list_position([{kinds}], i.kind), {scope}, i.value)"
    named = (
        f"SELECT i.connection, i.source_id, arg_min('~' || i.kind || ':' || {scope} || ':' || i.value, {best}) AS key "
        f"FROM main.{table}_identifiers AS i WHERE i.kind IN ({kinds}) AND i.assurance IS DISTINCT FROM 'parsed' "
        f"AND (i.kind <> '{_PAYER}' OR ({scope}, i.value) IN (SELECT (scope, value) FROM temp.known_payers)) GROUP BY ALL"
    )
    return (
        f"SELECT '{table}' AS record, r.connection, r.source_id, r.{at} AS happened_at, "
        f"r.connection || ':' || coalesce(r.customer_id, n.key) AS profile "
        f"FROM main.{table} AS r LEFT JOIN ({named}) AS n USING (connection, source_id) WHERE NOT r.deleted"
    )


def _known_payers_sql(scope: str) -> str:
    """Payers' tokens that stand beside something that tells who the payer is: a profile, a buyer's id, a card, a phone."""
    kinds = ", ".join(literal(kind) for kind in _NAMING)
    parts = [f"SELECT {scope} AS scope, i.value FROM main.profiles_identifiers AS i WHERE i.kind = '{_PAYER}'"]
    parts += [
        f"""SELECT {scope} AS scope, i.value FROM main.{table}_identifiers AS i JOIN main.{table} AS r USING (connection, source_id)
            WHERE i.kind = '{_PAYER}' AND NOT r.deleted AND (r.customer_id IS NOT NULL OR EXISTS (
                FROM main.{table}_identifiers AS named WHERE named.connection = i.connection AND named.source_id = i.source_id
                AND named.kind IN ({kinds}) AND named.assurance IS DISTINCT FROM 'parsed'))"""
        for table in _ACTIVITY
    ]
    return " UNION ".join(parts)


_TIMES_SQL = """
    SELECT profile, min(happened_at) AS first_at, max(happened_at) AS last_at
    FROM temp.profile_keys WHERE profile IS NOT NULL GROUP BY profile"""

_PROFILES_SQL = """
    SELECT coalesce(p.connection || ':' || p.source_id, a.profile) AS profile, p.name, p.gender, p.birthday,
           p.birthday_calendar, p.province, p.city, p.district, p.address,
           p.connection || ':' || p.merged_into AS merged_into,
           least(p.registered_at, p.first_seen_at, p.updated_at, a.first_at) AS first_seen,
           greatest(p.updated_at, a.last_at, p.registered_at) AS last_seen
    FROM (SELECT * FROM main.profiles WHERE NOT deleted) AS p
    FULL JOIN temp.active_times AS a ON a.profile = p.connection || ':' || p.source_id"""
"""One row per profile, read from a platform or only known through what it did. A profile its platform has deleted loses its
attributes; what it did remains, under the same key."""

_FINGERPRINTS_SQL = """
    SELECT p.profile, hash(p.name, p.gender, p.birthday, p.birthday_calendar, p.province, p.city, p.district, p.address,
                           p.merged_into, p.first_seen, p.last_seen, coalesce(i.evidence, 0)) AS fingerprint
    FROM temp.seen_profiles AS p
    LEFT JOIN (SELECT profile, sum(hash(kind, value, scope, assurance, first_seen, last_seen)) AS evidence
               FROM temp.seen_identifiers GROUP BY profile) AS i USING (profile)"""
"""A fingerprint of all that is known of each profile. An order that is deleted, or that names another buyer now, leaves no
trace with the one it belonged to before; only comparing finds him."""


def _identifiers_sql(scope: str) -> str:
    """Identifiers of those profiles, with the time they were first and last seen."""
    parts = [
        f"""SELECT i.connection || ':' || i.source_id AS profile, kind, value, {scope} AS scope, assurance,
                   coalesce(p.registered_at, least(p.first_seen_at, p.updated_at)) AS first_seen, coalesce(p.updated_at, p.first_seen_at) AS last_seen
            FROM main.profiles_identifiers AS i JOIN main.profiles AS p USING (connection, source_id) WHERE NOT p.deleted"""
    ]
    parts += [
        f"""SELECT k.profile, kind, value, {scope} AS scope, assurance, min(k.happened_at) AS first_seen, max(k.happened_at) AS last_seen
            FROM main.{table}_identifiers AS i JOIN temp.profile_keys AS k USING (connection, source_id)
            WHERE k.record = '{table}' AND k.profile IS NOT NULL GROUP BY ALL"""
        for table in _ACTIVITY
    ]
    return " UNION ALL ".join(parts)


def _scope_sql(open_platform: Mapping[str, str]) -> str:
    """The scope of an identifier that its source left open: the connection's own, where values are not world-wide."""
    accounts = " ".join(f"WHEN {literal(name)} THEN {literal(account)}" for name, account in open_platform.items())
    account = f"CASE i.connection {accounts} ELSE 'default' END" if accounts else "'default'"
    unscoped = ", ".join(literal(kind) for kind in _UNSCOPED)
    return (
        f"coalesce(i.scope, CASE WHEN i.kind IN ({unscoped}) THEN '' "
        f"WHEN i.kind = 'unionid' THEN {account} ELSE i.connection END)"
    )


def spellings(text: str) -> set[str]:
    """The forms under which an identifier may be kept: as written, and as identity resolution normalises each kind."""
    forms = (normalise.phone, normalise.email, normalise.number, normalise.account)
    return {text, *(value for form in forms if (value := form(text).value))}
