"""Scoring: every scorer's traits for every customer, checked before anything is replaced."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest
from analysts import customers_are, office, scorer, table
from crm import Wall
from toy import MORNING

from hub.errors import ConfigError, PluginError
from hub.pipeline.score import score
from hub.scorer import Inputs, TraitType

LENGTH = scorer(
    "length", {"letters": TraitType.INTEGER}, "SELECT customer_id, length(name) AS letters, 1 AS more FROM customers"
)
KEEN = scorer(
    "keen",
    {"keen": TraitType.BOOLEAN, "share": TraitType.NUMBER},
    lambda inputs: inputs.arrow(
        "SELECT customer_id, true AS keen, 0.5::FLOAT AS share FROM customers WHERE name = 'anna'"
    ),
)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub in which anna and bo were scored once, a minute before the tests."""
    folder = tmp_path_factory.mktemp("scored")
    with office(folder, LENGTH, clock=lambda: MORNING - dt.timedelta(minutes=1)) as hub:
        customers_are(hub, "anna", "bo")
        score(hub)
    return folder


def test_traits_of_all_scorers_stand_side_by_side(tmp_path: Path) -> None:
    with office(tmp_path, LENGTH, KEEN) as hub:
        customers_are(hub, "anna", "bo")
        report = score(hub)
        assert (report.customers, report.changed, report.scorers) == (2, 2, {"keen": 1, "length": 2})
        assert table(hub, "SELECT customer_id, letters, keen, share FROM traits ORDER BY ALL") == [
            ("anna", 4, True, 0.5),
            ("bo", 2, None, None),
        ]


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    with office(tmp_path, LENGTH) as hub:
        customers_are(hub, "anna", "bo")
        score(hub)
        before = table(hub, "SELECT rowid, * FROM traits ORDER BY ALL")
        assert score(hub).changed == 0
        assert table(hub, "SELECT rowid, * FROM traits ORDER BY ALL") == before
        customers_are(hub, "anna", "cyril")
        assert score(hub).changed == 2
        assert table(hub, "SELECT customer_id, letters FROM traits ORDER BY ALL") == [("anna", 4), ("cyril", 5)]


def test_a_scorer_that_comes_or_goes_changes_the_columns(tmp_path: Path) -> None:
    wider = scorer("length", {"letters": TraitType.TEXT}, "SELECT customer_id, length(name) AS letters FROM customers")
    for scorers, expected in (
        ((LENGTH,), {"customer_id": "VARCHAR", "letters": "BIGINT"}),
        ((LENGTH, KEEN), {"customer_id": "VARCHAR", "keen": "BOOLEAN", "letters": "BIGINT", "share": "DOUBLE"}),
        ((KEEN,), {"customer_id": "VARCHAR", "keen": "BOOLEAN", "share": "DOUBLE"}),
        ((wider,), {"customer_id": "VARCHAR", "letters": "VARCHAR"}),
        ((), {"customer_id": "VARCHAR"}),
    ):
        with office(tmp_path, *scorers) as hub:
            customers_are(hub, "anna")
            assert score(hub).changed == 1
            with hub.warehouse() as engine:
                assert engine.columns("traits") == expected


def test_an_empty_warehouse_has_no_traits(tmp_path: Path) -> None:
    with office(tmp_path, LENGTH, KEEN) as hub:
        report = score(hub)
        assert (report.customers, report.changed, report.scorers) == (0, 0, {"keen": 0, "length": 0})


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ("SELECT customer_id, 1 AS leters FROM customers", "did not give letters"),
        ("SELECT name, 1 AS letters FROM customers", "did not give customer_id"),
        (pa.table({"customer_id": ["anna"]}), "did not give letters"),
        ("SELECT customer_id, 1 AS letters FROM customers, range(2)", "gave 4 rows for 2 customers"),
        ("SELECT NULL AS customer_id, 1 AS letters FROM customers", "gave 2 rows for 0 customers"),
        (pa.table({"customer_id": ["anna", "anna"], "letters": [1, 2]}), "gave 2 rows for 1 customers"),
        ("SELECT customer_id, 'many' AS letters FROM customers", "Could not convert"),
        ("SELECT customer_id, 1 AS letters FROM nobody", "nobody does not exist"),
        ("SELECT customer_id,, FROM customers", "ParserException"),
        (lambda _: 1 / 0, "ZeroDivisionError"),
        (lambda _: None, "failed inside the plugin"),
    ],
)
def test_a_scorer_that_breaks_its_contract_is_told_and_changes_nothing(
    scored: Path, result: object, message: str
) -> None:
    broken = scorer("length", {"letters": TraitType.INTEGER}, result)
    with office(scored, broken, KEEN) as hub:
        with pytest.raises(PluginError, match=message):
            score(hub)
        assert table(hub, "FROM traits ORDER BY ALL") == [("anna", 4), ("bo", 2)]
        assert hub.store.runs.list(stage="score", limit=1)[0].state == "failed"


def test_a_trait_may_not_be_called_like_a_column_of_customers(tmp_path: Path) -> None:
    clash = scorer("clash", {"city": TraitType.TEXT}, "SELECT customer_id, '' AS city FROM customers")
    with office(tmp_path, clash) as hub, pytest.raises(PluginError, match="clash declares city"):
        score(hub)


def test_what_is_no_number_is_not_known(tmp_path: Path) -> None:
    odd = scorer("odd", {"share": TraitType.NUMBER}, "SELECT customer_id, 'nan'::DOUBLE AS share FROM customers")
    with office(tmp_path, odd) as hub:
        customers_are(hub, "anna")
        score(hub)
        assert table(hub, "SELECT share FROM traits") == [(None,)]


def test_scorers_are_told_the_day_and_their_settings(tmp_path: Path, clock: Wall) -> None:
    seen: list[Inputs] = []

    def remember(inputs: Inputs) -> str:
        seen.append(inputs)
        return f"SELECT customer_id, {inputs.today} AS day FROM customers"

    with office(
        tmp_path, scorer("day", {"day": TraitType.DATE}, remember), config='[hub]\nday_cutoff = "04:00"'
    ) as hub:
        customers_are(hub, "anna")
        # Four in the afternoon in UTC is midnight in Shanghai, which belongs to the shops' day before.
        score(hub, dt.datetime(2026, 3, 31, 16, tzinfo=dt.UTC))
        assert table(hub, "SELECT day FROM traits") == [(dt.date(2026, 3, 31),)]
        score(hub)
    assert [inputs.business_date for inputs in seen] == [dt.date(2026, 3, 31), MORNING.date()]


def test_as_of_needs_a_time_zone(tmp_path: Path) -> None:
    with office(tmp_path) as hub, pytest.raises(ConfigError, match="time zone"):
        score(hub, dt.datetime(2026, 4, 1))  # noqa: DTZ001 - what is refused
