"""The page of one customer: found by whatever names them, masked unless asked."""

from __future__ import annotations

import pytest
from cli_project import Project


@pytest.mark.parametrize("query", ["15400000001", "154 0000 0001", "+8615400000001", "M0000001", "pos:M0000001"])
def test_a_customer_is_found_by_anything_that_names_them(ran: Project, query: str) -> None:
    found = ran.json("customer", query, "--reveal")["customers"]

    assert [one["customer"]["name"] for one in found] == ["王小明"]
    assert found[0]["traits"]["spent"] == "150.5"
    assert {one["segment"] for one in found[0]["segments"]} == {"big_spenders", "regulars"}
    assert found[0]["deliveries"][0]["outcome"] == "accepted"


def test_a_customer_is_masked_unless_asked_and_asking_is_written_down(ran: Project) -> None:
    from hub import open_hub

    masked = ran.run("customer", "15400000001")
    customer_id = ran.json("customer", "15400000001")["customers"][0]["customer"]["customer_id"]
    ran.run("customer", customer_id, "--reveal")

    assert "王小明" not in masked.out
    assert "15400000001" not in masked.out
    assert "154****0001" in masked.out
    assert "pos:M0***01" in masked.out
    assert "M0000001" not in masked.out
    with open_hub(ran.folder / "hub.toml") as hub:
        log = hub.store.audit_log()
    assert [(entry.action, entry.subject) for entry in log] == [("reveal", customer_id)]


def test_an_id_that_was_merged_away_leads_to_the_customer_it_is_part_of(ran: Project) -> None:
    old = {
        one: ran.json("customer", one)["customers"][0]["customer"]["customer_id"] for one in ("M0000002", "M0000003")
    }
    # The shop merges two of its members.
    ran.shop["customers"].append({**ran.shop["customers"][2], "merged_into": "M0000002"})
    ran.save()
    ran.json("run")

    now = ran.json("customer", "M0000003")["customers"][0]["customer"]["customer_id"]

    assert {ran.json("customer", one)["customers"][0]["customer"]["customer_id"] for one in old.values()} == {now}
    assert now in old.values()


def test_an_unknown_customer_is_said_to_be_unknown(ran: Project) -> None:
    result = ran.run("customer", "15400000099")

    assert result.code == 1
    assert result.out.splitlines() == [
        "No customer of the current snapshot has this phone, number or id.",
        "A placeholder or a shop's own number leads to nobody: hub identity report",
    ]
