"""The tag library: names of tags by id, for reading."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub.errors import HubError, RowError, StreamError
from plugins.wecom.client import WecomClient
from plugins.wecom.mapping import TagLibrary

__all__ = ["tag_groups", "tag_names"]


def tag_groups(client: WecomClient) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the kind (``corp`` or ``strategy``) and content of every tag group the app may see.

    Strategy tags (规则组标签) are left out where the corp does not use them.
    """
    yield from (("corp", group) for group in client.corp_tags())
    try:
        strategy = client.strategy_tags()
    except (StreamError, RowError) as error:
        if _is_wanting(error):
            return
        raise
    yield from (("strategy", group) for group in strategy)


def _is_wanting(error: HubError) -> bool:
    return error.code in {"wecom_not_permitted", "http_refused"} or error.context.get("status") == 404


def tag_names(client: WecomClient) -> TagLibrary:
    """Return the name of every tag by id."""
    return {
        str(tag["id"]): str(tag.get("name") or tag["id"])
        for _, group in tag_groups(client)
        for tag in group.get("tag") or []
    }
