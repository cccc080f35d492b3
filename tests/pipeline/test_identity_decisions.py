"""What people say about who is one person: it lasts, it is told who and why, and only a person ends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from people import Street, card, member, phone, ticket
from toy import MORNING

from hub.errors import ConfigError
from hub.pipeline.decisions import answer_review, merge, review_queue, unmerge
from hub.records import Event, Identifier, IdentifierKind, Store


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    street = Street.open(tmp_path)
    yield street
    street.hub.close()


def together(street: Street, *ids: str) -> bool:
    return any(set(ids) <= group for group in street.groups())


class TestUnmerge:
    def test_it_holds_against_re_ingest_new_evidence_and_a_full_rebuild(self, street: Street) -> None:
        street.tell(member("1", phone(1), name="王芳"), member("2", phone(1)))
        street.resolve()
        assert together(street, "1", "2")
        done = unmerge(street.hub, ["pos:2"], reason="mother and daughter", actor="li")
        assert done.report is not None
        assert dict(done.report.events) == {"split": 1}
        assert len(set(done.customers.values())) == 2
        street.tell(member("1", phone(1), name="王芳", minutes=9), member("2", phone(1), minutes=9))
        street.resolve()
        assert not together(street, "1", "2")
        street.tell(
            member("3", phone(1), card("K10001"), minutes=9),
            member("1", phone(1), card("K10001"), name="王芳", minutes=12),
        )
        street.resolve()
        street.tell(member("2", phone(1), card("K10001"), minutes=15))
        street.resolve()
        assert not together(street, "1", "2")
        street.resolve(full=True)
        assert not together(street, "1", "2")
        for table in ("_resolved", "links", "identity_constraints"):
            with street.hub.warehouse() as engine:
                engine.execute(f"DELETE FROM {table}")
        street.resolve(full=True)
        assert not together(street, "1", "2")

    def test_who_decided_and_why_is_kept(self, street: Street) -> None:
        street.tell(member("1", phone(1)), member("2", phone(1)))
        street.resolve()
        unmerge(street.hub, ["2"], ["1"], reason="asked at the till", actor="li")
        (row,) = street.hub.store.decisions.all()
        assert (row.rule, row.left, row.right, row.actor, row.reason, row.command) == (
            "cannot_link", "pos:1", "pos:2", "li", "asked at the till", "unmerge",
        )  # fmt: skip
        assert street.hub.store.audit_log()[0].action == "identity_unmerge"

    def test_there_must_be_somebody_to_part_from(self, street: Street) -> None:
        street.tell(member("1", phone(1)))
        street.resolve()
        with pytest.raises(ConfigError) as caught:
            unmerge(street.hub, ["pos:1"], reason="no")
        assert caught.value.code == "decision_empty"

    def test_a_name_nobody_has_is_refused_without_repeating_it(self, street: Street) -> None:
        street.resolve()
        with pytest.raises(ConfigError) as caught:
            unmerge(street.hub, ["15400000077"], reason="no")
        assert caught.value.code == "profile_unknown"
        assert "154" not in str(caught.value)

    def test_merge_then_unmerge_gives_the_ids_back(self, street: Street) -> None:
        street.tell(member("1", phone(1)), member("2", phone(2)))
        street.resolve()
        before = sorted(street.rows("SELECT profile, customer_id FROM links"))
        merge(street.hub, ["pos:1", "pos:2"], reason="one person")
        assert together(street, "1", "2")
        unmerge(street.hub, ["pos:2"], reason="a mistake")
        assert sorted(street.rows("SELECT profile, customer_id FROM links")) == before
        assert [row.rule for row in street.hub.store.decisions.in_force()] == ["cannot_link"]


class TestMerge:
    def test_it_joins_what_nothing_else_joins_and_lasts(self, street: Street) -> None:
        street.tell(member("1", phone(1)), member("2", phone(2)))
        street.resolve()
        merge(street.hub, ["15400000001", "pos:2"], reason="one person")
        street.resolve(full=True)
        assert together(street, "1", "2")

    def test_it_ends_an_unmerge(self, street: Street) -> None:
        street.tell(member("1", phone(1)), member("2", phone(1)), member("3", phone(1)))
        street.resolve()
        unmerge(street.hub, ["pos:3"], reason="another")
        merge(street.hub, ["pos:3", "pos:1"], reason="the same after all")
        assert together(street, "1", "2", "3")


class TestReview:
    @pytest.fixture
    def waiting(self, tmp_path: Path) -> Iterator[Street]:
        """Two groups of three, one thin link between them."""
        street = Street.open(tmp_path)
        config = tmp_path / "hub.toml"
        config.write_text(config.read_text() + "\n[identity]\nlate_bridge = 3")
        street.hub.close()
        from hub.context import open_hub

        street.hub = open_hub(config, plugins=street.toy.plugins)
        groups = [
            member(f"{letter}{n}", card(f"{letter}10001"), *([phone(1)] if n == 1 else []))
            for letter in "ab"
            for n in (1, 2, 3)
        ]
        street.tell(*groups)
        street.resolve()
        yield street
        street.hub.close()

    def test_what_a_rule_leaves_to_a_person_waits(self, waiting: Street) -> None:
        with waiting.hub.warehouse() as engine:
            (item,) = review_queue(engine)
        assert (item.rule, item.sizes, item.kind) == ("late_bridge", (3, 3), "phone")

    @pytest.mark.parametrize("accept", [True, False])
    def test_the_answer_lasts_and_the_question_is_gone(self, waiting: Street, accept: bool) -> None:
        with waiting.hub.warehouse() as engine:
            (item,) = review_queue(engine)
        answer_review(waiting.hub, item.id[:6], accept=accept, reason="looked at both")
        waiting.resolve(full=True)
        assert together(waiting, "a1", "b1") is accept
        with waiting.hub.warehouse() as engine:
            assert review_queue(engine) == []


class TestNewEvidenceAgainstADecision:
    """Somebody took two people apart; then both turn up with one card."""

    @pytest.fixture
    def asked(self, street: Street) -> Street:
        street.tell(member("1", phone(1), name="王芳"), member("2", phone(1)))
        street.resolve()
        unmerge(street.hub, ["pos:2"], reason="mother and daughter")
        assert self.queue(street) == []
        street.tell(*(member(own, phone(1), card("K10001"), minutes=9) for own in ("1", "2")))
        street.resolve()
        return street

    @staticmethod
    def queue(street: Street) -> list[tuple[str, str | None]]:
        with street.hub.warehouse() as engine:
            return [(item.rule, item.value) for item in review_queue(engine)]

    def answer(self, street: Street, *, accept: bool) -> None:
        with street.hub.warehouse() as engine:
            (item,) = review_queue(engine)
        answer_review(street.hub, item.id, accept=accept, reason="asked her")

    def test_it_waits_for_a_person_and_joins_nobody(self, asked: Street) -> None:
        assert self.queue(asked) == [("cannot_link", "K10001")]
        assert not together(asked, "1", "2")

    def test_refusing_holds_what_was_decided(self, asked: Street) -> None:
        self.answer(asked, accept=False)
        asked.resolve(full=True)
        assert self.queue(asked) == []
        assert not together(asked, "1", "2")

    def test_accepting_ends_what_was_decided(self, asked: Street) -> None:
        self.answer(asked, accept=True)
        assert self.queue(asked) == []
        assert together(asked, "1", "2")


class TestProvenance:
    """Every value of the record names its profile and keeps what it beat."""

    def test_each_field_names_where_it_comes_from(self, street: Street) -> None:
        street.tell(
            member("1", phone(1), name="王芳", minutes=1, birthday="1990-05-17", belonging_store_id="s1"),
            member("2", phone(1), name="王女士", minutes=5, gender="female", belonging_store_id="s2"),
        )
        street.resolve()
        held = street.rows("SELECT field, value, profile, rule FROM customer_fields WHERE place = 1 ORDER BY field")
        assert held == [
            ("belonging_store_id", "s2", "pos:2", "latest"),
            ("birthday", "1990-05-17", "pos:1", "assured"),
            ("gender", "female", "pos:2", "declared"),
            ("name", "王芳", "pos:1", "frequent"),
            ("salutation", "王女士", "pos:2", "frequent"),
        ]
        lost = street.rows("SELECT field, value, profile FROM customer_fields WHERE place > 1 ORDER BY ALL")
        assert lost == [("belonging_store_id", "s1", "pos:1")]

    def test_contacts_say_whether_they_can_be_used(self, street: Street) -> None:
        bounced = Event(
            source_id="e", type="message.bounced", occurred_at=MORNING, customer_id="3", identifiers=(phone(3),)
        )
        street.tell(
            member("1", phone(1), name="王芳"),
            member("2", phone(1), name="李强"),
            member("3", phone(3), minutes=-60),
            member("4", phone(4), marketing_consent=False),
            member("5", phone(5)),
            bounced,
        )
        street.resolve()
        states = street.rows("SELECT right(value, 1), state FROM customer_contacts ORDER BY ALL")
        assert states == [("1", "shared"), ("1", "shared"), ("3", "bounced"), ("4", "opted_out"), ("5", "usable")]

    def test_a_phone_that_becomes_shared_is_so_for_both(self, street: Street) -> None:
        street.tell(member("1", phone(1), name="王芳"))
        street.resolve()
        assert street.rows("SELECT state FROM customer_contacts") == [("usable",)]
        street.tell(member("2", phone(1), name="李强"))
        street.resolve()
        assert street.rows("SELECT DISTINCT state FROM customer_contacts") == [("shared",)]
        street.tell(member("2", phone(2), name="李强", minutes=9))
        street.resolve()
        assert street.rows("SELECT DISTINCT state FROM customer_contacts") == [("usable",)]


def test_a_new_shop_looks_at_the_carriers_of_its_phone_only(street: Street) -> None:
    street.tell(*(member(str(n), phone(n)) for n in range(1, 6)), member("9", phone(1)))
    street.resolve()
    street.tell(Store(source_id="s", name="Shop", phone="15400000001"))
    report = street.resolve()
    assert (report.changed, report.customers) == (2, 6)
    before = street.everything()
    assert dict(street.resolve(full=True).events) == {}
    assert street.everything() == before


def test_an_anonymous_ticket_joins_its_buyer_when_a_card_turns_up(street: Street) -> None:
    """A walk-in is nobody until a later version of the ticket names a card that somebody else carries."""
    street.tell(ticket("t1"), member("1", card("K10001")))
    assert street.resolve().customers == 1
    street.tell(ticket("t1", card("K10001"), minutes=5))
    street.resolve()
    assert street.groups() == {frozenset({"1", "~card_no:pos:K10001"})}


def test_tickets_of_an_unknown_payer_join_when_the_payer_becomes_known(street: Street) -> None:
    street.tell(ticket("t1", payer("P1")), ticket("t2", payer("P2")))
    assert street.resolve().customers == 0
    street.tell(ticket("t3", payer("P1"), phone(1)), member("1", phone(1), name="王芳"))
    street.resolve()
    assert street.groups() == {frozenset({"1", "~phone::15400000001", "~payment_token:pos:P1-0001"})}
    street.tell(gone_tickets=["t3"])
    street.resolve()
    assert street.groups() == {frozenset({"1"})}


def payer(token: str) -> Identifier:
    return card(f"{token}-0001").model_copy(update={"kind": IdentifierKind.PAYMENT_TOKEN})


def test_no_log_tells_who_people_are(street: Street, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    street.tell(member("1", phone(1), name="王芳"), member("2", phone(1)), ticket("t1", phone(1)))
    street.resolve()
    unmerge(street.hub, ["pos:2"], reason="asked")
    told = caplog.text + str([(row.subject, row.detail) for row in street.hub.store.audit_log()])
    assert not any(secret in told for secret in ("15400000001", "王芳", "+86"))


def test_a_merge_and_its_undoing_add_nothing_up(street: Street) -> None:
    """What a customer spent is recomputed from the tickets, never carried over."""
    street.tell(*(ticket(f"t{n}", buyer=str(n % 2)) for n in range(6)))
    street.resolve()

    def spent() -> list[int]:
        sql = """SELECT sum(total_amount)::INTEGER FROM orders JOIN links ON links.profile = orders.connection || ':' || orders.customer_id
                 GROUP BY links.customer_id ORDER BY 1"""
        return [row[0] for row in street.rows(sql)]

    assert spent() == [3, 3]
    merge(street.hub, ["pos:0", "pos:1"], reason="one person")
    assert spent() == [6]
    unmerge(street.hub, ["pos:1"], reason="a mistake")
    assert spent() == [3, 3]
