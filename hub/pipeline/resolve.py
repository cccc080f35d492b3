"""Find out which profiles are one person, and keep one record per customer.

The decisions are :mod:`identity`'s; this stage feeds it what changed since the last run and stores what it decided, in one
transaction. Nothing changed: nothing is written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

import identity
from hub.context import Hub
from hub.records import IdentifierKind
from hub.warehouse.engine import Engine, literal, quoted
from hub.warehouse.people import create_views
from hub.warehouse.schema import SQL_TYPES, extend
from identity import Resolution, Rules, State

__all__ = ["ResolveReport", "resolve"]

_PREFIX = "identity_"
_FINGERPRINTS = "_resolved"
"""Table of the profiles' fingerprints as of the last resolution."""


@dataclass
class ResolveReport:
    """What a resolution did.

    Attributes:
        profiles: profiles that belong to a customer.
        customers: live customers.
        changed: profiles that were looked at because something about them changed.
        events: identity events by name.
        review: joins a person should look at.
        largest: profiles of the largest customer among those looked at.
    """

    profiles: int = 0
    customers: int = 0
    changed: int = 0
    events: Mapping[str, int] = field(default_factory=dict)
    review: int = 0
    largest: int = 0


def resolve(hub: Hub, *, full: bool = False, new_ids: identity.IdSource = identity.random_ids) -> ResolveReport:
    """Resolve what changed since the last resolution.

    Args:
        hub: the opened hub.
        full: look at every profile again.
        new_ids: where new customer ids come from.

    Raises:
        LeaseHeldError: another process has the warehouse open.
    """
    with hub.warehouse() as engine, hub.store.runs.open("resolve") as run:
        create_views(engine, hub.settings.identity.open_platform)
        _prepare_tables(engine)
        rules = _rules(hub, engine)
        report = _Resolving(engine, rules, hub.now()).run(full=full, new_ids=new_ids)
        run.add(profiles=report.profiles, customers=report.customers, changed=report.changed, review=report.review)
        run.add(**report.events)
        return report


def _prepare_tables(engine: Engine) -> None:
    schemas = {**identity.SCHEMAS, "events": identity.EVENTS}
    for name, schema in schemas.items():
        extend(engine, f"{_PREFIX}{name}", {column.name: SQL_TYPES[column.type] for column in schema})
    extend(engine, _FINGERPRINTS, {"profile": "VARCHAR", "fingerprint": "UBIGINT"})


def _rules(hub: Hub, engine: Engine) -> Rules:
    """The defaults, with the chain's own numbers blocked: shops and staff are nobody's identity."""
    own = engine.rows(
        """SELECT DISTINCT phone FROM (SELECT phone FROM stores UNION ALL SELECT phone FROM staff
           UNION ALL SELECT value FROM staff_identifiers WHERE kind = 'phone') WHERE phone IS NOT NULL"""
    )
    phones = frozenset({*(row[0] for row in own), *hub.settings.identity.blocked})
    limit = hub.settings.identity.max_profiles_per_customer
    return Rules(blocked={"phone": phones, **_everywhere(hub.settings.identity.blocked)}, max_customer=limit)


def _everywhere(values: tuple[str, ...]) -> dict[str, frozenset[str]]:
    return {kind.name: frozenset(values) for kind in identity.DEFAULT_KINDS if kind.name != "phone"} if values else {}


class _Resolving:
    """One resolution over the warehouse."""

    def __init__(self, engine: Engine, rules: Rules, now: dt.datetime) -> None:
        self.engine = engine
        self.rules = rules
        self.now = now

    def run(self, *, full: bool, new_ids: identity.IdSource) -> ResolveReport:
        since, version = self._progress()
        until = self._newest_change()
        whole = full or version != self.rules.version
        if not whole and until <= since:
            return self._counted(ResolveReport())
        self.engine.execute("CREATE OR REPLACE TEMP TABLE seen AS FROM seen_fingerprints")
        changed = None if whole else self._changed(since)
        # Only measures of orders may have changed, which are nobody's identity.
        resolution = None if changed is not None and not len(changed) else self._resolve(changed, new_ids)
        with self.engine.transaction():
            if resolution is not None:
                self._store(resolution)
                self._refresh_customers(changed, resolution)
                self._keep_fingerprints(changed)
            self.engine.execute("DELETE FROM _progress WHERE stage = 'resolve'")
            self.engine.execute("INSERT INTO _progress VALUES ('resolve', ?, ?)", [until, self.rules.version])
        if resolution is None:
            return self._counted(ResolveReport())
        seen = resolution.report
        looked_at = seen.profiles if changed is None else len(changed)
        return self._counted(
            ResolveReport(changed=looked_at, events=seen.events, review=seen.review, largest=seen.largest)
        )

    def _progress(self) -> tuple[int, str]:
        rows = self.engine.rows("SELECT seq, detail FROM _progress WHERE stage = 'resolve'")
        return (rows[0][0], rows[0][1]) if rows else (0, "")

    def _newest_change(self) -> int:
        tables = ("profiles", "orders", "events", "feedback", "stores", "staff")
        newest = " UNION ALL ".join(f"SELECT max(changed_seq) AS seq FROM {table}" for table in tables)
        return int(self.engine.value(f"SELECT coalesce(max(seq), 0) FROM ({newest})"))

    def _changed(self, since: int) -> pa.Array:
        """Profile keys of which anything is known now that was not, or no longer is."""
        table = self.engine.arrow(
            f"""SELECT coalesce(now.profile, before.profile) AS profile
                FROM seen AS now FULL JOIN {_FINGERPRINTS} AS before ON before.profile = now.profile
                WHERE now.fingerprint IS DISTINCT FROM before.fingerprint
                UNION SELECT connection || ':' || source_id FROM profiles WHERE changed_seq > ?""",
            [since],
        )
        return _one_array(table["profile"])

    def _keep_fingerprints(self, changed: pa.Array | None) -> None:
        if changed is None:
            self.engine.execute(f"DELETE FROM {_FINGERPRINTS}")
            self.engine.execute(f"INSERT INTO {_FINGERPRINTS} BY NAME FROM seen")
            return
        with self.engine.register({"changed_profiles": pa.table({"profile": changed})}):
            self.engine.execute(f"DELETE FROM {_FINGERPRINTS} WHERE profile IN (FROM changed_profiles)")
            self.engine.execute(
                f"INSERT INTO {_FINGERPRINTS} BY NAME SELECT * FROM seen SEMI JOIN changed_profiles USING (profile)"
            )

    def _resolve(self, changed: pa.Array | None, new_ids: identity.IdSource) -> Resolution:
        tables = {name: self.engine.arrow(f"FROM {_PREFIX}{name}") for name in identity.SCHEMAS}
        _, version = self._progress()
        previous = State.of(tables, version)
        inputs: dict[str, pa.Table] = {}
        if changed is None:
            inputs = {name: self.engine.arrow(f"FROM seen_{name}") for name in ("profiles", "identifiers")}
        else:
            with self.engine.register({"changed_profiles": pa.table({"profile": changed})}):
                for name in ("profiles", "identifiers"):
                    sql = f"FROM seen_{name} SEMI JOIN changed_profiles USING (profile)"
                    inputs[name] = self.engine.arrow(f"SELECT * {sql}")
        return identity.resolve(
            inputs["profiles"],
            inputs["identifiers"],
            at=self.now,
            previous=previous,
            rules=self.rules,
            new_ids=new_ids,
            changed=changed,
        )

    def _store(self, resolution: Resolution) -> None:
        for name, change in resolution.changes.items():
            if change.is_empty:
                continue
            table = f"{_PREFIX}{name}"
            match = " AND ".join(f"t.{quoted(key)} IS NOT DISTINCT FROM r.{quoted(key)}" for key in change.key)
            with self.engine.register({"removed_rows": change.removed, "added_rows": change.added}):
                if change.removed.num_rows:
                    self.engine.execute(f"DELETE FROM {table} AS t USING removed_rows AS r WHERE {match}")
                self.engine.execute(f"INSERT INTO {table} BY NAME FROM added_rows")
        if resolution.events.num_rows:
            with self.engine.register({"new_events": resolution.events}):
                self.engine.execute(f"INSERT INTO {_PREFIX}events BY NAME FROM new_events")

    def _refresh_customers(self, changed: pa.Array | None, resolution: Resolution) -> None:
        """Write the golden records of customers that gained or lost a profile, or of whom anything is known anew."""
        moved = resolution.changes["memberships"]
        arrays = [_one_array(moved.added["profile"]), _one_array(moved.removed["profile"])]
        if changed is not None:
            arrays.append(changed)
        judged = resolution.changes["value_states"]
        tables = {
            "touched_profiles": pa.table({"profile": pa.concat_arrays(arrays)}),
            "judged_values": pa.concat_tables([judged.added.select(_VALUE), judged.removed.select(_VALUE)]),
        }
        with self.engine.register(tables):
            where = "" if changed is None else f"WHERE profile IN ({_TOUCHED_PROFILES})"
            self.engine.execute(
                f"""CREATE OR REPLACE TEMP TABLE touched AS
                    SELECT customer AS customer_id FROM {_PREFIX}memberships {where}
                    UNION SELECT customer_id FROM links {where}"""
            )
        for sql in _REFRESH:
            self.engine.execute(sql, [self.now] if "?" in sql else [])
        self.engine.execute("DROP TABLE touched")

    def _counted(self, report: ResolveReport) -> ResolveReport:
        rows = self.engine.rows("SELECT count(*), count(DISTINCT customer_id) FROM links")
        report.profiles, report.customers = rows[0]
        return report


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    return combined.cast(pa.string())


_VALUE = ["kind", "scope", "value"]
_SAME_VALUE = " AND ".join(f"v.{name} IS NOT DISTINCT FROM i.{name}" for name in _VALUE)
_TOUCHED_PROFILES = (
    f"FROM touched_profiles UNION SELECT i.profile FROM {_PREFIX}links AS i JOIN judged_values AS v ON {_SAME_VALUE}"
)


def _latest(column: str) -> str:
    """The value of the profile that was changed last, among those that have one; one that was changed nobody knows when
    comes after all others."""
    when = "coalesce(p.updated_at, TIMESTAMPTZ '-infinity')"
    return f"arg_max(p.{column}, ({when}, p.connection, p.source_id)) FILTER (p.{column} IS NOT NULL) AS {column}"


_FIELDS = ("name", "gender", "birthday", "province", "city", "belonging_store_id", "belonging_guide_id")
_KINDS = ", ".join(literal(kind.value) for kind in IdentifierKind)

_REFRESH = (
    # Memberships as the rest of the hub reads them. The source id of a key is what follows its first colon.
    f"""CREATE OR REPLACE TEMP TABLE new_links AS
        SELECT m.profile, split_part(m.profile, ':', 1) AS connection,
               substr(m.profile, strpos(m.profile, ':') + 1) AS source_id, m.customer AS customer_id,
               coalesce(l.since, ?) AS since
        FROM {_PREFIX}memberships AS m SEMI JOIN touched ON touched.customer_id = m.customer
        LEFT JOIN links AS l ON l.profile = m.profile AND l.customer_id = m.customer""",
    "DELETE FROM links WHERE customer_id IN (FROM touched)",
    "INSERT INTO links BY NAME FROM new_links",
    "CREATE OR REPLACE TEMP TABLE old_customers AS SELECT customer_id, since FROM customers SEMI JOIN touched USING (customer_id)",
    "DELETE FROM customers WHERE customer_id IN (FROM touched)",
    "DELETE FROM customer_identifiers WHERE customer_id IN (FROM touched)",
    # One value counts once per customer, however many profiles carry it; the best known and latest comes first. A value that
    # says nothing of a person (a shop's phone) is no way to reach one.
    f"""INSERT INTO customer_identifiers BY NAME
        SELECT l.customer_id, i.kind, i.scope, i.value, count(DISTINCT i.profile)::INTEGER AS profiles,
               row_number() OVER (PARTITION BY l.customer_id, i.kind
                                  ORDER BY max((i.assurance, coalesce(i.last_seen, TIMESTAMPTZ '-infinity'))) DESC,
                                           i.scope, i.value)::INTEGER AS rank
        FROM {_PREFIX}links AS i JOIN new_links AS l USING (profile)
        ANTI JOIN (FROM {_PREFIX}value_states WHERE state = 'blocked') AS v ON {_SAME_VALUE}
        WHERE i.status = 'key' AND i.kind IN ({_KINDS})
        GROUP BY l.customer_id, i.kind, i.scope, i.value""",
    f"""INSERT INTO customers BY NAME
        SELECT l.customer_id, {", ".join(_latest(field) for field in _FIELDS)},
               min(p.registered_at) AS registered_at, count(*)::INTEGER AS profiles,
               any_value(phone.value) AS phone, any_value(email.value) AS email,
               coalesce(any_value(old.since), min(l.since)) AS since
        FROM new_links AS l
        LEFT JOIN (SELECT * FROM profiles WHERE NOT deleted) AS p USING (connection, source_id)
        LEFT JOIN customer_identifiers AS phone
               ON phone.customer_id = l.customer_id AND phone.kind = 'phone' AND phone.rank = 1
        LEFT JOIN customer_identifiers AS email
               ON email.customer_id = l.customer_id AND email.kind = 'email' AND email.rank = 1
        LEFT JOIN old_customers AS old ON old.customer_id = l.customer_id
        GROUP BY l.customer_id""",
    "DROP TABLE new_links",
    "DROP TABLE old_customers",
)
