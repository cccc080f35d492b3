"""What a project has and could do, before any stage has run: plugins, settings, previews, traits."""

from __future__ import annotations

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


def test_the_version_is_shown(project: Project) -> None:
    from importlib.metadata import version

    assert project.run("--version").out == f"customer-hub {version('customer-hub')}\n"
