"""The demo tells the whole story: everything is read, merged, scored and sent; the next day only what changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.demo import Demo, open_demo
from hub.pipeline.push import SyncReport

# The days are told in order, so one process runs them.
pytestmark = pytest.mark.xdist_group("demo")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo") / "chain"
    with open_demo(folder, people=300, days=60, seed=7, only=("files", "webhook")) as running:
        yield running


def sync(report: object, name: str) -> SyncReport:
    return next(one for one in report.run.push.syncs if one.sync == name)  # type: ignore[attr-defined]


def test_two_days_of_business(demo: Demo) -> None:
    first = demo.run_day()
    assert first.run.error is None
    assert [stream.state for stream in first.run.ingest.streams] == ["succeeded", "succeeded"]
    people = demo.world.at(demo.moment).view("pos").table("members").num_rows
    assert first.accuracy.profiles == people
    assert first.accuracy.precision > 0.5
    sent = sync(first, "scores").outcomes
    assert set(sent) == {"accepted"}
    assert sum(customers for _, _, customers, _ in first.partition) == first.run.score.customers
    assert {"高频奶茶党", "偶尔尝鲜族", "沉睡用户"} < {title for _, title, _, _ in first.partition}
    assert first.received["接收端 Webhook receiver"]["events"] == sent["accepted"] == first.run.score.customers

    demo.next_day()
    second = demo.run_day()
    assert second.run.error is None
    again = sync(second, "scores")
    changed = again.planned.create + again.planned.update + again.planned.delete
    assert 0 < changed < sent["accepted"] / 2
    assert second.received["接收端 Webhook receiver"]["events"] == sent["accepted"] + changed
    assert second.received["接收端 Webhook receiver"]["repeated requests"] == 0

    third = demo.run_day()
    assert third.run.ingest.changed == 0
    assert third.run.resolve.changed == 0
    assert third.run.publish.is_new is False
    assert all(not one.outcomes for one in third.run.push.syncs)
    assert third.received == second.received


def test_every_order_of_the_tills_is_there_once(demo: Demo) -> None:
    with demo.hub() as hub, hub.warehouse() as engine:
        tickets = engine.value("SELECT count(*) FROM orders WHERE kind <> 'refund'")
        revenue = engine.value("SELECT sum(total_amount) FROM orders WHERE kind = 'sale' AND status <> 'void'")
    orders = demo.world.at(demo.moment).view("pos").table("orders").to_pylist()
    rung_up = [order for order in orders if order["status"] != "closed"]
    sales = [order for order in rung_up if order["kind"] == "sale" and order["status"] != "void"]
    goods = sum(order["goods_fen"] - order["promotion_fen"] - order["coupon_fen"] for order in sales)
    assert tickets == len(rung_up)
    assert revenue * 100 == goods


def test_a_folder_of_one_s_own_is_needed(tmp_path: Path) -> None:
    with open_demo(tmp_path / "new", people=200, days=30, only=("webhook",)) as running:
        assert "[connections.receiver]" in running.config.read_text(encoding="utf-8")
        assert running.platforms[0].received()["events"] == 0
