"""What a ``files`` stream remembers from run to run: which contents it has read. It is the stream's cursor.

A file is its content: under another name or date the same bytes change nothing, other bytes under the same name are read.
Per file the memory holds about 120 bytes: name, size, version and digest. It holds the files that lie in the folder, and
those that are gone for ``forget_after_days`` more; a file that comes back later than that is read again, which changes nothing
in the warehouse unless a correction of it was read meanwhile.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hub.source import State
from plugins.files.reading.listing import Found

__all__ = ["Memory"]

_DIGEST: Final = 32
"""Hexadecimal digits kept of a digest: 128 bits."""


class Memory:
    """Reads and writes the cursor.

    Args:
        state: the cursor of the last page.
        mapping: fingerprint of the mapping: refused files are tried again when it changes.
        forget_after_days: how long files that are gone are remembered.
    """

    def __init__(self, state: State, mapping: str, forget_after_days: int) -> None:
        self._files: dict[str, dict[str, Any]] = {name: dict(entry) for name, entry in state.get("files", {}).items()}
        same = state.get("mapping") == mapping
        self._fields: list[str] = list(state.get("fields", [])) if same else []
        self._mapping, self._same, self._keep = mapping, same, dt.timedelta(days=forget_after_days)
        self._by_digest = {entry["digest"]: name for name, entry in self._files.items() if entry.get("digest")}

    def knows(self, found: Found) -> bool:
        """Say whether this very file was dealt with; looks at name, size and version, not at the content."""
        entry = self._files.get(found.name)
        if entry is None or (entry["size"], entry["version"]) != (found.size, found.version):
            return False
        return bool(entry.get("digest")) or (self._same and entry.get("rows") == found.rows)

    def has(self, name: str) -> bool:
        """Say whether a file of this name was dealt with before."""
        return name in self._files

    def same_content(self, digest: str) -> str | None:
        """Return the name under which this content was read before."""
        return self._by_digest.get(digest[:_DIGEST])

    def remember(self, found: Found, digest: str) -> None:
        """Note that a file was read."""
        self._files[found.name] = {"size": found.size, "version": found.version, "digest": digest[:_DIGEST]}
        self._by_digest.setdefault(digest[:_DIGEST], found.name)

    def refuse(self, found: Found) -> None:
        """Note that a file cannot be used as it is, so that it is not tried again until it, or the mapping, changes."""
        self._files[found.name] = {"size": found.size, "version": found.version, "rows": found.rows}

    def expect(self, fields: Iterable[str]) -> None:
        """Note which columns a good file had."""
        self._fields = sorted(fields) or self._fields

    def lost(self, fields: Iterable[str]) -> list[str]:
        """Return the columns the last good file had and this one has not."""
        return sorted(set(self._fields).difference(fields))

    def tidy(self, present: Iterable[str], today: dt.date) -> bool:
        """Note which files are gone, forget those gone for long, and say whether anything changed."""
        before = {name: dict(entry) for name, entry in self._files.items()}
        names = set(present)
        for name, entry in list(self._files.items()):
            if name in names:
                entry.pop("gone", None)
            elif today - dt.date.fromisoformat(entry.setdefault("gone", today.isoformat())) > self._keep:
                del self._files[name]
        return before != self._files

    def state(self) -> Mapping[str, Any]:
        """Return the cursor."""
        files = {name: dict(entry) for name, entry in self._files.items()}
        return {"mapping": self._mapping, "fields": list(self._fields), "files": files}
