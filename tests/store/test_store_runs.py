"""Runs: what was executed, and how it ended."""

from __future__ import annotations

import pytest

from hub.errors import DeferError, StreamError
from hub.http.testing import VirtualClock
from hub.store.store import Store


def test_a_run_that_ends_well_is_recorded_with_its_counts(store: Store, virtual_time: VirtualClock) -> None:
    with store.runs.open("ingest", "pos/orders") as run:
        run.add(records=2)
        run.add(records=3)
        run.notes.append("a window was split")
        virtual_time.advance(5)
    recorded = store.runs.list()[0]
    assert (recorded.state, recorded.counts, recorded.notes) == ("succeeded", {"records": 5}, ["a window was split"])
    assert (recorded.ended_at - recorded.started_at).total_seconds() == 5


@pytest.mark.parametrize(
    ("error", "state"), [(StreamError("no permission"), "failed"), (DeferError("the quota is spent"), "skipped")]
)
def test_a_run_that_fails_is_recorded_with_its_reason(store: Store, error: StreamError, state: str) -> None:
    with pytest.raises(type(error)), store.runs.open("ingest", "pos/orders"):
        raise error
    recorded = store.runs.list()[0]
    assert (recorded.state, recorded.error_code) == (state, error.code)
    assert error.message in recorded.error_message


def test_the_reason_of_a_failure_is_redacted(store: Store) -> None:
    with pytest.raises(StreamError), store.runs.open("ingest"):
        raise StreamError("refused 15400001111, token=abcdefgh")
    text = store.runs.list()[0].error_message
    assert "154****1111" in text
    assert "abcdefgh" not in text


def test_a_run_stopped_by_something_else_is_interrupted(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt), store.runs.open("ingest"):
        raise KeyboardInterrupt
    assert store.runs.list()[0].state == "interrupted"


def test_runs_that_never_ended_are_marked_by_the_next_one(store: Store) -> None:
    dead = store.runs.open("ingest", "pos/orders")
    dead.__enter__()
    assert store.runs.interrupt_leftovers("ingest", "pos/orders") == 1
    assert store.runs.latest()["ingest", "pos/orders"].state == "interrupted"
    assert store.runs.interrupt_leftovers("ingest", "pos/orders") == 0


def test_the_latest_run_of_each_subject_can_be_asked_for(store: Store, virtual_time: VirtualClock) -> None:
    for subject in ("a", "b", "a"):
        with store.runs.open("ingest", subject) as run:
            run.add(n=int(virtual_time.time()))
        virtual_time.advance(1)
    latest = store.runs.latest()
    assert latest["ingest", "a"].counts["n"] > latest["ingest", "b"].counts["n"]
    assert len(store.runs.list(stage="ingest", subject="a")) == 2
