"""Benchmarks are run by hand: that they still fit the product is seen here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
LOAD_ALL = """
import pathlib, runpy, sys
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.py")):
    assert runpy.run_path(str(path), run_name="loaded")["__doc__"], f"{path.name} does not say what it measures"
    print(path.stem)
"""


def test_every_benchmark_finds_what_it_imports() -> None:
    run = subprocess.run(
        [sys.executable, "-c", LOAD_ALL, str(BENCHMARKS)],
        env={"PYTHONPATH": str(BENCHMARKS), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == sorted(path.stem for path in BENCHMARKS.glob("*.py"))


def test_the_benchmark_of_groups_finds_groups_by_the_products_own_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    from scores_groups import groups_found

    found = groups_found(_three_kinds_of_buyers(), day=1000)
    assert found is not None
    assert found["groups"] >= 3
    assert found["agreement"] > 0.75


def _three_kinds_of_buyers() -> pd.DataFrame:
    """Who come often and in the morning, who order in the evening and pay much, and who are seldom seen."""
    draw = np.random.default_rng(1)
    kinds = [(40, 30, 0.1), (6, 200, 0.9), (6, 30, 0.1)]  # visits, money a visit, share online in the evening
    visits = []
    for customer in range(1500):
        times, money, online = kinds[customer % 3]
        for day in draw.integers(0, 1000, 2 + draw.poisson(times)).tolist():
            hour, channel = (20, "online") if draw.random() < online else (10, "store")
            visits.append((customer, day, hour, channel, draw.lognormal(np.log(money), 0.3), 0))
    return pd.DataFrame(visits, columns=["customer", "day", "hour", "channel", "net", "given"])
