"""Names from ``hub.toml`` for the shell's completion: read without plugins, so that the Tab key answers at once."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

__all__ = ["connections", "syncs"]


def connections(incomplete: str) -> list[str]:
    """Complete the name of a connection."""
    return _names("connections", incomplete)


def syncs(incomplete: str) -> list[str]:
    """Complete the name of a sync."""
    return _names("syncs", incomplete)


def _names(section: str, incomplete: str) -> list[str]:
    given = os.environ.get("HUB_CONFIG")
    here = Path.cwd()
    candidates = [Path(given)] if given else [folder / "hub.toml" for folder in (here, *here.parents)]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        return []
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig")).get(section, {})
    except (OSError, ValueError):
        return []  # a broken file is told by the command itself, not by the Tab key
    return [name for name in found if name.startswith(incomplete)] if isinstance(found, dict) else []
