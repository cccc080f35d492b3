"""The tag library of the simulated corp, and marking customers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hub.simulation.server import Call, Params, action, endpoint
from plugins.wecom.simulator.base import CONTACT, refuse
from plugins.wecom.simulator.contacts import Contacts

__all__ = ["Tags"]

_LONGEST_NAME: Final = 30
_MOST_MARKS: Final = 1000


class Tags(Contacts):
    """Endpoints for corp tags (企业标签) and strategy tags (规则组标签)."""

    @endpoint("POST", f"{CONTACT}/get_corp_tag_list", name="get_corp_tag_list")
    def list_tags(self, call: Call) -> object:
        """List all corp tags, or those of the named tags or groups."""
        return {"tag_group": self._groups(call.params, strategy=0)}

    @endpoint("POST", f"{CONTACT}/get_strategy_tag_list", name="get_strategy_tag_list")
    def list_strategy_tags(self, call: Call) -> object:
        """List the strategy tags of this app."""
        return {"tag_group": self._groups(call.params, strategy=1)}

    def _groups(self, params: Params, strategy: int) -> list[dict[str, Any]]:
        tag_ids = [str(each) for each in params.array("tag_id", [])]
        group_ids = [] if tag_ids else [str(each) for each in params.array("group_id", [])]
        tags = self.db.rows("SELECT * FROM tags ORDER BY place DESC, id")
        groups = self.db.rows("SELECT * FROM tag_groups WHERE strategy = ? ORDER BY place DESC, id", strategy)
        found = []
        for group in groups:
            mine = [
                self._tag(tag, by_id=bool(tag_ids or group_ids))
                for tag in tags
                if tag["group_id"] == group["id"]
                and (tag["id"] in tag_ids if tag_ids else not tag["deleted"])
                and (not group_ids or group["id"] in group_ids)
            ]
            if mine:
                found.append(
                    {
                        "group_id": group["id"],
                        "group_name": group["name"],
                        "create_time": group["created"],
                        "order": group["place"],
                        "tag": mine,
                    }
                )
        return found

    @staticmethod
    def _tag(row: Any, *, by_id: bool) -> dict[str, Any]:
        tag = {"id": row["id"], "name": row["name"], "create_time": row["created"], "order": row["place"]}
        return {**tag, "deleted": bool(row["deleted"])} if by_id else tag

    @endpoint("POST", f"{CONTACT}/add_corp_tag", name="add_corp_tag", write=True)
    def add_tags(self, call: Call) -> object:
        """Make tags in a group, which is made when its name is new."""
        params = call.params
        wanted = {}
        for entry in params.array("tag"):
            wanted[_checked_name(entry.get("name") if isinstance(entry, dict) else None)] = entry
        if not wanted:
            raise refuse(40058, "tag")
        group = self._group_for(params, call)
        names = {
            row["name"] for row in self.db.rows("SELECT name FROM tags WHERE group_id = ? AND NOT deleted", group["id"])
        }
        if names & wanted.keys():
            raise refuse(40071)
        if self.db.value("SELECT count(*) FROM tags WHERE NOT deleted") + len(wanted) > self.tag_cap:
            raise refuse(40126)
        made = [
            self.put_tag(group["id"], name, call.caller.app, int(entry.get("order") or 0))
            for name, entry in wanted.items()
        ]
        return {
            "tag_group": {
                "group_id": group["id"],
                "group_name": group["name"],
                "create_time": group["created"],
                "order": group["place"],
                "tag": made,
            }
        }

    def _group_for(self, params: Params, call: Call) -> Any:
        identifier = params.text("group_id", "")
        if identifier:
            group = self.db.row("SELECT * FROM tag_groups WHERE id = ? AND NOT strategy", identifier)
            if group is None:
                raise refuse(40068)
            return group
        name = _checked_name(params.text("group_name"))
        return self.put_group(name, call.caller.app, params.integer("order", 0))

    def put_group(self, name: str, app: str, order: int = 0, *, strategy: bool = False) -> Any:
        """Return the group of this name, made if it is new."""
        sql = "SELECT * FROM tag_groups WHERE name = ? AND strategy = ?"
        if self.db.row(sql, name, int(strategy)) is None:
            self.db.execute(
                "INSERT INTO tag_groups VALUES (?, ?, ?, ?, ?, ?)",
                self.new_id("et"), name, self.now(), order, app, int(strategy),
            )  # fmt: skip
        return self.db.row(sql, name, int(strategy))

    def put_tag(self, group_id: str, name: str, app: str, order: int = 0) -> dict[str, Any]:
        """Make a tag and return it as it is listed."""
        identifier = self.new_id("et")
        self.db.execute(
            "INSERT INTO tags (id, group_id, name, created, place, app) VALUES (?, ?, ?, ?, ?, ?)",
            identifier, group_id, name, self.now(), order, app,
        )  # fmt: skip
        return {"id": identifier, "name": name, "create_time": self.now(), "order": order}

    @endpoint("POST", f"{CONTACT}/edit_corp_tag", name="edit_corp_tag", write=True)
    def edit_tag(self, call: Call) -> object:
        """Rename or reorder a tag or group that this app made."""
        identifier = call.params.text("id")
        for table, scope in (("tags", "group_id"), ("tag_groups", "strategy")):
            row = self.db.row(f"SELECT * FROM {table} WHERE id = ?", identifier)
            if row is None or (table == "tags" and row["deleted"]):
                continue
            self._require_own(row, call)
            name = _checked_name(call.params.text("name", row["name"]))
            alive = " AND NOT deleted" if table == "tags" else ""
            twin = f"SELECT 1 FROM {table} WHERE name = ? AND {scope} = ? AND id <> ?{alive}"
            if self.db.value(twin, name, row[scope], identifier):
                raise refuse(40071)
            order = call.params.integer("order", row["place"], least=0)
            self.db.execute(f"UPDATE {table} SET name = ?, place = ? WHERE id = ?", name, order, identifier)
            return {}
        raise refuse(40068)

    @staticmethod
    def _require_own(row: Any, call: Call) -> None:
        if row["app"] != call.caller.app:
            raise refuse(81011)

    @endpoint("POST", f"{CONTACT}/del_corp_tag", name="del_corp_tag", write=True)
    def delete_tags(self, call: Call) -> object:
        """Delete tags and groups that this app made; a group without tags vanishes."""
        tags, groups = (call.params.array(name, []) for name in ("tag_id", "group_id"))
        if not tags and not groups:
            raise refuse(40058, "tag_id and group_id are both empty")
        for group in groups:
            tags = [*tags, *(row["id"] for row in self.db.rows("SELECT id FROM tags WHERE group_id = ?", group))]
        for identifier in tags:
            row = self.db.row("SELECT * FROM tags WHERE id = ?", identifier)
            if row is None:
                raise refuse(40068)
            self._require_own(row, call)
            self.remove_tag(str(identifier))
        return {}

    def remove_tag(self, identifier: str) -> None:
        """Delete a tag with all its marks, and its group with the last tag."""
        self.db.execute("UPDATE tags SET deleted = 1 WHERE id = ?", identifier)
        self.db.execute("DELETE FROM marks WHERE tag = ?", identifier)
        self.db.execute("DELETE FROM tag_groups WHERE id NOT IN (SELECT group_id FROM tags WHERE NOT deleted)")

    @endpoint("POST", f"{CONTACT}/mark_tag", name="mark_tag", group="pair", write=True)
    def mark_tag(self, call: Call) -> object:
        """Add and remove tags of one relation, all or nothing; what is so already stays so."""
        params = call.params
        userid, identifier = params.text("userid"), params.text("external_userid")
        add, remove = (params.array(name, [], most=_MOST_MARKS) for name in ("add_tag", "remove_tag"))
        if not add and not remove:
            raise refuse(40058, "add_tag and remove_tag are both empty")
        self.relation(userid, identifier)
        self._require_tags([*add, *remove])
        for tag in add:
            self.db.execute("INSERT OR IGNORE INTO marks VALUES (?, ?, ?)", userid, identifier, tag)
        for tag in remove:
            self.db.execute("DELETE FROM marks WHERE userid = ? AND id = ? AND tag = ?", userid, identifier, tag)
        return {}

    def _require_tags(self, identifiers: Sequence[object]) -> None:
        for identifier in identifiers:
            if self.db.value("SELECT 1 FROM tags WHERE id = ? AND NOT deleted", identifier) is None:
                raise refuse(40068)

    @action
    def tag_is_renamed(self, params: Params) -> object:
        """Somebody renames a tag in the admin console."""
        identifier = self._tag_named(params.text("name"))
        self.db.execute("UPDATE tags SET name = ? WHERE id = ?", params.text("new_name"), identifier)
        self.tell_tag(identifier, "tag", "update")
        return {}

    @action
    def tag_is_deleted(self, params: Params) -> object:
        """Somebody deletes a tag in the admin console."""
        identifier = self._tag_named(params.text("name"))
        self.remove_tag(identifier)
        self.tell_tag(identifier, "tag", "delete")
        return {}

    def _tag_named(self, name: str) -> str:
        return str(self.db.value("SELECT id FROM tags WHERE name = ? AND NOT deleted", name))


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise refuse(40072)
    return name
