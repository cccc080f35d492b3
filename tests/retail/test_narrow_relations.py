"""What scorers read in bulk: orders, lines and tenders in few columns, of everybody or of the touched customers alone."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from till import TODAY, ZONE, Till, order

from hub.records import OrderLine, Tender
from hub.warehouse.inputs import only_touched, scoring_inputs

LINE = "connection, product_id, barcode, name, category, kind, options, quantity, refunded_quantity, net_amount, cost_amount"


@pytest.fixture
def tea(till: Till) -> Till:
    """Two buyers of tea, each with two lines and two ways to pay, and an order that is void."""
    lines = [
        OrderLine(product_id="P1", name="奶茶", quantity=Decimal(2), net_amount=Decimal(20), options=["少糖"]),
        OrderLine(product_id="P2", name="绿茶", quantity=Decimal(1), net_amount=Decimal(8), cost_amount=Decimal(3)),
    ]
    tenders = [Tender(method="stored_value", amount=Decimal(20)), Tender(method="wechat", amount=Decimal(8))]
    what = {"lines": lines, "tenders": tenders}
    till.take(
        order("1", "anna", "28", **what), order("2", "bo", "28", **what), order("3", "bo", "28", status="void", **what)
    )
    return till


@pytest.mark.parametrize("whom", ["everybody", "the touched"])
@pytest.mark.parametrize(("narrow", "wide", "columns"), [("purchase_lines", "order_lines", LINE), ("purchase_tenders", "order_tenders", "method, amount")])  # fmt: skip
def test_a_narrow_relation_has_the_rows_of_the_wide_one(
    tea: Till, whom: str, narrow: str, wide: str, columns: str
) -> None:
    told = f"SELECT receipt, customer, business_date, {columns} FROM {{}} ORDER BY ALL"
    with scoring_inputs(tea.engine, TODAY, ZONE, dt.time.min, everybody=whom == "everybody"):
        if whom == "the touched":
            tea.engine.execute("CREATE OR REPLACE TEMP TABLE touched AS SELECT 'bo' AS customer_id")
            only_touched(tea.engine)
        few, all_columns = tea.engine.rows(told.format(narrow)), tea.engine.rows(told.format(wide))
    assert few == all_columns
    assert len(few) == (4 if whom == "everybody" else 2)
