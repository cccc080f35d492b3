"""The other streams: staff, tags, groups with joins and leaves, statistics, results of messages."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from toy import alive
from wecom_rig import GROUPS, Rig, chain, customer, guide, operation, rig

from hub.context import Hub
from hub.pipeline.ingest import ingest

FIRST, SECOND = GROUPS


def rows(hub: Hub, sql: str) -> list[tuple[Any, ...]]:
    with hub.warehouse() as engine:
        return list(engine.rows(sql))


def events(hub: Hub, like: str) -> list[tuple[Any, ...]]:
    sql = f"SELECT type, customer_id, subject_id, occurred_at FROM events WHERE type LIKE '{like}' AND NOT deleted ORDER BY ALL"
    return rows(hub, sql)


def test_staff_have_their_department_and_say_whether_they_serve_customers(corp: Rig) -> None:
    corp.corp.db.execute("UPDATE staff SET follows = 0 WHERE userid = ?", guide(2))
    with corp.hub() as hub:
        ingest(hub, ["wecom"], ["departments", "staff"])
        found = rows(hub, "SELECT source_id, name, role, store_id, active, departments, extra FROM staff ORDER BY 1")
        stores = rows(hub, "SELECT source_id, name, kind, parent_id FROM stores ORDER BY 1")
    assert found[0][:6] == (guide(0), "导购0", "店长", "2", True, ["样板1店"])
    assert [json.loads(row[6])["customer_contact"] for row in found] == [True, True, False]
    assert stores == [("1", "样板连锁", "department", None), ("2", "样板1店", "department", "1")]


def test_a_guide_in_no_visible_department_is_still_known_by_id(corp: Rig) -> None:
    corp.corp.db.execute("UPDATE staff SET department = 77 WHERE userid = ?", guide(1))
    with corp.hub() as hub:
        ingest(hub, ["wecom"], ["staff"])
        assert alive(hub, "staff") == {guide(0): "导购0", guide(1): "导购1", guide(2): "导购2"}


def test_the_tag_library_is_kept_and_deleted_tags_are_marked(corp: Rig) -> None:
    group = corp.corp.put_group("会员等级", "console")
    for name in ("金卡", "银卡"):
        corp.corp.put_tag(group["id"], name, "console")
    with corp.hub() as hub:
        ingest(hub, ["wecom"], ["tags"])
        assert len(events(hub, "tag.created")) == 2
        corp.corp.act("tag_is_deleted", name="银卡")
        ingest(hub, ["wecom"], ["tags"])
        (left,) = rows(hub, "SELECT properties FROM events WHERE NOT deleted")
    assert json.loads(left[0])["name"] == "金卡"


def test_joins_and_leaves_between_two_reads_are_events(corp: Rig) -> None:
    with corp.hub() as hub:
        ingest(hub, ["wecom"], ["groups", "group_members"])
        assert [row[1:3] for row in events(hub, "group.joined")] == [
            (customer(1), FIRST), (customer(2), FIRST), (customer(3), SECOND)
        ]  # fmt: skip
        corp.clock.advance(3600)
        corp.corp.act("leaves_group", chat_id=FIRST, external_userid=customer(2))
        corp.corp.act("joins_group", chat_id=SECOND, external_userid=customer(6), name="顾客6")
        assert ingest(hub, ["wecom"], ["groups", "group_members"]).loaded["wecom/events"].inserted == 2
        ((_, who, where, when),) = events(hub, "group.left")
        assert (who, where, when) == (customer(2), FIRST, corp.now())
        assert ingest(hub, ["wecom"], ["group_members"]).changed == 0
        # Coming back is another stay.
        corp.clock.advance(3600)
        corp.corp.act("joins_group", chat_id=FIRST, external_userid=customer(2), name="顾客2")
        ingest(hub, ["wecom"], ["group_members"])
        assert len(events(hub, "group.joined")) == 5


def test_both_group_streams_share_one_reading_of_the_groups(corp: Rig) -> None:
    with corp.hub() as hub:
        ingest(hub, ["wecom"], ["groups", "group_members"])
    assert corp.calls("groupchat/get") == 2


def test_a_dissolved_group_is_left_by_everybody(corp: Rig) -> None:
    with corp.hub() as hub:
        ingest(hub, ["wecom"], ["group_members"])
        corp.corp.act("group_is_dissolved", chat_id=FIRST)
        ingest(hub, ["wecom"], ["group_members"])
        assert [row[1] for row in events(hub, "group.left")] == [customer(1), customer(2)]


def test_with_more_staff_than_one_list_allows_groups_are_listed_by_owner(tmp_path: Path) -> None:
    with rig(tmp_path, chain(staff=1001, groups=GROUPS)) as corp, corp.hub() as hub:
        corp.corp.db.execute("UPDATE staff SET visible = 0 WHERE userid = ?", guide(1000))
        corp.corp.db.execute("INSERT INTO staff (userid, name, department) VALUES ('g_a', 'a', 2), ('g_b', 'b', 2)")
        report = ingest(hub, ["wecom"], ["groups"])
        assert [stream.state for stream in report.streams] == ["succeeded"]
        assert len(events(hub, "group.created")) == 2
        assert corp.calls("groupchat/list") == 1 + 11


def test_statistics_are_per_guide_and_day_and_recent_days_are_read_again(corp: Rig) -> None:
    with corp.hub(connection="stats_days = 40") as hub:
        ingest(hub, ["wecom"], ["contact_stats"])
        assert rows(
            hub, "SELECT count(*), count(DISTINCT staff_id), min(occurred_at), max(occurred_at) FROM events"
        ) == [
            (
                120,
                3,
                dt.datetime(2026, 1, 20, 16, tzinfo=dt.UTC),
                dt.datetime(2026, 2, 28, 16, tzinfo=dt.UTC),
            )
        ]
        assert corp.calls("get_user_behavior_data") == 6
        corp.clock.advance(86_400)
        assert ingest(hub, ["wecom"], ["contact_stats"]).loaded["wecom/events"].inserted == 3
        assert corp.calls("get_user_behavior_data") == 9


def test_results_of_a_mass_message_are_told_when_the_guide_has_pressed_send(corp: Rig) -> None:
    corp.write("message", [operation(1), operation(3), operation(6)], message={"text": "新品上市"})
    with corp.hub() as hub:
        corp.clock.advance(120)
        ingest(hub, ["wecom"], ["message_results"])
        assert events(hub, "message.%") == []
        corp.corp.act("is_dropped", userid=guide(2), external_userid=customer(6))
        corp.corp.db.execute("DELETE FROM relations WHERE userid = ? AND id = ?", guide(1), customer(3))
        corp.corp.act("presses_send", msgid=corp.corp.db.value("SELECT msgid FROM messages"))
        corp.clock.advance(86_400)
        ingest(hub, ["wecom"], ["message_results"])
        assert [row[:2] for row in events(hub, "message.%")] == [
            ("message.not_a_friend", customer(3)), ("message.not_a_friend", customer(6)), ("message.sent", customer(1))
        ]  # fmt: skip


def test_check_names_what_is_missing(corp: Rig) -> None:
    with corp.source() as source:
        assert [check.ok for check in source.check()] == [True] * 4
    corp.corp.permitted = False
    with corp.source() as source:
        (only,) = source.check()
    assert not only.ok
    assert "可调用接口的应用" in only.message
