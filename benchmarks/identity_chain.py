"""Profiles and identifiers of the simulated chain with their truth, as files that a benchmark reads.

    python benchmarks/identity_chain.py people folder

A process of its own, so that the memory of making the chain is no part of what is measured.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import identity
from hub.simulation.world.world import World

PLATFORMS = ("pos", "youzan", "weimob", "wecom", "wechat", "miniprogram")


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


def write_chain(people: int, folder: Path) -> None:
    """``profiles``, ``identifiers``, ``own`` (the chain's numbers) and ``truth`` as Parquet."""
    world = World.generate(people, days=730)
    profiles, identifiers = chain_frames(world)
    truth = world.truth.profiles
    tables = {
        "profiles": profiles,
        "identifiers": identifiers,
        "own": pa.table({"phone": sorted(own_numbers(world))}),
        "truth": pa.table(
            {
                "profile": pc.binary_join_element_wise(truth["platform"].cast(pa.string()), truth["member_id"], ":"),
                "person": truth["person_id"],
                "difficulties": truth["difficulties"],
            }
        ),
    }
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")


if __name__ == "__main__":
    write_chain(int(sys.argv[1]), Path(sys.argv[2]))
