"""The shop that is ingested by processes that get killed: every kind of stream, in two generations."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from toy import MORNING, Feed, Toy, facts, member, ticket

from hub.columns import to_arrow
from hub.context import Hub
from hub.pipeline.ingest import ingest
from hub.records import Customer, Order, Product
from hub.source import CursorKind, Page, Reject


def shop(generation: int) -> Toy:
    """The platform as it is in the first or the second generation."""
    return Toy({"pos": {"members": _members(generation), "tickets": _tickets(generation), "goods": _goods(generation)}})


def _members(generation: int) -> Feed:
    pages = [
        Page(records=[member("1", "Ada", 1), member("2", "Bo", 1)]),
        Page(records=[member("3", "Cy", 2)], rejects=[Reject("members#3", "row_invalid", "No id.", raw="{}")]),
        Page(records=[member("1", "Ada L", 5), member("4", "Di", 2)]),
        Page(deletions=["2"]),
        Page(records=[member("1", "too old", 3), member("5", "Ed")]),
    ]
    later = [Page(records=[member("2", "Bo is back", 9), member("5", "Eddie")]), Page(deletions=["3"])]
    return Feed(Customer, pages + later * (generation - 1))


def _tickets(generation: int) -> Feed:
    def bulk(*orders: Order) -> Page:
        return Page(tables=to_arrow(Order, orders))

    pages = [bulk(ticket("t1", "5", "7"), ticket("t2", "1")), bulk(ticket("t3", "2", "2", "2"))]
    later = [bulk(ticket("t2", "1", "4"), ticket("t4", "8"))]
    return Feed(Order, pages + later * (generation - 1))


def _goods(generation: int) -> Feed:
    numbers = range(1, 8) if generation == 1 else range(3, 9)
    pages = [Page(records=[Product(source_id=f"P{n}", name=f"tea {n} v{generation}")]) for n in numbers]
    return Feed(Product, pages, CursorKind.FULL)


def open_shop(home: Path, generation: int, step: int) -> Hub:
    """Open the hub at a time of its own for each step: by then the lease of a killed process has run out."""
    now = MORNING + dt.timedelta(seconds=1000 * step)
    return shop(generation).hub(home, services={"now": lambda: now}, batch_rows=2)


def work(home: Path, generation: int, step: int) -> None:
    """Ingest everything once; fails if a stream does."""
    with open_shop(home, generation, step) as hub:
        report = ingest(hub)
    assert not report.failed
    assert report.load_error is None


def outcome(home: Path) -> dict[str, object]:
    """Everything that must not depend on kills: tables, rejected rows, and that every package folder is known."""
    with open_shop(home, 2, step=1_000) as hub:
        packages = hub.store.packages
        known = {name for stream in ("members", "tickets", "goods") for name in packages.known("pos", stream)}
        found = {f"pos/{f.parent.name}/{f.name}" for f in (home / ".hub" / "packages" / "pos").glob("*/*")}
        rejects = [(row.location, row.code, row.reason, row.raw) for row in packages.rejects()]
        return {"facts": facts(hub), "rejects": rejects, "folders without package": found - known}
