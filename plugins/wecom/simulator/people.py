"""Staff and departments of the simulated corp; statistics of their contacts."""

from __future__ import annotations

import datetime as dt
import zlib
from typing import Any, Final

from hub.simulation.server import CHINA, Call, Params, action, endpoint
from plugins.wecom.simulator.base import CONTACT, CorpBase, refuse

__all__ = ["People"]

_ROOT: Final = 1
_DAY: Final = 86_400
_SPAN_DAYS: Final = 30
_HISTORY_DAYS: Final = 180


class People(CorpBase):
    """Endpoints for staff (成员) and departments (部门)."""

    @endpoint("GET", f"{CONTACT}/get_follow_user_list", name="get_follow_user_list")
    def follow_users(self, call: Call) -> object:
        """List the visible staff with the right to customer contact."""
        del call
        rows = self.db.rows("SELECT userid FROM staff WHERE follows AND visible AND status <> 5 ORDER BY userid")
        return {"follow_user": [row["userid"] for row in rows]}

    @endpoint("GET", "/cgi-bin/department/list", name="department/list")
    def departments(self, call: Call) -> object:
        """List a department and everything below it; here two levels."""
        return {"department": [self._department(row) for row in self._below(call.params.integer("id", _ROOT))]}

    @endpoint("GET", "/cgi-bin/department/simplelist", name="department/simplelist")
    def department_ids(self, call: Call) -> object:
        """List ids only."""
        rows = self._below(call.params.integer("id", _ROOT))
        return {"department_id": [{"id": row["id"], "parentid": row["parent"], "order": 0} for row in rows]}

    @endpoint("GET", "/cgi-bin/department/get", name="department/get")
    def department(self, call: Call) -> object:
        """Give one department."""
        row = self.db.row("SELECT * FROM departments WHERE id = ?", call.params.integer("id"))
        if row is None:
            raise refuse(60123)
        return {"department": self._department(row)}

    def _below(self, number: int) -> list[Any]:
        rows = self.db.rows("SELECT * FROM departments WHERE id = ? OR parent = ? ORDER BY id", number, number)
        if not any(row["id"] == number for row in rows):
            raise refuse(60123)
        return rows

    def _department(self, row: Any) -> dict[str, Any]:
        leaders = self.db.rows("SELECT userid FROM staff WHERE department = ? AND position = '店长'", row["id"])
        return {
            "id": row["id"], "name": row["name"], "name_en": "", "parentid": row["parent"],
            "order": 100_000_000 - row["id"], "department_leader": [leader["userid"] for leader in leaders],
        }  # fmt: skip

    @endpoint("GET", "/cgi-bin/user/simplelist", name="user/simplelist")
    def user_names(self, call: Call) -> object:
        """List the direct members of a department with their names."""
        keys = ("userid", "name", "department")
        return {"userlist": [{key: user[key] for key in keys} for user in self._members(call)]}

    @endpoint("GET", "/cgi-bin/user/list", name="user/list")
    def users(self, call: Call) -> object:
        """List the direct members of a department."""
        return {"userlist": self._members(call)}

    def _members(self, call: Call) -> list[dict[str, Any]]:
        number = call.params.integer("department_id")
        if self.db.value("SELECT 1 FROM departments WHERE id = ?", number) is None:
            raise refuse(60123)
        sql = "SELECT * FROM staff WHERE department = ? AND visible AND status <> 5 ORDER BY userid"
        return [_user(row) for row in self.db.rows(sql, number)]

    @endpoint("GET", "/cgi-bin/user/get", name="user/get")
    def user(self, call: Call) -> object:
        """Give one member."""
        return _user(self.staff_row(call.params.text("userid")))

    def staff_row(self, userid: str) -> Any:
        """Return a visible member who has not left."""
        row = self.db.row("SELECT * FROM staff WHERE userid = ? AND visible AND status <> 5", userid)
        if row is None:
            raise refuse(60111)
        return row

    @endpoint("POST", f"{CONTACT}/get_user_behavior_data", name="get_user_behavior_data", at_once=2)
    def behaviour(self, call: Call) -> object:
        """Give statistics per day: the sum over the named members and the members of the named departments."""
        userids = call.params.array("userid", [], most=100)
        departments = call.params.array("partyid", [], most=100)
        if not userids and not departments:
            raise refuse(40058, "userid and partyid are both empty")
        names = [self.staff_row(str(userid))["userid"] for userid in userids]
        for department in departments:
            names += [
                row["userid"] for row in self.db.rows("SELECT userid FROM staff WHERE department = ?", department)
            ]
        start, end = (_midnight(call.params.integer(key)) for key in ("start_time", "end_time"))
        if end < start or end - start >= _SPAN_DAYS * _DAY or start < _midnight(self.now()) - _HISTORY_DAYS * _DAY:
            raise refuse(40058, "start_time or end_time")
        return {"behavior_data": [self._behaviour_on(day, names) for day in range(start, end + 1, _DAY)]}

    def _behaviour_on(self, day: int, userids: list[str]) -> dict[str, Any]:
        marks = [zlib.crc32(f"{self.stem} {day} {userid}".encode()) for userid in userids]
        added = sum(self._added(userid, day) for userid in userids)
        chats = sum(mark % 9 for mark in marks)
        row: dict[str, Any] = {
            "stat_time": day, "chat_cnt": chats, "message_cnt": chats * 4, "negative_feedback_cnt": 0,
            "new_apply_cnt": added, "new_contact_cnt": added,
        }  # fmt: skip
        # Absent on days on which no customer began a conversation.
        return row | ({"reply_percentage": 90.0 + chats % 10, "avg_reply_time": 1 + chats % 30} if chats else {})

    def _added(self, userid: str, day: int) -> int:
        sql = "SELECT count(*) FROM relations WHERE userid = ? AND created BETWEEN ? AND ?"
        return int(self.db.value(sql, userid, day, day + _DAY - 1))

    # What happens in the corp.

    @action
    def staff_leaves(self, params: Params) -> object:
        """A member of staff leaves; the relations wait to be inherited and cannot be read."""
        return self.db.execute("UPDATE staff SET status = 5 WHERE userid = ?", params.text("userid"))

    @action
    def staff_status(self, params: Params) -> object:
        """A member of staff gets another status (1 active, 2 disabled, 4 not activated)."""
        return self.db.execute(
            "UPDATE staff SET status = ? WHERE userid = ?", params.integer("status"), params.text("userid")
        )

    @action
    def staff_visible(self, params: Params) -> object:
        """A member of staff comes into or goes out of the app's 可见范围."""
        return self.db.execute(
            "UPDATE staff SET visible = ? WHERE userid = ?", int(params.flag("visible")), params.text("userid")
        )


def _user(row: Any) -> dict[str, Any]:
    leader = int(row["position"] == "店长")
    return {
        "userid": row["userid"], "name": row["name"], "department": [row["department"]], "order": [0],
        "position": row["position"] or "", "is_leader_in_dept": [leader], "direct_leader": [],
        "status": row["status"], "main_department": row["department"], "alias": "", "telephone": "",
        "english_name": "", "extattr": {"attrs": []},
    }  # fmt: skip


def _midnight(second: int) -> int:
    day = dt.datetime.fromtimestamp(second, CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    return int(day.timestamp())
