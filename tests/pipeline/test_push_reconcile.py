"""Full resync, three ways: read back and repair, send everything again, take it as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from crm import POINTS, SYNC, Crm, Person, desk, publish_people, rejected

from hub.errors import ConfigError
from hub.pipeline.push import push
from hub.pipeline.reconcile import Drift, adopt, reconcile, resend

UPSERT = SYNC + '\nmode = "upsert"'
GOLD = {"level": "gold"}


def test_what_was_changed_by_hand_is_shown_and_repaired_both_ways(tmp_path: Path, crm: Crm) -> None:
    with desk(tmp_path, crm, SYNC) as hub:
        publish_people(hub, [Person(name) for name in "abcd"])
        push(hub)
        crm.by_hand("a")
        crm.by_hand("b", level="bronze")
        crm.by_hand("z", level="somebody else's")
        shown = reconcile(hub, "sync1")
        assert shown.drift == Drift(same=2, missing=1, different=1, unknown=1)
        assert shown.sample["missing"] == [{"key": "a", "customer_id": "a"}]
        assert len(crm.told()) == 4, "showing changes nothing"
        assert push(hub).syncs[0].outcomes == {}, "an ordinary push trusts the ledger"
        report = reconcile(hub, "sync1", repair=True)
        assert (report.corrected, report.pushed and report.pushed.outcomes) == (2, {"accepted": 2})
        assert crm.told()[4:] == [("create", "a", GOLD), ("update", "b", GOLD)]
        assert reconcile(hub, "sync1").drift == Drift(same=4, unknown=1)
        assert push(hub).syncs[0].outcomes == {}
    assert crm.holds() == {**dict.fromkeys("abcd", GOLD), "z": {"level": "somebody else's"}}


def test_leavers_that_are_there_again_are_removed_and_what_nobody_sent_only_if_asked(tmp_path: Path, crm: Crm) -> None:
    with desk(tmp_path, crm, SYNC) as hub:
        publish_people(hub, [Person("a"), Person("b"), Person("c")])
        push(hub)
        publish_people(hub, [Person("a")])
        push(hub)
        crm.by_hand("b", level="gold")
        crm.by_hand("z", level="gold")
        assert reconcile(hub, "sync1", repair=True).drift == Drift(same=1, leavers=1, unknown=1)
        assert set(crm.holds()) == {"a", "z"}
        reconcile(hub, "sync1", repair=True, remove_unknown=True)
    assert set(crm.holds()) == {"a"}


def test_the_ledger_learns_what_is_there_and_what_is_gone_without_a_call(tmp_path: Path, crm: Crm) -> None:
    with desk(tmp_path, crm, UPSERT) as hub:
        publish_people(hub, [Person("a"), Person("b")])
        push(hub)
        crm.by_hand("b")
        crm.by_hand("c", level="gold")
        crm.by_hand("d", level="bronze")
        publish_people(hub, [Person("a"), Person("c"), Person("d")])
        report = reconcile(hub, "sync1", repair=True)
        assert report.drift == Drift(same=1, gone=1, already_there=1, pending=1)
        assert crm.told()[2:] == [("update", "d", GOLD)]


def test_rows_of_another_sync_on_the_target_are_not_drift(tmp_path: Path, crm: Crm) -> None:
    gold, silver = (SYNC + f"\nwhere = \"level = '{level}'\"" for level in ("gold", "silver"))
    with desk(tmp_path, crm, gold, silver) as hub:
        publish_people(hub, [Person("a"), Person("b", "silver")])
        push(hub)
        assert reconcile(hub, "sync1", repair=True, remove_unknown=True).drift == Drift(same=1)
    assert set(crm.holds()) == {"a", "b"}


def test_a_destination_that_cannot_be_read_to_its_end_changes_nothing(tmp_path: Path, crm: Crm) -> None:
    with desk(tmp_path, crm, SYNC, POINTS) as hub:
        publish_people(hub, [Person("a")])
        push(hub)
        crm.by_hand("a")
        crm.holds = lambda target: 1 / 0  # type: ignore[assignment,method-assign,return-value]
        with pytest.raises(Exception, match="ZeroDivisionError"):
            reconcile(hub, "sync1", repair=True)
        assert push(hub, ["sync1"]).syncs[0].planned.unchanged == 1
        with pytest.raises(ConfigError) as refused:
            reconcile(hub, "sync2")
    assert refused.value.code == "target_unreadable"
    assert "hub sync resend sync2" in refused.value.hint


class TestResend:
    def test_every_row_is_sent_again_and_leavers_go(self, tmp_path: Path, crm: Crm) -> None:
        """A full resync that keeps leavers is a known trap of others."""
        with desk(tmp_path, crm, SYNC) as hub:
            publish_people(hub, [Person("a"), Person("b")])
            push(hub)
            publish_people(hub, [Person("a")])
            assert resend(hub, "sync1").rows == 2
            assert push(hub).syncs[0].outcomes == {"accepted": 2}
            assert crm.told()[2:] == [("update", "a", GOLD), ("delete", "b", {})]
            assert len(set(crm.ids())) == 4, "they are new operations: the destination must not take them for old ones"

    def test_refused_rows_do_not_wait_any_longer(self, tmp_path: Path, crm: Crm) -> None:
        crm.answer = rejected
        with desk(tmp_path, crm, SYNC) as hub:
            publish_people(hub, [Person("a")])
            push(hub)
            assert push(hub).syncs[0].planned.waiting == 1
            assert resend(hub, "sync1").rows == 1
            assert push(hub).syncs[0].planned.create == 1

    def test_what_must_not_be_repeated_is_not(self, tmp_path: Path, crm: Crm) -> None:
        with desk(tmp_path, crm, POINTS) as hub:
            publish_people(hub, [Person("a")])
            push(hub)
            with pytest.raises(ConfigError) as refused:
                resend(hub, "sync1")
        assert refused.value.code == "target_not_repeatable"


def test_adopting_sends_nothing_until_something_changes(tmp_path: Path, crm: Crm) -> None:
    with desk(tmp_path, crm, SYNC) as hub:
        publish_people(hub, [Person("a"), Person("b")])
        assert adopt(hub, "sync1").rows == 2
        assert push(hub).syncs[0].planned.unchanged == 2
        publish_people(hub, [Person("a"), Person("b", "silver")])
        push(hub)
        assert [entry.action for entry in hub.store.audit_log()] == ["sync_adopted"]
    assert crm.told() == [("update", "b", {"level": "silver"})]
