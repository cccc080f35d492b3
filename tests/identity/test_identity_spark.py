"""The same model on Spark finds the same people. Runs where PySpark and Java are: ``make test-spark``."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from identity_frames import AT, groups, identifiers, profiles

import identity
from identity.likely import LinkModel, train_profiles
from identity.likely.profiles import records_query
from identity.likely.spark import SparkModel, spark_settings

SURNAMES, GIVEN = "王李张刘陈杨赵黄周吴", ("芳", "伟", "娜", "秀英", "敏", "静", "丽", "强", "磊", "军")
CITIES = ("杭州", "宁波", "温州")


def people(count: int) -> pa.Table:
    """Persons twice, the second time with the birthday's day or the city another; every fifth only once."""
    rows: list[dict[str, Any]] = []
    for number in range(count):
        name = f"{SURNAMES[number % 10]}{GIVEN[number // 10 % 10]}"
        born = dt.date(1960, 1, 1) + dt.timedelta(days=number * 97 % 15_000)
        city = CITIES[number % 3]
        rows.append({"profile": f"pos:{number:03}", "name": name, "birthday": born.isoformat(), "city": city})
        if number % 5:
            slip = born + dt.timedelta(days=1) if number % 4 == 0 else born
            moved = CITIES[(number + 1) % 3] if number % 7 == 0 else city
            rows.append({"profile": f"shop:{number:03}", "name": name, "birthday": slip.isoformat(), "city": moved})
    return profiles(*rows)


@pytest.fixture(scope="module")
def model() -> LinkModel:
    """Trained on such people, on DuckDB."""
    pytest.importorskip("splink", reason="needs the extra splink")
    state = identity.resolve(people(400), identifiers(), at=AT).state
    with duckdb.connect() as database:
        database.register("profile", state.profiles)
        database.register("link", state.links)
        return train_profiles(database.execute(records_query("profile", "link")).to_arrow_table(), at=AT)


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Spark of this process's own, on two cores."""
    if not find_spec("pyspark"):
        pytest.skip("PySpark is not installed: pip install 'customer-hub[spark]', or make test-spark")
    if not shutil.which("java"):
        pytest.skip("Spark needs Java, and there is none on the PATH")
    from pyspark.sql import SparkSession
    from splink.internals.spark.jar_location import similarity_jar_location

    folder = tmp_path_factory.mktemp("spark")
    options = {
        "spark.jars": similarity_jar_location(), "spark.driver.memory": "1g", "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2", "spark.default.parallelism": "2", "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1", "spark.sql.warehouse.dir": str(folder / "warehouse"), "spark.local.dir": str(folder),
    }  # fmt: skip
    builder = SparkSession.builder.master("local[2]")
    for name, value in options.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setCheckpointDir(str(folder / "checkpoints"))
    yield session
    session.stop()


def test_conditions_are_translated_and_not_written_twice() -> None:
    levels = [{"sql_condition": 'jaro_winkler_similarity("name_l", "name_r") >= 0.9'}, {"sql_condition": "ELSE"}]
    given = {
        "sql_dialect": "duckdb",
        "comparisons": [{"comparison_levels": levels}],
        "blocking_rules_to_generate_predictions": ['l."name" = r."name"'],
    }
    told = spark_settings(given)
    assert told["sql_dialect"] == "spark"
    assert [level["sql_condition"] for level in told["comparisons"][0]["comparison_levels"]] == [
        "JARO_WINKLER(`name_l`, `name_r`) >= 0.9", "ELSE"
    ]  # fmt: skip
    assert told["blocking_rules_to_generate_predictions"] == ["l.`name` = r.`name`"]


@pytest.mark.filterwarnings("ignore")
def test_spark_and_duckdb_give_the_same_partition(spark: Any, model: LinkModel) -> None:
    given = people(120)
    here, there = (
        identity.resolve(given, identifiers(), at=AT, model=one, new_ids=identity.sequential_ids())
        for one in (model, SparkModel(model, spark))
    )
    assert groups(here.memberships) == groups(there.memberships)
    assert sum(len(group) == 2 for group in groups(here.memberships)) >= 60
    one, other = (found.state.pairs.sort_by([("left", "ascending"), ("right", "ascending")]) for found in (here, there))
    assert one.select(["left", "right"]).equals(other.select(["left", "right"]))
    assert one["weight"].to_pylist() == pytest.approx(other["weight"].to_pylist())
