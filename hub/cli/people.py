"""Find a customer in a snapshot by anything that names them, and read what the snapshot holds of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub.warehouse.people import spellings

if TYPE_CHECKING:
    from hub.warehouse.engine import Engine

__all__ = ["find_customers", "read_customer"]


def find_customers(engine: Engine, query: str, limit: int) -> list[str]:
    """Return the ids of the customers that a query names.

    Args:
        engine: a workbench with a snapshot's tables.
        query: a customer id (also one that was merged away), a profile (``pos:1001``), a platform's own id, or an identifier
            as a person writes it.
        limit: at most so many.
    """
    forms = sorted({query.strip(), *spellings(query.strip())})
    marks = ", ".join("?" for _ in forms)
    rows = engine.rows(
        f"SELECT DISTINCT customer_id FROM lookup WHERE key IN ({marks}) ORDER BY customer_id LIMIT {limit}", forms
    )
    return [str(row[0]) for row in rows]


def read_customer(engine: Engine, customer_id: str) -> dict[str, Any]:
    """Return everything a snapshot holds of a customer, by table."""
    return {
        "customer": _rows(engine, "FROM customers WHERE customer_id = ?", customer_id)[0],
        "identifiers": _rows(
            engine,
            "SELECT kind, value, scope, profiles FROM customer_identifiers WHERE customer_id = ? ORDER BY kind, rank",
            customer_id,
        ),
        "profiles": _rows(
            engine,
            "SELECT profile, connection, source_id, since FROM links WHERE customer_id = ? ORDER BY profile",
            customer_id,
        ),
        "fields": _optional(
            engine,
            "customer_fields",
            "SELECT field, place, value, profile, rule, seen FROM customer_fields WHERE customer_id = ? ORDER BY field, place",
            customer_id,
        ),
        "contacts": _optional(
            engine,
            "customer_contacts",
            "SELECT kind, value, state, is_primary, first_seen, last_seen FROM customer_contacts WHERE customer_id = ? ORDER BY kind, is_primary DESC, value",
            customer_id,
        ),
        "decisions": _optional(
            engine,
            "identity_constraints",
            """SELECT rule, "left", "right", actor, reason, "at" FROM identity_constraints
               WHERE "left" IN (SELECT profile FROM links WHERE customer_id = ?)
                  OR "right" IN (SELECT profile FROM links WHERE customer_id = ?) ORDER BY "at", "left", "right" """,
            customer_id,
            customer_id,
        ),
        "segments": _rows(
            engine, "SELECT segment, since FROM members WHERE customer_id = ? ORDER BY segment", customer_id
        ),
        "traits": _traits(engine, customer_id),
        "history": _history(engine, customer_id),
    }


def _traits(engine: Engine, customer_id: str) -> dict[str, Any]:
    # Before the first scoring the table has no other column.
    rows = _rows(engine, "SELECT * FROM traits WHERE customer_id = ?", customer_id)
    return {name: value for name, value in rows[0].items() if name != "customer_id"} if rows else {}


def _history(engine: Engine, customer_id: str) -> list[dict[str, Any]]:
    if not engine.columns("identity_events"):
        return []
    return _rows(
        engine,
        'SELECT "at", event, other, profiles, reason FROM identity_events WHERE customer = ? OR other = ? ORDER BY "at", event',
        customer_id,
        customer_id,
    )


def _optional(engine: Engine, table: str, sql: str, *parameters: str) -> list[dict[str, Any]]:
    """Rows of a table that older snapshots do not have."""
    return _rows(engine, sql, *parameters) if engine.columns(table) else []


def _rows(engine: Engine, sql: str, *parameters: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = engine.arrow(sql, parameters).to_pylist()
    return found
