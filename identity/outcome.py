"""The rows of the new state, and the rows of the old one that they stand for."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc

from identity.questions import refused_rows
from identity.tables import INSTANT, SCHEMAS, State, pick
from identity.workspace import Workspace

__all__ = ["new_rows", "old_rows"]


def new_rows(work: Workspace, before: State, at: dt.datetime, *, whole: bool) -> dict[str, pa.Table]:
    """The new state's rows, of everything after a full run, else of what the run looked at.

    Args:
        work: after naming and events: ``new_profile``, ``new_link``, ``judged``, ``new_member``, ``move``, ``fate``,
            ``named``, ``refused``. What was put there as Arrow is handed on as it is.
        before: the previous state.
        at: time of the run.
        whole: whether the run was a full one.
    """
    work.put(moment=pa.table({"at": pa.array([at], INSTANT)}))
    queries = {
        "customers": _customers(before, whole=whole),
        "history": _history(whole=whole),
        "refusals": refused_rows(work, before, whole=whole),
    }
    given = {"profiles": "new_profile", "links": "new_link", "value_states": "judged", "memberships": "new_member"}
    pairs = work.given("pairs_now")
    return {
        **{name: work.given(table) for name, table in given.items()},
        **{name: work.table(query, SCHEMAS[name]) for name, query in queries.items()},
        "pairs": pairs if whole else pairs.filter(_touches(pairs, work.given("changed")["profile"])),
    }


def _touches(pairs: pa.Table, changed: pa.ChunkedArray) -> pa.ChunkedArray:
    left, right = (pc.is_in(pairs[side], changed.combine_chunks()) for side in ("left", "right"))
    return pc.or_(left, right)


def old_rows(work: Workspace, before: State) -> dict[str, pa.Table]:
    """The previous state's rows for what an incremental run looked at; needs the tables of its closure."""
    given = {
        "profiles": "gone_profile",
        "links": "gone_link",
        "value_states": "past_state",
        "memberships": "near_member",
        "refusals": "near_refusal",
        "pairs": "gone_pair",
    }
    customers = work.given("old_customer")
    concerned = work.table("SELECT customer FROM named UNION SELECT customer FROM fate")["customer"]
    return {
        **{name: work.given(table) for name, table in given.items()},
        "customers": pick(customers, "customer", concerned),
        "history": before.history.slice(0, 0),
        "constraints": before.constraints,
    }


def _customers(before: State, *, whole: bool) -> str:
    """SQL: all customers that are concerned, with their state after the run."""
    first = before.last_born + 1
    rest = "UNION ALL SELECT old.* FROM old_customer AS old ANTI JOIN updated USING (customer)" if whole else ""
    return f"""
        WITH updated AS (
            SELECT old.customer, 'live' AS state, NULL AS "into", old.born,
                   CASE WHEN old.state = 'live' THEN old.at ELSE moment.at END AS at
            FROM old_customer AS old SEMI JOIN named USING (customer), moment
            UNION ALL
            SELECT old.customer, CASE WHEN fate."into" IS NULL THEN 'retired' ELSE 'merged' END, fate."into", old.born, moment.at
            FROM old_customer AS old JOIN fate USING (customer), moment WHERE fate.ended
            UNION ALL
            SELECT customer, 'live', NULL, {first} + row_number() OVER (ORDER BY "group") - 1, moment.at
            FROM named, moment WHERE origin = 'new'
        )
        FROM updated {rest}"""


def _history(*, whole: bool) -> str:
    past = "FROM old_history UNION ALL" if whole else ""
    return f"""{past} SELECT profile, "from" AS customer, moment.at FROM move, moment WHERE "from" IS NOT NULL"""
