"""The hub's own tag group in WeCom: finds it, makes what is missing, renames what was renamed in the configuration."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from hub.errors import StreamError
from plugins.wecom.client import WecomClient
from plugins.wecom.config import TagSettings
from plugins.wecom.errors import code_of

__all__ = ["LONGEST_NAME", "TagBook"]

LONGEST_NAME: Final = 30
"""Characters of a tag's or group's name."""

_NAME_TAKEN: Final = "40071"
_FILE: Final = "tags.json"
_PER_CALL: Final = 100


class TagBook:
    """Names and ids of the hub's tags.

    The ids are remembered in a file by what the tags stand for, so that a new name in the configuration renames the tag,
    and every customer keeps it. A lost file costs only that: the new name then becomes a new tag.

    Args:
        client: the corp's API.
        settings: group and names.
        folder: the connection's folder.
    """

    def __init__(self, client: WecomClient, settings: TagSettings, folder: Path) -> None:
        self._client = client
        self._settings = settings
        self._path = folder / _FILE
        self._memory = self._remembered()
        self._group_id = ""
        self._ids: dict[str, str] = {}
        self.refused: dict[str, StreamError] = {}
        """Tags that could not be made, by name."""

    def _remembered(self) -> dict[str, Any]:
        try:
            return dict(orjson.loads(self._path.read_bytes()))
        except (FileNotFoundError, orjson.JSONDecodeError):
            return {"group": "", "tags": {}}

    def _remember(self, keys: Iterable[str]) -> None:
        ids = {key: self._ids[self.name_of(key)] for key in keys if self.name_of(key) in self._ids}
        memory = {"group": self._group_id, "tags": {**self._memory["tags"], **ids}}
        if memory != self._memory:
            aside = self._path.with_suffix(f".{os.getpid()}")
            aside.write_bytes(orjson.dumps(memory, option=orjson.OPT_SORT_KEYS))
            aside.replace(self._path)
            self._memory = memory

    def name_of(self, key: str) -> str:
        """Return the name of the tag that stands for a segment or value."""
        return self._settings.names.get(key, key)

    def id_of(self, key: str) -> str | None:
        """Return the id of the tag that stands for a segment or value; None where it could not be made."""
        return self._ids.get(self.name_of(key))

    @property
    def own_ids(self) -> frozenset[str]:
        """Ids of all tags in the group: the hub takes away those that a customer should not have."""
        return frozenset(self._ids.values())

    def names(self) -> Mapping[str, str]:
        """Return the names of the group's tags by id."""
        return {identifier: name for name, identifier in self._ids.items()}

    def load(self) -> None:
        """Read the group as it is now."""
        groups = self._client.corp_tags()
        mine = [group for group in groups if group.get("group_id") == self._memory["group"]]
        named = [group for group in groups if group.get("group_name") == self._settings.group]
        group = (mine or named or [{}])[0]
        self._group_id = str(group.get("group_id") or "")
        self._ids = {str(tag["name"]): str(tag["id"]) for tag in group.get("tag") or [] if not tag.get("deleted")}
        if mine and not named and group.get("group_name") != self._settings.group:
            self._client.rename_tag(self._group_id, self._settings.group)

    def ensure(self, keys: Iterable[str]) -> None:
        """Make sure that there is a tag for each segment or value; what cannot be made is in :attr:`refused`.

        Raises:
            HubError: the tag library cannot be read, or nothing may be written.
        """
        wanted = sorted(set(keys))
        if not self._ids:
            self.load()
        for key in wanted:
            self._rename(key)
        names = {self.name_of(key) for key in wanted}
        missing = sorted(names - self._ids.keys() - self.refused.keys())
        for start in range(0, len(missing), _PER_CALL):
            self._make(missing[start : start + _PER_CALL])
        self._remember(wanted)

    def _rename(self, key: str) -> None:
        """Rename the tag that stood for this key under another name."""
        remembered, name = self._memory["tags"].get(key), self.name_of(key)
        old = next((each for each, identifier in self._ids.items() if identifier == remembered), None)
        if old is None or old == name or name in self._ids or self._is_still_used(old):
            return
        self._client.rename_tag(remembered, name)
        self._ids[name] = self._ids.pop(old)

    def _is_still_used(self, name: str) -> bool:
        """Whether another key has this name by the configuration."""
        return any(self.name_of(key) == name for key in self._memory["tags"])

    def _make(self, names: list[str]) -> None:
        try:
            group = self._client.add_tags(names, group_id=self._group_id, group_name=self._settings.group)
        except StreamError as error:
            self._make_what_can_be(names, error)
            return
        self._group_id = str(group.get("group_id") or self._group_id)
        self._ids |= {str(tag["name"]): str(tag["id"]) for tag in group.get("tag") or []}
        if any(name not in self._ids for name in names):
            # The answer need not name everything that is there now.
            self.load()

    def _make_what_can_be(self, names: list[str], error: StreamError) -> None:
        """Go on after a refusal: a name may be taken by now, or the corp's number of tags used up in the middle."""
        if code_of(error) == _NAME_TAKEN:
            self.load()
        left = [name for name in names if name not in self._ids]
        if len(left) > 1:
            for name in left:
                self._make([name])
        else:
            self.refused |= dict.fromkeys(left, error)
