"""Everything the hub keeps of one person, for a request of access (PIPL art. 45, GDPR art. 15)."""

from __future__ import annotations

from typing import Any

from hub.columns import record_tables
from hub.context import Hub
from hub.errors import ConfigError
from hub.pipeline.decisions import profiles_named
from hub.pipeline.identity_state import PREFIX
from hub.pipeline.resolve import prepare_resolving
from hub.warehouse.engine import Engine, quoted

__all__ = ["everything_about", "one_customer"]

_MOST_DELIVERIES = 10_000
_ABOUT_CUSTOMERS = (
    "customers",
    "customer_fields",
    "customer_contacts",
    "customer_identifiers",
    "links",
    "traits",
    "members",
    "member_events",
)
_ACTIVITY = ("orders", "events", "feedback")
_INTERNAL = ("row_hash", "changed_seq")


def everything_about(hub: Hub, query: str) -> dict[str, Any]:
    """Return all rows about one customer by table: record, identifiers, profiles, purchases, behaviour, scores, deliveries.

    Args:
        hub: the opened hub.
        query: what :func:`hub.pipeline.decisions.profiles_named` takes.

    Raises:
        ConfigError: nobody has it, or several customers do.
        LeaseHeldError: another process has the warehouse open.
    """
    with hub.warehouse() as engine:
        prepare_resolving(hub, engine)
        customer = one_customer(engine, query)
        engine.execute("CREATE OR REPLACE TEMP TABLE person AS FROM links WHERE customer_id = ?", [customer])
        found = {table: _rows(engine, table, "customer_id = ?", [customer]) for table in _ABOUT_CUSTOMERS}
        for table, parent in _fact_tables().items():
            found[table] = _rows(engine, table, _theirs(parent), [])
        found["identity_events"] = _rows(engine, f"{PREFIX}events", "customer = ? OR other = ?", [customer, customer])
        mine = '"left" IN (SELECT profile FROM person) OR "right" IN (SELECT profile FROM person)'
        found["identity_decisions"] = _rows(engine, f"{PREFIX}constraints", mine, [])
        profiles = [str(row[0]) for row in engine.rows("SELECT profile FROM person")]
        engine.execute("DROP TABLE person")
    sent = hub.store.deliveries.find(customer_id=customer, limit=_MOST_DELIVERIES)
    found["deliveries"] = [one.model_dump(exclude={"payload_hash", "batch"}) for one in sent]
    found["consents"] = [one.model_dump() for chunk in hub.store.audience.consents(profiles) for one in chunk]
    return {"customer_id": customer, "at": hub.now(), "tables": {name: rows for name, rows in found.items() if rows}}


def one_customer(engine: Engine, query: str) -> str:
    """Return the id of the one customer a query names.

    Raises:
        ConfigError: nobody has it, or several customers do.
    """
    profiles = profiles_named(engine, query)
    rows = engine.rows("SELECT DISTINCT customer_id FROM links WHERE list_contains(?, profile)", [profiles])
    if len(rows) > 1:
        raise ConfigError(
            f"{len(rows)} customers have this number.",
            code="customer_ambiguous",
            hint="What belongs to one must not be given to another: name one by a customer id (`hub customer` lists them).",
        )
    return str(rows[0][0])


def _fact_tables() -> dict[str, str]:
    """Tables of what persons are and do, with the parent table of each."""
    parents = ("profiles", *_ACTIVITY)
    names = {
        name: next((one for one in parents if name == one or name.startswith(f"{one}_")), "")
        for name in record_tables()
    }
    return {name: parent for name, parent in names.items() if parent}


def _theirs(parent: str) -> str:
    if parent == "profiles":
        return "(connection, source_id) IN (SELECT (connection, source_id) FROM person)"
    return (
        "(connection, source_id) IN (SELECT (connection, source_id) FROM profile_keys "
        f"WHERE record = '{parent}' AND profile IN (SELECT profile FROM person))"
    )


def _rows(engine: Engine, table: str, where: str, parameters: list[Any]) -> list[dict[str, Any]]:
    columns = engine.columns(table)
    if not columns:
        return []
    shown = ", ".join(quoted(name) for name in columns if name not in _INTERNAL)
    rows: list[dict[str, Any]] = engine.arrow(
        f"SELECT {shown} FROM {table} WHERE {where} ORDER BY ALL", parameters
    ).to_pylist()
    return [{name: value for name, value in row.items() if value is not None} for row in rows]
