"""A link model: trained on records without labels, kept as JSON with a card, gives weighted pairs.

Splink does the estimation and scoring, on DuckDB here; :mod:`identity.likely.spark` has the same model score on a cluster. It is an optional library:
without it everything else of :mod:`identity` works.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from identity.errors import InvalidInputError, MissingLibraryError
from identity.likely.fields import Compare, Field, comparisons, prepared_columns
from identity.tables import PAIRS

__all__ = ["LinkModel", "train"]

_FORMAT = 1
_RARE = 1e-6
"""Share of pairs on a level that was never seen."""


@dataclass(frozen=True)
class LinkModel:
    """A trained model.

    Attributes:
        fields: what it compares.
        blocks: sets of SQL expressions over the records' columns; records that agree on one set are compared.
        settings: Splink's own model.
        card: what it was trained on, when, and how well it does; written by :func:`train` and whoever validates it.
    """

    fields: tuple[Field, ...]
    blocks: tuple[tuple[str, ...], ...]
    settings: Mapping[str, Any]
    card: Mapping[str, Any]

    @property
    def version(self) -> str:
        """A fingerprint of all that decides weights; the card is no part of it."""
        parts = json.dumps([repr(self.fields), self.blocks, self.settings], sort_keys=True, default=str)
        return hashlib.sha256(parts.encode()).hexdigest()[:12]

    def pairs(self, records: pa.Table, *, least_weight: float = 0.0, only: Sequence[str] | None = None) -> pa.Table:
        """Score all pairs of records that one of the blocks brings together.

        Args:
            records: with ``id`` and the fields' columns.
            least_weight: pairs of less weight are left out; 0 means as likely as not.
            only: score only pairs with at least one of these ids.

        Returns:
            :data:`identity.PAIRS`, sorted.

        Raises:
            InvalidInputError: a column is absent.
            MissingLibraryError: Splink is not installed.
        """
        if records.num_rows < 2:
            return PAIRS.empty_table()
        with _linker(records, self.fields, dict(self.settings)) as (linker, database):
            scored = linker.inference.predict(threshold_match_weight=least_weight).physical_name
            return self.weighed(database, scored, only)

    def weighed(self, database: duckdb.DuckDBPyConnection, scored: str, only: Sequence[str] | None) -> pa.Table:
        """What Splink predicted, as :meth:`pairs` gives it.

        Args:
            database: where the prediction is.
            scored: its relation.
            only: see :meth:`pairs`.
        """
        if only is not None:
            database.register("only_ids", pa.table({"id": pa.array(only, pa.string())}))
        near = "" if only is None else "WHERE id_l IN (FROM only_ids) OR id_r IN (FROM only_ids)"
        query = f"""SELECT least(id_l, id_r) AS "left", greatest(id_l, id_r) AS "right", match_weight AS weight,
                           match_probability AS probability, {self._why()} AS why
                    FROM {scored} {near} ORDER BY 1, 2"""
        return database.execute(query).to_arrow_table().cast(PAIRS)

    def _why(self) -> str:
        """SQL: the waterfall of a pair."""
        prior = f"'prior': round(log2({self._prior()} / (1 - {self._prior()})), 2)"
        bits = [
            f"""'{field.name}': round(mw_{field.name} + coalesce({f"mw_tf_adj_{field.name}" if field.frequent else 0}, 0), 2)"""
            for field in self.fields
        ]
        return f"to_json({{{', '.join([prior, *bits])}}})"

    def _prior(self) -> float:
        return float(self.settings["probability_two_random_records_match"])

    def save(self, path: Path) -> None:
        """Write the model and its card as one JSON file."""
        body = {
            "format": _FORMAT,
            "version": self.version,
            "card": dict(self.card),
            "fields": [asdict(one) for one in self.fields],
            "blocks": [list(block) for block in self.blocks],
            "settings": dict(self.settings),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(body, ensure_ascii=False, indent=1, default=str), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> LinkModel:
        """Read what :meth:`save` wrote.

        Raises:
            InvalidInputError: the file is absent, or not a model of this version of the library.
        """
        try:
            body = json.loads(path.read_text(encoding="utf-8"))
            if body["format"] != _FORMAT:
                raise InvalidInputError(f"The link model {path.name} has format {body['format']}, not {_FORMAT}.")
            fields = tuple(Field(**{**one, "compare": Compare(one["compare"])}) for one in body["fields"])
            return cls(fields, tuple(tuple(block) for block in body["blocks"]), body["settings"], body["card"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidInputError(
                f"The link model {path.name} cannot be read.", hint="Train it anew: hub identity train."
            ) from error


def train(
    records: pa.Table,
    fields: Sequence[Field],
    blocks: Sequence[Sequence[str]],
    *,
    certain: Sequence[Sequence[str]],
    certain_recall: float = 0.8,
    train_on: Sequence[Sequence[str]],
    at: dt.datetime,
    random_pairs: float = 1e6,
    seed: int = 1,
) -> LinkModel:
    """Estimate a model from records without labels.

    Args:
        records: with ``id`` and the fields' columns; more than a few hundred.
        fields: what to compare; no identifiers (see the package's docstring).
        blocks: sets of SQL expressions over columns; records that agree on all of a set are compared.
        certain: sets of columns on which strangers practically never agree, to estimate how many pairs there are.
        certain_recall: share of the true pairs that agree on one of ``certain``.
        train_on: blocks for expectation maximisation; together they must leave every field out once.
        at: when, for the card.
        random_pairs: how many random pairs tell how often strangers agree.
        seed: for the sample.

    Raises:
        InvalidInputError: a column is absent.
        MissingLibraryError: Splink is not installed.
    """
    chosen = tuple(fields)
    ordered = tuple(tuple(block) for block in blocks)
    with _linker(records, chosen, _settings(chosen, ordered)) as (linker, _):
        training = linker.training
        training.estimate_probability_two_random_records_match([_rule(one) for one in certain], recall=certain_recall)
        training.estimate_u_using_random_sampling(max_pairs=random_pairs, seed=seed)
        for block in train_on:
            training.estimate_parameters_using_expectation_maximisation(_rule(block))
        model = _completed(linker.misc.save_model_to_json())
    card = {
        "trained_at": at.isoformat(),
        "records": records.num_rows,
        "fields": [field.name for field in chosen],
        "filled": {field.name: round(1 - records[field.name].null_count / max(1, records.num_rows), 4) for field in chosen},
        "prior": model["probability_two_random_records_match"],
        "splink": _splink_version(),
        "seed": seed,
    }  # fmt: skip
    return LinkModel(chosen, ordered, model, card)


def _completed(model: dict[str, Any]) -> dict[str, Any]:
    """Levels that no training pair had weigh nothing, in either direction."""
    for comparison in model["comparisons"]:
        for level in comparison["comparison_levels"]:
            if not level.get("is_null_level"):
                rare = level.get("u_probability") or _RARE
                level["u_probability"] = rare
                level["m_probability"] = level.get("m_probability") or rare
    return model


def _settings(fields: tuple[Field, ...], blocks: tuple[tuple[str, ...], ...]) -> dict[str, Any]:
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "id",
        "blocking_rules_to_generate_predictions": [_rule(block) for block in blocks],
        "comparisons": comparisons(fields),
        "retain_intermediate_calculation_columns": True,
        "retain_matching_columns": False,
        "em_convergence": 0.001,
        "max_iterations": 25,
    }


def _rule(block: Sequence[str]) -> str:
    """A set of SQL expressions over columns as a join condition; a bare word is a column."""
    return " AND ".join(f"{_side('l', part)} = {_side('r', part)}" for part in block)


def _side(side: str, part: str) -> str:
    """``surname`` as ``l."surname"``; in an expression, columns are marked with @: ``substr(@surname, 1, 3)``."""
    return part.replace("@", f"{side}.") if "@" in part else f'{side}."{part}"'


@contextmanager
def _linker(records: pa.Table, fields: tuple[Field, ...], settings: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Splink over the records in a database of its own, quiet."""
    needed = ["id", *prepared_columns(fields)]
    if absent := sorted(set(needed) - set(records.column_names)):
        raise InvalidInputError(f"The records lack the columns {', '.join(absent)}.")
    try:
        from splink import DuckDBAPI, Linker
    except ImportError as error:
        raise MissingLibraryError("Splink is not installed.", hint="Run: pip install 'customer-hub[splink]'") from error
    database = duckdb.connect(":memory:")
    try:
        database.register("given_records", records)
        database.execute("CREATE TABLE records AS FROM given_records")
        with quiet():
            linker = Linker(DuckDBAPI(connection=database).register("records"), settings)
            # It switches its own logging on when it is made.
            logging.getLogger("splink").setLevel(logging.CRITICAL)
            yield linker, database
    finally:
        database.close()


@contextmanager
def quiet() -> Iterator[None]:
    """Splink tells of its progress by logging; what it tells quotes columns and counts nobody asked for."""
    logger = logging.getLogger("splink")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _splink_version() -> str:
    from importlib.metadata import version

    return version("splink")
