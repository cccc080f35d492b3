"""Febrl 3 and 4 through ``identity.likely``, beside plain Splink and recordlinkage in the same run.

    python benchmarks/febrl.py

Nobody sees a label. Splink is set up as its own examples for these data do it (blocks, comparisons, the social security number
among them) and judged at p = 0.5 and 0.95; recordlinkage trains its ECM classifier on comparisons of the same fields. The
hub's model does without the number's weight, and its threshold is zero bits. Fails (exit code 1) when pairwise F1 is below
0.995, or below Splink's.
"""

from __future__ import annotations

import datetime as dt
import logging
import sys
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/identity"))

from febrl import BLOCKS, CERTAIN, FIELDS, TRAIN_ON, measures, records

from identity.graph import components, smallest_members
from identity.likely import group_pairs, train

AT = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)
LEAST = 0.995


def ours(table: pa.Table, source: pa.Array | None) -> dict[str, pa.Array]:
    ids = table["id"].combine_chunks()
    model = train(table, FIELDS, BLOCKS, certain=CERTAIN, certain_recall=0.7, train_on=TRAIN_ON, at=AT)
    pairs = model.pairs(table, least_weight=-10)
    apart = {"source": source} if source is not None else None
    return {
        "identity.likely, average link": group_pairs(ids, pairs, join_above=0, apart_by=apart),
        "identity.likely, bare components": chained(ids, pairs.filter(pc.greater(pairs["weight"], 0))),
    }


def chained(ids: pa.Array, pairs: pa.Table) -> pa.Array:
    left, right = (
        pc.index_in(pairs[side].combine_chunks(), ids).to_numpy().astype("int32") for side in ("left", "right")
    )
    return pa.array(smallest_members(components(left, right, len(ids))))


def splink_alone(table: pa.Table, name: str) -> dict[str, pa.Array]:
    """As Splink's examples for deduplicating febrl3 and linking febrl4."""
    import duckdb
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    database = duckdb.connect(":memory:")
    database.register("given", table)
    database.execute("CREATE TABLE people AS FROM given")
    rules = [
        block_on("soc_sec_id"),
        block_on("given_name"),
        block_on("surname"),
        block_on("date_of_birth"),
        block_on("postcode"),
    ]
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="id",
        blocking_rules_to_generate_predictions=rules,
        comparisons=[
            cl.NameComparison("given_name"),
            cl.NameComparison("surname"),
            cl.DamerauLevenshteinAtThresholds("date_of_birth", [1, 2]),
            cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
            cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
            cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(term_frequency_adjustments=True),
        ],
    )
    linker = Linker(DuckDBAPI(connection=database).register("people"), settings)
    logging.getLogger("splink").setLevel(logging.CRITICAL)
    certain = [
        block_on("soc_sec_id"),
        block_on("given_name", "surname", "date_of_birth"),
    ]
    linker.training.estimate_probability_two_random_records_match(certain, recall=0.9)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for rule in (block_on("date_of_birth"), block_on("postcode")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    found = linker.inference.predict(threshold_match_probability=0.01).physical_name
    pairs = database.execute(
        f"SELECT id_l AS left, id_r AS right, match_probability AS p FROM {found}"
    ).to_arrow_table()
    if name == "febrl4":
        source = dict(zip(table["id"].to_pylist(), table["source"].to_pylist(), strict=True))
        across = [
            source[a] != source[b] for a, b in zip(pairs["left"].to_pylist(), pairs["right"].to_pylist(), strict=True)
        ]
        pairs = pairs.filter(pa.array(across, pa.bool_()))
    ids = table["id"].combine_chunks()
    return {
        f"Splink alone, p >= {least}": chained(ids, pairs.filter(pc.greater_equal(pairs["p"], least)))
        for least in (0.5, 0.95)
    }


def recordlinkage_alone(table: pa.Table) -> dict[str, pa.Array]:
    """Its unsupervised classifier (ECM) over the same blocks and fields."""
    import recordlinkage

    frame: Any = table.drop_columns(["source"]).to_pandas().set_index("id")
    index = recordlinkage.Index()
    for columns in (
        "date_of_birth",
        ["given_name", "surname"],
        "soc_sec_id",
        ["surname", "postcode"],
        ["given_name", "postcode"],
    ):
        index.block(columns)
    candidates = index.index(frame)
    compare = recordlinkage.Compare()
    for column in ("given_name", "surname", "address_1", "suburb"):
        compare.string(column, column, method="jarowinkler", threshold=0.85, label=column)
    for column in ("date_of_birth", "soc_sec_id", "state", "postcode", "street_number"):
        compare.exact(column, column, label=column)
    found = recordlinkage.ECMClassifier(binarize=0.5).fit_predict(compare.compute(candidates, frame))
    ids = table["id"].combine_chunks()
    pairs = pa.table(
        {"left": pa.array([a for a, _ in found], pa.string()), "right": pa.array([b for _, b in found], pa.string())}
    )
    return {"recordlinkage ECM": chained(ids, pairs)}


def main() -> None:
    warnings.filterwarnings("ignore")
    failed = False
    for name in ("febrl3", "febrl4"):
        table = records(name)
        ids = table["id"].combine_chunks()
        source = table["source"].combine_chunks() if name == "febrl4" else None
        print(f"{name}: {table.num_rows} records")
        scores: dict[str, float] = {}
        for method in (
            partial(ours, table, source),
            partial(splink_alone, table, name),
            partial(recordlinkage_alone, table),
        ):
            start = time.perf_counter()
            found = method()
            seconds = time.perf_counter() - start
            for label, groups in found.items():
                precision, recall, scores[label] = measures(groups, ids)
                print(
                    f"  {label:34} precision {precision:.4f}  recall {recall:.4f}  F1 {scores[label]:.4f}  {seconds:.1f} s"
                )
        own = scores["identity.likely, average link"]
        rivals = max(score for label, score in scores.items() if label.startswith("Splink"))
        holds = own >= LEAST and own >= rivals
        print(f"  F1 {own:.4f} >= {LEAST} and >= Splink's {rivals:.4f}: {'holds' if holds else 'DOES NOT HOLD'}")
        failed |= not holds
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
