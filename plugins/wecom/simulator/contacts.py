"""Customers of the simulated corp: reading relations, writing remarks, and what happens between guides and customers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any, Final

from hub.simulation.server import Call, Params, action, endpoint
from plugins.wecom.simulator.base import CONTACT, refuse
from plugins.wecom.simulator.callbacks import Callbacks
from plugins.wecom.simulator.people import People

__all__ = ["Contacts"]

_DETAIL_PAGE: Final = 500
_BATCH: Final = 100
_REMARK_LIMITS: Final = {"remark": 20, "description": 150, "remark_company": 20}
_COLUMNS: Final = {"remark": "remark", "description": "description", "remark_company": "company"}


class Contacts(People, Callbacks):
    """Endpoints for customers (客户)."""

    @endpoint("GET", f"{CONTACT}/list", name="externalcontact/list")
    def list_contacts(self, call: Call) -> object:
        """List the external_userids of one member of staff."""
        userid = self.staff_row(call.params.text("userid"))["userid"]
        rows = self.db.rows("SELECT id FROM relations WHERE userid = ? AND NOT half ORDER BY number", userid)
        if not rows:
            raise refuse(84061, data={"external_userid": []})
        return {"external_userid": [row["id"] for row in rows]}

    @endpoint("GET", f"{CONTACT}/get", name="externalcontact/get")
    def get_contact(self, call: Call) -> object:
        """Give one customer with the relations of all visible staff, 500 to a page."""
        identifier, cursor = call.params.text("external_userid"), call.params.text("cursor", "")
        contact = self.db.row("SELECT * FROM contacts WHERE id = ?", identifier)
        if contact is None:
            raise refuse(40096)
        after = self.cursors.open(cursor, query=identifier) if cursor else 0
        sql = (
            "SELECT r.* FROM relations AS r JOIN staff AS s USING (userid) WHERE r.id = ? AND r.number > ? AND NOT r.half"
            " AND s.visible AND s.status <> 5 ORDER BY r.number LIMIT ?"
        )
        rows = self.db.rows(sql, identifier, after, _DETAIL_PAGE + 1)
        if not rows:
            raise refuse(84061)
        more = self.cursors.seal(rows[_DETAIL_PAGE - 1]["number"], query=identifier) if len(rows) > _DETAIL_PAGE else ""
        follows = [{**self._follow(row), "tags": self._tags(row)} for row in rows[:_DETAIL_PAGE]]
        return {"external_contact": self._contact(contact), "follow_user": follows, "next_cursor": more}

    @endpoint("POST", f"{CONTACT}/batch/get_by_user", name="batch/get_by_user", paged=True)
    def batch(self, call: Call) -> object:
        """Give the relations of up to 100 members of staff, page by page."""
        params = call.params
        legacy = params.text("userid", "")
        userids = [legacy] if legacy else [str(each) for each in params.array("userid_list", most=100)]
        if not userids:
            raise refuse(40058, "userid_list")
        for userid in userids:
            if self.staff_row(userid)["status"] == 4:
                raise refuse(41054)
        limit, cursor = min(params.integer("limit", 50, least=1), _BATCH), params.text("cursor", "")
        after = self.cursors.open(cursor, query=sorted(userids)) if cursor else 0
        rows = self._relations(userids, int(after), limit + 1)
        if not rows and not cursor and self.empty_code:
            raise refuse(84061)
        more = self.cursors.seal(rows[limit - 1]["number"], query=sorted(userids)) if len(rows) > limit else ""
        listed = [self._batch_row(row) for row in rows[:limit]]
        return {"external_contact_list": listed, "next_cursor": more, "fail_info": {"unlicensed_userid_list": []}}

    def _relations(self, userids: Sequence[str], after: int, limit: int) -> list[Any]:
        marks = ", ".join("?" * len(userids))
        sql = (
            "SELECT r.*, c.name, c.type, c.gender, c.unionid, c.corp_name FROM relations AS r JOIN contacts AS c USING (id)"
            f" WHERE r.number > ? AND r.userid IN ({marks}) AND NOT r.half ORDER BY r.number LIMIT ?"
        )
        return self.db.rows(sql, after, *userids, limit)

    def _batch_row(self, row: Any) -> dict[str, Any]:
        marks = self.db.rows("SELECT tag FROM marks WHERE userid = ? AND id = ? ORDER BY tag", row["userid"], row["id"])
        follow = {**self._follow(row), "tag_id": [mark["tag"] for mark in marks]}
        return {"external_contact": self._contact(row), "follow_info": follow}

    def _contact(self, row: Any) -> dict[str, Any]:
        contact = {"external_userid": row["id"], "name": row["name"], "type": row["type"], "gender": row["gender"]}
        if row["type"] == 2:
            return {**contact, "corp_name": row["corp_name"] or "", "corp_full_name": row["corp_name"] or ""}
        contact["avatar"] = f"https://wx.qlogo.cn/mmhead/{row['id'][2:12]}/0"
        return {**contact, "unionid": row["unionid"]} if row["unionid"] and self.unionid_bound else contact

    def _follow(self, row: Any) -> dict[str, Any]:
        follow = {
            "userid": row["userid"], "remark": row["remark"] or "", "description": row["description"] or "",
            "createtime": row["created"], "remark_mobiles": json.loads(row["phones"]), "add_way": row["add_way"],
            "oper_userid": row["userid"] if row["add_way"] in (2, 5) else row["id"],
        }  # fmt: skip
        optional = {"state": row["state"], "remark_corp_name": row["company"]}
        return follow | {key: value for key, value in optional.items() if value}

    def _tags(self, row: Any) -> list[dict[str, Any]]:
        sql = (
            "SELECT t.id, t.name, g.name AS group_name, g.strategy FROM marks AS m JOIN tags AS t ON t.id = m.tag"
            " JOIN tag_groups AS g ON g.id = t.group_id WHERE m.userid = ? AND m.id = ? ORDER BY t.id"
        )
        found = [
            {
                "group_name": tag["group_name"],
                "tag_name": tag["name"],
                "tag_id": tag["id"],
                "type": 3 if tag["strategy"] else 1,
            }
            for tag in self.db.rows(sql, row["userid"], row["id"])
        ]
        own = self.db.rows("SELECT name FROM personal_tags WHERE userid = ? AND id = ?", row["userid"], row["id"])
        return [*found, *({"group_name": "我的标签", "tag_name": tag["name"], "type": 2} for tag in own)]

    def relation(self, userid: str, identifier: str) -> Any:
        """Return a relation that may be written to."""
        row = self.db.row("SELECT * FROM relations WHERE userid = ? AND id = ? AND NOT half", userid, identifier)
        if row is not None:
            return row
        known = self.db.value("SELECT 1 FROM contacts WHERE id = ?", identifier)
        raise refuse(40096 if known is None else 84061)

    @endpoint("POST", f"{CONTACT}/remark", name="remark", group="pair", write=True)
    def remark(self, call: Call) -> object:
        """Write what a guide has noted about a customer."""
        params = call.params
        row = self.relation(params.text("userid"), params.text("external_userid"))
        given = {name: params.text(name, longest=limit) for name, limit in _REMARK_LIMITS.items() if name in params}
        phones = params.array("remark_mobiles", None)
        if not given and phones is None and "remark_pic_mediaid" not in params:
            raise refuse(40058, "nothing to write")
        for name, value in given.items():
            self.db.execute(f"UPDATE relations SET {_COLUMNS[name]} = ? WHERE number = ?", value, row["number"])
        if phones is not None:
            kept = [str(phone) for phone in phones if phone]
            self.db.execute("UPDATE relations SET phones = ? WHERE number = ?", kept, row["number"])
        return {}

    def shift_page(self, call: Call, draw: Random) -> None:
        """While a list is read, a guide edits a customer: the page after may show what the page before did not."""
        del call
        last = int(self.db.value("SELECT coalesce(max(number), 0) FROM relations"))
        row = self.db.row("SELECT * FROM relations WHERE number >= ? LIMIT 1", draw.randint(min(1, last), last))
        if row is not None:
            self._edit(row["userid"], row["id"], description="老客")

    # What happens between guides and customers.

    @action
    def adds(self, params: Params) -> object:
        """A customer and a guide become contacts; ``half``: the guide has not confirmed yet."""
        userid, identifier = params.text("userid"), params.text("external_userid", "") or self.new_id("wm")
        self.put_contact(identifier, params.text("name", "新客"), unionid=params.text("unionid", ""))
        half = bool(params.flag("half", None))
        state = params.text("state", "")
        self.put_relation(userid, identifier, self.now(), half=half, state=state)
        change = "add_half_external_contact" if half else "add_external_contact"
        self.tell_contact(change, userid, identifier, State=state, WelcomeCode=self.new_id("WC"))
        return identifier

    @action
    def edits(self, params: Params) -> object:
        """A guide changes what is noted about a customer."""
        allowed = {"remark", "description"}
        fields = {name: str(value) for name, value in params.items() if name in allowed}
        self._edit(params.text("userid"), params.text("external_userid"), **fields)
        return {}

    def _edit(self, userid: str, identifier: str, **fields: str) -> None:
        for name, value in fields.items():
            self.db.execute(f"UPDATE relations SET {name} = ? WHERE userid = ? AND id = ?", value, userid, identifier)
        self.tell_contact("edit_external_contact", userid, identifier)

    @action
    def retags(self, params: Params) -> object:
        """A guide gives a customer a tag by hand, or takes one away (``add`` and ``remove`` name tags)."""
        userid, identifier = params.text("userid"), params.text("external_userid")
        for name in params.array("add", []):
            tag = self.db.value("SELECT id FROM tags WHERE name = ? AND NOT deleted", name)
            self.db.execute("INSERT OR IGNORE INTO marks VALUES (?, ?, ?)", userid, identifier, tag)
        for name in params.array("remove", []):
            sql = "DELETE FROM marks WHERE userid = ? AND id = ? AND tag IN (SELECT id FROM tags WHERE name = ?)"
            self.db.execute(sql, userid, identifier, name)
        self.tell_contact("edit_external_contact", userid, identifier)
        return {}

    @action
    def drops(self, params: Params) -> object:
        """A guide deletes a customer, or the customer was handed over (``transfer``)."""
        userid, identifier = params.text("userid"), params.text("external_userid")
        self.end_relation(userid, identifier)
        source = "DELETE_BY_TRANSFER" if params.flag("transfer", None) else ""
        self.tell_contact("del_external_contact", userid, identifier, Source=source)
        return {}

    @action
    def is_dropped(self, params: Params) -> object:
        """A customer deletes a guide: the guide still has the contact, and calls still work."""
        userid, identifier = params.text("userid"), params.text("external_userid")
        self.db.execute("UPDATE relations SET one_way = 1 WHERE userid = ? AND id = ?", userid, identifier)
        self.tell_contact("del_follow_user", userid, identifier)
        return {}

    @action
    def hands_over(self, params: Params) -> object:
        """A customer gets another guide."""
        giver, taker, identifier = (params.text(name) for name in ("userid", "takeover_userid", "external_userid"))
        self.drops(Params({"userid": giver, "external_userid": identifier, "transfer": True}))
        self.put_relation(taker, identifier, self.now(), add_way=202)
        self.tell_contact("add_external_contact", taker, identifier)
        return {}

    # Rows.

    def put_contact(self, identifier: str, name: str, *, gender: int = 0, unionid: str = "", kind: int = 1) -> None:
        """Make or change a customer."""
        self.db.execute(
            "INSERT OR REPLACE INTO contacts (id, name, type, gender, unionid) VALUES (?, ?, ?, ?, ?)",
            identifier, name, kind, gender, unionid or None,
        )  # fmt: skip

    def put_relation(
        self, userid: str, identifier: str, created: int, *, half: bool = False, add_way: int = 1, state: str = ""
    ) -> None:
        """Make a relation, or let it begin anew."""
        self.db.execute(
            "INSERT INTO relations (userid, id, created, add_way, state, half) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (userid, id) DO UPDATE SET created = excluded.created, half = excluded.half, one_way = 0",
            userid, identifier, created, add_way, state or None, int(half),
        )  # fmt: skip

    def end_relation(self, userid: str, identifier: str) -> None:
        """Delete a relation and its marks."""
        for table in ("relations", "marks", "personal_tags"):
            self.db.execute(f"DELETE FROM {table} WHERE userid = ? AND id = ?", userid, identifier)
