"""What is written to WeCom: tags, remarks, mass messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Final

from hub.destination import Destination, Mode, Operation, Outcome, RemoteRow, Target
from hub.runtime import Runtime
from hub.source import Check, ConnectionConfig
from hub.titles import Title
from plugins.wecom.client import WecomClient
from plugins.wecom.config import WecomConfig, data_folder
from plugins.wecom.digests import DigestFolder
from plugins.wecom.messages import MESSAGE_BATCH, Messenger
from plugins.wecom.relations import Relations
from plugins.wecom.remarks import Remarker
from plugins.wecom.source import checks
from plugins.wecom.tagbook import TagBook
from plugins.wecom.tagging import Tagger, holds

__all__ = ["WecomDestination"]

_KEYS: Final = ("external_userid", "profile")
_BATCH: Final = 500
TAG: Final = "tag"
REMARK: Final = "remark"
MESSAGE: Final = "message"


class WecomDestination(Destination):
    """Writes to one corp through a self-built app."""

    name: ClassVar[str] = "wecom"
    title: ClassVar[Title] = Title("企业微信", "WeCom")
    Config: ClassVar[type[ConnectionConfig]] = WecomConfig

    def __init__(self, config: WecomConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        folder = data_folder(config, runtime)
        self._client = WecomClient(config, runtime)
        self._relations = Relations(self._client, runtime, DigestFolder(folder, "customers").count())
        self._tag_settings = config.tags
        book = TagBook(self._client, config.tags, folder)
        self._tagger = Tagger(self._client, config.tags, self._relations, book, config.concurrency)
        self._remarker = Remarker(self._client, config.remark, self._relations, config.concurrency)
        self._messenger = Messenger(self._client, config.message, runtime, folder)

    def targets(self) -> Sequence[Target]:
        """List ``tag``, ``remark`` and ``message``."""
        return [
            Target(
                TAG,
                Title("企业标签", "Corp tags"),
                keys=_KEYS,
                batch_size=_BATCH,
                readable=True,
                description="Segments become tags of the hub's own tag group, on the relations with the chosen staff.",
            ),
            Target(
                REMARK,
                Title("客户备注", "Remarks"),
                keys=_KEYS,
                batch_size=_BATCH,
                description="The hub's own section in the guide's remark and description of a customer.",
            ),
            Target(
                MESSAGE,
                Title("企业群发", "Mass messages"),
                keys=_KEYS,
                modes=frozenset({Mode.UPSERT}),
                batch_size=MESSAGE_BATCH,
                idempotent=False,
                description="A task for the guides to send a message to their customers; within caps, never repeated.",
            ),
        ]

    def write(self, target: Target, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Write a batch; see :class:`hub.destination.Destination` and the README's table of outcomes."""
        writers = {TAG: self._tagger.write, REMARK: self._remarker.write, MESSAGE: self._messenger.write}
        return writers[target.name](list(operations))

    def read_back(self, target: Target) -> Iterator[RemoteRow]:
        """Give the hub's tags of every customer."""
        return self._tagger.read_back() if target.name == TAG else super().read_back(target)

    def holds(self, target: Target, operation: Operation | None, rows: Sequence[RemoteRow]) -> bool:
        """Tell whether a customer has just the wanted tags."""
        if target.name != TAG:
            return super().holds(target, operation, rows)
        return holds(operation, rows, self._tag_settings)

    def check(self) -> Sequence[Check]:
        """Try the credential and each permission with one small call."""
        return checks(self._client)

    def close(self) -> None:
        """Close the connections, and remove what was gathered."""
        self._relations.close()
        self._client.close()
