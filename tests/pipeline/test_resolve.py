"""Resolving: who is one person, who is a customer at all, and one record for each."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from people import Street, card, member, phone, ticket
from toy import MORNING, at

from hub.records import Event, IdentifierKind, Record, Staff, Store


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    """A shop in which nothing has happened yet."""
    street = Street.open(tmp_path)
    yield street
    street.hub.close()


def test_an_empty_warehouse_has_no_customers(street: Street) -> None:
    report = street.resolve()
    assert (report.profiles, report.customers, report.changed) == (0, 0, 0)


def test_profiles_that_share_an_identifier_are_one_customer(street: Street) -> None:
    street.tell(member("1", phone(1)), member("2", phone(1)), member("3", phone(3)))
    report = street.resolve()
    assert street.groups() == {frozenset({"1", "2"}), frozenset({"3"})}
    assert (report.profiles, report.customers) == (3, 2)


class TestBuyersWithoutProfile:
    """Most tickets name nobody the hub has read: a card, a phone or an id is a profile of its own."""

    def test_what_a_ticket_says_makes_a_customer(self, street: Street) -> None:
        street.tell(
            ticket("t1", card("K1")),
            ticket("t2", card("K1")),
            ticket("t3", phone(3)),
            ticket("t4", buyer="77"),
            # The best identifier gives the name, and of several of a kind always the same.
            ticket("t5", phone(6), phone(5), card("K5"), card("K4")),
        )
        street.resolve()
        assert street.groups() == {
            frozenset({"~card_no:pos:K1"}),
            frozenset({"~phone::15400000003"}),
            frozenset({"77"}),
            frozenset({"~card_no:pos:K4"}),
        }

    def test_it_is_the_members_whose_identifier_it_is(self, street: Street) -> None:
        seen = Event(source_id="e1", type="page.viewed", occurred_at=MORNING, identifiers=(phone(1),))
        street.tell(member("1", phone(1)), ticket("t1", phone(9), buyer="1"), ticket("t2", phone(9)), seen)
        street.resolve()
        assert street.groups() == {frozenset({"1", "~phone::15400000009", "~phone::15400000001"})}

    def test_a_walk_in_is_nobody(self, street: Street) -> None:
        payer = card("token").model_copy(update={"kind": IdentifierKind.PAYMENT_TOKEN})
        parsed = phone(1, assurance="parsed")
        street.tell(ticket("t1"), ticket("t2", payer), ticket("t3", parsed))
        assert street.resolve().customers == 0


class TestTheChainsOwnNumbers:
    """The phones of shops and staff, and what hub.toml blocks, are nobody's identity and no way to reach a customer."""

    def test_they_join_nobody(self, tmp_path: Path) -> None:
        street = Street.open(tmp_path)
        street.tell(
            Store(source_id="s", name="Shop", phone="15400000001"),
            Staff(source_id="g", name="Guide", phone="154 0000 0002", identifiers=(phone(3),)),
            *(member(f"{number}{letter}", phone(number)) for number in (1, 2, 3) for letter in "ab"),
        )
        report = street.resolve()
        assert report.customers == 6
        assert street.rows("SELECT DISTINCT phone FROM customers") == [(None,)]
        street.hub.close()

    def test_a_shop_that_is_read_later_parts_whom_its_phone_joined(self, street: Street) -> None:
        street.tell(member("1", phone(1)), member("2", phone(1)))
        assert street.resolve().customers == 1
        street.tell(Store(source_id="s", name="Shop", phone="15400000001"))
        assert street.resolve().customers == 2
        assert street.rows("SELECT DISTINCT phone FROM customers") == [(None,)]

    def test_one_that_is_blocked_by_hand_is_no_card_either(self, tmp_path: Path) -> None:
        street = Street.open(tmp_path)
        street.hub.close()
        config = tmp_path / "hub.toml"
        config.write_text(config.read_text() + '\n[identity]\nblocked = ["0000"]')
        from hub.context import open_hub

        street.hub = open_hub(config, plugins=street.toy.plugins)
        street.tell(member("1", card("0000")), member("2", card("0000")))
        assert street.resolve().customers == 2
        street.hub.close()


class TestGoldenRecord:
    """One record per customer: the latest value there is of each field."""

    def test_the_latest_profile_that_has_a_value_gives_it(self, street: Street) -> None:
        street.tell(
            member("1", phone(1), name="Ada", minutes=1, city="Suzhou", belonging_store_id="s1", registered_at=at(-50)),
            member("2", phone(1), name="Ada L", minutes=5, registered_at=at(-90)),
            member("3", phone(1), minutes=9, belonging_store_id="s3"),
        )
        street.resolve()
        sql = "SELECT name, city, belonging_store_id, registered_at, profiles, phone FROM customers"
        assert street.rows(sql) == [("Ada L", "Suzhou", "s3", at(-90), 3, "+8615400000001")]

    def test_a_value_of_unknown_age_comes_after_all_others(self, street: Street) -> None:
        street.tell(
            member("1", phone(1), name="Ada", minutes=1),
            member("2", phone(1), name="Nobody").model_copy(update={"updated_at": None}),
        )
        street.resolve()
        assert street.rows("SELECT name FROM customers") == [("Ada",)]

    def test_the_best_known_phone_comes_first_and_then_the_latest(self, street: Street) -> None:
        street.tell(
            member("1", phone(1, assurance="typed_by_staff"), phone(2, assurance="authorised"), minutes=1),
            member("2", phone(2, assurance="typed_by_staff"), phone(3, assurance="authorised"), minutes=5),
        )
        street.resolve()
        ranked = street.rows(
            "SELECT value, profiles, rank FROM customer_identifiers WHERE kind = 'phone' ORDER BY rank"
        )
        assert ranked == [("+8615400000003", 1, 1), ("+8615400000002", 2, 2), ("+8615400000001", 1, 3)]
        assert street.rows("SELECT phone FROM customers") == [("+8615400000003",)]

    def test_only_identifiers_are_listed(self, street: Street) -> None:
        """Name and birthday together are evidence, and nothing to address anybody by."""
        street.tell(member("1", phone(1), name="王小明", birthday="1990-05-17"))
        street.resolve()
        assert street.rows("SELECT DISTINCT kind FROM customer_identifiers") == [("phone",)]

    def test_what_changes_on_one_profile_changes_the_record(self, street: Street) -> None:
        street.tell(member("1", phone(1), belonging_store_id="s1", minutes=1))
        street.resolve()
        before = street.rows("SELECT customer_id, since FROM customers")
        street.tell(member("1", phone(1), belonging_store_id="s2", minutes=2))
        street.resolve()
        assert street.rows("SELECT belonging_store_id FROM customers") == [("s2",)]
        assert street.rows("SELECT customer_id, since FROM customers") == before


class TestWhoIsGone:
    """A deleted profile is no customer; what it did remains."""

    def test_a_deleted_profile_leaves(self, street: Street) -> None:
        street.tell(member("1", phone(1), name="Ada"), member("2", phone(1), name="Bo", minutes=-5))
        street.resolve()
        street.tell(gone=["1"])
        street.resolve()
        assert street.groups() == {frozenset({"2"})}
        assert street.rows("SELECT name, profiles FROM customers") == [("Bo", 1)]
        street.tell(gone=["2"])
        assert street.resolve().customers == 0
        assert street.rows("FROM customer_identifiers") == []

    def test_one_with_tickets_stays_without_a_name(self, street: Street) -> None:
        street.tell(member("1", phone(1), name="Ada"), ticket("t1", buyer="1"))
        street.resolve()
        street.tell(gone=["1"])
        street.resolve()
        assert street.groups() == {frozenset({"1"})}
        assert street.rows("SELECT name, phone FROM customers") == [(None, None)]

    def test_a_ticket_that_names_another_buyer_takes_its_evidence_along(self, street: Street) -> None:
        street.tell(ticket("t1", card("K1"), phone(1)), ticket("t2", card("K1")), member("1", phone(1)))
        street.resolve()
        assert street.groups() == {frozenset({"~card_no:pos:K1", "1"})}
        street.tell(ticket("t1", card("K2"), phone(1), minutes=5))
        street.resolve()
        assert street.groups() == {frozenset({"~card_no:pos:K1"}), frozenset({"~card_no:pos:K2", "1"})}

    def test_a_deleted_ticket_takes_its_evidence_along(self, street: Street) -> None:
        street.tell(ticket("t1", card("K1"), phone(1)), ticket("t2", card("K1")), member("1", phone(1)))
        street.resolve()
        street.tell(gone_tickets=["t1"])
        street.resolve()
        assert street.groups() == {frozenset({"~card_no:pos:K1"}), frozenset({"1"})}


def test_ids_last(street: Street) -> None:
    street.tell(member("1", phone(1)), member("2", phone(2)))
    street.resolve()
    before = dict(street.rows("SELECT source_id, customer_id FROM links"))
    street.tell(member("2", phone(2), phone(3), minutes=5), member("3", phone(3)))
    street.resolve()
    after = dict(street.rows("SELECT source_id, customer_id FROM links"))
    assert after == {**before, "3": before["2"]}


def test_nothing_changed_means_nothing_written(street: Street) -> None:
    street.tell(member("1", phone(1)), ticket("t1", card("K1")))
    street.resolve()
    warehouse = street.hub.settings.warehouse
    before = street.everything(), warehouse.read_bytes()
    report = street.resolve()
    assert (report.changed, report.customers, dict(report.events)) == (0, 2, {})
    assert (street.everything(), warehouse.read_bytes()) == before


def test_a_ticket_whose_amount_changes_concerns_nobodys_identity(street: Street) -> None:
    street.tell(ticket("t1", card("K1")))
    street.resolve()
    street.tell(ticket("t1", card("K1"), minutes=5, note="mended"))
    assert street.resolve().changed == 0


profiles = st.builds(
    lambda number, phones, name, minutes: member(f"{number}", *map(phone, phones), name=name, minutes=minutes),
    st.integers(1, 4),
    st.lists(st.integers(1, 4), max_size=2, unique=True),
    st.sampled_from([None, "王小明", "李雷"]),
    st.integers(0, 9),
)
tickets = st.builds(
    lambda number, buyer, cards, phones, minutes: ticket(
        f"t{number}", *(card(f"K{n}") for n in cards), *map(phone, phones), buyer=buyer, minutes=minutes
    ),
    st.integers(1, 4),
    st.sampled_from([None, None, "1", "5"]),
    st.lists(st.integers(1, 3), max_size=1),
    st.lists(st.integers(1, 4), max_size=1),
    st.integers(0, 9),
)
steps = st.lists(
    st.tuples(
        st.lists(profiles | tickets, max_size=4),
        st.lists(st.sampled_from("1234"), max_size=1),
        st.lists(st.sampled_from(["t1", "t2"]), max_size=1),
    ),
    min_size=2,
    max_size=3,
)


@settings(max_examples=3, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(story=steps)
def test_step_by_step_ends_where_a_look_at_everything_ends(
    story: list[tuple[list[Record], list[str], list[str]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        street = Street.open(Path(folder))
        for records, gone, gone_tickets in story:
            street.tell(*records, gone=gone, gone_tickets=gone_tickets)
            street.resolve()
        before = street.everything()
        report = street.resolve(full=True)
        assert dict(report.events) == {}
        assert street.everything() == before
        street.hub.close()
