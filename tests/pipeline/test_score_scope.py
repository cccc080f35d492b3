"""Between two runs of one business day only customers whose facts changed are scored again, with the same result."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from analysts import customers_are, office, scorer, table
from crm import Wall

from hub.errors import PluginError
from hub.pipeline import score_traits
from hub.pipeline.score import score
from hub.scorer import Inputs, Scorer, Trait, TraitType
from hub.titles import Title


class Letters(Scorer):
    """Letters of the name, and how many customers were seen: a scorer that needs no other customer."""

    name = "letters"
    traits = (
        Trait("letters", TraitType.INTEGER, Title("字数", "Letters")),
        Trait("longest", TraitType.INTEGER, Title("最长", "Longest of all")),
    )

    def per_customer(self, config: Any) -> bool:
        return True

    def population(self, inputs: Inputs) -> Mapping[str, str]:
        return {"longest_name": "SELECT max(length(name)) AS longest FROM customers"}

    def score(self, inputs: Inputs) -> str:
        return "SELECT customer_id, length(name) AS letters, longest FROM customers, longest_name"


RANK = scorer(
    "rank", {"place": TraitType.INTEGER}, "SELECT customer_id, rank() OVER (ORDER BY name) AS place FROM customers"
)


def rename(hub: Any, who: str, name: str) -> None:
    with hub.warehouse() as engine:
        engine.execute("UPDATE customers SET name = ? WHERE customer_id = ?", [name, who])


def test_on_the_same_day_only_the_changed_are_looked_at(tmp_path: Path) -> None:
    with office(tmp_path, Letters) as hub:
        customers_are(hub, "anna", "bo", "cy")
        assert score(hub).scored == 3
        assert (score(hub).scored, score(hub).changed) == (0, 0)
        rename(hub, "bo", "b")
        report = score(hub)
        assert (report.customers, report.scored, report.changed) == (3, 1, 1)
        assert table(hub, "SELECT customer_id, letters, longest FROM traits ORDER BY ALL") == [
            ("anna", 4, 4),
            ("bo", 1, 4),
            ("cy", 2, 4),
        ]


def test_the_next_day_everybody_is_looked_at(tmp_path: Path) -> None:
    clock = Wall()
    with office(tmp_path, Letters, clock=clock) as hub:
        customers_are(hub, "anna", "bo")
        score(hub)
        clock.advance(days=1)
        assert score(hub).scored == 2


def test_other_settings_make_everybody_new(tmp_path: Path) -> None:
    with office(tmp_path, Letters) as hub:
        customers_are(hub, "anna", "bo")
        score(hub)
    with office(tmp_path, Letters, config='[hub]\nday_cutoff = "04:00"') as hub:
        assert score(hub).scored == 2
    with office(tmp_path, Letters, RANK) as hub:
        assert score(hub).scored == 2


@pytest.mark.parametrize(
    ("change", "scored"), [("stock = 3", 0), ("sold_out_at = ['S1']", 0), ("on_sale = false", 2), ("list_price = 9", 2)]
)
def test_what_is_left_of_a_product_makes_nobody_new_within_the_day(tmp_path: Path, change: str, scored: int) -> None:
    with office(tmp_path, Letters) as hub:
        customers_are(hub, "anna", "bo")
        with hub.warehouse() as engine:
            engine.execute(
                "INSERT INTO products (connection, source_id, name, on_sale, stock) VALUES ('pos', 'P1', '乌龙茶', true, 9)"
            )
        score(hub)
        with hub.warehouse() as engine:
            engine.execute(f"UPDATE products SET {change}, row_hash = row_hash + 1, updated_at = now()")
        assert score(hub).scored == scored


def test_who_came_and_who_went_is_noticed(tmp_path: Path) -> None:
    with office(tmp_path, Letters) as hub:
        customers_are(hub, "anna", "bo")
        score(hub)
        with hub.warehouse() as engine:
            engine.execute("DELETE FROM customers WHERE customer_id = 'bo'")
            engine.execute("INSERT INTO customers (customer_id, name) VALUES ('dora', 'dora')")
        report = score(hub)
        assert (report.scored, report.changed) == (1, 2)
        assert table(hub, "SELECT customer_id, letters FROM traits ORDER BY ALL") == [("anna", 4), ("dora", 4)]


def test_a_scorer_that_compares_customers_sees_everybody_each_time(tmp_path: Path) -> None:
    with office(tmp_path, Letters, RANK) as hub:
        customers_are(hub, "anna", "bo", "cy")
        score(hub)
        rename(hub, "cy", "aa")
        report = score(hub)
        assert (report.scored, report.scorers["rank"], report.scorers["letters"]) == (1, 3, 1)
        assert table(hub, "SELECT customer_id, letters, place FROM traits ORDER BY ALL") == [
            ("anna", 4, 2),
            ("bo", 2, 3),
            ("cy", 2, 1),
        ]


def test_a_scorer_reads_the_traits_tables_and_settings_of_those_it_needs(tmp_path: Path) -> None:
    class Shouted(Scorer):
        name = "a_shouted"
        needs = ("letters",)
        traits = (Trait("shout", TraitType.TEXT, Title("喊", "Shout")),)

        def score(self, inputs: Inputs) -> str:
            assert set(inputs.settings) == {"letters"}
            return "SELECT customer_id, repeat('!', letters) AS shout FROM score_letters"

    with office(tmp_path, Shouted, Letters) as hub:
        customers_are(hub, "anna", "bo")
        score(hub)
        rename(hub, "bo", "b")
        score(hub)
        assert table(hub, "SELECT customer_id, shout FROM traits ORDER BY ALL") == [("anna", "!!!!"), ("bo", "!")]


@pytest.mark.parametrize("needs", [("nobody",), ("rank",)])
def test_scorers_that_need_what_is_not_there_or_each_other_are_refused(tmp_path: Path, needs: tuple[str, ...]) -> None:
    class Alone(Letters):
        pass

    class Other(Scorer):
        name = "rank"
        traits = (Trait("place", TraitType.INTEGER, Title("名次", "Place")),)

        def score(self, inputs: Inputs) -> str:
            return "SELECT customer_id, 1 AS place FROM customers"

    Alone.needs, Other.needs = needs, ("letters",)
    with office(tmp_path, Alone, Other) as hub, pytest.raises(PluginError, match="needs"):
        score(hub, dt.datetime(2026, 3, 1, tzinfo=dt.UTC))


def test_traits_put_together_in_parts_are_those_put_together_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, names = Wall(), ("anna", "bo", "cy", "dora", "eve", "fay", "gus")
    found = []
    for at_once in (100_000, 4):
        monkeypatch.setattr("hub.pipeline.score_traits._VALUES_PER_GB", at_once)
        with office(tmp_path / str(at_once), Letters, RANK, clock=clock) as hub:
            customers_are(hub, *names)
            first = score(hub).changed
            rename(hub, "bo", "zora")
            told = [first, score(hub).changed, score(hub).changed]
            found.append((told, table(hub, "FROM traits ORDER BY ALL")))
    assert found[0] == found[1]
    assert len(found[0][1]) == len(names)


@pytest.mark.parametrize("most", [0, 10], ids=["written-anew", "row-by-row"])
def test_traits_written_anew_are_those_changed_row_by_row_and_are_counted_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(score_traits, "_MOST", most)
    anew = Mock(wraps=score_traits._write_anew)
    monkeypatch.setattr(score_traits, "_write_anew", anew)
    clock = Wall()
    with office(tmp_path, Letters, clock=clock) as hub:
        customers_are(hub, "anna", "bo", "cy", "dora", "eve")
        assert score(hub).changed == 5
        rename(hub, "bo", "b")
        rename(hub, "cy", "cyd")
        with hub.warehouse() as engine:
            engine.execute("DELETE FROM customers WHERE customer_id = 'eve'")
        clock.advance(days=1)
        assert score(hub).changed == 3
        letters = table(hub, "SELECT customer_id, letters, longest FROM traits ORDER BY ALL")
        assert letters == [("anna", 4, 4), ("bo", 1, 4), ("cy", 3, 4), ("dora", 4, 4)]
        assert anew.call_count == (2 if most == 0 else 1)
