"""What holds for every input: order, increments, constraints and ids.

A run costs the same for ten profiles as for a hundred, so every example is made of several *islands*: worlds whose profiles
and values never meet, edited and resolved together.
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, field

import pyarrow as pa
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_frames import AT, constraints, customers, groups, only, phone, profiles, told

import identity
from identity import Resolution, Rules, State

RULES = (
    Rules(max_customer=6, late_bridge=2)
    .with_kind("phone", max_profiles=5, max_names=3)
    .with_kind("unionid", per_customer=1)
    .with_kind("card_no", per_customer=1, window_days=60)
)
NAMES = [None, "王芳", "王方", "李强", "王女士", "平安是福"]


@dataclass
class World:
    """Everything the sources say at one moment."""

    people: dict[str, dict[str, object]] = field(default_factory=dict)
    ids: set[tuple[str, str, str, str, str]] = field(default_factory=set)
    wishes: set[tuple[str, str, str]] = field(default_factory=set)

    def tables(self, order: random.Random | None = None) -> tuple[pa.Table, pa.Table, pa.Table]:
        people, wishes = sorted(self.people.items()), sorted(self.wishes)
        ids = [self._dated(*row) for row in sorted(self.ids)]
        if order:
            for rows in (people, ids, wishes):
                order.shuffle(rows)
        return (
            profiles(*({"profile": key, **facts} for key, facts in people)),
            pa.Table.from_pylist(ids, schema=identity.IDENTIFIERS),
            constraints(*wishes),
        )

    def _dated(self, profile: str, kind: str, value: str, scope: str, assurance: str) -> dict[str, object]:
        """An identifier with the months its profile has been seen in."""
        month = self.people[profile].get("month")
        first = None if month is None else AT - dt.timedelta(days=30 * int(str(month)))
        last = None if first is None else first + dt.timedelta(days=10)
        row = {"profile": profile, "kind": kind, "value": value, "scope": scope, "assurance": assurance}
        return {**row, "first_seen": first, "last_seen": last}


ISLANDS = 4
KEYS = [f"p:{number}" for number in range(10)]
key = st.sampled_from(KEYS)
one_id = st.one_of(
    st.tuples(
        st.just("phone"), st.integers(1, 4).map(phone), st.just(""), st.sampled_from(["authorised", "typed_by_staff"])
    ),
    st.tuples(
        st.just("phone"), st.sampled_from(["154****0001", "154****0002"]), st.just(""), st.just("typed_by_staff")
    ),
    st.tuples(st.just("unionid"), st.integers(1, 4).map("oAbc{}".format), st.just("brand"), st.just("issued")),
    st.tuples(st.just("card_no"), st.integers(1, 3).map("C00{}".format), st.just("chain"), st.just("issued")),
)
facts = st.fixed_dictionaries(
    {"name": st.sampled_from(NAMES)},
    optional={
        "birthday": st.sampled_from(["1990-05-17", "1961-02-03", "--05-17"]),
        "birthday_assurance": st.just("authorised"),
        "gender": st.sampled_from(["male", "female"]),
        "merged_into": key,
        "month": st.sampled_from([1, 2, 12, 24]),
    },
)
put = st.tuples(st.just("put"), key, facts, st.lists(one_id, max_size=3))
drop = st.tuples(st.just("drop"), key)
wish = st.tuples(st.just("wish"), st.sampled_from(["must_link", "cannot_link"]), key, key)
unwish = st.tuples(st.just("unwish"))
island_steps = st.lists(st.one_of(put, put, put, drop, wish, unwish), min_size=1, max_size=6)
edits = st.lists(st.lists(island_steps, min_size=ISLANDS, max_size=ISLANDS), min_size=1, max_size=4).map(
    lambda history: [[settled(step, place) for place, steps in enumerate(day) for step in steps] for day in history]
)


def settled(step: tuple, island: int) -> tuple:
    """A step on an island: its profiles, identifiers and full birthdays are nobody's elsewhere."""
    if step[0] == "unwish":
        return (*step, island)
    if step[0] == "wish":
        return (*step[:2], *(on(island, profile) for profile in step[2:]))
    if step[0] == "drop":
        return (step[0], on(island, step[1]))
    said = {**step[2]}
    if "merged_into" in said:
        said["merged_into"] = on(island, said["merged_into"])
    if said.get("birthday", "-")[0] != "-":
        said["birthday"] = f"{int(said['birthday'][:4]) + island}{said['birthday'][4:]}"
    ids = [(kind, f"{value[:-4]}{island}{value[-3:]}", *rest) for kind, value, *rest in step[3]]
    return (step[0], on(island, step[1]), said, ids)


def on(island: int, profile: str) -> str:
    """A profile's key on an island."""
    return profile.replace(":", f":{island}")


def edit(world: World, steps: list[tuple]) -> set[str]:
    """Change the world; the keys of changed profiles."""
    changed = set()
    for step in steps:
        if step[0] in {"put", "drop"}:
            world.ids = {row for row in world.ids if row[0] != step[1]}
            world.people.pop(step[1], None)
            changed.add(step[1])
        if step[0] == "put":
            world.people[step[1]] = step[2]
            world.ids |= {(step[1], *row) for row in step[3]}
        if step[0] == "wish":
            world.wishes.add(step[1:])
        if step[0] == "unwish":
            world.wishes = {wish for wish in world.wishes if not wish[1].startswith(f"p:{step[1]}")}
    return changed


def run(
    world: World, previous: State, changed: set[str] | None = None, order: random.Random | None = None
) -> Resolution:
    people, ids, wishes = world.tables(order)
    return identity.resolve(
        people if changed is None else only(people, changed),
        ids if changed is None else only(ids, changed),
        at=AT,
        previous=previous,
        constraints=wishes,
        rules=RULES,
        new_ids=identity.sequential_ids(start=previous.customers.num_rows + 1),
        changed=changed,
    )


def rows(table: pa.Table) -> list[str]:
    return sorted(map(str, table.to_pylist()))


@settings(deadline=None, max_examples=examples(8))
@given(edits)
def test_an_increment_equals_a_full_run(history: list[list[tuple]]) -> None:
    world, state = World(), State()
    state = run(world, state).state
    for steps in history:
        changed = edit(world, steps)
        whole = run(world, state)
        part = run(world, state, changed)
        assert told(part.events) == told(whole.events)
        for name, table in whole.state.tables().items():
            assert rows(part.state.tables()[name]) == rows(table), name
        state = part.state


@settings(deadline=None, max_examples=examples(8))
@given(edits, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(history: list[list[tuple]], order: random.Random) -> None:
    world = World()
    for steps in history:
        edit(world, steps)
    one, other = run(world, State()), run(world, State(), order=order)
    assert rows(one.events) == rows(other.events)
    for name, table in one.state.tables().items():
        assert rows(table) == rows(other.state.tables()[name]), name


@settings(deadline=None, max_examples=examples(8))
@given(edits)
def test_cannot_link_always_holds_and_every_id_leads_somewhere(history: list[list[tuple]]) -> None:
    world, state = World(), run(World(), State()).state
    for steps in history:
        changed = edit(world, steps)
        result = run(world, state, changed)
        member = customers(result.memberships)
        assert set(member) == set(world.people)
        for rule, left, right in world.wishes:
            if rule == "cannot_link" and left != right and left in member and right in member:
                assert member[left] != member[right]
        state = result.state
        issued = state.customers["customer"].to_pylist()
        live = set(member.values())
        leads = identity.live_customers(state, issued)
        assert all(set(found) <= live for found in leads.values())
        assert all(leads[customer] == [customer] for customer in live)


@settings(deadline=None, max_examples=examples(8))
@given(edits, key, key)
def test_merging_by_hand_and_taking_it_back_restores(history: list[list[tuple]], left: str, right: str) -> None:
    world = World()
    for steps in history:
        edit(world, steps)
    before = run(world, State())
    wishes = set(world.wishes)
    world.wishes = wishes | {("must_link", on(island, left), on(island, right)) for island in range(ISLANDS)}
    merged = run(world, before.state, set())
    world.wishes = wishes
    after = run(world, merged.state, set())
    assert customers(after.memberships) == customers(before.memberships)


@settings(deadline=None, max_examples=examples(8))
@given(edits)
def test_running_again_changes_nothing(history: list[list[tuple]]) -> None:
    world = World()
    for steps in history:
        edit(world, steps)
    state = run(world, State()).state
    again = run(world, state)
    assert again.events.num_rows == 0
    assert all(change.is_empty for change in again.changes.values())
    assert groups(again.memberships) == groups(state.memberships)
