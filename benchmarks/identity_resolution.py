"""Identity resolution on a simulated chain with known truth: quality and speed, each beside a named reference.

    python benchmarks/identity_resolution.py [people]

Quality is that of pairs of profiles: precision = joined pairs that are one person; recall = one-person pairs that are
joined, beside the *ceiling*: the recall of a judge who knows the truth but may only join profiles that some evidence in
the data connects. References, in the same run: bare components on all phones and accounts, and the same with values
carried by more than eight profiles left out. Speed is printed beside SciPy's bare components and the full run.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

import identity
from hub.simulation.world.world import World
from identity.graph import bipartite_components

PLATFORMS = ("pos", "youzan", "weimob", "wecom", "wechat", "miniprogram")
AT = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)
CHAIN_STEPS = 4_000


def timed(work: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> tuple[Any, float]:
    start = clock()
    result = work()
    return result, clock() - start


def keyed(platform: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(platform, column.cast(pa.string()), ":")


def chain_frames(world: World) -> tuple[pa.Table, pa.Table]:
    """Profiles and identifiers as the hub's connectors would read them from the platforms."""
    profiles, identifiers = [], []
    for platform in PLATFORMS:
        view = world.view(platform)
        for name in ("members", "contacts", "followers"):
            if name in view.tables:
                table = view.table(name)
                profiles.append(profile_rows(platform, table))
                identifiers += [
                    identifier_rows(platform, table, kind) for kind in ("phone", "unionid", "openid", "card_no")
                ]
        if "follows" in view.tables:
            remarks = view.table("follows").rename_columns({"remark_phone": "phone"})
            identifiers.append(identifier_rows(platform, remarks, "phone"))
    rows = pa.concat_tables([table for table in identifiers if table is not None])
    return pa.concat_tables(profiles), rows.filter(pc.is_valid(rows["value"]))


def column(table: pa.Table, name: str) -> pa.ChunkedArray | pa.Array:
    return table[name].cast(pa.string()) if name in table.column_names else pa.nulls(table.num_rows, pa.string())


def first_seen(table: pa.Table) -> pa.ChunkedArray:
    found = next(name for name in ("created_at", "followed_at", "added_at") if name in table.column_names)
    return table[found].cast(pa.timestamp("us", tz="UTC"))


def last_seen(table: pa.Table) -> pa.ChunkedArray:
    started = first_seen(table)
    if "last_order_at" not in table.column_names:
        return started
    ordered = (
        table["last_order_at"].cast(pa.timestamp("us", tz="UTC")).fill_null(dt.datetime(1970, 1, 1, tzinfo=dt.UTC))
    )
    return pc.if_else(pc.greater(ordered, started), ordered, started)


def profile_rows(platform: str, table: pa.Table) -> pa.Table:
    # What people call themselves in WeChat is a nickname, not a name.
    name = column(table, "name" if platform in {"pos", "youzan", "weimob"} else "real_name")
    merged = column(table, "merged_into")
    return pa.table(
        {
            "profile": keyed(platform, table["member_id"]),
            "name": name,
            "birthday": column(table, "birthday"),
            "merged_into": pc.if_else(pc.is_valid(merged), pc.binary_join_element_wise(platform, merged, ":"), None),
            "first_seen": first_seen(table),
            "last_seen": last_seen(table),
        }
    ).cast(pa.schema([field for field in identity.PROFILES if field.name in PROFILE_COLUMNS]))


PROFILE_COLUMNS = {"profile", "name", "birthday", "merged_into", "first_seen", "last_seen"}
SCOPES = {"phone": "", "unionid": "brand"}


def identifier_rows(platform: str, table: pa.Table, kind: str) -> pa.Table | None:
    if kind not in table.column_names:
        return None
    typed = "typed_by_staff" if platform in {"pos", "wecom"} else "typed_by_customer"
    assurance: Any = pa.array([typed if kind == "phone" else "issued"] * table.num_rows)
    if kind == "phone" and "phone_verified" in table.column_names:
        assurance = pc.if_else(pc.fill_null(table["phone_verified"], fill_value=False), "authorised", assurance)
    rows = {
        "profile": keyed(platform, table["member_id"]),
        "kind": pa.array([kind] * table.num_rows),
        "value": column(table, kind),
        "scope": pa.array([SCOPES.get(kind, platform)] * table.num_rows),
        "assurance": assurance,
        "first_seen": first_seen(table),
        "last_seen": last_seen(table),
    }
    return pa.table(rows).cast(identity.IDENTIFIERS)


def own_numbers(world: World) -> frozenset[str]:
    view = world.view("pos")
    return frozenset(
        number for name in ("shops", "staff") for number in view.table(name)["phone"].to_pylist() if number
    )


def pairs(*labels: np.ndarray) -> int:
    """Pairs of profiles that are equal in all labels."""
    whole = np.zeros(len(labels[0]), np.int64)
    for label in labels:
        whole = whole * (int(label.max()) + 1) + label
        whole = np.unique(whole, return_inverse=True)[1]
    counts = np.bincount(whole)
    return int((counts * (counts - 1) // 2).sum())


def quality(name: str, found: np.ndarray, truth: np.ndarray, reachable: int) -> None:
    right, joined, wanted = pairs(found, truth), pairs(found), pairs(truth)
    largest = int(np.bincount(found).max())
    print(
        f"{name:34} precision {right / max(joined, 1):.4f}  recall {right / wanted:.4f}  "
        f"of the ceiling {right / reachable:.4f}  largest {largest}"
    )


def numbered(table: pa.Table, columns: list[str]) -> np.ndarray:
    text = pc.binary_join_element_wise(*[table[name] for name in columns], "|")
    return text.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int32)


def reference_components(links: pa.Table, keys: pa.Array, most: int | None) -> np.ndarray:
    """Bare components over exact identifiers, with values of more than ``most`` carriers left out."""
    kept = links.filter(pc.and_(pc.equal(links["status"], "key"), pc.invert(pc.match_substring(links["kind"], "+"))))
    values = numbered(kept, ["kind", "scope", "value"])
    profiles = pc.index_in(kept["profile"].combine_chunks(), keys).to_numpy()
    if most is not None:
        chosen = np.bincount(values)[values] <= most
        values, profiles = values[chosen], profiles[chosen]
    return bipartite_components(profiles.astype(np.int32), values, len(keys), int(values.max()) + 1)


def show_quality(world: World, resolution: identity.Resolution) -> None:
    people = world.truth.profiles
    truth_of = dict(zip(keyed_truth(people), people["person_id"].to_pylist(), strict=True))
    members = resolution.state.memberships
    keys = members["profile"].combine_chunks()
    truth = np.array([truth_of[key] for key in keys.to_pylist()])
    found = numbered(members, ["customer", "customer"])
    evidence = numbered(members, ["component", "component"])
    reachable = pairs(evidence, truth)
    print(f"{len(keys)} profiles of {len(np.unique(truth))} people; ceiling: recall {reachable / pairs(truth):.4f}")
    links = resolution.state.links
    quality("bare components", reference_components(links, keys, None), truth, reachable)
    quality("components, values of <= 8 profiles", reference_components(links, keys, 8), truth, reachable)
    quality("identity.resolve", found, truth, reachable)
    marks = dict(zip(keyed_truth(people), people["difficulties"].to_pylist(), strict=True))
    show_difficulties(keys, marks, found, truth)


def keyed_truth(people: pa.Table) -> list[str]:
    return pc.binary_join_element_wise(people["platform"].cast(pa.string()), people["member_id"], ":").to_pylist()


def show_difficulties(keys: pa.Array, marks: dict[str, list[str]], found: np.ndarray, truth: np.ndarray) -> None:
    """Precision and recall among pairs in which at least one profile has the difficulty."""
    plain = pairs(found, truth), pairs(found), pairs(truth)
    hard: dict[str, np.ndarray] = {}
    for row, key in enumerate(keys.to_pylist()):
        for name in marks[key] or ():
            hard.setdefault(name, np.zeros(len(keys), np.bool_))[row] = True
    for name, hit in sorted(hard.items()):
        rest = [pairs(*(label[~hit] for label in labels)) for labels in ((found, truth), (found,), (truth,))]
        right, joined, wanted = (whole - part for whole, part in zip(plain, rest, strict=True))
        print(
            f"  {name:22} {int(hit.sum()):8} profiles  precision {right / max(joined, 1):.3f}  recall {right / max(wanted, 1):.3f}"
        )


def show_components() -> None:
    """The component step beside SciPy alone, on ten million edges, with long chains and a hub."""
    rng = np.random.default_rng(5)
    profiles, values = 5_350_000, 4_000_000
    left = np.r_[np.arange(profiles), rng.integers(0, profiles, 4_400_000), np.arange(CHAIN_STEPS), np.arange(100_000)]
    right = np.r_[
        rng.integers(0, values, profiles + 4_400_000), np.arange(CHAIN_STEPS) + 1, np.zeros(100_000, np.int64)
    ]
    left, right = left.astype(np.int32), right.astype(np.int32)
    # Both run on one core: CPU seconds compare them fairly on a machine that is shared.
    ours, seconds = timed(lambda: bipartite_components(left, right, profiles, values), time.process_time)

    def bare() -> np.ndarray:
        nodes = profiles + values
        graph = coo_array((np.ones(len(left)), (left, right + profiles)), shape=(nodes, nodes))
        return np.asarray(connected_components(graph.tocsr(), directed=False)[1])

    theirs, reference = timed(bare, time.process_time)
    assert len(np.unique(ours)) == len(np.unique(theirs[:profiles]))
    print(f"components, {len(left)} edges: {seconds:.2f} s of CPU, {seconds / reference:.2f} x bare SciPy")


def show_speed(profiles: pa.Table, identifiers: pa.Table, rules: identity.Rules) -> identity.Resolution:
    process = psutil.Process()
    before = process.memory_info().rss
    busy = time.process_time()
    whole, full = timed(lambda: identity.resolve(profiles, identifiers, at=AT, rules=rules))
    busy = time.process_time() - busy
    grown = (process.memory_info().rss - before) / 2**30
    print(
        f"full resolve of {profiles.num_rows} profiles: {full:.2f} s ({busy:.2f} s of CPU), {grown:.2f} GiB more resident afterwards"
    )
    state = whole.state
    again, idle = timed(lambda: identity.resolve(profiles, identifiers, at=AT, rules=rules, previous=state))
    assert again.events.num_rows == 0
    assert all(change.is_empty for change in again.changes.values())
    print(f"the same again: {idle:.2f} s, 0 events, 0 rows to write")
    count = max(1, profiles.num_rows // 100)
    keys = profiles["profile"].take(np.linspace(0, profiles.num_rows - 1, count).astype(int))
    hit = pc.is_in(profiles["profile"], keys.combine_chunks())
    renamed = profiles.set_column(1, "name", pc.if_else(hit, "李海波", profiles["name"]))
    _, part = timed(lambda: identity.resolve(renamed, identifiers, at=AT, rules=rules, previous=state, changed=keys))
    print(f"{count} changed profiles: {part:.2f} s, {part / full:.3f} of the full run")
    return whole


def main() -> None:
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    world = World.generate(people, days=730)
    profiles, identifiers = chain_frames(world)
    rules = identity.Rules(blocked={"phone": own_numbers(world)})
    whole = show_speed(profiles, identifiers, rules)
    show_quality(world, whole)
    show_components()


if __name__ == "__main__":
    main()
