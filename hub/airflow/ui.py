"""A page in Airflow's own web server: what the hub did in one task, row by row. Only for signed-in users."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from airflow.api_fastapi.core_api.security import get_user
from airflow.plugins_manager import AirflowPlugin
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse

from hub.airflow.links import ROWS_PATH, RunRowsLink

if TYPE_CHECKING:
    from hub.context import Hub
    from hub.store.tables import Delivery, RejectedRow, Run

__all__ = ["HubPlugin", "app", "rows_page"]

_ROWS = 200
_STYLE = (
    "body{font:14px/1.5 system-ui,sans-serif;margin:2rem;color:#222}table{border-collapse:collapse;margin:.5rem 0 2rem}"
    "td,th{padding:.25rem .8rem;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}th{font-weight:600}"
    ".failed,.rejected,.unknown{color:#b00020}.succeeded,.accepted{color:#1b7f3b}"
)

app = FastAPI(title="Customer hub", docs_url=None, redoc_url=None, openapi_url=None)


@app.get("/rows", response_class=HTMLResponse, dependencies=[Depends(get_user)])
def rows(task: str) -> str:
    """Show the runs of one task with their rejected rows and deliveries."""
    with _hub() as hub:
        return rows_page(hub, task)


@contextmanager
def _hub() -> Iterator[Hub]:
    """The hub of the web server's ``HUB_CONFIG``."""
    from hub.context import open_hub

    names = _Environ(os.environ)
    with open_hub(environ=names) as hub:
        yield hub


class _Environ(dict[str, str]):
    """The web server reads the store only, and need not have the connections' secrets."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return "not-needed-here"


def rows_page(hub: Hub, task: str) -> str:
    """Return the page: counts, notes and faults of the task's runs, then their rejected rows and deliveries.

    Personal values are not on it: rejected rows are shown by place, deliveries by the hub's own customer id.
    """
    runs = hub.store.runs.list(parent=task, limit=_ROWS)
    parts = [_table("Runs 运行", ("Stage", "Subject", "State", "Started", "Counts", "Notes", "Fault"), map(_run, runs))]
    rejects = [row for run in runs for row in hub.store.packages.rejects(run_id=run.id, limit=_ROWS)]
    deliveries = [row for run in runs for row in hub.store.deliveries.find(run_id=run.id, limit=_ROWS)]
    if rejects:
        parts.append(_table("Rejected rows 拒绝的行", ("Where", "Column", "Code", "Reason"), map(_reject, rejects)))
    if deliveries:
        columns = ("Customer", "Did", "Outcome", "Code", "Reason", "Sent")
        parts.append(_table("Deliveries 推送", columns, map(_delivery, deliveries)))
    if not runs:
        parts.append("<p>The hub has no run of this task (yet), or it is older than the days to keep.</p>")
    title = escape(task.removeprefix("airflow/"))
    return (
        f"<!doctype html><html><head><meta charset='utf-8'><title>{title}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{title}</h1>{''.join(parts)}<p>At most {_ROWS} rows of each; all of them: "
        "<code>hub rejects --run ID</code>, <code>hub deliveries --run ID</code>.</p></body></html>"
    )


def _run(run: Run) -> Sequence[Any]:
    counts = ", ".join(f"{name} {count}" for name, count in run.counts.items())
    return (run.stage, run.subject, run.state, run.started_at, counts, "; ".join(run.notes), run.error_message)


def _reject(row: RejectedRow) -> Sequence[Any]:
    return row.location, row.column, row.code, row.reason


def _delivery(row: Delivery) -> Sequence[Any]:
    return row.customer_id, row.operation, row.outcome, row.code, row.message, row.intended_at


def _table(title: str, columns: Sequence[str], found: Any) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in found)
    return f"<h2>{escape(title)}</h2><table><tr>{head}</tr>{body}</table>"


def _cell(value: Any) -> str:
    text = "" if value is None else f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "strftime") else str(value)
    mark = f" class='{text}'" if text in {"failed", "rejected", "unknown", "succeeded", "accepted"} else ""
    return f"<td{mark}>{escape(text)}</td>"


class HubPlugin(AirflowPlugin):
    """Registers the page and the link to it."""

    name = "customer_hub"
    fastapi_apps: list[Any] = [{"app": app, "url_prefix": ROWS_PATH, "name": "Customer hub"}]  # noqa: RUF012 - declared so by Airflow
    operator_extra_links: list[Any] = [RunRowsLink()]  # noqa: RUF012 - declared so by Airflow
