"""Databases of tills and back offices as a source: read-only SQL, columns all the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hub.hookspecs import hookimpl

if TYPE_CHECKING:
    from hub.source import Source

__all__ = ["hub_api", "register_sources"]

hub_api = 1


@hookimpl
def register_sources() -> Sequence[type[Source]]:
    """Offer the ``pos.database`` source."""
    # Imported here so that listing the plugins does not load DuckDB and SQLAlchemy.
    from plugins.pos.database.source import DatabaseSource

    return [DatabaseSource]
