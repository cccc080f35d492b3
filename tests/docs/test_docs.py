"""The documentation is true: its code runs, its tables name what exists and all of it, its links lead somewhere."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hub import hookspecs
from hub.config import HubSettings, IdentitySettings, SegmentSettings, load_settings
from hub.config_airflow import AirflowSettings
from hub.plugins import installed_plugins
from hub.sync_settings import PushSettings, SyncSettings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "plugins").rglob("README.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [body for kind, body in FENCE.findall(page.read_text(encoding="utf-8")) if kind == language]


def names_in_first_column(page: Path) -> set[str]:
    return set(re.findall(r"^\| `([^`]+)`", page.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_python_examples_run(page: Path, tmp_path: Path) -> None:
    script = "\n".join(blocks(page, "python"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_the_readme_s_first_plugin_is_the_example(tmp_path: Path) -> None:
    code = (ROOT / "examples/loyalty/loyalty.py").read_text(encoding="utf-8")
    assert code in blocks(ROOT / "README.md", "python")
    assert len(code.splitlines()) <= 42


def test_the_readme_s_configuration_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text(blocks(ROOT / "README.md", "toml")[0], encoding="utf-8")
    secret = "whsec_" + "AAAA" * 8
    settings = load_settings(tmp_path / "hub.toml", environ={"CRM_WEBHOOK_SECRET": secret})
    assert list(settings.connections) == ["till", "crm"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_hook_is_documented_and_no_other() -> None:
    hooks = {name for name in vars(hookspecs) if name.startswith("register_")}
    assert {
        name.removesuffix("()") for name in names_in_first_column(ROOT / "docs/plugins.md") if "()" in name
    } == hooks


def test_every_setting_is_documented_and_no_other() -> None:
    models = (HubSettings, IdentitySettings, SegmentSettings, PushSettings, SyncSettings, AirflowSettings)
    settings = {name for model in models for name in model.model_fields}
    assert names_in_first_column(ROOT / "docs/configuration.md") == settings | {"plugin", "streams"}


def test_every_shipped_plugin_loads_and_has_a_readme() -> None:
    for loaded in installed_plugins().loaded:
        if loaded.module.startswith("plugins."):
            assert loaded.state == "loaded", loaded.reason
            assert (ROOT / loaded.module.replace(".", "/") / "README.md").is_file()


def codes_in(folder: Path) -> set[str]:
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _raises_ours(node):
                found |= {
                    keyword.value.value
                    for keyword in node.keywords
                    if keyword.arg == "code" and isinstance(keyword.value, ast.Constant) and keyword.value.value
                }
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(getattr(target, "id", "") == "default_code" for target in targets):
                    found.add(ast.literal_eval(node.value))
    return found


def _raises_ours(node: ast.Call) -> bool:
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    return name.endswith("Error")


def test_every_error_code_of_the_core_is_documented_and_no_other() -> None:
    documented = {name for name in names_in_first_column(ROOT / "docs/errors.md") if re.fullmatch(r"[a-z_]+", name)}
    assert documented == codes_in(ROOT / "hub") | codes_in(ROOT / "identity")


PLUGINS = [
    path.parent
    for path in sorted((ROOT / "plugins").rglob("__init__.py"))
    if "hookimpl" in path.read_text(encoding="utf-8")
]
"""Folders of plugins; the folder of a family (``pos``) holds plugins of its own."""


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda f: f.name)
def test_every_error_code_of_a_plugin_is_in_its_guides(folder: Path) -> None:
    guides = "".join(path.read_text(encoding="utf-8") for path in [folder / "README.md", *folder.glob("*.md")])
    assert [code for code in sorted(codes_in(folder)) if f"`{code}`" not in guides] == []
