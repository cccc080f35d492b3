"""The hub's DAGs, made from the ``hub.toml`` that HUB_CONFIG names (airflow dag)."""

from hub.airflow.factory import hub_dags

globals().update(hub_dags())
