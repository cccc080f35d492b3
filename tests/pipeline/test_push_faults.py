"""What becomes of rows when something goes wrong between the hub and a destination: every one has an outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from crm import AUDIENCE, PASSWORD, POINTS, SYNC, Crm, Person, Wall, accepted, desk, publish_people, rejected

from hub.context import Hub
from hub.destination import Operation, Outcome, OutcomeStatus
from hub.errors import AuthError, DeferError, HubError, PluginError, RetryError, StreamError
from hub.pipeline.push import SyncReport, push

PEOPLE = [Person(name) for name in "abcde"]
"""In batches of two: (a, b), (c, d), (e)."""


def pushed(hub: Hub) -> SyncReport:
    """Push the first sync and return what happened."""
    return push(hub, ["sync1"]).syncs[0]


def failing(key: str, error: Exception) -> Callable[[Operation], Outcome]:
    """A way to the platform on which something happens at one key, before the platform hears of it."""

    def answer(operation: Operation) -> Outcome:
        if operation.key == key:
            raise error
        return accepted(operation)

    return answer


def outcomes(hub: Hub, target: str = "people") -> dict[str, tuple[str, str]]:
    """Outcome and code of the latest delivery of each key."""
    rows = [row for row in reversed(hub.store.deliveries.find(limit=1000)) if row.target == target]
    return {row.key: (row.outcome, row.code) for row in rows}


class TestAFaultInTheMiddle:
    """At (c, d): what was answered stands, the rest of the batch depends on the fault, what is behind is put off."""

    @pytest.mark.parametrize(
        ("error", "left"),
        [
            (DeferError("quota spent", code="quota"), ("deferred", "quota")),
            (AuthError("refused"), ("deferred", "auth_refused")),
            (StreamError("no permission", code="no_permission"), ("deferred", "no_permission")),
            (RetryError("connection refused", sent=False), ("deferred", "temporary_fault")),
            (RetryError("time-out"), ("unknown", "temporary_fault")),
            (ValueError("a bug"), ("unknown", "plugin_failed")),
            (OSError("broken pipe"), ("unknown", "plugin_failed")),
        ],
    )
    def test_every_row_gets_its_outcome(
        self, tmp_path: Path, crm: Crm, error: Exception, left: tuple[str, str]
    ) -> None:
        crm.answer = failing("d", error)
        with desk(tmp_path, crm, SYNC, POINTS) as hub:
            publish_people(hub, PEOPLE)
            for report, target in zip(push(hub).syncs, ("people", "points"), strict=True):
                assert outcomes(hub, target) == {
                    **dict.fromkeys("abc", ("accepted", "")),
                    "d": left,
                    "e": ("deferred", left[1]),
                }
                assert report.state == ("skipped" if isinstance(error, DeferError) else "failed")
                assert report.error is not None
                run = hub.store.runs.list(stage="push", subject=report.sync)[0]
                assert (run.state, run.error_code) == (report.state, left[1])

    def test_the_next_run_sends_what_is_missing_with_the_same_ids(self, tmp_path: Path, crm: Crm) -> None:
        crm.answer = failing("d", RetryError("time-out"))
        with desk(tmp_path, crm, SYNC) as hub:
            publish_people(hub, PEOPLE)
            pushed(hub)
            before = {row.key: row.id for row in hub.store.deliveries.find()}
            crm.answer = accepted
            report = pushed(hub)
            assert (report.outcomes, report.state) == ({"accepted": 2}, "succeeded")
            after = {row.key: (row.id, row.attempts) for row in hub.store.deliveries.find()}
        assert {key: found[0] for key, found in after.items()} == before
        assert {key: found[1] for key, found in after.items()} == {"a": 1, "b": 1, "c": 1, "d": 2, "e": 1}
        assert set(crm.holds()) == set("abcde")

    def test_what_is_unknown_at_a_target_that_must_not_repeat_stays_so(
        self, tmp_path: Path, crm: Crm, clock: Wall
    ) -> None:
        crm.answer = failing("d", RetryError("time-out"))
        with desk(tmp_path, crm, POINTS, clock=clock) as hub:
            publish_people(hub, PEOPLE)
            pushed(hub)
            crm.answer = accepted
            clock.advance(days=30)
            report = pushed(hub)
            assert (report.outcomes, report.planned.waiting) == ({"accepted": 1}, 1)
            assert outcomes(hub, "points")["d"] == ("unknown", "temporary_fault")
        assert set(crm.holds("points")) == set("abce")
        assert max(Counter(crm.ids("points")).values()) == 1


def test_after_a_lost_answer_the_old_values_are_said_again(tmp_path: Path, crm: Crm) -> None:
    """gold, then silver with its answer lost, then gold again: the platform may hold silver by now."""
    with desk(tmp_path, crm, SYNC) as hub:
        publish_people(hub, [Person("a", "gold")])
        pushed(hub)
        crm.after = lambda _: (_ for _ in ()).throw(RetryError("time-out"))
        publish_people(hub, [Person("a", "silver")])
        assert pushed(hub).outcomes == {"unknown": 1}
        crm.after = accepted
        publish_people(hub, [Person("a", "gold")])
        assert pushed(hub).outcomes == {"accepted": 1}
    assert crm.holds() == {"a": {"level": "gold"}}


def test_a_doubt_outlives_a_refusal(tmp_path: Path, crm: Crm, clock: Wall) -> None:
    """He may have arrived; that his removal is refused does not mean that he is not there."""
    with desk(tmp_path, crm, SYNC, clock=clock) as hub:
        crm.after = lambda _: None
        publish_people(hub, [Person("a")])
        pushed(hub)
        crm.answer, crm.after = rejected, accepted
        publish_people(hub, [])
        assert pushed(hub).outcomes == {"rejected": 1}
        crm.answer = accepted
        clock.advance(hours=1)
        assert pushed(hub).outcomes == {"accepted": 1}
    assert crm.holds() == {}


def test_old_values_after_two_lost_answers_are_a_new_operation(tmp_path: Path, crm: Crm) -> None:
    """silver, gold, silver, and never an answer: the last is not the first once more."""
    crm.after = lambda _: None
    with desk(tmp_path, crm, POINTS) as hub:
        for level in ("silver", "gold", "silver"):
            publish_people(hub, [Person("a", level)])
            assert pushed(hub).outcomes == {"unknown": 1}
    assert len(set(crm.ids("points"))) == 3


def test_whoever_may_have_arrived_is_removed_when_he_leaves(tmp_path: Path, crm: Crm) -> None:
    with desk(tmp_path, crm, SYNC) as hub:
        crm.after = lambda _: None
        publish_people(hub, [Person("a")])
        assert pushed(hub).outcomes == {"unknown": 1}
        crm.after = accepted
        publish_people(hub, [])
        assert pushed(hub).outcomes == {"accepted": 1}
    assert crm.holds() == {}


@pytest.mark.parametrize("sync", [SYNC, AUDIENCE])
def test_a_row_without_outcome_is_unknown(tmp_path: Path, crm: Crm, sync: str) -> None:
    crm.given = lambda given: (outcome for number, outcome in enumerate(given) if number == 0)
    with desk(tmp_path, crm, sync) as hub:
        publish_people(hub, [Person("a"), Person("b")])
        report = pushed(hub)
        assert report.outcomes == {"accepted": 1, "unknown": 1}
        assert report.state == "failed"
        assert hub.store.deliveries.find(outcome="unknown")[0].code == "no_outcome"


@pytest.mark.parametrize(
    "given",
    [
        lambda given: 5,
        lambda given: (("a", "accepted") for _ in given),
        lambda given: (Outcome(outcome.operation_id, "fine") for outcome in given),  # type: ignore[arg-type]
    ],
)
def test_a_plugin_that_gives_something_else_leaves_its_rows_unknown(
    tmp_path: Path, crm: Crm, given: Callable[[Iterator[Outcome]], object]
) -> None:
    crm.given = given
    with desk(tmp_path, crm, SYNC, AUDIENCE) as hub:
        publish_people(hub, [Person("a"), Person("b")])
        first, second = push(hub).syncs
        assert first.outcomes == second.outcomes == {"unknown": 2}
        assert isinstance(first.error, PluginError)
        assert isinstance(second.error, PluginError)


def test_outcomes_of_a_whole_set_must_come_in_order(tmp_path: Path, crm: Crm) -> None:
    crm.given = lambda given: reversed(list(given))
    with desk(tmp_path, crm, AUDIENCE) as hub:
        publish_people(hub, PEOPLE)
        report = pushed(hub)
        assert report.error is not None
        assert report.error.code == "contract_broken"
        assert report.outcomes == {"unknown": 5}
        crm.given = lambda given: given
        assert pushed(hub).outcomes == {"accepted": 5}


def test_a_target_that_is_gone_is_switched_off_until_a_person_switches_it_on(tmp_path: Path, crm: Crm) -> None:
    crm.answer = failing("c", StreamError("gone", code="endpoint_gone"))
    with desk(tmp_path, crm, SYNC, POINTS) as hub:
        publish_people(hub, PEOPLE)
        first, other = push(hub).syncs
        assert first.outcomes == {"accepted": 2, "deferred": 3}
        assert [(state.connection, state.target) for state in hub.store.deliveries.switched_off()] == [
            ("crm", "people"),
            ("crm", "points"),
        ]
        crm.answer = accepted
        told = len(crm.told())
        again = pushed(hub)
        assert again.error is not None
        assert (again.error.code, again.state) == ("target_off", "failed")
        assert "hub sync on sync1" in again.error.hint
        assert "target_off" in {run.error_code for run in hub.store.runs.list(stage="push", subject="sync1")}
        assert len(crm.told()) == told
        assert hub.store.deliveries.switch_on("crm", "people")
        assert pushed(hub).outcomes == {"accepted": 3}
    assert other.state == "failed"
    assert set(crm.holds()) == set("abcde")


def test_no_message_repeats_a_secret_or_a_phone(tmp_path: Path, crm: Crm) -> None:
    text = f"15400001234 with {PASSWORD} and somebody@example.com\x00"
    crm.answer = lambda operation: rejected(operation, text) if operation.key == "a" else _raise(ValueError(text))
    with desk(tmp_path, crm, SYNC) as hub:
        publish_people(hub, [Person("a"), Person("b")])
        report = pushed(hub)
        kept = [row.message for row in hub.store.deliveries.find()] + [hub.store.runs.list()[0].error_message or ""]
    texts = [*kept, str(report.error)]
    assert not [found for found in texts for secret in ("15400001234", PASSWORD, "somebody@") if secret in found]
    assert any("154****1234" in found for found in texts)


def _raise(error: Exception) -> Outcome:
    raise error


@pytest.mark.parametrize(("share", "state"), [(0.1, "failed"), (0.2, "partial"), (0.0, "failed")])
def test_more_failed_rows_than_allowed_fail_the_run(tmp_path: Path, crm: Crm, share: float, state: str) -> None:
    crm.answer = lambda operation: rejected(operation) if operation.key == "c" else accepted(operation)
    with desk(tmp_path, crm, SYNC + f"\nmax_failed_share = {share}") as hub:
        publish_people(hub, PEOPLE)
        report = pushed(hub)
        run = hub.store.runs.list(stage="push")[0]
        assert (report.state, run.state) == (state, state)
        assert run.counts == {"accepted": 4, "rejected": 1, "unchanged": 0, "waiting": 0}
        assert any("1 of 5 rows failed" in note for note in run.notes) == (state == "failed")


def test_outcomes_that_are_not_failures_do_not_fail_a_run(tmp_path: Path, crm: Crm) -> None:
    statuses = {"a": OutcomeStatus.UNCHANGED, "b": OutcomeStatus.INVALID, "c": OutcomeStatus.SUPPRESSED}
    crm.answer = lambda operation: Outcome(operation.id, statuses[operation.key])
    with desk(tmp_path, crm, SYNC) as hub:
        publish_people(hub, PEOPLE[:3])
        report = pushed(hub)
        assert (report.outcomes, report.state) == ({"unchanged": 1, "invalid": 1, "suppressed": 1}, "succeeded")
        again = pushed(hub)
        assert (again.planned.unchanged, again.planned.waiting, again.outcomes) == (1, 2, {})


def test_remote_ids_come_back_with_the_next_operation(tmp_path: Path, crm: Crm) -> None:
    seen: list[str | None] = []
    crm.answer = lambda operation: seen.append(operation.remote_id) or accepted(operation)  # type: ignore[func-returns-value]
    with desk(tmp_path, crm, SYNC) as hub:
        for level in ("gold", "silver"):
            publish_people(hub, [Person("a", level)])
            pushed(hub)
    assert seen == [None, "remote-a"]


class TestWhatAKilledRunLeft:
    """Its plan is open and its rows are ``sending``; here the process is "killed" by an exception nobody catches."""

    class Killed(BaseException):
        """Stands for the end of a process."""

    def leave(self, tmp_path: Path, crm: Crm, sync: str) -> None:
        """Push the sync and die while (c, d) is being sent."""
        crm.answer = failing("d", self.Killed())  # type: ignore[arg-type]
        with desk(tmp_path, crm, sync) as hub:
            publish_people(hub, PEOPLE)
            with pytest.raises(self.Killed):
                pushed(hub)
        crm.answer = accepted

    def test_it_is_told_as_interrupted(self, tmp_path: Path, crm: Crm) -> None:
        self.leave(tmp_path, crm, POINTS)
        with desk(tmp_path, crm, POINTS) as hub:
            report = pushed(hub)
            assert (report.recovered, report.outcomes) == (2, {"unknown": 2, "accepted": 1})
            assert outcomes(hub, "points")["c"] == ("unknown", "interrupted")

    def test_a_lost_plan_file_is_made_good_by_the_diff(self, tmp_path: Path, crm: Crm) -> None:
        self.leave(tmp_path, crm, SYNC)
        for file in (tmp_path / ".hub" / "plans").rglob("*.parquet"):
            file.unlink()
        with desk(tmp_path, crm, SYNC) as hub:
            report = pushed(hub)
            assert report.outcomes == {"unknown": 2, "accepted": 3}
            assert {outcome for outcome, _ in outcomes(hub).values()} == {"accepted"}
        assert len(set(crm.ids())) == 5, "the same change has the same id, whoever plans it"

    def test_a_sync_that_goes_elsewhere_now_writes_nothing_old_there(self, tmp_path: Path, crm: Crm) -> None:
        self.leave(tmp_path, crm, SYNC)
        with desk(tmp_path, crm, AUDIENCE) as hub:
            report = pushed(hub)
            assert report.outcomes == {"unknown": 2, "accepted": 5}
            assert outcomes(hub)["c"] == ("unknown", "interrupted")

    def test_a_sync_of_another_name_on_the_target_settles_it(self, tmp_path: Path, crm: Crm) -> None:
        self.leave(tmp_path, crm, POINTS)
        renamed = "enabled = false\n" + POINTS
        with desk(tmp_path, crm, renamed, POINTS) as hub:
            report = push(hub).syncs[0]
            assert (report.sync, report.outcomes) == ("sync2", {"unknown": 2, "accepted": 1})
        assert max(Counter(crm.ids("points")).values()) == 1

    def test_a_fault_while_settling_leaves_the_rest_for_later(self, tmp_path: Path, crm: Crm) -> None:
        self.leave(tmp_path, crm, SYNC)
        crm.answer = failing("d", DeferError("quota spent", code="quota"))
        with desk(tmp_path, crm, SYNC) as hub:
            report = pushed(hub)
            assert (report.outcomes, report.state) == ({"accepted": 1, "deferred": 1}, "skipped")
            crm.answer = accepted
            assert pushed(hub).outcomes == {"accepted": 2}
        assert set(crm.holds()) == set("abcde")


def test_two_processes_do_not_push_to_one_target_at_once(tmp_path: Path, crm: Crm) -> None:
    inner: list[SyncReport] = []

    def answer(operation: Operation) -> Outcome:
        if not inner:
            with desk(tmp_path, crm, SYNC) as other:
                inner.append(pushed(other))
        return accepted(operation)

    crm.answer = answer
    with desk(tmp_path, crm, SYNC) as hub:
        publish_people(hub, [Person("a")])
        assert pushed(hub).state == "succeeded"
    assert isinstance(inner[0].error, HubError)
    assert (inner[0].state, inner[0].error.code) == ("skipped", "lease_held")


def test_a_name_nobody_knows_and_a_missing_snapshot_are_told(tmp_path: Path, crm: Crm) -> None:
    with desk(tmp_path, crm, SYNC) as hub:
        with pytest.raises(HubError, match="no snapshot") as missing:
            push(hub)
        with pytest.raises(HubError, match="no sync 'sync9'") as unknown:
            push(hub, ["sync9"])
    assert (missing.value.code, unknown.value.code) == ("snapshot_missing", "sync_unknown")
