"""What is tried again, when, and what is not."""

from __future__ import annotations

import datetime as dt

import pytest
from airflow.sdk import RetryAction

from hub.airflow.retry import HubRetryPolicy
from hub.errors import AuthError, ConfigError, DeferError, LeaseHeldError, PluginError, RetryError, StreamError

POLICY = HubRetryPolicy()


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (RetryError("busy", retry_after=90), dt.timedelta(seconds=90)),
        (RetryError("dropped"), None),
        (DeferError("quota", until=600), dt.timedelta(seconds=600)),
        (DeferError("quota", until=10**7), dt.timedelta(hours=6)),
        (LeaseHeldError("somebody writes"), None),
    ],
)
def test_what_passes_by_itself_is_tried_again_when_the_platform_says(
    error: Exception, wait: dt.timedelta | None
) -> None:
    decision = POLICY.evaluate(error, 1, 3)
    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, wait)


@pytest.mark.parametrize("error", [AuthError("no"), ConfigError("no"), PluginError("no"), StreamError("no permission")])
def test_what_a_person_must_mend_fails_at_once(error: Exception) -> None:
    decision = POLICY.evaluate(error, 1, 3)
    assert decision.action is RetryAction.FAIL
    assert error.code in decision.reason


def test_what_nobody_knows_follows_the_task_s_settings() -> None:
    assert POLICY.evaluate(ValueError("?"), 1, 3).action is RetryAction.DEFAULT


def test_the_policy_survives_being_written_down() -> None:
    assert isinstance(HubRetryPolicy.deserialize(POLICY.serialize()), HubRetryPolicy)
