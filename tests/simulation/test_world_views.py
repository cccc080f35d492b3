"""What the platforms serve is complete, consistent and free of the truth."""

import re
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow.compute as pc
import pytest

from hub.simulation.world import SCHEMAS, TABLES_OF, ZONE, Difficulties, World

SHOPS = ("pos", "youzan", "weimob", "miniprogram")


@pytest.fixture(scope="module")
def world() -> World:
    return World.generate(people=2_000, seed=11, days=300)


@pytest.fixture(scope="module", params=["tea", "fashion"])
def any_world(request, world) -> World:
    return world if request.param == "tea" else World.generate(people=1_500, seed=12, days=300, profile="fashion")


def ask(view, query: str) -> list[tuple]:
    """Run SQL over a view's tables, each under its own name."""
    connection = duckdb.connect()
    for name in view.tables:
        connection.register(name, view.table(name))
    return connection.execute(query).fetchall()


@pytest.mark.parametrize("platform", TABLES_OF)
def test_every_table_has_the_promised_columns_and_rows(any_world, platform):
    view = any_world.view(platform)
    for name in view.tables:
        table = view.table(name)
        table.validate(full=True)
        assert table.schema == SCHEMAS[name]
        assert table.num_rows > 0, name


@pytest.mark.parametrize("platform", SHOPS)
def test_money_adds_up_on_every_order(any_world, platform):
    wrong = ask(
        any_world.view(platform),
        """
        WITH lines AS (
            SELECT order_id, sum(net_fen) AS net, sum(goods_fen) AS goods, sum(quantity) AS units,
                   bool_and(goods_fen = quantity * unit_fen AND net_fen = goods_fen - discount_fen AND net_fen >= 0) AS fair
            FROM order_lines GROUP BY ALL),
        tender AS (SELECT order_id, sum(amount_fen) AS amount FROM tenders GROUP BY ALL)
        SELECT orders.order_id FROM orders LEFT JOIN lines USING (order_id) LEFT JOIN tender USING (order_id)
        WHERE NOT coalesce(fair AND net + delivery_fen - rounding_fen = paid_fen AND goods = goods_fen
              AND goods_fen - promotion_fen - coupon_fen + delivery_fen - rounding_fen = paid_fen
              AND lines.units = orders.units AND refunded_fen <= paid_fen
              AND CASE status WHEN 'closed' THEN amount IS NULL ELSE amount = paid_fen END, false)
        """,
    )
    assert wrong == []


@pytest.mark.parametrize("platform", SHOPS)
def test_every_reference_leads_somewhere_on_the_same_platform(any_world, platform):
    view = any_world.view(platform)
    references = [
        *(
            (table, "member_id", "members", "member_id")
            for table in TABLES_OF[platform]
            if table not in ("members", "order_lines", "tenders")
        ),
        *(
            (table, "order_id", "orders", "order_id")
            for table in ("order_lines", "tenders", "refunds", "points", "stored_value", "feedback")
        ),
        ("orders", "shop_id", "shops", "shop_id"),
        ("orders", "guide_id", "staff", "staff_id"),
        ("orders", "coupon_code", "coupons", "coupon_code"),
        ("coupons", "used_order_id", "orders", "order_id"),
        ("order_lines", "product_id", "products", "product_id"),
        ("order_lines", "sku_id", "skus", "sku_id"),
        ("members", "merged_into", "members", "member_id"),
        ("members", "level_code", "levels", "level_code"),
    ]
    for table, column, target, key in references:
        lost = ask(
            view,
            f"SELECT count(*) FROM {table} WHERE {column} IS NOT NULL AND {column} NOT IN (SELECT {key} FROM {target})",
        )
        assert lost == [(0,)], f"{table}.{column}"


def test_wecom_relations_lead_to_contacts_and_guides(world):
    view = world.view("wecom")
    for table, column, target, key in (
        ("follows", "member_id", "contacts", "member_id"),
        ("follows", "staff_id", "staff", "staff_id"),
        ("group_members", "member_id", "contacts", "member_id"),
        ("group_members", "group_id", "groups", "group_id"),
        ("groups", "owner_staff_id", "staff", "staff_id"),
        ("messages", "member_id", "contacts", "member_id"),
    ):
        lost = ask(view, f"SELECT count(*) FROM {table} WHERE {column} NOT IN (SELECT {key} FROM {target})")
        assert lost == [(0,)], f"{table}.{column}"
    assert ask(view, "SELECT count(*) FROM follows WHERE ended_by = 'transfer'") > [(0,)]


@pytest.mark.parametrize("platform", SHOPS)
def test_an_orders_buyer_is_in_the_member_view_of_every_moment(world, platform):
    for days in (3, 40, 120):
        view = world.at(world.start + timedelta(days=days, hours=13)).view(platform)
        lost = ask(view, "SELECT count(*) FROM orders WHERE member_id NOT IN (SELECT member_id FROM members)")
        early = ask(
            view, "SELECT count(*) FROM orders o JOIN members m USING (member_id) WHERE o.received_at < m.created_at"
        )
        assert (lost, early) == ([(0,)], [(0,)])


@pytest.mark.parametrize("platform", SHOPS)
def test_balances_are_the_sums_of_their_ledgers_and_never_negative(any_world, platform):
    view = any_world.view(platform)
    for table, change, balance, column in (
        ("points", "change", "balance", "points"),
        ("stored_value", "change_fen", "balance_fen", "balance_fen"),
    ):
        wrong = ask(
            view,
            f"""SELECT m.member_id FROM members m LEFT JOIN (
                    SELECT member_id, sum({change}) AS total, min({balance}) AS lowest FROM {table} GROUP BY ALL) USING (member_id)
                WHERE m.{column} <> coalesce(total, 0) OR lowest < 0""",
        )
        assert wrong == []


def test_a_coupon_is_used_once_in_its_time_by_its_holder(world):
    for platform in SHOPS:
        view = world.view(platform)
        wrong = ask(
            view,
            """SELECT c.coupon_code FROM coupons c JOIN orders o ON o.order_id = c.used_order_id
               WHERE c.member_id <> o.member_id OR c.coupon_code <> o.coupon_code OR c.status <> 'used'
                  OR NOT o.received_at >= c.taken_at OR o.coupon_fen = 0""",
        )
        assert wrong == []
        assert ask(view, "SELECT count(coupon_code), count(DISTINCT coupon_code) FROM orders")[0][0] > 0
        assert ask(view, "SELECT count(coupon_code) = count(DISTINCT coupon_code) FROM orders") == [(True,)]


def test_articles_are_sold_only_while_they_are_on_sale(world):
    christmas = world.at(datetime(2025, 7, 1, tzinfo=ZONE))
    sold = set(pc.unique(christmas.view("pos").table("order_lines")["product_name"]).to_pylist())
    assert "七夕限定玫瑰奶茶" not in sold
    assert "西瓜啵啵" in sold
    winter = ask(
        world.view("pos"),
        """SELECT DISTINCT month(business_date) FROM orders JOIN order_lines USING (order_id) WHERE product_name = '西瓜啵啵'""",
    )
    assert {month for (month,) in winter} <= {6, 7, 8, 9}


def test_tills_are_busy_in_opening_hours_only():
    world = World.generate(people=1_500, seed=11, days=60, difficulties=Difficulties.none())
    wrong = ask(
        world.view("pos"),
        """SELECT o.order_id FROM orders o JOIN shops s USING (shop_id)
           WHERE date_diff('second', business_date::TIMESTAMP, (ordered_at AT TIME ZONE 'Asia/Shanghai'))
                 NOT BETWEEN s.opens_hour * 3600 AND s.closes_hour * 3600""",
    )
    assert wrong == []


def test_orders_are_made_in_shops_that_are_open_and_by_guides_who_work_there(world):
    wrong = ask(
        world.view("pos"),
        """SELECT o.order_id FROM orders o JOIN shops s USING (shop_id) LEFT JOIN staff g ON g.staff_id = o.guide_id
           WHERE business_date < s.opened_on OR business_date >= s.closed_on OR g.shop_id <> o.shop_id
              OR business_date < (g.hired_at AT TIME ZONE 'Asia/Shanghai')::DATE OR business_date >= (g.left_at AT TIME ZONE 'Asia/Shanghai')::DATE""",
    )
    assert wrong == []
    come, gone = ask(
        world.view("pos"), "SELECT count(*) FILTER (hired_at > TIMESTAMPTZ '2025-01-01'), count(left_at) FROM staff"
    )[0]
    assert come > 0
    assert gone > 0


def test_nothing_of_the_truth_can_be_read_from_a_view(world):
    for platform in TABLES_OF:
        for name in world.view(platform).tables:
            assert not [
                column for column in SCHEMAS[name].names if re.search(r"person|household|truth|caused|original", column)
            ]
    people = {str(number) for number in world.truth.people["person_id"].to_pylist()}
    ids = set(world.view("pos").table("members")["member_id"].to_pylist())
    assert not ids & people


def test_every_number_and_address_is_fictitious(any_world):
    for platform in TABLES_OF:
        view = any_world.view(platform)
        for name in view.tables:
            for column in SCHEMAS[name].names:
                if "phone" in column and SCHEMAS[name].field(column).type == "string":
                    texts = view.table(name)[column].drop_null().to_pylist()
                    digits = {
                        re.sub(r"\D", "", text.translate({0xFF10 + digit: 48 + digit for digit in range(10)}))
                        for text in texts
                    }
                    assert all(re.fullmatch(r"(0086|86)?154(\d{8}|\d{4})", number) for number in digits), (name, column)
                if column == "email":
                    assert all(
                        text.endswith("@example.com") for text in view.table(name)[column].drop_null().to_pylist()
                    )


def test_a_late_ticket_appears_when_it_arrives_and_keeps_its_time():
    world = World.generate(people=300, seed=2, days=30, difficulties=Difficulties(late_ticket=1.0, wrong_clock=0.0))
    rows = world.at(world.start + timedelta(days=10)).view("pos").table("orders").to_pylist()
    assert all(row["received_at"] - row["ordered_at"] >= timedelta(hours=1) for row in rows)
    late = max(rows, key=lambda row: row["received_at"])
    before = world.at(late["received_at"] - timedelta(seconds=1)).view("pos").table("orders")
    assert late["order_id"] not in before["order_id"].to_pylist()
    assert late["updated_at"] >= late["received_at"]


def test_a_member_can_be_added_to_a_ticket_afterwards():
    world = World.generate(people=300, seed=2, days=30, difficulties=Difficulties(late_card=1.0, late_ticket=0.0))
    early, late = (
        world.at(world.start + timedelta(days=days)).view("pos").table("orders").to_pylist() for days in (6, 9)
    )
    known = {row["order_id"]: row for row in late}
    found = [row for row in early if row["member_id"] is None and known[row["order_id"]]["member_id"]]
    assert found
    assert all(known[row["order_id"]]["updated_at"] > row["updated_at"] for row in found)


def test_closed_and_merged_accounts_stay_visible_with_their_end():
    world = World.generate(
        people=800,
        seed=2,
        days=300,
        difficulties=Difficulties(closed_account=0.5, merged_membership=1.0, duplicate_membership=0.5),
    )
    rows = world.view("weimob").table("members").to_pylist()
    closed, merged = ([row for row in rows if row["status"] == status] for status in ("closed", "merged"))
    assert closed
    assert merged
    assert all(row["closed_at"] and row["updated_at"] >= row["closed_at"] for row in closed)
    assert all(row["merged_at"] and row["merged_into"] not in (None, row["member_id"]) for row in merged)


def test_the_points_of_a_refunded_order_are_taken_back(world):
    reasons = dict(ask(world.view("pos"), "SELECT reason, sign(sum(change)) FROM points GROUP BY ALL"))
    assert reasons == {"order": 1, "refund": -1, "reward": -1}


def test_members_can_go_up_and_down(world):
    moves = ask(
        world.later(days=330).view("pos"),
        "SELECT old_level_code < new_level_code, count(*) FROM level_changes GROUP BY ALL",
    )
    assert dict(moves).keys() == {True, False}


def test_members_of_small_and_large_views_come_in_batches(world):
    view = world.view("pos")
    assert sum(batch.num_rows for batch in view.batches("members")) == view.table("members").num_rows


def test_a_platform_or_table_that_does_not_exist_is_named_with_what_does(world):
    with pytest.raises(ValueError, match="no platform 'taobao'; there are pos, youzan"):
        world.view("taobao")
    with pytest.raises(KeyError, match="wecom has no table 'orders'"):
        world.view("wecom").table("orders")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"people": 199}, "people must lie between 200 and 5000000"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"days": 0}, "days must be 1 or more"),
        ({"profile": "cars"}, "no profile 'cars'; there are tea, fashion"),
        ({"shops": 1}, "shops must lie between 2 and 5000"),
    ],
)
def test_an_impossible_world_is_refused_with_what_is_accepted(options, message):
    with pytest.raises(ValueError, match=message):
        World.generate(**options)


def test_a_moment_needs_a_zone_and_must_lie_in_the_world(world):
    with pytest.raises(ValueError, match="needs a time zone"):
        world.at(datetime(2025, 5, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="lies outside"):
        world.at(datetime(2024, 5, 1, tzinfo=UTC))


def test_the_first_moment_of_a_world_is_empty_but_well_formed(world):
    view = world.at(world.start).view("pos")
    assert view.table("orders").num_rows == 0
    assert view.table("members").num_rows > 0
    for name in view.tables:
        assert view.table(name).schema == SCHEMAS[name]
