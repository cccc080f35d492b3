"""What the stages tell, and what is kept of their runs: counts, rejects, deliveries, cursors."""

from __future__ import annotations

import json

from cli_project import BAD_ORDER, Project


def test_the_stages_one_by_one_give_what_run_gives(project: Project) -> None:
    ingest = project.json("ingest")
    assert {stream["stream"]: stream["records"] for stream in ingest["streams"]} == {
        "customers": 3,
        "orders": 3,
        "bulk_orders": 3,
    }
    assert project.json("resolve")["customers"] == 3
    assert project.json("score", "--as-of", "2026-04-01")["as_of"] == "2026-04-01T00:00:00+08:00"
    sizes = {size["segment"]["name"]: size["members"] for size in project.json("segment")["sizes"]}
    assert sizes == {"big_spenders": 1, "regulars": 1}
    assert project.json("publish")["is_new"]
    assert project.json("push", "--dry-run")["syncs"][0]["planned"]["create"] == 1
    assert project.tags() == []
    assert project.json("push", "best")["syncs"][0]["outcomes"] == {"accepted": 1}
    assert project.tags() == [{"key": "+8615400000001", "kind": "create"}]

    again = project.json("run", "--as-of", "2026-04-01")

    assert again["publish"]["is_new"] is False
    assert again["push"]["syncs"][0]["planned"]["unchanged"] == 1
    assert len(project.tags()) == 1


def test_run_shows_every_stage(project: Project) -> None:
    shown = project.run("run")

    assert shown.code == 0
    for heading in ("Ingest", "Resolve", "Score", "Segment", "Publish", "Push"):
        assert f"{heading}  (" in shown.out
    assert "高消费会员 Big spenders" in shown.out


def test_only_one_stream_is_read_when_named(project: Project) -> None:
    found = project.json("ingest", "pos", "--stream", "customers")

    assert [stream["stream"] for stream in found["streams"]] == ["customers"]


def test_segments_can_be_listed_and_tried(ran: Project) -> None:
    listed = {segment["name"]: segment for segment in ran.json("segment", "list")["segments"]}
    tried = ran.json("segment", "preview", "spent > 10")
    shown = ran.run("segment", "preview", "spent > 10").out

    assert listed["regulars"] == {
        "name": "regulars",
        "where": "visits >= 2",
        "title": {"zh": "熟客", "en": "Regulars"},
        "family": "",
        "description": "",
        "members": 1,
    }
    assert (tried["members"], tried["customers"]) == (2, 3)
    assert len(tried["sample"]) == 2
    assert "2 of 3 customers (66.7%)." in shown


def test_a_diff_of_segments_shows_only_those_that_change(ran: Project) -> None:
    nothing = ran.run("segment", "diff").out
    ran.write("hub.toml", (ran.folder / "hub.toml").read_text(encoding="utf-8").replace("visits >= 2", "visits >= 1"))
    changed = ran.run("segment", "diff").out

    assert nothing == "Nobody would enter or leave a segment.\n"
    assert "regulars" in changed
    assert "big_spenders" not in changed


def test_status_fits_one_screen_and_tells_all(project: Project) -> None:
    project.shop["orders"].append(BAD_ORDER)
    project.save()
    project.run("run")

    result = project.run("status")
    document = project.json("status")

    assert result.code == 0
    assert all(len(line) <= 80 for line in result.out.splitlines())
    assert len(result.out.splitlines()) <= 40
    streams = {stream["stream"]: stream for stream in document["streams"]}
    assert streams["orders"]["rejects"] == 1
    assert streams["orders"]["packages_waiting"] == 0
    assert document["snapshot"]["counts"]["customers"] == 3
    assert document["syncs"][0]["state"] == "succeeded"
    assert document["leases"] == []


def test_status_names_connections_that_were_never_read(project: Project) -> None:
    project.append('\n[connections.second]\nplugin = "shop"\nfile = "shop.json"\n')

    streams = project.json("status")["streams"]

    # The shop itself is a place that a sync writes to: it need not be read.
    assert [(stream["connection"], stream["state"]) for stream in streams] == [("second", "never read")]


def test_runs_are_listed_newest_first_and_can_be_narrowed(ran: Project) -> None:
    everything = ran.json("runs")["runs"]
    narrowed = ran.json("runs", "--stage", "ingest", "--subject", "pos/orders", "--limit", "1")["runs"]

    assert [run["started_at"] for run in everything] == sorted((r["started_at"] for r in everything), reverse=True)
    assert [run["subject"] for run in narrowed] == ["pos/orders"]
    assert narrowed[0]["counts"]["records"] == 3
    assert "records 3" in ran.run("runs", "--stage", "ingest").out


def test_rejected_rows_are_shown_without_the_row_itself(project: Project) -> None:
    project.shop["orders"].append({**BAD_ORDER, "phone": "15400000009"})
    project.save()
    project.run("ingest")
    run = project.json("runs", "--subject", "pos/orders")["runs"][0]["id"]

    listed = project.json("rejects", "--connection", "pos", "--code", "total_missing", "--run", run[:8])["rejects"]
    revealed = project.json("rejects", "--reveal")["rejects"]

    assert listed[0]["location"] == "shop.json/orders#3"
    assert listed[0]["column"] == "total"
    assert "raw" not in listed[0]
    assert json.loads(revealed[0]["raw"])["phone"] == "15400000009"
    assert "The order has no total. [total_missing]" in project.run("rejects").out
    assert "15400000009" not in project.run("rejects").out


def test_deliveries_show_outcomes_and_mask_keys(project: Project) -> None:
    project.write("behaviour", "reject")
    project.run("run")

    found = project.json("deliveries", "--sync", "best", "--outcome", "rejected")["deliveries"]

    assert [one["message"] for one in found] == ["The member is frozen."]
    assert found[0]["key"] == "154****0001"
    assert project.json("deliveries", "--customer", found[0]["customer_id"])["deliveries"] == found
    assert project.json("deliveries", "--run", found[0]["run"][:8])["deliveries"] == found
    assert project.json("deliveries", "--outcome", "accepted")["deliveries"] == []


def test_a_cursor_is_shown_set_and_written_down(project: Project) -> None:
    from hub import open_hub

    project.json("ingest")

    changed = project.json("cursor", "set", "pos", "orders", '{"after": 1}')
    shown = project.json("cursor", "show", "pos", "orders")["cursors"]
    again = project.json("ingest", "pos", "--stream", "orders")

    assert (changed["before"], changed["state"]) == ({"after": 3}, {"after": 1})
    assert shown[0]["state"] == {"after": 1}
    assert again["streams"][0]["records"] == 2
    with open_hub(project.folder / "hub.toml") as hub:
        entry = hub.store.audit_log()[0]
    assert (entry.action, entry.subject) == ("cursor_set", "pos/orders")
    assert entry.detail == {"from": {"after": 3}, "to": {"after": 1}}


def test_a_target_that_was_switched_off_is_switched_on_again(project: Project) -> None:
    from hub import open_hub

    project.write("behaviour", "gone")
    gone = project.run("run")
    status = project.json("status")["syncs"][0]
    shown = project.run("status").out
    project.write("behaviour", "accept")
    off = project.run("push")

    on = project.json("sync", "on", "best")

    assert gone.code == 1
    assert off.code == 3
    assert "hub sync on best" in off.err
    assert status["switched_off"]["code"] == "endpoint_gone"
    assert "pos/tags is off since" in shown
    assert on["was_off"]
    assert project.json("push")["syncs"][0]["outcomes"] == {"accepted": 1}
    assert project.run("sync", "on", "best").out == "Target pos/tags was on already.\n"
    with open_hub(project.folder / "hub.toml") as hub:
        assert [entry.action for entry in hub.store.audit_log()] == ["target_on"]
