"""Read a till's whole history from its database, and compare with a bare read of the same tables.

    python benchmarks/pos_database.py [--lines 5000000] [--server postgresql|sqlite] [--ratio 3] [--memory 600]

Makes the tables in a throw-away database, reads them with ADBC into Arrow (the bare read: every column of lines, tickets and payments, nothing
else), then with ``pos.database`` down to canonical tables. Fails when the ratio or the memory does not hold. The bare read needs ``pip install adbc-driver-postgresql adbc-driver-sqlite``.
"""

from __future__ import annotations

import argparse
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from hub.airflow.private_postgres import PrivatePostgres
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
  FROM generate_series(1, {tickets}) AS t(n), generate_series(1, 4) l;
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
            CASE WHEN t.id % 10 = 0 THEN 1 ELSE 0 END FROM tickets t, (SELECT 1 l UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4) l""")
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


BARE = """
import sys, time
url, queries = sys.argv[1], sys.argv[2:]
if url.startswith("sqlite"):
    import adbc_driver_sqlite.dbapi as adbc
    connection = adbc.connect("file:" + url.removeprefix("sqlite:///") + "?mode=ro")
else:
    import adbc_driver_postgresql.dbapi as adbc
    connection = adbc.connect(url)
started, rows = time.perf_counter(), 0
for query in queries:
    with connection.cursor() as cursor:
        cursor.execute(query)
        for batch in cursor.fetch_record_batch():
            rows += batch.num_rows
print(time.perf_counter() - started)
"""


def bare(url: str) -> float:
    """Seconds of an ADBC read of the three tables, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", BARE, url, *QUERIES.values()], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def ours(url: str, folder: Path) -> tuple[float, int]:
    """Seconds of our read down to canonical tables, and how many lines there were."""
    mapping = {"orders": {**QUERIES, "cursor": "id"}}
    settings = {"url": url, "mapping": mapping, "page_tickets": 50_000, "fetch_rows": 50_000}
    source = DatabaseSource(DatabaseSource.Config.model_validate(settings), Runtime(connection="till", scratch=folder))
    started, lines = time.perf_counter(), 0
    for page in source.read_tickets({}):
        if page.tables:
            lines += page.tables["orders_lines"].num_rows
            flagged = [flags for flags in page.tables["orders"]["flags"].to_pylist() if flags]
            if flagged or page.rejects:
                raise SystemExit(f"wrong: {flagged[:3]} {page.rejects[:3]}")
    source.close()
    return time.perf_counter() - started, lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=5_000_000)
    parser.add_argument("--server", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--ratio", type=float, default=3.0)
    parser.add_argument("--memory", type=int, default=900, help="MB of this process at most")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pos-database-") as place:
        folder = Path(place)
        server = Server() if options.server == "postgresql" else None
        tickets = options.lines // LINES_PER_TICKET
        try:
            url = server.make(tickets) if server else make_sqlite(folder, tickets)
            reference = bare(url)
            seconds, lines = ours(url, folder)
        finally:
            if server:
                server.server.stop()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    ratio = seconds / reference
    print(
        f"{options.server}: {lines:,} lines, bare ADBC {reference:.1f} s, pos.database {seconds:.1f} s, ratio {ratio:.2f}, peak {peak} MB"
    )
    return 0 if ratio <= options.ratio and peak <= options.memory and lines == tickets * LINES_PER_TICKET else 1


if __name__ == "__main__":
    sys.exit(main())
