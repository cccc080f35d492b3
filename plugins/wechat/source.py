"""What is read from WeChat: followers and tags of an official account, users of a mini-program, statistics."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

from hub.errors import HubError
from hub.records import Customer, Event
from hub.runtime import Runtime
from hub.source import Check, ConnectionConfig, CursorKind, Page, Source, State, Stream
from hub.titles import Title
from plugins.wechat.client import CHINA, WechatClient
from plugins.wechat.config import WechatConfig, data_folder
from plugins.wechat.followers import FollowerReader
from plugins.wechat.inbox import Inbox
from plugins.wechat.logins import Logins
from plugins.wechat.mapping import to_user
from plugins.wechat.metrics import DAILY_VISITS, FOLLOWER_COUNTS, PAGE_VISITS, VISIT_SOURCES, DayReader
from plugins.wechat.pushed import to_event

__all__ = ["WechatSource", "checks"]

_PAGE: Final = 500


class WechatSource(Source):
    """Reads one appid."""

    name: ClassVar[str] = "wechat"
    title: ClassVar[Title] = Title("微信公众号与小程序", "WeChat official account and mini-program")
    Config: ClassVar[type[ConnectionConfig]] = WechatConfig

    def __init__(self, config: WechatConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._settings = config
        self._client = WechatClient(config, runtime)
        self._followers = FollowerReader(self._client, config, runtime)
        self._days = DayReader(self._client, config, runtime)

    def streams(self) -> Sequence[Stream]:
        """List the streams of this kind of account; ``events`` only where pushed messages are configured."""
        streams = self._official_streams() if self._settings.is_official else self._miniprogram_streams()
        if self._settings.push:
            streams.append(Stream("events", Event, self._read_events, title=Title("推送事件", "Pushed messages")))
        return streams

    def _official_streams(self) -> list[Stream]:
        return [
            Stream("followers", Customer, self._followers.read_followers, CursorKind.FULL, Title("粉丝", "Followers")),
            Stream("tags", Event, self._followers.read_tags, CursorKind.FULL, Title("用户标签", "Tags")),
            Stream("follower_counts", Event, partial(self._days.read, FOLLOWER_COUNTS), title=Title("粉丝增减", "Follower counts")),
        ]  # fmt: skip

    def _miniprogram_streams(self) -> list[Stream]:
        return [
            Stream("users", Customer, self._read_users, title=Title("登录用户", "Users who logged in")),
            Stream("daily_visits", Event, partial(self._days.read, DAILY_VISITS), title=Title("访问趋势", "Daily visits")),
            Stream("visit_sources", Event, partial(self._days.read, VISIT_SOURCES), title=Title("访问来源", "Visit sources")),
            Stream("page_visits", Event, partial(self._days.read, PAGE_VISITS), title=Title("页面访问", "Page visits")),
        ]  # fmt: skip

    def _read_users(self, state: State) -> Iterator[Page]:
        """Users whom the mini-program's backend has noted since."""
        logins = Logins(data_folder(self._settings, self.runtime))
        try:
            after = int(state.get("after", 0))
            while rows := logins.after(after, _PAGE):
                after = int(rows[-1]["change"])
                yield Page.of(
                    rows, partial(to_user, appid=self._settings.appid), cursor={"after": after}, location="logins.db"
                )
        finally:
            logins.close()

    def _read_events(self, state: State) -> Iterator[Page]:
        """Pushed messages received since, oldest first."""
        inbox = Inbox(data_folder(self._settings, self.runtime))
        try:
            after = int(state.get("after", 0))
            # What the state names is durable in the hub by now.
            inbox.prune(after, self.runtime.now())
            while messages := inbox.after(after, _PAGE):
                after = messages[-1].number
                mapping = partial(to_event, appid=self._settings.appid)
                yield Page.of(messages, mapping, cursor={"after": after}, location="pushed.db")
        finally:
            inbox.close()

    def check(self) -> Sequence[Check]:
        """Try the credential and each permission with one small call."""
        return checks(self._client, self._settings, self.runtime.now())

    def kept_folders(self) -> Sequence[Path]:
        """The connection's folder: pushed messages, log-ins, which messages were sent."""
        folder = data_folder(self._settings, self.runtime)
        if not self._settings.is_official:
            # A file of an older version learns to remember the last number before a row may go.
            Logins(folder).close()
        return [folder]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def checks(client: WechatClient, config: WechatConfig, now: dt.datetime) -> list[Check]:
    """Try the credential, the address and each right; what fails says which step of the set-up is missing."""
    found = [_check("credential and address", lambda: f"a token for {client.token_life():.0f} s")]
    if not found[0].ok:
        return found
    if config.is_official:
        found += [
            _check("followers may be listed", lambda: _followers(client)),
            _check("tags may be listed", lambda: f"{len(client.tags())} tags"),
        ]
    else:
        yesterday = now.astimezone(CHINA).date() - dt.timedelta(days=1)
        found.append(_check("visit statistics may be read", lambda: _visits(client, yesterday)))
    found.append(_check("templates of subscription messages", lambda: f"{len(client.templates())} templates"))
    return found


def _followers(client: WechatClient) -> str:
    openids = client.follower_page("").openids[:1]
    rows = client.follower_details(openids) if openids else []
    # Without it, followers cannot be joined with their orders in mini-programs.
    bound = "" if not rows or rows[0].get("unionid") else "; no unionid: bind the account to 微信开放平台"
    return f"followers can be read{bound}"


def _visits(client: WechatClient, day: dt.date) -> str:
    answer = client.statistics(DAILY_VISITS.apis[0], day, day)
    return "yesterday's are not made yet" if answer is None else f"{len(answer.get('list') or [])} rows for yesterday"


def _check(name: str, attempt: Callable[[], str]) -> Check:
    try:
        return Check(name, ok=True, message=attempt())
    except HubError as error:
        return Check(name, ok=False, message=str(error))
