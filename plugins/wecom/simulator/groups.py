"""Customer groups of the simulated corp."""

from __future__ import annotations

from typing import Any, Final

from hub.simulation.server import Call, Params, action, endpoint
from plugins.wecom.simulator.base import CONTACT, refuse
from plugins.wecom.simulator.tags import Tags

__all__ = ["Groups"]

_MOST_OWNERS: Final = 1000
_INVITED: Final = 1


class Groups(Tags):
    """Endpoints for customer groups (客户群)."""

    @endpoint("POST", f"{CONTACT}/groupchat/list", name="groupchat/list", paged=True)
    def list_groups(self, call: Call) -> object:
        """List groups by status and owner."""
        params = call.params
        limit, cursor = params.integer("limit", least=1, most=1000), params.text("cursor", "")
        status = params.integer("status_filter", 0, least=0, most=3)
        owners = params.mapping("owner_filter", Params()).array("userid_list", [], most=100)
        visible = self.db.value("SELECT count(*) FROM staff WHERE visible AND status <> 5")
        if not owners and visible > _MOST_OWNERS:
            raise refuse(81017)
        for owner in owners:
            self.staff_row(str(owner))
        query = [status, sorted(map(str, owners))]
        after = str(self.cursors.open(cursor, query=query)) if cursor else ""
        marks = ", ".join("?" * len(owners))
        sql = (
            "SELECT c.* FROM chats AS c JOIN staff AS s ON s.userid = c.owner WHERE s.visible AND NOT c.dissolved"
            f" AND c.id > ? AND (? = 0 OR c.status = ?) {f'AND c.owner IN ({marks})' if owners else ''} ORDER BY c.id LIMIT ?"
        )
        rows = self.db.rows(sql, after, status, status, *owners, limit + 1)
        more = self.cursors.seal(rows[limit - 1]["id"], query=query) if len(rows) > limit else ""
        listed = [{"chat_id": row["id"], "status": row["status"]} for row in rows[:limit]]
        return {"group_chat_list": listed, "next_cursor": more}

    @endpoint("POST", f"{CONTACT}/groupchat/get", name="groupchat/get")
    def get_group(self, call: Call) -> object:
        """Give a group with all its members."""
        row = self.db.row("SELECT * FROM chats WHERE id = ?", call.params.text("chat_id"))
        if row is None:
            raise refuse(86001)
        if row["dissolved"]:
            raise refuse(49008)
        named = call.params.integer("need_name", 0) == 1
        members = self.db.rows("SELECT * FROM chat_members WHERE chat = ? ORDER BY joined, member", row["id"])
        return {
            "group_chat": {
                "chat_id": row["id"],
                "name": row["name"],
                "owner": row["owner"],
                "create_time": row["created"],
                "notice": row["notice"] or "",
                "member_list": [self._member(member, named=named) for member in members],
                "admin_list": [],
                "member_version": self._version(row["id"], row["version"]),
            }
        }

    def _member(self, row: Any, *, named: bool) -> dict[str, Any]:
        member: dict[str, Any] = {
            "userid": row["member"], "type": row["type"], "join_time": row["joined"], "join_scene": row["scene"],
            "group_nickname": "",
        }  # fmt: skip
        optional = {
            "unionid": row["unionid"] if self.unionid_bound else None,
            "state": row["state"],
            "invitor": {"userid": row["invitor"]} if row["invitor"] else None,
            "name": row["name"] if named else None,
        }
        return member | {key: value for key, value in optional.items() if value}

    def _version(self, chat_id: str, version: int) -> str:
        return self.secret(f"version {chat_id} {version}", length=32)

    def put_member(
        self, chat: str, member: str, joined: int, *, unionid: str = "", name: str = "", scene: int = _INVITED
    ) -> None:
        """Let a customer be in a group."""
        self.db.execute(
            "INSERT OR REPLACE INTO chat_members (chat, member, type, unionid, joined, scene, name) VALUES (?, ?, 2, ?, ?, ?, ?)",
            chat, member, unionid or None, joined, scene, name,
        )  # fmt: skip

    @action
    def joins_group(self, params: Params) -> object:
        """A customer joins a group."""
        chat, member = params.text("chat_id"), params.text("external_userid")
        self.put_member(chat, member, self.now(), name=params.text("name", ""), scene=3)
        self.member_changed(chat, "add_member", [member], JoinScene=3)
        return {}

    @action
    def leaves_group(self, params: Params) -> object:
        """A customer leaves a group."""
        chat, member = params.text("chat_id"), params.text("external_userid")
        self.db.execute("DELETE FROM chat_members WHERE chat = ? AND member = ?", chat, member)
        self.member_changed(chat, "del_member", [member], QuitScene=0)
        return {}

    def member_changed(self, chat: str, detail: str, members: list[str], **scene: int) -> None:
        """Give a group's list of members its next version, and tell."""
        old = int(self.db.value("SELECT version FROM chats WHERE id = ?", chat))
        self.db.execute("UPDATE chats SET version = ? WHERE id = ?", old + 1, chat)
        self.tell_chat(
            chat, "update", UpdateDetail=detail, **scene, MemChangeCnt=len(members), MemChangeList=members,
            LastMemVer=self._version(chat, old), CurMemVer=self._version(chat, old + 1),
        )  # fmt: skip

    @action
    def group_is_dissolved(self, params: Params) -> object:
        """The owner dissolves a group; ``listed`` keeps it in the list a while longer, as may happen."""
        chat = params.text("chat_id")
        self.db.execute("UPDATE chats SET dissolved = 1 WHERE id = ?", chat)
        self.tell_chat(chat, "dismiss")
        return {}
