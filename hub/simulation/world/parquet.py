"""Worlds as Parquet files, block by block, so that memory does not grow with the population."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from itertools import starmap
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from hub.simulation.world.moment import BlockMoment
from hub.simulation.world.platforms import PLATFORMS
from hub.simulation.world.schemas import CHAIN_TABLES, TABLES_OF
from hub.simulation.world.view import block_table
from hub.simulation.world.world import World, WorldState

__all__ = ["ORDER_TABLES", "write_parquet"]

#: The tables that hold the sales: enough to measure scores, without browsing, messages and ledgers.
ORDER_TABLES: Final = frozenset({"members", "orders", "order_lines", "tenders", "refunds"})
_EVERYTHING: Final = frozenset(CHAIN_TABLES).union(*TABLES_OF.values())


def write_parquet(
    state: WorldState, folder: Path, *, tables: Collection[str] = _EVERYTHING, workers: int = 1
) -> dict[str, int]:
    """Write the platforms' tables to ``folder/<platform>/<table>/`` and the chain's to ``folder/chain/<table>/``.

    Each table is a folder with one file per block of 50 000 people, which Parquet readers take as one table. The bytes
    do not depend on ``workers``.

    Args:
        state: the world as of a moment.
        folder: made if missing; files of the same name are replaced.
        tables: names of the tables to write.
        workers: processes that write blocks side by side; each needs about a gigabyte for two years of orders. A script
            that asks for more than one needs the usual ``if __name__ == "__main__":``.

    Returns:
        Rows written per table, by ``<platform>/<table>``.

    Raises:
        KeyError: a name in ``tables`` is not a table.
    """
    if unknown := set(tables) - _EVERYTHING:
        raise KeyError(f"no table {', '.join(sorted(unknown))}; there are {', '.join(sorted(_EVERYTHING))}")
    rows: Counter[str] = Counter()
    for name in CHAIN_TABLES:
        if name in tables:
            rows[f"chain/{name}"] += _write(folder, "chain", name, 0, state.view("pos").table(name))
    jobs = [
        (state.world, state.moment, block, folder, frozenset(tables)) for block in range(state.world.setting.blocks)
    ]
    if workers == 1:
        written = list(starmap(_write_block, jobs))
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            written = list(pool.map(_write_block, *zip(*jobs, strict=True)))
    for part in written:
        rows.update(part)
    return dict(rows)


def _write_block(world: World, moment: datetime, block: int, folder: Path, tables: frozenset[str]) -> dict[str, int]:
    """Write one block's part of every table; returns the rows of each."""
    people = BlockMoment(world.history(block), world.setting.seconds(moment))
    rows = {}
    for platform in PLATFORMS:
        for name in TABLES_OF[platform.code]:
            if name in tables:
                rows[f"{platform.code}/{name}"] = _write(
                    folder, platform.code, name, block, block_table(people, platform, name)
                )
    people.shared.clear()  # it refers back to the moment, and a block should be freed at once, not some time
    return rows


def _write(folder: Path, platform: str, name: str, block: int, table: pa.Table) -> int:
    place = folder / platform / name
    place.mkdir(parents=True, exist_ok=True)
    words = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    pq.write_table(table, place / f"block-{block:05d}.parquet", compression="zstd", use_dictionary=words)
    return len(table)
