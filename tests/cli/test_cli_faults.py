"""What goes wrong is told as what happened, where and what to do, with an exit code that scripts can trust."""

from __future__ import annotations

import pytest
from cli_project import BAD_ORDER, SECRET, Project

from hub import open_hub

WRONG_ARGUMENTS = {
    "a misspelt command": (("ingst",), "Did you mean 'ingest'"),
    "a misspelt sub-command": (("cursor", "shwo"), "Did you mean 'show'"),
    "an option that is not there": (("ingest", "--al"), "No such option: --al"),
    "an argument that is missing": (("preview", "pos"), "Missing argument 'stream'"),
    "a number that is none": (("preview", "pos", "orders", "--rows", "many"), "'--rows'"),
    "a number out of range": (("runs", "--limit", "0"), "'--limit'"),
    "a connection to read": (("ingest", "pso"), "no connection 'pso'"),
    "a stream to read": (("ingest", "pos", "--stream", "order"), "no stream 'order'"),
    "a connection to check": (("check", "pso"), "no connection 'pso'"),
    "a connection to preview": (("preview", "pso", "orders"), "no connection 'pso'"),
    "a stream to preview": (("preview", "pos", "order"), "Did you mean 'orders'?"),
    "a plugin": (("describe", "shopp"), "Did you mean 'shop'?"),
    "a time": (("score", "--as-of", "yesterday"), "2026-04-01T08:00"),
    "a time for a run": (("run", "--as-of", "31.12."), "'31.12.' is not a time"),
    "a sync to push": (("push", "bst"), "hub.toml has: best"),
    "a sync to switch on": (("sync", "on", "bst"), "Did you mean 'best'?"),
    "a stage": (("runs", "--stage", "ingst"), "Did you mean 'ingest'?"),
    "a run": (("rejects", "--run", "zz"), "No run's id begins with 'zz'"),
    "a connection of rejects": (("rejects", "--connection", "pso"), "no connection 'pso'"),
    "a sync of deliveries": (("deliveries", "--sync", "bst"), "Did you mean 'best'?"),
    "an outcome": (("deliveries", "--outcome", "acepted"), "Did you mean 'accepted'?"),
    "a condition that is too much": (("segment", "list", "spent > 1"), "takes no condition"),
    "a condition that is missing": (("segment", "preview"), "needs a condition"),
    "an action of segments": (("segment", "lits"), "Did you mean 'list'?"),
    "a setting of rules": (("rules", "diff", "nix.a=1"), "no such scorer is installed"),
    "a connection of cursors": (("cursor", "show", "pso"), "no connection 'pso'"),
    "a cursor that is no JSON": (("cursor", "set", "pos", "orders", "{"), "is not JSON"),
    "a cursor that is no object": (("cursor", "set", "pos", "orders", "[1]"), "must be a JSON object"),
    "a stream of a cursor": (("cursor", "set", "pos", "order", "{}"), "Did you mean 'orders'?"),
    "a file that is not there": (("status", "--config", "nowhere.toml"), "nowhere.toml cannot be read"),
    "a demo over something else": (("demo", "--keep", "."), "holds something else"),
    "a customer before anything was published": (("customer", "M0000001"), "There is no snapshot"),
    "a condition before anything was published": (("segment", "preview", "spent > 1"), "There is no snapshot"),
}


@pytest.mark.parametrize(("arguments", "told"), WRONG_ARGUMENTS.values(), ids=WRONG_ARGUMENTS.keys())
def test_a_wrong_argument_is_told_with_what_to_do(project: Project, arguments: tuple[str, ...], told: str) -> None:
    result = project.run(*arguments)

    assert result.code == 2
    assert told in " ".join(result.err.split())
    assert result.err.startswith("Error: ")
    assert "Traceback" not in result.err
    assert result.out == ""


@pytest.mark.parametrize(("arguments", "told"), WRONG_ARGUMENTS.values(), ids=WRONG_ARGUMENTS.keys())
def test_with_json_a_wrong_argument_is_a_document_too(project: Project, arguments: tuple[str, ...], told: str) -> None:
    result = project.run(*arguments, "--json")

    error = result.document["error"]
    problems = [f"{problem['message']} {problem['hint']}" for problem in error.get("problems", ())]
    assert result.code == 2
    assert told in " ".join([error["message"], error["hint"], *problems])
    assert error["code"]


def test_a_condition_that_is_wrong_suggests_the_right_trait(ran: Project) -> None:
    result = ran.run("segment", "preview", "spennt > 1")

    assert result.code == 2
    assert "did you mean 'spent'?" in result.err


def test_every_problem_of_the_config_is_told_with_its_line(project: Project) -> None:
    text = (project.folder / "hub.toml").read_text(encoding="utf-8")
    project.write("hub.toml", text.replace("file =", "fiel =").replace("where =", "were ="))

    result = project.run("status")

    assert result.code == 2
    assert "hub.toml has 4 problems. [config_invalid]" in result.err
    assert "hub.toml:3 connections.pos.fiel: is not a setting. Did you mean 'file'?" in result.err
    assert "hub.toml:7 segments.regulars.were: is not a setting. Did you mean 'where'?" in result.err


def test_a_secret_that_is_not_set_is_named_with_the_command_that_sets_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP_TOKEN")

    result = project.run("ingest")

    assert result.code == 2
    assert "hub.toml:4 connections.pos.token" in result.err
    assert "export SHOP_TOKEN=" in " ".join(result.err.split())


def test_without_a_config_the_next_step_is_named(project: Project) -> None:
    (project.folder / "hub.toml").unlink()

    result = project.run("ingest")

    assert result.code == 2
    assert "`hub init` writes a commented one" in result.err


def test_a_refused_stream_makes_the_ingest_partial_and_leaks_no_secret(project: Project) -> None:
    project.shop["refuses"] = ["orders"]
    project.save()

    shown = project.run("ingest", "--debug")
    document = project.run("ingest", "--json")

    assert (shown.code, document.code) == (1, 1)
    assert "Where: stream pos/orders" in shown.err
    assert "Check the connection's credentials" in shown.err
    assert "Traceback" in shown.err
    failed = next(stream for stream in document.document["streams"] if stream["stream"] == "orders")
    assert failed["error"]["code"] == "auth_refused"
    for text in (shown.out, shown.err, document.out, document.err):
        assert SECRET not in text


def test_when_every_stream_is_refused_nothing_could_run(project: Project) -> None:
    project.shop["refuses"] = ["orders"]
    project.save()

    assert project.run("ingest", "pos", "--stream", "orders").code == 3


def test_a_rejected_row_makes_the_ingest_partial(project: Project) -> None:
    project.shop["orders"].append(BAD_ORDER)
    project.save()

    result = project.run("ingest")

    assert result.code == 1
    assert "Why rows were rejected: hub rejects" in result.out
    assert project.run("ingest").code == 0


def test_refused_rows_make_the_push_partial(project: Project) -> None:
    project.write("behaviour", "reject")

    assert project.run("run").code == 1
    assert project.run("push").code == 0  # they wait: nothing was refused this time


def test_a_hub_that_reads_nothing_says_so(project: Project) -> None:
    project.write("hub.toml", "")

    result = project.run("ingest")

    assert result.code == 3
    assert result.out == "No connection to read from: add one to hub.toml.\n"


def test_a_hub_without_syncs_says_so(ran: Project) -> None:
    text = (ran.folder / "hub.toml").read_text(encoding="utf-8")
    ran.write("hub.toml", text[: text.index("[syncs.best]")])

    result = ran.run("push")

    assert result.code == 3
    assert "No sync to push" in result.out
    assert ran.run("run", "--as-of", "2026-04-01").code == 0


def test_a_misconfigured_sync_does_not_hide_behind_an_exit_code_of_0(ran: Project) -> None:
    text = (ran.folder / "hub.toml").read_text(encoding="utf-8")
    ran.write("hub.toml", text.replace('"tags"', '"tagz"'))

    result = ran.run("push")

    assert result.code == 2
    assert "It has: tags." in result.err
    assert "sync best" in result.err


def test_work_that_somebody_else_does_is_left_to_them(project: Project) -> None:
    with open_hub(project.folder / "hub.toml") as hub, hub.store.leases.hold("warehouse"):
        result = project.run("resolve")
        status = project.run("status")

    assert result.code == 3
    assert "warehouse is being worked on by process" in " ".join(result.err.split())
    assert "[lease_held]" in result.err
    assert "At work now" in status.out
    assert "warehouse" in status.out


def test_a_load_that_is_put_off_makes_the_ingest_partial(project: Project) -> None:
    with open_hub(project.folder / "hub.toml") as hub, hub.store.leases.hold("warehouse"):
        result = project.run("ingest", "--json")

    assert result.code == 1
    assert result.document["load_error"]["code"] == "lease_held"
    assert {stream["packages_waiting"] for stream in project.json("status")["streams"]} == {1}


def test_a_cursor_is_not_set_while_its_stream_is_read(project: Project) -> None:
    project.json("ingest")

    with open_hub(project.folder / "hub.toml") as hub, hub.store.leases.hold("ingest pos/orders"):
        result = project.run("cursor", "set", "pos", "orders", "{}")

    assert result.code == 3
    assert project.json("cursor", "show", "pos", "orders")["cursors"][0]["state"] == {"after": 3}


def test_what_a_plugin_prints_never_gets_into_the_document(project: Project) -> None:
    project.write(
        "hub.toml", (project.folder / "hub.toml").read_text(encoding="utf-8").replace("token", "noisy = true\ntoken")
    )

    result = project.run("preview", "pos", "customers", "--json")

    assert result.document["record"] == "profiles"
    assert "a plugin that prints" in result.err


def test_a_fault_of_the_hub_itself_is_told_without_a_traceback(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError("for 15400000001")

    monkeypatch.setattr("hub.store.runs.Runs.list", stumble)

    plain = project.run("runs")
    debug = project.run("runs", "--debug")

    assert plain.code == 3
    assert "ZeroDivisionError: for 154****0001 [unexpected]" in plain.err
    assert "--debug" in plain.err
    assert "Traceback" not in plain.err
    assert "Traceback" in debug.err
    assert "15400000001" not in debug.err


def test_ctrl_c_ends_with_130_and_one_line(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hub.pipeline.ingest.load", interrupt)

    result = project.run("ingest")

    assert result.code == 130
    assert result.err == "Stopped. What was sealed is kept; the next run goes on from there.\n"
    assert project.json("status")["leases"] == []
