"""How a database is read: pages, late and changed tickets, kills, hours, and rows that cannot be read."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pos.golden_tickets import FIRST_READ
from pos.pos_rig import Direct

from hub.errors import ConfigError, DeferError, StreamError
from plugins.pos.database.hours import within
from plugins.pos.database.reading import pack, unpack
from plugins.pos.database.source import DatabaseSource

SCHEMA = """
CREATE TABLE t (id INTEGER, at TEXT, changed TEXT, kind TEXT, card TEXT, total REAL);
CREATE TABLE l (id INTEGER, item TEXT, qty REAL, price REAL, off REAL, kind TEXT);
CREATE TABLE p (id INTEGER, way TEXT, amount REAL);
CREATE TABLE m (id TEXT, phone TEXT, name TEXT, points REAL, city TEXT);
"""
QUERIES: dict[str, Any] = {
    "cursor": "id",
    "window": "ordered_at",
    "tickets": "SELECT id, at AS ordered_at, changed, kind, card AS card_no, total AS total_amount FROM t",
    "lines": "SELECT id, item AS product_id, qty AS quantity, price AS unit_price, off AS discount_amount, kind FROM l",
    "tenders": "SELECT id, way AS method, amount FROM p",
}
MEMBERS = {"query": "SELECT id, phone, name, points, city FROM m"}


class Till:
    """A small database and the source that reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.db = sqlite3.connect(folder / "till.db", isolation_level=None)
        self.db.executescript(SCHEMA)

    def sell(
        self,
        number: int,
        at: str = "2026-03-02 10:00:00",
        *lines: tuple[Any, ...],
        kind: str | None = None,
        changed: str = "",
    ) -> None:
        self.db.execute("INSERT INTO t VALUES (?, ?, ?, ?, NULL, NULL)", (number, at, changed or at, kind))
        rows = [(number, *line, *[None] * (5 - len(line))) for line in lines or [("A", 1, 5.0)]]
        self.db.executemany("INSERT INTO l VALUES (?, ?, ?, ?, ?, ?)", rows)
        paid = sum(
            line[1] * line[2] - (line[3] if len(line) > 3 and line[3] else 0) for line in lines or [("A", 1, 5.0)]
        )
        self.db.execute("INSERT INTO p VALUES (?, 'cash', ?)", (number, round(paid, 2)))

    def source(self, queries: dict[str, Any] | None = None, **more: Any) -> Direct:
        mapping = {"orders": {**QUERIES, **(queries or {})}, "customers": MEMBERS}
        return Direct(self.folder, DatabaseSource, url="sqlite:///till.db", mapping=mapping, **more)


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Till]:
    opened = Till(tmp_path)
    yield opened
    opened.db.close()


def numbers(source: Direct) -> list[int]:
    return sorted(int(each) for each in source.records["orders"])


@pytest.mark.parametrize("count", [0, 1, 4, 5, 8])
def test_pages_hold_every_ticket_once_also_when_they_are_just_full(till: Till, count: int) -> None:
    for number in range(count):
        till.sell(number)
    source = till.source(page_tickets=4)
    source.read()
    given = [name for page in source.pages if page.tables for name in page.tables["orders"]["source_id"].to_pylist()]
    assert sorted(given, key=int) == [str(number) for number in range(count)]


def test_tickets_of_one_instant_are_not_lost_between_pages(till: Till) -> None:
    for number in range(7):
        till.sell(number, changed="2026-03-02 10:00:00")
    source = till.source({"cursor": "changed", "window": None}, page_tickets=3)
    source.read()
    assert numbers(source) == list(range(7))


def test_a_killed_backfill_goes_on_behind_its_last_page(till: Till) -> None:
    for number in range(20):
        till.sell(number)
    source = till.source(page_tickets=4)
    source.read(pages=2)
    assert numbers(source) == list(range(8))
    source.read()
    assert [len(page.tables["orders"]) for page in source.pages if page.tables] == [4, 4, 4]
    assert numbers(source) == list(range(20))


def test_a_ticket_that_is_uploaded_days_late_is_found(till: Till) -> None:
    till.sell(100, "2026-03-03 09:00:00")
    source = till.source()
    source.read(FIRST_READ)
    till.sell(50, "2026-03-03 13:00:00")  # behind the cursor, but of the last days
    till.sell(101, "2026-01-05 13:00:00")  # months old, but before the cursor's end
    source.read(FIRST_READ + dt.timedelta(hours=70))
    assert numbers(source) == [50, 100, 101]


def test_how_far_back_is_looked_is_a_setting(till: Till) -> None:
    till.sell(100, "2026-03-03 09:00:00")
    source = till.source(reread_days=0)
    source.read(FIRST_READ)
    till.sell(50, "2026-03-03 13:00:00")
    source.read(FIRST_READ + dt.timedelta(hours=70))
    assert numbers(source) == [100]


def test_a_changed_ticket_of_the_last_days_is_read_again(till: Till) -> None:
    till.sell(1, "2026-03-03 09:00:00")
    source = till.source()
    source.read(FIRST_READ)
    till.db.execute("UPDATE t SET kind = 'void' WHERE id = 1")
    (order,) = source.read(FIRST_READ + dt.timedelta(hours=24))
    assert order.status == "void"


def test_lines_that_are_taken_off_a_ticket_later_are_gone(till: Till) -> None:
    till.sell(1, "2026-03-03 09:00:00", ("A", 1, 5.0), ("B", 1, 3.0))
    source = till.source()
    source.read(FIRST_READ)
    till.db.execute("DELETE FROM l WHERE item = 'B'")
    till.db.execute("UPDATE p SET amount = 5")
    (order,) = source.read(FIRST_READ + dt.timedelta(hours=24))
    assert [(line.product_id, order.total_amount) for line in order.lines] == [("A", 5)]


def test_a_ticket_whose_rows_are_deleted_stays_unless_a_journal_says_void(till: Till) -> None:
    till.db.execute("CREATE TABLE journal (id INTEGER, at TEXT, sold TEXT)")
    journal = "UNION ALL SELECT id, sold, at, 'void', NULL, NULL, at FROM journal"
    columns = "SELECT id, at AS ordered_at, changed, kind, card AS card_no, total AS total_amount, at AS seen FROM t"
    source = till.source({"tickets": f"{columns} {journal}", "window": "seen"})
    for number in (1, 2, 3):
        till.sell(number, "2026-03-03 09:00:00")
    source.read(FIRST_READ)
    till.db.execute("INSERT INTO journal SELECT id, '2026-03-03 12:00:00', at FROM t WHERE id = 2")
    for table in "tlp":
        till.db.execute(f"DELETE FROM {table} WHERE id IN (1, 2)")
    orders = source.read(FIRST_READ + dt.timedelta(hours=24))
    assert [page.deletions for page in source.pages if page.deletions] == []
    assert {order.source_id: order.status for order in orders} == {"1": "paid", "2": "void", "3": "paid"}


def test_the_database_rests_between_pages(till: Till) -> None:
    for number in range(9):
        till.sell(number)
    source = till.source(page_tickets=3, pause_seconds=2.5)
    source.read()
    assert source.slept == [2.5, 2.5, 2.5]


def test_outside_of_its_hours_a_database_is_left_alone(till: Till) -> None:
    till.sell(1)
    source = till.source(hours="22:00-06:00")
    source.read(FIRST_READ)
    assert (numbers(source), source.notes) == ([], ["not read: outside of hours 22:00-06:00"])
    with pytest.raises(DeferError):
        source.read(FIRST_READ, "customers")
    source.read(FIRST_READ.replace(hour=23))
    assert numbers(source) == [1]


def test_a_read_stops_between_pages_when_the_hours_are_over(till: Till) -> None:
    for number in range(9):
        till.sell(number)
    source = till.source(hours="22:00-06:00", page_tickets=3)
    source.now = FIRST_READ.replace(hour=5, minute=59)
    (stream, _) = source.source.streams()
    pages = stream.read({})
    first = next(pages)
    source.now += dt.timedelta(minutes=2)
    last = list(pages)
    assert len(first.tables["orders"]) == 3
    assert [page.notes for page in last] == [("stopped: hours 22:00-06:00 are over; the next run goes on",)]
    source.states["orders"] = dict(first.cursor or {})
    source.read(FIRST_READ.replace(hour=22))
    assert numbers(source) == list(range(3, 9))


@pytest.mark.parametrize(
    ("hours", "clock", "inside"),
    [
        ("22:00-06:00", "23:00", True), ("22:00-06:00", "05:59", True), ("22:00-06:00", "06:00", False), ("22:00-06:00", "12:00", False),
        ("01:00-05:00", "01:00", True), ("01:00-05:00", "05:00", False), (None, "12:00", True),
    ],
)  # fmt: skip
def test_hours_may_go_over_midnight(hours: str | None, clock: str, inside: bool) -> None:
    assert within(hours, dt.time.fromisoformat(clock)) is inside


def test_a_row_that_cannot_be_read_is_put_aside_and_its_ticket_says_so(till: Till) -> None:
    till.sell(1)
    till.db.execute("INSERT INTO l VALUES (1, 'B', 'two', 3, 0, NULL)")
    till.db.execute("INSERT INTO l VALUES (1, 'C', 1, NULL, 0, NULL)")
    till.sell(2, "someday")
    till.sell(3)
    source = till.source()
    orders = {order.source_id: order for order in source.read()}
    assert sorted(orders) == ["1", "3"]
    assert orders["1"].flags == ("line_rejected",)
    assert sorted((reject.code, reject.column, reject.source_id) for reject in source.rejects) == [
        ("amount_missing", "net_amount", "1"), ("number_unreadable", "quantity", "1"), ("time_unreadable", "ordered_at", "2"),
    ]  # fmt: skip


def test_lists_are_read_whole_and_keep_what_has_no_column(till: Till) -> None:
    till.db.executemany(
        "INSERT INTO m VALUES (?, ?, ?, ?, ?)",
        [(f"M{n}", f"1540000000{n}", f"名{n}", n * 10, "杭州") for n in range(5)],
    )
    till.db.execute("INSERT INTO m VALUES ('M9', '154****0009', NULL, 'many', NULL)")
    source = till.source(page_tickets=2)
    members = {each.source_id: each for each in source.read(stream="customers")}
    assert sorted(members) == [f"M{n}" for n in range(5)]
    assert (members["M3"].points, members["M3"].city) == (30, "杭州")
    assert [(each.kind, each.value) for each in members["M3"].identifiers] == [("phone", "15400000003")]
    assert [reject.column for reject in source.rejects] == ["points"]
    assert source.states["customers"] == {}


def test_a_masked_phone_identifies_nobody(till: Till) -> None:
    till.db.execute("INSERT INTO m VALUES ('M9', '154****0009', NULL, 1, NULL)")
    (member,) = till.source().read(stream="customers")
    assert [each.kind for each in member.identifiers] == ["phone_masked"]


def test_unknown_columns_of_a_ticket_are_kept(till: Till) -> None:
    till.sell(1, changed="yesterday")
    (order,) = till.source().read()
    assert order.extra == {"changed": "yesterday"}


def test_words_without_a_meaning_are_told(till: Till) -> None:
    till.sell(1, kind="Retoure")
    source = till.source()
    source.read()
    assert source.notes == ["words in kind of tickets the mapping has no meaning for: Retoure (1)"]


def test_a_check_names_what_each_query_lacks(till: Till) -> None:
    source = till.source(
        {"tickets": "SELECT id, at AS orderd_at FROM t", "window": None, "tenders": "SELECT id, way FROM nowhere"}
    )
    told = {check.name: check.message for check in source.source.check() if not check.ok}
    assert told["query orders.tickets"] == "it lacks ordered_at; perhaps orderd_at AS ordered_at"
    assert "nowhere" in told["query orders.tenders"]


def test_another_edition_is_told_with_the_columns_it_lacks(till: Till) -> None:
    source = Direct(till.folder, DatabaseSource, url="sqlite:///till.db", mapping="siss")
    with pytest.raises(StreamError) as caught:
        source.read()
    assert caught.value.code == "columns_missing"
    assert "there is no table t_rm_payflow" in str(caught.value)


def test_a_preset_is_changed_in_a_few_words(till: Till) -> None:
    mapping = {"extends": "siss", "orders": {"words": {"tenders": {"07": "stored_value"}}}}
    source = Direct(till.folder, DatabaseSource, url="sqlite:///till.db", mapping=mapping)
    words = source.source.mapping.orders.words.tenders
    assert (words["07"], words["RMB"], next(iter(words))) == ("stored_value", "cash", "07")


def test_a_wrong_key_is_told_with_the_nearest_right_one(till: Till) -> None:
    with pytest.raises(ConfigError) as caught:
        till.source({"curser": "id"})
    assert "Did you mean cursor?" in str(caught.value)


@given(
    st.one_of(
        st.integers(),
        st.text(),
        st.decimals(allow_nan=False, allow_infinity=False),
        st.datetimes(),
        st.dates(),
        st.binary(),
    )
)
@settings(max_examples=50, deadline=None)
def test_any_cursor_survives_as_json(value: object) -> None:
    assert unpack(pack(value)) == value
