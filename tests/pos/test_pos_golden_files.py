"""The golden tickets as the daily export of a Chinese till, through the file source."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from pos.golden_tickets import (
    FIRST_READ,
    MEMBERS,
    REGISTER,
    SECOND_READ,
    STORE,
    TOP_UP,
    WRONG_CLOCK,
    Ticket,
    by_number,
    differences,
    expected_revenue,
    revenue,
    tickets,
)
from pos.pos_rig import Chain, stored

from hub.records import Order
from plugins import files

HEADERS = {
    "cash": "现金", "card": "刷卡", "wechat": "微信", "alipay": "支付宝", "stored_value": "储值卡", "points": "积分抵现",
}  # fmt: skip
WORDS = {"sale": "销售", "refund": "退货", "exchange": "换货", "deposit": "储值充值"}
LACKS = ("sets", "options")
"""An export of lines says nothing of which line belongs to which."""


def export(shown: Iterable[Ticket]) -> str:
    """A row per line; amounts of the ticket on every row; a coupon known to the ticket only."""
    out = io.StringIO()
    rows = [row for ticket in shown for row in _rows(ticket)]
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _rows(ticket: Ticket) -> Sequence[dict[str, object]]:
    member = MEMBERS[ticket.member] if ticket.member else None
    by_card = ticket.member_by == "card"
    paid = dict(ticket.tenders)
    head = {
        "流水号": ticket.number, "门店编码": STORE, "收银机号": REGISTER, "销售时间": ticket.local_time,
        "会员卡号": member.card_no if member and by_card else "", "手机号": member.phone if member and not by_card else "",
        "原始单号": ticket.original or "", "券号": ticket.coupon or "", "抹零": -ticket.rounding,
        "整单优惠": ticket.ticket_discount, "实收总额": ticket.total or sum(paid.values()),
        **{text: paid.get(method, "") for method, text in HEADERS.items()},
    }  # fmt: skip
    kind = "作废" if ticket.status == "void" else WORDS[ticket.kind]
    lines = [
        {
            "商品编码": line.product,
            "商品名称": line.name,
            "数量": line.quantity,
            "单价": line.price,
            "小计": line.gross if ticket.ticket_discount else line.net,
            "类型": "赠送" if line.kind == "gift" else kind,
        }
        for line in ticket.lines
    ]
    if ticket.kind == "deposit":
        paid_in = sum(paid.values())
        lines = [{"商品编码": "", "商品名称": "储值充值", "数量": 1, "单价": paid_in, "小计": paid_in, "类型": kind}]
    return [{**head, **line} for line in lines]


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    (tmp_path / "drops").mkdir()
    opened = Chain(tmp_path, "files", files, 'url = "drops"\nsettle_seconds = 0')
    yield opened
    opened.close()


def drop(folder: Path, name: str, text: str) -> None:
    (folder / "drops" / name).write_bytes(text.encode("gb18030"))


def test_the_golden_tickets_through_files(chain: Chain, tmp_path: Path) -> None:
    drop(tmp_path, "0304.csv", export(tickets(1)))
    chain.read(FIRST_READ)
    first = stored(chain.hub, Order)
    assert differences(first, tickets(1), lacks=LACKS) == []
    assert (len(first), revenue(first)) == (23, expected_revenue(1))
    drop(tmp_path, "0306.csv", export(tickets(2)))
    chain.read(SECOND_READ)
    second = stored(chain.hub, Order)
    assert differences(second, tickets(2), lacks=LACKS) == []
    assert (len(second), revenue(second)) == (24, expected_revenue(2))


def test_the_same_export_sent_twice_changes_nothing(chain: Chain, tmp_path: Path) -> None:
    for name in ("0304.csv", "0304-again.csv"):
        drop(tmp_path, name, export(tickets(1)))
        chain.read(FIRST_READ)
    assert revenue(stored(chain.hub, Order)) == expected_revenue(1)


def test_a_top_up_is_a_deposit_and_a_fast_clock_is_flagged(chain: Chain, tmp_path: Path) -> None:
    drop(tmp_path, "0304.csv", export([*tickets(1), TOP_UP, WRONG_CLOCK]))
    chain.read(FIRST_READ)
    orders = by_number(stored(chain.hub, Order))
    assert (orders[TOP_UP.number].kind, orders[TOP_UP.number].total_amount) == ("deposit", 100)
    assert revenue(orders.values()) == expected_revenue(1) + WRONG_CLOCK.total
    assert "clock_suspect" in orders[WRONG_CLOCK.number].flags
