"""What every operator of the hub does: open the hub, work, tell the alerts, log the summary."""

from __future__ import annotations

import datetime as dt
import io
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from hub.airflow.alerts import is_final, tell_failure, tell_success
from hub.airflow.hooks import HubHook
from hub.airflow.links import RunRowsLink, task_key
from hub.airflow.retry import HubRetryPolicy

if TYPE_CHECKING:
    from hub.context import Hub


__all__ = ["HubOperator", "moment_of"]


def moment_of(context: Mapping[str, Any], zone: dt.tzinfo) -> dt.datetime:
    """Return the instant a run scores for: its ``as_of`` parameter, the end of its interval, or when it was due."""
    given = (context.get("params") or {}).get("as_of")
    if given:
        moment = dt.datetime.fromisoformat(str(given))
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    run = context["dag_run"]
    due: dt.datetime = run.data_interval_end or run.logical_date or run.run_after
    return due


class HubOperator(BaseOperator):
    """Base of the hub's operators.

    Args:
        config: the ``hub.toml``.
        hub_conn_id: an Airflow connection of type ``hub`` with secrets; may be missing.
    """

    ui_color = "#e8f0e4"
    operator_extra_links = (RunRowsLink(),)
    stage: ClassVar[str] = ""
    """The stage whose summary is logged; empty for none."""

    def __init__(self, *, config: str, hub_conn_id: str = HubHook.default_conn_name, **kwargs: Any) -> None:
        kwargs.setdefault("retry_policy", HubRetryPolicy())
        super().__init__(**kwargs)
        self.config = config
        self.hub_conn_id = hub_conn_id

    def execute(self, context: Any) -> Any:
        """Open the hub and do the work; an alert that an earlier failure raised is taken back."""
        with HubHook(self.config, self.hub_conn_id).opened(task_key(context["ti"])) as hub:
            try:
                result = self.work(hub, context)
            except AirflowSkipException:
                tell_success(hub, context)
                raise
            except Exception as error:
                if is_final(context["ti"], error):
                    tell_failure(hub, context, error)
                raise
            tell_success(hub, context)
            return result

    @abstractmethod
    def work(self, hub: Hub, context: Any) -> Any:
        """Do the work and return ids and counts."""

    def summarise(self, hub: Hub, report: object) -> None:
        """Log a stage's result as the command line shows it."""
        from hub.show.screen import Screen
        from hub.show.stages import STAGE_SCREENS

        text = io.StringIO()
        STAGE_SCREENS[self.stage](Screen(text, hub.settings.zone), report)
        for line in text.getvalue().splitlines():
            self.log.info("%s", line)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Tell OpenLineage, where its provider is installed, which of the hub's data sets the task read and wrote."""
        from hub.airflow.lineage import facets_of

        return facets_of(self, task_instance)
