"""The public names, and what importing them costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import hub.http
from hub.http import testing

FOLDER = Path(hub.http.__file__).parent
ALLOWED = ("hub.errors", "hub.redaction", "hub.http")


def test_the_lists_of_public_names_are_sorted_true_and_documented() -> None:
    for module in (hub.http, testing):
        classic = sorted(module.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
        assert list(module.__all__) == classic
        for name in module.__all__:
            assert getattr(module, name) is not None


def test_the_http_layer_imports_no_other_room_of_the_hub() -> None:
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.module if isinstance(node, ast.ImportFrom) else None
            if name and name.split(".")[0] in {"hub", "plugins", "identity"}:
                assert name.startswith(ALLOWED), f"{path.name} imports {name}"


def test_importing_the_layer_needs_no_database_driver_and_no_test_tool() -> None:
    code = "import hub.http, hub.http.testing, sys; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"psycopg", "psycopg_pool", "sqlalchemy", "pytest", "hypothesis", "duckdb"} & set(loaded)
