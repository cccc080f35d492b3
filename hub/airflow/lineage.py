"""What a task read and wrote, for OpenLineage. Used only where Airflow's OpenLineage provider is installed."""

from __future__ import annotations

from typing import Any

__all__ = ["datasets_of", "facets_of"]

_NAMESPACE = "hub"
_FLOWS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "LoadOperator": (("packages",), ("warehouse.profiles", "warehouse.orders")),
    "ResolveOperator": (("warehouse.profiles", "warehouse.orders"), ("warehouse.customers", "warehouse.links")),
    "ScoreOperator": (("warehouse.customers", "warehouse.orders"), ("warehouse.traits",)),
    "SegmentOperator": (("warehouse.traits",), ("warehouse.members",)),
    "PublishOperator": (("warehouse.customers", "warehouse.traits", "warehouse.members"), ("snapshot",)),
    "LookBackOperator": (("warehouse.customers", "warehouse.orders"), ("snapshot.aside",)),
}


def datasets_of(operator: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return names of the data sets an operator reads and writes."""
    kind = type(operator).__name__
    if kind == "ReadStreamOperator":
        return (f"{operator.connection}.{operator.stream}",), ("packages",)
    if kind == "PushOperator":
        return ("snapshot",), (f"sync.{operator.sync}",)
    return _FLOWS.get(kind, ((), ()))


def facets_of(operator: Any, task_instance: Any) -> Any:
    """Return the provider's lineage object: data sets, and the counts the task returned as a run facet."""
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.openlineage.extractors import OperatorLineage

    from hub.airflow.lineage_facet import CountsFacet

    read, wrote = datasets_of(operator)
    result = task_instance.xcom_pull(task_ids=task_instance.task_id, map_indexes=task_instance.map_index)
    told = result.items() if isinstance(result, dict) else ()
    counts = {str(name): value for name, value in told if isinstance(value, int)}
    return OperatorLineage(
        inputs=[Dataset(namespace=_NAMESPACE, name=name) for name in read],
        outputs=[Dataset(namespace=_NAMESPACE, name=name) for name in wrote],
        run_facets={"hub_counts": CountsFacet(counts=counts)} if counts else {},
    )
