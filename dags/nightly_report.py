"""A pipeline written by hand: after each new snapshot, how many customers are in which segment (airflow dag).

Copy and change it. A task opens the hub, asks, and returns a small result; imports that cost time stand inside the task.
"""

import datetime as dt

from airflow.sdk import Asset, dag, task

from hub.airflow.names import SNAPSHOT_ASSET


@dag(
    schedule=[Asset(SNAPSHOT_ASSET)],
    start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    tags=["hub", "report"],
    default_args={"owner": "hub"},
    max_active_runs=1,
    doc_md="Counts the members of every segment 各分群人数 in the current snapshot.",
)
def nightly_report():
    """Count, then write."""

    @task
    def count() -> dict[str, int]:
        from hub.airflow.hooks import HubHook
        from hub.pipeline.publish import snapshot_views

        with HubHook().opened() as hub, hub.workbench() as engine:
            snapshot = hub.store.snapshots.current()
            if snapshot is None:
                return {}
            snapshot_views(hub, engine, snapshot)
            return dict(engine.rows("SELECT segment, count(*) FROM members GROUP BY segment ORDER BY segment"))

    @task
    def write(sizes: dict[str, int]) -> None:
        for segment, members in sizes.items():
            print(f"{segment:30} {members:>10,}")  # noqa: T201 - a task's output is its log

    write(count())


nightly_report()
