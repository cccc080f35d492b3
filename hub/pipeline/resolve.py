"""Find out which profiles are one person, and keep one record per customer.

The decisions are :mod:`identity`'s; this stage feeds it what changed since the last run and stores what it decided, in one
transaction. Nothing changed: nothing is written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

import identity
import identity.normalise as normalise
from hub.context import Hub
from hub.pipeline.golden import refresh_customers
from hub.pipeline.identity_rules import own_phones, rules_of
from hub.pipeline.identity_state import PREFIX, StoredState, load_state, prepare_identity, rules_version, store_changes
from hub.pipeline.link_model import load_model
from hub.store.tables import IdentityDecision
from hub.warehouse.engine import Engine
from hub.warehouse.people import create_views, keep_times
from hub.warehouse.schema import extend
from identity import Resolution, Rules
from identity.likely import LinkModel

__all__ = ["ResolveReport", "constraints_of", "prepare_resolving", "resolve"]

_FINGERPRINTS = "_resolved"
"""Table of the profiles' fingerprints as of the last resolution."""
_OWN = "_own_phones"
"""Table of the chain's own numbers as of the last resolution."""


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
    settings = hub.settings.identity
    model = load_model(hub.settings)
    with hub.warehouse() as engine, hub.store.runs.open("resolve") as run:
        prepare_resolving(hub, engine)
        own = own_phones(engine)
        constraints = constraints_of(hub.store.decisions.in_force())
        stage = _Resolving(engine, rules_of(settings, own), model, constraints, settings.sources, hub.now())
        report = stage.run(own, full=full, new_ids=new_ids)
        run.add(profiles=report.profiles, customers=report.customers, changed=report.changed, review=report.review)
        run.add(**report.events)
        return report


def prepare_resolving(hub: Hub, engine: Engine) -> None:
    """Make the views and tables that resolution reads and writes."""
    create_views(engine, hub.settings.identity.open_platform)
    prepare_identity(engine)
    extend(engine, _FINGERPRINTS, {"profile": "VARCHAR", "fingerprint": "UBIGINT"})
    extend(engine, _OWN, {"phone": "VARCHAR"})


def constraints_of(decisions: Sequence[IdentityDecision]) -> pa.Table:
    """Return what people decided as :data:`identity.CONSTRAINTS`."""
    rows = [
        {"rule": row.rule, "left": row.left, "right": row.right, "actor": row.actor, "reason": row.reason, "at": row.at}
        for row in decisions
    ]
    return pa.Table.from_pylist(rows, schema=identity.CONSTRAINTS)


class _Resolving:
    """One resolution over the warehouse."""

    def __init__(
        self,
        engine: Engine,
        rules: Rules,
        model: LinkModel | None,
        constraints: pa.Table,
        sources: Sequence[str],
        now: dt.datetime,
    ) -> None:
        self.engine = engine
        self.rules = rules
        self.model = model
        self.version = identity.decision_version(rules, model)
        self.constraints = constraints
        self.sources = sources
        self.now = now

    def run(self, own: frozenset[str], *, full: bool, new_ids: identity.IdSource) -> ResolveReport:
        since = int(self.engine.value("SELECT max(seq) FROM _progress WHERE stage = 'resolve'") or 0)
        until = self._newest_change()
        whole = full or rules_version(self.engine) != self.version
        decided = self._newly_decided()
        if not whole and until <= since and not decided:
            return self._counted(ResolveReport())
        keep_times(self.engine)
        self.engine.execute("CREATE OR REPLACE TEMP TABLE seen AS FROM seen_fingerprints")
        changed = None if whole else self._changed(since, own)
        # Only measures of orders may have changed, which are nobody's identity.
        idle = changed is not None and not len(changed) and not decided
        resolution = None if idle else self._resolve(changed, new_ids)
        with self.engine.transaction():
            if resolution is not None:
                store_changes(self.engine, resolution)
                refresh_customers(self.engine, resolution, changed, now=self.now, sources=self.sources)
                self._keep_fingerprints(changed)
                self._keep_own(own)
            self.engine.execute("DELETE FROM _progress WHERE stage = 'resolve'")
            self.engine.execute("INSERT INTO _progress VALUES ('resolve', ?, ?)", [until, self.version])
        if resolution is None:
            return self._counted(ResolveReport())
        seen = resolution.report
        looked_at = seen.profiles if changed is None else len(changed)
        return self._counted(
            ResolveReport(changed=looked_at, events=seen.events, review=seen.review, largest=seen.largest)
        )

    def _newest_change(self) -> int:
        tables = ("profiles", "orders", "events", "feedback", "stores", "staff")
        newest = " UNION ALL ".join(f"SELECT max(changed_seq) AS seq FROM {table}" for table in tables)
        return int(self.engine.value(f"SELECT coalesce(max(seq), 0) FROM ({newest})"))

    def _newly_decided(self) -> bool:
        """Whether people decided or withdrew anything since the last run."""
        columns = ", ".join(f'"{name}"' for name in (*identity.KEYS["constraints"], "at"))
        with self.engine.register({"wishes": self.constraints}):
            one, other = f"SELECT {columns} FROM wishes", f"SELECT {columns} FROM {PREFIX}constraints"
            news = f"(({one}) EXCEPT ({other})) UNION ALL (({other}) EXCEPT ({one}))"
            return bool(self.engine.value(f"SELECT count(*) FROM ({news})"))

    def _changed(self, since: int, own: frozenset[str]) -> pa.Array:
        """Profile keys of which anything is known now that was not, or no longer is; and who carries a shop's new number."""
        table = self.engine.arrow(
            f"""SELECT coalesce(now.profile, before.profile) AS profile
                FROM seen AS now FULL JOIN {_FINGERPRINTS} AS before ON before.profile = now.profile
                WHERE now.fingerprint IS DISTINCT FROM before.fingerprint
                UNION SELECT connection || ':' || source_id FROM profiles WHERE changed_seq > ?
                UNION SELECT profile FROM {PREFIX}links WHERE kind = 'phone' AND list_contains(?, value)""",
            [since, self._own_changes(own)],
        )
        return table["profile"].combine_chunks().cast(pa.string())

    def _own_changes(self, own: frozenset[str]) -> list[str]:
        """The chain's own numbers that joined or left since the last run, normalised."""
        before = {str(row[0]) for row in self.engine.rows(f"FROM {_OWN}")}
        return sorted({value for raw in own ^ before if (value := normalise.phone(raw).value)})

    def _keep_own(self, own: frozenset[str]) -> None:
        self.engine.execute(f"DELETE FROM {_OWN}")
        with self.engine.register({"own": pa.table({"phone": pa.array(sorted(own), pa.string())})}):
            self.engine.execute(f"INSERT INTO {_OWN} FROM own")

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
            # A link model compares a changed profile with all others, everything else only with those in reach.
            previous=load_state(self.engine) if changed is None or self.model else StoredState(self.engine),
            constraints=self.constraints,
            rules=self.rules,
            new_ids=new_ids,
            changed=changed,
            model=self.model,
        )

    def _counted(self, report: ResolveReport) -> ResolveReport:
        rows = self.engine.rows("SELECT count(*), count(DISTINCT customer_id) FROM links")
        report.profiles, report.customers = rows[0]
        return report
