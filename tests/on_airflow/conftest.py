"""Airflow's tests: a metadata database of their own, made once; left out, and said so, where Airflow is not installed."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest
from airflow_project import make_project

HERE = Path(__file__).parent
INSTALLED = find_spec("airflow") is not None
_HOME = Path(tempfile.mkdtemp(prefix="hub-airflow-tests-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)

if INSTALLED:
    # Airflow reads these once, when it is first imported.
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        del os.environ[name]
    os.environ |= {
        "AIRFLOW_HOME": str(_HOME),
        "AIRFLOW__CORE__DAGS_FOLDER": str(_HOME / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(_HOME / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_HOME / "passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME / 'airflow.db'}",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    (_HOME / "dags").mkdir()
    (_HOME / "plugins").mkdir()
else:
    collect_ignore_glob = ["test_airflow_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            # One process pays for Airflow's start, and Airflow's own warnings are not ours to mend.
            item.add_marker(pytest.mark.xdist_group("airflow"))
            item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.fixture(scope="session")
def metadata() -> Path:
    """Airflow's database, migrated; its home."""
    from airflow.utils.db import initdb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        initdb()
    return _HOME


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The ``hub.toml`` of a small project."""
    return make_project(tmp_path)
