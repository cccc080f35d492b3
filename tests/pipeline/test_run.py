"""All stages in order: from a till's tickets to rows at a platform; one fault stops only what depends on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from crm import Crm, Wall
from furnished import furnish
from toy import MORNING, Feed, Toy

from hub.context import Hub, open_hub
from hub.errors import PluginError, StreamError
from hub.pipeline.run import STAGES, run
from hub.plugins import load_plugins
from hub.records import Customer, Identifier, IdentifierKind, Order
from hub.source import Page
from plugins import retail

CONFIG = """
[connections.pos]
plugin = "toy"
[connections.crm]
plugin = "crm"
[segments.big]
where = "rfm_m >= 1000"
[syncs.level]
to = "crm"
target = "people"
segments = ["rfm_promising", "big"]
fields = { code = "rfm_code", since = "last_order_date", in = "segments" }
[syncs.broken]
to = "crm"
target = "nowhere"
"""


def buyer(name: str, amount: str, days: int) -> tuple[Customer, Order]:
    """A member who bought for so much, so many days ago."""
    number = Identifier(kind=IdentifierKind.MEMBER_NO, value=name)
    bought = Order(
        source_id=f"ticket of {name}",
        customer_id=name,
        ordered_at=MORNING - dt.timedelta(days=days),
        total_amount=Decimal(amount),
    )
    return Customer(source_id=name, name=name, identifiers=(number,)), bought


def shop(*buyers: tuple[Customer, Order], more: list[Page | Exception] | None = None) -> Toy:
    """A shop with these buyers; ``more`` comes from a third stream."""
    return Toy(
        {
            "pos": {
                "members": Feed(Customer, [Page(records=[member for member, _ in buyers])]),
                "other": Feed(Order, more or []),
                "tickets": Feed(Order, [Page(records=[ticket for _, ticket in buyers])]),
            }
        }
    )


def open_chain(folder: Path, toy: Toy, crm: Crm, clock: Wall) -> Hub:
    """Open the hub between the shop and the platform."""
    furnish(folder)
    (folder / "hub.toml").write_text(CONFIG)
    plugins = toy.plugins
    plugins.manager.register(crm.module(), name="crm")
    plugins.manager.register(retail, name="retail")
    return open_hub(folder / "hub.toml", plugins=plugins, now=clock)


@pytest.fixture
def chain(tmp_path: Path, crm: Crm, clock: Wall) -> Iterator[Hub]:
    """A chain of two buyers, one of whom spends much, and a third stream that fails."""
    toy = shop(
        buyer("anna", "50", 3), buyer("bo", "1500", 300), buyer("cy", "50", 300), more=[StreamError("no permission")]
    )
    with open_chain(tmp_path, toy, crm, clock) as hub:
        yield hub


def test_a_run_goes_all_the_way_and_a_fault_stops_nothing_else(chain: Hub, crm: Crm) -> None:
    report = run(chain)
    assert (report.error, report.failed_stage) == (None, "")
    assert list(report.seconds) == list(STAGES)
    assert report.ingest is not None
    assert [stream.stream for stream in report.ingest.failed] == ["other"]
    assert report.resolve is not None
    assert report.resolve.customers == 3
    assert report.push is not None
    assert {sync.sync: sync.state for sync in report.push.syncs} == {"level": "succeeded", "broken": "failed"}
    held = sorted(crm.holds().values(), key=str)
    assert held == [
        {"code": "114", "since": "2025-05-05", "in": ["big"]},
        {"code": "511", "since": "2026-02-26", "in": ["rfm_promising"]},
    ]


def test_a_second_run_has_nothing_to_do_and_a_third_only_what_changed(tmp_path: Path, crm: Crm, clock: Wall) -> None:
    toy = shop(buyer("anna", "50", 3), buyer("bo", "1500", 300))
    with open_chain(tmp_path, toy, crm, clock) as hub:
        run(hub)
        told = crm.told()
        clock.advance(hours=1)
        report = run(hub)
        stages = (report.ingest, report.resolve, report.score, report.segment)
        assert [stage.changed for stage in stages if stage] == [0, 0, 0, 0]
        assert report.publish is not None
        assert not report.publish.is_new
        assert report.push is not None
        assert report.push.syncs[0].planned.to_do == 0
        assert crm.told() == told
        for feed, record in zip(("members", "tickets"), buyer("di", "70", 2), strict=True):
            toy.feeds["pos"][feed].pages = [*toy.feeds["pos"][feed].pages, Page(records=[record])]
        run(hub)
        assert [(kind, values["code"]) for kind, _, values in crm.told()[len(told) :]] == [("create", "511")]


def test_a_dry_run_sends_nothing(chain: Hub, crm: Crm) -> None:
    report = run(chain, dry_run=True)
    assert report.push is not None
    assert report.push.dry_run
    assert report.push.syncs[0].planned.create == 2
    assert crm.told() == []


def test_an_as_of_in_the_past_tells_of_the_past(chain: Hub, crm: Crm) -> None:
    report = run(chain, as_of=MORNING - dt.timedelta(days=200))
    assert report.publish is not None
    assert report.publish.as_of == MORNING - dt.timedelta(days=200)
    assert sorted(values["code"] for _, _, values in crm.told()) == ["311", "314"]


def test_a_stage_that_fails_ends_the_run_and_the_old_state_stays(chain: Hub, crm: Crm) -> None:
    run(chain)
    told = crm.told()
    (chain.settings.path).write_text(CONFIG.replace("rfm_m >= 1000", "rfm_mm >= 1000"))
    with open_hub(chain.settings.path, plugins=chain.plugins, now=chain.now) as hub:
        report = run(hub)
    assert report.failed_stage == "segment"
    assert report.error is not None
    assert "did you mean 'rfm_m'" in str(report.error)
    assert not isinstance(report.error, PluginError)
    assert (report.publish, report.push) == (None, None)
    assert list(report.seconds) == ["ingest", "resolve", "score", "segment"]
    assert crm.told() == told


def test_a_fault_nobody_foresaw_ends_the_run_and_what_was_done_before_is_told(
    chain: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = KeyError("colour of 15400001234")

    def stumble(_hub: Hub) -> None:
        raise fault

    monkeypatch.setattr("hub.pipeline.run.segment", stumble)
    report = run(chain)
    assert report.failed_stage == "segment"
    assert report.error is not None
    assert report.error.code == "unexpected"
    assert report.error.__cause__ is fault
    assert "15400001234" not in str(report.error)
    assert report.ingest is not None
    assert report.ingest.loaded["pos/profiles"].inserted == 3
    assert report.score is not None
    assert (report.segment, report.publish, report.push) == (None, None, None)


def test_a_hub_without_anything_runs_through(tmp_path: Path) -> None:
    furnish(tmp_path)
    (tmp_path / "hub.toml").write_text("")
    with open_hub(tmp_path / "hub.toml", plugins=load_plugins([])) as hub:
        report = run(hub)
    assert report.error is None
    assert report.push is not None
    assert report.push.syncs == []
