"""What people see and machines read: one test per command on a small project."""

from __future__ import annotations

import json
import re
import tomllib

import pytest
from cli_project import BAD_ORDER, Project


def test_init_writes_a_config_that_is_valid_as_it_stands(project: Project) -> None:
    (project.folder / "new").mkdir()

    result = project.run("init", "new")

    assert result.code == 0
    assert "hub check" in result.out
    written = (project.folder / "new" / "hub.toml").read_text(encoding="utf-8")
    assert tomllib.loads(written)["connections"]["pos"] == {"plugin": "files", "url": "drops"}


def test_every_setting_in_the_template_is_one_that_exists(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from hub.config import load_settings
    from hub.plugins import load_plugins

    monkeypatch.setenv("HUB_PLUGINS", "files,webhook,retail")
    project.run("init", "--force")
    path = project.folder / "hub.toml"
    # Take the comment sign off every line that is a setting or a table.
    commented = re.compile(r"^# (?=\w+ = |\[[a-z])", re.MULTILINE)
    active = commented.sub("", path.read_text(encoding="utf-8"))
    path.write_text(active, encoding="utf-8")

    settings = load_settings(
        path,
        environ={"CRM_WEBHOOK_SECRET": "whsec_" + "QUFB" * 12},
        plugins=load_plugins(),
    )

    assert settings.syncs["champions_to_crm"].to == "crm"
    assert settings.hub.keep_snapshots == type(settings.hub)().keep_snapshots


def test_init_leaves_a_config_alone_unless_forced(project: Project) -> None:
    before = (project.folder / "hub.toml").read_text(encoding="utf-8")

    refused = project.run("init")

    assert refused.code == 2
    assert "--force" in refused.err
    assert (project.folder / "hub.toml").read_text(encoding="utf-8") == before
    assert project.run("init", "--force").code == 0
    assert (project.folder / "hub.toml").read_text(encoding="utf-8") != before


def test_plugins_tells_what_is_broken_and_strict_makes_it_fail(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_PLUGINS", "shop,broken_shop")

    listed = {plugin["name"]: plugin for plugin in project.json("plugins")["plugins"]}
    strict = project.run("plugins", "--strict", "-v")

    assert listed["shop"]["state"] == "loaded"
    assert listed["shop"]["distribution"] == "shop-plugin 1.2"
    assert "register_sources" in listed["shop"]["hooks"]
    assert listed["broken_shop"]["state"] == "broken"
    assert "vendor's library is too old" in listed["broken_shop"]["reason"]
    assert listed["webhook"]["state"] == "disabled"
    assert strict.code == 1
    assert "Traceback" in strict.out
    assert project.run("plugins").code == 0


def test_describe_needs_no_configuration(project: Project) -> None:
    (project.folder / "hub.toml").unlink()

    found = project.json("describe", "shop")

    settings = {setting["name"]: setting for setting in found["settings"]}
    assert settings["file"]["required"]
    assert settings["file"]["description"] == "The shop's JSON file."
    assert settings["token"]["secret"]
    assert settings["page_size"] == {
        "name": "page_size",
        "type": "integer",
        "required": False,
        "default": "100",
        "secret": False,
        "description": "Rows per page, as the shop's server hands them out.",
    }
    assert [stream["name"] for stream in found["streams"]] == ["customers", "orders", "bulk_orders"]
    assert found["targets"][0]["keys"] == ["phone", "customer_id"]
    assert [trait["name"] for trait in found["scorers"][0]["traits"]] == ["spent", "visits"]
    assert found["segments"][0]["title"] == {"zh": "高消费会员", "en": "Big spenders"}


def test_describe_shows_titles_in_both_languages(project: Project) -> None:
    shown = project.run("describe", "shop").out

    assert "小店 Little shop" in shown
    assert "会员 Members" in shown
    assert "Streams and targets are those of connection pos." in shown


def test_check_tries_source_destination_and_what_syncs_need(project: Project) -> None:
    good = project.run("check")
    project.write("hub.toml", (project.folder / "hub.toml").read_text(encoding="utf-8").replace('"tags"', '"tagz"'))
    (project.folder / "shop.json").unlink()
    bad = project.run("check", "--json")

    assert good.code == 0
    assert bad.code == 1
    checks = {check["name"]: check for check in bad.document["connections"][0]["checks"]}
    assert not checks["file can be read"]["ok"]
    assert checks["target tagz is offered"] == {
        "name": "target tagz is offered",
        "ok": False,
        "message": "Did you mean 'tags'?",
    }


def test_preview_shows_records_without_storing_anything(project: Project) -> None:
    found = project.json("preview", "pos", "orders", "--rows", "2")

    assert [row["source_id"] for row in found["rows"]] == ["T1", "T2"]
    assert found["rows"][0]["total_amount"] == "120.5"
    assert found["rows"][0]["lines"][0]["name"] == "茶"
    assert project.json("cursor", "show")["cursors"] == []
    assert project.json("runs")["runs"] == []


def test_preview_of_bulk_data_shows_the_same_rows(project: Project) -> None:
    assert (
        project.json("preview", "pos", "bulk_orders", "--rows", "2")["rows"]
        == project.json("preview", "pos", "orders", "--rows", "2")["rows"]
    )


def test_preview_masks_people_unless_asked(project: Project) -> None:
    masked = project.run("preview", "pos", "customers")
    revealed = project.run("preview", "pos", "customers", "--reveal")

    for personal in ("王小明", "15400000001", "喜欢红茶", "M0000001"):
        shown = "M0000001" if personal == "M0000001" else personal
        assert shown in revealed.out
    for personal in ("王小明", "15400000001", "喜欢红茶"):
        assert personal not in masked.out
    assert "王**" in masked.out
    assert "备注" in masked.out


def test_preview_shows_rejects_too(project: Project) -> None:
    project.shop["orders"] = [BAD_ORDER]
    project.save()

    result = project.run("preview", "pos", "orders", "--json")

    assert result.code == 1
    assert result.document["rows"] == []
    assert result.document["rejects"][0]["location"] == "shop.json/orders#0"


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


def test_traits_lists_what_conditions_may_name(project: Project) -> None:
    (project.folder / "hub.toml").unlink()

    found = project.json("traits")

    assert [trait["name"] for trait in found["traits"]] == ["spent", "visits"]
    assert {"name": "phone", "type": "VARCHAR"} in found["customer_columns"]
    assert "累计消费 Spent" in project.run("traits").out


def test_traits_tell_which_segments_read_them_and_which_syncs_push_them(project: Project) -> None:
    spent, visits = project.json("traits")["traits"]

    assert (spent["pushed"], visits["pushed"], visits["pushed_as_segment"]) == (["best"], [], [])
    assert "regulars" in visits["segments"]
    assert "Pushed by best" in project.run("traits", "spent").out
    assert "visits" not in project.run("traits", "spent").out


def test_traits_tell_family_origin_and_refresh(project: Project) -> None:
    spent, visits = project.json("traits")["traits"]

    assert (spent["family"], spent["upstream"], spent["refresh"]) == ("spending", ["orders.total_amount"], "everybody")
    assert (visits["family"], visits["upstream"]) == (None, [])
    shown = project.run("traits", "spent").out
    assert "Refreshed on each business day, and in each run for everybody." in shown
    assert "Family 消费能力 Spending power" in shown
    assert "From orders.total_amount" in shown
    assert "Family" not in project.run("traits", "visits").out


def test_a_trait_that_is_not_there_is_told_with_the_nearest(project: Project) -> None:
    result = project.run("traits", "spend")

    assert result.code == 2
    assert "There is no trait spend." in result.err
    assert "Did you mean spent?" in result.err


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


def test_the_version_is_shown(project: Project) -> None:
    from importlib.metadata import version

    assert project.run("--version").out == f"customer-hub {version('customer-hub')}\n"
