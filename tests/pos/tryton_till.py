"""A real point of sale: Tryton, on SQLite, rung up with its own client. A program of its own, run by the tests.

``prepare FOLDER`` makes an empty shop (half a minute, once); ``ring FOLDER`` sells and takes back in a copy of it, and prints what
Tryton says the tickets come to; ``cancel FOLDER`` cancels the ticket that was left open.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

NAME = "till"
PRODUCTS = {"茉莉绿茶": ("T01", "24.50"), "杨枝甘露": ("T02", "34.00"), "鲜荔枝": ("T03", "35.80")}


def configured(folder: Path) -> Path:
    path = folder / "trytond.conf"
    path.write_text(f"[database]\nuri = sqlite:///\npath = {folder}\n")
    return path


def connected(folder: Path) -> None:
    from proteus import config

    config.set_trytond(NAME, config_file=str(configured(folder)))


def prepare(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.sqlite").touch()
    secret = folder / "password"
    secret.write_text("a-long-test-password\n")
    admin = Path(sys.executable).with_name("trytond-admin")
    subprocess.run(
        [str(admin), "-c", str(configured(folder)), "-d", NAME, "-u", "sale_point", "--activate-dependencies", "--email",
         "admin@example.com"],
        check=True, env={**os.environ, "TRYTONPASSFILE": str(secret)}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    connected(folder)
    furnish()


def furnish() -> None:
    """A company, its accounts, three goods, a till and two ways to pay."""
    from proteus import Model
    from trytond.modules.account.tests.tools import create_chart, create_fiscalyear, get_accounts
    from trytond.modules.account_invoice.tests.tools import set_fiscalyear_invoice_sequences
    from trytond.modules.company.tests.tools import create_company

    create_company()
    create_chart()
    set_fiscalyear_invoice_sequences(create_fiscalyear()).click("create_period")
    accounts = get_accounts()
    category = Model.get("product.category")(name="Goods", accounting=True)
    category.account_revenue = accounts["revenue"]
    category.save()
    (unit,) = Model.get("product.uom").find([("name", "=", "Unit")])
    for name, (code, price) in PRODUCTS.items():
        template = Model.get("product.template")(name=name, default_uom=unit, type="goods", salable=True)
        template.list_price, template.account_category = Decimal(price), category
        template.products[0].suffix_code = code
        template.save()
    _till(accounts)


def _till(accounts: dict[str, Any]) -> None:
    from proteus import Model

    location, sequence = Model.get("stock.location"), Model.get("ir.sequence.strict")
    point = Model.get("sale.point")(name="S01", tax_included=True)
    (point.journal,) = Model.get("account.journal").find([("type", "=", "revenue")], limit=1)
    point.sequence = sequence(name="POS", company=point.company)
    (point.sequence.sequence_type,) = Model.get("ir.sequence.type").find([("name", "=", "POS")], limit=1)
    point.sequence.save()
    (point.storage_location,) = location.find([("code", "=", "STO")])
    (point.customer_location,) = location.find([("code", "=", "CUS")])
    point.save()
    for name, cash in (("Cash", True), ("微信支付", False)):
        method = Model.get("sale.point.payment.method")(name=name, cash=cash)
        method.account = accounts["cash"]
        method.save()


def ring(folder: Path) -> list[dict[str, Any]]:
    """Sales, a return, an exchange, a split payment, and one ticket that is left open."""
    connected(folder)
    tickets = [
        ({"茉莉绿茶": "1"}, {"Cash": "24.50"}, True),
        ({"杨枝甘露": "2", "茉莉绿茶": "1"}, {"Cash": "50", "微信支付": "42.50"}, True),
        ({"杨枝甘露": "-1"}, {"Cash": "-34.00"}, True),
        ({"茉莉绿茶": "-1", "杨枝甘露": "1"}, {"微信支付": "9.50"}, True),
        ({"茉莉绿茶": "3"}, {}, False),
    ]
    return [_sell(lines, payments, done=done) for lines, payments, done in tickets]


def _sell(lines: dict[str, str], payments: dict[str, str], *, done: bool) -> dict[str, Any]:
    from proteus import Model

    (point,) = Model.get("sale.point").find([])
    sale = Model.get("sale.point.sale")(point=point)
    for name, quantity in lines.items():
        line = sale.lines.new()
        (line.product,) = Model.get("product.product").find([("name", "=", name)])
        line.quantity = float(quantity)
    for name, amount in payments.items():
        payment = sale.payments.new()
        (payment.method,) = Model.get("sale.point.payment.method").find([("name", "=", name)])
        payment.amount = Decimal(amount)
    sale.save()
    if done:
        sale.click("process")
    return _told(sale)


def cancel(folder: Path) -> list[dict[str, Any]]:
    from proteus import Model

    connected(folder)
    open_sales = Model.get("sale.point.sale").find([("state", "=", "open")])
    for sale in open_sales:
        sale.click("cancel")
    return [_told(sale) for sale in open_sales]


def _told(sale: Any) -> dict[str, Any]:
    return {
        "id": str(sale.id), "number": sale.number, "state": sale.state, "total": str(sale.total), "date": sale.date.isoformat(),
        "lines": [[line.product.code, str(line.quantity), str(line.amount)] for line in sale.lines],
        "payments": [[payment.method.name, str(payment.amount)] for payment in sale.payments],
    }  # fmt: skip


if __name__ == "__main__":
    command, place = sys.argv[1], Path(sys.argv[2])
    answer = {"prepare": prepare, "ring": ring, "cancel": cancel}[command](place)
    sys.stdout.write(f"{json.dumps(answer)}\n")
