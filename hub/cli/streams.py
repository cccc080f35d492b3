"""Find a stream of a source by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.source import Source, Stream

__all__ = ["stream_of"]


def stream_of(source: Source, connection: str, name: str) -> Stream:
    """Return a stream.

    Raises:
        ConfigError: the source has none of that name; the message suggests the nearest.
    """
    from hub.config_problems import nearest
    from hub.errors import ConfigError

    streams = {stream.name: stream for stream in source.streams()}
    if name not in streams:
        raise ConfigError(
            f"Connection {connection!r} has no stream {name!r}.",
            code="stream_unknown",
            hint=nearest(name, streams) or "It has none for this configuration.",
        )
    return streams[name]
