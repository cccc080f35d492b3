"""Whatever the platforms do wrong, the demo ends in the same tables as without faults."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hub.demo import Demo, open_demo
from hub.pipeline.ingest import ingest
from hub.plugins import installed_plugins
from hub.simulation import faults
from hub.simulation.server import Simulator
from hub.warehouse.engine import Engine

SERVED = [
    name
    for name, kind in installed_plugins().simulators().items()
    if isinstance(kind, type) and issubclass(kind, Simulator) and kind.in_demo
]
"""Platforms of the demo with an API that can fail; folders and receivers cannot. Those that the demo leaves out have this in
their plugin's own tests."""
TABLES = ("profiles", "profiles_identifiers", "profiles_relations", "profiles_cards", "orders", "orders_lines",
          "orders_tenders", "events", "stores", "staff", "products")  # fmt: skip
OWN = "row_hash, first_seen_at, changed_seq, updated_at, extra"
"""What the hub notes itself, and what tells the moment of reading."""
PROGRAMMES = sorted(set(faults.PROGRAMMES) - {"none", "slow", "page_shift"})
"""A slow answer over a real socket takes real time until the client gives up, and shifting pages changes what the platform
holds: the connectors' own tests have both, in virtual time and against the platform's own state."""
WHOLE = {"dropped_after_write", "throttling"}
"""Programmes that writes suffer most from: under these every stage is run, the pushes too; under the others only the reading,
whose tables are compared. The connectors' own tests push under all of them."""
MOST_RUNS = 4


def contents(engine: Engine) -> Mapping[str, tuple[int, int]]:
    found = {}
    for table in TABLES:
        kept = ", ".join(f'"{name}"' for name in engine.columns(table) if name not in OWN.split(", "))
        rows, digest = engine.rows(f"SELECT count(*), bit_xor(hash({kept})) FROM {table}")[0]
        found[table] = (rows, digest)
    return found


def read_to_the_end(demo: Demo, *, whole: bool) -> None:
    """Read, or run every stage, until every stream has come to its end, an hour between the tries."""
    for _ in range(MOST_RUNS):
        if whole:
            run = demo.run_day().run
            assert run.error is None
            assert run.ingest is not None
            report = run.ingest
        else:
            with demo.hub() as hub:
                report = ingest(hub)
        assert report.load_error is None
        if all(stream.state == "succeeded" for stream in report.streams):
            return
        demo.wait(3_600)
    pytest.fail(f"not every stream came to its end in {MOST_RUNS} runs: {report.failed}")


@cache
def final_tables_without_faults(platform: str) -> Mapping[str, tuple[int, int]]:
    with TemporaryDirectory() as folder:
        return final_tables(Path(folder) / "chain", platform, "none")


def final_tables(folder: Path, platform: str, programme: str) -> Mapping[str, tuple[int, int]]:
    with open_demo(folder, people=200, days=30, seed=3, programme=programme, only=(platform,)) as demo:
        read_to_the_end(demo, whole=programme in WHOLE)
        with demo.hub() as hub, hub.warehouse() as engine:
            return contents(engine)


@pytest.mark.parametrize("programme", PROGRAMMES)
@pytest.mark.parametrize("platform", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in SERVED])
def test_faults_leave_no_trace(platform: str, programme: str, tmp_path: Path) -> None:
    clean = final_tables_without_faults(platform)
    assert sum(rows for rows, _ in clean.values()) > 50
    assert final_tables(tmp_path / "chain", platform, programme) == clean
