"""Groups of customers that are alike: stable, not too large, named by what they differ in, named the same after a refit."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from learning_chain import TODAY, Purchases, traits_of

from hub.models import MemoryModels
from plugins.retail.models.clusters import FEATURES, Clusters, Groups, find_groups
from plugins.retail.models.daily import day_number
from plugins.retail.models.keeping import Refused


def blobs(sizes: tuple[int, ...], seed: int = 1) -> np.ndarray:
    """Customers around centres that differ in two features."""
    draw = np.random.default_rng(seed)
    centres = np.array([[4, -4], [-4, 4], [4, 4], [-4, -4]])[: len(sizes)]
    noise = np.zeros((sum(sizes), len(FEATURES)))
    noise[:, :2] = draw.normal(0, 1, (sum(sizes), 2)) + np.repeat(centres, sizes, axis=0)
    return noise


@pytest.fixture(scope="module")
def groups() -> Groups:
    found = find_groups(blobs((500, 400, 300)), range(3, 5), None)
    assert not isinstance(found, Refused)
    return found[0]


def test_groups_are_found_and_named_by_what_they_differ_in(groups: Groups) -> None:
    assert groups.ids == (1, 2, 3)
    assert [set(name[1].split(", ")) for name in groups.names] == [
        {"long unseen", "seldom"}, {"seen lately", "frequent"}, {"long unseen", "frequent"},
    ]  # fmt: skip
    assert len({zh for zh, _ in groups.names}) == 3


def test_members_are_assigned_to_their_centre(groups: Groups) -> None:
    place = groups.assigned(blobs((500, 400, 300), seed=2))
    assert np.mean(place == np.repeat([0, 1, 2], (500, 400, 300))) > 0.97


def test_a_refit_keeps_numbers_and_names_whatever_the_sizes(groups: Groups) -> None:
    found = find_groups(blobs((300, 350, 600), seed=3), range(3, 5), groups)
    assert not isinstance(found, Refused)
    again = found[0]
    assert sorted(zip(again.ids, again.names, strict=True)) == sorted(zip(groups.ids, groups.names, strict=True))
    assert again.ids[0] == 3, "the largest group is another one now"


def test_a_new_group_gets_a_new_number(groups: Groups) -> None:
    found = find_groups(blobs((400, 400, 400, 400), seed=4), range(4, 5), groups)
    assert not isinstance(found, Refused)
    assert sorted(found[0].ids) == [1, 2, 3, 4]
    assert len(set(found[0].names)) == 4


def test_one_cloud_has_no_groups() -> None:
    cloud = np.random.default_rng(0).normal(0, 1, (1200, len(FEATURES)))
    found = find_groups(cloud, range(5, 9), None)
    assert isinstance(found, Refused)
    assert "no stable groups" in found.reason


def test_a_group_that_holds_nearly_everybody_is_refused() -> None:
    found = find_groups(np.vstack([blobs((1100,)) * 0.01, blobs((20, 20), seed=2) * 3]), range(2, 3), None)
    assert isinstance(found, Refused)


def test_the_groups_of_a_chain(chain: Purchases) -> None:
    models = MemoryModels()
    found = traits_of(Clusters(), chain, TODAY, models)
    sizes = np.unique(found["cluster_id"].to_numpy(), return_counts=True)[1] / found.num_rows
    assert sizes.max() <= 0.5
    assert sizes.min() >= 0.05
    assert abs(sum(one["share"] for one in models.versions("clusters")[0].card["profile"]) - 1) < 1e-4
    before = chain.before(day_number(TODAY))
    shuffled = before.taken(np.random.default_rng(2).permutation(len(before.day)))
    assert traits_of(Clusters(), shuffled, TODAY).equals(found)


def test_new_customers_are_assigned_without_a_refit(chain: Purchases) -> None:
    models = MemoryModels()
    traits_of(Clusters(), chain, TODAY, models)
    later = traits_of(Clusters(), chain, TODAY + dt.timedelta(days=20), models)
    assert len(models.versions("clusters")) == 1
    assert later["cluster_id"].null_count == 0
    assert set(later["cluster_name"].to_pylist()) <= {
        zh for zh, _ in Groups.of(dict(models.versions("clusters")[0].payload)).names
    }


def test_few_customers_have_no_groups_and_the_reason(chain: Purchases) -> None:
    few = traits_of(Clusters(), chain.taken(chain.customer < 200), TODAY)
    assert few["cluster_id"].null_count == few.num_rows > 0
    assert set(few["cluster_method"].to_pylist()) == {f"too little data: {few.num_rows} buyers, 1000 needed"}


def test_an_empty_chain_has_no_groups() -> None:
    nothing = np.zeros(0, np.int64)
    assert traits_of(Clusters(), Purchases(nothing, nothing, nothing.astype(float), nothing), TODAY).num_rows == 0
