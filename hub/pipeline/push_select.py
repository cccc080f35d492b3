"""Whom a sync selects, and whom it holds back: exclusion, consent, holdout, limits, priorities, frequency caps.

Everything is SQL over the snapshot's tables and what the store knows, so that a dry run finds the same as the run.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from hub.runtime import utc_now
from hub.store.audience import Audience, locked
from hub.sync_settings import CapSettings, HoldoutSettings, PushSettings, SyncSettings
from hub.warehouse.engine import Engine, literal, quoted

__all__ = ["HELD_REASONS", "Policy", "Selector", "drawn"]

HELD_REASONS = {
    "excluded": "The customer is in a segment that is excluded.",
    "consent_denied": "The customer has said no to this.",
    "consent_unknown": "No consent to this is known of the customer.",
    "holdout": "The customer belongs to the experiment's group that is told nothing.",
    "frequency_cap": "The customer has been reached as often as the caps allow.",
}
"""Codes of rows that are held back, with the reason in words."""

MARKETING = "marketing"
"""The purpose that a profile's ``marketing_consent`` is about."""
_DRAW_DIGITS = 15


@dataclass(frozen=True)
class Policy:
    """What holds for every sync.

    Attributes:
        push: the ``[push]`` settings.
        channels: channel by sync, of the syncs that have one.
        now: the present instant.
        segments: names of all segments.
        copies: folder for copies of large ledgers.
    """

    push: PushSettings = field(default_factory=PushSettings)
    channels: Mapping[str, str] = field(default_factory=dict)
    now: dt.datetime = field(default_factory=utc_now)
    segments: frozenset[str] = frozenset()
    copies: Path | None = None


def drawn(holdout: HoldoutSettings, customer: str) -> str:
    """Return the SQL condition that a customer is held back: the same for the same id, experiment and salt, always.

    Args:
        holdout: the experiment.
        customer: SQL of the customer's id.
    """
    salt = literal(f"{holdout.experiment}\n{holdout.salt}\n")
    threshold = format(int(holdout.share * 16**_DRAW_DIGITS), f"0{_DRAW_DIGITS}x")
    return f"substr(sha256({salt} || {customer}), 1, {_DRAW_DIGITS}) < {literal(threshold)}"


class Selector:
    """Writes the SQL of a sync's selection and makes the tables it needs.

    Args:
        engine: a workbench in which the snapshot's tables can be read.
        audience: what the store knows of consent and experiments.
        sync: the sync's settings, checked.
        policy: what holds for every sync.
    """

    def __init__(self, engine: Engine, audience: Audience, sync: SyncSettings, policy: Policy) -> None:
        self.engine = engine
        self.audience = audience
        self.sync = sync
        self.policy = policy
        self._selected = self._selection()
        self._said = self._load_statements() > 0 or bool(engine.columns("consents"))
        self.engine.execute("CREATE OR REPLACE TEMP TABLE held (customer_id VARCHAR, code VARCHAR)")

    def prepare(self) -> str | None:
        """Make table ``held``: whom the sync would select but must not reach; return what is wrong with its condition.

        Raises:
            ConfigError: an experiment was changed after its first use.
        """
        self._check_experiment()
        return self._hold_back(self._rules()) or self._limit()

    def _hold_back(self, rules: Mapping[str, str]) -> str | None:
        if not rules:
            return None
        cases = " ".join(f"WHEN {condition} THEN {literal(code)}" for code, condition in rules.items())
        return self.engine.attempt(
            f"""CREATE OR REPLACE TEMP TABLE held AS
                SELECT customer_id, code FROM (SELECT p.customer_id, CASE {cases} END AS code
                FROM (SELECT customer_id FROM {self._selected}) AS p {self._consent_join()}) WHERE code IS NOT NULL"""
        )

    def customers(self, only: str = "") -> str:
        """SQL of the rows of the customers who are reached, with the columns of customers and traits.

        Args:
            only: SQL behind ``FROM customers`` that narrows them down.
        """
        if self.sync.limit is not None:
            within = f"SEMI JOIN within_limit USING (customer_id) {only}"
            return f"(SELECT * FROM (FROM customers {within}) LEFT JOIN traits USING (customer_id))"
        return self._unlimited(only)

    def _unlimited(self, only: str = "") -> str:
        selected = self._selection(only)
        return f"(SELECT * FROM {selected} ANTI JOIN held USING (customer_id))" if self._rules() else selected

    def _limit(self) -> str | None:
        """Make table ``within_limit``, of a sync that has a limit; return what is wrong with its condition."""
        limit = self.sync.limit
        if limit is None:
            return None
        sql = self._unlimited()
        order = f"{quoted(limit.by)} {'ASC' if limit.ascending else 'DESC'} NULLS LAST, customer_id"
        if limit.at_most is not None:
            place = f"row_number() OVER (PARTITION BY {quoted(limit.per)} ORDER BY {order})"
            sql = f"(SELECT * FROM {sql} QUALIFY {place} <= {limit.at_most})"
        if limit.top is not None:
            sql = f"(SELECT * FROM {sql} QUALIFY row_number() OVER (ORDER BY {order}) <= {limit.top})"
        return self.engine.attempt(f"CREATE OR REPLACE TEMP TABLE within_limit AS SELECT customer_id FROM {sql}")

    def members(self) -> str:
        """SQL of who is in which segment, as far as it counts for this sync."""
        listed = self.sync.priority
        if not listed:
            return "members"
        names = ", ".join(literal(name) for name in listed)
        place = f"CASE WHEN segment IN ({names}) THEN list_position([{names}], segment) END"
        return (
            f"(SELECT segment, customer_id FROM members QUALIFY segment NOT IN ({names}) "
            f"OR {place} = min({place}) OVER (PARTITION BY customer_id))"
        )

    def _selection(self, only: str = "") -> str:
        where = f"({self.sync.where})" if self.sync.where else "true"
        semi = ""
        if self.sync.segments:
            names = ", ".join(literal(name) for name in self.sync.segments)
            semi = (
                f"SEMI JOIN (SELECT customer_id FROM {self.members()} WHERE segment IN ({names})) USING (customer_id)"
            )
        customers = f"(FROM customers {only})" if only else "customers"
        return f"(SELECT * FROM {customers} LEFT JOIN traits USING (customer_id) {semi} WHERE {where})"

    # Who is held back.

    def _rules(self) -> dict[str, str]:
        """Conditions over a selected customer ``p`` by code, the first that holds counts; removals are never held back."""
        if self.sync.sync_mode.removes_selected:
            return {}
        rules: dict[str, str] = {}
        excluded = {*self.sync.exclude, *self.policy.push.exclude}
        if excluded:
            names = ", ".join(literal(name) for name in sorted(excluded))
            rules["excluded"] = f"p.customer_id IN (SELECT customer_id FROM members WHERE segment IN ({names}))"
        if self._said:
            rules["consent_denied"] = "k.denied"
        if self.sync.purpose and self.sync.unknown_consent == "suppress":
            rules["consent_unknown"] = "k.granted IS NULL"
        if self.sync.holdout is not None:
            rules["holdout"] = drawn(self.sync.holdout, "p.customer_id")
        return rules

    def _consent_join(self) -> str:
        """Join what customers said that matters here: about this purpose and channel, or about all."""
        purpose, channel = literal(self.sync.purpose), literal(self.sync.channel)
        of_profiles = (
            f"UNION ALL SELECT customer_id, {literal(MARKETING)}, '', granted FROM consents"
            if self.engine.columns("consents")
            else ""
        )
        links = self.engine.columns("links")
        said = "SELECT l.customer_id, purpose, channel, granted FROM statements JOIN links AS l USING (profile)"
        own = said if links else "SELECT profile, purpose, channel, granted FROM statements"
        return f"""LEFT JOIN (SELECT customer_id, nullif(bool_or(NOT granted), false) AS denied,
                   nullif(bool_or(granted), false) AS granted FROM ({own} {of_profiles})
                   WHERE purpose IN ('', {purpose}) AND channel IN ('', {channel}) GROUP BY customer_id) AS k
                   ON k.customer_id = p.customer_id"""

    def _load_statements(self) -> int:
        self.engine.execute(
            "CREATE OR REPLACE TEMP TABLE statements (profile VARCHAR, purpose VARCHAR, channel VARCHAR, granted BOOLEAN)"
        )
        names = ("profile", "purpose", "channel", "granted")
        for chunk in self.audience.consents():
            rows = pa.table({name: [getattr(one, name) for one in chunk] for name in names})
            with self.engine.register({"statement_chunk": rows}):
                self.engine.execute("INSERT INTO statements BY NAME FROM statement_chunk")
        return int(self.engine.value("SELECT count(*) FROM statements"))

    def _check_experiment(self) -> None:
        holdout = self.sync.holdout
        known = self.audience.experiment(holdout.experiment) if holdout else None
        if holdout and known and (known.share, known.salt) != (holdout.share, holdout.salt):
            raise locked(known)

    def record_groups(self) -> None:
        """Lock the sync's experiment and record the group of every customer who is in it for the first time."""
        holdout = self.sync.holdout
        if holdout is None:
            return
        self.audience.lock(holdout.experiment, holdout.share, holdout.salt)
        self.engine.execute("CREATE OR REPLACE TEMP TABLE grouped (customer_id VARCHAR)")
        for chunk in self.audience.groups(holdout.experiment):
            with self.engine.register({"grouped_chunk": pa.table({"customer_id": list(chunk)})}):
                self.engine.execute("INSERT INTO grouped FROM grouped_chunk")
        others = "SELECT customer_id FROM held WHERE code <> 'holdout'"
        new = self.engine.batches(
            f"""SELECT customer_id, {drawn(holdout, "customer_id")} AS held FROM {self._selected}
                WHERE customer_id NOT IN (FROM grouped) AND customer_id NOT IN ({others})""",
            rows=5_000,
        )
        for batch in new:
            rows = batch.to_pylist()
            self.audience.assign(holdout.experiment, [(row["customer_id"], row["held"]) for row in rows])

    # How often somebody may be reached.

    def load_remaining(self) -> int | None:
        """Make table ``remaining``: how often customers may be reached still.

        Returns:
            The number for customers who are not in it; None when no cap applies to the sync.
        """
        caps = [cap for cap in self.policy.push.caps if self._applies(cap)]
        self.engine.execute("CREATE OR REPLACE TEMP TABLE counted (customer_id VARCHAR, remaining BIGINT)")
        for cap in caps:
            syncs = sorted(
                sync for sync, channel in self.policy.channels.items() if not cap.channels or channel in cap.channels
            )
            since = self.policy.now - dt.timedelta(days=cap.days)
            for chunk in self.audience.reached(syncs, since):
                rows = {"customer_id": [one[0] for one in chunk], "remaining": [cap.most - one[1] for one in chunk]}
                with self.engine.register({"counted_chunk": pa.table(rows)}):
                    self.engine.execute("INSERT INTO counted BY NAME FROM counted_chunk")
        most = min((cap.most for cap in caps), default=None)
        self.engine.execute(
            "CREATE OR REPLACE TEMP TABLE remaining AS SELECT customer_id, "
            f"least(min(remaining), {most if most is not None else 0}) AS remaining FROM counted GROUP BY customer_id"
        )
        return most

    def _applies(self, cap: CapSettings) -> bool:
        channel = self.sync.channel
        return bool(channel) and (not cap.channels or channel in cap.channels)
