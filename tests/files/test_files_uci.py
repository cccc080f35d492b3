"""Real data: UCI Online Retail (D. Chen, CC BY 4.0). An excerpt is shipped; the whole file is read where HUB_UCI_FILE names it."""

from __future__ import annotations

import csv
import os
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from files_rig import Drops

from hub.source import Page

EXCERPT = Path(__file__).parents[2] / "examples" / "uci" / "online_retail_excerpt.csv"
WHOLE = os.environ.get("HUB_UCI_FILE")
"""Read when the tests are collected: the test itself sees no setting of whoever runs it."""


def test_the_excerpt_comes_out_as_counting_its_rows_says(drops: Drops) -> None:
    with EXCERPT.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    drops.write(EXCERPT.name, EXCERPT.read_bytes())
    orders = list(drops.read("uci_online_retail").records.values())
    lines = [line for order in orders for line in order.lines]  # type: ignore[attr-defined]
    assert len(lines) == len(rows)
    assert {order.source_id for order in orders} == {row["InvoiceNo"] for row in rows}
    assert {o.source_id for o in orders if o.kind == "refund"} == {
        r["InvoiceNo"] for r in rows if int(r["Quantity"]) < 0
    }  # type: ignore[attr-defined]
    assert {o.customer_id for o in orders} - {None} == {r["CustomerID"] for r in rows} - {""}  # type: ignore[attr-defined]
    assert sum(line.net_amount for line in lines) == sum(Decimal(r["Quantity"]) * Decimal(r["UnitPrice"]) for r in rows)


@pytest.mark.skipif(WHOLE is None, reason="HUB_UCI_FILE names no copy of the whole file")
def test_the_whole_file_has_the_counts_its_publisher_gives(drops: Drops) -> None:
    assert WHOLE is not None
    source = drops.source("uci_online_retail", url=WHOLE, settle_seconds=0)
    (page,) = source.read({})
    assert page.rejects == ()
    assert counts(page) == {
        "lines": 541_909, "tickets": 25_377, "returns": 4_962, "customers": 4_372, "anonymous_lines": 135_080,
        "net_sales": Decimal("9747747.93"), "not_positive_prices": 2_517, "negative_prices": 2,
    }  # fmt: skip
    assert page.cursor is not None
    assert list(source.read(page.cursor)) == []


def counts(page: Page) -> dict[str, object]:
    """Count what the file's publisher counts."""
    with duckdb.connect() as connection:
        for name, table in (("orders", "orders"), ("lines", "orders_lines")):
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{page.tables[table]}')")
        result = connection.execute("""
            SELECT (SELECT count(*) FROM lines) AS lines, count(*) AS tickets, count(*) FILTER (kind = 'refund') AS "returns",
              count(DISTINCT customer_id) AS customers,
              (SELECT count(*) FROM lines JOIN orders USING (source_id) WHERE customer_id IS NULL) AS anonymous_lines,
              (SELECT round(sum(net_amount), 2) FROM lines) AS net_sales,
              (SELECT count(*) FROM lines WHERE unit_price <= 0) AS not_positive_prices,
              (SELECT count(*) FROM lines WHERE unit_price < 0) AS negative_prices
            FROM orders""")
        row = result.fetchone()
        assert row is not None
        return dict(zip([column[0] for column in result.description], row, strict=True))
