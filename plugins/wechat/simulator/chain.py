"""The simulated accounts as a whole: filled from the simulated chain, and following it as time passes."""

from __future__ import annotations

import datetime as dt
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

import pyarrow as pa
import pyarrow.compute as pc

from hub.simulation.server import CHINA
from hub.titles import Title
from plugins.wechat.simulator.base import DEMO_DAYS
from plugins.wechat.simulator.messages import ARRIVAL, EXPIRY
from plugins.wechat.simulator.pushes import Pushes
from plugins.wechat.simulator.visits import statistics_of

__all__ = ["WechatSimulator"]

_FULL_NUMBER: Final = re.compile(r"1\d{10}")
_TAGS_BY_HAND: Final = ("会员日", "试饮团", "投诉过")
"""Tags that people gave in the console; about one follower in five has one."""
_MINIPROGRAM: Final = "miniprogram"


class WechatSimulator(Pushes):
    """Shows the chain's WeChat side: followers of the official account, users and visits of the mini-program.

    Args: see :class:`plugins.wechat.simulator.base.AccountsBase`.
    """

    name: ClassVar[str] = "wechat"
    title: ClassVar[Title] = Title("微信公众号与小程序", "WeChat official account and mini-program")
    view: ClassVar[str] = "wechat"

    def hub_toml(self) -> str:
        """Return a connection for each account, and the official account's sync."""
        own = self.credentials
        return f"""{self.describe().hub_toml()}
[connections.{_MINIPROGRAM}]
plugin = "{self.name}"
kind = "{_MINIPROGRAM}"
base_url = "{self.base_url}"
appid = "{own["miniprogram_appid"]}"
secret = "{own["miniprogram_secret"]}"
metrics_days = {DEMO_DAYS}
{self.syncs(self.name)}"""

    def syncs(self, connection: str) -> str:
        """Return a sync of segments as tags."""
        return f"""
[syncs.{connection}_tags]
to = "{connection}"
target = "tag"
key = "profile"
segments = ["rfm_champions", "rfm_at_risk", "rfm_sleeping"]
fields = {{ segments = "segments" }}
"""

    def received(self) -> Mapping[str, int]:
        """Return what the hub has written: tags on followers, messages."""
        marks = (
            "SELECT count(*), count(DISTINCT m.openid) FROM tagged AS m JOIN tags AS t ON t.id = m.tag WHERE t.by_hub"
        )
        tags, followers = self.db.rows(marks)[0]
        return {
            "tags on followers": int(tags),
            "tagged followers": int(followers),
            "subscription messages": int(self.db.value("SELECT count(*) FROM messages")),
        }

    def catch_up(self, since: dt.datetime | None, state: Any) -> None:
        """Take over followers, users and visits; what the hub wrote stays."""
        self.put_templates()
        for row in sorted(_news(state.view(self.view), "followers", since), key=lambda row: row["updated_at"]):
            self._follower(row, since)
        mine = state.view(_MINIPROGRAM)
        for row in _news(mine, "members", since):
            self._user_of(row)
        self._visits(mine, since)

    def _follower(self, row: Mapping[str, Any], since: dt.datetime | None) -> None:
        openid, followed, ended = row["member_id"], row["followed_at"], row["unfollowed_at"]
        if self.db.value("SELECT 1 FROM followers WHERE openid = ?", openid) is None:
            code = f"store_{row['shop_id'].lower()}" if row["shop_id"] else ""
            at = int(followed.timestamp())
            self.put_follower(openid, at, unionid=row["unionid"] or "", scene=row["scene"], code=code)
            self._by_hand(openid)
            if since is not None:
                self.tell_follower("subscribe", openid, at, code)
        if ended is not None:
            self.end_following(openid, int(ended.timestamp()))
            if since is not None:
                self.tell_follower("unsubscribe", openid, int(ended.timestamp()))

    def _by_hand(self, openid: str) -> None:
        """Give what is not the world's but an account's own: a tag by hand, consents to notices."""
        chance = zlib.crc32(openid.encode())
        if chance % 5 == 0:
            name = _TAGS_BY_HAND[chance // 5 % len(_TAGS_BY_HAND)]
            found = self.db.value("SELECT id FROM tags WHERE name = ?", name)
            number = int(found) if found is not None else self.put_tag(name, by_hub=False)
            self.db.execute("INSERT OR IGNORE INTO tagged VALUES (?, ?)", number, openid)
        if chance % 3 == 0:
            self.put_consent(self.official, openid, ARRIVAL, 1)

    def _user_of(self, row: Mapping[str, Any]) -> None:
        """Take over a user; a masked or badly typed number is not what WeChat itself knows, so it has none."""
        openid, phone = row["member_id"], str(row["phone"] or "")
        is_new = self.db.value("SELECT 1 FROM users WHERE openid = ?", openid) is None
        self.put_user(openid, row["unionid"] or "", phone if _FULL_NUMBER.fullmatch(phone) else "")
        if is_new and zlib.crc32(openid.encode()) % 2 == 0:
            self.put_consent(self.miniprogram, openid, EXPIRY, 1)

    def _visits(self, view: Any, since: dt.datetime | None) -> None:
        first = dt.date.min if since is None else since.astimezone(CHINA).date()
        for kind, day, rows in statistics_of(view.table("browsing"), first):
            self.put_statistics(kind, day, rows)


def _news(view: Any, table: str, since: dt.datetime | None) -> Iterator[dict[str, Any]]:
    """Give the rows of one of the world's tables that changed."""
    rows = view.table(table)
    if since is not None:
        rows = rows.filter(pc.greater(rows["updated_at"], pa.scalar(since, rows["updated_at"].type)))
    for batch in rows.to_batches():
        yield from batch.to_pylist()
