"""The hour of an order is that of the shop's clock."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from till import TODAY, Till, order

from hub.warehouse.inputs import only_touched, scoring_inputs

QUARTERS = [dt.datetime(2026, 3, day, 15, 7, 31, tzinfo=dt.UTC) + n * dt.timedelta(minutes=15) for day in (7, 29) for n in range(96)]  # fmt: skip


@pytest.mark.parametrize("touched", [False, True])
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Asia/Kathmandu", "America/New_York", "Europe/Berlin"])
def test_the_hour_is_the_local_one_also_off_by_quarters_and_when_clocks_change(
    till: Till, zone: str, touched: bool
) -> None:
    till.take(*(order(str(n), "anna", "10", ordered_at=instant) for n, instant in enumerate(QUARTERS)))
    with scoring_inputs(till.engine, TODAY, ZoneInfo(zone), dt.time.min, everybody=not touched):
        if touched:
            till.engine.execute("CREATE OR REPLACE TEMP TABLE touched AS SELECT 'anna' AS customer_id")
            only_touched(till.engine)
        found = till.engine.rows("SELECT ordered_at, hour FROM purchases")
    assert len(found) == len(QUARTERS)
    assert all(hour == instant.astimezone(ZoneInfo(zone)).hour for instant, hour in found)
