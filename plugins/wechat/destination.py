"""What is written to WeChat: tags of followers, subscription messages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Final

from hub.destination import Destination, Mode, Operation, Outcome, RemoteRow, Target
from hub.runtime import Runtime
from hub.source import Check, ConnectionConfig
from hub.titles import Title
from plugins.wechat.client import WechatClient
from plugins.wechat.config import WechatConfig, data_folder
from plugins.wechat.messages import Messenger
from plugins.wechat.source import checks
from plugins.wechat.tagbook import TagBook
from plugins.wechat.tagging import Tagger

__all__ = ["WechatDestination"]

_KEYS: Final = ("profile", "openid")
TAG: Final = Target(
    "tag",
    Title("用户标签", "Tags"),
    keys=_KEYS,
    batch_size=500,
    readable=True,
    description="Segments become tags of the follower, within those that begin with the hub's own prefix.",
)
MESSAGE: Final = Target(
    "subscribe_message",
    Title("订阅消息", "Subscription messages"),
    keys=_KEYS,
    modes=frozenset({Mode.UPSERT}),
    batch_size=50,
    idempotent=False,
    can_look_up=True,
    description="One message per row to people who have agreed to its template; checked before, never sent twice.",
)


class WechatDestination(Destination):
    """Writes to one appid."""

    name: ClassVar[str] = "wechat"
    title: ClassVar[Title] = Title("微信公众号与小程序", "WeChat official account and mini-program")
    Config: ClassVar[type[ConnectionConfig]] = WechatConfig

    def __init__(self, config: WechatConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._settings = config
        self._client = WechatClient(config, runtime)
        self._tagger = Tagger(self._client, TagBook(self._client, config.tags), config.concurrency)
        self._messenger = Messenger(self._client, config, runtime, data_folder(config, runtime))

    def targets(self) -> Sequence[Target]:
        """List ``subscribe_message``, and ``tag`` where the account has tags: a mini-program has none."""
        return [TAG, MESSAGE] if self._settings.is_official else [MESSAGE]

    def write(self, target: Target, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Write a batch; see :class:`hub.destination.Destination` and the README's table of outcomes."""
        writers = {TAG.name: self._tagger.write, MESSAGE.name: self._messenger.write}
        return writers[target.name](list(operations))

    def read_back(self, target: Target) -> Iterator[RemoteRow]:
        """Give the hub's tags of every follower who has any."""
        return self._tagger.read_back() if target.name == TAG.name else super().read_back(target)

    def holds(self, target: Target, operation: Operation | None, rows: Sequence[RemoteRow]) -> bool:
        """Tell whether a follower has just the wanted tags of the hub."""
        return (
            self._tagger.holds(operation, rows) if target.name == TAG.name else super().holds(target, operation, rows)
        )

    def look_up(self, target: Target, operations: Iterable[Operation], since: dt.datetime) -> Iterator[Outcome]:
        """Tell what became of messages that a killed run left open; see :meth:`Messenger.look_up`."""
        if target.name != MESSAGE.name:
            return super().look_up(target, operations, since)
        return self._messenger.look_up(list(operations), since)

    def check(self) -> Sequence[Check]:
        """Try the credential and each permission with one small call."""
        return checks(self._client, self._settings, self.runtime.now())

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
