"""How a resolution of the simulated chain does against the truth, beside references and beside what could be known at all."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import identity
from identity.graph import bipartite_components, components

OWN, CEILING = "identity.resolve", "ceiling: a perfect judge of the evidence"


@dataclass(frozen=True)
class Quality:
    """How a partition does against the truth: over pairs, of the pairs that could be found, and over people (B-cubed)."""

    precision: float
    recall: float
    of_ceiling: float
    b3: float
    largest: int


class Partition:
    """A grouping of the profiles beside the true one."""

    def __init__(self, found: np.ndarray, truth: np.ndarray) -> None:
        self.found, self.truth, self.both = found, truth, dense(found, truth)

    def pairs(self, chosen: np.ndarray | slice = slice(None)) -> tuple[int, int, int]:
        """Pairs that are joined and one person, that are joined, and that are one person, among some profiles."""
        right, joined, wanted = (in_pairs(labels[chosen]) for labels in (self.both, self.found, self.truth))
        return right, joined, wanted

    def quality(self, reachable: int) -> Quality:
        """The measures, beside so many pairs that could be found."""
        right, joined, wanted = self.pairs()
        same = np.bincount(self.both)[self.both]
        precision = (same / np.bincount(self.found)[self.found]).mean()
        recall = (same / np.bincount(self.truth)[self.truth]).mean()
        b3 = float(2 * precision * recall / (precision + recall))
        largest = int(np.bincount(self.found).max())
        return Quality(right / max(joined, 1), right / wanted, right / reachable, b3, largest)


def dense(*labels: np.ndarray) -> np.ndarray:
    """Numbers from 0 for the combinations of some labels."""
    whole = np.zeros(len(labels[0]), np.int64)
    for label in labels:
        whole = np.unique(whole * (int(label.max()) + 1) + label, return_inverse=True)[1]
    return whole


def in_pairs(labels: np.ndarray) -> int:
    counts = np.bincount(labels).astype(np.int64)
    return int((counts * (counts - 1) // 2).sum())


def numbered(table: pa.Table, columns: list[str]) -> np.ndarray:
    text = pc.binary_join_element_wise(*[table[name] for name in columns], "|")
    return text.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int32)


def reference_components(links: pa.Table, keys: pa.Array, most: int | None) -> np.ndarray:
    """Bare components over exact identifiers, with values of more than ``most`` carriers left out."""
    kept = links.filter(pc.and_(pc.equal(links["status"], "key"), pc.invert(pc.match_substring(links["kind"], "+"))))
    values = numbered(kept, ["kind", "scope", "value"])
    profiles = pc.index_in(kept["profile"].combine_chunks(), keys).to_numpy()
    if most is not None:
        chosen = np.bincount(values)[values] <= most
        values, profiles = values[chosen], profiles[chosen]
    return bipartite_components(profiles.astype(np.int32), values, len(keys), int(values.max()) + 1)


def partitions(
    state: identity.State, truth: pa.Table, *, splink: bool
) -> tuple[pa.Array, dict[str, Partition], tuple[float, float] | None]:
    """The profiles' keys, each method's partition by name, and Splink's seconds, of the wall and of CPU, if it was asked for."""
    keys = state.memberships["profile"].combine_chunks()
    person = truth["person"].take(pc.index_in(keys, truth["profile"].combine_chunks())).combine_chunks()
    true = person.dictionary_encode().indices.to_numpy()
    evidence = numbered(state.memberships, ["component", "component"])
    groups = {
        CEILING: dense(evidence, true),
        "bare components": reference_components(state.links, keys, None),
        "components, values of <= 8 profiles": reference_components(state.links, keys, 8),
    }
    seconds = None
    if splink:
        found, seconds = splink_groups(state, keys)
        groups |= found
    groups[OWN] = numbered(state.memberships, ["customer", "customer"])
    return keys, {name: Partition(found, true) for name, found in groups.items()}, seconds


def splink_groups(state: identity.State, keys: pa.Array) -> tuple[dict[str, np.ndarray], tuple[float, float]]:
    """Splink alone, trained as its documentation does, with the identifiers among its comparisons; and its seconds, of the wall and of CPU."""
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    database = duckdb.connect(":memory:")
    database.register("profile_arrow", state.profiles)
    database.register("link_arrow", state.links.filter(pc.equal(state.links["status"], "key")))
    database.execute(
        """CREATE TABLE people AS SELECT p.profile AS unique_id, name, sound, birthday,
                  max(value) FILTER (kind = 'phone') AS phone, max(value) FILTER (kind = 'unionid') AS unionid
           FROM profile_arrow AS p LEFT JOIN link_arrow AS l USING (profile) GROUP BY ALL"""
    )
    settings = SettingsCreator(
        link_type="dedupe_only",
        blocking_rules_to_generate_predictions=[block_on("phone"), block_on("unionid"), block_on("sound", "birthday")],
        comparisons=[
            cl.ExactMatch("phone"),
            cl.ExactMatch("unionid"),
            cl.JaroWinklerAtThresholds("name", [0.9]),
            cl.LevenshteinAtThresholds("birthday", [1]),
        ],
    )
    start, busy = time.perf_counter(), time.process_time()
    linker = Linker(DuckDBAPI(connection=database).register("people"), settings)
    logging.getLogger("splink").setLevel(logging.CRITICAL)
    training = linker.training
    training.estimate_probability_two_random_records_match([block_on("unionid"), block_on("phone", "name")], recall=0.7)
    training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for rule in (block_on("phone"), block_on("unionid"), block_on("name")):
        training.estimate_parameters_using_expectation_maximisation(rule)
    table = linker.inference.predict(threshold_match_probability=0.5).physical_name
    scored = database.execute(
        f"SELECT unique_id_l AS a, unique_id_r AS b, match_probability AS p FROM {table}"
    ).to_arrow_table()
    seconds = time.perf_counter() - start, time.process_time() - busy
    groups = {}
    for least in (0.5, 0.95):
        kept = scored.filter(pc.greater_equal(scored["p"], least))
        ends = [pc.index_in(kept[side].combine_chunks(), keys).to_numpy().astype(np.int32) for side in "ab"]
        groups[f"Splink alone, p >= {least}"] = components(*ends, len(keys))
    return groups, seconds


def show(methods: dict[str, Partition]) -> Quality:
    """Print a line for every method; the quality of our own."""
    reachable = methods[CEILING].pairs()[0]
    made = {name: one.quality(reachable) for name, one in methods.items()}
    for name, found in made.items():
        print(
            f"{name:40} precision {found.precision:.4f}  recall {found.recall:.4f}  of the ceiling {found.of_ceiling:.4f}  "
            f"B3 F1 {found.b3:.4f}  largest {found.largest}"
        )
    return made[OWN]


def show_difficulties(keys: pa.Array, truth: pa.Table, methods: dict[str, Partition]) -> None:
    """Precision and recall of every method among pairs in which at least one profile has the difficulty."""
    marks = truth["difficulties"].take(pc.index_in(keys, truth["profile"].combine_chunks())).combine_chunks()
    rows, names = pc.list_parent_indices(marks).to_numpy(), pc.list_flatten(marks).cast(pa.string()).dictionary_encode()
    print("\nprecision / recall of pairs with a difficulty; methods in the order above")
    whole = {name: one.pairs() for name, one in methods.items()}
    codes = names.indices.to_numpy()
    for code, difficulty in sorted(enumerate(names.dictionary.to_pylist()), key=lambda pair: str(pair[1])):
        easy = np.ones(len(keys), np.bool_)
        easy[rows[codes == code]] = False
        cells = []
        for name, one in methods.items():
            right, joined, wanted = (every - rest for every, rest in zip(whole[name], one.pairs(easy), strict=True))
            cells.append(f"{right / max(joined, 1):.3f}/{right / max(wanted, 1):.3f}")
        print(f"  {difficulty:22} {int((~easy).sum()):8}  {'  '.join(cells)}")
