"""The walls of the house: who may import whom, no platform's name in the core, and no plugin it cannot do without."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACT = {
    "chunks",
    "columns",
    "destination",
    "errors",
    "hookspecs",
    "http",
    "models",
    "records",
    "redaction",
    "runtime",
    "scorer",
    "segments",
    "simulation",
    "source",
    "testing",
    "titles",
}
"""Modules of the core that a plugin may import."""

PLATFORMS = re.compile(r"youzan|weimob|wecom|pospal|有赞|微盟|企业微信|银豹", re.IGNORECASE)
NAMES_ALLOWED = {
    "hub/simulation/world": "the simulated chain says what each platform would know; no platform's code is in it",
}
"""Places in the core where platforms are named in code, with the reason. Prose may name them as examples."""


def _sources(folder: str) -> Iterator[Path]:
    return (path for path in sorted((ROOT / folder).rglob("*.py")) if "__pycache__" not in path.parts)


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            yield node.lineno, base
            if base in {"hub", "plugins"}:
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def test_the_contracts_between_the_rooms_are_kept() -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
    assert "0 broken" in ran.stdout


def test_a_plugin_imports_nothing_of_the_core_but_its_contract() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in _sources("plugins")
        for line, name in _imports(path)
        if name.split(".")[0] == "hub" and name != "hub" and name.split(".")[1] not in CONTRACT
    ]
    assert wrong == []


def test_a_plugin_imports_no_other_plugin() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in _sources("plugins")
        for line, name in _imports(path)
        if name.startswith("plugins.") and name.split(".")[1] != path.relative_to(ROOT).parts[1]
    ]
    assert wrong == []


def test_identity_resolution_imports_nothing_of_ours() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in _sources("identity")
        for line, name in _imports(path)
        if name.split(".")[0] in {"hub", "plugins"}
    ]
    assert wrong == []


def _names_in_code(path: Path) -> Iterator[tuple[int, str]]:
    """Names and texts of a module's code; comments and docstrings are left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    prose = {
        (node.value.lineno, node.value.end_lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
    for token in tokens:
        in_prose = any(first <= token.start[0] <= last for first, last in prose if last)
        if token.type in {tokenize.NAME, tokenize.STRING} and not in_prose:
            yield token.start[0], token.string


def test_the_core_names_no_platform() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} {text}"
        for path in _sources("hub")
        if not any(path.is_relative_to(ROOT / place) for place in NAMES_ALLOWED)
        for line, text in _names_in_code(path)
        if PLATFORMS.search(text)
    ]
    assert wrong == []


def test_no_module_of_the_core_is_named_after_a_platform() -> None:
    assert [path for path in _sources("hub") if PLATFORMS.search(path.relative_to(ROOT).as_posix())] == []


@pytest.mark.parametrize("place", NAMES_ALLOWED)
def test_every_exception_is_still_needed(place: str) -> None:
    named = (text for path in _sources(place) for _, text in _names_in_code(path))
    assert any(PLATFORMS.search(text) for text in named)


WITHOUT_PLUGINS = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name == "plugins" or name.startswith("plugins."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from toy import Feed, Toy, member, facts
from hub.pipeline.ingest import ingest
from hub.plugins import load_plugins
from hub.records import Customer
from hub.source import Page
broken = load_plugins().loaded
assert broken and all(entry.state == "broken" for entry in broken), broken
with Toy({"pos": {"members": Feed(Customer, [Page(records=[member("1")])])}}).hub(Path(sys.argv[2])) as hub:
    ingest(hub)
    print(len(facts(hub)["profiles"]), "profile")
"""


def test_the_hub_works_when_every_plugin_s_folder_is_gone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_PLUGINS, str(ROOT / "tests"), str(tmp_path)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.stdout == "1 profile\n", ran.stderr


def test_the_core_s_contract_imports_no_database_and_no_engine() -> None:
    """A plugin author's module is quick to import: what it needs brings neither DuckDB nor SQLAlchemy."""
    modules = [f"hub.{name}" for name in sorted(CONTRACT - {"http", "simulation", "testing", "segments"})]
    code = f"import sys, {', '.join(modules)}; print(sorted({{'duckdb', 'sqlalchemy', 'alembic'}} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
