"""Alerts of early warning: one per silence, closed by a purchase, a contact or loss, and quiet for a while after."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from learning_chain import TODAY, Purchases, Relations, inputs_of, scored

from hub.models import MemoryModels
from plugins.retail.models.alerts import NEVER, AlertRules, alert_days, alert_ids
from plugins.retail.models.btyd import Btyd, Kind
from plugins.retail.models.daily import daily_of, day_number
from plugins.retail.models.forecast import Forecast
from plugins.retail.models.silence import Silence
from plugins.retail.rules import RuleSet

DAY = day_number(TODAY)
RULES = AlertRules(active=60, loss=120, high=0.6, cooldown=30)
MODEL = Silence(Btyd(Kind.MBG, 0.8, 6.0, 1.0, 3.0, 0.0, 1), 40.0, 60, {30: None, 60: None})


def alert(*days_ago: int, contacted: int | None = None, rules: AlertRules = RULES) -> int | None:
    """How many days ago the alert of a customer with these purchases is counted from."""
    daily = daily_of([0] * len(days_ago), [DAY - ago for ago in days_ago], [30.0] * len(days_ago))
    contacts = np.array([NEVER if contacted is None else DAY - contacted], np.int32)
    found = int(alert_days(daily, DAY, MODEL, rules, contacts)[0])
    return None if found == NEVER else DAY - found


def weekly_until(last: int) -> list[int]:
    return [last + 7 * n for n in range(10)]


def test_a_regular_who_stays_away_has_an_alert_counted_from_the_last_purchase() -> None:
    assert alert(*weekly_until(3)) is None
    assert alert(*weekly_until(50)) == 50


def test_it_stands_beyond_the_active_limit_until_loss() -> None:
    assert [alert(*weekly_until(last)) for last in (60, 61, 120, 121)] == [60, 61, 120, None]


def test_a_purchase_closes_it_and_for_a_while_there_is_no_other() -> None:
    came_back_once = [*weekly_until(150), 90]
    assert alert(*came_back_once, rules=AlertRules(60, 120, 0.6, 91)) is None
    assert alert(*came_back_once, rules=AlertRules(60, 120, 0.6, 90)) == 90


def test_a_purchase_in_good_time_begins_no_rest() -> None:
    assert alert(*weekly_until(90), rules=AlertRules(60, 120, 0.6, 91)) == 90


@pytest.mark.parametrize(("contacted", "since"), [(29, None), (30, 30), (45, 45), (55, 50)])
def test_a_contact_closes_it_and_the_next_one_is_counted_from_there(contacted: int, since: int | None) -> None:
    assert alert(*weekly_until(50), contacted=contacted) == since


def test_the_id_names_day_and_customer() -> None:
    days = np.array([day_number(dt.date(2026, 3, 12)), NEVER], np.int32)
    assert alert_ids(pa.array(["C1", "C2"]), days).to_pylist() == ["churn-20260312-C1", None]


def test_alerts_are_of_the_band_high_and_go_on_where_no_chance_is_told(chain: Purchases, forecast: pa.Table) -> None:
    stages = RuleSet.model_validate({"trade": "tea"}).stages
    last = np.zeros(int(chain.customer.max()) + 1)
    known = chain.before(DAY)
    np.maximum.at(last, known.customer, known.day)
    seen = {True: 0, False: 0}
    for row in forecast.select(["customer_id", "churn_band", "alert_id"]).to_pylist():
        silent = DAY - last[int(row["customer_id"][1:])]
        if row["alert_id"]:
            assert silent <= stages.slipping
            assert row["churn_band"] == ("high" if silent <= stages.active else None)
            seen[silent <= stages.active] += 1
    assert min(seen.values()) > 0


def test_the_next_day_those_who_stay_away_keep_their_alert_and_a_contact_closes_it(
    chain: Purchases, forecast: pa.Table, fitted: MemoryModels
) -> None:
    ids = dict(zip(forecast["customer_id"].to_pylist(), forecast["alert_id"].to_pylist(), strict=True))
    held = sorted(who for who, one in ids.items() if one)
    inputs = inputs_of(chain.before(DAY), TODAY + dt.timedelta(days=1), Forecast.Config(), fitted)
    assert isinstance(inputs.arrow, Relations)
    event = f"SELECT '{held[0]}' AS customer_id, 'contact.outcome' AS type, DATE '{TODAY}' AS business_date"
    inputs.arrow.add("events", inputs.arrow(event))
    found = scored(Forecast(), inputs)
    next_day = dict(zip(found["customer_id"].to_pylist(), found["alert_id"].to_pylist(), strict=True))
    assert next_day[held[0]] is None
    kept = [next_day[who] == ids[who] for who in held[1:]]
    assert np.mean(kept) > 0.8
    assert all(next_day[who] in (None, ids[who]) for who in held[1:])
