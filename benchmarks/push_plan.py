"""Planning a push: 1 M and 10 M keys of which 1 % changed, against DuckDB's bare anti-join over the same two tables.

Prints the CPU time of the whole plan (selection, values, comparison, plan file; the ledger comes from its columnar copy and the
rows that changed since) and of the bare anti-join, the best of three rounds of each, their ratio, the same on the clock, and the
peak memory. Fails (exit 1) when the ratio is above 5, when the peak is above 1.5 GB, or when the plan is not what was changed. The
ratio is one of CPU times, for both use the same engine and threads, and on a busy machine the clock tells of the neighbours.

Run: .venv/bin/python benchmarks/push_plan.py [KEYS]...      (1000000 10000000)
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from hub.destination import Target
from hub.pipeline.push_ledger import load_ledger
from hub.pipeline.push_plan import Planner
from hub.pipeline.push_select import Policy
from hub.store.store import Store
from hub.sync_settings import SyncSettings
from hub.titles import Title
from hub.warehouse.engine import DuckDBEngine, literal

CHANGED = 100
"""One in so many has changed."""
MOST_RATIO, MOST_BYTES = 5.0, 1.5e9
ROUNDS = 3
"""Both are done so often, in turns: the best of each is compared, since a busy machine only ever adds."""
TARGET = Target("people", Title("人", "People"), keys=("customer_id",))
SYNC = SyncSettings.model_validate(
    {"to": "crm", "target": "people", "fields": {"level": "level", "score": "score", "code": "code"}}
)
_TRAITS = "SELECT printf('c%012d', i) AS customer_id, 'L' || (i % 5) AS level, (i * 7919 % 1000)::INTEGER AS score, 'R' || {code} AS code FROM range({keys}) AS r(i)"


def prepare(folder: Path, keys: int) -> None:
    """Write the snapshot of today and of the last push, and the ledger the last push has left."""
    engine = DuckDBEngine(None, folder / "scratch", "1GB")
    for name, code in (("before", "(i % 125)"), ("traits", f"if(i % {CHANGED} = 0, 999, i % 125)")):
        path = literal(str(folder / f"{name}.parquet"))
        engine.execute(f"COPY ({_TRAITS.format(code=code, keys=keys)}) TO {path} (FORMAT parquet)")
    customers = (
        f"SELECT customer_id, 1::BIGINT AS profiles FROM read_parquet({literal(str(folder / 'before.parquet'))})"
    )
    engine.execute(f"COPY ({customers}) TO {literal(str(folder / 'customers.parquet'))} (FORMAT parquet)")
    views(engine, folder, "before")
    with store_of(folder) as store:
        planner = Planner(engine, store, "sync", SYNC, TARGET, Policy())
        fill(planner, store)
    engine.close()


def fill(planner: Planner, store: Store) -> None:
    """Put the ledger into the store as if everything wanted had been accepted."""
    names = (
        "connection, target, key, sync, customer_id, accepted_hash, attempted_hash, doubtful, outcome, code, version, failures, "
        "changed_at, touched"
    )
    sql = (
        f"INSERT INTO ledger ({names}) VALUES ('crm', 'people', ?, 'sync', ?, ?, ?, 0, 'accepted', '', 1, 0, "
        "'2026-01-01 00:00:00.000000', 1)"
    )
    for batch in planner.engine.batches("SELECT key, customer_id, hash, hash AS same FROM desired ORDER BY key"):
        columns = [column.to_pylist() for column in batch.columns]
        with store.database.write() as session:
            session.connection().exec_driver_sql(sql, list(zip(*columns, strict=True)))


def store_of(folder: Path) -> Store:
    """Open the store."""
    return Store.open(f"sqlite:///{folder / 'store.db'}", folder)


def views(engine: DuckDBEngine, folder: Path, traits: str) -> None:
    """Make a snapshot's tables readable."""
    for name, file in (("customers", "customers"), ("traits", traits)):
        path = literal(str(folder / f"{file}.parquet"))
        engine.execute(f"CREATE OR REPLACE VIEW {name} AS FROM read_parquet({path})")
    engine.execute("CREATE OR REPLACE TABLE members (segment VARCHAR, customer_id VARCHAR, since TIMESTAMPTZ)")


def copy_ledger(folder: Path) -> None:
    """Make the columnar copy, as the first push of this size does."""
    engine = DuckDBEngine(None, folder / "scratch", "512MB")
    with store_of(folder) as store:
        load_ledger(engine, store, SYNC.to, SYNC.target, folder / "ledgers", large=1)
    engine.close()


def plan(folder: Path, keys: int) -> None:
    """Plan and compare with the bare anti-join, in turns; print the best of each, and fail if it is not good enough."""
    plans, joins, peak = [], [], 0
    for number in range(ROUNDS):
        plans.append(planned(folder, keys, keep=number == 0))
        # What the reference needs is not the plan's: its own peak is that of the first round.
        peak = peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        joins.append(bare_anti_join(folder, keys))
    took, bare = (min(wall for wall, _ in rounds) for rounds in (plans, joins))
    used, bare_used = (min(cpu for _, cpu in rounds) for rounds in (plans, joins))
    ratio = used / bare_used
    print(
        f"{keys:>12,} keys: CPU time of the plan {used:.2f} s, of the bare anti-join {bare_used:.2f} s, ratio {ratio:.1f}; "
        f"on the clock {took:.2f} s and {bare:.2f} s; peak {peak / 1e9:.2f} GB; best of {ROUNDS}, load {os.getloadavg()[0]:.1f}"
    )
    sys.exit(0 if ratio <= MOST_RATIO and peak <= MOST_BYTES else 1)


def planned(folder: Path, keys: int, *, keep: bool) -> tuple[float, float]:
    """Seconds on the clock and of CPU for a whole plan; ``keep`` writes what was compared to files, for the reference."""
    engine = DuckDBEngine(None, folder / "scratch", "512MB")
    views(engine, folder, "traits")
    engine.columns("traits")  # imports what DuckDB needs for parameters, so that both sides begin alike
    began = time.perf_counter(), time.process_time()
    with store_of(folder) as store:
        planner = Planner(engine, store, "sync", SYNC, TARGET, Policy(copies=folder / "ledgers"))
        counts = planner.counts()
        planner.write(folder / "plan.parquet")
    took = time.perf_counter() - began[0], time.process_time() - began[1]
    assert (counts.update, counts.unchanged) == (keys // CHANGED, keys - keys // CHANGED)
    for table in ("desired", "ledger") if keep else ():
        engine.execute(f"COPY {table} TO {literal(str(folder / f'{table}.parquet'))} (FORMAT parquet)")
    engine.close()
    return took


def bare_anti_join(folder: Path, keys: int) -> tuple[float, float]:
    """Seconds on the clock and of CPU for the rows whose key and hash are not in the ledger, from the same rows as files, in the same engine."""
    engine = DuckDBEngine(None, folder / "scratch", "512MB")
    desired, ledger = (f"read_parquet({literal(str(folder / f'{table}.parquet'))})" for table in ("desired", "ledger"))
    began = time.perf_counter(), time.process_time()
    found = engine.value(
        f"SELECT count(*) FROM (SELECT * FROM {desired} AS d ANTI JOIN (SELECT key, accepted_hash AS hash FROM {ledger}) USING (key, hash))"
    )
    took = time.perf_counter() - began[0], time.process_time() - began[1]
    engine.close()
    assert found == keys // CHANGED
    return took


def alone(work: object, *arguments: object) -> int:
    """Do a piece of work in a process of its own, so that its peak memory is its own."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments)  # type: ignore[arg-type]
    process.start()
    process.join()
    return process.exitcode or 0


def main() -> int:
    """Measure every size; 1 if any was not good enough."""
    sizes = [int(text) for text in sys.argv[1:]] or [1_000_000, 10_000_000]
    codes = []
    for keys in sizes:
        with tempfile.TemporaryDirectory(prefix="push-plan-") as name:
            folder = Path(name)
            alone(prepare, folder, keys)
            alone(copy_ledger, folder)
            codes.append(alone(plan, folder, keys))
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
