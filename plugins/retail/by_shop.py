"""Rule sets of some shops' customers beside the chain's: each customer is scored by the rules of the shop he belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from plugins.retail.rules import RuleSet, literal

__all__ = ["by_rules", "sets_of", "who_is_by"]


def sets_of(rules: RuleSet) -> Mapping[int, RuleSet]:
    """Return every rule set by number; 0 is the chain's."""
    return {0: rules} | {number: rules.of_shops(shop) for number, shop in enumerate(rules.shops, 1)}


def who_is_by(rules: RuleSet) -> str:
    """Return ``customer``, ``customer_id`` and ``rules``, the number of the rule set that holds for each."""
    cases = " ".join(
        f"WHEN belonging_store_id IN ({', '.join(map(literal, shop.stores))}) THEN {number}"
        for number, shop in enumerate(rules.shops, 1)
    )
    number = f"CASE {cases} ELSE 0 END" if cases else "0"
    return f"SELECT customer, customer_id, {number} AS rules FROM people JOIN customers USING (customer_id)"


def by_rules(rules: RuleSet, select: Callable[[RuleSet, str, int], str]) -> str:
    """Return the rows of all rule sets' customers, each made by the rules that hold for them.

    Args:
        rules: the chain's.
        select: makes a ``SELECT`` of a rule set, the condition on relations with ``customer`` (empty for everybody) and its number.
    """
    if not rules.shops:
        return select(rules, "", 0)
    parts = (
        select(some, f"SEMI JOIN (FROM rules_by WHERE rules = {number}) USING (customer)", number)
        for number, some in sets_of(rules).items()
    )
    return " UNION ALL BY NAME ".join(f"({part})" for part in parts)
