"""What a person needs to reach a simulator: address, credentials, and a table for ``hub.toml``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from hub.titles import Title

__all__ = ["Description"]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Description:
    """How to reach a simulator.

    Attributes:
        name: the simulator's machine name.
        title: its name for people.
        base_url: where it answers.
        credentials: made from the seed; worth nothing anywhere else.
        connection: the keys of its connection besides ``plugin``.
    """

    name: str
    title: Title
    base_url: str
    credentials: Mapping[str, str]
    connection: Mapping[str, object]

    def hub_toml(self, connection: str = "") -> str:
        """Return a ready ``[connections.NAME]`` table."""
        keys = {"plugin": self.name, **self.connection}
        lines = [f"{_key(key)} = {_toml(value)}" for key, value in keys.items()]
        return "\n".join([f"[connections.{_key(connection or self.name.rpartition('.')[2])}]", *lines, ""])

    def as_dict(self) -> dict[str, object]:
        """Return everything as JSON-able values."""
        return {
            "name": self.name,
            "title": {"zh-CN": self.title.zh, "en": self.title.en},
            "base_url": self.base_url,
            "credentials": dict(self.credentials),
            "hub_toml": self.hub_toml(),
        }

    def __str__(self) -> str:
        lines = [f"{self.title}  {self.base_url}"]
        lines += [f"  {name}: {value}" for name, value in self.credentials.items()]
        return "\n".join([*lines, "", self.hub_toml()])


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(str(key))} = {_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(inner) for inner in value) + "]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
