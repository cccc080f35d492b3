"""Operators of the daily upkeep: erasures are ended, old row logs forgotten, every connection is tried."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from hub.airflow.operators.base import HubOperator
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.context import Hub


__all__ = ["CheckConnectionOperator", "FinishErasuresOperator", "PruneOperator"]


class CheckConnectionOperator(HubOperator):
    """Tries whether a connection still can do what it is configured for; keeps its tokens alive on the way."""

    def __init__(self, *, connection: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.connection = connection

    def work(self, hub: Hub, context: Any) -> dict[str, Any]:
        """Check.

        Raises:
            ConfigError: something does not work; with everything that was found.
        """
        from hub.pipeline.check import check_connection

        context["connection"] = self.connection
        found = check_connection(hub, self.connection).checks
        for check in found:
            self.log.info("%s  %s  %s", "ok    " if check.ok else "failed", check.name, check.message)
        wrong = [check for check in found if not check.ok]
        if wrong:
            told = "; ".join(f"{check.name}: {check.message}" for check in wrong)
            raise ConfigError(f"Connection {self.connection} does not work: {told}", code="check_failed")
        return {"connection": self.connection, "checks": len(found)}


class FinishErasuresOperator(HubOperator):
    """Ends erasures (删除权) that an interrupted command left open; skipped when there is none."""

    def work(self, hub: Hub, context: Any) -> dict[str, int]:
        """Finish.

        Raises:
            AirflowSkipException: nothing is open.
            LeaseHeldError: a push is under way; tried again.
        """
        from hub.pipeline.forget import finish_erasures

        ended = finish_erasures(hub)
        if not ended:
            raise AirflowSkipException("No erasure is open.")
        return {"finished": len(ended)}


class PruneOperator(HubOperator):
    """Forgets row logs that are older than the days to keep."""

    def work(self, hub: Hub, context: Any) -> dict[str, int]:
        """Prune."""
        from hub.store.pruning import prune

        removed = prune(hub.store.database, hub.now() - dt.timedelta(days=hub.settings.hub.keep_days))
        self.log.info("%d rows of the logs were older than %d days.", removed, hub.settings.hub.keep_days)
        return {"removed": removed}
