"""DAGs from ``hub.toml``: one per connection to read, one for the customers, one per sync, one for upkeep.

A DAG file is two lines::

    from hub.airflow.factory import hub_dags
    globals().update(hub_dags("/srv/chain/hub.toml"))

Building them opens nothing, calls nobody and imports no plugin.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import (
    DAG,
    Asset,
    AssetAny,
    AssetOrTimeSchedule,
    CronTriggerTimetable,
    Param,
    TriggerRule,
    get_parsing_context,
)

from hub.airflow import names
from hub.airflow.hooks import HubHook
from hub.airflow.operators import (
    CheckConnectionOperator,
    FinishErasuresOperator,
    IngestVerdictOperator,
    ListStreamsOperator,
    LoadOperator,
    LookBackOperator,
    PlanPushOperator,
    PruneOperator,
    PublishOperator,
    PushOperator,
    PushVerdictOperator,
    ReadStreamOperator,
    ReconcileOperator,
    ResolveOperator,
    ScoreOperator,
    SegmentOperator,
    WhichWayOperator,
)
from hub.airflow.project import Project, read_project

__all__ = ["hub_dags"]

_BEGINNING = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_AS_OF = Param(
    None, type=["null", "string"], format="date-time", title="as_of", description="Score as if it were then."
)
_FULL = Param(default=False, type="boolean", title="full", description="Look at every profile again.")
_DRY_RUN = Param(default=False, type="boolean", title="dry_run", description="Only plan; nothing is sent.")


def hub_dags(config: Path | str | None = None, hub_conn_id: str = HubHook.default_conn_name) -> dict[str, DAG]:
    """Make the DAGs of a hub.

    Args:
        config: the ``hub.toml``; ``HUB_CONFIG`` when not given.
        hub_conn_id: Airflow connection of type ``hub`` with secrets; may be missing.

    Returns:
        DAGs by id. When Airflow starts a task, only that task's own DAG is made.

    Raises:
        ConfigError: ``hub.toml`` cannot be read or its ``[airflow]`` is wrong; Airflow shows it as an import error.
    """
    return _Factory(read_project(config), hub_conn_id).dags(get_parsing_context().dag_id)


class _Factory:
    def __init__(self, project: Project, hub_conn_id: str) -> None:
        self.project = project
        self.settings = project.settings
        self.common = {"config": str(project.path), "hub_conn_id": hub_conn_id}
        self.snapshot = Asset(names.SNAPSHOT_ASSET)

    def dags(self, only: str | None) -> dict[str, DAG]:
        makers: dict[str, Callable[[], DAG]] = {
            **{names.ingest_dag(name): partial(self.ingest, name) for name in self.project.sources},
            names.CUSTOMERS_DAG: self.customers,
            **{names.push_dag(name): partial(self.push, name) for name in self.project.syncs},
            names.MAINTENANCE_DAG: self.maintenance,
        }
        return {name: make() for name, make in makers.items() if only in (None, name)}

    def _dag(self, name: str, schedule: Any, doc: str, *tags: str, params: dict[str, Any] | None = None) -> DAG:
        return DAG(
            name,
            schedule=schedule,
            start_date=_BEGINNING,
            catchup=False,
            max_active_runs=1,
            tags=["hub", *tags],
            doc_md=f"{doc}\n\nMade from `{self.project.path.name}`; the same work as the `hub` command does.",
            params=params or {},
            default_args={
                "owner": self.settings.owner,
                "retries": self.settings.retries,
                "retry_delay": dt.timedelta(minutes=self.settings.retry_minutes),
            },
        )

    def _cron(self, line: str) -> CronTriggerTimetable | None:
        return CronTriggerTimetable(line, timezone=self.project.timezone) if line else None

    def ingest(self, connection: str) -> DAG:
        """``list_streams`` → ``read`` for each → ``load`` → ``verdict``."""
        doc = f"Reads connection **{connection}** 读取 and loads what is new into the warehouse."
        pool = names.api_pool(connection)
        with self._dag(
            names.ingest_dag(connection), self._cron(self.settings.ingest_schedule(connection)), doc, "ingest"
        ) as dag:
            streams = ListStreamsOperator(task_id="list_streams", connection=connection, **self.common)
            read = ReadStreamOperator.partial(
                task_id="read", connection=connection, pool=pool, map_index_template="{{ stream }}", **self.common
            ).expand(stream=streams.output)
            load = LoadOperator(
                task_id="load",
                pool=names.WAREHOUSE_POOL,
                trigger_rule=TriggerRule.ALL_DONE,
                outlets=[Asset(names.raw_asset(connection))],
                **self.common,
            )
            verdict = IngestVerdictOperator(
                task_id="verdict",
                streams=streams.output,
                read=read.output,
                trigger_rule=TriggerRule.ALL_DONE,
                retries=0,
            )
            read >> load >> verdict
        return dag

    def customers(self) -> DAG:
        """``resolve`` → ``score`` → ``segment`` → ``publish``; a backfill looks back instead."""
        doc = "Merges profiles into customers, scores and segments them, publishes a snapshot 合并、评分、分群、发布."
        with self._dag(
            names.CUSTOMERS_DAG, self._customers_schedule(), doc, "customers", params={"as_of": _AS_OF, "full": _FULL}
        ) as dag:
            pool: dict[str, Any] = {"pool": names.WAREHOUSE_POOL, **self.common}
            way = WhichWayOperator(task_id="which_way", forward="resolve", back="look_back")
            publish = PublishOperator(task_id="publish", outlets=[self.snapshot], **pool)
            resolve = ResolveOperator(task_id="resolve", **pool)
            way >> [resolve, LookBackOperator(task_id="look_back", **pool)]
            resolve >> ScoreOperator(task_id="score", **pool) >> SegmentOperator(task_id="segment", **pool) >> publish
        return dag

    def _customers_schedule(self) -> Any:
        assets = AssetAny(*(Asset(names.raw_asset(name)) for name in self.project.sources))
        timetable = self._cron(self.settings.customers)
        if not self.project.sources:
            return timetable
        return assets if timetable is None else AssetOrTimeSchedule(timetable=timetable, assets=assets)

    def push(self, sync: str) -> DAG:
        """``plan`` → (``approve``) → ``write`` → ``reconcile`` → ``verdict``."""
        connection = self.project.syncs[sync]
        pool: dict[str, Any] = {"pool": names.api_pool(connection), **self.common}
        doc = (
            f"Pushes sync **{sync}** 推送 to connection **{connection}**: what changed, with an outcome for every row."
        )
        with self._dag(names.push_dag(sync), [self.snapshot], doc, "push", params={"dry_run": _DRY_RUN}) as dag:
            plan = PlanPushOperator(
                task_id="plan",
                sync=sync,
                approve_share=self.settings.approve_share,
                approve_rows=self.settings.approve_rows,
                approval="approve",
                write="write",
                **self.common,
            )
            approve = ApprovalOperator(
                task_id="approve",
                subject=f"Push {sync} is unusually big 推送量异常",
                body="Planned 计划: {{ ti.xcom_pull(task_ids='plan') }}. Approve to send, reject to send nothing.",
                defaults=ApprovalOperator.REJECT,
                response_timeout=dt.timedelta(hours=self.settings.approve_hours),
                retries=0,
            )
            write = PushOperator(
                task_id="write", sync=sync, trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS, **pool
            )
            reconcile = ReconcileOperator(task_id="reconcile", sync=sync, trigger_rule=TriggerRule.ALL_DONE, **pool)
            verdict = PushVerdictOperator(
                task_id="verdict",
                tasks=["plan", "approve", "write", "reconcile"],
                trigger_rule=TriggerRule.ALL_DONE,
                retries=0,
            )
            plan >> [approve, write]
            approve >> write >> reconcile >> verdict
        return dag

    def maintenance(self) -> DAG:
        """``erase``, ``prune``, and ``check`` for every connection."""
        doc = "Ends open erasures, forgets old row logs, tries every connection 清理与连接检查. `airflow db clean` is yours to schedule."
        with self._dag(names.MAINTENANCE_DAG, self._cron(self.settings.maintenance), doc, "maintenance") as dag:
            FinishErasuresOperator(task_id="erase", pool=names.WAREHOUSE_POOL, **self.common)
            PruneOperator(task_id="prune", **self.common)
            if self.project.connections:
                CheckConnectionOperator.partial(
                    task_id="check", map_index_template="{{ connection }}", **self.common
                ).expand(connection=list(self.project.connections))
        return dag
