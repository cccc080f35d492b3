"""From the accounts through the hub and back: tags, messages, kills, faults, and the simulated chain."""

from __future__ import annotations

import datetime as dt
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import killed_account
import pytest
from processes import KILLED, run
from toy import facts
from wechat_rig import MORNING, Rig, TinyChain, openid, rig, user

from hub.pipeline.ingest import ingest
from hub.pipeline.reconcile import reconcile
from hub.pipeline.resolve import resolve
from hub.pipeline.run import run as run_all
from hub.simulation.world import World
from plugins.wechat.backend import MiniProgram
from plugins.wechat.client import WechatClient


def sent_in(folder: Path) -> list[str]:
    """Receivers of messages in the accounts' file."""
    with rig(folder, killed_account.world(), state=folder / "accounts.db") as accounts:
        return accounts.sent()


def test_a_kill_before_the_outcomes_are_written_down_sends_no_message_twice(tmp_path: Path) -> None:
    assert run(killed_account.work, tmp_path, 0, "notices", HUB_CRASH_AT="push.sent") == KILLED
    assert run(killed_account.work, tmp_path, 30, "notices") == 0
    assert sorted(sent_in(tmp_path)) == [user(n) for n in range(1, killed_account.PEOPLE + 1)]


def test_a_kill_between_two_messages_sends_none_twice(tmp_path: Path) -> None:
    assert run(_killed_after, tmp_path, 30) == KILLED
    before = sent_in(tmp_path)
    assert run(killed_account.work, tmp_path, 30, "notices") == 0
    sent = sent_in(tmp_path)
    assert sent[: len(before)] == before
    assert len(sent) == len(set(sent))
    # At most the four calls under way are left to a person; the log tells of all others whether they were sent.
    assert len(sent) >= killed_account.PEOPLE - 4


def _killed_after(folder: Path, messages: int) -> None:
    send, made = WechatClient.send, []

    def counting(self: WechatClient, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = send(self, body)
        made.append(1)
        if len(made) == messages:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    WechatClient.send = counting  # type: ignore[method-assign]
    killed_account.work(folder, 0, "notices")


def test_tags_changed_by_hand_are_shown_and_put_back(tmp_path: Path) -> None:
    with rig(tmp_path, killed_account.world()) as accounts:
        killed_account.flow(accounts, "tags")
        wanted = killed_account.everybody()
        assert accounts.tags() == wanted
        accounts.sim.db.execute("DELETE FROM tagged WHERE openid IN (?, ?)", openid(3), openid(40))
        with accounts.hub(killed_account.SYNCS) as hub:
            shown = reconcile(hub, "tags").drift
            assert (shown.same, shown.missing + shown.different) == (killed_account.PEOPLE - 2, 2)
            repaired = reconcile(hub, "tags", repair=True)
            assert repaired.pushed is not None
            assert repaired.pushed.outcomes == {"accepted": 2}
        assert accounts.tags() == wanted


@pytest.mark.parametrize("programme", ["throttling+token_expiry+busy", "dropped_after_write+truncated"])
def test_faults_while_tagging_end_in_the_wanted_tags(tmp_path: Path, programme: str) -> None:
    with rig(tmp_path, killed_account.world()) as accounts:
        killed_account.prepare(accounts)
        accounts.sim.use_faults(programme, seed=5, rate=0.2)
        for _ in range(4):
            report = killed_account.flow(accounts, "tags")
            if not report.failed_rows and report.error is None:
                break
            accounts.clock.advance(3600)
        assert accounts.tags() == killed_account.everybody()


def test_faults_while_sending_send_nobody_two_messages(tmp_path: Path) -> None:
    with rig(tmp_path, killed_account.world()) as accounts:
        killed_account.prepare(accounts)
        accounts.sim.use_faults("dropped_after_write+truncated+throttling+token_expiry", seed=5, rate=0.15)
        for _ in range(3):
            killed_account.flow(accounts, "notices")
            accounts.clock.advance(2 * 3600)
        sent = accounts.sent()
        assert len(sent) == len(set(sent)) >= killed_account.PEOPLE - 30


@pytest.fixture(scope="module")
def without_faults(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return _tables(tmp_path_factory.mktemp("plain"), "none")


def _tables(folder: Path, programme: str) -> dict[str, Any]:
    with rig(folder, TinyChain(followers=130, users=4), list_page=60) as accounts, accounts.hub() as hub:
        killed_account.prepare(accounts)
        accounts.sim.act("tags_by_hand", name="会员日", openid=openid(1))
        if programme != "none":
            accounts.sim.use_faults(programme, seed=11, rate=0.2)
        for _ in range(6):
            if not ingest(hub).failed:
                break
        else:
            pytest.fail(f"six reads under {programme} did not come to an end")
        return {table: rows for table, rows in facts(hub).items() if table != "rejects"}


@pytest.mark.parametrize(
    "programme",
    ["token_expiry", "throttling+busy", "burst_5xx", "truncated", "dropped", "slow"],
)
def test_faults_of_the_platform_end_in_the_same_tables(
    tmp_path: Path, programme: str, without_faults: dict[str, Any]
) -> None:
    assert len(without_faults["profiles"]) == 130 + killed_account.PEOPLE
    assert _tables(tmp_path, programme) == without_faults


def test_followers_that_come_and_go_while_they_are_read_are_right_after_the_next_read(tmp_path: Path) -> None:
    with rig(tmp_path, TinyChain(followers=230), list_page=60) as accounts, accounts.hub() as hub:
        accounts.sim.use_faults("page_shift", seed=2, rate=0.5)
        ingest(hub, ["wechat"], ["followers"])
        accounts.sim.use_faults("none")
        ingest(hub, ["wechat"], ["followers"])
        with hub.warehouse() as engine:
            found = {row[0] for row in engine.rows("SELECT source_id FROM profiles WHERE NOT deleted")}
        truth = {row["openid"] for row in accounts.sim.db.rows("SELECT openid FROM followers WHERE following")}
    assert found == truth
    assert any(each.startswith("oShift") for each in found)


def test_a_follower_who_logs_in_to_the_mini_program_is_one_customer(tmp_path: Path) -> None:
    with rig(tmp_path) as accounts, accounts.hub() as hub:
        with MiniProgram(accounts.config("miniprogram"), accounts.runtime("miniprogram")) as shop:
            shop.log_in(str(accounts.sim.act("logs_in", openid=user(1))))
            shop.phone(str(accounts.sim.act("taps_phone", openid=user(1))), user(1))
        assert ingest(hub).failed == []
        resolve(hub)
        with hub.warehouse() as engine:
            owner = dict(engine.rows("SELECT source_id, customer_id FROM links"))
    assert owner[openid(1)] == owner[user(1)]
    assert len(set(owner.values())) == 5


def test_the_simulated_chain_is_read_and_followed_to_the_next_day(tmp_path: Path) -> None:
    world = World.generate(people=400, seed=7, days=30, start=MORNING.date() - dt.timedelta(days=30))
    with rig(tmp_path, world) as accounts, accounts.hub(accounts.sim.syncs("wechat"), days=8, scores=True) as hub:
        _agrees(accounts, hub, world.now)
        later = world.end + dt.timedelta(days=1)
        accounts.clock.advance(86_400)
        accounts.sim.move_to(later)
        _agrees(accounts, hub, world.at(later))
        assert set(accounts.sim.received()) == {"tags on followers", "tagged followers", "subscription messages"}


def _agrees(accounts: Rig, hub: Any, state: Any) -> None:
    """Run everything, and compare what the hub has with what the world says."""
    report = run_all(hub, as_of=accounts.now())
    assert report.error is None
    assert report.ingest is not None
    assert report.ingest.failed == []
    followers = state.view("wechat").table("followers").to_pylist()
    wanted = {row["member_id"] for row in followers if row["unfollowed_at"] is None}
    seen = [
        row
        for row in state.view("miniprogram").table("browsing").to_pylist()
        if row["at"] >= state.moment - dt.timedelta(days=7)
    ]
    days: dict[dt.date, set[str]] = {}
    for row in seen:
        if row["at"].date() < accounts.now().astimezone(MORNING.tzinfo).date():
            days.setdefault(row["at"].date(), set()).add(row["member_id"])
    with hub.warehouse() as engine:
        found = {
            row[0] for row in engine.rows("SELECT source_id FROM profiles WHERE NOT deleted AND connection = 'wechat'")
        }
        visits = dict(
            engine.rows(
                "SELECT CAST(timezone('Asia/Shanghai', occurred_at) AS DATE), CAST(properties->>'visit_uv' AS INTEGER) FROM events"
                " WHERE type = 'miniprogram.daily_visits'"
            )
        )
    assert found == wanted
    assert {day: visits.get(day) for day in days} == {day: len(people) for day, people in days.items()}
