"""Lifecycle stage (生命周期阶段), with the day it began and the stage before it, from what is known on the day itself.

A purchase is seen from the day after it on (a window never holds a part of today), so the silence of a customer who comes back
after ``gap`` days was ``gap`` long on the day of return. The stage of every earlier day follows from the purchases up to then;
hence the day the present stage began, and the stage before, are worked out and not remembered: another rule set, a late order
or a merge corrects them too.
"""

from __future__ import annotations

from plugins.retail.rules import RuleSet
from plugins.retail.staying import slips, stays

__all__ = ["lifecycle", "stage_at"]


def _silent_from(limit: int | str, last: str) -> str:
    """The first day on which the silence after a purchase is longer than a limit."""
    return f"({last} + {limit} + 1)"


def _lost_from(rules: RuleSet, last: str) -> str:
    """Lost by silence, or because the card has run out long ago."""
    by_silence = _silent_from(rules.stages.sleeping, last)
    by_card = (
        f"CASE WHEN lost_day IS NOT NULL THEN greatest(lost_day, {_silent_from(stays(rules.stages, last), last)}) END"
    )
    return f"least({by_silence}, {by_card})"


def _exited_from(rules: RuleSet, last: str) -> str:
    return (
        f"CASE WHEN exit_day IS NOT NULL THEN greatest(exit_day, {_silent_from(stays(rules.stages, last), last)}) END"
    )


def _silence(rules: RuleSet, day: str, last: str) -> str:
    """The branches of a CASE that look at the silence after the purchase day ``last``."""
    stages = rules.stages
    return f"""WHEN {day} >= {_exited_from(rules, last)} THEN 'exited'
               WHEN {day} - first_day <= {stages.new} THEN 'new'
               WHEN {day} >= {_lost_from(rules, last)} THEN 'lost'
               WHEN {day} >= {_silent_from(slips(stages, last), last)} THEN 'sleeping'
               WHEN {day} >= {_silent_from(stays(stages, last), last)} THEN 'slipping'"""


def stage_at(rules: RuleSet, day: str) -> str:
    """Return the stage on a day after the last purchase, as SQL over the feature table.

    In this order: exited, new (first month), lost, sleeping, slipping, revived, repurchase (2nd or 3rd purchase), active.
    A customer with one purchase whose first month is over is ``active`` until the silence says otherwise.

    Args:
        rules: the chain's rule set.
        day: the day as SQL; no purchase lies between ``last_day`` and it.
    """
    return f"""CASE WHEN first_day IS NULL THEN 'prospect'
               {_silence(rules, day, "last_day")}
               WHEN {day} - return_day <= {rules.stages.revived} THEN 'revived'
               WHEN n_days IN (2, 3) THEN 'repurchase' ELSE 'active' END"""


def lifecycle(rules: RuleSet, source: str, today: str) -> str:
    """Return ``source`` with ``lifecycle_stage``, ``stage_since`` and ``stage_prev``.

    Args:
        rules: the chain's rule set.
        source: a relation with the columns of the feature table, ``exit_day`` and ``lost_day``.
        today: the business date of as_of as SQL.
    """
    before = "(late_day - late_gap)"
    return f"""
        WITH staged AS (SELECT *, {stage_at(rules, today)} AS lifecycle_stage FROM {source}),
        dated AS (SELECT *, {_since(rules)} AS stage_since FROM staged)
        SELECT *, CASE
            WHEN lifecycle_stage = 'prospect' THEN NULL
            WHEN lifecycle_stage = 'new' THEN 'prospect'
            WHEN lifecycle_stage IN ('exited', 'lost', 'sleeping', 'slipping') THEN {stage_at(rules, "(stage_since - 1)")}
            WHEN stage_since = first_day + {rules.stages.new + 1} THEN 'new'
            WHEN stage_since = late_day + 1 THEN CASE {_silence(rules, "late_day", before)} END
            WHEN stage_since = return_day + {rules.stages.revived + 1} THEN 'revived'
            WHEN stage_since = second_day + 1 THEN 'active' ELSE 'repurchase' END AS stage_prev
        FROM dated"""


def _since(rules: RuleSet) -> str:
    """The first day of the present stage: the latest of the days on which something else could still hold."""
    stages = rules.stages
    settled = f"first_day + {stages.new + 1}"
    revived_over = f"return_day + {stages.revived + 1}"
    return f"""CASE lifecycle_stage
        WHEN 'prospect' THEN NULL
        WHEN 'new' THEN first_day + 1
        WHEN 'exited' THEN {_exited_from(rules, "last_day")}
        WHEN 'lost' THEN greatest({_lost_from(rules, "last_day")}, {settled})
        WHEN 'sleeping' THEN greatest({_silent_from(slips(stages, "last_day"), "last_day")}, {settled})
        WHEN 'slipping' THEN greatest({_silent_from(stays(stages, "last_day"), "last_day")}, {settled})
        WHEN 'revived' THEN greatest(late_day + 1, {settled})
        WHEN 'repurchase' THEN greatest({settled}, late_day + 1, {revived_over}, second_day + 1)
        ELSE greatest({settled}, late_day + 1, {revived_over}, fourth_day + 1) END"""
