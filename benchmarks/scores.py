"""Scoring by rules: RFM against the bare group-by, a full run, and a run after some customers changed.

    python benchmarks/scores.py --customers 1000000 --orders 20000000

Prints what it checks and fails when it does not hold: RFM at most 1.3 times the bare group-by of DuckDB over the same orders and
at most 1 GiB; a second run after one customer in a hundred changed within 10 s, whatever a full run takes. The targets are meant
for 1 M customers and 20 M orders on two quiet cores; small runs show only that the way through is right.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from hub.context import Hub, open_hub
from hub.hookspecs import hookimpl
from hub.pipeline.score import score
from hub.plugins import Plugins, load_plugins
from plugins.retail.member import Member
from plugins.retail.rfm import rfm_alone
from plugins.retail.rules import RuleSet
from plugins.retail.scorer import Retail
from plugins.retail.taste import Taste

NOW = dt.datetime(2026, 4, 1, 6, tzinfo=ZoneInfo("Asia/Shanghai"))
TODAY = "DATE '2026-04-01'"
BARE = """SELECT customer_id, max(business_date) AS last, count(DISTINCT business_date) AS days, sum(net_amount) AS net
           FROM orders GROUP BY customer_id"""
CONFIG = """
[hub]
memory_limit = "3GB"
[scores.retail]
trade = "tea"
"""


class Rules:
    """The scorers that need no model."""

    @hookimpl
    def register_scorers(self) -> list[type]:
        """Offer the scorers that need no model."""
        return [Retail, Taste, Member]


def plugins() -> Plugins:
    found = load_plugins([])
    found.manager.register(Rules(), name="rules")
    return found


def orders_sql(customers: int, orders: int) -> str:
    """Orders with a few heavy and many light buyers, ids of 24 characters, two years of days."""
    return f"""
        SELECT 'c' || lpad(CAST(floor(pow((hash(n) % 1000003) / 1000003.0, 1.7) * {customers}) AS VARCHAR), 23, '0') AS customer_id,
               {TODAY} - CAST(1 + hash(n * 7) % 729 AS INTEGER) AS business_date,
               CAST(8 + hash(n * 13) % 60 AS DECIMAL(18,4)) AS net_amount, 'sale' AS kind, n
        FROM range({orders}) AS r(n)"""


def measured(work: Callable[[], object], times: int = 3) -> float:
    """Best wall seconds of a few runs."""
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def rfm_part(customers: int, orders: int, file: Path, which: str) -> None:
    """Run in a process of its own: the peak is of this alone."""
    connection = duckdb.connect(config={"memory_limit": "1GB", "threads": 2, "preserve_insertion_order": False})
    if which == "make":
        connection.execute(f"COPY ({orders_sql(customers, orders)}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")
        return
    connection.execute(f"CREATE VIEW orders AS FROM read_parquet('{file}')")
    sql = BARE if which == "bare" else rfm_alone(RuleSet(trade="tea").rfm, TODAY)
    seconds = measured(lambda: connection.execute(f"CREATE OR REPLACE TABLE found AS {sql}"))
    print(f"{seconds} {peak_mib()}")


def fill(hub: Hub, customers: int, orders: int) -> None:
    """Put the orders into the warehouse as if a till had been read."""
    with hub.warehouse() as engine:
        engine.execute(
            f"""INSERT INTO orders BY NAME SELECT 'till' AS connection, 'orders' AS stream, CAST(n AS VARCHAR) AS source_id,
                customer_id, business_date, timezone('Asia/Shanghai', business_date + INTERVAL '12 hours') AS ordered_at,
                net_amount AS total_amount, 0 AS freight_amount, 0 AS refunded_amount, 0 AS discount_amount, kind,
                'paid' AS status, 'store' AS channel, 'S' || (n % 50) AS store_id, false AS deleted, hash(n) AS row_hash,
                []::VARCHAR[] AS coupons, []::VARCHAR[] AS flags FROM ({orders_sql(customers, orders)})"""
        )
        engine.execute(
            """INSERT INTO links BY NAME SELECT DISTINCT 'till:' || customer_id AS profile, 'till' AS connection,
               customer_id AS source_id, customer_id FROM orders"""
        )
        engine.execute("INSERT INTO customers BY NAME SELECT DISTINCT customer_id FROM links")


def change(hub: Hub, customers: int) -> None:
    """One more order yesterday for as many customers."""
    with hub.warehouse() as engine:
        engine.execute(
            f"""INSERT INTO orders BY NAME SELECT * REPLACE ('more-' || source_id AS source_id, {TODAY} - 1 AS business_date,
                hash(source_id) AS row_hash) FROM (SELECT DISTINCT ON (customer_id) * FROM orders
                WHERE hash(customer_id) % 7 < 3) LIMIT {customers}"""
        )


def scoring_part(customers: int, orders: int) -> list[tuple[str, bool]]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "hub.toml").write_text(CONFIG, encoding="utf-8")
        with open_hub(Path(folder) / "hub.toml", plugins=plugins(), now=lambda: NOW) as hub:
            fill(hub, customers, orders)
            began = time.perf_counter()
            full = score(hub, NOW)
            full_seconds = time.perf_counter() - began
            few = max(customers // 100, 1)
            change(hub, few)
            began = time.perf_counter()
            again = score(hub, NOW)
            seconds = time.perf_counter() - began
    print(f"full run: {full.scored:,} customers in {full_seconds:.1f} s, peak {peak_mib():,.0f} MiB")
    print(f"after {few:,} changed: {again.scored:,} scored, {again.changed:,} written, in {seconds:.1f} s")
    return [
        ("only the changed customers are scored", again.scored == few),
        (f"re-score within 10 s: {seconds:.1f} s", seconds <= 10),
        (f"full run within 180 s and 4 GiB: {full_seconds:.0f} s", full_seconds <= 180 and peak_mib() <= 4096),
    ]


def compare(customers: int, orders: int) -> list[tuple[str, bool]]:
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for which in ("make", "bare", "rfm"):
            command = [
                sys.executable,
                __file__,
                "--customers",
                str(customers),
                "--orders",
                str(orders),
                "--part",
                which,
            ]
            done = subprocess.run(
                [*command, "--file", f"{folder}/orders.parquet"], check=True, capture_output=True, text=True
            )
            found[which] = [float(value) for value in done.stdout.split()]
    (bare, bare_mib), (rfm, rfm_mib) = found["bare"], found["rfm"]
    print(f"bare group-by {bare:.2f} s, {bare_mib:,.0f} MiB; RFM with scores {rfm:.2f} s, {rfm_mib:,.0f} MiB")
    return [
        (f"RFM / bare = {rfm / bare:.2f} ≤ 1.3", rfm <= 1.3 * bare),
        (f"RFM peak {rfm_mib:,.0f} ≤ 1024 MiB", rfm_mib <= 1024),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--orders", type=int, default=20_000_000)
    parser.add_argument("--part", choices=("make", "bare", "rfm"), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        rfm_part(given.customers, given.orders, given.file, given.part)
        return 0
    checks = compare(given.customers, given.orders) + scoring_part(given.customers, given.orders)
    for what, holds in checks:
        print(f"{'holds' if holds else 'FAILS'}: {what}")
    return 0 if all(holds for _, holds in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
