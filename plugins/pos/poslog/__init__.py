"""POSLog files (ARTS, NRF, OMG) as a source."""

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
    """Offer the ``pos.poslog`` source."""
    # Imported here so that listing the plugins does not load DuckDB and lxml.
    from plugins.pos.poslog.source import PoslogSource

    return [PoslogSource]
