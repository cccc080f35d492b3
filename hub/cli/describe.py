"""``hub describe``: what a plugin can do and how it is configured."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.answer import Answer
from hub.cli.app import SET_UP, verb
from hub.cli.session import Session

if TYPE_CHECKING:
    from hub.cli.config_help import Setting
    from hub.config import Settings
    from hub.destination import Destination, Target
    from hub.plugins import Plugins
    from hub.scorer import Scorer
    from hub.segments import Segment
    from hub.show.screen import Screen
    from hub.source import Source, Stream

__all__ = ["Description", "describe"]


@dataclass
class Description:
    """What a plugin offers.

    Attributes:
        name: the plugin's name.
        connection: settings of ``[connections.NAME]``; None when it makes no connections.
        streams, targets: what its connections have; None when that is only known once one is configured.
        listed_for: the configured connection that streams and targets were asked of; empty for the plugin's defaults.
        scorers: its scorers with their settings.
        segments: its ready-made segments.
    """

    name: str
    title: Any = None
    connection: list[Setting] | None = None
    streams: list[Stream] | None = field(default_factory=list)
    targets: list[Target] | None = field(default_factory=list)
    listed_for: str = ""
    scorers: dict[str, tuple[type[Scorer], list[Setting]]] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)


@verb(SET_UP, "hub describe files", "hub describe webhook --json")
def describe(
    session: Session, plugin: Annotated[str, typer.Argument(help="A plugin's name, see `hub plugins`.")]
) -> Answer:
    """Show a plugin's settings, streams, targets, scorers and segments.

    Needs no hub.toml and no credentials; with a hub.toml, the streams and targets are those of its first connection of
    this plugin.
    """
    from hub.plugins import installed_plugins

    installed = installed_plugins()
    found = _describe(installed, plugin, session.settings(installed))
    return Answer(_document(found), lambda screen: _show(screen, found))


def _describe(installed: Plugins, name: str, settings: Settings | None) -> Description:
    from hub.cli.config_help import settings_of

    source, destination = installed.sources().get(name), installed.destinations().get(name)
    found = Description(name, title=getattr(source or destination, "title", None))
    if source is not None or destination is not None:
        kind = source or destination
        found.connection = settings_of(kind.Config) if kind is not None else None
        found.listed_for = _connection_of(settings, name)
        found.streams = _listed(source, "streams", settings, found.listed_for) if source is not None else []
        found.targets = _listed(destination, "targets", settings, found.listed_for) if destination is not None else []
    for scorer in _offers(installed, name, "register_scorers"):
        found.scorers[scorer.name] = (scorer, settings_of(scorer.Config))
    found.segments = _offers(installed, name, "register_segments")
    if found.connection is None and not found.scorers and not found.segments:
        _refuse(installed, name)
    return found


def _refuse(installed: Plugins, name: str) -> None:
    """Say why a plugin cannot be described, unless it is loaded and simply offers none of these."""
    from hub.config_problems import nearest
    from hub.errors import PluginError

    for plugin in installed.loaded:
        if plugin.name == name and plugin.state != "loaded":
            raise PluginError(f"Plugin {name!r} is {plugin.state}: {plugin.reason}.", code="plugin_unknown")
    known = [plugin.name for plugin in installed.loaded if plugin.state == "loaded"]
    if name not in known:
        raise PluginError(
            f"There is no plugin named {name!r}.",
            code="plugin_unknown",
            hint=nearest(name, known) or "None is installed.",
        )


def _offers(installed: Plugins, name: str, hook: str) -> list[Any]:
    """Ask one plugin alone; those that fail have been left out when the plugins were asked together."""
    installed.scorers()
    installed.segments()
    plugin = installed.manager.get_plugin(name)
    if plugin is None:
        return []
    others = [other for other in installed.manager.get_plugins() if other is not plugin]
    return [item for answer in installed.manager.subset_hook_caller(hook, remove_plugins=others)() for item in answer]


def _connection_of(settings: Settings | None, plugin: str) -> str:
    connections = settings.connections.values() if settings is not None else ()
    return next((connection.name for connection in connections if connection.plugin == plugin), "")


def _listed(
    kind: type[Source] | type[Destination], what: str, settings: Settings | None, connection: str
) -> list[Any] | None:
    """Ask for streams or targets: a configured connection, else one with the defaults, which may not be enough."""
    from hub.plugins import contained
    from hub.runtime import Runtime

    with TemporaryDirectory() as scratch:
        if settings is not None and connection:
            given = settings.connections[connection].config
            runtime = Runtime(connection=connection, scratch=Path(scratch), base=settings.base, timezone=settings.zone)
            with contained(f"Opening {connection}"):
                return _ask(kind(given, runtime), what)
        try:
            return _ask(kind(_defaults(kind.Config), Runtime(connection="example", scratch=Path(scratch))), what)
        except Exception:  # noqa: BLE001 - without its required settings a plugin may fail in any way
            return None


def _ask(opened: Source | Destination, what: str) -> list[Any]:
    try:
        return list(getattr(opened, what)())
    finally:
        opened.close()


def _defaults(model: Any) -> Any:
    """Make a configuration out of the defaults; for what is required its example stands in, or else a harmless text."""
    from pydantic import SecretStr

    required = {name: field for name, field in model.model_fields.items() if field.is_required()}
    if all(field.examples for field in required.values()):
        return model.model_validate({name: field.examples[0] for name, field in required.items()})
    stand_ins = {
        name: SecretStr("none") if field.annotation is SecretStr else "none" for name, field in required.items()
    }
    return model.model_construct(**stand_ins)


def _document(found: Description) -> dict[str, Any]:
    return {
        "name": found.name,
        "title": found.title,
        "settings": found.connection,
        "listed_for": found.listed_for,
        "streams": None if found.streams is None else [_stream(stream) for stream in found.streams],
        "targets": found.targets,
        "scorers": [
            {"name": name, "settings": settings, "traits": scorer.traits}
            for name, (scorer, settings) in found.scorers.items()
        ],
        "segments": found.segments,
    }


def _stream(stream: Stream) -> dict[str, Any]:
    return {
        "name": stream.name,
        "record": stream.record.table,
        "cursor": stream.cursor,
        "title": stream.title,
        "partitioned": stream.partitions is not None,
    }


def _show(screen: Screen, found: Description) -> None:
    screen.line(f"{found.name}  {found.title or ''}".rstrip(), "bold")
    if found.connection is not None:
        screen.heading(f'[connections.NAME]  plugin = "{found.name}"')
        _show_settings(screen, found.connection)
        _show_streams(screen, found.streams)
        _show_targets(screen, found.targets)
        if found.listed_for:
            screen.line(f"Streams and targets are those of connection {found.listed_for}.", "dim")
    for name, (scorer, settings) in found.scorers.items():
        screen.heading(f"Scorer: [scores.{name}]")
        _show_settings(screen, settings)
        screen.line()
        screen.table(("Trait", "Type", "Title"), [(t.name, t.type.value, t.title) for t in scorer.traits])
    if found.segments:
        screen.heading("Segments")
        screen.table(("Segment", "Title", "Condition"), [(s.name, s.title, s.where) for s in found.segments])


def _show_settings(screen: Screen, settings: list[Setting]) -> None:
    for setting in settings:
        marks = ["required"] if setting.required else [f"default {setting.default}"] if setting.default else []
        marks += ["secret"] if setting.secret else []
        screen.line(f"{setting.name}  {', '.join([setting.type, *marks])}", "cyan" if setting.required else "")
        if setting.description:
            screen.line(setting.description, "dim", indent=4)
    if not settings:
        screen.line("No settings.", "dim")


def _show_streams(screen: Screen, streams: list[Stream] | None) -> None:
    if streams:
        screen.heading("Streams")
        rows = [(s.name, s.title, s.record.__name__, s.cursor.value) for s in streams]
        screen.table(("Stream", "Title", "Record", "Read"), rows)
    elif streams is None:
        screen.line("Its streams are known once a connection is configured.", "dim")


def _show_targets(screen: Screen, targets: list[Target] | None) -> None:
    if targets:
        screen.heading("Targets")
        rows = [(t.name, t.title, t.keys, sorted(mode.value for mode in t.modes), t.required) for t in targets]
        screen.table(("Target", "Title", "Keys", "Modes", "Needs"), rows)
    elif targets is None:
        screen.line("Its targets are known once a connection is configured.", "dim")
