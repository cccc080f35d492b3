"""The simulated corp as a whole: filled from the simulated chain, and following it as time passes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

import pyarrow as pa
import pyarrow.compute as pc

from hub.titles import Title
from plugins.wecom.simulator.messages import Messages

__all__ = ["WecomSimulator"]

_CONSOLE: Final = "console"
"""Stands for the app of tags that people made in the admin console."""
_IMPRESSIONS: Final = "顾客印象"


class WecomSimulator(Messages):
    """Shows the chain's WeCom side: guides, contacts, relations, tags given by hand, groups, campaigns.

    Args: see :class:`plugins.wecom.simulator.base.CorpBase`.
    """

    name: ClassVar[str] = "wecom"
    title: ClassVar[Title] = Title("企业微信", "WeCom")
    view: ClassVar[str] = "wecom"

    def syncs(self, connection: str) -> str:
        """Return syncs for segments as tags, and the RFM code in the guide's description."""
        return f"""
[syncs.{connection}_tags]
to = "{connection}"
target = "tag"
key = "profile"
segments = ["rfm_champions", "rfm_at_risk", "rfm_sleeping"]
fields = {{ segments = "segments" }}

[syncs.{connection}_remarks]
to = "{connection}"
target = "remark"
key = "profile"
segments = ["rfm_champions"]
fields = {{ description = "rfm_code" }}
"""

    def received(self) -> Mapping[str, int]:
        """Return what the hub has written: tags on relations, remarks, tasks."""
        app = self.credentials["agent_id"]
        tags = "SELECT count(*), count(DISTINCT m.id) FROM marks AS m JOIN tags AS t ON t.id = m.tag WHERE t.app = ?"
        marks, customers = self.db.rows(tags, app)[0]
        noted = "SELECT count(*) FROM relations WHERE coalesce(description, '') <> coalesce(first_description, '')"
        return {
            "tags on relations": int(marks),
            "tagged customers": int(customers),
            "descriptions": int(self.db.value(noted)),
            "mass messages": int(self.db.value("SELECT count(*) FROM messages WHERE by_hub")),
        }

    def catch_up(self, since: dt.datetime | None, state: Any) -> None:
        """Take over shops, staff, contacts, relations, groups and campaigns; what the hub wrote stays."""
        view = state.view(self.view)
        self._departments(view, since)
        for row in _news(view, "staff", since):
            self._staff(row)
        for row in _news(view, "contacts", since):
            self.put_contact(row["member_id"], row["name"], gender=row["gender"], unionid=row["unionid"] or "")
        tags: dict[str, str] = {}
        # In the order of time: a relation may end and begin anew.
        for row in sorted(_news(view, "follows", since), key=lambda row: row["updated_at"]):
            self._follow_up(row, tags, since)
        for row in _news(view, "groups", since):
            self._chat(row)
        for row in _news(view, "group_members", since):
            self._membership(row, since)
        self._campaigns(_news(view, "messages", since))
        # Tags that guides gave in the world are as old as the world, not as this filling of the tables.
        for table in ("tags", "tag_groups"):
            self.db.execute(f"UPDATE {table} SET created = min(created, ?)", int(state.moment.timestamp()))

    def _departments(self, view: Any, since: dt.datetime | None) -> None:
        if since is None:
            self.db.execute("INSERT OR IGNORE INTO departments VALUES (1, '样板连锁', 0, NULL)")
        for row in sorted(_news(view, "shops", since), key=lambda row: row["shop_id"]):
            self.db.execute(
                "INSERT INTO departments (name, parent, shop) VALUES (?, 1, ?) ON CONFLICT (shop) DO UPDATE SET name = excluded.name",
                row["name"], row["shop_id"],
            )  # fmt: skip

    def _staff(self, row: Mapping[str, Any]) -> None:
        self.db.execute(
            "INSERT INTO staff (userid, name, department, position, status) VALUES (?, ?, (SELECT id FROM departments WHERE shop = ?),"
            " ?, ?) ON CONFLICT (userid) DO UPDATE SET name = excluded.name, department = excluded.department,"
            " position = excluded.position, status = excluded.status",
            row["staff_id"], row["name"], row["shop_id"], "店长" if row["is_manager"] else "导购",
            5 if row["status"] == "left" else 1,
        )  # fmt: skip

    def _follow_up(self, row: Mapping[str, Any], tags: dict[str, str], since: dt.datetime | None) -> None:
        """Bring one relation to what the world says of it, and tell what a guide or customer did."""
        userid, identifier, ended = row["staff_id"], row["member_id"], row["ended_by"]
        known = self.db.row("SELECT * FROM relations WHERE userid = ? AND id = ?", userid, identifier)
        if ended in ("staff", "transfer"):
            if known is not None:
                self.end_relation(userid, identifier)
                source = "DELETE_BY_TRANSFER" if ended == "transfer" else ""
                self.tell_contact("del_external_contact", userid, identifier, Source=source)
            return
        created = int(row["added_at"].timestamp())
        if known is None:
            self.put_relation(userid, identifier, created, add_way=row["add_way"], state=row["state"] or "")
            self._mark_by_hand(userid, identifier, row["tags"] or [], tags)
        self._note(userid, identifier, row)
        if ended == "customer":
            self.db.execute("UPDATE relations SET one_way = 1 WHERE userid = ? AND id = ?", userid, identifier)
        if since is not None:
            change = (
                "del_follow_user" if ended else "add_external_contact" if known is None else "edit_external_contact"
            )
            self.tell_contact(change, userid, identifier, State=row["state"] or "")

    def _note(self, userid: str, identifier: str, row: Mapping[str, Any]) -> None:
        """Take over what the guide wrote, unless the hub has written there meanwhile."""
        phones = [row["remark_phone"]] if row["remark_phone"] else []
        for name in ("remark", "description"):
            self.db.execute(
                f"UPDATE relations SET {name} = iif({name} IS first_{name}, :text, {name}), first_{name} = :text "
                "WHERE userid = :userid AND id = :id",
                {"text": row[name], "userid": userid, "id": identifier},
            )
        if phones:
            sql = "UPDATE relations SET phones = ? WHERE userid = ? AND id = ? AND phones = '[]'"
            self.db.execute(sql, phones, userid, identifier)

    def _mark_by_hand(self, userid: str, identifier: str, names: list[str], tags: dict[str, str]) -> None:
        for name in names:
            if name not in tags:
                tags[name] = self._console_tag(name)
            self.db.execute("INSERT OR IGNORE INTO marks VALUES (?, ?, ?)", userid, identifier, tags[name])

    def _console_tag(self, name: str) -> str:
        group = self.put_group(_IMPRESSIONS, _CONSOLE)["id"]
        found = self.db.value("SELECT id FROM tags WHERE group_id = ? AND name = ? AND NOT deleted", group, name)
        return str(found) if found else str(self.put_tag(group, name, _CONSOLE)["id"])

    def _chat(self, row: Mapping[str, Any]) -> None:
        created = int(row["created_at"].timestamp())
        is_new = self.db.value("SELECT 1 FROM chats WHERE id = ?", row["group_id"]) is None
        self.db.execute(
            "INSERT INTO chats (id, name, owner, created) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET owner = excluded.owner",
            row["group_id"], row["name"], row["owner_staff_id"], created,
        )  # fmt: skip
        if is_new:
            self.db.execute(
                "INSERT INTO chat_members (chat, member, type, joined, scene) VALUES (?, ?, 1, ?, 1)",
                row["group_id"], row["owner_staff_id"], created,
            )  # fmt: skip

    def _membership(self, row: Mapping[str, Any], since: dt.datetime | None) -> None:
        chat, member = row["group_id"], row["member_id"]
        if row["left_at"] is not None:
            gone = self.db.execute("DELETE FROM chat_members WHERE chat = ? AND member = ? AND type = 2", chat, member)
            if gone and since is not None:
                self.member_changed(chat, "del_member", [member], QuitScene=0)
            return
        joined = int(row["joined_at"].timestamp())
        self.put_member(chat, member, joined, unionid=row["unionid"] or "", name=row["name"], scene=row["join_scene"])
        if since is not None:
            self.member_changed(chat, "add_member", [member], JoinScene=3 if row["join_scene"] == 3 else 0)

    def _campaigns(self, rows: Iterator[Mapping[str, Any]]) -> None:
        """Campaigns of the past are mass messages whose guides have pressed send."""
        for row in sorted(rows, key=lambda row: (row["sent_at"], row["message_id"])):
            guide = self._guide(row["member_id"], "")
            if guide is None:
                continue
            sent = int(row["sent_at"].timestamp())
            msgid = self.db.fact(f"campaign {row['campaign_id']}")
            if msgid is None:
                msgid = self.put_message(sent - 60, "", row["name"], by_hub=False)
                self.db.remember(f"campaign {row['campaign_id']}", msgid)
            self.db.execute(
                "INSERT OR IGNORE INTO message_rows VALUES (?, ?, ?, 1, ?)", msgid, guide, row["member_id"], sent
            )


def _news(view: Any, table: str, since: dt.datetime | None) -> Iterator[dict[str, Any]]:
    """Give the rows of one of the world's tables that changed."""
    rows = view.table(table)
    if since is not None:
        rows = rows.filter(pc.greater(rows["updated_at"], pa.scalar(since, rows["updated_at"].type)))
    for batch in rows.to_batches():
        yield from batch.to_pylist()
