"""Mass messages of the simulated corp: tasks, guides who press send or do not, results, the monthly cap."""

from __future__ import annotations

import calendar
import datetime as dt
from typing import Any, Final

from hub.simulation.server import CHINA, Call, Params, action, endpoint
from plugins.wecom.simulator.base import CONTACT, refuse
from plugins.wecom.simulator.groups import Groups

__all__ = ["Messages"]

_MOST_CUSTOMERS: Final = 10_000
_MOST_BYTES: Final = 4000
_SENT, _NO_FRIEND, _CAPPED = 1, 2, 3
_MONTH_SECONDS: Final = 31 * 86_400


class Messages(Groups):
    """Endpoints for mass messages (企业群发) to single customers."""

    @endpoint("POST", f"{CONTACT}/add_msg_template", name="add_msg_template", write=True)
    def add_message(self, call: Call) -> object:
        """Make a task for the guides of the named customers."""
        params = call.params
        if params.text("chat_type", "single") != "single":
            raise refuse(40058, "only single is simulated")
        customers = [str(each) for each in params.array("external_userid", [], most=_MOST_CUSTOMERS)]
        sender, content = params.text("sender", ""), self._content(params)
        if not customers and not sender:
            raise refuse(40058, "sender, external_userid and tag_filter are all empty")
        if sender:
            self.staff_row(sender)
        if not customers:
            customers = [row["id"] for row in self.db.rows("SELECT id FROM relations WHERE userid = ?", sender)]
        guides = {each: self._guide(each, sender) for each in dict.fromkeys(customers)}
        reached = [(guide, each) for each, guide in guides.items() if guide]
        if not reached:
            raise refuse(41048)
        msgid = self.put_message(self.now(), sender, content, by_hub=True)
        self.db.load(
            "INSERT INTO message_rows (msgid, userid, id) VALUES (?, ?, ?)", [(msgid, *row) for row in reached]
        )
        return {"fail_list": [each for each, guide in guides.items() if not guide], "msgid": msgid}

    @staticmethod
    def _content(params: Params) -> str:
        text = params.mapping("text", Params()).text("content", "")
        if not text and not params.array("attachments", [], most=9):
            raise refuse(44004)
        if len(text.encode()) > _MOST_BYTES:
            raise refuse(45002)
        return text

    def _guide(self, identifier: str, sender: str) -> str | None:
        """Of a customer's guides only the one of the youngest relation gets the task."""
        sql = (
            "SELECT r.userid FROM relations AS r JOIN staff AS s USING (userid) WHERE r.id = ? AND NOT r.half AND NOT r.one_way"
            " AND s.visible AND s.status = 1 AND ? IN ('', r.userid) ORDER BY r.created DESC, r.userid LIMIT 1"
        )
        return self.db.value(sql, identifier, sender)  # type: ignore[no-any-return]

    def put_message(self, created: int, sender: str, content: str, *, by_hub: bool) -> str:
        """Make a message and return its id."""
        msgid = self.new_id("msg")
        number = self.db.value("SELECT coalesce(max(number), 0) + 1 FROM messages")
        self.db.execute(
            "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)", msgid, number, created, sender, content, int(by_hub)
        )
        return msgid

    @endpoint("POST", f"{CONTACT}/get_groupmsg_list_v2", name="get_groupmsg_list_v2", paged=True)
    def list_messages(self, call: Call) -> object:
        """List the messages made within a month at most."""
        params = call.params
        params.text("chat_type")
        start, end = params.integer("start_time"), params.integer("end_time")
        if not 0 <= end - start <= _MONTH_SECONDS:
            raise refuse(40058, "start_time or end_time")
        limit, cursor = _page_size(params.integer("limit", 50), 50, 100), params.text("cursor", "")
        after = self.cursors.open(cursor, query=[start, end]) if cursor else 0
        sql = "SELECT * FROM messages WHERE number > ? AND created BETWEEN ? AND ? ORDER BY number LIMIT ?"
        rows = self.db.rows(sql, after, start, end, limit + 1)
        more = self.cursors.seal(rows[limit - 1]["number"], query=[start, end]) if len(rows) > limit else ""
        listed = [
            # The page prints this time as a string.
            {
                "msgid": row["msgid"],
                "create_time": str(row["created"]),
                "create_type": 0,
                "text": {"content": row["content"]},
            }
            for row in rows[:limit]
        ]
        return {"group_msg_list": listed, "next_cursor": more}

    @endpoint("POST", f"{CONTACT}/get_groupmsg_task", name="get_groupmsg_task", paged=True)
    def message_tasks(self, call: Call) -> object:
        """List the guides' tasks of a message."""
        msgid = self._dispatched(call)
        rows = self.db.rows(
            "SELECT userid, max(status) AS status, max(sent) AS sent FROM message_rows WHERE msgid = ? GROUP BY userid",
            msgid,
        )
        tasks = [
            {"userid": row["userid"], "status": 2, "send_time": row["sent"]}
            if row["status"]
            else {"userid": row["userid"], "status": 0}
            for row in rows
        ]
        return self._paged(call, "task_list", tasks, msgid)

    @endpoint("POST", f"{CONTACT}/get_groupmsg_send_result", name="get_groupmsg_send_result", paged=True)
    def message_results(self, call: Call) -> object:
        """List what became of one guide's task, customer by customer."""
        msgid, userid = self._dispatched(call), call.params.text("userid")
        sql = "SELECT * FROM message_rows WHERE msgid = ? AND userid = ? ORDER BY id"
        rows = [self._result(row) for row in self.db.rows(sql, msgid, userid)]
        return self._paged(call, "send_list", rows, f"{msgid} {userid}")

    @staticmethod
    def _result(row: Any) -> dict[str, Any]:
        found = {"external_userid": row["id"], "userid": row["userid"], "status": row["status"]}
        return {**found, "send_time": row["sent"]} if row["status"] == _SENT else found

    def _paged(self, call: Call, key: str, rows: list[dict[str, Any]], query: str) -> object:
        size, cursor = _page_size(call.params.integer("limit", 500), 500, 1000), call.params.text("cursor", "")
        start = int(self.cursors.open(cursor, query=query)) if cursor else 0
        more = self.cursors.seal(start + size, query=query) if start + size < len(rows) else ""
        return {key: rows[start : start + size], "next_cursor": more}

    def _dispatched(self, call: Call) -> str:
        """Return the message's id, once it has been handed out to the guides."""
        msgid = call.params.text("msgid", "")
        if not msgid:
            raise refuse(41046)
        created = self.db.value("SELECT created FROM messages WHERE msgid = ?", msgid)
        if created is None:
            raise refuse(41047)
        if call.at < created + self.dispatch_seconds:
            raise refuse(41063)
        return msgid

    @action
    def presses_send(self, params: Params) -> object:
        """A guide (or, without ``userid``, every guide) sends a message; return how many customers got it."""
        msgid, userid = params.text("msgid"), params.text("userid", "")
        sql = "SELECT * FROM message_rows WHERE msgid = ? AND ? IN ('', userid) AND status = 0"
        rows = self.db.rows(sql, msgid, userid)
        for row in rows:
            status = self._delivery(row)
            self.db.execute(
                "UPDATE message_rows SET status = ?, sent = ? WHERE msgid = ? AND userid = ? AND id = ?",
                status, self.now(), msgid, row["userid"], row["id"],
            )  # fmt: skip
        sql = "SELECT count(*) FROM message_rows WHERE msgid = ? AND ? IN ('', userid) AND status = ?"
        return int(self.db.value(sql, msgid, userid, _SENT))

    def _delivery(self, row: Any) -> int:
        sql = "SELECT 1 FROM relations WHERE userid = ? AND id = ? AND NOT one_way"
        if self.db.value(sql, row["userid"], row["id"]) is None:
            return _NO_FRIEND
        day = dt.datetime.fromtimestamp(self.now(), CHINA)
        begin = int(day.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp())
        sql = "SELECT count(*) FROM message_rows WHERE id = ? AND status = ? AND sent >= ?"
        got = int(self.db.value(sql, row["id"], _SENT, begin))
        return _CAPPED if got >= calendar.monthrange(day.year, day.month)[1] else _SENT


def _page_size(given: int, default: int, most: int) -> int:
    return given if 1 <= given <= most else default
