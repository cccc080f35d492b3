"""Every name that DAGs, assets and pools share."""

from __future__ import annotations

__all__ = [
    "CUSTOMERS_DAG",
    "MAINTENANCE_DAG",
    "SNAPSHOT_ASSET",
    "WAREHOUSE_POOL",
    "api_pool",
    "ingest_dag",
    "push_dag",
    "raw_asset",
]

CUSTOMERS_DAG = "customers"
MAINTENANCE_DAG = "maintenance"
WAREHOUSE_POOL = "hub_warehouse"
"""One slot: the warehouse has one writer. A courtesy of the scheduler; the store's lease is the guard."""
SNAPSHOT_ASSET = "hub.snapshot"


def ingest_dag(connection: str) -> str:
    """Return the id of the DAG that reads a connection."""
    return f"ingest__{connection}"


def push_dag(sync: str) -> str:
    """Return the id of the DAG that pushes a sync."""
    return f"push__{sync}"


def api_pool(connection: str) -> str:
    """Return the pool of the tasks that call a connection's API."""
    return f"api__{connection}"


def raw_asset(connection: str) -> str:
    """Return the name of the asset that new data of a connection is."""
    return f"hub.raw.{connection}"
