"""``docs/commands.md`` names every command, argument, option, default and exit code, and no other; every help has an example."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_project import Project
from typer.main import get_command

from hub.cli.answer import ExitCode
from hub.cli.app import app

PAGE = (Path(__file__).parents[2] / "docs/commands.md").read_text(encoding="utf-8")
SHARED = {"--config", "-c", "--json", "--debug", "--help", "-h"}


def commands(found: Any, path: str = "hub") -> Iterator[tuple[str, Any]]:
    for name, command in found.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands(get_command(app)))
SECTIONS = {re.match(r"hub [a-z ]*[a-z]", title)[0]: (title, body)  # type: ignore[index]
            for title, body in re.findall(r"^### `(hub [^`]+)`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)}  # fmt: skip


def options_of(command: Any) -> dict[str, Any]:
    return {name: option for option in command.params for name in option.opts if name.startswith("-")}


def rows(text: str) -> dict[str, str]:
    found = re.findall(r"^\| (`-[^|]*) \| (.*) \|$", text, re.MULTILINE)
    return {name: does for names, does in found for name in re.findall(r"`([^`]+)`", names)}


def test_every_command_is_documented_and_no_other() -> None:
    assert sorted(SECTIONS) == sorted(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_is_documented_and_no_other(path: str) -> None:
    assert set(rows(SECTIONS[path][1])) == set(options_of(COMMANDS[path])) - SHARED


def test_the_shared_options_are_documented_once() -> None:
    shared = PAGE[PAGE.index("## What every command shares") : PAGE.index("## Exit codes")]
    assert set(rows(shared)) == SHARED
    for command in COMMANDS.values():
        assert set(options_of(command)) >= SHARED - {"--help", "-h"}


@pytest.mark.parametrize("path", COMMANDS)
def test_arguments_are_documented_in_their_order(path: str) -> None:
    documented = re.findall(r"\[?([A-Z]+)\]?(?:\.\.\.)?", SECTIONS[path][0].removeprefix(path))
    named = [
        (p.metavar or p.name).strip("[].").upper() for p in COMMANDS[path].params if p.param_type_name == "argument"
    ]
    assert documented == named


@pytest.mark.parametrize("path", COMMANDS)
def test_documented_defaults_are_the_real_ones(path: str) -> None:
    options = options_of(COMMANDS[path])
    for name, does in rows(SECTIONS[path][1]).items():
        default = re.search(r"; `?([\w]+)`?$", does)
        if default and default[1] not in {"repeated"} and not default[1].startswith("may"):
            assert str(options[name].default) == default[1]


def test_every_exit_code_is_documented() -> None:
    table = PAGE[PAGE.index("## Exit codes") : PAGE.index("## Set up")]
    assert {int(code) for code in re.findall(r"^\| `(\d+)` \|", table, re.MULTILINE)} == {
        int(code) for code in ExitCode
    }


@pytest.mark.parametrize("path", COMMANDS)
def test_every_help_has_an_example_of_the_command_itself(project: Project, path: str) -> None:
    shown = project.run(*path.split()[1:], "--help")

    assert shown.code == 0
    assert "Example" in shown.out
    examples = shown.out[shown.out.index("Example") :]
    assert path in examples


KEYS = {
    "hub plugins": ("plugins",),
    "hub describe": ("describe", "shop"),
    "hub check": ("check",),
    "hub preview": ("preview", "pos", "orders"),
    "hub ingest": ("ingest",),
    "hub resolve": ("resolve",),
    "hub score": ("score",),
    "hub publish": ("publish",),
    "hub push": ("push",),
    "hub status": ("status",),
    "hub runs": ("runs",),
    "hub rejects": ("rejects",),
    "hub deliveries": ("deliveries",),
    "hub customer": ("customer", "M0000001"),
    "hub traits": ("traits",),
    "hub sync on": ("sync", "on", "best"),
    "hub sync history": ("sync", "history", "best"),
    "hub sync adopt": ("sync", "adopt", "best"),
    "hub sync resend": ("sync", "resend", "best"),
    "hub cursor show": ("cursor", "show"),
    "hub cursor set": ("cursor", "set", "pos", "orders", "{}"),
}


@pytest.mark.parametrize(("path", "arguments"), KEYS.items(), ids=KEYS.keys())
def test_the_keys_of_the_document_are_documented(ran: Project, path: str, arguments: tuple[str, ...]) -> None:
    named = re.search(r"JSON: (`[^.]*`)", SECTIONS[path][1].replace("\n", " "))
    assert named is not None
    assert re.findall(r"`(\w+)`", named[1]) == list(ran.json(*arguments))


def test_the_keys_of_segments_documents_are_documented(ran: Project) -> None:
    text = SECTIONS["hub segment"][1]
    for arguments in ((), ("list",), ("preview", "spent > 1"), ("diff",)):
        assert all(f"`{key}`" in text for key in ran.json("segment", *arguments))
