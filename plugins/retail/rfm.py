"""Recency, frequency, monetary value: measures, scores, and the classes made of the scores.

Scores come from cut points. In ``fixed`` mode the chain chose them; in ``quantile`` mode they part the buyers of the first day
of the month into equal shares by 1 + min(k-1, floor(k * (number strictly worse) / N)), so that equal values have equal scores
whatever the order of the rows, and nobody moves in between only because others did.
"""

from __future__ import annotations

from plugins.retail.rules import MEASURES, RfmRules, RuleSet, Weights, literal

__all__ = ["cut_points", "means", "measures", "names", "rfm_alone", "scores", "told_cut_points", "weighted"]


def measures(rules: RfmRules) -> str:
    """Return the measures' columns over the feature table."""
    value = "net_window"
    if rules.value == "per_visit":
        value = "CASE WHEN days_window > 0 THEN (net_window::DOUBLE / days_window)::DECIMAL(18,4) ELSE 0 END"
    if rules.value == "margin":
        value = "coalesce(margin_window, 0)::DECIMAL(18,4)"
    return f"recency AS rfm_r_days, {rules.unit}_window AS rfm_f, {value} AS rfm_m"


def cut_points(rules: RfmRules, buyers: str) -> str:
    """Return a ``SELECT`` of the quantile cut points in one row: lists ``r_cuts``, ``f_cuts``, ``m_cuts``.

    Args:
        rules: the RFM rules; their ``bins`` say how many shares.
        buyers: a relation with the measures of the buyers of the month's first day.
    """
    columns = []
    for letter, column in MEASURES.values():
        worse, edge = (f"{column} DESC", "max") if letter == "r" else (column, "min")
        columns.append(
            f"""(SELECT list(cut ORDER BY k) FROM (SELECT k, {edge}(value)::DOUBLE AS cut FROM
                (SELECT {column} AS value, {rules.bins} * (rank() OVER (ORDER BY {worse}) - 1) // count(*) OVER () AS share
                 FROM {buyers}) JOIN range(1, {rules.bins}) AS b(k) ON share >= k GROUP BY k)) AS {letter}_cuts"""
        )
    return f"SELECT {', '.join(columns)}"


def told_cut_points(rules: RfmRules, found: str) -> str:
    """Return a ``SELECT`` of one row with ``rfm_cut_points``, from which value on the score is 2, 3 …, in words: ``R 60/30 F 2/5 M 100/300``.

    A dash where all buyers are equal, and no share is better than another.

    Args:
        rules: the RFM rules.
        found: the relation with the quantile cut points; its columns are in the row, too.
    """
    if rules.mode == "fixed":
        parts = []
        for name, (letter, _) in MEASURES.items():
            cuts = getattr(rules, name)[:: -1 if letter == "r" else 1]
            parts.append(f"{letter.upper()} {'/'.join(repr(float(cut)).removesuffix('.0') for cut in cuts)}")
        return f"SELECT {literal(' '.join(parts))} AS rfm_cut_points"
    text = r"lambda cut: regexp_replace(round(cut, 4)::VARCHAR, '\.0$', '')"
    told = ", ".join(
        f"'{letter.upper()} ' || coalesce(array_to_string(list_transform({letter}_cuts, {text}), '/'), '-')"
        for letter, _ in MEASURES.values()
    )
    return f"SELECT *, concat_ws(' ', {told}) AS rfm_cut_points FROM {found}"


def names(rules: RfmRules) -> str:
    """Return the column of the names of the three scores, those that have one: ``近一月 · 常来 · 高消费``."""
    parts = []
    for letter, _ in MEASURES.values():
        if letter in rules.names:
            named = ", ".join(map(literal, rules.names[letter]))
            parts.append(f"[{named}][rfm_{letter}_score]")
    return f"CASE WHEN rfm_r_score IS NOT NULL THEN concat_ws(' · ', {', '.join(parts)}) END" if parts else "NULL"


def means(buyers: str) -> str:
    """Return a ``SELECT`` of the buyers' mean measures in one row: ``r_mean``, ``f_mean``, ``m_mean``.

    Args:
        buyers: a relation with the measures of the buyers of the month's first day.
    """
    columns = (f"sum({column})::DOUBLE / count(*) AS {letter}_mean" for letter, column in MEASURES.values())
    return f"SELECT {', '.join(columns)} FROM {buyers}"


def scores(rules: RfmRules) -> str:
    """Return the score columns; quantile mode reads the table ``rfm_cut_points``."""
    columns = [f"{_score(rules, name)} AS rfm_{letter}_score" for name, (letter, _) in MEASURES.items()]
    return ", ".join(columns)


def _score(rules: RfmRules, name: str) -> str:
    letter, column = MEASURES[name]
    compare = "<=" if letter == "r" else ">="
    if rules.mode == "fixed":
        reached = " + ".join(f"({column} {compare} {value})::INTEGER" for value in getattr(rules, name))
    else:
        # A share that nobody is in (equal values) has no cut point: nobody reaches it.
        reached = f"coalesce(len(list_filter({letter}_cuts, lambda cut: {column} {compare} cut)), 0)"
    return f"CASE WHEN {column} IS NOT NULL THEN 1 + {reached} END"


def code(rules: RfmRules) -> str:
    """Return the column of the three scores in one text: 541, or 10-4-1 where a score has two digits."""
    apart = "-" if max(rules.scores(name) for name in MEASURES) > 9 else ""
    return f"CASE WHEN rfm_r_score IS NOT NULL THEN concat_ws('{apart}', rfm_r_score, rfm_f_score, rfm_m_score) END"


def rfm_alone(rules: RfmRules, today: str, orders: str = "orders") -> str:
    """Return a ``SELECT`` of nothing but the measures and scores, in one pass over orders; for reports and notebooks.

    Args:
        rules: the RFM rules, in ``fixed`` mode and counting days or orders; visits need the customer × day table.
        today: the business date of as_of as SQL.
        orders: a relation with ``customer_id``, ``business_date``, ``net_amount`` and ``kind``.

    Raises:
        ValueError: the rules count visits, part by shares of the buyers, or value by margin.
    """
    if rules.mode != "fixed" or rules.unit == "visits" or rules.value == "margin":
        raise ValueError(
            "rfm_alone knows fixed cut points of days or orders and net value; score with the retail scorer for the rest."
        )
    within = f"business_date >= {today} - {rules.window_days}"
    return f"""
        WITH days AS (
            SELECT customer_id, business_date, count(*) FILTER (kind <> 'refund') AS orders, sum(net_amount) AS net
            FROM {orders} GROUP BY customer_id, business_date
        ), bought AS (
            SELECT customer_id, CAST({today} - max(business_date) FILTER (orders > 0) AS INTEGER) AS recency,
                   count(*) FILTER (orders > 0 AND {within}) AS days_window,
                   coalesce(sum(orders) FILTER ({within}), 0)::BIGINT AS orders_window,
                   coalesce(sum(net) FILTER ({within}), 0)::DECIMAL(18,4) AS net_window
            FROM days GROUP BY customer_id HAVING recency IS NOT NULL
        ), measured AS (SELECT customer_id, {measures(rules)} FROM bought)
        SELECT *, {scores(rules)} FROM measured"""


_STAGES_OF_WEIGHTS = {"new": ("new",), "repurchase": ("repurchase", "revived"), "active": ("active",)}


def weighted(rules: RuleSet) -> str:
    """Return the columns of the lifecycle-weighted score, 0 to 100, and of the weights used."""
    parts = []
    for name, (letter, _) in MEASURES.items():
        parts.append((letter, f"(rfm_{letter}_score - 1) / {rules.rfm.scores(name) - 1}.0"))

    def value(weights: Weights) -> str:
        return (
            "round(100 * (" + " + ".join(f"{getattr(weights, letter)!r} * {part}" for letter, part in parts) + "), 2)"
        )

    def told(weights: Weights) -> str:
        return f"'{weights.r:g}/{weights.f:g}/{weights.m:g}'"

    columns = []
    for name, show in (("rfm_value", value), ("rfm_weights", told)):
        cases = " ".join(
            f"WHEN lifecycle_stage IN ({', '.join(map(repr, stages))}) THEN {show(getattr(rules.weights, weights))}"
            for weights, stages in _STAGES_OF_WEIGHTS.items()
        )
        columns.append(f"CASE WHEN rfm_r_score IS NULL THEN NULL {cases} ELSE {show(rules.weights.away)} END AS {name}")
    return ", ".join(columns)
