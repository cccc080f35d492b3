"""What people say about who is one person: put together, take apart, answer what waits for review.

A decision names profiles and lasts: it is kept in the store, holds on every re-ingest, against new evidence and in a full
rebuild, and only a later decision of a person ends it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import pyarrow as pa

import identity
from hub.context import Hub
from hub.errors import ConfigError, LeaseHeldError
from hub.pipeline.identity_state import PREFIX, prepare_identity
from hub.pipeline.resolve import ResolveReport, resolve
from hub.warehouse.engine import Engine
from hub.warehouse.people import spellings

__all__ = ["Decided", "ReviewItem", "answer_review", "merge", "profiles_named", "review_queue", "unmerge"]

_MOST_PROFILES = 200
"""More profiles than one command decides about: their pairs would be too many to mean anything."""


@dataclass
class Decided:
    """What became of a decision.

    Attributes:
        command: what was called.
        rows: the constraints that were written down, as (rule, profile, profile).
        report: what resolution made of it; None when another process held the warehouse.
        customers: the customer of each profile that was named, after it; empty without a report.
    """

    command: str
    rows: Sequence[tuple[str, str, str]]
    report: ResolveReport | None = None
    customers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ReviewItem:
    """A join that evidence asks for and a rule leaves to a person.

    Attributes:
        id: names it in `hub review accept` and `refuse`; the same as long as the question is.
        left: profile on one side.
        right: profile on the other.
        customers: their customers.
        sizes: how many profiles those have.
        kind: kind of evidence.
        value: the value both carry, normalised.
        rule: why it was not joined.
    """

    id: str
    left: str
    right: str
    customers: tuple[str, str]
    sizes: tuple[int, int]
    kind: str | None
    value: str | None
    rule: str


def profiles_named(engine: Engine, query: str) -> list[str]:
    """Return the keys of the profiles that a query names, sorted.

    Args:
        engine: the warehouse, or a workbench with identity's tables.
        query: a profile (``pos:1001``), a platform's own id, a customer id (also one that was merged away), or an identifier as a
            person writes it.

    Raises:
        ConfigError: nobody has it.
    """
    text = query.strip()
    for where in ("profile = ?", "source_id = ?", "customer_id = ?"):
        if found := engine.rows(f"SELECT DISTINCT profile FROM links WHERE {where} ORDER BY profile", [text]):
            return [str(row[0]) for row in found]
    if heirs := _heirs(engine, text):
        found = engine.rows("SELECT profile FROM links WHERE list_contains(?, customer_id) ORDER BY 1", [heirs])
        return [str(row[0]) for row in found]
    rows = engine.rows(
        f"""SELECT DISTINCT profile FROM {PREFIX}links SEMI JOIN links USING (profile)
            WHERE status = 'key' AND list_contains(?, value) ORDER BY profile""",
        [sorted(spellings(text))],
    )
    if not rows:
        raise ConfigError(
            "No profile has this key, number or id.",
            code="profile_unknown",
            hint="Give a profile (CONNECTION:ID, see `hub customer --reveal`), a phone, card or customer id; run `hub resolve` first.",
        )
    return [str(row[0]) for row in rows]


def _heirs(engine: Engine, customer: str) -> list[str]:
    """The customers that an id of earlier means today; none for an id that was never issued.

    Raises:
        ConfigError: all profiles of that customer are gone.
    """
    if not engine.value(f"SELECT count(*) FROM {PREFIX}customers WHERE customer = ?", [customer]):
        return []
    parts = {name: engine.arrow(f"FROM {PREFIX}{name}") for name in ("customers", "history", "memberships")}
    heirs = identity.live_customers(identity.State.of(parts, ""), [customer])[customer]
    if not heirs:
        raise ConfigError(
            "This customer is no more: all profiles are gone from the data.",
            code="profile_unknown",
            hint="The platforms deleted them, or the person was forgotten.",
        )
    return heirs


def merge(hub: Hub, queries: Sequence[str], *, reason: str, actor: str = "") -> Decided:
    """Hold profiles together for good, whatever rules say; an unmerge of the same people before is withdrawn.

    Args:
        hub: the opened hub.
        queries: two or more of what :func:`profiles_named` takes; one profile of each is held to the others'.
        reason: why.
        actor: who decides; the user of this machine unless given.

    Raises:
        ConfigError: a query names nobody, or all name one profile.
    """
    with hub.warehouse() as engine:
        prepare_identity(engine)
        chosen = sorted({profiles_named(engine, query)[0] for query in queries})
        members = _members(engine, chosen)
    if len(chosen) < 2:
        raise ConfigError("These all name one profile.", code="decision_empty", hint="Name two profiles or customers.")
    rows = [("must_link", chosen[0], other) for other in chosen[1:]]
    ended = _opposite(hub, "cannot_link", combinations(sorted(members), 2), rows)
    return _decide(hub, "merge", [*ended, *rows], reason, actor)


def unmerge(
    hub: Hub, queries: Sequence[str], from_queries: Sequence[str] = (), *, reason: str, actor: str = ""
) -> Decided:
    """Take profiles out of their customer for good.

    Args:
        hub: the opened hub.
        queries: what :func:`profiles_named` takes: the profiles to take out.
        from_queries: whom to keep them apart from; all other profiles of their customers unless given.
        reason: why.
        actor: who decides; the user of this machine unless given.

    Raises:
        ConfigError: a query names nobody, or no other profile is left to keep them apart from.
    """
    with hub.warehouse() as engine:
        prepare_identity(engine)
        out = {profile for query in queries for profile in profiles_named(engine, query)}
        others = {profile for query in from_queries for profile in profiles_named(engine, query)}
        others = (others or set(_members(engine, out))) - out
    if not others:
        raise ConfigError(
            "There is nobody to keep these profiles apart from.",
            code="decision_empty",
            hint="Name some profiles of a customer that has others (`hub customer --reveal` lists them), or use --from.",
        )
    if len(out) + len(others) > _MOST_PROFILES:
        raise ConfigError(
            f"That is about {len(out) + len(others)} profiles at once.",
            code="decision_too_large",
            hint=f"Name at most {_MOST_PROFILES}; a value that joined so many belongs into identity.blocked.",
        )
    pairs = [(one, other) for one in sorted(out) for other in sorted(others)]
    rows = [("cannot_link", one, other) for one, other in pairs]
    return _decide(hub, "unmerge", [*_opposite(hub, "must_link", pairs, rows), *rows], reason, actor)


def _members(engine: Engine, profiles: Iterable[str]) -> dict[str, str]:
    """All profiles of the customers of some profiles, with their customer."""
    with engine.register({"named": pa.table({"profile": pa.array(sorted(profiles), pa.string())})}):
        rows = engine.rows(
            """SELECT profile, customer_id FROM links SEMI JOIN
               (SELECT customer_id FROM links SEMI JOIN named USING (profile)) USING (customer_id)"""
        )
    return dict(rows)


def _opposite(
    hub: Hub, rule: str, pairs: Iterable[tuple[str, str]], replaced: Iterable[tuple[str, str, str]] = ()
) -> list[tuple[str, str, str]]:
    """Withdrawals of the decisions of one rule between some pairs, those left out that a new row replaces anyway."""
    anew = {(min(one, other), max(one, other)) for _, one, other in replaced}
    wanted = {(min(pair), max(pair)) for pair in pairs} - anew
    found = [row for row in hub.store.decisions.in_force() if row.rule == rule and (row.left, row.right) in wanted]
    return [("withdrawn", row.left, row.right) for row in found]


def _decide(hub: Hub, command: str, rows: Sequence[tuple[str, str, str]], reason: str, actor: str) -> Decided:
    hub.store.decisions.add(rows, command=command, reason=reason, actor=actor)
    hub.store.audit(f"identity_{command}", "", {"pairs": len(rows), "reason": reason}, actor)
    decided = Decided(command, rows)
    try:
        decided.report = resolve(hub)
    except LeaseHeldError:
        return decided
    with hub.warehouse() as engine:
        named = {profile for _, *pair in rows for profile in pair}
        decided.customers = {key: home for key, home in sorted(_members(engine, named).items()) if key in named}
    return decided


def review_queue(engine: Engine) -> list[ReviewItem]:
    """Return what waits for a person, the biggest joins first."""
    prepare_identity(engine)
    rows = engine.rows(
        f"""WITH sized AS (SELECT customer_id, count(*)::INTEGER AS size FROM links GROUP BY customer_id)
            SELECT r."left", r."right", r.kind, r.scope, r.value, r.rule, a.customer_id, b.customer_id, sa.size, sb.size
            FROM {PREFIX}refusals AS r JOIN links AS a ON a.profile = r."left" JOIN links AS b ON b.profile = r."right"
            JOIN sized AS sa ON sa.customer_id = a.customer_id JOIN sized AS sb ON sb.customer_id = b.customer_id
            WHERE r.review ORDER BY least(sa.size, sb.size) DESC, r."left", r."right", r.kind, r.value"""
    )
    return [_item(*row) for row in rows]


def _item(*row: Any) -> ReviewItem:
    left, right, kind, scope, value, rule, one, other, size, other_size = row
    digest = hashlib.sha256(repr((left, right, kind, scope, value, rule)).encode()).hexdigest()[:10]
    return ReviewItem(digest, left, right, (one, other), (size, other_size), kind, value, rule)


def answer_review(hub: Hub, item_id: str, *, accept: bool, reason: str, actor: str = "") -> Decided:
    """Answer a question of the review queue: the two sides are one person, or they are not.

    Raises:
        ConfigError: no item's id begins so, or several do.
    """
    with hub.warehouse() as engine:
        found = [item for item in review_queue(engine) if item.id.startswith(item_id)]
    if len(found) != 1 or not item_id:
        raise ConfigError(
            f"{'No item' if not found else 'More than one item'} of the review queue has an id that begins so.",
            code="review_unknown",
            hint="`hub review list` shows the ids.",
        )
    item = found[0]
    if accept:
        rows = [("must_link", item.left, item.right)]
        with hub.warehouse() as engine:
            members = _members(engine, [item.left, item.right])
        # The one who answers has seen more than the one who took them apart.
        ended = _opposite(hub, "cannot_link", combinations(sorted(members), 2), rows)
        return _decide(hub, "accept", [*ended, *rows], reason, actor)
    return _decide(hub, "refuse", [("cannot_link", item.left, item.right)], reason, actor)
