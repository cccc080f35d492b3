"""How long the files source takes to turn a CSV file into canonical Parquet, as a ratio to bare DuckDB.

The reference is ``CREATE TABLE … AS FROM read_csv(file)`` in the same process. Give a file and its mapping::

    python benchmarks/files_reading.py online-retail.csv uci_online_retail --copies 10
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from hub.runtime import Runtime
from plugins.files.config import FilesConfig
from plugins.files.mapping.loading import load_profile
from plugins.files.reading.convert import convert, stage_file
from plugins.files.reading.listing import Folder
from plugins.files.reading.settings import Settings


def multiplied(source: Path, copies: int, target: Path) -> Path:
    """Write a file with the source's lines several times; every copy's ticket numbers get a prefix of their own."""
    with source.open("rb") as stream, target.open("wb") as out:
        out.write(stream.readline())
        start = stream.tell()
        for copy in range(copies):
            stream.seek(start)
            prefix = f"{copy}-".encode() if copies > 1 else b""
            out.writelines(prefix + line for line in stream)
    return target


def bare(path: Path) -> None:
    """Read the file into a table."""
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE bare AS FROM read_csv('{path}')")


def ours(path: Path, mapping: str, memory: str | None, scratch: Path) -> None:
    """Stage and convert the file."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    runtime = Runtime(connection="bench", scratch=scratch)
    config = FilesConfig(url=str(path), mapping=mapping, settle_seconds=0, memory=memory)
    settings = Settings.of(config, load_profile(mapping, runtime), runtime)
    folder = Folder(config, runtime)
    (found,) = folder.list().ready
    converted = convert(found, stage_file(found, folder.fs, settings, scratch), settings, scratch / "tables")
    if not converted.tables:
        raise SystemExit(f"nothing was converted: {converted.notes or converted.rejects[:3]}")


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds some work takes: by the clock, and of all processors together."""
    clock, processors = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("mapping")
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--memory", default=None)
    parser.add_argument("--only-ours", action="store_true", help="without the reference, to see the peak of memory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = multiplied(options.file, options.copies, Path(folder) / "drop.csv")
        scratch = Path(folder) / "scratch"
        runs = [timed(lambda: ours(path, options.mapping, options.memory, scratch)) for _ in range(options.runs)]
        _report("files source", runs, path)
        if options.only_ours:
            print(f"peak of resident memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:,.0f} MB")
            return
        references = [timed(lambda: bare(path)) for _ in range(options.runs)]
        _report("bare read_csv", references, path)
        for name, place in (("clock", 0), ("processors", 1)):
            print(f"ratio by {name}: {min(run[place] for run in runs) / min(run[place] for run in references):.2f}")


def _report(name: str, runs: list[tuple[float, float]], path: Path) -> None:
    clock, processors = (min(run[place] for run in runs) for place in (0, 1))
    print(f"{name}: {clock:.2f} s, {processors:.2f} s of processors, for {path.stat().st_size / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
