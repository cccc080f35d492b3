"""Where Airflow is not installed its tests are left out, and say so; the rest of the hub does not miss it."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest


def test_the_other_tests_of_this_folder_need_airflow() -> None:
    if find_spec("airflow") is None:
        pytest.skip("Airflow is not installed: `make test-airflow` installs it and runs these")
    assert find_spec("airflow.sdk") is not None


def test_the_hub_never_imports_airflow_by_itself() -> None:
    code = (
        "import sys, hub.cli.entry, hub.context, hub.pipeline.run, hub.plugins, hub.airflow, hub.airflow.project, "
        "hub.airflow.setup; hub.plugins.installed_plugins(); "
        "sys.exit(any(name == 'airflow' or name.startswith('airflow.') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
