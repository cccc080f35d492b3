"""One operator per stage. Each opens the hub, calls the stage's function, logs its summary and returns ids and counts only."""

from hub.airflow.operators.base import HubOperator, moment_of
from hub.airflow.operators.customers import (
    LookBackOperator,
    PublishOperator,
    ResolveOperator,
    ScoreOperator,
    SegmentOperator,
    WhichWayOperator,
)
from hub.airflow.operators.ingest import IngestVerdictOperator, ListStreamsOperator, LoadOperator, ReadStreamOperator
from hub.airflow.operators.push import PlanPushOperator, PushOperator, PushVerdictOperator, ReconcileOperator
from hub.airflow.operators.upkeep import CheckConnectionOperator, FinishErasuresOperator, PruneOperator

__all__ = [
    "CheckConnectionOperator",
    "FinishErasuresOperator",
    "HubOperator",
    "IngestVerdictOperator",
    "ListStreamsOperator",
    "LoadOperator",
    "LookBackOperator",
    "PlanPushOperator",
    "PruneOperator",
    "PublishOperator",
    "PushOperator",
    "PushVerdictOperator",
    "ReadStreamOperator",
    "ReconcileOperator",
    "ResolveOperator",
    "ScoreOperator",
    "SegmentOperator",
    "WhichWayOperator",
    "moment_of",
]
