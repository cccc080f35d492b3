"""How long Airflow takes to parse a big chain's DAGs: 50 connections, 100 syncs; beside an empty DAG file's cost.

python benchmarks/airflow_parse.py
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

_LIMIT = 2.0
_HOME = Path(tempfile.mkdtemp(prefix="hub-parse-"))
os.environ |= {
    "AIRFLOW_HOME": str(_HOME),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(_HOME / "plugins"),
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
}


def big_chain(connections: int, syncs: int) -> str:
    """A ``hub.toml`` of many connections and syncs."""
    lines = [f'[connections.shop{n}]\nplugin = "files"\nurl = "in/{n}"\nmapping = "zh_pos"' for n in range(connections)]
    lines += [f'[syncs.sync{n}]\nto = "shop{n % connections}"\ntarget = "audience"' for n in range(syncs)]
    return "\n".join(lines)


def parse(folder: Path) -> tuple[int, float]:
    """DAGs of a folder and the seconds it took to parse it."""
    from airflow.dag_processing.dagbag import DagBag

    begun = time.perf_counter()
    bag = DagBag(str(folder))
    assert not bag.import_errors, bag.import_errors
    return len(bag.dags), time.perf_counter() - begun


def main() -> int:
    """Print the figures; 1 when the limit is missed."""
    (_HOME / "hub.toml").write_text(big_chain(50, 100), encoding="utf-8")
    os.environ["HUB_CONFIG"] = str(_HOME / "hub.toml")
    folders = {}
    sources = {
        "one empty DAG": "from airflow.sdk import DAG\ndag = DAG('empty', schedule=None)",
        "50 connections, 100 syncs": "from hub.airflow.factory import hub_dags\nglobals().update(hub_dags())",
    }
    for name, text in sources.items():
        folders[name] = _HOME / name.replace(" ", "_").replace(",", "")
        folders[name].mkdir()
        (folders[name] / "file.py").write_text(text)
    parse(folders["one empty DAG"])  # Airflow's own imports
    parse(folders["50 connections, 100 syncs"])  # which plugins can be read is found out once and kept
    found = {name: parse(folder) for name, folder in folders.items()}
    base = found["one empty DAG"][1]
    for name, (count, seconds) in found.items():
        print(f"{name:28} {count:4} DAGs {seconds:7.3f} s  {seconds / base:7.1f} x an empty DAG file")
    seconds = found["50 connections, 100 syncs"][1]
    print(f"limit {_LIMIT} s: {'kept' if seconds <= _LIMIT else 'missed'}")
    return int(seconds > _LIMIT)


if __name__ == "__main__":
    sys.exit(main())
