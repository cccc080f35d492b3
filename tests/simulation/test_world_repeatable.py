"""The same arguments make the same world; time goes on without changing what was."""

import hashlib
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.simulation.world import CHAIN_TABLES, TABLES_OF, Difficulties, World, write_parquet

#: What says which row is which, per table that can change.
KEYS = {
    "members": ["member_id"],
    "contacts": ["member_id"],
    "followers": ["member_id"],
    "follows": ["staff_id", "member_id", "added_at"],
    "groups": ["group_id"],
    "group_members": ["group_id", "member_id"],
    "orders": ["order_id"],
    "refunds": ["refund_id"],
    "coupons": ["coupon_code"],
    "messages": ["message_id"],
    "shops": ["shop_id"],
    "staff": ["staff_id"],
    "products": ["product_id"],
}
LEDGERS = ("points", "stored_value", "level_changes", "browsing", "feedback")


def content(state) -> str:
    """One digest over every table of every platform, byte by byte."""
    digest = hashlib.sha256()
    for platform in TABLES_OF:
        view = state.view(platform)
        for name in view.tables:
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, view.table(name).schema) as writer:
                writer.write_table(view.table(name))
            digest.update(sink.getvalue())
    return digest.hexdigest()


def small(**options) -> World:
    return World.generate(**({"people": 250, "seed": 3, "days": 45} | options))


def test_the_same_seed_gives_the_same_bytes():
    assert content(small().now) == content(small().now)


def test_another_seed_gives_another_world():
    assert content(small().now) != content(small(seed=4).now)


def test_the_length_of_a_world_does_not_change_its_past():
    long, short = small(days=60), small(days=37)
    assert content(long.at(short.end)) == content(short.now)


def test_what_was_asked_before_does_not_change_the_answer():
    asked, fresh = small(), small()
    asked.view("weimob").table("coupons")
    asked.at(asked.end + timedelta(days=40)).view("wecom").table("follows")
    assert content(asked.now) == content(fresh.now)


def test_a_later_world_goes_on_from_the_same_past():
    world = small()
    later = world.later(days=1)
    assert later.end - world.end == timedelta(days=1)
    assert content(later.at(world.end)) == content(world.now)
    assert later.view("pos").table("orders").num_rows > world.view("pos").table("orders").num_rows


@pytest.fixture(scope="module")
def eventful() -> World:
    """A small world in which a lot happens to every row."""
    often = dict.fromkeys(("late_ticket", "late_card", "void_ticket", "duplicate_ticket", "closed_account"), 0.3)
    return small(people=200, difficulties=Difficulties(**often, merged_membership=1.0, changed_phone=0.5))


@settings(max_examples=3, deadline=None)
@given(moments=st.tuples(st.integers(1, 70 * 24), st.integers(1, 30 * 24)))
@example(moments=(28 * 24, 24))
def test_rows_change_only_when_their_update_time_says_so(eventful, moments):
    early = eventful.start + timedelta(hours=moments[0])
    before, after = eventful.at(early), eventful.at(early + timedelta(hours=moments[1]))
    for platform in TABLES_OF:
        for name in (*TABLES_OF[platform], "shops", "staff", "products"):
            if name not in KEYS:
                continue
            old, new = (state.view(platform).table(name) for state in (before, after))
            rows = {tuple(row[key] for key in KEYS[name]): row for row in new.to_pylist()}
            assert len(rows) == new.num_rows, f"{platform}.{name} has a key twice"
            for row in old.to_pylist():
                now = rows[tuple(row[key] for key in KEYS[name])]
                assert row["updated_at"] <= early
                assert now == row or now["updated_at"] > early, f"{platform}.{name} changed silently"
            untouched = pc.sum(pc.less_equal(new["updated_at"], pa.scalar(early, new["updated_at"].type))).as_py() or 0
            assert untouched <= old.num_rows, f"{platform}.{name} grew silently"


@settings(max_examples=2, deadline=None)
@given(hours=st.integers(1, 60 * 24))
@example(hours=28 * 24)  # the end of a period
@example(hours=56 * 24)
def test_ledgers_only_grow_at_their_end(eventful, hours):
    early = eventful.start + timedelta(hours=hours)
    before, after = eventful.at(early), eventful.at(early + timedelta(days=9))
    for platform in ("pos", "miniprogram"):
        for name in set(LEDGERS) & set(TABLES_OF[platform]):
            old, new = (state.view(platform).table(name) for state in (before, after))
            past = new.filter(pc.less_equal(new["at"], pa.scalar(early, new["at"].type)))
            assert past.to_pylist() == old.to_pylist(), f"{platform}.{name}"


def test_switching_one_difficulty_off_leaves_the_others_alone():
    usual, unmasked = small(people=900), small(people=900, difficulties=Difficulties().without("masked_phone"))
    left, right = (world.view("youzan").table("members") for world in (usual, unmasked))
    assert left.drop_columns(["phone"]) == right.drop_columns(["phone"])
    masked = pc.match_substring(left["phone"], "****").fill_null(False)
    assert pc.any(masked).as_py()
    kept = pc.invert(masked)
    assert left["phone"].filter(kept) == right["phone"].filter(kept)


def test_blocks_of_people_do_not_share_ids(tmp_path):
    world = World.generate(people=50_300, seed=5, days=1)
    rows = write_parquet(world.now, tmp_path, tables={"members", "orders", "shops"})
    for platform in ("pos", "youzan", "weimob", "miniprogram"):
        for name, key in (("members", "member_id"), ("orders", "order_id")):
            table = pq.read_table(tmp_path / platform / name)
            assert table.num_rows == rows[f"{platform}/{name}"] == world.view(platform).table(name).num_rows
            assert pc.count_distinct(table[key]).as_py() == table.num_rows
    assert pq.read_table(tmp_path / "chain" / "shops").num_rows == rows["chain/shops"]
    assert len(list((tmp_path / "pos" / "orders").iterdir())) == 2


def test_files_are_the_same_however_many_processes_write_them(tmp_path):
    world = small(days=20)
    for workers in (1, 2):
        write_parquet(world.now, tmp_path / str(workers), tables={"members", "orders"}, workers=workers)
    one, two = (sorted((tmp_path / str(workers)).rglob("*.parquet")) for workers in (1, 2))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    assert len(one) == 8


def test_an_unknown_table_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(KeyError, match="no table sales"):
        write_parquet(small().now, tmp_path, tables={"sales"})
    assert list(tmp_path.iterdir()) == []


def test_every_platform_tells_the_same_about_the_chain():
    state = small().now
    for name in CHAIN_TABLES:
        assert state.view("pos").table(name) == state.view("wecom").table(name)
