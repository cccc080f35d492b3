"""The exports of the simulated chain's tills, which somebody else's code writes, are read without a fault."""

from __future__ import annotations

import csv
import datetime as dt
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

from files_rig import Drops

from hub.simulation.world import World
from plugins.files.simulator import DropSimulator


def test_tickets_and_members_of_the_simulated_chain(drops: Drops) -> None:
    world = World.generate(people=300, shops=3, days=45, seed=3)
    DropSimulator(world, state=drops.folder).start()
    drops.now = dt.datetime(2039, 1, 1, tzinfo=dt.UTC)
    tickets = drops.read(url="drops/sales_*.csv")
    written = _rows(next(drops.folder.glob("sales_*.csv")))
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for row in written:
        totals[f"{row['门店编码']}/{row['流水号']}"] += Decimal(row["小计"])
    assert len(totals) > 50
    assert tickets.rejects == []
    assert {name: order.total_amount for name, order in tickets.records.items()} == totals  # type: ignore[attr-defined]
    assert {flag for order in tickets.records.values() for flag in order.flags} == set()  # type: ignore[attr-defined]
    drops.state = {}
    members = drops.read("zh_members", url="drops/members_*.csv")
    assert members.rejects == []
    assert set(members.records) == {row["会员卡号"] for row in _rows(next(drops.folder.glob("members_*.csv")))}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="gb18030", newline="") as stream:
        return list(csv.DictReader(stream))
