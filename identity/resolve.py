"""The one call that does it all: profiles and identifiers in, customers and what changed out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from identity.changes import Change, apply_changes, differences
from identity.closure import close_over, take_everything
from identity.decide import decide
from identity.errors import InvalidInputError
from identity.events import tell_events
from identity.evidence import load_evidence, load_kinds, near_records, normal_lists
from identity.likely.model import LinkModel
from identity.likely.profiles import records_query
from identity.naming import IdSource, Past, name_groups, random_ids
from identity.numbering import Evidence
from identity.outcome import Outcome
from identity.report import Report, make_report
from identity.rules import Rules
from identity.tables import CONSTRAINTS, IDENTIFIERS, PROFILES, SCHEMAS, State, conform, pick
from identity.workspace import Workspace

__all__ = ["Resolution", "decision_version", "resolve"]

CONSTRAINT_RULES = ("must_link", "cannot_link")


@dataclass(frozen=True)
class Resolution:
    """What a run decided.

    Attributes:
        previous: the state it started from.
        rules_version: the rules it followed.
        fresh: rows of the new state's tables, whole or, after an incremental run, of the part it looked at.
        stale: the rows of the previous state that ``fresh`` stands for.
        whole: whether ``fresh`` is everything.
        events: what changed, see :data:`identity.EVENTS`.
        report: counts.
    """

    previous: State
    rules_version: str
    fresh: Mapping[str, pa.Table]
    stale: Mapping[str, pa.Table]
    whole: bool
    events: pa.Table
    report: Report

    @cached_property
    def changes(self) -> Mapping[str, Change]:
        """Per table the rows to delete and to append; all empty when nothing changed. Cheap after an incremental run."""
        return differences(self.stale, self.fresh)

    @cached_property
    def state(self) -> State:
        """The state for the next run."""
        if self.whole:
            return State.of(self.fresh, self.rules_version)
        return State.of(apply_changes(self.previous.tables(), self.changes), self.rules_version)

    @property
    def memberships(self) -> pa.Table:
        """Every profile with its customer."""
        return self.state.memberships.select(["profile", "customer"])


def resolve(
    profiles: pa.Table,
    identifiers: pa.Table,
    *,
    at: dt.datetime,
    previous: State | None = None,
    constraints: pa.Table | None = None,
    rules: Rules | None = None,
    new_ids: IdSource = random_ids,
    changed: Iterable[str] | None = None,
    model: LinkModel | None = None,
) -> Resolution:
    """Decide which profiles are one person.

    Args:
        profiles: as :data:`identity.PROFILES`; all of them, or with ``changed`` at least the changed ones.
        identifiers: as :data:`identity.IDENTIFIERS`, likewise.
        at: the time events carry.
        previous: the state the last run left; None for a first run.
        constraints: as :data:`identity.CONSTRAINTS`, all that are in force; None for those of the previous state.
        rules: the owner's choices.
        new_ids: where new customer ids come from.
        changed: keys of profiles that were added, edited or deleted (a changed key without a row is a deletion) since
            the previous state. Only what they can reach is looked at; the outcome equals a run over everything.
        model: a trained link model (:mod:`identity.likely`), for profiles that share no identifier; None for decisions
            on evidence alone.

    Raises:
        InvalidInputError: a table is malformed, or ``changed`` is given without a previous state made by these rules.
    """
    rules = rules or Rules()
    before = previous or State()
    given = conform(profiles, PROFILES, "profiles"), conform(identifiers, IDENTIFIERS, "identifiers")
    wishes = before.constraints if constraints is None else _checked_constraints(constraints)
    version = decision_version(rules, model)
    keys = None if changed is None else _changed_keys(changed, before, version)
    with Workspace() as work:
        return _Run(work, rules, before, wishes, at, model).resolve(*given, keys, new_ids)


def _checked_constraints(constraints: pa.Table) -> pa.Table:
    table = conform(constraints, CONSTRAINTS, "constraints")
    if not pc.all(pc.is_in(table["rule"], pa.array(CONSTRAINT_RULES)), min_count=0).as_py():
        raise InvalidInputError(f"The constraints have a rule other than {' or '.join(CONSTRAINT_RULES)}.")
    return table


def decision_version(rules: Rules, model: LinkModel | None = None) -> str:
    """A fingerprint of all that decides: the rules and the link model, if one is used."""
    return rules.version if model is None else f"{rules.version}+{model.version}"


def _changed_keys(changed: Iterable[str], before: State, version: str) -> pa.Array:
    if before.rules_version != version:
        raise InvalidInputError(
            "The previous state was made by other rules.", hint="Run once over all profiles, without 'changed'."
        )
    keys = changed if isinstance(changed, (pa.Array, pa.ChunkedArray)) else pa.array(list(changed), pa.string())
    return pc.unique(keys.cast(pa.string()))


class _Run:
    """One resolution, step by step, in one workspace."""

    def __init__(
        self,
        work: Workspace,
        rules: Rules,
        before: State,
        constraints: pa.Table,
        at: dt.datetime,
        model: LinkModel | None,
    ) -> None:
        self.work = work
        self.whole = True
        self.rules = rules
        self.before = before
        self.constraints = constraints
        self.at = at
        self.model = model
        self.version = decision_version(rules, model)

    def resolve(
        self, profiles: pa.Table, identifiers: pa.Table, changed: pa.Array | None, new_ids: IdSource
    ) -> Resolution:
        self.whole = changed is None
        self._load_state()
        evidence, ignored = self._load_evidence(profiles, identifiers, changed)
        decision = decide(evidence, self.constraints, self.work.given("pairs_now"), self.rules)
        names = name_groups(self._past(evidence), decision.groups, evidence.carried, new_ids)
        outcome = Outcome(self.work, self.before, evidence, decision, names, at=self.at, whole=self.whole)
        if self.whole:
            pa.default_memory_pool().release_unused()  # the peak comes with the events: of a million profiles, 1 % less
        events = tell_events(names, outcome.moves, outcome.fates, evidence.carried, self.at, self.version)
        fresh = {**outcome.fresh(), "constraints": self.constraints}
        states = self.work.given("value_state")
        return Resolution(
            previous=self.before,
            rules_version=self.version,
            fresh=fresh,
            stale=outcome.stale(),
            whole=self.whole,
            events=events,
            report=make_report(names, states, events, fresh["refusals"], ignored),
        )

    def _load_state(self) -> None:
        load_kinds(self.work, self.rules)
        normal_lists(self.work, self.rules)
        self.work.put(wish=self.constraints, previous_constraints=self.before.constraints)

    def _load_evidence(
        self, profiles: pa.Table, identifiers: pa.Table, changed: pa.Array | None
    ) -> tuple[Evidence, dict[str, int]]:
        if changed is None:
            ignored = load_evidence(self.work, profiles, identifiers, self.rules)
            self._score(None)
            return take_everything(self.work, self.before), ignored
        self.work.put(changed=pa.table({"profile": changed}))
        own = pick(profiles, "profile", changed), pick(identifiers, "profile", changed)
        ignored = load_evidence(self.work, *own, self.rules)
        self._score(changed)
        return close_over(self.work, self.before, changed, self._seeds()), ignored

    def _score(self, changed: pa.Array | None) -> None:
        """Table ``new_pair``: what the model takes for one person, of the changed profiles or of all."""
        if self.model is None:
            self.work.put(new_pair=SCHEMAS["pairs"].empty_table())
            return
        profiles, links = "new_profile", "new_link"
        if changed is not None:
            self.work.put(before_profile=self.before.profiles, before_link=self.before.links)
            profiles, links = (
                f"(FROM new_{name} UNION ALL FROM before_{name} ANTI JOIN changed USING (profile))"
                for name in ("profile", "link")
            )
        records = self.work.table(records_query(profiles, links))
        if changed is not None:
            records = near_records(self.work, records, self.model.blocks)
        self.work.put(
            new_pair=self.model.pairs(records, least_weight=self.rules.likely_review, only=changed).cast(
                SCHEMAS["pairs"]
            )
        )

    def _seeds(self) -> pa.Array:
        """Profiles whose constraints changed, and the far ends of constraints on changed profiles."""
        if not (self.constraints.num_rows or self.before.constraints.num_rows):
            return pa.array([], pa.string())
        return self.work.table(
            f"""WITH news AS ((SELECT {_DECISION} FROM wish EXCEPT SELECT {_DECISION} FROM previous_constraints)
                   UNION (SELECT {_DECISION} FROM previous_constraints EXCEPT SELECT {_DECISION} FROM wish)
                   UNION (SELECT {_DECISION} FROM wish WHERE "left" IN (FROM changed) OR "right" IN (FROM changed)))
               SELECT "left" AS profile FROM news UNION SELECT "right" FROM news"""
        )["profile"].combine_chunks()

    def _past(self, evidence: Evidence) -> Past:
        """Who the profiles looked at are and once were."""
        members, history = self.work.given("old_member"), self.work.given("old_history")
        customers = self.before.customers
        if not self.whole:
            known = pc.unique(pa.chunked_array([*members["customer"].chunks, *history["customer"].chunks], pa.string()))
            (customers,) = self.before.find(("customers", "customer", known))
        return Past.of(evidence.profiles, customers, members, history)


_DECISION = 'rule, "left", "right", epoch_us("at")'
"""SQL: what makes a decision another one; made anew, it answers what has turned up since."""
