"""From any customer id ever issued to the customers that live today.

A dead id leads to the customers that now hold the profiles it had when it ended, most profiles first; if none of those
profiles is left, to whatever the customer it was merged into leads to. So it stays true after the heir is split.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from identity.errors import UnknownCustomerError
from identity.tables import State
from identity.workspace import Workspace

__all__ = ["CROSSWALK", "crosswalk", "live_customers"]

CROSSWALK = pa.schema([("customer", pa.string()), ("live", pa.string()), ("rank", pa.int32())])
"""Every id with the ids it means today; ``rank`` 1 is the one to take where only one can be. Retired ids have no row."""

_QUERY = """
    WITH RECURSIVE direct AS (
        SELECT dead.customer, home.customer AS live, count(*) AS profiles
        FROM customers AS dead
        -- As numbers: DuckDB would hand a filter on an instant to Arrow as a Python object, which needs pytz.
        JOIN history AS past ON past.customer = dead.customer AND epoch_us(past.at) = epoch_us(dead.at)
        JOIN memberships AS home ON home.profile = past.profile
        WHERE dead.state <> 'live' GROUP BY ALL
    ), step(customer, heir) AS (
        SELECT customer, "into" FROM customers WHERE state = 'merged'
        UNION
        SELECT step.customer, next."into" FROM step JOIN customers AS next ON next.customer = step.heir
        WHERE next.state = 'merged' AND step.heir NOT IN (SELECT customer FROM direct)
    ), led AS (
        SELECT step.customer, coalesce(direct.live, heir.customer) AS live, coalesce(direct.profiles, 0) AS profiles
        FROM step LEFT JOIN direct ON direct.customer = step.heir
        LEFT JOIN customers AS heir ON heir.customer = step.heir AND heir.state = 'live'
        WHERE step.customer NOT IN (SELECT customer FROM direct)
    ), known AS (
        SELECT customer, customer AS live, 1 AS profiles FROM customers WHERE state = 'live'
        UNION ALL FROM direct UNION ALL (FROM led WHERE live IS NOT NULL)
    )
    SELECT customer, live, row_number() OVER (PARTITION BY customer ORDER BY profiles DESC, live)::INTEGER AS rank
    FROM known"""


def crosswalk(state: State) -> pa.Table:
    """Table :data:`CROSSWALK` of a state."""
    with Workspace() as work:
        work.put(customers=state.customers, history=state.history, memberships=state.memberships)
        return work.table(f"{_QUERY} ORDER BY customer, rank", CROSSWALK)


def live_customers(state: State, ids: Iterable[str]) -> dict[str, list[str]]:
    """What some customer ids mean today, the likeliest first; empty for a customer all of whose profiles are gone.

    Raises:
        UnknownCustomerError: an id was never issued.
    """
    wanted = list(ids)
    with Workspace() as work:
        work.put(customers=state.customers, history=state.history, memberships=state.memberships)
        work.put(wanted=pa.table({"customer": pa.array(wanted, pa.string())}))
        if work.count("(FROM wanted ANTI JOIN customers USING (customer))"):
            raise UnknownCustomerError("A customer id was never issued.", hint="Ids are those of State.customers.")
        rows = work.table(f"SELECT * FROM ({_QUERY}) SEMI JOIN wanted USING (customer) ORDER BY customer, rank")
    found: dict[str, list[str]] = {customer: [] for customer in wanted}
    for row in rows.to_pylist():
        found[row["customer"]].append(row["live"])
    return found
