"""Somebody changes tags by hand: reconcile shows it and mends it, through the hub."""

from __future__ import annotations

from pathlib import Path

import killed_corp
from wecom_rig import customer, guide, rig, tags_of

from hub.pipeline.push import push
from hub.pipeline.reconcile import reconcile


def test_a_tag_removed_by_hand_is_shown_and_put_back(tmp_path: Path) -> None:
    with rig(tmp_path, killed_corp.world()) as corp:
        killed_corp.flow(corp)
        wanted = tags_of(corp.corp)
        marks = corp.corp.journal.writes("mark_tag")
        # Customer 10 has two guides: one of them takes the tag away, and another tags a customer of his wrongly.
        corp.corp.act("retags", userid=guide(3), external_userid=customer(10), remove=["男客"])
        corp.corp.act("retags", userid=guide(1), external_userid=customer(5), add=["男客"])
        assert tags_of(corp.corp) != wanted
        with corp.hub(killed_corp.SYNC) as hub:
            assert push(hub).syncs[0].outcomes == {}
            shown = reconcile(hub, "tags")
            assert (shown.drift.same, shown.drift.different, shown.drift.unknown) == (killed_corp.CUSTOMERS - 2, 2, 0)
            assert {row["key"] for row in shown.sample["different"]} == {customer(5), customer(10)}
            repaired = reconcile(hub, "tags", repair=True)
            assert repaired.pushed is not None
            assert repaired.pushed.outcomes == {"accepted": 2}
            assert reconcile(hub, "tags").drift.same == killed_corp.CUSTOMERS
        assert tags_of(corp.corp) == wanted
        assert corp.corp.journal.writes("mark_tag") - marks == 2, "only the relations that differ are written"
