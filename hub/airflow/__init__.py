"""The hub on Apache Airflow: a connection type, operators, and DAGs made from ``hub.toml``.

Nothing here is imported unless Airflow is installed (extra ``airflow``); importing this module costs nothing.
"""

from __future__ import annotations

from typing import Any

__all__ = ["get_provider_info"]


def get_provider_info() -> dict[str, Any]:
    """Describe the hub to Airflow's provider registry: its connection type and the fields of its form."""
    return {
        "package-name": "customer-hub",
        "name": "Customer hub 客户数据中台",
        "description": "Customers, orders and behaviour of store chains: in, merged, scored, and back out.",
        "integrations": [{"integration-name": "Customer hub", "external-doc-url": "", "tags": ["service"]}],
        "hooks": [{"integration-name": "Customer hub", "python-modules": ["hub.airflow.hooks"]}],
        "operators": [{"integration-name": "Customer hub", "python-modules": ["hub.airflow.operators"]}],
        "extra-links": ["hub.airflow.links.RunRowsLink"],
        "connection-types": [
            {
                "connection-type": "hub",
                "hook-class-name": "hub.airflow.hooks.HubHook",
                "hook-name": "Customer hub",
                "ui-field-behaviour": {
                    "hidden-fields": ["host", "schema", "login", "password", "port", "extra"],
                    "relabeling": {},
                    "placeholders": {},
                },
                "conn-fields": {
                    "config": {
                        "label": "hub.toml",
                        "description": "Path of hub.toml on the workers; the DAG's own when empty.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "secrets": {
                        "label": "Secrets",
                        "description": 'JSON object of what ${NAME} in hub.toml stands for: {"SHOP_SECRET": "…"}.',
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                },
            }
        ],
    }
