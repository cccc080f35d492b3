"""Read a till's whole history from its database, and compare with a bare read of the same tables.

    python benchmarks/pos_database.py [--lines 5000000] [--server postgresql|sqlite] [--ratio 3] [--memory 900] [--only-read]

Makes the tables in a throw-away database. The reference reads every column of lines, tickets and payments with ADBC into Arrow batches and
keeps nothing of them; then ``pos.database`` reads the same down to canonical tables, in the same process; then the reference once more. Then
a hub ingests it: read, sealed packages, loaded warehouse. Each says seconds by the clock and of all processors of this process (a server's
own are not counted). Fails when the ratio of the read, or the memory of the read, does not hold. Needs ``customer-hub[databases]``.
"""

from __future__ import annotations

import argparse
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi
import adbc_driver_sqlite.dbapi
import pyarrow.compute as pc
import sqlalchemy as sa

from hub.airflow.private_postgres import PrivatePostgres
from hub.context import open_hub
from hub.pipeline.ingest import ingest
from hub.runtime import Runtime
from plugins.pos.database.source import DatabaseSource

LINES_PER_TICKET = 4
QUERIES = {
    "lines": "SELECT id, line_id, product_id, quantity, unit_price, discount_amount FROM lines",
    "tickets": "SELECT id, ordered_at, store_id, card_no FROM tickets",
    "tenders": "SELECT id, method, amount FROM tenders",
}
MAKE_POSTGRES = """
CREATE TABLE tickets AS SELECT n AS id, TIMESTAMP '2025-01-01' + n * INTERVAL '20 seconds' AS ordered_at,
  'S' || n % 50 AS store_id, CASE WHEN n % 3 = 0 THEN (80000000 + n % 100000)::TEXT END AS card_no FROM generate_series(1, {tickets}) n;
CREATE TABLE lines AS SELECT t.n AS id, l AS line_id, 'P' || (t.n * 7 + l) % 5000 AS product_id, (1 + l % 2)::NUMERIC(12,3) AS quantity,
  (5 + (t.n + l) % 40)::NUMERIC(12,2) AS unit_price, (CASE WHEN t.n % 10 = 0 THEN 1 ELSE 0 END)::NUMERIC(12,2) AS discount_amount
  FROM generate_series(1, {tickets}) AS t(n), generate_series(1, 4) l ORDER BY t.n, l;
CREATE TABLE tenders AS SELECT id, CASE WHEN id % 2 = 0 THEN 'cash' ELSE 'wechat' END AS method,
  sum(quantity * unit_price - discount_amount)::NUMERIC(12,2) AS amount FROM lines GROUP BY id;
ALTER TABLE tickets ADD PRIMARY KEY (id); CREATE INDEX ON lines (id); CREATE INDEX ON tenders (id); ANALYZE;
"""


def make_sqlite(folder: Path, tickets: int) -> str:
    path = folder / "till.db"
    with sqlite3.connect(path) as database:
        database.executescript("""
            CREATE TABLE tickets (id INTEGER PRIMARY KEY, ordered_at TEXT, store_id TEXT, card_no TEXT);
            CREATE TABLE lines (id INTEGER, line_id INTEGER, product_id TEXT, quantity REAL, unit_price REAL, discount_amount REAL);
            CREATE TABLE tenders (id INTEGER, method TEXT, amount REAL);""")
        count = f"WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {tickets})"
        database.execute(f"""INSERT INTO tickets {count} SELECT n, datetime('2025-01-01', (n * 20) || ' seconds'), 'S' || (n % 50),
            CASE WHEN n % 3 = 0 THEN CAST(80000000 + (n % 100000) AS TEXT) END FROM n""")
        database.execute("""INSERT INTO lines SELECT t.id, l.l, 'P' || ((t.id * 7 + l.l) % 5000), 1 + l.l % 2, 5 + (t.id + l.l) % 40,
            CASE WHEN t.id % 10 = 0 THEN 1 ELSE 0 END FROM tickets t, (SELECT 1 l UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4) l ORDER BY t.id, l.l""")
        database.execute("""INSERT INTO tenders SELECT id, CASE WHEN id % 2 = 0 THEN 'cash' ELSE 'wechat' END,
            sum(quantity * unit_price - discount_amount) FROM lines GROUP BY id""")
        database.executescript("CREATE INDEX l ON lines (id); CREATE INDEX p ON tenders (id);")
    return f"sqlite:///{path}"


class Server:
    """A private PostgreSQL."""

    def __init__(self) -> None:
        if PrivatePostgres.programs() is None:
            raise SystemExit("no PostgreSQL server is installed; use --server sqlite")
        self.server = PrivatePostgres()

    def make(self, tickets: int) -> str:
        """Start it and make the tables; its address."""
        url = sa.make_url(self.server.start()).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            for statement in MAKE_POSTGRES.format(tickets=tickets).split(";"):
                if statement.strip():
                    connection.execute(sa.text(statement))
        engine.dispose()
        return url.set(drivername="postgresql").render_as_string(hide_password=False)


def bare(url: str) -> int:
    """Read every row of the three tables into Arrow batches; how many there were."""
    if url.startswith("sqlite"):
        connection = adbc_driver_sqlite.dbapi.connect(f"file:{url.removeprefix('sqlite:///')}?mode=ro")
    else:
        connection = adbc_driver_postgresql.dbapi.connect(url)
    rows = 0
    with connection:
        for query in QUERIES.values():
            with connection.cursor() as cursor:
                if url.startswith("sqlite"):
                    cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": "65536"})
                cursor.execute(query)
                rows += sum(batch.num_rows for batch in cursor.fetch_record_batch())
    return rows


def settings(url: str) -> dict[str, Any]:
    return {
        "url": url,
        "mapping": {"orders": {**QUERIES, "cursor": "id"}},
        "page_tickets": 50_000,
        "fetch_rows": 50_000,
    }


def ours(url: str, folder: Path) -> int:
    """Read down to canonical tables; how many lines there were."""
    source = DatabaseSource(
        DatabaseSource.Config.model_validate(settings(url)), Runtime(connection="till", scratch=folder)
    )
    lines = 0
    for page in source.read_tickets({}):
        if page.tables:
            lines += page.tables["orders_lines"].num_rows
            flags = pc.sum(pc.list_value_length(page.tables["orders"]["flags"])).as_py()
            if flags or page.rejects:
                raise SystemExit(f"wrong: {flags} flags, {page.rejects[:3]}")
    source.close()
    return lines


def whole(url: str, folder: Path) -> int:
    """Ingest with a hub: read, seal, load; how many rows were written."""
    given = settings(url)
    lines = [f'{name} = """{sql}"""' for name, sql in given["mapping"]["orders"].items()]
    (folder / "hub.toml").write_text(
        f'[connections.till]\nplugin = "pos.database"\nurl = "{url}"\npage_tickets = {given["page_tickets"]}\n'
        "[connections.till.mapping.orders]\n" + "\n".join(lines)
    )  # fmt: skip
    with open_hub(folder / "hub.toml") as hub:
        report = ingest(hub)
        if report.failed or report.load_error:
            raise SystemExit(f"ingest failed: {report}")
        with hub.warehouse() as engine:
            return int(next(iter(engine.rows("SELECT count(*) FROM orders_lines")))[0])


def timed(name: str, work: Any, *given: Any) -> tuple[int, float, float]:
    """What some work gave, its seconds by the clock, and those of all processors of this process."""
    clock, processors = time.perf_counter(), time.process_time()
    found = work(*given)
    seconds, busy = time.perf_counter() - clock, time.process_time() - processors
    print(f"  {name}: {seconds:.1f} s by the clock, {busy:.1f} s of processors, peak so far {peak()} MB", flush=True)
    return found, seconds, busy


def peak() -> int:
    """The most memory this process has held, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measured(url: str, folder: Path, wanted: int, *, ingested: bool) -> Iterator[float]:
    """Yield memory, and the ratios to the reference of the read and of the whole ingest, each by the clock and by processors."""
    first = timed("bare ADBC", bare, url)
    read = timed("pos.database, read", ours, url, folder)
    held = peak()
    second = timed("bare ADBC", bare, url)
    if read[0] != wanted:
        raise SystemExit(f"{wanted} lines were made, {read[0]} read")
    yield held
    yield from (2 * read[place] / (first[place] + second[place]) for place in (1, 2))
    if ingested:
        stored = timed("pos.database, ingest with sealing and loading", whole, url, folder)
        if stored[0] != wanted:
            raise SystemExit(f"{wanted} lines were made, {stored[0]} loaded")
        yield from (2 * stored[place] / (first[place] + second[place]) for place in (1, 2))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=5_000_000)
    parser.add_argument("--server", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--ratio", type=float, default=3.0)
    parser.add_argument("--memory", type=int, default=900, help="MB of this process at most")
    parser.add_argument("--only-read", action="store_true", help="without the whole ingest")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pos-database-") as place:
        folder = Path(place)
        server = Server() if options.server == "postgresql" else None
        tickets = options.lines // LINES_PER_TICKET
        try:
            url = server.make(tickets) if server else make_sqlite(folder, tickets)
            ingested = not options.only_read
            held, clock, busy, *stored = measured(url, folder, tickets * LINES_PER_TICKET, ingested=ingested)
        finally:
            if server:
                server.server.stop()
    told = f"; whole ingest {stored[0]:.2f} ({stored[1]:.2f})" if stored else ""
    print(
        f"{options.server}, {tickets * LINES_PER_TICKET:,} lines: read {clock:.2f} times bare ADBC by the clock ({busy:.2f} by processors), "
        f"peak {held:.0f} MB{told}"
    )
    return 0 if clock <= options.ratio and held <= options.memory else 1


if __name__ == "__main__":
    sys.exit(main())
