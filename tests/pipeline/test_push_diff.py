"""What is sent: the difference between what is wanted and what the destination last accepted, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from crm import AUDIENCE, SYNC, Crm, Person, Wall, accepted, desk, publish_people, rejected

from hub.context import Hub
from hub.destination import Operation, Outcome
from hub.pipeline.push import SyncReport, push
from hub.store.tables import LedgerEntry

UPSERT = SYNC + '\nmode = "upsert"'
BY_PHONE = SYNC + '\nkey = "phone"'


def pushed(hub: Hub, *people: Person, sync: str = "sync1") -> SyncReport:
    """Publish these people, push a sync and return what happened."""
    publish_people(hub, people)
    return push(hub, [sync]).syncs[0]


def planned(report: SyncReport) -> dict[str, int]:
    """The plan's counts that are not zero."""
    counts = report.planned
    kinds = ("create", "update", "delete", "invalid", "unchanged", "waiting")
    return {kind: getattr(counts, kind) for kind in kinds if getattr(counts, kind)}


def refusing(*keys: str) -> Callable[[Operation], Outcome]:
    """A platform's answer that refuses these keys."""

    def answer(operation: Operation) -> Outcome:
        return rejected(operation) if operation.key in keys else accepted(operation)

    return answer


def test_people_enter_change_and_leave(tmp_path: Path, crm: Crm) -> None:
    with desk(tmp_path, crm, SYNC) as hub:
        pushed(hub, Person("a"), Person("b"), Person("c"))
        report = pushed(hub, Person("a"), Person("b", "silver"), Person("d"))
    assert planned(report) == {"create": 1, "update": 1, "delete": 1, "unchanged": 1}
    assert report.outcomes == {"accepted": 3}
    assert report.state == "succeeded"
    assert crm.told()[3:] == [
        ("update", "b", {"level": "silver"}),
        ("delete", "c", {}),
        ("create", "d", {"level": "gold"}),
    ]
    assert crm.holds() == {"a": {"level": "gold"}, "b": {"level": "silver"}, "d": {"level": "gold"}}


def test_upsert_leaves_those_who_left(tmp_path: Path, crm: Crm) -> None:
    with desk(tmp_path, crm, UPSERT) as hub:
        pushed(hub, Person("a"), Person("b"))
        report = pushed(hub, Person("b", "silver"))
    assert planned(report) == {"update": 1}
    assert crm.holds() == {"a": {"level": "gold"}, "b": {"level": "silver"}}


def test_a_value_that_comes_back_is_a_delivery_of_its_own(tmp_path: Path, crm: Crm) -> None:
    with desk(tmp_path, crm, SYNC) as hub:
        for level in ("gold", "silver", "gold"):
            pushed(hub, Person("a", level))
        pushed(hub)
        pushed(hub, Person("a"))
    assert [values.get("level") for _, _, values in crm.told()] == ["gold", "silver", "gold", None, "gold"]
    assert len(set(crm.ids())) == 5
    assert crm.holds() == {"a": {"level": "gold"}}


def test_nothing_changed_means_no_call_no_plan_and_no_snapshot(tmp_path: Path, crm: Crm) -> None:
    with desk(tmp_path, crm, SYNC, AUDIENCE) as hub:
        people = [Person("a"), Person("b")]
        first = publish_people(hub, people)
        push(hub)
        told = crm.told(), crm.told("audience")
        ledger = [row.model_dump() for target in ("people", "audience") for row in entries(hub, target)]
        again = publish_people(hub, people)
        reports = push(hub).syncs
        assert (again.snapshot, again.is_new) == (first.snapshot, False)
        assert [planned(report) for report in reports] == [{"unchanged": 2}] * 2
        assert (crm.told(), crm.told("audience")) == told
        assert [row.model_dump() for target in ("people", "audience") for row in entries(hub, target)] == ledger
        assert not list((tmp_path / ".hub" / "plans").rglob("*.parquet"))


def entries(hub: Hub, target: str = "people") -> list[LedgerEntry]:
    """What the ledger knows of a target."""
    return [entry for chunk in hub.store.ledger.entries("crm", target) for entry in chunk]


def test_only_mapped_values_are_compared(tmp_path: Path, crm: Crm) -> None:
    with desk(tmp_path, crm, SYNC) as hub:
        pushed(hub, Person("a", points="1"))
        report = pushed(hub, Person("a", points="2"))
    assert planned(report) == {"unchanged": 1}


def test_a_dry_run_tells_what_the_run_then_does(tmp_path: Path, crm: Crm) -> None:
    people = [Person("a"), Person("b"), Person("c", phone="15400000001"), Person("d")]
    with desk(tmp_path, crm, BY_PHONE, SYNC) as hub:
        pushed(hub, *people[:2], sync="sync2")
        publish_people(hub, people[1:])
        before = push(hub, dry_run=True)
        assert len(crm.told()) == 2
        after = push(hub)
    assert before.dry_run
    assert [planned(report) for report in before.syncs] == [planned(report) for report in after.syncs]
    assert planned(after.syncs[1]) == {"create": 2, "delete": 1, "unchanged": 1}
    assert before.syncs[0].planned.sample == after.syncs[0].planned.sample


def test_a_customer_without_a_key_is_told_once(tmp_path: Path, crm: Crm) -> None:
    with desk(tmp_path, crm, BY_PHONE) as hub:
        first = pushed(hub, Person("a"), Person("b", phone="15400000002"))
        second = pushed(hub, Person("a"), Person("b", "silver", phone="15400000002"))
        found = hub.store.deliveries.find(outcome="invalid")
        assert [(row.customer_id, row.code) for row in found] == [("a", "no_key")]
        assert "phone" in found[0].message
        third = pushed(hub, Person("a", phone="15400000001"), Person("b", "silver", phone="15400000002"))
    assert first.outcomes == {"accepted": 1, "invalid": 1}
    assert (planned(second), second.outcomes) == ({"update": 1, "waiting": 1}, {"accepted": 1})
    assert third.outcomes == {"accepted": 1}
    assert set(crm.holds()) == {"15400000001", "15400000002"}


def test_of_two_customers_with_one_key_the_better_known_gets_it(tmp_path: Path, crm: Crm) -> None:
    people = [Person("a", "gold", phone="15400000001"), Person("b", "silver", phone="15400000001", profiles=3)]
    with desk(tmp_path, crm, BY_PHONE) as hub:
        report = pushed(hub, *people)
        told = hub.store.deliveries.find(outcome="invalid")
        assert [(row.customer_id, row.code) for row in told] == [("a", "key_shared")]
        assert planned(pushed(hub, *people)) == {"unchanged": 1, "waiting": 1}
    assert report.outcomes == {"accepted": 1, "invalid": 1}
    assert crm.holds() == {"15400000001": {"level": "silver"}}


def test_two_syncs_on_one_target_see_what_the_other_sent(tmp_path: Path, crm: Crm) -> None:
    only_gold = UPSERT + "\nwhere = \"level = 'gold'\""
    with desk(tmp_path, crm, UPSERT, only_gold) as hub:
        publish_people(hub, [Person("a"), Person("b", "silver")])
        first, second = push(hub).syncs
        assert planned(first) == {"create": 2}
        assert planned(second) == {"unchanged": 1}
    assert len(crm.told()) == 2


def test_a_sync_removes_only_what_it_sent_itself(tmp_path: Path, crm: Crm) -> None:
    gold, silver = (SYNC + f"\nwhere = \"level = '{level}'\"" for level in ("gold", "silver"))
    with desk(tmp_path, crm, gold, silver) as hub:
        publish_people(hub, [Person("a"), Person("b", "silver")])
        push(hub)
        publish_people(hub, [Person("b", "silver")])
        first, second = push(hub).syncs
    assert (planned(first), planned(second)) == ({"delete": 1}, {"unchanged": 1})
    assert set(crm.holds()) == {"b"}


def test_members_of_any_of_the_segments_are_sent_with_what_they_are_in(tmp_path: Path, crm: Crm) -> None:
    sync = (
        'to = "crm"\ntarget = "people"\nsegments = ["vip", "new"]\n'
        'fields = { in = "segments", vip = "segment:vip", also = "segment:other" }'
    )
    segments = "".join(f"[segments.{name}]\nwhere = \"level = 'gold'\"\n" for name in ("vip", "new", "other"))
    with desk(tmp_path, crm, sync, extra=segments) as hub:
        publish_people(hub, [Person("a", segments=("vip", "other")), Person("b", segments=("other",)), Person("c")])
        push(hub)
    assert crm.holds() == {"a": {"in": ["vip"], "vip": True, "also": True}}


def test_values_arrive_exactly_and_instants_as_iso_8601(tmp_path: Path, crm: Crm) -> None:
    seen: list[Operation] = []
    crm.answer = lambda operation: seen.append(operation) or accepted(operation)  # type: ignore[func-returns-value]
    fields = 'fields = { points = "points", seen = "seen_at", level = "level" }'
    with desk(tmp_path, crm, f'to = "crm"\ntarget = "people"\n{fields}') as hub:
        pushed(hub, Person("a", None, points="12345678901234.5678"))
    assert str(seen[0].values["points"]) == "12345678901234.5678"
    assert seen[0].values["seen"] == "2026-03-01T09:00:00.000000Z"
    assert seen[0].values["level"] is None


BAD_SYNCS = {
    SYNC.replace("people", "nothing"): "has no target 'nothing'",
    SYNC + '\nkey = "email"': "'email' is no key of target people",
    AUDIENCE + '\nmode = "upsert"': "'upsert' is not offered",
    SYNC.replace('"level" }', '"levle" }'): "did you mean 'level'",
    SYNC.replace("people", "named"): "needs a value named 'name'",
    SYNC + '\nwhere = "level > 5"': "Cannot compare values",
}


def test_a_sync_that_cannot_be_planned_says_why_and_stops_no_other(tmp_path: Path, crm: Crm) -> None:
    with desk(tmp_path, crm, *BAD_SYNCS, SYNC) as hub:
        publish_people(hub, [Person("a")])
        *bad, good = push(hub).syncs
    assert {report.state for report in bad} == {"failed"}
    for report, problem in zip(bad, BAD_SYNCS.values(), strict=True):
        assert problem in str(report.error)
    assert good.state == "succeeded"
    assert set(crm.holds()) == {"a"}


class TestRefusedRows:
    """A refusal of the same values is tried again after 1 h, 2 h, 4 h … 24 h; other values are tried at once."""

    def test_one_bad_row_costs_no_other(self, tmp_path: Path, crm: Crm) -> None:
        crm.answer = refusing("b")
        with desk(tmp_path, crm, SYNC + "\nmax_failed_share = 1.0") as hub:
            report = pushed(hub, Person("a"), Person("b"), Person("c"))
            refused = hub.store.deliveries.find(outcome="rejected")
            assert [(row.key, row.code, row.operation) for row in refused] == [("b", "no_such_shop", "create")]
        assert (report.outcomes, report.state) == ({"accepted": 2, "rejected": 1}, "partial")
        assert set(crm.holds()) == {"a", "c"}

    def test_it_waits_longer_each_time(self, tmp_path: Path, crm: Crm, clock: Wall) -> None:
        crm.answer = rejected
        with desk(tmp_path, crm, SYNC, clock=clock) as hub:
            pushed(hub, Person("a"))
            for hours in (1, 2, 4, 8, 16, 24, 24):
                clock.advance(hours=hours, seconds=-1)
                assert planned(push(hub).syncs[0]) == {"waiting": 1}
                clock.advance(seconds=1)
                assert planned(push(hub).syncs[0]) == {"create": 1}
        assert len(set(crm.ids())) == len(crm.ids()) == 8

    def test_other_values_are_tried_at_once(self, tmp_path: Path, crm: Crm) -> None:
        crm.answer = rejected
        with desk(tmp_path, crm, SYNC) as hub:
            pushed(hub, Person("a"))
            assert planned(pushed(hub, Person("a", "silver"))) == {"create": 1}
            assert planned(push(hub).syncs[0]) == {"waiting": 1}

    def test_a_refused_removal_waits_too(self, tmp_path: Path, crm: Crm, clock: Wall) -> None:
        with desk(tmp_path, crm, SYNC, clock=clock) as hub:
            pushed(hub, Person("a"))
            crm.answer = rejected
            assert planned(pushed(hub)) == {"delete": 1}
            assert planned(push(hub).syncs[0]) == {"waiting": 1}
            crm.answer = accepted
            clock.advance(hours=1)
            assert push(hub).syncs[0].outcomes == {"accepted": 1}
        assert crm.holds() == {}

    def test_going_back_to_what_is_there_needs_no_call(self, tmp_path: Path, crm: Crm) -> None:
        with desk(tmp_path, crm, SYNC) as hub:
            pushed(hub, Person("a"))
            crm.answer = rejected
            pushed(hub, Person("a", "silver"))
            assert planned(pushed(hub, Person("a"))) == {"unchanged": 1}

    def test_a_whole_set_stays_whole_while_one_of_its_rows_waits(self, tmp_path: Path, crm: Crm) -> None:
        with desk(tmp_path, crm, AUDIENCE) as hub:
            crm.answer = refusing("b")
            pushed(hub, Person("a"), Person("b"))
            assert planned(push(hub).syncs[0]) == {"unchanged": 1, "waiting": 1}
            crm.answer = accepted
            pushed(hub, Person("a"), Person("b"), Person("c"))
        assert set(crm.holds("audience")) == {"a", "b", "c"}

    def test_a_customer_without_key_writes_no_whole_set_again(self, tmp_path: Path, crm: Crm) -> None:
        with desk(tmp_path, crm, AUDIENCE + '\nkey = "phone"') as hub:
            pushed(hub, Person("a", phone="15400000001"))
            report = pushed(hub, Person("a", phone="15400000001"), Person("b"))
        assert report.outcomes == {"invalid": 1}
        assert len(crm.told("audience")) == 1
