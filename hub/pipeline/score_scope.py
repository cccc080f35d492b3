"""Who must be scored again: everybody on a new business day, and between two runs of one day only whose facts changed.

A customer's facts are told by a fingerprint over everything scorers may read of him: an order that names another buyer now, a
merge or a deletion changes the fingerprints of all whom it concerns.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import hub
from hub.context import Hub
from hub.scorer import Scorer
from hub.warehouse.engine import Engine

__all__ = ["Scope", "keep_scope", "scope_of"]


@dataclass(frozen=True)
class Scope:
    """Whom a run scores.

    Attributes:
        basis: everything but the customers' facts that traits follow from, as a fingerprint.
        everybody: whether all customers are scored by all scorers.
        per_customer: scorers that see the customers of the temporary table ``touched`` only.
        touched: how many those are.
    """

    basis: str
    everybody: bool
    per_customer: frozenset[str] = frozenset()
    touched: int = 0


def scope_of(opened: Hub, engine: Engine, scorers: Mapping[str, type[Scorer]], day: dt.date) -> Scope:
    """Compare with the last run; makes the temporary tables ``facts_now`` and ``touched``.

    Args:
        opened: the hub.
        engine: the warehouse, with the scorers' relations.
        scorers: all scorers.
        day: the business date of ``as_of``.
    """
    engine.execute(f"CREATE OR REPLACE TEMP TABLE facts_now AS {_facts()}")
    basis = _basis(opened, engine, scorers, day)
    traits = ["customer_id", *(trait.name for kind in scorers.values() for trait in kind.traits)]
    kept = dict(engine.rows("SELECT stage, detail FROM _progress WHERE stage IN ('score_basis', 'score_models')"))
    same = kept == {"score_basis": basis, "score_models": _models(opened)}
    if not same or sorted(engine.columns("traits")) != sorted(traits):
        return Scope(basis, everybody=True)
    engine.execute(
        """CREATE OR REPLACE TEMP TABLE touched AS
           SELECT customer_id FROM (FROM facts_now EXCEPT SELECT customer_id, facts FROM main.scored)"""
    )
    apart = _apart(opened, scorers)
    return Scope(
        basis, everybody=False, per_customer=frozenset(apart), touched=int(engine.value("SELECT count(*) FROM touched"))
    )


def keep_scope(opened: Hub, engine: Engine, scope: Scope) -> None:
    """Remember what was scored, in the transaction that writes the traits."""
    engine.execute("DELETE FROM _progress WHERE stage = 'score_models'")
    engine.execute("INSERT INTO _progress VALUES ('score_models', 0, ?)", [_models(opened)])
    if scope.everybody:
        engine.execute("DELETE FROM scored")
        engine.execute("INSERT INTO scored BY NAME FROM facts_now")
        engine.execute("DELETE FROM _progress WHERE stage = 'score_basis'")
        engine.execute("INSERT INTO _progress VALUES ('score_basis', 0, ?)", [scope.basis])
        return
    engine.execute("DELETE FROM scored WHERE customer_id IN (SELECT customer_id FROM touched)")
    engine.execute("DELETE FROM scored WHERE customer_id NOT IN (SELECT customer_id FROM facts_now)")
    engine.execute("INSERT INTO scored BY NAME FROM facts_now SEMI JOIN touched USING (customer_id)")


def _models(opened: Hub) -> str:
    """Which versions of models are in use: another one, by fit, promotion or roll-back, scores everybody anew."""
    models = opened.models
    states = [[one.name, one.version, one.state] for name in models.names() for one in models.versions(name)]
    return hashlib.sha256(json.dumps(states).encode()).hexdigest()


_ACTIVITY = ("orders", "events", "feedback")


_WALK_IN = "hash(k.connection, substr(k.profile, length(k.connection) + 2))"
"""The profile of a walk-in as a number, as :func:`_profile` gives it: the text is ``connection:identifier``."""


def _facts() -> str:
    """One number per customer. A sum, so that the order of the rows does not matter and equal facts do not cancel out.

    Facts are summed per profile first, in one pass, and then per customer, both by the hash of their names: texts are dear to
    group by. Two who shared a hash would be scored together. A refund is a fact of whoever bought what is given back, too.
    """
    told = [
        f"SELECT {_profile('connection', 'source_id')} AS profile, {_fact('profiles', 'row_hash')} AS fact FROM main.profiles WHERE NOT deleted"
    ]
    for table in _ACTIVITY:
        told.append(
            f"""SELECT {_profile("connection", "customer_id")}, {_fact(table, "row_hash")}
                FROM main.{table} WHERE customer_id IS NOT NULL AND NOT deleted"""
        )
        told.append(
            f"""SELECT {_WALK_IN}, {_fact(table, "r.row_hash")} FROM scoring.inputs.walk_ins AS k
                JOIN main.{table} AS r USING (connection, source_id) WHERE k.record = '{table}'"""
        )
    told.append(
        f"""SELECT coalesce({_profile("o.connection", "o.customer_id")}, {_WALK_IN}), {_fact("refund", "r.row_hash")}
           FROM main.orders AS r JOIN main.orders AS o ON o.connection = r.connection AND o.source_id = r.original_id
           LEFT JOIN scoring.inputs.walk_ins AS k
           ON k.record = 'orders' AND k.connection = o.connection AND k.source_id = o.source_id
           WHERE r.kind = 'refund' AND NOT r.deleted"""
    )
    return f"""
        SELECT c.customer_id, (hash(c) + coalesce(f.facts, 0))::HUGEINT AS facts FROM main.customers AS c LEFT JOIN (
            SELECT hash(l.customer_id) AS customer, sum(t.fact) AS facts
            FROM (SELECT profile, sum(fact) AS fact FROM ({" UNION ALL ".join(told)}) GROUP BY profile) AS t
            JOIN (SELECT customer_id, hash(connection, source_id) AS profile FROM main.links) AS l USING (profile) GROUP BY customer
        ) AS f ON f.customer = hash(c.customer_id)"""


def _profile(connection: str, source_id: str) -> str:
    """The profile as a number; NULL where none is named."""
    return f"CASE WHEN {source_id} IS NOT NULL THEN hash({connection}, {source_id}) END"


def _fact(table: str, row_hash: str) -> str:
    """A row as a number of 40 bits, whose sums stay within 64."""
    return f"(hash('{table}', {row_hash}) >> 24)::BIGINT"


_OF_THE_HOUR = "stock, sold_out_at, updated_at, row_hash, changed_seq"
"""What is left of a product changes with every ticket: lists take it as it is when somebody is scored, and scoring everybody waits for the night."""


def _basis(opened: Hub, engine: Engine, scorers: Mapping[str, type[Scorer]], day: dt.date) -> str:
    setting = opened.settings.hub
    parts = {
        "hub": hub.__version__,
        "day": day.isoformat(),
        "chain": [setting.timezone, setting.day_cutoff.isoformat(), setting.currency],
        "scorers": {
            name: [
                f"{kind.__module__}.{kind.__qualname__}",
                kind.Config.model_validate(opened.settings.scores.get(name, {})).model_dump(mode="json"),
                [(trait.name, trait.type) for trait in kind.traits],
            ]
            for name, kind in scorers.items()
        },
        "assortment": [
            [str(value) for value in engine.rows(f"SELECT count(*), sum(hash(t)) FROM ({rows}) AS t")[0]]
            for rows in (f"SELECT * EXCLUDE ({_OF_THE_HOUR}) FROM main.products", "FROM main.stores", "FROM main.staff")
        ],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _apart(opened: Hub, scorers: Mapping[str, type[Scorer]]) -> set[str]:
    """Scorers that can go without the other customers: each says so of itself, and none that sees everybody needs it."""
    apart = {
        name
        for name, kind in scorers.items()
        if kind().per_customer(kind.Config.model_validate(opened.settings.scores.get(name, {})))
    }
    for name in reversed(list(scorers)):
        if name not in apart:
            apart -= set(scorers[name].needs)
    return apart
