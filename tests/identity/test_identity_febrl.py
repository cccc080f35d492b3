"""Independent data: what a model that saw no label makes of Febrl 3 and 4. ``benchmarks/febrl.py`` has the whole table."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from febrl import BLOCKS, CERTAIN, FIELDS, TRAIN_ON, measures, records
from identity_frames import AT

from identity.graph import components, smallest_members
from identity.likely import LinkModel, group_pairs, train


@pytest.fixture(scope="module")
def febrl3() -> tuple[pa.Table, LinkModel, pa.Table]:
    table = records("febrl3")
    model = train(
        table, FIELDS, BLOCKS, certain=CERTAIN, certain_recall=0.7, train_on=TRAIN_ON, at=AT, random_pairs=2e5
    )
    return table, model, model.pairs(table, least_weight=-10)


def test_without_a_label_nearly_every_duplicate_is_found_and_nothing_else(
    febrl3: tuple[pa.Table, LinkModel, pa.Table],
) -> None:
    table, _, pairs = febrl3
    ids = table["id"].combine_chunks()
    precision, recall, f1 = measures(group_pairs(ids, pairs, join_above=0), ids)
    assert f1 >= 0.995, (precision, recall)


def test_average_link_is_more_precise_than_components_at_equal_recall() -> None:
    """With three fields only, strangers look alike: one lucky pair chains them, the mean of all pairs does not."""
    table = records("febrl3")
    ids = table["id"].combine_chunks()
    model = train(
        table, FIELDS[:3], BLOCKS, certain=CERTAIN, certain_recall=0.7, train_on=TRAIN_ON, at=AT, random_pairs=2e5
    )
    pairs = model.pairs(table, least_weight=-12)
    averaged = measures(group_pairs(ids, pairs, join_above=-2, unscored=-4), ids)
    chained = [components_above(ids, pairs, least) for least in np.arange(-6, 6, 0.5)]
    rivals = [precision for precision, recall, _ in chained if recall >= averaged[1]]
    assert rivals
    assert averaged[0] > max(rivals) + 0.002


def components_above(ids: pa.Array, pairs: pa.Table, least: float) -> tuple[float, float, float]:
    kept = pairs.filter(pc.greater(pairs["weight"], least))
    left, right = (
        pc.index_in(kept[side].combine_chunks(), ids).to_numpy().astype("int32") for side in ("left", "right")
    )
    return measures(pa.array(smallest_members(components(left, right, len(ids)))), ids)


def test_the_model_that_comes_back_from_its_file_scores_the_same(
    febrl3: tuple[pa.Table, LinkModel, pa.Table], tmp_path_factory: pytest.TempPathFactory
) -> None:
    table, model, pairs = febrl3
    path = tmp_path_factory.mktemp("model") / "model.json"
    model.save(path)
    again = LinkModel.load(path)
    assert again.version == model.version
    assert again.card["records"] == 5000
    assert (
        again.pairs(table, least_weight=-10)
        .select(["left", "right", "weight"])
        .equals(pairs.select(["left", "right", "weight"]))
    )
