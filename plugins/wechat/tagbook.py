"""The hub's own tags of an official account: those whose names begin with the configured prefix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from hub.errors import RowError
from plugins.wechat.client import WechatClient
from plugins.wechat.config import TagSettings
from plugins.wechat.errors import code_of

__all__ = ["LONGEST_NAME", "TagBook"]

LONGEST_NAME: Final = 30
"""Characters of a tag's name, the prefix included."""

_NAME_TAKEN: Final = "45157"


class TagBook:
    """Names and ids of the hub's tags, as the platform has them.

    Args:
        client: the account's API.
        settings: prefix and names.
    """

    def __init__(self, client: WechatClient, settings: TagSettings) -> None:
        self._client = client
        self._settings = settings
        self._ids: dict[str, int] | None = None
        self.refused: dict[str, RowError] = {}
        """Tags that could not be made, by name."""

    def name_of(self, key: str) -> str:
        """Return the name of the tag that stands for a segment or value, prefix included."""
        return self._settings.prefix + self._settings.names.get(key, key)

    @property
    def ids(self) -> Mapping[str, int]:
        """Ids of the hub's tags by name."""
        if self._ids is None:
            found = {str(tag.get("name") or ""): int(tag["id"]) for tag in self._client.tags()}
            self._ids = {name: number for name, number in found.items() if name.startswith(self._settings.prefix)}
        return self._ids

    def forget(self) -> None:
        """Read the tags anew when they are next asked for: one of them is gone."""
        self._ids = None

    def ensure(self, names: Iterable[str]) -> None:
        """Make the tags that are missing; what cannot be made is in :attr:`refused`.

        Raises:
            HubError: the tags cannot be read, or nothing may be written.
        """
        for name in sorted(set(names) - self.ids.keys() - self.refused.keys()):
            try:
                self._ids = {**self.ids, name: self._client.create_tag(name)}
            except RowError as error:
                self._after_refusal(name, error)

    def _after_refusal(self, name: str, error: RowError) -> None:
        """Look whether somebody, or a call of ours whose answer was lost, has made it meanwhile."""
        if code_of(error) == _NAME_TAKEN:
            self.forget()
        if name not in self.ids:
            self.refused[name] = error
