"""Natural ends: a child that has outgrown the range, a membership card that has run out."""

from __future__ import annotations

from plugins.retail.rules import ExitRules

__all__ = ["CHILDREN", "exit_days"]

CHILDREN = """
    SELECT customer_id, birth FROM (
        SELECT customer_id, TRY_CAST(json_extract_string(properties, '$.birth_date') AS DATE) AS birth
        FROM events WHERE type = 'child.declared'
    ) WHERE birth IS NOT NULL"""
"""Children that customers told of: event ``child.declared`` with the property ``birth_date``."""


def exit_days(rules: ExitRules) -> str:
    """Return a ``SELECT`` of ``customer_id``, ``exit_day`` (the range is outgrown) and ``lost_day`` (the card is out too long).

    Args:
        rules: 0 switches a rule off; its day is then empty for everybody.
    """
    nobody = "SELECT NULL::VARCHAR AS customer_id, NULL::DATE AS day WHERE false"
    outgrown = (
        f"""SELECT customer_id, CAST(max(birth) + INTERVAL '{rules.child_months} months' AS DATE) AS day
            FROM ({CHILDREN}) GROUP BY customer_id"""
        if rules.child_months
        else nobody
    )
    expired = (
        f"""SELECT customer_id, max(valid_to) + {rules.card_expired_days + 1} AS day FROM cards GROUP BY customer_id
            HAVING count(*) = count(valid_to)"""
        if rules.card_expired_days
        else nobody
    )
    return f"""SELECT customer_id, e.day AS exit_day, l.day AS lost_day
        FROM ({outgrown}) AS e FULL JOIN ({expired}) AS l USING (customer_id)"""
