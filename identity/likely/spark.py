"""The same link model on a Spark cluster: one model, one set of conditions, translated and never written twice.

Scoring is what grows with the pairs; it runs where the records are. What comes back is the pairs above the threshold.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import expressions

from identity.errors import MissingLibraryError
from identity.likely.model import LinkModel, quiet
from identity.tables import PAIRS

__all__ = ["SparkModel", "spark_settings"]

_SQL_KEYS = frozenset({"sql_condition", "blocking_rule"})


@dataclass(frozen=True)
class SparkModel:
    """A link model whose pairs are scored by Spark; :func:`identity.resolve` takes it as it takes a :class:`LinkModel`.

    Attributes:
        model: the trained model.
        session: a ``pyspark.sql.SparkSession`` that has Splink's functions (``spark.jars`` with
            ``splink.internals.spark.jar_location.similarity_jar_location()``) and a checkpoint folder.
    """

    model: LinkModel
    session: Any

    @property
    def version(self) -> str:
        """The model's: where it is computed decides nothing."""
        return self.model.version

    @property
    def blocks(self) -> tuple[tuple[str, ...], ...]:
        """The model's."""
        return self.model.blocks

    def pairs(self, records: pa.Table, *, least_weight: float = 0.0, only: Sequence[str] | None = None) -> pa.Table:
        """Score all pairs of records that one of the blocks brings together; see :meth:`LinkModel.pairs`.

        Raises:
            MissingLibraryError: Splink is not installed.
        """
        if records.num_rows < 2:
            return PAIRS.empty_table()
        try:
            from splink import Linker, SparkAPI
        except ImportError as error:
            raise MissingLibraryError(
                "Splink is not installed.", hint="Run: pip install 'customer-hub[spark,splink]'"
            ) from error
        with quiet(), duckdb.connect(":memory:") as database:
            backend: Any = SparkAPI
            frame = backend(spark_session=self.session).register(self.session.createDataFrame(records))
            linker = Linker(frame, spark_settings(self.model.settings))
            # It switches its own logging on when it is made.
            logging.getLogger("splink").setLevel(logging.CRITICAL)
            scored = linker.inference.predict(threshold_match_weight=least_weight).as_spark_dataframe().toArrow()
            database.register("scored", scored)
            return self.model.weighed(database, "scored", only)


def spark_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model's Splink settings with every condition in Spark's SQL."""
    translated: dict[str, Any] = _translated(settings)
    return translated


def _translated(part: Any, key: str = "") -> Any:
    if isinstance(part, Mapping):
        return {name: _translated(value, name) for name, value in part.items()}
    if isinstance(part, list):
        return [_translated(value, "blocking_rule" if key.startswith("blocking_rules") else "") for value in part]
    if key == "sql_dialect":
        return "spark"
    return _in_spark(part) if key in _SQL_KEYS and isinstance(part, str) and part != "ELSE" else part


def _in_spark(condition: str) -> str:
    return sqlglot.parse_one(condition, read="duckdb").transform(_renamed).sql("spark")


def _renamed(node: expressions.Expression) -> expressions.Expression:
    """Splink's library for Spark calls the Jaro-Winkler similarity by another name than DuckDB."""
    if isinstance(node, expressions.JarowinklerSimilarity):
        return expressions.Anonymous(this="jaro_winkler", expressions=[node.this, node.expression])
    return node
