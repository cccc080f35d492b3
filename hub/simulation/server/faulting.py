"""Joins a fault programme to a simulator's calls: counts attempts and streaks in the state, so that both survive a
restart."""

from __future__ import annotations

import hashlib

from hub.redaction import is_secret_name
from hub.simulation.faults import CallFacts, Hit, Programme, programme
from hub.simulation.server.call import Call
from hub.simulation.server.database import Database

__all__ = ["FaultBook", "request_key"]

_VOLATILE = frozenset({"timestamp", "time-stamp", "nonce", "sign", "t"})

_TABLES = """
CREATE TABLE IF NOT EXISTS sim_fault_requests (
  key TEXT PRIMARY KEY, attempts INTEGER NOT NULL, streak INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sim_fault_endpoints (endpoint TEXT PRIMARY KEY, calls INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sim_fault_rules (
  rule TEXT, endpoint TEXT, hits INTEGER NOT NULL, PRIMARY KEY (rule, endpoint)) WITHOUT ROWID;
"""


def request_key(call: Call) -> str:
    """Return what stays the same when a request is repeated: everything but token, time-stamp, nonce and signature."""
    query = sorted((name, value) for name, value in call.query.multi_items() if not _is_volatile(name))
    parts = [call.method.encode(), call.path.encode(), repr(query).encode(), call.body]
    return hashlib.sha256(b"\x1f".join(parts)).hexdigest()[:32]


def _is_volatile(name: str) -> bool:
    return is_secret_name(name) or name.lower() in _VOLATILE


class FaultBook:
    """The programme in force and what it has done so far."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.programme: Programme = programme("none")
        database.create(_TABLES)

    def use(self, chosen: Programme) -> None:
        """Put a programme in force. Counts go on if it is the one the state knows, else they begin anew."""
        self.programme = chosen
        mark = repr((chosen.name, chosen.seed, [(rule.name, rule.rate) for rule in chosen.rules]))
        with self._database.transaction():
            if self._database.fact("fault_programme") == mark:
                return
            for table in ("sim_fault_requests", "sim_fault_endpoints", "sim_fault_rules"):
                self._database.execute(f"DELETE FROM {table}")
            self._database.remember("fault_programme", mark)

    def decide(self, call: Call, key: str) -> Hit | None:
        """Return the fault that meets this call, and count the call."""
        if not self.programme.rules or call.endpoint is None:
            return None
        facts = self._facts(call, key)
        hit = self.programme.decide(facts)
        self._count(facts, hit)
        return hit

    def _facts(self, call: Call, key: str) -> CallFacts:
        endpoint = call.endpoint
        if endpoint is None:
            raise ValueError("a call without endpoint meets no fault")
        past = self._database.row("SELECT attempts, streak FROM sim_fault_requests WHERE key = ?", key)
        fired = self._database.rows("SELECT rule, hits FROM sim_fault_rules WHERE endpoint = ?", endpoint.name)
        calls = self._database.value("SELECT calls FROM sim_fault_endpoints WHERE endpoint = ?", endpoint.name)
        return CallFacts(
            endpoint=endpoint.name,
            key=key,
            write=endpoint.write,
            paged=endpoint.paged,
            attempt=past["attempts"] if past is not None else 0,
            streak=past["streak"] if past is not None else 0,
            ordinal=calls or 0,
            fired={row["rule"]: row["hits"] for row in fired},
        )

    def _count(self, facts: CallFacts, hit: Hit | None) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO sim_fault_requests VALUES (?, ?, ?)",
            facts.key,
            facts.attempt + 1,
            facts.streak + 1 if hit else 0,
        )
        self._database.execute(
            "INSERT OR REPLACE INTO sim_fault_endpoints VALUES (?, ?)", facts.endpoint, facts.ordinal + 1
        )
        if hit is not None:
            self._database.execute(
                "INSERT OR REPLACE INTO sim_fault_rules VALUES (?, ?, ?)",
                hit.rule,
                facts.endpoint,
                facts.fired.get(hit.rule, 0) + 1,
            )
