"""Every trait tells its family of tags and the columns of the warehouse that it follows from."""

from __future__ import annotations

import pytest
from till import Till

from hub.scorer import Trait, TraitFamily
from plugins.retail import register_scorers
from plugins.retail.origins import with_origins
from plugins.retail.scorer import Retail

TRAITS = [trait for kind in register_scorers() for trait in kind.traits]
METHODS = {"clv_method", "churn_method", "next_purchase_method", "cluster_method"}


def test_every_trait_that_is_a_tag_is_of_a_family() -> None:
    without = {trait.name for trait in TRAITS if trait.family is None}
    assert without == METHODS | {"rule_version", "rfm_weights", "rfm_cut_points", "global_holdout"}
    assert {trait.family for trait in TRAITS} == {*TraitFamily, None}


def test_every_tag_follows_from_columns_that_the_warehouse_has(till: Till) -> None:
    tables = {column.split(".")[0] for trait in TRAITS for column in trait.upstream}
    known = {f"{table}.{column}" for table in tables for column in till.engine.columns(table)}
    told = {column for trait in TRAITS for column in trait.upstream}
    assert told <= known
    assert all(trait.upstream for trait in TRAITS if trait.family)


def test_a_trait_tells_what_it_is_made_of() -> None:
    found = {trait.name: trait for trait in TRAITS}
    assert found["complaint_topic"].family is TraitFamily.BEHAVIOUR
    assert "feedback.topic" in found["complaint_topic"].upstream
    assert found["rfm_r_days"].upstream == ("orders.business_date", "orders.kind", "orders.status", "orders.flags")


def test_a_trait_without_an_entry_is_refused() -> None:
    unknown = Trait("unheard_of", Retail.traits[0].type, Retail.traits[0].title)
    with pytest.raises(KeyError, match="unheard_of"):
        with_origins(unknown)
