"""The truth about behaviour can be found again in the orders: rates, drop-out, habits, seasons, taste, marketing."""

from datetime import date, timedelta

import duckdb
import numpy as np
import pytest

from hub.simulation.world import PROFILES, Behaviour, Difficulties, World
from hub.simulation.world.baskets import draw_lines, expected_lines

TEA = PROFILES["tea"].behaviour
#: Nothing but the gamma mixture of Poisson processes: everybody is a customer from the start and for ever.
PLAIN = Behaviour(
    dropout="none", one_time_share=0, never_buys=0, already_customers=1, response_mean=0, response_spread=0,
    wholesale_share=0, staff_share=0, test_share=0, refund_share=0,
)  # fmt: skip


def make(behaviour: Behaviour, people: int = 4_000, days: int = 84, **options) -> World:
    return World.generate(
        people=people, seed=5, days=days, behaviour=behaviour, difficulties=Difficulties.none(), **options
    )


def ask(world: World, query: str) -> list[tuple]:
    """Run SQL over the truth and the till's and mini-program's tables."""
    connection = duckdb.connect()
    for name in ("people", "orders", "profiles", "campaigns"):
        connection.register(name, getattr(world.truth, name))
    for platform in ("pos", "miniprogram"):
        connection.register(f"{platform}_orders", world.view(platform).table("orders"))
        connection.register(f"{platform}_lines", world.view(platform).table("order_lines"))
    connection.execute("SET TimeZone = 'Asia/Shanghai'")
    return connection.execute(query).fetchall()


def tea_segments(world: World) -> dict[str, float]:
    """Shares of heavy, tasting and sleeping customers among all who ever bought, by the usual definitions."""
    row = ask(
        world,
        f"""WITH visit AS (SELECT person_id, date_diff('day', happened_at, TIMESTAMPTZ '{world.end.isoformat()}') AS ago
                           FROM orders WHERE person_id IS NOT NULL AND repeats_order_id IS NULL),
                 customer AS (SELECT person_id, count(*) FILTER (ago < 28) / 4 AS weekly, count(*) FILTER (ago < 30) AS month,
                                     min(ago) AS recency FROM visit GROUP BY ALL)
            SELECT avg((weekly >= 3)::INT), avg((month BETWEEN 1 AND 2)::INT), avg((recency >= 60)::INT) FROM customer""",
    )[0]
    return dict(zip(("heavy", "tasting", "sleeping"), row, strict=True))


@pytest.fixture(scope="module")
def usual() -> World:
    """Eleven months of the default tea chain without difficulties of identity."""
    return World.generate(people=5_000, seed=5, days=336, difficulties=Difficulties.none())


def test_shares_of_heavy_tasting_and_sleeping_customers_are_plausible(usual):
    shares = tea_segments(usual)
    assert 0.005 < shares["heavy"] < 0.05
    assert 0.12 < shares["tasting"] < 0.40
    assert 0.30 < shares["sleeping"] < 0.65


def test_the_shares_follow_their_parameters(usual):
    before = tea_segments(usual)
    faster = Behaviour(weekly_visits=TEA.weekly_visits * 2.5)
    assert tea_segments(make(faster, people=2_000, days=336))["heavy"] > 2 * before["heavy"]
    assert (
        tea_segments(make(Behaviour(lifetime_days=90), people=2_000, days=336))["sleeping"] > before["sleeping"] + 0.1
    )
    assert faster.heavy_share() > 2 * TEA.heavy_share()


def purchases(world: World) -> np.ndarray:
    """Purchases per person, those without any included."""
    persons = world.truth.orders["person_id"].to_numpy()
    return np.bincount(persons, minlength=world.setting.people)


def test_purchases_spread_as_a_negative_binomial():
    behaviour = Behaviour(**{**vars(PLAIN), "rate_shape": 0.7, "weekly_visits": 0.5})
    counts = purchases(make(behaviour, people=12_000))
    rates = make(behaviour, people=12_000).truth.people["weekly_rate"].to_numpy()
    mean, variance = counts.mean(), counts.var()
    assert rates.mean() == pytest.approx(0.5, rel=0.05)
    assert mean == pytest.approx(0.5 * 12, rel=0.15)  # twelve weeks, in the season in which they fall
    assert mean**2 / (variance - mean) == pytest.approx(0.7, rel=0.12)  # method of moments for the shape
    zero = (1 + mean / 0.7) ** -0.7
    assert (counts == 0).mean() == pytest.approx(zero, rel=0.1)


def test_lifetimes_have_their_mean_and_end_the_purchases():
    behaviour = Behaviour(**{**vars(PLAIN), "dropout": "exponential", "lifetime_days": 60, "lifetime_shape": 5})
    world = make(behaviour, people=3_000, days=728)
    lives = ask(world, "SELECT avg(date_diff('day', arrived_at, left_at)), count(left_at) / count(*) FROM people")[0]
    assert lives[0] == pytest.approx(60, rel=0.12)
    assert lives[1] > 0.98
    after = ask(world, "SELECT count(*) FROM orders JOIN people USING (person_id) WHERE happened_at > left_at")
    assert after == [(0,)]


def test_people_can_drop_out_by_purchases():
    behaviour = Behaviour(**{**vars(PLAIN), "dropout": "geometric", "dropout_a": 2.0, "dropout_b": 4.0, "already_customers": 0,
                             "arrival_days": 20, "weekly_visits": 7, "rate_shape": 5})  # fmt: skip
    counts = purchases(make(behaviour, people=4_000, days=300))
    bought = counts[counts > 0]
    assert (bought == 1).mean() == pytest.approx(2 / 6, rel=0.1)  # the mean of Beta(2, 4)
    assert not ask(
        make(behaviour, people=400, days=30),
        "SELECT 1 FROM orders JOIN people USING (person_id) WHERE happened_at > left_at",
    )


def test_one_time_buyers_come_once():
    behaviour = Behaviour(
        **{**vars(PLAIN), "dropout": "exponential", "one_time_share": 0.5, "already_customers": 0, "arrival_days": 5}
    )
    counts = purchases(make(behaviour, people=3_000, days=120))
    assert (counts == 1).mean() > 0.5


def test_habits_of_the_week_and_the_day(usual):
    rows = ask(
        usual,
        """SELECT rhythm, avg((isodow(happened_at) >= 6)::INT), avg((hour(happened_at) BETWEEN 12 AND 16)::INT)
           FROM orders JOIN people USING (person_id) GROUP BY ALL""",
    )
    weekend = {rhythm: share for rhythm, share, _ in rows}
    afternoon = {rhythm: share for rhythm, _, share in rows}
    assert weekend["weekend"] > 2 * weekend["office"]
    assert afternoon["office"] > 1.5 * afternoon["evening"]


def test_people_have_an_hour_of_their_own(usual):
    spread = ask(
        usual,
        """WITH each AS (SELECT rhythm, person_id, var_pop(hour(happened_at)) AS own, count(*) AS n FROM orders JOIN people USING (person_id)
                         GROUP BY ALL HAVING n >= 20),
                all_of AS (SELECT rhythm, var_pop(hour(happened_at)) AS everybody FROM orders JOIN people USING (person_id) GROUP BY ALL)
           SELECT avg(own / everybody) FROM each JOIN all_of USING (rhythm)""",
    )[0][0]
    assert spread < 0.92


def test_seasons_move_what_is_drunk(usual):
    by_season = dict(
        ask(
            usual,
            """SELECT quarter(business_date), avg((product_id LIKE 'T2%')::INT) FROM pos_orders JOIN pos_lines USING (order_id) GROUP BY ALL""",
        )
    )
    assert by_season[3] > 1.2 * by_season[1]


def test_qixi_lifts_the_demand_and_its_own_article():
    world = World.generate(people=6_000, seed=6, days=40, start=date(2025, 8, 1))
    qixi = date(2025, 8, 29)
    per_day = dict(ask(world, "SELECT business_date, count(*) FROM pos_orders GROUP BY ALL"))
    same_weekday = [per_day[qixi - timedelta(days=7 * weeks)] for weeks in (1, 2, 3)]
    assert per_day[qixi] > 1.3 * np.mean(same_weekday)
    special = "SELECT min(business_date), max(business_date) FROM pos_orders JOIN pos_lines USING (order_id) WHERE product_name LIKE '七夕%'"
    assert ask(world, special) == [(qixi - timedelta(days=5), qixi)]


def test_coffee_goes_with_bakery(usual):
    lift = ask(
        usual,
        """WITH basket AS (SELECT order_id, bool_or(product_id LIKE 'T4%') AS coffee, bool_or(product_id LIKE 'T5%') AS bakery
                           FROM pos_lines GROUP BY ALL HAVING count(*) > 1)
           SELECT avg((coffee AND bakery)::INT) / (avg(coffee::INT) * avg(bakery::INT)) FROM basket""",
    )[0][0]
    assert lift > 1.4


def test_people_come_back_to_their_favourite(usual):
    own, others = ask(
        usual,
        """WITH line AS (SELECT person_id, product_id, favourite_product_id, loyalty FROM pos_lines
                         JOIN orders ON orders.platform = 'pos' AND orders.order_id = pos_lines.order_id JOIN people USING (person_id))
           SELECT avg((product_id = favourite_product_id)::INT) FILTER (loyalty > 0.7),
                  avg((product_id = favourite_product_id)::INT) FILTER (loyalty < 0.4) FROM line""",
    )[0]
    assert own > 2 * others
    assert own > 0.3


def test_the_baskets_of_a_day_hold_what_the_truth_expects(usual):
    block, times, period = usual.history(0).block, 20_000, 6
    drinks_coffee = int(np.argmax(block.taste.loyalty * (block.taste.category == 3)))
    person = np.repeat([0, 1, 2, drinks_coffee], times)
    day = np.repeat([168, 180, 195, 170], times)
    lines = draw_lines(block, person, day, np.zeros(len(person), bool), period)
    expected = expected_lines(block, person[::times], day[::times])
    drawn = np.zeros_like(expected)
    np.add.at(drawn, (lines.order // times, lines.product), 1 / times)
    assert np.abs(drawn - expected).max() < 0.03
    assert drawn.sum(axis=1) == pytest.approx(expected.sum(axis=1), abs=0.04)


def test_the_low_sugar_green_tea_is_tried_by_tasters_and_rarely_bought_again(usual):
    rows = ask(
        usual,
        """WITH line AS (SELECT person_id, product_name, weekly_rate, business_date FROM pos_lines JOIN pos_orders USING (order_id)
                         JOIN orders ON orders.platform = 'pos' AND orders.order_id = pos_lines.order_id JOIN people USING (person_id)),
                buyer AS (SELECT product_name, person_id, any_value(weekly_rate) AS rate, count(DISTINCT business_date) AS days FROM line GROUP BY ALL)
           SELECT product_name, count(*), median(rate), avg((days > 1)::INT) FROM buyer GROUP BY ALL""",
    )
    facts = {name: (buyers, rate, again) for name, buyers, rate, again in rows}
    tea, best = facts["低糖绿茶"], facts["珍珠奶茶"]
    assert tea[0] < best[0] / 4
    assert tea[1] < best[1]
    assert tea[2] < best[2] / 2


def test_marketing_works_on_those_it_truly_works_on():
    world = make(Behaviour(response_mean=0.4, response_spread=0.8, weekly_visits=1.0), people=9_000, days=112)
    rows = ask(
        world,
        """WITH reached AS (
               SELECT c.treated, c.marketing_effect > 0.4 AS eager, c.marketing_effect, weekly_rate, c.person_id,
                      date_trunc('day', c.sent_at) AS sent_on
               FROM campaigns c JOIN people p USING (person_id)
               WHERE p.arrived_at < c.sent_at AND (p.left_at IS NULL OR p.left_at > c.sent_at + INTERVAL 8 DAY)),
           bought AS (
               SELECT r.*, count(o.order_id) AS n FROM reached r LEFT JOIN orders o
               ON o.person_id = r.person_id AND o.happened_at BETWEEN r.sent_on AND r.sent_on + INTERVAL 7 DAY GROUP BY ALL)
           SELECT eager, avg(n) FILTER (treated) / avg(n) FILTER (NOT treated),
                  sum(weekly_rate * (1 + marketing_effect)) / sum(weekly_rate) FROM bought GROUP BY ALL""",
    )
    measured = {eager: ratio for eager, ratio, _ in rows}
    assert measured[True] > 1.5
    assert measured[False] < 1.0
    assert all(ratio == pytest.approx(truth, rel=0.12) for _, ratio, truth in rows)


def test_the_treated_are_drawn_by_lot(usual):
    treated, difference = ask(
        usual,
        """SELECT avg(treated::INT), avg(weekly_rate) FILTER (treated) / avg(weekly_rate) FILTER (NOT treated)
           FROM campaigns JOIN people USING (person_id)""",
    )[0]
    assert treated == pytest.approx(0.5, abs=0.02)
    assert difference == pytest.approx(1, abs=0.1)


def test_the_truth_says_who_is_still_a_customer(usual):
    rows = dict(
        ask(
            usual,
            f"""SELECT alive, avg(n) FROM (SELECT alive, person_id, count(o.order_id) FILTER (
                    o.happened_at > TIMESTAMPTZ '{usual.end.isoformat()}' - INTERVAL 28 DAY) AS n
                FROM people LEFT JOIN orders o USING (person_id) GROUP BY ALL) GROUP BY ALL""",
        )
    )
    assert rows[True] > 5 * rows[False]


def test_refunds_have_their_rate(usual):
    share = ask(usual, "SELECT avg((refunded_fen > 0)::INT) FROM pos_orders WHERE kind = 'sale'")[0][0]
    assert share == pytest.approx(TEA.refund_share, rel=0.25)


def test_stored_value_and_third_parties_take_part_of_the_payments(usual):
    tenders = usual.view("pos").table("tenders")
    shares = {
        row["values"]: row["counts"] / tenders.num_rows
        for row in tenders["tender"].combine_chunks().cast("string").value_counts().to_pylist()
    }
    assert shares["wechat_pay"] > shares["alipay"] > shares["cash"] > 0
    assert 0.02 < shares["stored_value"] < 0.2
    assert 0.02 < shares["third_party_voucher"] < 0.08


def test_the_clothing_chain_sells_dearer_and_less_often_and_takes_more_back():
    fashion = World.generate(people=3_000, seed=5, days=365, profile="fashion")
    query = "SELECT count(*), median(paid_fen), avg((refunded_fen > 0)::INT) FROM pos_orders WHERE kind = 'sale'"
    tea = World.generate(people=3_000, seed=5, days=365)
    (visits, basket, returns), (tea_visits, tea_basket, tea_returns) = ask(fashion, query)[0], ask(tea, query)[0]
    assert visits < tea_visits / 2
    assert basket > 8 * tea_basket
    assert returns > 3 * tea_returns
