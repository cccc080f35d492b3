"""The golden tickets as the tables of three point-of-sale systems, built from what is known of their columns.

Types are those the dialect at hand has; values are written as the till would write them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from pos.golden_tickets import CASHIER, GOLDEN, MEMBERS, PRODUCTS, REGISTER, STORE, ZONE, Line, Ticket

Row = Mapping[str, Any]
_AMOUNT = sa.Numeric(15, 4, asdecimal=False)
_WORDS: Final = {"text": sa.String(120), "int": sa.BigInteger(), "amount": _AMOUNT, "exact": sa.Double(), "time": sa.DateTime(),
                 "blob": sa.LargeBinary()}  # fmt: skip


def _tables(**described: str) -> sa.MetaData:
    """Tables from lines such as ``id:int, name`` (text unless said otherwise)."""
    found = sa.MetaData()
    for name, columns in described.items():
        parts = [column.strip().partition(":") for column in columns.split(",")]
        sa.Table(name, found, *(sa.Column(column, _WORDS[kind or "text"]) for column, _, kind in parts))
    return found


def fill(engine: sa.Engine, schema: sa.MetaData, rows: Mapping[str, Sequence[Row]]) -> None:
    """Make the tables and put these rows into them, whatever was there before."""
    schema.drop_all(engine)
    schema.create_all(engine)
    with engine.begin() as connection:
        for table, listed in rows.items():
            if listed:
                names = {name: None for row in listed for name in row}
                connection.execute(sa.insert(schema.tables[table]), [{**names, **row} for row in listed])


def _naive(ticket: Ticket) -> dt.datetime:
    return ticket.at.replace(tzinfo=None)


def _pay(words: Mapping[str, str], ticket: Ticket) -> list[tuple[str, float]]:
    return [(words[method], float(amount)) for method, amount in ticket.tenders]


# ---- Open Source POS -------------------------------------------------------------------------------------------------

OSPOS = _tables(
    ospos_sales="sale_id:int, sale_time:time, customer_id:int, employee_id:int, comment, invoice_number, sale_status:int, sale_type:int",
    ospos_sales_items="sale_id:int, item_id, line:int, quantity_purchased:amount, item_cost_price:amount, item_unit_price:amount, "
    "discount:amount, discount_type:int, item_location",
    ospos_sales_payments="payment_id:int, sale_id:int, payment_type, payment_amount:amount, cash_refund:amount, cash_adjustment:int",
    ospos_sales_items_taxes="sale_id:int, item_tax_amount:amount, tax_type:int",
    ospos_items="item_id, name, category, item_number",
    ospos_customers="person_id:int, account_number, points:int, date:time, deleted:int",
    ospos_people="person_id:int, first_name, last_name, gender:int, phone_number, email",
)
OSPOS_PAY = {
    "cash": "现金", "card": "Credit Card", "wechat": "微信", "alipay": "支付宝", "stored_value": "储值卡", "points": "积分",
}  # fmt: skip


def ospos_rows(shown: Iterable[Ticket]) -> dict[str, list[Row]]:
    """Sales of Open Source POS: discounts per piece or in percent, 抹零 as a payment that adjusts the cash."""
    rows: dict[str, list[Row]] = {name: [] for name in OSPOS.tables}
    people = {name: place for place, name in enumerate(MEMBERS, start=1)}
    for name, member in MEMBERS.items():
        person = {"person_id": people[name]}
        rows["ospos_people"].append(
            {
                **person,
                "first_name": member.name,
                "gender": 0,
                "phone_number": member.phone,
                "last_name": "",
                "email": "",
            }
        )
        rows["ospos_customers"].append({**person, "account_number": member.card_no, "points": 10, "deleted": 0})
    rows["ospos_items"] += [
        {"item_id": code, "name": name, "item_number": f"69{code}"} for code, (name, _) in PRODUCTS.items()
    ]
    for ticket in shown:
        sale = {"sale_id": ticket.place + (9000 if ticket.arrives == 2 else 0)}
        rows["ospos_sales"].append(
            {
                **sale, "sale_time": _naive(ticket), "customer_id": people[ticket.member] if ticket.member else None, "employee_id": 1,
                "comment": "", "invoice_number": ticket.number, "sale_status": 2 if ticket.status == "void" else 0,
                "sale_type": 4 if ticket.kind == "refund" else 0,
            }
        )  # fmt: skip
        rows["ospos_sales_items"] += [_ospos_line(sale, place, line) for place, line in enumerate(ticket.lines)]
        for method, amount in _pay(OSPOS_PAY, ticket):
            change = 5.0 if method == "现金" and amount > 0 else 0.0
            rows["ospos_sales_payments"].append(
                {
                    **sale,
                    "payment_type": method,
                    "payment_amount": amount + change,
                    "cash_refund": change,
                    "cash_adjustment": 0,
                }
            )
        if ticket.rounding:
            adjusted = {"payment_type": "Cash Adjustment", "payment_amount": float(-ticket.rounding), "cash_refund": 0}
            rows["ospos_sales_payments"].append({**sale, **adjusted, "cash_adjustment": 1})
    return rows


def _ospos_line(sale: Row, place: int, line: Line) -> Row:
    percent = bool(line.discount) and line.quantity == 2
    off = line.discount / line.gross * 100 if percent else line.discount / line.quantity
    return {
        **sale, "item_id": line.product, "line": place, "quantity_purchased": float(line.quantity), "item_cost_price": 1.0,
        "item_unit_price": float(line.price), "discount": float(off), "discount_type": 0 if percent else 1, "item_location": STORE,
    }  # fmt: skip


# ---- uniCenta ----------------------------------------------------------------------------------------------------------

UNICENTA = _tables(
    receipts="id, money, datenew:time, person",
    tickets="id, tickettype:int, ticketid:int, person, customer, status:int",
    ticketlines="ticket, line:int, product, units:exact, price:exact, taxid, attributes:blob",
    payments="id, receipt, payment, total:exact, transid",
    closedcash="money, host",
    customers="id, searchkey, name, card, email, phone, curdate:time, visible:int",
    products="id, reference, code, name, category, pricesell:exact",
    taxes="id, rate:exact",
)
UNICENTA_PAY = {
    "cash": "cash", "card": "magcard", "wechat": "wechat", "alipay": "alipay", "stored_value": "bank", "points": "slip",
}  # fmt: skip
_RATE = 0.13


def unicenta_rows(shown: Iterable[Ticket]) -> dict[str, list[Row]]:
    """Receipts of uniCenta: prices without tax, discounts and 抹零 as lines without a product, no voids."""
    rows: dict[str, list[Row]] = {name: [] for name in UNICENTA.tables}
    rows["taxes"].append({"id": "vat", "rate": _RATE})
    rows["closedcash"].append({"money": "day", "host": REGISTER})
    rows["products"] += [
        {"id": code, "reference": code, "code": f"69{code}", "name": name, "category": "all", "pricesell": float(price)}
        for code, (name, price) in PRODUCTS.items()
    ]
    for name, member in MEMBERS.items():
        rows["customers"].append(
            {
                "id": name,
                "searchkey": name,
                "name": member.name,
                "card": member.card_no,
                "phone": member.phone,
                "visible": 1,
            }
        )
    for ticket in shown:
        key = f"{ticket.place:08d}-0000"
        rows["receipts"].append({"id": key, "money": "day", "datenew": _naive(ticket), "person": CASHIER})
        rows["tickets"].append(
            {
                "id": key, "tickettype": 1 if ticket.kind == "refund" else 0, "ticketid": int(ticket.number[1:]), "person": CASHIER,
                "customer": ticket.member, "status": 0,
            }
        )  # fmt: skip
        rows["ticketlines"] += [
            {"ticket": key, "line": place, **line} for place, line in enumerate(_unicenta_lines(ticket))
        ]
        for place, (method, amount) in enumerate(_pay(UNICENTA_PAY, ticket)):
            word = "cashrefund" if method == "cash" and amount < 0 else method
            rows["payments"].append({"id": f"{key}-{place}", "receipt": key, "payment": word, "total": amount})
    return rows


def _unicenta_lines(ticket: Ticket) -> list[Row]:
    refund = ticket.kind == "refund"
    lines = []
    for line in ticket.lines:
        price = abs(line.net / line.quantity) if refund else line.price
        lines.append({"product": line.product, "units": float(line.quantity), "price": _net(price), "taxid": "vat"})
    off = Decimal(0) if refund else ticket.discount
    if off:
        lines.append(
            {"product": None, "units": 1.0, "price": _net(-off), "taxid": "vat", "attributes": _named("Discount")}
        )
    if ticket.rounding:
        lines.append(
            {
                "product": None,
                "units": 1.0,
                "price": _net(ticket.rounding),
                "taxid": "vat",
                "attributes": _named("抹零"),
            }
        )
    return lines


def _net(price: Decimal) -> float:
    return float(price) / (1 + _RATE)


def _named(name: str) -> bytes:
    return f'<?xml version="1.0"?><properties><entry key="product.name">{name}</entry></properties>'.encode()


# ---- 思迅 ---------------------------------------------------------------------------------------------------------------

SISS = _tables(
    t_rm_saleflow="com_no:int, flow_id:int, flow_no, branch_no, item_no, source_price:amount, sale_price:amount, sale_qnty:amount, "
    "sale_money:amount, sell_way, oper_id, sale_man, oper_date:time",
    t_rm_payflow="com_no:int, flow_id:int, flow_no, branch_no, pay_way, sell_way, sale_amount:amount, pay_amount:amount, coin_no, "
    "coin_rate:amount, card_no, vip_no, oper_date:time, oper_id, counter_no, sale_man, voucher_no, memo",
    t_rm_vip_info="card_id, card_no, card_type, vip_name, vip_sex, mobile, birthday:time, card_status, now_acc_num:amount, "
    "residual_amt:amount, branch_no, vip_start_date:time, vip_end_date:time, openid, pass, social_id",
)
SISS_PAY = {"cash": "RMB", "card": "CRD", "wechat": "WX", "alipay": "ZFB", "stored_value": "SAV", "points": "JF"}


def siss_rows(shown: Iterable[Ticket]) -> dict[str, list[Row]]:
    """Flows of 思迅: texts padded to their column, returns as positive numbers, payments numbered when they are uploaded."""
    rows: dict[str, list[Row]] = {name: [] for name in SISS.tables}
    for name, member in MEMBERS.items():
        rows["t_rm_vip_info"].append(
            {
                "card_id": name, "card_no": f"{member.card_no}   ", "card_type": "01", "vip_name": member.name, "vip_sex": "女",
                "mobile": member.phone, "birthday": dt.datetime(1990, 5, 17, tzinfo=ZONE).replace(tzinfo=None), "card_status": "0", "now_acc_num": 12.0,
                "residual_amt": 88.5, "branch_no": STORE, "pass": "0000", "social_id": "none",
            }
        )  # fmt: skip
    number = 0
    for ticket in sorted(shown, key=lambda each: each.arrives):
        base = {
            "flow_no": f"{ticket.number}  ",
            "branch_no": STORE,
            "oper_id": CASHIER,
            "oper_date": _naive(ticket),
            "sale_man": "",
        }
        for place, line in enumerate(ticket.lines):
            rows["t_rm_saleflow"].append({**base, **_siss_line(place, line)})
        original = f"{ticket.original}  " if ticket.original else ""
        for place, (method, amount) in enumerate(_pay(SISS_PAY, ticket)):
            number += 1
            rows["t_rm_payflow"].append(
                {
                    **base, "com_no": number, "flow_id": place, "pay_way": method, "sell_way": "B" if amount < 0 else "A",
                    "pay_amount": abs(amount), "coin_no": "RMB", "coin_rate": 1.0, "card_no": "", "vip_no": ticket.member or "",
                    "counter_no": REGISTER, "voucher_no": original, "memo": "",
                }
            )  # fmt: skip
    return rows


def _siss_line(place: int, line: Line) -> Row:
    way = "B" if line.quantity < 0 else "D" if line.kind == "gift" else "A"
    return {
        "flow_id": place, "item_no": f"{line.product} ", "source_price": float(line.price),
        "sale_price": float(abs(line.net / line.quantity).quantize(Decimal("0.0001"))), "sale_qnty": float(abs(line.quantity)),
        "sale_money": float(abs(line.net)), "sell_way": way,
    }  # fmt: skip


# ---- what a till without voids does ------------------------------------------------------------------------------------


def reversed_instead_of_void(shown: Iterable[Ticket]) -> list[Ticket]:
    """A till that cannot void: ticket 21 leaves no trace, and ticket 22 is followed by a refund that takes it back."""
    found = []
    for ticket in shown:
        if ticket.place == 21:
            continue
        found.append(replace(ticket, status="paid"))
        if ticket.place == 22 and ticket.status == "void":
            found.append(reversal())
    return found


def reversal() -> Ticket:
    """The refund that takes ticket 22 back."""
    sold = GOLDEN[21]
    lines = tuple(replace(line, quantity=-line.quantity, net=-line.net) for line in sold.lines)
    return replace(
        sold, place=122, title="takes 22 back", number="T260422", at=sold.at + dt.timedelta(days=2), kind="refund", status="paid",
        lines=lines, tenders=tuple((method, -amount) for method, amount in sold.tenders), original=sold.number, earlier={},
    )  # fmt: skip


Rows = Callable[[Iterable[Ticket]], Mapping[str, Sequence[Row]]]
