"""Followers (粉丝) of the simulated official account, and their tags."""

from __future__ import annotations

import datetime as dt
from random import Random
from typing import Any, Final

from hub.simulation.server import CHINA, Call, Params, action, endpoint
from plugins.wechat.simulator.base import OFFICIAL, AccountsBase, refuse

__all__ = ["Followers"]

_DETAILS: Final = 100
_TAGGING: Final = 50
_LONGEST_NAME: Final = 30
_LONGEST_REMARK: Final = 29
_FIRST_TAG: Final = 100
_MOST_FANS_OF_A_DELETED_TAG: Final = 100_000
_SYSTEM: Final = ((0, "未分组"), (1, "黑名单"), (2, "星标组"))
_SOURCES: Final = {
    "ADD_SCENE_SEARCH": 1, "ADD_SCENE_PROFILE_CARD": 17, "ADD_SCENE_QR_CODE": 30, "ADD_SCENE_PAID": 51,
}  # fmt: skip
"""``user_source`` of the statistics, by the scene of following."""


class Followers(AccountsBase):
    """Endpoints for followers and tags."""

    # The list.

    @endpoint("GET", "/cgi-bin/user/get", group=OFFICIAL, paged=True)
    def list_followers(self, call: Call) -> object:
        """List who follows, in the order of following, behind an openid."""
        after = call.params.text("next_openid", "")
        place: tuple[int, int] = (-1, -1)
        if after:
            row = self.db.row("SELECT followed, number FROM followers WHERE openid = ?", after)
            if row is None:
                raise refuse(40003)
            place = (row["followed"], row["number"])
        rows = self.db.rows(
            "SELECT openid FROM followers WHERE following AND (followed, number) > (?, ?) ORDER BY followed, number LIMIT ?",
            *place, self.list_page,
        )  # fmt: skip
        total = self.db.value("SELECT count(*) FROM followers WHERE following")
        openids = [row["openid"] for row in rows]
        if not openids:
            return {"total": total, "count": 0, "next_openid": ""}
        return {"total": total, "count": len(openids), "data": {"openid": openids}, "next_openid": openids[-1]}

    @endpoint("GET", "/cgi-bin/user/info", group=OFFICIAL)
    def follower(self, call: Call) -> object:
        """Give one person's details."""
        return self._details(call.params.text("openid", ""))

    @endpoint("POST", "/cgi-bin/user/info/batchget", group=OFFICIAL)
    def followers(self, call: Call) -> object:
        """Give the details of up to 100 people, all or none."""
        asked = call.params.array("user_list")
        if not 0 < len(asked) <= _DETAILS:
            raise refuse(40032)
        if not all(isinstance(each, dict) for each in asked):
            raise refuse(47001, "user_list")
        return {"user_info_list": [self._details(str(each.get("openid") or "")) for each in asked]}

    def known(self, openid: object, code: int = 40003) -> Any:
        """Return the row of somebody who has ever followed."""
        row = self.db.row("SELECT * FROM followers WHERE openid = ?", str(openid))
        if row is None:
            raise refuse(code)
        return row

    def _details(self, openid: str) -> dict[str, Any]:
        row = self.known(openid)
        unionid = {"unionid": row["unionid"]} if row["unionid"] and self.unionid_bound else {}
        if not row["following"]:
            return {"subscribe": 0, "openid": openid, **unionid}
        tags = [each["tag"] for each in self.db.rows("SELECT tag FROM tagged WHERE openid = ? ORDER BY tag", openid)]
        empty = {"nickname": "", "sex": 0, "city": "", "province": "", "country": "", "headimgurl": ""}
        return {
            "subscribe": 1, "openid": openid, **(empty if self.old_fields else {}), "language": "zh_CN",
            "subscribe_time": row["followed"], **unionid, "remark": row["remark"], "groupid": tags[0] if tags else 0,
            "tagid_list": tags, "subscribe_scene": row["scene"], "qr_scene": 0, "qr_scene_str": row["qr_scene_str"] or "",
        }  # fmt: skip

    @endpoint("POST", "/cgi-bin/user/info/updateremark", group=OFFICIAL, write=True)
    def remark(self, call: Call) -> object:
        """Write the operator's remark on a follower."""
        openid, remark = call.params.text("openid", ""), call.params.text("remark", "")
        self.known(openid)
        if len(remark) > _LONGEST_REMARK:
            raise refuse(47001, "remark")
        self.db.execute("UPDATE followers SET remark = ? WHERE openid = ?", remark, openid)
        return {}

    # Tags.

    @endpoint("GET", "/cgi-bin/tags/get", group=OFFICIAL)
    def list_tags(self, call: Call) -> object:
        """List every tag, the platform's first."""
        del call
        sql = "SELECT t.tag, count(*) FROM tagged AS t JOIN followers AS f ON f.openid = t.openid AND f.following GROUP BY t.tag"
        counts = {int(row[0]): int(row[1]) for row in self.db.rows(sql)}
        made = [(row["id"], row["name"]) for row in self.db.rows("SELECT id, name FROM tags ORDER BY id")]
        return {"tags": [{"id": tag, "name": name, "count": counts.get(tag, 0)} for tag, name in (*_SYSTEM, *made)]}

    @endpoint("POST", "/cgi-bin/tags/create", group=OFFICIAL, write=True)
    def create_tag(self, call: Call) -> object:
        """Make a tag."""
        name = self._tag_name(call.params.mapping("tag"))
        if int(self.db.value("SELECT count(*) FROM tags")) >= self.tag_cap:
            raise refuse(45056)
        return {"tag": {"id": self.put_tag(name, by_hub=True), "name": name}}

    def put_tag(self, name: str, *, by_hub: bool) -> int:
        """Make a tag and return its id."""
        number = int(self.db.value("SELECT coalesce(max(id), ?) + 1 FROM tags", _FIRST_TAG - 1))
        self.db.execute("INSERT INTO tags VALUES (?, ?, ?)", number, name, int(by_hub))
        return number

    def _tag_name(self, tag: Params, own: int = -1) -> str:
        name = tag.text("name", "").strip()
        if len(name) > _LONGEST_NAME:
            raise refuse(45158)
        taken = self.db.value("SELECT id FROM tags WHERE name = ?", name)
        if not name or taken not in (None, own) or name in dict(_SYSTEM).values():
            raise refuse(45157)
        return name

    def _own_tag(self, number: int) -> int:
        if number in dict(_SYSTEM):
            raise refuse(45058)
        return self._any_tag(number)

    def _any_tag(self, number: int) -> int:
        if number not in dict(_SYSTEM) and self.db.value("SELECT 1 FROM tags WHERE id = ?", number) is None:
            raise refuse(45159)
        return number

    @endpoint("POST", "/cgi-bin/tags/update", group=OFFICIAL, write=True)
    def rename_tag(self, call: Call) -> object:
        """Rename a tag."""
        tag = call.params.mapping("tag")
        number = self._own_tag(tag.integer("id"))
        self.db.execute("UPDATE tags SET name = ? WHERE id = ?", self._tag_name(tag, number), number)
        return {}

    @endpoint("POST", "/cgi-bin/tags/delete", group=OFFICIAL, write=True)
    def delete_tag(self, call: Call) -> object:
        """Delete a tag that not too many carry."""
        number = self._own_tag(call.params.mapping("tag").integer("id"))
        if int(self.db.value("SELECT count(*) FROM tagged WHERE tag = ?", number)) > _MOST_FANS_OF_A_DELETED_TAG:
            raise refuse(45057)
        self.remove_tag(number)
        return {}

    def remove_tag(self, number: int) -> None:
        """Delete a tag and take it from everybody."""
        self.db.execute("DELETE FROM tags WHERE id = ?", number)
        self.db.execute("DELETE FROM tagged WHERE tag = ?", number)

    @endpoint("POST", "/cgi-bin/tags/members/batchtagging", group=OFFICIAL, write=True)
    def tag_members(self, call: Call) -> object:
        """Give a tag to up to 50 followers, all or none."""
        number, openids = self._members(call)
        for openid in openids:
            carried = {row["tag"] for row in self.db.rows("SELECT tag FROM tagged WHERE openid = ?", openid)}
            if len(carried | {number}) > self.tags_per_user:
                raise refuse(45059)
            self.db.execute("INSERT OR IGNORE INTO tagged VALUES (?, ?)", number, openid)
        return {}

    @endpoint("POST", "/cgi-bin/tags/members/batchuntagging", group=OFFICIAL, write=True)
    def untag_members(self, call: Call) -> object:
        """Take a tag from up to 50 followers, all or none."""
        number, openids = self._members(call)
        for openid in openids:
            self.db.execute("DELETE FROM tagged WHERE tag = ? AND openid = ?", number, openid)
        return {}

    def _members(self, call: Call) -> tuple[int, list[str]]:
        openids = [str(each) for each in call.params.array("openid_list")]
        if not 0 < len(openids) <= _TAGGING:
            raise refuse(40032)
        number = self._any_tag(call.params.integer("tagid"))
        for openid in openids:
            is_elsewhere = self.db.value("SELECT 1 FROM users WHERE openid = ?", openid) is not None
            if not self.known(openid, 49003 if is_elsewhere else 40003)["following"]:
                raise refuse(40003)
        return number, openids

    @endpoint("POST", "/cgi-bin/tags/getidlist", group=OFFICIAL)
    def tags_of(self, call: Call) -> object:
        """List the tags of one follower."""
        openid = self.known(call.params.text("openid", ""))["openid"]
        rows = self.db.rows("SELECT tag FROM tagged WHERE openid = ? ORDER BY tag", openid)
        return {"tagid_list": [row["tag"] for row in rows]}

    @endpoint("POST", "/cgi-bin/user/tag/get", "/cgi-bin/tag/user/get", group=OFFICIAL, paged=True)
    def members_of(self, call: Call) -> object:
        """List the followers with a tag, behind an openid."""
        number = self._any_tag(call.params.integer("tagid"))
        rows = self.db.rows(
            "SELECT t.openid FROM tagged AS t JOIN followers AS f ON f.openid = t.openid AND f.following"
            " WHERE t.tag = ? AND t.openid > ? ORDER BY t.openid LIMIT ?",
            number, call.params.text("next_openid", ""), self.list_page,
        )  # fmt: skip
        openids = [row["openid"] for row in rows]
        if not openids:
            return {"count": 0}
        return {"count": len(openids), "data": {"openid": openids}, "next_openid": openids[-1]}

    # Statistics of followers.

    @endpoint("POST", "/datacube/getusersummary", group=OFFICIAL)
    def user_summary(self, call: Call) -> object:
        """Tell who came and went, a row per day and source; a week at most."""
        begin, end = self.span(call, most=7)
        sql = "SELECT * FROM follower_days WHERE day BETWEEN ? AND ? ORDER BY day, source"
        rows = self.db.rows(sql, begin.isoformat(), end.isoformat())
        return {
            "list": [
                {
                    "ref_date": row["day"],
                    "user_source": row["source"],
                    "new_user": row["came"],
                    "cancel_user": row["went"],
                }
                for row in rows
            ]
        }

    @endpoint("POST", "/datacube/getusercumulate", group=OFFICIAL)
    def user_cumulate(self, call: Call) -> object:
        """Tell how many followers there were at the end of each day; a week at most."""
        begin, end = self.span(call, most=7)
        days = [begin + dt.timedelta(days=number) for number in range((end - begin).days + 1)]
        total = "SELECT coalesce(sum(came) - sum(went), 0) FROM follower_days WHERE day <= ?"
        return {
            "list": [
                {"ref_date": day.isoformat(), "cumulate_user": int(self.db.value(total, day.isoformat()))}
                for day in days
            ]
        }

    def span(self, call: Call, most: int) -> tuple[dt.date, dt.date]:
        """Return the days that statistics are asked for, after checking form and length; yesterday at the latest."""
        begin, end = (_day(call.params.text(name, "")) for name in ("begin_date", "end_date"))
        now = dt.datetime.fromtimestamp(call.at, CHINA)
        if not 0 <= (end - begin).days < most or end >= now.date():
            raise refuse(61501)
        if end == now.date() - dt.timedelta(days=1) and now.hour < self.ready_hour:
            raise refuse(61503)
        return begin, end

    # What happens there.

    def put_follower(
        self, openid: str, followed: int, *, unionid: str = "", scene: str = "ADD_SCENE_SEARCH", code: str = ""
    ) -> None:
        """Let somebody follow, perhaps again."""
        self.db.execute(
            "INSERT INTO followers (openid, unionid, followed, scene, qr_scene_str) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (openid) DO UPDATE SET following = 1, followed = excluded.followed, scene = excluded.scene,"
            " qr_scene_str = excluded.qr_scene_str",
            openid, unionid or None, followed, scene, code or None,
        )  # fmt: skip
        self._count_day(followed, _SOURCES.get(scene, 0), came=1)

    def end_following(self, openid: str, at: int) -> None:
        """Let somebody go away; the tags are gone with it."""
        if self.db.execute("UPDATE followers SET following = 0 WHERE openid = ? AND following", openid):
            self.db.execute("DELETE FROM tagged WHERE openid = ?", openid)
            self._count_day(at, 0, went=1)

    def _count_day(self, at: int, source: int, came: int = 0, went: int = 0) -> None:
        day = dt.datetime.fromtimestamp(at, CHINA).date().isoformat()
        self.db.execute(
            "INSERT INTO follower_days VALUES (?, ?, ?, ?) ON CONFLICT (day, source) DO UPDATE SET"
            " came = came + excluded.came, went = went + excluded.went",
            day, source, came, went,
        )  # fmt: skip

    @action
    def follows(self, params: Params) -> object:
        """Somebody follows the account."""
        scene, code = params.text("scene", "ADD_SCENE_SEARCH"), params.text("code", "")
        self.put_follower(params.text("openid"), self.now(), unionid=params.text("unionid", ""), scene=scene, code=code)
        return {}

    @action
    def unfollows(self, params: Params) -> object:
        """Somebody goes away."""
        self.end_following(params.text("openid"), self.now())
        return {}

    @action
    def tag_is_deleted(self, params: Params) -> object:
        """Somebody deletes a tag in the console."""
        self.remove_tag(int(self.db.value("SELECT id FROM tags WHERE name = ?", params.text("name"))))
        return {}

    @action
    def tags_by_hand(self, params: Params) -> object:
        """Somebody tags a follower in the console; a tag of a new name is made."""
        name = params.text("name")
        found = self.db.value("SELECT id FROM tags WHERE name = ?", name)
        number = int(found) if found is not None else self.put_tag(name, by_hub=False)
        self.db.execute("INSERT OR IGNORE INTO tagged VALUES (?, ?)", number, params.text("openid"))
        return number

    def shift_page(self, call: Call, draw: Random) -> None:
        """A follower goes away while the list is being read, and another comes."""
        del call
        rows = self.db.rows("SELECT openid FROM followers WHERE following ORDER BY number")
        if len(rows) > 1:
            self.end_following(rows[draw.randrange(len(rows))]["openid"], self.now())
        self.put_follower(f"oShift{draw.randrange(10**21):022d}", self.now())


def _day(text: str) -> dt.date:
    try:
        if len(text) not in (8, 10):
            raise refuse(61500)
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise refuse(61500) from error
