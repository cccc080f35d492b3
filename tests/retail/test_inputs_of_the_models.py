"""What the models read of a warehouse: the layer is the rule set's, and an earlier day is seen as it was."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from till import TODAY, Till, days_ago, order

from hub.records import Order, OrderLine
from hub.scorer import Inputs, Scorer, ScorerConfig
from plugins.retail.models.daily import Daily, day_number, read_buyers, read_daily, read_ids
from plugins.retail.models.features import Snapshot, snapshot
from plugins.retail.taste import Taste

KINDS = ("tea", "cake", "bread", "cups")
LAYERS = ("growing", "new", "loyal", "sleeping")


def line(category: str | None, **more: Any) -> OrderLine:
    name = f"{category} of the house"
    return OrderLine(name=name, category=category, quantity=Decimal(1), net_amount=Decimal(5), **more)


def drawn(seed: int) -> list[Order]:
    """Orders of sixty customers, some of whom come often and some of whom have left."""
    draw = np.random.default_rng(seed)
    found = []
    for who in range(60):
        last, span = draw.choice([2, 10, 100, 200]), draw.choice([15, 80, 300])
        for n, ago in enumerate(last + draw.integers(0, span, draw.integers(1, 60))):
            goods = tuple(line(KINDS[one]) for one in set(draw.integers(0, 4, draw.integers(0, 3)).tolist()))
            channel = ("store", "miniprogram")[int(draw.integers(0, 2))]
            amount = str(draw.integers(5, 300))
            found.append(order(f"{who}-{n}", f"c{who:02}", amount, days=float(ago), channel=channel, lines=goods))
    return found


class Looking:
    """What the models read, of one as_of; set by the scorer below."""

    daily: Daily
    ids: list[str]


class Look(Scorer):
    """Reads what models read, and tells nothing."""

    name = "look"
    needs = ("retail", "taste")
    Config = ScorerConfig
    traits = ()

    def score(self, inputs: Inputs) -> str:
        Looking.daily = read_daily(inputs, read_buyers(inputs))
        Looking.ids = read_ids(inputs).to_pylist()
        return "SELECT customer_id FROM people"


def seen(till: Till, as_of: dt.datetime = TODAY, **rules: Any) -> tuple[Daily, list[str], dict[str, dict[str, Any]]]:
    """Purchase days as the models read them, whose they are, and the traits of the same as_of."""
    traits = till.traits(as_of, also=(Taste, Look), **rules)
    return Looking.daily, Looking.ids, traits


def by_customer(daily: Daily, ids: list[str], day: int) -> tuple[Snapshot, list[str]]:
    known = snapshot(daily, day, 30.0)
    return known, [ids[who] for who in known.who]


@pytest.mark.parametrize("trade", ["retail", "tea", "restaurant", "convenience", "beauty"])
def test_today_s_layer_is_that_of_the_rule_set(till: Till, trade: str) -> None:
    till.take(*drawn(len(trade)))
    daily, ids, traits = seen(till, trade=trade)
    known, whose = by_customer(daily, ids, day_number(TODAY.date()))
    told = {who: LAYERS[layer] for who, layer in zip(whose, known.layer, strict=True)}
    assert told == {who: row["value_layer"] for who, row in traits.items()}
    assert set(told.values()) == set(LAYERS)


def test_an_earlier_day_is_seen_as_it_was_on_that_day(till: Till) -> None:
    """What the models learn of a cut, beside what a run on the day of the cut reads."""
    till.take(*drawn(3))
    daily, ids, _ = seen(till)
    for ago in (40, 120):
        then, then_ids, _ = seen(till, days_ago(ago))
        day = day_number(days_ago(ago).date())
        learnt, who = by_customer(daily, ids, day)
        known, whose = by_customer(then, then_ids, day)
        assert who == whose
        assert np.array_equal(learnt.features, known.features)
        assert len(np.unique(learnt.categories)) > 2


def test_channel_and_categories_are_counted_by_day(till: Till) -> None:
    till.take(
        order("1", "anna", "20", days=30, lines=(line("tea"), line("tea"))),
        order("2", "anna", "20", days=30, channel="delivery", lines=(line("cake"),)),
        order(
            "3",
            "anna",
            "20",
            days=20,
            channel="online",
            lines=(line("tea"), line(None), line("deposit", kind="deposit")),
        ),
        order("4", "anna", "20", days=10, lines=(line("bread"),)),
        order("5", "bert", "20", days=10),
    )
    daily, ids, _ = seen(till)
    assert ids == ["anna", "bert"]
    assert daily.customer.tolist() == [0, 0, 0, 1]
    assert daily.online.tolist() == [0.5, 1.0, 0.0, 0.0]
    assert daily.categories.tolist() == [2, 0, 1, 0]


def test_a_chain_without_lines_is_read_as_one_of_unknown_categories(till: Till) -> None:
    till.take(order("1", "anna", "20"), order("2", "bert", "30"))
    daily, ids, _ = seen(till)
    assert daily.categories.tolist() == [0, 0]
    assert by_customer(daily, ids, day_number(TODAY.date()))[0].categories.tolist() == [0.0, 0.0]
