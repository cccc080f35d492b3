"""What changed between two runs, told as events, and the customers' states that follow from them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from identity.carried import Carried
from identity.graph import Numbers
from identity.grouped import NOTHING, Grouped, Marks, Wide, matches
from identity.naming import NEW, REGAINED, Names
from identity.tables import INSTANT

__all__ = ["EVENTS", "Fates", "Moves", "tell_events"]

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


CREATED, ASSIGNED, MERGED, SPLIT, UNMERGED, REASSIGNED, REMOVED, RETIRED = range(8)
_EVENTS = pa.array(["created", "assigned", "merged", "split", "unmerged", "reassigned", "removed", "retired"])


@dataclass(frozen=True, slots=True)
class Moves:
    """Profiles whose customer is another one than before, in flows of the same from and to.

    Attributes:
        profile: by number, flow after flow, each in order.
        starts: where each flow begins.
        left, to: the customers of each flow, by number; ``NOTHING`` where there was or is none.
        flow: for each profile its flow, ``NOTHING`` for those that stay.
    """

    profile: Wide
    starts: Wide
    left: Numbers
    to: Numbers
    flow: Numbers

    @classmethod
    def of(cls, names: Names) -> Moves:
        """Between what profiles were and are."""
        was, now = names.past.was, names.now
        rows = np.flatnonzero(was != now)
        flows = Grouped(was[rows], now[rows])
        flow = np.full(len(was), NOTHING, np.int32)
        flow[rows] = flows.of
        heads = rows[flows.heads]
        return cls(rows[flows.order], flows.starts, was[heads], now[heads], flow)

    def sizes(self) -> Wide:
        """How many profiles each flow has."""
        return np.diff(self.starts, append=len(self.profile))


@dataclass(frozen=True, slots=True)
class Fates:
    """What became of customers, by number.

    Attributes:
        ended: whether it lost profiles, and has none left.
        into: the customer in whom most of what it lost lives on; ``NOTHING`` if nothing does.
    """

    ended: Marks
    into: Numbers

    @classmethod
    def of(cls, names: Names, moves: Moves) -> Fates:
        """From who moved where."""
        ended, into = np.zeros(len(names.ids), np.bool_), np.full(len(names.ids), NOTHING, np.int32)
        ended[moves.left[moves.left != NOTHING]] = True
        ended[names.there] = False
        heirs = np.flatnonzero((moves.left != NOTHING) & (moves.to != NOTHING))
        losers = Grouped(moves.left[heirs])
        best = heirs[losers.first_by(-moves.sizes()[heirs], names.ranks[moves.to[heirs]])]
        into[moves.left[best]] = moves.to[best]
        return cls(ended, into)


def tell_events(
    names: Names, moves: Moves, fates: Fates, carried: Carried, at: dt.datetime, rules_version: str
) -> pa.Table:
    """The events between what profiles were and are, as :data:`EVENTS`.

    Args:
        names: who they are.
        moves, fates: made from them.
        carried: who carries what.
        at: time of the run.
        rules_version: of the rules it was made with.
    """
    event = _kinds(names, moves, fates)
    gone = moves.to == NOTHING
    retired = np.flatnonzero(fates.ended & (fates.into == NOTHING)).astype(np.int32)
    none, last = (np.full(len(retired), code, np.int32) for code in (NOTHING, len(moves.starts)))
    kinds, reason = _reasons(names, moves, event, carried)
    event = np.concatenate([event, np.full(len(retired), RETIRED, np.int32)])
    customer = np.concatenate([np.where(gone, moves.left, moves.to), retired])
    other = np.concatenate([np.where(gone, NOTHING, moves.left), none])
    reason = np.concatenate([reason, none])
    lists = np.concatenate([np.arange(len(moves.starts)), last])
    ranks = names.ranks
    order = np.lexsort((np.where(other == NOTHING, len(ranks), ranks[other]), ranks[customer], _RANKS[event]))
    parts = {
        "event": _EVENTS.take(pa.array(event[order])),
        "customer": names.ids.take(pa.array(customer[order])),
        "other": _take(names.ids, other[order]),
        "profiles": _lists(names, moves).take(pa.array(lists[order])),
        "reason": _take(pa.array(kinds, pa.string()), reason[order]),
        "at": pa.repeat(pa.scalar(at, INSTANT), len(order)),
        "rules_version": pa.repeat(rules_version, len(order)),
    }
    return pa.table(parts).cast(EVENTS)


def _take(texts: pa.Array, codes: Numbers) -> pa.Array:
    return texts.take(pa.array(codes, mask=codes == NOTHING))


def _lists(names: Names, moves: Moves) -> pa.ListArray:
    """The profiles of each flow; the last list, empty, belongs to none."""
    end = len(moves.profile)
    offsets = pa.array(np.append(moves.starts, [end, end]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, names.past.profiles.take(pa.array(moves.profile)))


def _kinds(names: Names, moves: Moves, fates: Fates) -> Numbers:
    """What each flow is called."""
    left, to = moves.left, moves.to
    origin = np.where(to == NOTHING, NOTHING, names.origin[to])
    fed = np.zeros(len(names.ids) + 1, np.bool_)  # the last is nobody's
    fed[to[left != NOTHING]] = True
    ended = (left != NOTHING) & fates.ended[left]
    return np.select(
        [
            to == NOTHING,
            (left == NOTHING) & (origin == NEW) & ~fed[to],
            left == NOTHING,
            ended & (fates.into[left] == to),
            ended,
            origin == NEW,
            origin == REGAINED,
        ],
        [REMOVED, CREATED, ASSIGNED, MERGED, REASSIGNED, SPLIT, UNMERGED],
        REASSIGNED,
    ).astype(np.int32)


def _reasons(names: Names, moves: Moves, event: Numbers, carried: Carried) -> tuple[list[str], Numbers]:
    """The kinds of evidence, and for each flow the strongest between profiles that moved and those they came to."""
    spaces = carried.spaces
    kinds = [kind for kind, _ in spaces.names]
    reason = np.full(len(event), NOTHING, np.int32)
    asked = np.isin(event, [MERGED, ASSIGNED, REASSIGNED])
    if not asked.any():
        return kinds, reason
    flow = moves.flow[carried.profile]
    mine = np.flatnonzero((flow != NOTHING) & asked[flow])
    held = Grouped(flow[mine], carried.value[mine])
    mine = mine[held.heads]
    wanted = np.zeros(int(carried.value.max(initial=-1)) + 1, np.bool_)
    wanted[carried.value[mine]] = True
    others = np.flatnonzero(wanted[carried.value])
    one, other = matches(carried.value[mine], carried.value[others])
    one, other = mine[one], others[other]
    # Who is there and did not come in the same flow.
    meets = (names.now[carried.profile[other]] == moves.to[flow[one]]) & (flow[other] != flow[one])
    one = one[meets]
    ties = Grouped(flow[one])
    best = one[ties.first_by(spaces.priority[carried.space[one]])]
    reason[flow[best]] = carried.space[best]
    return kinds, reason


_RANKS = np.argsort(np.argsort(_EVENTS.to_numpy(zero_copy_only=False)))
"""The events in the order of their names."""
