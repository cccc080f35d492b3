"""The rows of the new state, and the rows of the old one that they stand for."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.decide import Decision
from identity.events import Fates, Moves
from identity.grouped import NOTHING
from identity.naming import NEW, Names
from identity.numbering import Evidence
from identity.questions import refused_rows
from identity.tables import INSTANT, SCHEMAS, State
from identity.workspace import Workspace

__all__ = ["Outcome"]


class Outcome:
    """What a run decided, as rows.

    Args:
        work: with ``new_profile``, ``new_link``, ``judged``, ``pairs_now``, what :mod:`identity.questions` needs, and after an incremental
            run the rows of its closure. What was put there as Arrow is handed on as it is.
        before: the previous state.
        evidence: what was decided from.
        decision: what was decided.
        names: who the profiles are.
        at: time of the run.
        whole: whether the run was a full one.
    """

    def __init__(
        self,
        work: Workspace,
        before: State,
        evidence: Evidence,
        decision: Decision,
        names: Names,
        *,
        at: dt.datetime,
        whole: bool,
    ) -> None:
        self.work = work
        self.before = before
        self.evidence = evidence
        self.decision = decision
        self.names = names
        self.moves = Moves.of(names)
        self.fates = Fates.of(names, self.moves)
        self.at = at
        self.whole = whole

    def fresh(self) -> dict[str, pa.Table]:
        """The new state's rows, of everything after a full run, else of what the run looked at; without the constraints."""
        given = {"profiles": "new_profile", "links": "new_link", "value_states": "judged"}
        pairs = self.work.given("pairs_now")
        return {
            **{name: self.work.given(table) for name, table in given.items()},
            "memberships": self._memberships(),
            "customers": self._customers(),
            "history": self._history(),
            "refusals": refused_rows(self.work, self.evidence, self.decision, self.before, whole=self.whole),
            "pairs": pairs if self.whole else pairs.filter(_touches(pairs, self.work.given("changed")["profile"])),
        }

    def stale(self) -> dict[str, pa.Table]:
        """The previous state's rows for what the run looked at."""
        if self.whole:
            return self.before.tables()
        given = {
            "profiles": "gone_profile",
            "links": "gone_link",
            "value_states": "past_state",
            "memberships": "old_member",
            "refusals": "near_refusal",
            "pairs": "gone_pair",
        }
        known = self.names.past.customers
        concerned = (self.names.origin[: known.num_rows] != NOTHING) | self.fates.ended[: known.num_rows]
        return {
            **{name: self.work.given(table) for name, table in given.items()},
            "customers": known.filter(pa.array(concerned)),
            "history": self.before.history.slice(0, 0),
            "constraints": self.before.constraints,
        }

    def _memberships(self) -> pa.Table:
        keys = self.evidence.profiles
        columns = {
            "profile": keys,
            "customer": self.names.ids.take(pa.array(self.names.there)),
            "component": keys.take(pa.array(self.decision.components)),
        }
        return pa.table(columns, SCHEMAS["memberships"])

    def _customers(self) -> pa.Table:
        """All customers that are concerned, with their state after the run."""
        names, ended, known = self.names, self.fates.ended, self.names.past.customers
        living = names.origin != NOTHING
        new = names.origin == NEW
        was_live = np.zeros(len(living), np.bool_)
        was_live[: known.num_rows] = np.asarray(pc.equal(known["state"], "live"), np.bool_)
        states = pa.array(["live", "merged", "retired"]).take(
            pa.array(np.where(ended, np.where(self.fates.into == NOTHING, 2, 1), 0))
        )
        born = np.arange(len(living)) + (self.before.last_born + 1 - known.num_rows)
        born[: known.num_rows] = np.asarray(known["born"], np.int64)
        table = pa.table(
            {
                "customer": names.ids,
                "state": states,
                "into": names.ids.take(pa.array(self.fates.into, mask=~ended | (self.fates.into == NOTHING))),
                "born": pa.array(born),
                "at": self._since(pa.array(new | ended | ~was_live)),
            },
            SCHEMAS["customers"],
        )
        concerned = living | ended
        updated = table.filter(pa.array(concerned))
        if not self.whole:
            return updated
        return pa.concat_tables([updated, known.filter(pa.array(~concerned[: known.num_rows]))])

    def _since(self, now: pa.Array) -> pa.Array:
        """For each customer the time its state began: the run's where it begins with it."""
        known, more = self.names.past.customers, len(now) - self.names.past.customers.num_rows
        past = pa.chunked_array([*known["at"].chunks, pa.nulls(more, INSTANT)], INSTANT).combine_chunks()
        return pc.if_else(now, pa.scalar(self.at, INSTANT), past)

    def _history(self) -> pa.Table:
        names = self.names
        left = np.flatnonzero((names.past.was != NOTHING) & (names.past.was != names.now))
        moved = pa.table(
            {
                "profile": names.past.profiles.take(pa.array(left)),
                "customer": names.ids.take(pa.array(names.past.was[left])),
                "at": pa.repeat(pa.scalar(self.at, INSTANT), len(left)),
            },
            SCHEMAS["history"],
        )
        return pa.concat_tables([self.before.history, moved]) if self.whole else moved


def _touches(pairs: pa.Table, changed: pa.ChunkedArray) -> pa.ChunkedArray:
    left, right = (pc.is_in(pairs[side], changed.combine_chunks()) for side in ("left", "right"))
    return pc.or_(left, right)
