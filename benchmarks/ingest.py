"""How fast files and records come in, as ratios to named references run on the same file on the same machine.

    python benchmarks/ingest.py [--file lines.csv[.gz]] [--lines 541909] [--times 10] [--without-dlt]

Bulk path: a file of sales lines to packages to fact tables, against bare DuckDB (``read_csv`` into a table, which maps, checks
and keeps nothing) and against dlt's default path into DuckDB. Record path: JSON pages through a source plugin's mapping into
sealed packages, against pydantic alone on the same pages.
Every measurement runs in a process of its own, so that peak memory is its own.

Without ``--file`` sales lines of the same shape as the UCI Online Retail file are made up.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import multiprocessing
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HEADER = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
TARGETS = {
    "bulk / bare DuckDB": "<= 4",
    "dlt / bulk": ">= 10",
    "memory, 10 x the lines": "flat",
    "records/s": ">= 50 000",
}


PAGE = 1_000
"""Rows of one JSON page."""


class Clock:
    """Time by the clock on the wall and by the processor; the second says more on a machine that has other work."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def told(self) -> dict[str, Any]:
        """Return the seconds since the clock was made."""
        return {"seconds": time.perf_counter() - self._wall, "cpu": time.process_time() - self._cpu}


def make_lines(path: Path, lines: int) -> None:
    """Write made-up sales lines: about 21 lines a ticket, a quarter of the tickets anonymous, a fifth returns."""
    rng = np.random.default_rng(7)
    ticket = np.sort(rng.integers(0, max(lines // 21, 1), lines))
    back = rng.random(ticket.max() + 1) < 0.2
    anonymous = rng.random(ticket.max() + 1) < 0.25
    customer = rng.integers(12_346, 16_718, ticket.max() + 1)
    stock = rng.integers(10_000, 14_000, lines)
    quantity = rng.integers(1, 25, lines)
    price = rng.integers(10, 2_000, lines) / 100
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for row in range(lines):
            number = int(ticket[row])
            minute = number % 600
            writer.writerow(
                [
                    f"{'C' if back[number] else ''}{536_365 + number}",
                    int(stock[row]),
                    f"ARTICLE {stock[row]}",
                    -int(quantity[row]) if back[number] else int(quantity[row]),
                    f"2011-{1 + number % 12:02d}-{1 + number % 28:02d} {8 + minute // 60:02d}:{minute % 60:02d}:00",
                    price[row],
                    "" if anonymous[number] else int(customer[number]),
                    "United Kingdom",
                ]
            )


def repeat(source: Path, target: Path, times: int) -> None:
    """Write the file's lines several times over, each time with ticket numbers of their own."""
    opener = gzip.open if source.suffix == ".gz" else open
    with opener(source, "rt", encoding="utf-8") as file, target.open("w", encoding="utf-8", newline="") as out:
        out.write(file.readline())
        lines = file.readlines()
        for turn in range(times):
            out.writelines(lines if turn == 0 else (_renumbered(line, turn) for line in lines))


def _renumbered(line: str, turn: int) -> str:
    number, comma, rest = line.partition(",")
    return f"{number}-{turn}{comma}{rest}"


def bare_duckdb(path: Path, folder: Path) -> dict[str, Any]:
    """Read the file into a table, and nothing else."""
    import duckdb

    connection = duckdb.connect(str(folder / "bare.duckdb"), config={"memory_limit": "1GB"})
    clock = Clock()
    connection.execute("CREATE TABLE lines AS FROM read_csv(?)", [str(path)])
    return clock.told() | {"rows": connection.execute("SELECT count(*) FROM lines").fetchall()[0][0]}


def hub_bulk(path: Path, folder: Path) -> dict[str, Any]:
    """Read, check, map, seal, and merge the file with the hub."""
    from hub.context import open_hub
    from hub.pipeline.ingest import ingest

    config = folder / "hub.toml"
    config.write_text(
        f'[connections.till]\nplugin = "files"\nurl = "{path}"\nmapping = "uci_online_retail"\nsettle_seconds = 0\n'
    )
    with open_hub(config) as hub:
        clock = Clock()
        report = ingest(hub)
        told = clock.told()
        assert not report.failed, report.failed
        with hub.warehouse() as engine:
            return told | {"rows": engine.value("SELECT count(*) FROM orders_lines")}


def dlt_default(path: Path, folder: Path) -> dict[str, Any]:
    """Read the file row by row and load it with dlt's defaults."""
    import dlt

    def lines() -> Any:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)

    pipeline = dlt.pipeline(
        "bench", pipelines_dir=str(folder / "dlt"), destination=dlt.destinations.duckdb(str(folder / "dlt.duckdb"))
    )
    clock = Clock()
    pipeline.run(lines(), table_name="lines")
    told = clock.told()
    with pipeline.sql_client() as client:
        return told | {"rows": client.execute_sql("SELECT count(*) FROM lines")[0][0]}


def hub_records(records: int, folder: Path) -> dict[str, Any]:
    """Read JSON pages of profiles through a source plugin into sealed packages, just as any platform's are read."""
    from hub.context import open_hub
    from hub.pipeline.ingest import read_connections

    config = folder / "hub.toml"
    config.write_text('[connections.club]\nplugin = "club"\n')
    bodies = [json.dumps([_profile(first + n) for n in range(PAGE)]).encode() for first in range(0, 20_000, PAGE)]
    with open_hub(config, plugins=_club(bodies, records)) as hub:
        clock = Clock()
        [report] = read_connections(hub)
        assert report.records == records, report
        return clock.told() | {"rows": records}


def _club(bodies: list[bytes], records: int) -> Any:
    """Return plugins that hold one source, whose platform answers with the bodies in turn."""
    import orjson

    from hub.hookspecs import hookimpl
    from hub.plugins import load_plugins
    from hub.records import Customer, Identifier
    from hub.source import ConnectionConfig, Page, Source, Stream
    from hub.titles import Title

    def to_customer(row: dict[str, Any]) -> Customer:
        identifiers = tuple(
            Identifier(kind=one["kind"], value=one["value"], scope=one["scope"], assurance=one["assurance"])
            for one in row["identifiers"]
        )
        return Customer(
            source_id=row["source_id"],
            updated_at=row["updated_at"],
            name=row["name"],
            gender=row["gender"],
            city=row["city"],
            level=row["level"],
            points=row["points"],
            registered_at=row["registered_at"],
            identifiers=identifiers,
        )

    class Club(Source):
        name, title, Config = "club", Title("会员", "Club"), ConnectionConfig

        def check(self) -> list[Any]:
            return []

        def streams(self) -> list[Stream]:
            return [Stream("members", Customer, self.members)]

        def members(self, state: Any) -> Any:
            for number in range(int(state.get("page", 0)), records // PAGE):
                rows = orjson.loads(bodies[number % len(bodies)])
                yield Page.of(rows, to_customer, cursor={"page": number + 1}, location="/members")

    class Module:
        @hookimpl
        def register_sources(self) -> list[type[Source]]:
            return [Club]

    plugins = load_plugins([])
    plugins.manager.register(Module(), name="club")
    return plugins


def pydantic_alone(records: int, _folder: Path) -> dict[str, Any]:
    """Validate the same pages with pydantic and keep nothing."""
    from pydantic import TypeAdapter

    from hub.records import Customer

    body = json.dumps([_profile(n) for n in range(PAGE)]).encode()
    adapter = TypeAdapter(list[Customer])
    clock = Clock()
    for _ in range(records // PAGE):
        adapter.validate_json(body)
    return clock.told() | {"rows": records}


def _profile(number: int) -> dict[str, Any]:
    return {
        "source_id": str(number),
        "updated_at": "2026-03-01T12:00:00+08:00",
        "name": "张三",
        "gender": "male",
        "city": "上海市",
        "level": "gold",
        "points": "1250",
        "registered_at": "2024-05-17T09:30:00+08:00",
        "identifiers": [
            {"kind": "phone", "value": f"154{number:08d}", "scope": "", "assurance": "authorised"},
            {"kind": "unionid", "value": f"o{number:027d}", "scope": "brand", "assurance": "issued"},
        ],
    }


def _child(pipe: Any, work: Callable[..., dict[str, Any]], argument: Any) -> None:
    folder = Path(tempfile.mkdtemp(prefix="hub-bench-"))
    try:
        result = work(argument, folder)
        result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        pipe.send(result)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(work: Callable[..., dict[str, Any]], argument: Any, runs: int = 1) -> dict[str, Any]:
    """Run a measurement in fresh processes; return the fastest."""
    context = multiprocessing.get_context("spawn")
    results = []
    for _ in range(runs):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(sender, work, argument))
        process.start()
        sender.close()
        results.append(receiver.recv())
        process.join()
    return min(results, key=lambda result: result["seconds"])


def show(name: str, result: dict[str, Any]) -> None:
    rate = result["rows"] / result["seconds"]
    print(
        f"{name:<34}{result['rows']:>10,} rows {result['seconds']:>8.2f} s {result['cpu']:>8.2f} s of CPU "
        f"{rate:>12,.0f} rows/s {result['peak_mb']:>7,.0f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, help="sales lines in the UCI Online Retail format")
    parser.add_argument("--lines", type=int, default=541_909, help="lines to make up when no file is given")
    parser.add_argument("--times", type=int, default=10, help="how many times longer the long file is")
    parser.add_argument("--runs", type=int, default=3, help="runs of each fast measurement; the fastest counts")
    parser.add_argument("--without-dlt", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as name:
        folder = Path(name)
        source = given.file
        if source is None:
            source = folder / "made.csv"
            make_lines(source, given.lines)
        short, long = folder / "short.csv", folder / "long.csv"
        repeat(source, short, 1)
        repeat(source, long, given.times)
        compare(short, long, given)


def compare(short: Path, long: Path, given: argparse.Namespace) -> None:
    bare, bulk = measure(bare_duckdb, short, given.runs), measure(hub_bulk, short, given.runs)
    show("bare DuckDB read_csv -> table", bare)
    show("hub ingest, bulk path", bulk)
    print(f"  bulk / bare DuckDB = {_ratio(bulk, bare)}  (aim {TARGETS['bulk / bare DuckDB']})")
    if not given.without_dlt:
        dlt = measure(dlt_default, short)
        show("dlt, default path", dlt)
        print(f"  dlt / bulk = {dlt['seconds'] / bulk['seconds']:.1f}  (aim {TARGETS['dlt / bulk']})")
    bare_long, bulk_long = measure(bare_duckdb, long), measure(hub_bulk, long)
    show(f"bare DuckDB, {given.times} x the lines", bare_long)
    show(f"hub ingest, {given.times} x the lines", bulk_long)
    print(f"  bulk / bare DuckDB = {_ratio(bulk_long, bare_long)}  (aim {TARGETS['bulk / bare DuckDB']})")
    print(
        f"  memory: {bulk['peak_mb']:,.0f} MB -> {bulk_long['peak_mb']:,.0f} MB  (aim {TARGETS['memory, 10 x the lines']})"
    )
    alone, records = measure(pydantic_alone, 200_000, given.runs), measure(hub_records, 200_000, given.runs)
    show("pydantic alone", alone)
    show("record path, JSON -> sealed package", records)
    print(
        f"  records/s = {records['rows'] / records['seconds']:,.0f}, per second of CPU {records['rows'] / records['cpu']:,.0f}  "
        f"(aim {TARGETS['records/s']})"
    )
    print(f"  record path / pydantic alone = {_ratio(records, alone)}")


def _ratio(ours: dict[str, Any], reference: dict[str, Any]) -> str:
    return f"{ours['seconds'] / reference['seconds']:.2f}, of CPU time {ours['cpu'] / reference['cpu']:.2f}"


if __name__ == "__main__":
    main()
