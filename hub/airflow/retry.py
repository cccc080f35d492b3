"""Retry of whole tasks by what went wrong. The HTTP client has already retried single calls, for seconds; this is for minutes."""

from __future__ import annotations

import datetime as dt
from typing import Any

from airflow.sdk import RetryDecision, RetryPolicy

from hub.errors import DeferError, HubError, RetryError

__all__ = ["HubRetryPolicy"]

_LONGEST = dt.timedelta(hours=6)


class HubRetryPolicy(RetryPolicy):
    """Faults that a person must mend fail at once; passing ones wait as long as the platform says."""

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        """Decide by the hub's own error class; anything unknown follows the task's settings."""
        del try_number, max_tries, context
        if isinstance(exception, RetryError):
            return RetryDecision.retry(_seconds(exception.retry_after), reason=exception.code)
        if isinstance(exception, DeferError):
            return RetryDecision.retry(_seconds(exception.until), reason=exception.code)
        if isinstance(exception, HubError):
            return RetryDecision.fail(reason=f"{exception.code}: a person must change something first")
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """The policy has no settings."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> HubRetryPolicy:
        """Make it anew."""
        del data
        return cls()


def _seconds(wait: float | None) -> dt.timedelta | None:
    return None if wait is None else min(dt.timedelta(seconds=max(wait, 1.0)), _LONGEST)
