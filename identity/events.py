"""What changed between two runs, told as events, and the customers' states that follow from them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.tables import INSTANT
from identity.workspace import Workspace

__all__ = ["EVENTS", "tell_events"]

EVENTS = pa.schema(
    [
        ("event", pa.string()),
        ("customer", pa.string()),
        ("other", pa.string()),
        ("profiles", pa.list_(pa.string())),
        ("reason", pa.string()),
        ("at", INSTANT),
        ("rules_version", pa.string()),
    ]
)
"""Events out. ``event`` is one of

``created``     ``customer`` is new, made of profiles that were nobody's;
``assigned``    profiles that were nobody's joined ``customer``;
``merged``      customer ``other`` ended and is now ``customer``;
``split``       profiles left ``other``, which goes on, for the new ``customer``;
``unmerged``    as split, but ``customer`` is an id those profiles had before;
``reassigned``  profiles moved from ``other`` to ``customer`` for another reason;
``removed``     profiles of ``customer`` are gone from the data;
``retired``     ``customer`` has no profile left.

``reason`` is the strongest kind of evidence that ties the moved profiles to the others, where there is one.
"""


def tell_events(work: Workspace, at: dt.datetime, rules_version: str) -> pa.Table:
    """The events between ``old_member`` and ``new_member`` (profile, customer); makes ``move`` and ``fate`` too.

    Args:
        work: with ``named``, ``old_member``, ``new_member`` and the evidence tables ``p``, ``l``, ``space``.
        at: time of the run.
        rules_version: of the rules it was made with.
    """
    _find_moves(work)
    _decide_fates(work)
    moves = work.table('SELECT "from", "to", profile FROM move ORDER BY ALL')
    flows, lists = _flows(moves)
    work.put(flow_arrow=flows)
    work.view(
        "flow",
        """SELECT flow.*, fate."into", fate.ended, named.origin FROM flow_arrow AS flow
           LEFT JOIN fate ON fate.customer = flow."from" LEFT JOIN named ON named.customer = flow."to" """,
    )
    work.view("told", _TOLD)
    _find_reasons(work)
    events = work.table(
        f"""SELECT told.event, told.customer, told.other, coalesce(told.flow, {flows.num_rows}) AS flow, tie_kind.reason
            FROM told LEFT JOIN tie_kind
              ON tie_kind.event = told.event AND tie_kind.customer = told.customer
             AND tie_kind.other IS NOT DISTINCT FROM told.other
            ORDER BY told.event, told.customer, told.other"""
    )
    added = {
        "profiles": lists.take(events["flow"].combine_chunks()),
        "at": pa.repeat(pa.scalar(at, INSTANT), events.num_rows),
        "rules_version": pa.repeat(rules_version, events.num_rows),
    }
    return pa.table({name: added[name] if name in added else events[name] for name in EVENTS.names}).cast(EVENTS)


def _flows(moves: pa.Table) -> tuple[pa.Table, pa.ListArray]:
    """One row for each (from, to) of moves in that order, with its number, and by that number the list of its profiles.

    The lists are slices: a database that gathers them keeps every one in pieces. The last, empty, belongs to no flow.
    """
    count = moves.num_rows
    begins = np.ones(count, np.bool_)
    if count > 1:
        ids = [moves[side].fill_null("") for side in ("from", "to")]  # no customer's id is empty
        begins[1:] = np.logical_or.reduce(
            [np.asarray(pc.not_equal(one.slice(1), one.slice(0, count - 1))) for one in ids]
        )
    starts = np.flatnonzero(begins)
    ends = pa.array(np.append(starts, [count, count]), pa.int32())
    lists = pa.ListArray.from_arrays(ends, moves["profile"].combine_chunks())
    numbers = pa.array(np.arange(len(starts), dtype=np.int32))
    return moves.select(["from", "to"]).take(pa.array(starts)).append_column("no", numbers), lists


def _find_moves(work: Workspace) -> None:
    """Relation ``move``: profiles whose customer is another one than before, null before or after where there is none."""
    if not work.count("old_member"):
        # A first run moves everybody from nowhere: another copy of all there is would be its peak of memory.
        work.view("move", 'SELECT profile, NULL::VARCHAR AS "from", customer AS "to" FROM new_member')
        return
    work.make(
        "move",
        """SELECT coalesce(new.profile, old.profile) AS profile, old.customer AS "from", new.customer AS "to"
           FROM old_member AS old FULL JOIN new_member AS new ON new.profile = old.profile
           WHERE old.customer IS DISTINCT FROM new.customer""",
    )


def _decide_fates(work: Workspace) -> None:
    """Table ``fate``: customers that lost profiles, whether they ended, and in whom most of them live on."""
    work.make(
        "fate",
        """WITH loser AS (SELECT DISTINCT "from" AS customer FROM move WHERE "from" IS NOT NULL),
           heir AS (
               SELECT "from" AS customer, "to" AS heir, count(*) AS profiles FROM move
               WHERE "from" IS NOT NULL AND "to" IS NOT NULL GROUP BY ALL
           ), best AS (SELECT customer, min({rank: -profiles, heir: heir}).heir AS heir FROM heir GROUP BY customer)
           SELECT loser.customer, living.customer IS NULL AS ended, best.heir AS "into"
           FROM loser LEFT JOIN best USING (customer)
           LEFT JOIN (SELECT DISTINCT customer FROM new_member) AS living USING (customer)""",
    )


_TOLD = """
    SELECT CASE WHEN "to" IS NULL THEN 'removed'
                WHEN "from" IS NULL AND origin = 'new' AND taken.customer IS NULL THEN 'created'
                WHEN "from" IS NULL THEN 'assigned'
                WHEN ended AND "into" = "to" THEN 'merged'
                WHEN ended THEN 'reassigned'
                WHEN origin = 'new' THEN 'split'
                WHEN origin = 'regained' THEN 'unmerged'
                ELSE 'reassigned' END AS event,
           coalesce("to", "from") AS customer, CASE WHEN "to" IS NOT NULL THEN "from" END AS other, flow.no AS flow
    FROM flow
    LEFT JOIN (SELECT DISTINCT "to" AS customer FROM flow WHERE "from" IS NOT NULL) AS taken ON taken.customer = flow."to"
    UNION ALL
    SELECT 'retired', customer, NULL, NULL FROM fate WHERE ended AND "into" IS NULL"""
"""SQL: the events without their reasons; ``flow`` is the number of the list of their profiles."""


def _find_reasons(work: Workspace) -> None:
    """Table ``tie_kind``: the strongest kind of evidence between profiles that moved and those they came to."""
    work.make(
        "moved",
        """SELECT told.event, told.customer, told.other, move.profile
           FROM (FROM told WHERE event IN ('merged', 'assigned', 'reassigned')) AS told
           JOIN move ON move."to" = told.customer AND move."from" IS NOT DISTINCT FROM told.other""",
    )
    if not work.count("moved"):
        # A first run moves nobody, and the joins below would still read all there is.
        work.make("tie_kind", "SELECT event, customer, other, NULL::VARCHAR AS reason FROM moved")
        return
    # Step by step: left to itself, the join may begin with all who carry anything.
    work.make(
        "moved_value",
        """SELECT DISTINCT moved.event, moved.customer, moved.other, l.value, {priority: space.priority, kind: space.kind} AS tie
           FROM moved JOIN p ON p.profile = moved.profile JOIN l ON l.profile = p.no JOIN space ON space.no = l.space""",
    )
    work.make("mate", "SELECT l.profile, l.value FROM l SEMI JOIN moved_value USING (value)")
    work.make(
        "tie_kind",
        """SELECT moved.event, moved.customer, moved.other, min(moved.tie).kind AS reason
           FROM moved_value AS moved JOIN mate USING (value) JOIN p ON p.no = mate.profile
           JOIN new_member AS home ON home.profile = p.profile AND home.customer = moved.customer
           LEFT JOIN move AS with_it ON with_it.profile = p.profile AND with_it."to" = moved.customer
            AND with_it."from" IS NOT DISTINCT FROM moved.other
           WHERE with_it.profile IS NULL
           GROUP BY ALL""",
    )
