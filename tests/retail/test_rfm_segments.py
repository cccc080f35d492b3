"""The RFM segments are a partition: every customer is in exactly one."""

from __future__ import annotations

from collections import Counter
from itertools import product

from till import Till

from hub.segments import check_where
from plugins.retail.scorer import Retail
from plugins.retail.segments import RFM as RFM_SEGMENTS

COLUMNS = ("rfm_r_score", "rfm_f_score", "rfm_m_score")
SCORES = [*product(range(1, 6), repeat=3), (None, None, None)]


def members(till: Till) -> dict[tuple[object, ...], list[str]]:
    """The segments of every combination of scores."""
    cases = ", ".join(f"CASE WHEN {segment.where} THEN '{segment.name}' END" for segment in RFM_SEGMENTS)
    rows = ", ".join(f"({', '.join('NULL' if score is None else str(score) for score in scores)})" for scores in SCORES)
    found = till.engine.rows(
        f"SELECT {', '.join(COLUMNS)}, list_filter([{cases}], lambda s: s IS NOT NULL) FROM (VALUES {rows}) AS t({', '.join(COLUMNS)})"
    )
    return {row[:3]: row[3] for row in found}


def test_every_combination_of_scores_is_in_one_segment(till: Till) -> None:
    found = members(till)
    assert len(found) == 126
    assert {scores: names for scores, names in found.items() if len(names) != 1} == {}
    assert Counter(names[0] for names in found.values()).keys() == {segment.name for segment in RFM_SEGMENTS}


def test_a_few_that_everybody_knows(till: Till) -> None:
    found = members(till)
    expected = {
        (5, 5, 5): "rfm_champions",
        (3, 3, 1): "rfm_loyal",
        (5, 1, 1): "rfm_promising",
        (1, 5, 5): "rfm_at_risk",
        (1, 1, 1): "rfm_sleeping",
        (None, None, None): "rfm_prospects",
    }
    assert {scores: found[scores][0] for scores in expected} == expected


def test_they_are_of_one_family_and_use_the_scorers_traits_only() -> None:
    traits = {trait.name for trait in Retail.traits}
    assert {segment.family for segment in RFM_SEGMENTS} == {"rfm"}
    assert [problem for segment in RFM_SEGMENTS for problem in check_where(segment.where, traits)] == []
    assert all(segment.title.zh and segment.title.en and segment.description for segment in RFM_SEGMENTS)


def test_every_trait_says_what_it_is() -> None:
    assert all(trait.title.zh and trait.title.en and trait.description and trait.null_rule for trait in Retail.traits)
