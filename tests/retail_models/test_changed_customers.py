"""A learning scorer gives changed customers by themselves what it gives them among all, from what was learnt of all."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from learning_chain import TODAY, Purchases, Relations, inputs_of, learn, scored

from hub.models import MemoryModels
from hub.scorer import Scorer
from plugins.retail.models.clusters import Clusters
from plugins.retail.models.forecast import Forecast
from plugins.retail.models.recommend import Recommend


@pytest.mark.parametrize("scorer", [Forecast(), Recommend(), Clusters()], ids=lambda one: one.name)
def test_changed_customers_alone_are_scored_as_among_all(
    scorer: Scorer, chain: Purchases, forecast: pa.Table, fitted: MemoryModels
) -> None:
    config = scorer.Config(fewest=4, most=4) if scorer.name == "clusters" else scorer.Config()
    everybody = inputs_of(chain, TODAY, config, fitted if scorer.name == "forecast" else MemoryModels())
    among_all = scored(scorer, everybody)
    some = np.unique(chain.customer)[3::7]
    alone = inputs_of(chain.taken(np.isin(chain.customer, some)), TODAY, config, MemoryModels())
    assert isinstance(alone.arrow, Relations)
    for name, relation in learn(scorer, everybody).items():
        alone.arrow.add(name, relation)
    found = scorer.score(alone)
    assert isinstance(found, pa.Table)
    assert scorer.per_customer(config)
    assert 200 < found.num_rows < 300
    assert found.sort_by("customer_id").equals(
        among_all.filter(pc.is_in(among_all["customer_id"], found["customer_id"].combine_chunks()))
    )
    told = {"forecast": "clv_12m", "recommend": "reco_repeat", "clusters": "cluster_id"}[scorer.name]
    assert found[told].null_count < found.num_rows
