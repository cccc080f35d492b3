"""POSLog: the golden tickets in three dialects, what producers do to lines, and files that should not be trusted."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pytest
from lxml import etree
from pos.golden_tickets import (
    FIRST_READ,
    GOLDEN,
    SECOND_READ,
    TRAINING,
    WRONG_CLOCK,
    by_number,
    differences,
    expected_revenue,
    revenue,
    tickets,
)
from pos.pos_poslogs import DIALECTS, poslog
from pos.pos_rig import Chain, Direct, stored

from hub.records import Order
from plugins.pos import poslog as plugin
from plugins.pos.poslog.mapping import ticket_rows
from plugins.pos.poslog.parsing import BrokenFileError, indexed, transactions
from plugins.pos.poslog.source import PoslogSource

LACKS = ("line_kinds", "sets", "options")
PLAIN = DIALECTS["2.2, no namespace"]


@pytest.fixture
def till(tmp_path: Path) -> Direct:
    (tmp_path / "logs").mkdir()
    return Direct(tmp_path, PoslogSource, url="logs", settle_seconds=0)


def drop(folder: Path, name: str, text: str | bytes) -> None:
    path = folder / "logs" / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.utime(path, (FIRST_READ.timestamp() - 60, FIRST_READ.timestamp() - 60))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_golden_tickets_through_poslog(dialect: str, till: Direct, tmp_path: Path) -> None:
    drop(tmp_path, "0304.xml", poslog(tickets(1), DIALECTS[dialect]))
    first = till.read(FIRST_READ)
    assert "\n".join(differences(first, tickets(1), lacks=LACKS)) == ""
    assert revenue(first) == expected_revenue(1)
    drop(tmp_path, "0306.xml.gz", gzip.compress(poslog(tickets(2), DIALECTS[dialect]).encode()))
    second = till.read(SECOND_READ)
    assert "\n".join(differences(second, tickets(2), lacks=LACKS)) == ""
    assert (len(second), revenue(second)) == (24, expected_revenue(2))


def test_a_whole_hub_stores_the_golden_tickets_of_a_poslog(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    chain = Chain(tmp_path, "pos.poslog", plugin, 'url = "logs"\nsettle_seconds = 0\npage_tickets = 9')
    for read, at in ((1, FIRST_READ), (2, SECOND_READ)):
        drop(tmp_path, f"{read}.xml", poslog(tickets(read), PLAIN))
        chain.read(at)
        assert differences(stored(chain.hub, Order), tickets(read), lacks=LACKS) == []
    chain.close()


def test_training_counts_nowhere_and_a_fast_clock_is_flagged(till: Direct, tmp_path: Path) -> None:
    drop(tmp_path, "0304.xml", poslog([*tickets(1), TRAINING, WRONG_CLOCK], PLAIN))
    orders = by_number(till.read(FIRST_READ))
    assert (orders[TRAINING.number].status, orders[TRAINING.number].flags) == ("void", ("training",))
    assert orders[WRONG_CLOCK.number].flags == ("clock_suspect",)
    assert revenue(orders.values()) == expected_revenue(1) + WRONG_CLOCK.total


def test_a_truncated_file_gives_what_it_has_and_says_so(till: Direct, tmp_path: Path) -> None:
    text = poslog(tickets(1), PLAIN)
    drop(tmp_path, "0304.xml", text[: text.index("T260310") + 40])
    assert sorted(by_number(till.read(FIRST_READ))) == [ticket.number for ticket in GOLDEN[:9]]
    assert [(reject.location, reject.code) for reject in till.rejects] == [("0304.xml", "xml_broken")]
    drop(tmp_path, "0304.xml", text)
    assert differences(till.read(SECOND_READ), tickets(1), lacks=LACKS) == []


BOMB = """<?xml version="1.0"?>
<!DOCTYPE POSLog [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">
<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;"><!ENTITY f "&e;&e;&e;&e;&e;&e;&e;&e;">]>
<POSLog><Transaction><RetailStoreID>&f;</RetailStoreID></Transaction></POSLog>"""
REACH = """<?xml version="1.0"?>
<!DOCTYPE POSLog [<!ENTITY x SYSTEM "file:///etc/hostname">]>
<POSLog><Transaction><RetailStoreID>&x;</RetailStoreID></Transaction></POSLog>"""


@pytest.mark.parametrize("text", [BOMB, REACH, BOMB.replace("<POSLog>", '<POSLog a="&f;">')])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_before_anything_is_read(text: str, encoding: str) -> None:
    raw = text.replace('"1.0"', f'"1.0" encoding="{encoding}"').encode(encoding)
    with pytest.raises(BrokenFileError) as caught:
        list(transactions(BytesIO(raw)))
    assert caught.value.code in {"doctype_refused", "xml_broken"}


def test_a_deep_tree_is_refused() -> None:
    deep = f"<POSLog>{'<a>' * 5000}{'</a>' * 5000}</POSLog>"
    with pytest.raises(BrokenFileError):
        list(transactions(BytesIO(deep.encode())))


def test_a_refused_file_does_not_stop_the_next_one(till: Direct, tmp_path: Path) -> None:
    drop(tmp_path, "a.xml", BOMB)
    drop(tmp_path, "b.xml", "<html></html>")
    drop(tmp_path, "c.xml", poslog(tickets(1), PLAIN))
    assert differences(till.read(FIRST_READ), tickets(1), lacks=LACKS) == []
    assert [(reject.location, reject.code) for reject in till.rejects] == [
        ("a.xml", "doctype_refused"),
        ("b.xml", "not_a_poslog"),
    ]


def test_what_was_read_is_forgotten() -> None:
    """The tree holds what the parser has read ahead, not the file; benchmarks/pos_poslog.py shows the memory for gigabytes."""
    stream = BytesIO(poslog(GOLDEN * 40, PLAIN).encode())
    assert max(len(transaction.getparent()) for transaction in transactions(stream)) < 120


# What producers do to lines


def rows_of(items: str, totals: str = "", retail: str = ""):
    text = (
        "<Transaction><RetailStoreID>S1</RetailStoreID><WorkstationID>1</WorkstationID><SequenceNumber>7</SequenceNumber>"
        "<BusinessDayDate>2026-03-02</BusinessDayDate><EndDateTime>2026-03-02T10:00:00</EndDateTime>"
        f"<RetailTransaction>{items}{totals}{retail}</RetailTransaction></Transaction>"
    )
    return ticket_rows(indexed(etree.fromstring(text)))


def sale(item: str, amount: str, more: str = "", attributes: str = "") -> str:
    return f"<LineItem{attributes}><Sale><ItemID>{item}</ItemID><ExtendedAmount>{amount}</ExtendedAmount>{more}</Sale></LineItem>"


def net(amount: str) -> str:
    return f'<Total TotalType="TransactionNetAmount">{amount}</Total>'


def nets(rows) -> list[tuple[str | None, Decimal]]:
    return [(row.get("product_id"), Decimal(row["net_amount"])) for row in rows.lines]


def test_the_key_is_shop_till_day_and_sequence() -> None:
    assert rows_of(sale("A", "5")).ticket["id"] == "S1/1/2026-03-02/7"


def test_a_line_marked_void_is_no_line() -> None:
    assert nets(rows_of(sale("A", "5") + sale("B", "3", attributes=' VoidFlag="true"'))) == [("A", 5)]


def test_a_voiding_line_takes_the_earlier_one_along() -> None:
    items = sale("A", "5") + sale("B", "3") + sale("B", "-3", "<Quantity>-1</Quantity>", ' VoidFlag="true"')
    assert nets(rows_of(items, net("5"))) == [("A", 5)]


def test_a_discount_inside_a_reward_belongs_to_the_ticket() -> None:
    reward = "<LineItem><LoyaltyReward><RewardBasis><Amount>2</Amount></RewardBasis></LoyaltyReward></LineItem>"
    rows = rows_of(sale("A", "5") + sale("B", "5") + reward, net("8"))
    assert (rows.ticket["ticket_discount"], nets(rows)) == ("2", [("A", 5), ("B", 5)])


def test_tax_on_top_is_told_from_tax_inside() -> None:
    tax = "<LineItem><Tax><Amount>0.5</Amount></Tax></LineItem>"
    grand = '<Total TotalType="TransactionGrandAmount">{}</Total>'
    assert rows_of(sale("A", "5") + tax, grand.format("5.5")).ticket["tax_exclusive"] == "1"
    assert "tax_exclusive" not in rows_of(sale("A", "5") + tax, grand.format("5")).ticket


def test_what_is_left_over_is_a_line_of_its_own_and_flagged() -> None:
    rows = rows_of(sale("A", "5") + sale("B", "5"), net("9.5"))
    assert nets(rows) == [("A", 5), ("B", 5), (None, Decimal("-0.5"))]
    assert rows.ticket["finding"] == "discount_unallocated"


def test_a_weight_stands_in_units() -> None:
    rows = rows_of(sale("A", "13.78", '<Quantity Units="0.385" UnitOfMeasureCode="KGM">1</Quantity>'))
    assert (rows.lines[0]["quantity"], rows.lines[0]["unit"]) == ("0.385", "KGM")


def test_the_last_of_several_deliveries_counts(till: Direct, tmp_path: Path) -> None:
    changed = replace(GOLDEN[0], tenders=(("card", Decimal("24.50")),))
    drop(tmp_path, "a.xml", poslog([GOLDEN[0], changed], PLAIN))
    (order,) = till.read(FIRST_READ)
    assert [tender.method for tender in order.tenders] == ["card"]


def test_a_killed_read_goes_on_behind_the_last_page(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    till = Direct(tmp_path, PoslogSource, url="logs", settle_seconds=0, page_tickets=5)
    drop(tmp_path, "a.xml", poslog(GOLDEN, PLAIN))
    begun = till.read(pages=2)
    rest = till.read()
    assert len(begun) == 10
    assert sum(len(page.tables["orders"]) for page in till.pages if page.tables) == 14
    assert sorted(order.number for order in rest) == [ticket.number for ticket in GOLDEN]
    till.read()
    assert till.pages == []
