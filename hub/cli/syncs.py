"""Find a sync by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.config import SyncSettings
    from hub.context import Hub

__all__ = ["sync_named", "sync_unknown"]


def sync_named(hub: Hub, name: str) -> SyncSettings:
    """Return a sync's settings.

    Raises:
        ConfigError: ``hub.toml`` has none of that name; the message suggests the nearest.
    """
    if name not in hub.settings.syncs:
        raise sync_unknown(hub, name)
    return hub.settings.syncs[name]


def sync_unknown(hub: Hub, name: str) -> ConfigError:
    """Return the error about a sync that is not there."""
    from hub.config_problems import nearest

    hint = nearest(name, hub.settings.syncs) or "hub.toml has none."
    return ConfigError(f"There is no sync {name!r}.", code="sync_unknown", hint=hint)
