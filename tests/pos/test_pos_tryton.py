"""A real till: Tryton sells and takes back through its own client, and the hub reads the same from its database."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pos.pos_rig import Direct

from hub.records import Order
from plugins.pos.database.source import DatabaseSource

pytestmark = pytest.mark.xdist_group("tryton")

PROGRAM = Path(__file__).with_name("tryton_till.py")
PREPARED = Path(sys.prefix) / "tryton-till"
"""The empty shop that `make test` prepares once: making it takes Tryton half a minute."""


def tryton(command: str, folder: Path) -> Any:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), command, str(folder)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def prepared() -> Path:
    """The empty shop; made here if nobody has run `make test` yet."""
    if not (PREPARED / "till.sqlite").exists():
        tryton("prepare", PREPARED)
    return PREPARED


@pytest.fixture(scope="session")
def day(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A day at the till: what Tryton says of its tickets, and what the hub read before and after the open one was cancelled."""
    folder = tmp_path_factory.mktemp("tryton")
    shutil.copyfile(prepared / "till.sqlite", folder / "till.sqlite")
    told = tryton("ring", folder)
    till = Direct(folder, DatabaseSource, url="sqlite:///till.sqlite", mapping="tryton", page_tickets=2)
    checks = till.source.check()
    first = {order.source_id: order for order in till.read(now())}
    cancelled = tryton("cancel", folder)
    second = {order.source_id: order for order in till.read(now())}
    till.close()
    return {"told": told, "first": first, "cancelled": cancelled, "second": second, "checks": checks, "till": till}


def now() -> dt.datetime:
    """Tryton stamps its rows with the real time, so the hub must live in it too."""
    return dt.datetime.now(dt.UTC)


def test_every_ticket_comes_to_what_tryton_says(day: dict[str, Any]) -> None:
    assert len(day["first"]) == len(day["told"]) == 5
    for told in day["told"]:
        order: Order = day["first"][told["id"]]
        lines = sorted((line.barcode, line.quantity, line.net_amount) for line in order.lines)
        assert order.total_amount == Decimal(told["total"])
        assert lines == sorted((code, Decimal(quantity), Decimal(amount)) for code, quantity, amount in told["lines"])
        assert order.flags == ()
        assert order.business_date == dt.date.fromisoformat(told["date"])


def test_returns_and_exchanges_are_told_from_sales(day: dict[str, Any]) -> None:
    kinds = [(day["first"][told["id"]].kind, told["total"]) for told in day["told"]]
    assert kinds == [
        ("sale", "24.50"),
        ("sale", "92.50"),
        ("refund", "-34.00"),
        ("exchange", "9.50"),
        ("sale", "73.50"),
    ]


def test_split_payments_are_all_there(day: dict[str, Any]) -> None:
    order = day["first"][day["told"][1]["id"]]
    assert sorted((tender.method, tender.amount) for tender in order.tenders) == [
        ("cash", 50),
        ("wechat", Decimal("42.50")),
    ]


def test_tickets_are_anonymous(day: dict[str, Any]) -> None:
    assert all(order.customer_id is None and order.identifiers == () for order in day["second"].values())


def test_an_open_ticket_that_is_cancelled_becomes_void(day: dict[str, Any]) -> None:
    (cancelled,) = day["cancelled"]
    assert (day["first"][cancelled["id"]].status, day["second"][cancelled["id"]].status) == ("open", "void")
    assert {number: order.status for number, order in day["second"].items() if number != cancelled["id"]} == {
        told["id"]: "paid" for told in day["told"][:4]
    }


def test_the_check_finds_every_column(day: dict[str, Any]) -> None:
    assert [check for check in day["checks"] if not check.ok] == []
