"""One failing page, stream or plugin: it is told with its reason, what came before is kept, the others go on."""

from __future__ import annotations

import datetime as dt
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from toy import Feed, Toy, alive, member, ticket

from hub.errors import AuthError, ConfigError, DeferError, PluginError, RowError, StreamError
from hub.http.testing import VirtualClock
from hub.pipeline.ingest import IngestReport, ingest, read_connections
from hub.records import Customer, Order, Record
from hub.source import Page, Reject, State
from hub.store.leases import Leases


def good(*ids: str) -> Page:
    return Page(records=[member(number, "x") for number in ids])


def ingest_beside_a_good_stream(folder: Path, bad: Feed) -> IngestReport:
    shop = Toy({"pos": {"bad": bad, "good": Feed(Customer, [good("other")])}})
    with shop.hub(folder, batch_rows=1) as hub:
        report = ingest(hub)
        assert "other" in alive(hub)
        assert shop.closed == 1
    return report


@pytest.mark.parametrize(
    ("fault", "kind", "state"),
    [
        (ValueError("unexpected"), PluginError, "failed"),
        (KeyError("buyer"), PluginError, "failed"),
        (ConnectionResetError(104, "Connection reset by peer"), StreamError, "failed"),
        (StreamError("no permission"), StreamError, "failed"),
        (AuthError("refused"), AuthError, "failed"),
        (DeferError("the quota is spent"), DeferError, "skipped"),
    ],
)
def test_a_fault_ends_its_stream_only_and_keeps_the_pages_before_it(
    tmp_path: Path, fault: Exception, kind: type[Exception], state: str
) -> None:
    report = ingest_beside_a_good_stream(tmp_path, Feed(Customer, [good("1"), good("2"), fault, good("3")]))
    [failed] = report.failed
    assert isinstance(failed.error, kind)
    assert (failed.stream, failed.state, failed.records) == ("bad", state, 2)
    after = ingest_beside_a_good_stream(tmp_path, Feed(Customer, [good("1"), good("2"), good("3")]))
    assert after.failed == []
    assert after.streams[0].records == 1, "the next run goes on after the last good page"


class _EagerlyBroken(Feed):
    def read(self, state: State, part: str = "") -> Iterator[Page]:
        raise LookupError("at once")


class _NoIterator(Feed):
    def read(self, state: State, part: str = "") -> Any:
        return 7


def odd_page(**content: Any) -> Feed:
    class Odd(Feed):
        def read(self, state: State, part: str = "") -> Iterator[Page]:
            yield content["instead"] if "instead" in content else Page(**content)

    return Odd(Customer)


@pytest.mark.parametrize(
    ("feed", "told"),
    [
        (_EagerlyBroken(Customer), "LookupError: at once"),
        (_NoIterator(Customer), "TypeError"),
        (odd_page(instead={"records": []}), "gave a dict, not a Page"),
        (odd_page(records=[ticket("t1", "1")]), "Customer records gave a Order"),
        (odd_page(records=[member("1")], tables={"profiles": None}), "both records and tables"),
        (odd_page(tables={"profiles_cards": None}), "without their parent table profiles"),
        (odd_page(records=[member("1")], cursor={"since": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}), "no JSON value"),
        (odd_page(records=[member("1")], cursor={"ratio": float("nan")}), "no JSON value"),
    ],
)
def test_a_plugin_that_breaks_the_contract_is_told_and_stops_nothing_else(
    tmp_path: Path, feed: Feed, told: str
) -> None:
    report = ingest_beside_a_good_stream(tmp_path, feed)
    [failed] = report.failed
    assert failed.stream == "bad"
    assert failed.records == 0
    assert told in str(failed.error)


def test_a_source_that_cannot_be_opened_stops_only_its_connection(tmp_path: Path) -> None:
    shop = Toy({"east": {"members": Feed(Customer, [good("1")])}, "west": {"members": Feed(Customer, [good("2")])}})
    with shop.hub(tmp_path) as hub:
        del shop.feeds["east"]  # type: ignore[attr-defined]
        report = ingest(hub)
        assert alive(hub) == {"2": "x"}
    [failed] = report.failed
    assert (failed.connection, failed.stream) == ("east", "*")
    assert "Listing the streams of east failed inside the plugin: KeyError" in str(failed.error)


def test_one_part_of_a_stream_that_fails_does_not_stop_the_next(tmp_path: Path) -> None:
    class OneBadShop(Feed):
        def read(self, state: State, part: str = "") -> Iterator[Page]:
            if part == "shop 1":
                raise KeyError("till")
            yield Page(records=[member(part, "x")], cursor={"page": 1})

    feed = OneBadShop(Customer, parts=("shop 1", "shop 2/三号", "shop 3"))
    with Toy({"pos": {"members": feed}}).hub(tmp_path) as hub:
        report = ingest(hub)
        assert set(alive(hub)) == {"shop 2/三号", "shop 3"}
        assert {c.partition for c in hub.store.packages.cursors()} == {"shop 2/三号", "shop 3"}
    assert [r.partition for r in report.failed] == ["shop 1"]


def test_a_refused_credential_stops_the_other_parts_of_its_stream(tmp_path: Path) -> None:
    asked: list[str] = []

    class Refused(Feed):
        def read(self, state: State, part: str = "") -> Iterator[Page]:
            asked.append(part)
            raise AuthError("refused")
            yield

    with Toy({"pos": {"members": Refused(Customer, parts=("a", "b"))}}).hub(tmp_path) as hub:
        ingest(hub)
    assert asked == ["a"]


def test_no_secret_and_no_personal_datum_stands_in_a_failure(tmp_path: Path) -> None:
    fault = ValueError("login as 15400001111 with open-sesame-15 failed")
    report = ingest_beside_a_good_stream(tmp_path, Feed(Customer, [fault]))
    text = str(report.failed[0].error)
    assert "154****1111" in text
    assert "open-sesame-15" not in text
    with Toy({"pos": {}}).hub(tmp_path) as hub:
        stored = hub.store.runs.list(subject="pos/bad")[0].error_message
    assert "154****1111" in stored
    assert "open-sesame-15" not in stored


def test_rejected_rows_can_be_looked_up_with_place_column_and_reason(tmp_path: Path) -> None:
    def to_member(row: dict[str, str]) -> Record:
        if row["name"] == "?":
            raise RowError("No name.", code="no_name", context={"column": "name"})
        return Customer(source_id=row["id"], name=row["name"], birthday=row.get("birthday"))

    rows = [
        {"id": "1", "name": "Ada"},
        {"id": "2", "name": "?"},
        {"id": "3", "name": "Cy", "birthday": "17.5.1990"},
        {"id": "4"},
    ]
    page = Page.of(rows, to_member, location="page 1")
    with Toy({"pos": {"members": Feed(Customer, [page])}}).hub(tmp_path) as hub:
        report = ingest(hub)
        assert (report.streams[0].records, report.streams[0].rejects) == (1, 3)
        assert report.streams[0].state == "succeeded"
        rejects = {row.location: row for row in hub.store.packages.rejects(connection="pos")}
        run = hub.store.runs.list(stage="ingest")[0]
    assert run.counts == {"records": 1, "rejects": 3, "packages": 1}
    assert (rejects["page 1#1"].code, rejects["page 1#1"].column) == ("no_name", "name")
    assert (rejects["page 1#2"].code, rejects["page 1#2"].column) == ("invalid_string_pattern_mismatch", "birthday")
    assert (rejects["page 1#3"].code, rejects["page 1#3"].reason) == (
        "mapping_failed",
        "The mapping failed: KeyError: 'name'.",
    )
    assert rejects["page 1#3"].raw == '{"id":"4"}'


def test_a_page_of_rejects_alone_moves_the_cursor(tmp_path: Path) -> None:
    feed = Feed(Customer, [Page(rejects=[Reject("page 1#0", "row_invalid", "No id.")])])
    with Toy({"pos": {"members": feed}}).hub(tmp_path) as hub:
        ingest(hub)
        assert hub.store.packages.cursor("pos", "members").state == {"page": 1}
        assert ingest(hub).streams[0].rejects == 0


@pytest.mark.parametrize(
    ("connections", "streams", "kind", "told"),
    [
        (["pos", "pso"], [], ConfigError, "no connection 'pso'"),
        (["pos"], ["membres"], PluginError, "no stream 'membres'"),
    ],
)
def test_a_name_that_is_not_known_is_told_before_any_work(
    tmp_path: Path, connections: list[str], streams: list[str], kind: type[Exception], told: str
) -> None:
    with Toy({"pos": {"members": Feed(Customer, [good("1")])}}).hub(tmp_path) as hub:
        with pytest.raises(kind, match=told):
            ingest(hub, connections, streams)
        assert hub.store.packages.waiting() == []


def test_only_the_streams_asked_for_are_read(tmp_path: Path) -> None:
    feeds = {"a": Feed(Customer, [good("1")]), "b": Feed(Customer, [good("2")])}
    with Toy({"pos": feeds}).hub(tmp_path) as hub:
        assert [report.stream for report in ingest(hub, ["pos"], ["b"]).streams] == ["b"]
        assert set(alive(hub)) == {"2"}


def test_memory_is_bounded_by_the_batch_not_by_the_stream(tmp_path: Path) -> None:
    held: list[int] = []

    class Endless(Feed):
        def read(self, state: State, part: str = "") -> Iterator[Page]:
            given: list[weakref.ref[Record]] = []
            for number in range(40):
                records = [member(f"{number}-{n}") for n in range(5)]
                given += map(weakref.ref, records)
                yield Page(records=records, cursor={"page": number})
                del records
                held.append(sum(record() is not None for record in given))

    with Toy({"pos": {"members": Endless(Customer)}}).hub(tmp_path, batch_rows=20) as hub:
        reports = read_connections(hub)
        sizes = {package.rows for package in hub.store.packages.waiting()}
    assert (reports[0].records, reports[0].packages) == (200, 10)
    assert sizes == {20}
    assert max(held) <= 20


def test_a_holder_that_lost_its_lease_while_reading_seals_nothing(tmp_path: Path, virtual_time: VirtualClock) -> None:
    def now() -> dt.datetime:
        return dt.datetime.fromtimestamp(virtual_time.time(), dt.UTC)

    class Suspended(Feed):
        def read(self, state: State, part: str = "") -> Iterator[Page]:
            yield Page(records=[member("1")], cursor={"page": 1})
            virtual_time.advance(61)
            with Leases(hub.store.database, now).hold("ingest pos/members"):
                pass  # another process took the stream over meanwhile
            yield Page(records=[member("2")], cursor={"page": 2})

    with Toy({"pos": {"members": Suspended(Customer)}}).hub(tmp_path, batch_rows=1, services={"now": now}) as hub:
        [report] = read_connections(hub)
        assert report.error.code == "lease_lost"
        assert [package.rows for package in hub.store.packages.waiting()] == [1]
        assert hub.store.packages.cursor("pos", "members").state == {"page": 1}
        assert hub.store.runs.list()[0].error_code == "lease_lost"


def test_tickets_and_members_may_fail_and_succeed_in_one_run(tmp_path: Path) -> None:
    shop = Toy({"pos": {"tickets": Feed(Order, [RuntimeError("x")]), "members": Feed(Customer, [good("1")])}})
    with shop.hub(tmp_path) as hub:
        report = ingest(hub)
        states = {(run.subject, run.state) for run in hub.store.runs.list(stage="ingest")}
    assert states == {("pos/tickets", "failed"), ("pos/members", "succeeded")}
    assert report.changed == 1


class Answer:
    """A platform's answer as HTTP libraries make them: it and its body know each other."""

    def __init__(self) -> None:
        self.itself = self


class Answers(Feed):
    """Makes an answer for each page and notes how many of the earlier ones are still in memory."""

    def read(self, state: State, part: str = "") -> Iterator[Page]:
        answers: weakref.WeakSet[Answer] = weakref.WeakSet()
        self.most = 0
        for number in range(20):
            answers.add(Answer())
            self.most = max(self.most, len(answers))
            yield good(str(number))


def test_a_platform_s_answers_do_not_pile_up_until_a_package_is_full(tmp_path: Path) -> None:
    feed = Answers(Customer)
    with Toy({"pos": {"members": feed}}).hub(tmp_path, batch_rows=1_000) as hub:
        assert read_connections(hub)[0].records == 20
    assert feed.most <= 2
