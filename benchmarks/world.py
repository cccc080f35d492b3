"""How long it takes to make a world and how much memory, as a ratio to copying the finished files with pyarrow.

    python benchmarks/world.py [--people 1000000] [--days 730] [--profile tea] [--workers 2] [--all-tables]

The reference reads every finished Parquet file and writes it again with the same settings: what a program that only moves
the bytes would need. Seconds of processor time are printed beside wall time, because a busy machine stretches only the
latter. Peak memory is the sum over this process and its workers, looked at twenty times a second.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from hub.simulation.world import CHAIN_TABLES, ORDER_TABLES, TABLES_OF, World, write_parquet

EVERYTHING = frozenset(CHAIN_TABLES).union(*TABLES_OF.values())
MEBIBYTE = 2**20
LOOK_EVERY = 0.05


class MemoryWatch:
    """Remembers the largest sum of resident memory of this process and its children."""

    def __init__(self) -> None:
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        me = psutil.Process()
        while not self._stop.wait(LOOK_EVERY):
            total = 0
            for process in (me, *me.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    total += process.memory_info().rss
            self.peak = max(self.peak, total)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def measured(work: Callable[[], object]) -> tuple[float, float, int]:
    """Wall seconds, processor seconds (children included once they have ended) and peak bytes of ``work``."""
    begin, before = time.perf_counter(), os.times()
    with MemoryWatch() as memory:
        work()
    after = os.times()
    return time.perf_counter() - begin, sum(after[:4]) - sum(before[:4]), memory.peak


def copy(pair: tuple[Path, Path]) -> None:
    """Read one file and write it again."""
    source, target = pair
    table = pq.read_table(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    words = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    pq.write_table(table, target, compression="zstd", use_dictionary=words)


def copy_all(source: Path, target: Path, workers: int) -> None:
    """Read every file below ``source`` and write it again below ``target``."""
    pairs = [(path, target / path.relative_to(source)) for path in sorted(source.rglob("*.parquet"))]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(copy, pairs))


def make(world: World, folder: Path, tables: Collection[str], workers: int) -> dict[str, int]:
    """Make the world's tables; returns the rows of each."""
    return write_parquet(world.now, folder, tables=tables, workers=workers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--profile", default="tea")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--all-tables", action="store_true", help="also ledgers, coupons, messages and browsing")
    options = parser.parse_args()
    world = World.generate(people=options.people, seed=7, days=options.days, profile=options.profile)
    tables = EVERYTHING if options.all_tables else ORDER_TABLES
    rows: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as scratch:
        made, copied = Path(scratch, "made"), Path(scratch, "copied")
        wall, cpu, peak = measured(lambda: rows.update(make(world, made, tables, options.workers)))
        size = sum(path.stat().st_size for path in made.rglob("*.parquet"))
        floor_wall, floor_cpu, _ = measured(lambda: copy_all(made, copied, options.workers))
        shutil.rmtree(copied)
    by_table: dict[str, int] = {}
    for name, count in rows.items():
        table = name.partition("/")[2]
        by_table[table] = by_table.get(table, 0) + count
    print(f"{options.people:,} people, {options.days} days, {options.profile}, {options.workers} processes")
    print(
        "rows        "
        + ", ".join(f"{name} {count:,}" for name, count in sorted(by_table.items(), key=lambda entry: -entry[1]))
    )
    print(
        f"made        {wall:.1f} s wall, {cpu:.1f} s processor, peak {peak / MEBIBYTE:,.0f} MiB, {size / MEBIBYTE:,.0f} MiB of files"
    )
    print(
        f"copied      {floor_wall:.1f} s wall, {floor_cpu:.1f} s processor (pyarrow, the same files read and written)"
    )
    print(f"made/copied {wall / floor_wall:.1f} x wall, {cpu / floor_cpu:.1f} x processor")


if __name__ == "__main__":
    main()
