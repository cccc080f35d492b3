"""POSLog: the golden tickets in three dialects, what producers do to lines, and files that should not be trusted."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from io import BytesIO
from itertools import islice
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
from pos.pos_rig import Chain, stored

from hub.records import Order
from plugins.pos import poslog as plugin
from plugins.pos.poslog.mapping import ticket_rows
from plugins.pos.poslog.parsing import BrokenFileError, transactions

LACKS = ("line_kinds", "sets", "options")
PLAIN = DIALECTS["2.2, no namespace"]


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    opened = chain_in(tmp_path)
    yield opened
    opened.close()


def chain_in(folder: Path, more: str = "") -> Chain:
    (folder / "logs").mkdir()
    return Chain(folder, "pos.poslog", plugin, f'url = "logs"\nsettle_seconds = 0\n{more}')


def drop(folder: Path, name: str, text: str | bytes) -> None:
    path = folder / "logs" / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.utime(path, (FIRST_READ.timestamp() - 60, FIRST_READ.timestamp() - 60))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_golden_tickets_through_poslog(dialect: str, tmp_path: Path) -> None:
    chain = chain_in(tmp_path, "page_tickets = 7")
    drop(tmp_path, "0304.xml", poslog(tickets(1), DIALECTS[dialect]))
    chain.read(FIRST_READ)
    first = stored(chain.hub, Order)
    assert "\n".join(differences(first, tickets(1), lacks=LACKS)) == ""
    assert revenue(first) == expected_revenue(1)
    drop(tmp_path, "0306.xml.gz", gzip.compress(poslog(tickets(2), DIALECTS[dialect]).encode()))
    chain.read(SECOND_READ)
    second = stored(chain.hub, Order)
    assert "\n".join(differences(second, tickets(2), lacks=LACKS)) == ""
    assert (len(second), revenue(second)) == (24, expected_revenue(2))
    chain.close()


def test_training_counts_nowhere_and_a_fast_clock_is_flagged(chain: Chain, tmp_path: Path) -> None:
    drop(tmp_path, "0304.xml", poslog([*tickets(1), TRAINING, WRONG_CLOCK], PLAIN))
    chain.read(FIRST_READ)
    orders = by_number(stored(chain.hub, Order))
    assert (orders[TRAINING.number].status, orders[TRAINING.number].flags) == ("void", ("training",))
    assert orders[WRONG_CLOCK.number].flags == ("clock_suspect",)
    assert revenue(orders.values()) == expected_revenue(1) + WRONG_CLOCK.total


def test_a_truncated_file_gives_what_it_has_and_says_so(chain: Chain, tmp_path: Path) -> None:
    text = poslog(tickets(1), PLAIN)
    drop(tmp_path, "0304.xml", text[: text.index("T260310") + 40])
    report = chain.read(FIRST_READ)
    assert sorted(by_number(stored(chain.hub, Order))) == [ticket.number for ticket in GOLDEN[:9]]
    assert sum(stream.rejects for stream in report.streams) == 1
    drop(tmp_path, "0304.xml", text)
    chain.read(SECOND_READ)
    assert differences(stored(chain.hub, Order), tickets(1), lacks=LACKS) == []


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


def test_a_refused_file_does_not_stop_the_next_one(chain: Chain, tmp_path: Path) -> None:
    drop(tmp_path, "a.xml", BOMB)
    drop(tmp_path, "b.xml", "<html></html>")
    drop(tmp_path, "c.xml", poslog(tickets(1), PLAIN))
    report = chain.read(FIRST_READ)
    assert differences(stored(chain.hub, Order), tickets(1), lacks=LACKS) == []
    assert sum(stream.rejects for stream in report.streams) == 2


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
    return ticket_rows(etree.fromstring(text))


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


def test_the_last_of_several_deliveries_counts(chain: Chain, tmp_path: Path) -> None:
    changed = replace(GOLDEN[0], tenders=(("card", Decimal("24.50")),))
    drop(tmp_path, "a.xml", poslog([GOLDEN[0], changed], PLAIN))
    chain.read(FIRST_READ)
    (order,) = stored(chain.hub, Order)
    assert [tender.method for tender in order.tenders] == ["card"]


def test_a_killed_read_goes_on_behind_the_last_page(tmp_path: Path) -> None:
    chain = chain_in(tmp_path, "page_tickets = 5")
    drop(tmp_path, "a.xml", poslog(GOLDEN, PLAIN))
    with chain.hub.source("till") as source:
        (stream,) = source.streams()
        begun = list(islice(stream.read({}), 2))
        rest = list(stream.read(begun[-1].cursor))
        again = list(stream.read(rest[-1].cursor))
    chain.close()
    ids = [name for page in [*begun, *rest] for name in page.tables["orders"]["number"].to_pylist()]
    assert sorted(ids) == [ticket.number for ticket in GOLDEN]
    assert again == []
