"""The targets: partial failures become row outcomes, bookings happen once, states are brought to what is wanted."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from weimob_rig import Rig, members, operation

from hub.destination import Operation, OperationKind, Outcome
from hub.errors import ConfigError, StreamError
from plugins.weimob.api import Api
from plugins.weimob.config import TagSettings
from plugins.weimob.destination import WeimobDestination
from plugins.weimob.writing.tags import wanted_values

NewRig = Callable[..., Rig]
NOBODY = "99999999999"


def write(destination: WeimobDestination, target: str, operations: list[Operation]) -> dict[str, Outcome]:
    found = next(each for each in destination.targets() if each.name == target)
    return {outcome.operation_id: outcome for outcome in destination.write(found, operations)}


def statuses(outcomes: dict[str, Outcome]) -> list[str]:
    return [outcome.status.value for _, outcome in sorted(outcomes.items())]


def tags_of(rig: Rig, wid: str) -> list[str]:
    rows = rig.sim.db.rows(
        "SELECT t.name AS tag, v.name FROM customer_tags AS c JOIN tag_values AS v USING (attr_id) JOIN tags AS t USING (tag_id)"
        " WHERE c.wid = ? AND by_hub ORDER BY 1, 2", int(wid),
    )  # fmt: skip
    return [f"{row['tag']}:{row['name']}" for row in rows]


# ---- tags -------------------------------------------------------------------------------------------------------------


def test_a_failing_tag_batch_names_the_failing_customers_only(rig: Rig) -> None:
    wids = [*members(rig, 60), NOBODY, "88888888888"]
    outcomes = write(rig.destination(), "tag", [operation(n, wid, tags=["高价值"]) for n, wid in enumerate(wids)])
    failed = {
        n
        for n, outcome in enumerate(map(outcomes.get, sorted(outcomes)))
        if outcome and outcome.status.value == "rejected"
    }
    assert failed == {60, 61}
    assert outcomes["op-0060"].message == "客户不存在"
    assert statuses(outcomes)[:60] == ["accepted"] * 60
    assert all(tags_of(rig, wid) == ["客户中台:高价值"] for wid in wids[:60])
    assert rig.sim.journal.counts()["weimob_cdp/customer/tag/bind"].calls == 2


def test_answers_that_do_not_name_the_failing_customers_are_read_back(new_rig: NewRig) -> None:
    rig = new_rig(names_failures=False)
    outcomes = write(
        rig.destination(),
        "tag",
        [operation(n, wid, tags=["高价值"]) for n, wid in enumerate([*members(rig, 3), NOBODY])],
    )
    assert statuses(outcomes) == ["accepted", "accepted", "accepted", "rejected"]
    assert outcomes["op-0003"].code == "weimob_not_done"


def test_a_call_refused_as_a_whole_is_halved_until_the_culprit_is_found(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub.simulation.server import RefusalError

    wids = members(rig, 20)
    plain = rig.sim._one

    def stumbling(wid: int, value: int, *, binding: bool) -> None:
        if str(wid) == wids[7]:
            raise RefusalError("40999", "客户已冻结")
        plain(wid, value, binding=binding)

    monkeypatch.setattr(rig.sim, "_one", stumbling)
    outcomes = write(rig.destination(), "tag", [operation(n, wid, tags=["新客"]) for n, wid in enumerate(wids)])
    assert [n for n, status in enumerate(statuses(outcomes)) if status != "accepted"] == [7]
    assert (outcomes["op-0007"].code, outcomes["op-0007"].message) == ("40999", "客户已冻结")


def test_tags_are_brought_to_what_is_wanted_and_the_shop_s_own_stay(rig: Rig) -> None:
    destination, (first, second, third, *_) = rig.destination(), members(rig, 3)
    own = rig.sim.value_id(rig.sim.tag_id("门店标签"), "老客")
    rig.sim.tag_customer(int(first), own)
    write(destination, "tag", [operation(1, first, tags=["a", "b"]), operation(2, second, tags=["a"])])
    again = [
        operation(3, first, OperationKind.UPDATE, tags=["b", "c"], vip=True, score=5), operation(4, second, OperationKind.DELETE),
        operation(5, third, tags=[]),
    ]  # fmt: skip
    assert statuses(write(destination, "tag", again)) == ["accepted", "accepted", "unchanged"]
    assert tags_of(rig, first) == ["客户中台:b", "客户中台:c", "客户中台:score:5", "客户中台:vip"]
    assert tags_of(rig, second) == tags_of(rig, third) == []
    assert rig.sim.db.value("SELECT count(*) FROM customer_tags WHERE wid = ? AND attr_id = ?", int(first), own) == 1
    assert statuses(write(destination, "tag", again)) == ["unchanged"] * 3


def test_more_than_twenty_values_go_to_a_second_tag(rig: Rig) -> None:
    (wid, *_) = members(rig, 1)
    names = [f"s{number:02d}" for number in range(45)]
    assert statuses(write(rig.destination(), "tag", [operation(1, wid, tags=names)])) == ["accepted"]
    found = tags_of(rig, wid)
    assert sorted(each.partition(":")[2] for each in found) == names
    assert {each.partition(":")[0] for each in found} == {"客户中台", "客户中台 2", "客户中台 3"}
    # A new process finds them all again.
    assert statuses(write(rig.destination(), "tag", [operation(1, wid, tags=names)])) == ["unchanged"]


def test_long_names_and_missing_settings_are_said(rig: Rig) -> None:
    (wid, *_) = members(rig, 1)
    outcome = write(rig.destination(), "tag", [operation(1, wid, tags=["长" * 31])])["op-0001"]
    assert (outcome.status.value, outcome.code) == ("invalid", "tag_name_long")
    with pytest.raises(ConfigError) as caught:
        write(rig.destination(product_instance_id=None), "tag", [operation(1, wid, tags=["a"])])
    assert (caught.value.code, "product_instance_id" in str(caught.value)) == ("weimob_setting_missing", True)


@pytest.mark.parametrize(
    ("values", "names", "wanted"),
    [
        ({"tags": ["a", "b"]}, {}, {"a", "b"}),
        ({"vip": True, "new": False}, {"vip": "贵宾"}, {"贵宾"}),
        ({"level": "A", "none": None, "empty": ""}, {"level": "等级"}, {"等级:A"}),
        ({"score": Decimal("5.0"), "share": Decimal("0.25")}, {}, {"score:5", "share:0.25"}),
    ],
)
def test_mapped_values_stand_for_tag_values(values: dict[str, Any], names: dict[str, str], wanted: set[str]) -> None:
    assert wanted_values(values, TagSettings.model_validate({"names": names})) == wanted


# ---- bookings ---------------------------------------------------------------------------------------------------------

BOOKINGS = ["points", "growth", "balance", "coupon"]


def booked(rig: Rig, target: str) -> list[tuple[str, int]]:
    if target == "coupon":
        rows = rig.sim.db.rows("SELECT wid, 1 AS change FROM coupons WHERE request <> '' ORDER BY wid")
    else:
        rows = rig.sim.db.rows("SELECT wid, change FROM ledger WHERE account = ? ORDER BY wid", target)
    return [(str(row["wid"]), row["change"]) for row in rows]


def bookers(rig: Rig) -> WeimobDestination:
    template = str(rig.sim.db.value("SELECT min(template_id) FROM templates"))
    return rig.destination(balance={"enabled": True}, coupons={"template_id": template})


@pytest.mark.parametrize("target", BOOKINGS)
@pytest.mark.parametrize("duplicates", ["first", "error"])
def test_an_operation_that_is_repeated_books_once(new_rig: NewRig, target: str, duplicates: str) -> None:
    rig = new_rig(duplicates=duplicates)
    wids = members(rig, 3)
    operations = [operation(n, wid, delta=5) for n, wid in enumerate(wids)]
    assert statuses(write(bookers(rig), target, operations)) == ["accepted"] * 3
    again = write(bookers(rig), target, operations)
    assert statuses(again) == ["accepted"] * 3
    assert {outcome.code for outcome in again.values()} == ({""} if duplicates == "first" else {"already_booked"})
    amount = {"balance": 500, "coupon": 1}.get(target, 5)
    assert booked(rig, target) == [(wid, amount) for wid in wids]


@pytest.mark.parametrize("target", BOOKINGS)
def test_lost_answers_book_nothing_twice(new_rig: NewRig, target: str) -> None:
    rig = new_rig(duplicates="error")
    rig.sim.use_faults("dropped_after_write", seed=3, rate=0.6)
    wids = members(rig, 8)
    operations = [operation(n, wid, delta=5) for n, wid in enumerate(wids)]
    assert statuses(write(bookers(rig), target, operations)) == ["accepted"] * 8
    assert [wid for wid, _ in booked(rig, target)] == wids
    assert any(entry.fault for entry in rig.sim.journal.entries())


@pytest.mark.parametrize("target", BOOKINGS)
def test_a_customer_who_does_not_exist_fails_alone_with_the_platform_s_words(rig: Rig, target: str) -> None:
    wids = members(rig, 2)
    outcomes = write(
        bookers(rig),
        target,
        [operation(1, wids[0], delta=5), operation(2, NOBODY, delta=5), operation(3, wids[1], delta=5)],
    )
    assert statuses(outcomes) == ["accepted", "rejected", "accepted"]
    assert outcomes["op-0002"].message == "客户不存在"


def test_more_than_is_there_cannot_be_taken(rig: Rig) -> None:
    (wid, *_) = members(rig, 1)
    outcomes = write(bookers(rig), "points", [operation(1, wid, delta=-100_000)])
    assert (outcomes["op-0001"].status.value, outcomes["op-0001"].message) == ("rejected", "积分不足")
    assert '"said": "积分不足"' in outcomes["op-0001"].response, "what the platform answered is kept"


def test_a_coupon_out_of_stock_is_told_inside_a_success(rig: Rig) -> None:
    rig.sim.db.execute("UPDATE templates SET stock = 1")
    wids = members(rig, 2)
    outcomes = write(bookers(rig), "coupon", [operation(n, wid) for n, wid in enumerate(wids)])
    assert sorted(statuses(outcomes)) == ["accepted", "rejected"]
    refused = next(outcome for outcome in outcomes.values() if outcome.status.value == "rejected")
    assert (refused.code, refused.message) == ("30210", "优惠券库存不足")


@pytest.mark.parametrize(
    ("target", "values", "code"),
    [
        ("points", {"delta": Decimal("1.5")}, "points_not_whole"), ("points", {"delta": "many"}, "points_not_whole"),
        ("points", {"delta": 10**9}, "points_not_whole"), ("growth", {"delta": None}, "growth_not_whole"),
        ("balance", {"delta": Decimal("0.005")}, "amount_not_cents"), ("balance", {"delta": 1, "bonus": -1}, "amount_not_cents"),
    ],
)  # fmt: skip
def test_values_the_account_cannot_take_are_not_sent(rig: Rig, target: str, values: dict[str, Any], code: str) -> None:
    (wid, *_) = members(rig, 1)
    outcome = write(bookers(rig), target, [operation(1, wid, **values)])["op-0001"]
    assert (outcome.status.value, outcome.code) == ("invalid", code)
    assert write(bookers(rig), target, [operation(2, wid, delta=0)])["op-0002"].status.value == "unchanged"
    assert booked(rig, target) == []


def test_stored_value_is_written_only_where_it_was_switched_on(rig: Rig) -> None:
    assert "balance" not in {target.name for target in rig.destination().targets()}
    assert "balance" in {target.name for target in bookers(rig).targets()}


def test_a_target_whose_capability_is_missing_is_off_and_the_others_go_on(rig: Rig) -> None:
    (wid, *_) = members(rig, 1)
    rig.sim.act("deny", capability=Api.POINTS_ADJUST.name)
    destination = bookers(rig)
    with pytest.raises(StreamError) as caught:
        write(destination, "points", [operation(1, wid, delta=1)])
    assert caught.value.code == "weimob_capability_missing"
    assert caught.value.context["group"] == "积分"
    assert booked(rig, "points") == []
    assert statuses(write(destination, "growth", [operation(2, wid, delta=1)])) == ["accepted"]


def test_a_coupon_without_template_stops_with_what_to_set(rig: Rig) -> None:
    (wid, *_) = members(rig, 1)
    with pytest.raises(ConfigError) as caught:
        write(rig.destination(), "coupon", [operation(1, wid)])
    assert caught.value.code == "weimob_template_missing"


# ---- fields and levels ------------------------------------------------------------------------------------------------


def test_custom_fields_are_written_and_unknown_ones_refused(rig: Rig) -> None:
    destination, wids = rig.destination(attributes={"code": "rfm_code", "shoe": "shoe_size"}), members(rig, 2)
    outcomes = write(
        destination, "attribute", [operation(1, wids[0], code="R5", pet=True), operation(2, wids[1], shoe=43)]
    )
    assert statuses(outcomes) == ["accepted", "rejected"]
    assert "shoe_size" in outcomes["op-0002"].message
    assert (
        rig.sim.db.value("SELECT fields FROM customers WHERE wid = ?", int(wids[0])) == '{"rfm_code":"R5","pet":"是"}'
    )


def test_levels_are_set_by_name_and_only_where_they_differ(rig: Rig) -> None:
    wid, levels = (
        members(rig, 1)[0],
        [row["level_id"] for row in rig.sim.db.rows("SELECT level_id FROM levels ORDER BY rank")],
    )
    destination = rig.destination(levels={"金卡": str(levels[-1])})
    assert statuses(write(destination, "level", [operation(1, wid, level="金卡")])) == ["accepted"]
    assert rig.sim.db.value("SELECT set_level FROM customers WHERE wid = ?", int(wid)) == levels[-1]
    more = [operation(2, wid, level="金卡"), operation(3, wid, level="钻石"), operation(4, NOBODY, level="金卡")]
    outcomes = write(destination, "level", more)
    assert statuses(outcomes) == ["unchanged", "invalid", "rejected"]
    assert (outcomes["op-0003"].code, outcomes["op-0004"].code) == ("level_unknown", "card_missing")


def test_config_errors_come_all_at_once(rig: Rig) -> None:
    with pytest.raises(ConfigError) as caught:
        rig.hub(bos_id="not a number", vid="x", orders={"since": "soon", "window_hours": 9999}, tags={"colour": "red"})
    told = str(caught.value)
    for name in ("bos_id", "vid", "orders.since", "orders.window_hours", "tags.colour"):
        assert name in told
