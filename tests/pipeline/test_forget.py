"""A person who asks to be forgotten is gone from every place, stays away, and leaves everybody else as they were."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import forgetting
import pyarrow as pa
import pytest
from forgetting import CARD, NAME, NOW, OWN_ID, PHONE, outcome, records, settled, traces
from people import Street, card, member, phone, ticket
from processes import KILLED, run
from toy import at

import identity
from hub.crashpoints import CRASH_POINTS
from hub.errors import ConfigError, LeaseHeldError
from hub.pipeline.forget import forget
from hub.pipeline.ingest import ingest
from hub.source import Page, Reject
from hub.store.erasing import erase_person, find_person
from hub.store.forgotten import Person, identifier_mark, record_mark
from hub.store.store import Store
from hub.store.tables import RejectedRow
from hub.warehouse.forgotten import forgotten

# One process makes the two chains that most tests copy.
pytestmark = pytest.mark.xdist_group("forgotten")

POINTS = [point for point in CRASH_POINTS if point.startswith("forget.")]
LATER = NOW + dt.timedelta(days=3)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chain while Ou is still known."""
    folder = tmp_path_factory.mktemp("chain")
    settled(folder).hub.close()
    return folder


@pytest.fixture(scope="module")
def after(before: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chain that has forgotten Ou."""
    folder = tmp_path_factory.mktemp("forgotten") / "chain"
    shutil.copytree(before, folder)
    forgetting.work(folder, 1)
    return folder


def reopened(chain: Path, folder: Path, now: dt.datetime = LATER) -> Street:
    """A copy of a chain at a later time; its platform gives nothing until it is told to."""
    shutil.copytree(chain / ".hub", folder / ".hub")
    street = Street.open(folder, services={"now": lambda: now})
    street.ids = identity.sequential_ids("new", 1)
    with street.hub.store.database.write() as session:
        for cursor in street.hub.store.packages.cursors():
            cursor.state = {}
            session.merge(cursor)
    return street


def test_no_byte_of_the_person_is_left_in_any_place(before: Path, after: Path) -> None:
    places = {place for place, _ in traces(before / ".hub")}
    assert len({place.split("/")[0].split()[0] for place in places}) >= 6, (
        "the person was in too few places to prove much"
    )
    assert traces(after / ".hub") == set()


def test_others_and_the_books_stay_as_they_were(after: Path, tmp_path: Path) -> None:
    street = reopened(after, tmp_path)
    assert street.groups() == {frozenset(["M0000002"]), frozenset(["M0000003"]), frozenset(["M0000004"])}
    assert street.rows("SELECT source_id, customer_id, note, total_amount::INTEGER FROM orders ORDER BY 1") == [
        ("T1", None, None, 1), ("T2", None, None, 1), ("T3", "M0000003", None, 1)
    ]  # fmt: skip
    assert street.rows("SELECT source_id FROM events") == [("E2",)]
    assert street.rows("SELECT value FROM customer_identifiers WHERE value LIKE '%0500'") == [("+8615400000500",)]
    rejects = [(row.source_id, row.raw, row.code) for row in street.hub.store.packages.rejects()]
    assert rejects == [("M0000003", "{}", "row_invalid"), (None, None, "row_invalid")]
    assert len(street.hub.store.snapshots.list()) == 2, "snapshots to look back at stay, without the person"


def test_who_did_it_and_why_is_kept_without_the_person(after: Path, tmp_path: Path) -> None:
    street = reopened(after, tmp_path)
    (entry,) = [one for one in street.hub.store.audit_log() if one.action == "forget"]
    assert (entry.actor, entry.detail["reason"], entry.detail["counts"]["warehouse.orders"]) == ("li", "request 7", 2)
    assert street.rows("SELECT count(*) FROM identity_customers WHERE state = 'retired'") == [(1,)]


def test_the_next_full_read_does_not_bring_the_person_back(after: Path, tmp_path: Path) -> None:
    street = reopened(after, tmp_path)
    street.tell(*records(), member(OWN_ID, phone(1), card(CARD), name=NAME, minutes=500_000))
    street.resolve()
    assert traces(tmp_path / ".hub") == set()
    assert frozenset([OWN_ID]) not in street.groups()
    assert street.rows("SELECT count(*) FROM orders WHERE customer_id IS NULL") == [(2,)]


def test_what_the_platform_cannot_say_properly_stays_empty_too(after: Path, tmp_path: Path) -> None:
    street = reopened(after, tmp_path)
    bad = [
        Reject("m.csv:1", "row_invalid", "No.", source_id=OWN_ID, raw=NAME),
        Reject("m:2", "x", "No.", raw=f"+86{PHONE}"),
    ]
    street.toy.feeds["pos"]["members"].pages.append(Page(rejects=bad))  # type: ignore[attr-defined]
    ingest(street.hub)
    assert traces(tmp_path / ".hub") == set()
    assert {row.location for row in street.hub.store.packages.rejects()} >= {"m.csv:1", "m:2"}


def test_a_warehouse_built_anew_from_old_packages_does_not_know_the_person(after: Path, tmp_path: Path) -> None:
    street = reopened(after, tmp_path)
    street.hub.settings.warehouse.unlink()
    ingest(street.hub)
    street.resolve()
    assert frozenset([OWN_ID]) not in street.groups()
    assert traces(tmp_path / ".hub") == set()


def test_a_person_who_comes_back_is_a_new_customer(after: Path, tmp_path: Path) -> None:
    street = reopened(after, tmp_path)
    old = {row[0] for row in street.rows("SELECT customer FROM identity_customers")}
    minutes = (LATER - at(0)).total_seconds() / 60
    again = member("M0000077", phone(1), name=NAME, registered_at=LATER)
    street.tell(again, ticket("T8", phone(1), minutes=minutes).model_copy(update={"ordered_at": LATER}))
    street.resolve()
    ((customer, profiles),) = street.rows("SELECT customer_id, profiles FROM customers WHERE phone LIKE '%0001'")
    assert profiles == 2
    assert customer not in old
    assert street.rows("SELECT source_id FROM orders WHERE customer_id IS NOT NULL ORDER BY 1") == [("T3",)]


def test_a_number_that_somebody_else_has_now_does_not_keep_them_away(after: Path, tmp_path: Path) -> None:
    street = reopened(after, tmp_path)
    street.tell(member("M0000088", phone(1), name="司徒雷", registered_at=LATER))
    street.resolve()
    assert frozenset(["M0000088"]) in street.groups()


def test_kills_at_every_step_in_turn_end_as_a_clean_run(before: Path, after: Path, tmp_path: Path) -> None:
    shutil.copytree(before, tmp_path / "chain")
    for step, point in enumerate(POINTS, start=1):
        assert run(forgetting.work, tmp_path / "chain", step, HUB_CRASH_AT=point) == KILLED
    assert run(forgetting.finish, tmp_path / "chain", len(POINTS) + 1) == 0
    assert traces(tmp_path / "chain" / ".hub") == set()
    clean, killed = (Street.open(folder, services={"now": lambda: LATER}) for folder in (after, tmp_path / "chain"))
    assert outcome(killed) == outcome(clean)
    known = {package.location for package in killed.hub.store.packages.all()}
    packages = tmp_path / "chain" / ".hub" / "packages"
    assert {str(file.parent.relative_to(packages)) for file in packages.rglob("*.parquet")} == known


def test_a_trial_tells_what_is_where_and_changes_nothing(before: Path, tmp_path: Path) -> None:
    street = reopened(before, tmp_path)
    held = traces(tmp_path / ".hub")
    told = forget(street.hub, OWN_ID, reason="request 7", dry_run=True)
    assert not told.done
    assert told.at_destinations == {"pos/tags": 1}
    counted = (
        "warehouse.profiles",
        "warehouse.orders",
        "packages.orders",
        "store.rejects",
        "store.deliveries",
        "plans",
    )
    assert {place: told.counts[place] for place in counted} == {
        "warehouse.profiles": 2, "warehouse.orders": 2, "packages.orders": 2,
        "store.rejects": 1, "store.deliveries": 1, "plans": 1,
    }  # fmt: skip
    assert {place for place, _ in traces(tmp_path / ".hub")} == {place for place, _ in held}


def test_whom_it_is_about_must_be_clear(before: Path, tmp_path: Path) -> None:
    street = reopened(before, tmp_path)
    with pytest.raises(ConfigError, match="customers have this number"):
        forget(street.hub, "15400000500", reason="request 7")
    with pytest.raises(ConfigError, match="No profile"):
        forget(street.hub, "15400009999", reason="request 7")


def test_a_profile_its_platform_deleted_can_be_forgotten_too(tmp_path: Path) -> None:
    street = Street.open(tmp_path, services={"now": lambda: NOW})
    street.tell(member("1", phone(9), name="宇文成"), member("2", phone(2), name="慕容复"))
    street.tell(gone=["1"])
    street.resolve()
    assert forget(street.hub, "15400000009", reason="request 8").counts["warehouse.profiles"] == 1
    assert street.rows("SELECT source_id FROM profiles") == [("2",)]


def test_nothing_is_begun_while_somebody_pushes(before: Path, tmp_path: Path) -> None:
    street = reopened(before, tmp_path)
    with street.hub.store.leases.hold("warehouse"), pytest.raises(LeaseHeldError):
        forget(street.hub, PHONE, reason="request 7")
    assert street.hub.store.forgotten.count() == 0


def test_sql_and_python_mark_alike(tmp_path: Path) -> None:
    street = Street.open(tmp_path)
    with street.hub.warehouse() as engine, forgotten(engine, pa.table({"mark": [""], "at": [NOW]})):
        assert engine.value("SELECT record_mark('orders', 'pos', 'T1')") == record_mark("orders", "pos", "T1")
        for kind, scope, value, stands in (
            ("phone", None, "＋86 1540-000 0001", ("phone", "", PHONE)),
            ("email", None, " Ou@Example.com", ("email", "", "ou@example.com")),
            ("card_no", "", "V1 ", ("card_no", "pos", "V1")),
            ("openid", "wxapp", "oAbC", ("openid", "wxapp", "oAbC")),
        ):
            found = engine.value("SELECT identifier_mark(?, ?, ?, 'pos')", [kind, scope, value])
            assert found == identifier_mark(*stands)


def test_both_kinds_of_store_forget_alike(tmp_path: Path, store_url: str) -> None:
    person = Person(
        ["c1"],
        ["pos:1"],
        [("pos", "1")],
        values=[PHONE],
        names=[NAME],
        marks=[record_mark("profiles", "pos", "1")],
        packages=[],
    )
    refused = {"run_id": "r", "connection": "pos", "stream": "s", "code": "x", "reason": "No.", "at": NOW}
    with Store.open(store_url, tmp_path, now=lambda: NOW) as store:
        with store.database.write() as session:
            session.add(RejectedRow(location=f"at {PHONE}", raw=NAME, **refused))
            session.add(RejectedRow(location="line 2", source_id="2", raw="{}", **refused))
        store.decisions.add(
            [("must_link", "pos:1", "pos:2"), ("must_link", "pos:2", "pos:3")], command="m", reason=NAME
        )
        store.audit("reveal", PHONE, {"reason": f"{NAME} 说"})
        assert find_person(store.database, person) == {"identity_decisions": 1, "rejects": 1}
        erasure = store.forgotten.begin(person, {}, reason=f"asked by {PHONE}", actor="li")
        for _ in range(2):
            erase_person(store.database, person)
        store.database.compact()
        assert store.forgotten.person(erasure) == person
        store.forgotten.finish(erasure, "c1")
        assert store.forgotten.open() == []
        assert find_person(store.database, person) == {}
        assert [(row.source_id, row.raw) for row in store.packages.rejects()] == [("2", "{}"), (None, None)]
        (kept,) = store.decisions.all()
        forgot, revealed = store.audit_log()
        assert (kept.left, kept.reason) == ("pos:2", "[forgotten]")
        assert (revealed.subject, revealed.detail) == ("[forgotten]", {"reason": "[forgotten] 说"})
        assert PHONE not in forgot.detail["reason"]
