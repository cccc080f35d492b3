"""What the destination writes: tags, attributes, levels and cards again and again; points and coupons once."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import pytest
from youzan_rig import Rig, members, operation

from hub.destination import Operation, OperationKind, Outcome, OutcomeStatus
from hub.errors import DeferError, StreamError
from plugins.youzan.config import TagSettings
from plugins.youzan.destination import YouzanDestination
from plugins.youzan.writing.common import as_text
from plugins.youzan.writing.tags import wanted_tags

NewRig = Callable[..., Rig]
ACCEPTED, UNCHANGED, REJECTED, UNKNOWN = "accepted", "unchanged", "rejected", "unknown"
INVALID = "invalid"


def write(destination: YouzanDestination, target: str, operations: Iterable[Operation]) -> list[Outcome]:
    found = next(each for each in destination.targets() if each.name == target)
    return list(destination.write(found, operations))


def statuses(outcomes: Iterable[Outcome]) -> list[str]:
    return [outcome.status.value for outcome in outcomes]


def tags_of(rig: Rig, open_id: str, *, grouped: bool = True) -> set[str]:
    rows = rig.sim.db.rows(
        "SELECT t.name FROM customer_tags AS c JOIN tags AS t ON t.id = c.tag WHERE c.open_id = ? AND (t.category > 0) = ?",
        open_id,
        grouped,
    )
    return {row["name"] for row in rows}


# ---- tags -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"tags": ["rfm_champions", "vip"]}, {"重要价值", "vip"}),
        ({"vip": True, "lost": False}, {"vip"}),
        ({"rfm_code": "541", "r": Decimal(5), "empty": None}, {"rfm_code:541", "r:5"}),
        ({}, set()),
    ],
)
def test_values_become_tag_names(values: dict[str, Any], names: set[str]) -> None:
    assert wanted_tags(values, TagSettings(names={"rfm_champions": "重要价值"})) == names
    named = TagSettings(style="name", names={"rfm_champions": "重要价值"})  # type: ignore[arg-type]
    assert wanted_tags(values, named) == {f"CDP·{name}" for name in names}


def test_customer_carries_just_the_tags_that_are_wanted_and_the_shops_own_stay(rig: Rig) -> None:
    destination = rig.destination()
    key = str(rig.sim.db.value("SELECT open_id FROM customer_tags"))
    own = tags_of(rig, key, grouped=False)
    assert statuses(write(destination, "tag", [operation(1, key, tags=["a", "b"])])) == [ACCEPTED]
    assert tags_of(rig, key) == {"a", "b"}
    assert statuses(write(destination, "tag", [operation(2, key, OperationKind.UPDATE, tags=["b", "c"])])) == [ACCEPTED]
    assert tags_of(rig, key) == {"b", "c"}
    assert statuses(write(destination, "tag", [operation(2, key, OperationKind.UPDATE, tags=["b", "c"])])) == [
        UNCHANGED
    ]
    assert statuses(write(destination, "tag", [operation(3, key, OperationKind.DELETE)])) == [ACCEPTED]
    assert tags_of(rig, key) == set()
    assert tags_of(rig, key, grouped=False) == own != set()


def test_named_tags_are_told_by_their_prefix(rig: Rig) -> None:
    destination = rig.destination(tags={"style": "name"})
    key = str(rig.sim.db.value("SELECT open_id FROM customer_tags"))
    own = tags_of(rig, key, grouped=False)
    write(destination, "tag", [operation(1, key, tags=[f"t{n}" for n in range(25)])])
    assert len(tags_of(rig, key, grouped=False) - own) == 25
    write(destination, "tag", [operation(2, key, OperationKind.UPDATE, tags=["t3"])])
    assert tags_of(rig, key, grouped=False) == {*own, "CDP·t3"}


def test_tag_group_and_tags_are_made_once_although_answers_are_lost(rig: Rig) -> None:
    rig.sim.use_faults("dropped_after_write", rate=0.5)
    keys = members(rig, 12)
    outcomes = write(rig.destination(), "tag", [operation(n, key, tags=["a", "b"]) for n, key in enumerate(keys)])
    assert statuses(outcomes) == [ACCEPTED] * 12
    assert rig.sim.db.value("SELECT count(*) FROM tag_groups") == 1
    assert rig.sim.db.value("SELECT count(*) FROM tags WHERE category > 0") == 2
    assert all(tags_of(rig, key) == {"a", "b"} for key in keys)


def test_refused_row_costs_nobody_else(rig: Rig) -> None:
    keys = [*members(rig, 2), "nobody"]
    outcomes = write(
        rig.destination(), "tag", [operation(n, key, tags=["a" if n else "x" * 31]) for n, key in enumerate(keys)]
    )
    assert [(outcome.status.value, outcome.code) for outcome in outcomes] == [
        (INVALID, "tag_name_long"), (ACCEPTED, ""), (REJECTED, "142400105"),
    ]  # fmt: skip


def test_tags_can_be_read_back(rig: Rig) -> None:
    destination, keys = rig.destination(), members(rig, 4)
    write(destination, "tag", [operation(n, key, tags=["a", "b"][: 1 + n % 2]) for n, key in enumerate(keys)])
    target = next(each for each in destination.targets() if each.name == "tag")
    assert target.readable
    found = {(row.key, row.values["tag"]) for row in destination.read_back(target)}
    assert found == {(key, tag) for n, key in enumerate(keys) for tag in ["a", "b"][: 1 + n % 2]}


def test_missing_package_stops_the_target_with_a_hint(new_rig: NewRig) -> None:
    rig = new_rig(denied=["scrm.tagrelation.add"])
    with pytest.raises(StreamError) as caught:
        write(rig.destination(), "tag", [operation(1, members(rig, 1)[0], tags=["a"])])
    assert "能力包" in caught.value.hint


# ---- attributes, levels, cards ----------------------------------------------------------------------------------------


def test_attributes_are_written_where_they_differ_and_the_gender_stays(rig: Rig) -> None:
    destination = rig.destination(attributes={"rfm_code": "RFM"})
    key = str(
        rig.sim.db.value("SELECT open_id FROM customers WHERE status = 'active' AND json_extract(body, '$.gender') = 2")
    )
    row = operation(1, key, rfm_code="541", 累计净消费=Decimal("12.50"))
    assert statuses(write(destination, "attribute", [row])) == [ACCEPTED]
    stored = {
        each["name"]: each["value"]
        for each in rig.sim.db.rows("SELECT name, value FROM attributes WHERE open_id = ?", key)
    }
    assert stored == {"RFM": "541", "累计净消费": "12.50"}
    assert json.loads(rig.sim.customer(key)["body"])["gender"] == 2
    assert statuses(write(destination, "attribute", [row])) == [UNCHANGED]
    assert rig.sim.journal.counts()["scrm.customerinfo.update"].calls == 1


def test_unknown_attribute_is_the_rows_own_refusal(rig: Rig) -> None:
    outcomes = write(rig.destination(), "attribute", [operation(1, members(rig, 1)[0], shoe_size="42")])
    assert [(outcome.status.value, outcome.code) for outcome in outcomes] == [(REJECTED, "141502130")]
    answer = json.loads(outcomes[0].response)
    assert (answer["code"], answer["said"]) == ("141502130", outcomes[0].message), "what the platform answered is kept"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "是"),
        (False, "否"),
        (Decimal("5.0000"), "5"),
        (Decimal("0.50"), "0.50"),
        (["a", "b"], "a,b"),
        ("2026-03-08", "2026-03-08"),
    ],
)
def test_values_are_written_as_the_console_shows_them(value: object, text: str) -> None:
    assert as_text(value) == text


def test_levels_are_set_by_alias(rig: Rig) -> None:
    gold = str(rig.sim.db.value("SELECT alias FROM levels WHERE rank = 3"))
    destination = rig.destination(levels={"gold": gold})
    one, two = members(rig, 2)
    rows = [operation(1, one, level="gold"), operation(2, two, level=gold), operation(3, two, level="platinum")]
    assert statuses(write(destination, "level", rows)) == [ACCEPTED, ACCEPTED, INVALID]
    assert rig.sim.db.value("SELECT count(*) FROM customers WHERE set_level = ?", gold) == 2
    assert statuses(write(destination, "level", rows[:2])) == [UNCHANGED, UNCHANGED]


def test_card_is_granted_once_and_taken_back(rig: Rig) -> None:
    destination, key = rig.destination(card={"alias": "Y9benefitcard1"}), members(rig, 1)[0]
    granted = write(destination, "benefit_card", [operation(1, key)])
    again = write(destination, "benefit_card", [operation(1, key)])
    assert [*statuses(granted), *statuses(again)] == [ACCEPTED, UNCHANGED]
    assert granted[0].remote_id == again[0].remote_id
    assert statuses(write(destination, "benefit_card", [operation(2, key, OperationKind.DELETE)])) == [ACCEPTED]
    assert statuses(write(destination, "benefit_card", [operation(2, key, OperationKind.DELETE)])) == [UNCHANGED]
    assert rig.sim.db.value("SELECT count(*) FROM customer_cards") == 1


# ---- points -----------------------------------------------------------------------------------------------------------


def booked(rig: Rig) -> dict[str, int]:
    rows = rig.sim.db.rows(
        "SELECT open_id, sum(change) AS points FROM points_log WHERE entry LIKE 'hub-%' GROUP BY open_id"
    )
    return {row["open_id"]: row["points"] for row in rows}


def test_points_are_added_taken_and_set(rig: Rig) -> None:
    destination, key = rig.destination(), members(rig, 1)[0]
    before = rig.sim.points_of(key)
    assert statuses(write(destination, "points", [operation(1, key, delta=50)])) == [ACCEPTED]
    assert statuses(write(destination, "points", [operation(2, key, delta=Decimal(-20))])) == [ACCEPTED]
    assert rig.sim.points_of(key) == before + 30
    assert statuses(write(destination, "points", [operation(3, key, balance=7)])) == [ACCEPTED]
    assert rig.sim.points_of(key) == 7
    refused = write(destination, "points", [operation(4, key, delta=-1000)])
    assert [(each.status.value, each.code) for each in refused] == [(REJECTED, "142100105")]


@pytest.mark.parametrize(
    "values", [{}, {"delta": 1, "balance": 1}, {"delta": Decimal("0.5")}, {"balance": -1}, {"delta": True}]
)
def test_points_that_make_no_sense_are_not_sent(rig: Rig, values: dict[str, Any]) -> None:
    outcomes = write(rig.destination(), "points", [operation(1, members(rig, 1)[0], **values)])
    assert statuses(outcomes) == [INVALID]
    assert booked(rig) == {}


def test_nobody_is_credited_twice_when_connections_drop_after_the_booking(rig: Rig) -> None:
    rig.sim.use_faults("dropped_after_write", rate=0.4)
    destination, keys = rig.destination(), members(rig, 40)
    outcomes = write(destination, "points", [operation(n, key, delta=50) for n, key in enumerate(keys)])
    hit = rig.sim.journal.entries(endpoint="crm.customer.points.increase", fault="dropped_after_write")
    assert len(hit) >= 5
    assert booked(rig) == dict.fromkeys(keys, 50)
    assert statuses(outcomes) == [ACCEPTED] * 40
    assert [outcome.code for outcome in outcomes].count("read_back") == len(hit)
    assert rig.sim.journal.counts()["crm.customer.points.increase"].calls == 40


def test_outcome_that_cannot_be_looked_up_is_unknown_and_resolved_later(rig: Rig) -> None:
    rig.sim.use_faults("dropped_after_write", rate=0.4)
    rig.sim.act("deny", method="crm.customer.points.changelog.search")
    destination, keys = rig.destination(), members(rig, 20)
    since = rig.clock.now()
    operations = [operation(n, key, delta=50) for n, key in enumerate(keys)]
    outcomes = write(destination, "points", operations)
    open_ones = [
        row for row, outcome in zip(operations, outcomes, strict=True) if outcome.status is OutcomeStatus.UNKNOWN
    ]
    assert open_ones
    assert booked(rig) == dict.fromkeys(keys, 50)
    rig.sim.denied.clear()
    target = next(each for each in destination.targets() if each.name == "points")
    assert statuses(destination.look_up(target, open_ones, since)) == [ACCEPTED] * len(open_ones)


def test_look_up_tells_what_was_not_booked(rig: Rig) -> None:
    destination, keys = rig.destination(), members(rig, 2)
    since = rig.clock.now()
    sent, never_sent = operation(1, keys[0], delta=5), operation(2, keys[1], delta=5)
    write(destination, "points", [sent])
    target = next(each for each in destination.targets() if each.name == "points")
    found = list(destination.look_up(target, [sent, never_sent], since))
    assert [(each.status.value, each.code) for each in found] == [(ACCEPTED, "read_back"), ("deferred", "not_booked")]


def test_same_operation_sent_by_mistake_is_booked_once(rig: Rig) -> None:
    destination, key = rig.destination(), members(rig, 1)[0]
    write(destination, "points", [operation(1, key, delta=50)])
    assert [(each.status.value, each.code) for each in write(destination, "points", [operation(1, key, delta=50)])] == [
        (ACCEPTED, "already_booked")
    ]
    assert booked(rig) == {key: 50}


def test_unreachable_platform_defers_and_sends_nothing(rig: Rig) -> None:
    import httpx

    class Down(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused", request=request)

    destination = YouzanDestination(rig.config(), rig.runtime(transport=Down()))
    with pytest.raises(DeferError):
        write(destination, "points", [operation(1, members(rig, 1)[0], delta=50)])
    destination.close()
    assert booked(rig) == {}


# ---- coupons ----------------------------------------------------------------------------------------------------------


def issued(rig: Rig) -> dict[str, int]:
    rows = rig.sim.db.rows("SELECT open_id, count(*) AS n FROM vouchers WHERE source = 'carmen' GROUP BY open_id")
    return {row["open_id"]: row["n"] for row in rows}


def fresh_activity(rig: Rig, stock: int = 1000) -> str:
    rig.sim.db.execute(
        "INSERT INTO activities VALUES (77001122, '召回券', ?, ?)", {"off_fen": 500, "valid_days": 14}, stock
    )
    return "77001122"


def test_coupon_is_issued_once_per_customer_although_answers_are_lost(rig: Rig) -> None:
    activity = fresh_activity(rig)
    rig.sim.use_faults("dropped_after_write", rate=0.4)
    destination, keys = rig.destination(), members(rig, 20)
    rows = [operation(n, key, activity_id=activity) for n, key in enumerate(keys)]
    outcomes = write(destination, "coupon", rows)
    assert statuses(outcomes) == [ACCEPTED] * 20
    assert all(outcome.remote_id for outcome in outcomes)
    assert issued(rig) == dict.fromkeys(keys, 1)
    again = write(destination, "coupon", rows)
    assert statuses(again) == [UNCHANGED] * 20
    assert [each.remote_id for each in again] == [each.remote_id for each in outcomes]


def test_coupons_end_with_the_stock(rig: Rig) -> None:
    activity = fresh_activity(rig, stock=2)
    destination = rig.destination(coupons={"activity_id": activity})
    outcomes = write(destination, "coupon", [operation(n, key) for n, key in enumerate(members(rig, 3))])
    assert [(each.status.value, each.code) for each in outcomes] == [
        (ACCEPTED, ""),
        (ACCEPTED, ""),
        (REJECTED, "coupon_out_of_stock"),
    ]


def test_lost_coupon_can_be_looked_up(rig: Rig) -> None:
    activity, key = fresh_activity(rig), members(rig, 1)[0]
    destination, since = rig.destination(), rig.clock.now()
    target = next(each for each in destination.targets() if each.name == "coupon")
    row = operation(1, key, activity_id=activity)
    assert [each.code for each in destination.look_up(target, [row], since)] == ["not_booked"]
    sent = write(destination, "coupon", [row])[0]
    assert [each.remote_id for each in destination.look_up(target, [row], since)] == [sent.remote_id]
    later = since + dt.timedelta(days=1)
    assert [each.code for each in destination.look_up(target, [row], later)] == ["not_booked"]
