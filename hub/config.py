"""``hub.toml`` into typed settings: every fault found, each with file, line, key, what was found and what is accepted.

``${NAME}`` in any text is replaced by the environment variable of that name, so that secrets stay out of the file;
``$${`` stands for a plain ``${``.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from hub.config_airflow import AirflowSettings
from hub.config_problems import Locator, nearest, problems_of
from hub.config_sections import HubSettings, IdentitySettings, KindSettings, SegmentSettings, TitleSettings
from hub.errors import ConfigError, Problem
from hub.plugins import Plugins, installed_plugins
from hub.redaction import secrets_in
from hub.source import ConnectionConfig
from hub.sync_settings import PushSettings, SyncSettings, condition_problems, experiment_problems, segments_named

__all__ = [
    "Connection",
    "HubSettings",
    "IdentitySettings",
    "KindSettings",
    "SegmentSettings",
    "Settings",
    "SyncSettings",
    "TitleSettings",
    "find_config",
    "load_settings",
]

CONFIG_NAME = "hub.toml"
_NAME = re.compile(r"^[a-z][a-z0-9_-]{0,62}$")
_ENV = re.compile(r"(\$)?\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECTIONS = ("hub", "connections", "identity", "scores", "segments", "push", "syncs", "airflow")


@dataclass(frozen=True)
class Connection:
    """``[connections.NAME]``: a plugin and its checked configuration."""

    name: str
    plugin: str
    config: ConnectionConfig
    streams: tuple[str, ...] = ()
    """Streams to ingest; all when empty."""
    is_source: bool = False
    is_destination: bool = False

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret values of its configuration, which no message may repeat."""
        return secrets_in(self.config)


@dataclass(frozen=True)
class Settings:
    """Everything ``hub.toml`` says, checked."""

    path: Path
    hub: HubSettings
    connections: Mapping[str, Connection] = field(default_factory=dict)
    identity: IdentitySettings = field(default_factory=IdentitySettings)
    airflow: AirflowSettings = field(default_factory=AirflowSettings)
    scores: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    segments: Mapping[str, SegmentSettings] = field(default_factory=dict)
    push: PushSettings = field(default_factory=PushSettings)
    syncs: Mapping[str, SyncSettings] = field(default_factory=dict)

    @property
    def base(self) -> Path:
        """Folder that relative paths start from."""
        return self.path.parent

    @property
    def home(self) -> Path:
        """Folder for everything the hub keeps."""
        return self._under(self.hub.home, self.base)

    @property
    def store_url(self) -> str:
        """SQLAlchemy URL of the store."""
        return self.hub.store or f"sqlite:///{self.home / 'store.db'}"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return self._under(self.hub.warehouse, self.base) if self.hub.warehouse else self.home / "warehouse.duckdb"

    @property
    def packages_root(self) -> str:
        """Folder or fsspec URL of the packages."""
        return self._root(self.hub.packages, "packages")

    @property
    def snapshots_root(self) -> str:
        """Folder or fsspec URL of the snapshots."""
        return self._root(self.hub.snapshots, "snapshots")

    def _root(self, given: str, default: str) -> str:
        given = given.removeprefix("file://")
        if "://" in given:
            return given
        return str(self._under(given, self.base) if given else self.home / default)

    @property
    def zone(self) -> ZoneInfo:
        """The chain's time zone."""
        return ZoneInfo(self.hub.timezone)

    @staticmethod
    def _under(text: str, base: Path) -> Path:
        path = Path(text).expanduser()
        return path if path.is_absolute() else base / path


def find_config(start: Path | None = None) -> Path:
    """Return the ``hub.toml`` of this folder or the nearest one above; ``HUB_CONFIG`` wins over both.

    Raises:
        ConfigError: there is none.
    """
    given = os.environ.get("HUB_CONFIG")
    if given:
        path = Path(given).expanduser().absolute()
        if not path.is_file():
            raise ConfigError(
                f"HUB_CONFIG names {path}, which is not a file.", code="config_missing", hint=_where_else(path)
            )
        return path
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if (folder / CONFIG_NAME).is_file():
            return folder / CONFIG_NAME
    raise ConfigError(
        f"There is no {CONFIG_NAME} in {here} or above it.",
        code="config_missing",
        hint="`hub init` writes a commented one; --config or HUB_CONFIG names one elsewhere.",
    )


def load_settings(path: Path, *, environ: Mapping[str, str] | None = None, plugins: Plugins | None = None) -> Settings:
    """Read and check a ``hub.toml``.

    Args:
        path: the file.
        environ: environment for ``${NAME}``; the process's own unless given.
        plugins: plugins to check connections against; the installed ones unless given.

    Raises:
        ConfigError: with every problem found.
    """
    text = _read(path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{path.name} is not valid TOML.",
            problems=[_syntax_problem(path.name, str(error))],
        ) from error
    return _Reader(
        path, Locator(path.name, text), os.environ if environ is None else environ, plugins or installed_plugins()
    ).read(data)


def _syntax_problem(file: str, message: str) -> Problem:
    place = re.search(r" \(at line (\d+), column \d+\)", message)
    line = int(place[1]) if place else None
    what = message.replace(place[0], "") if place else message
    return Problem(file, "", f"{what}.", "Texts need quotes; each key may stand once.", line)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}.", code="config_missing", hint=_where_else(path)
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from error


def _where_else(path: Path) -> str:
    """Say where the file that was meant may be."""
    if path.is_file():
        return "Give this user the right to read it."
    if (path / CONFIG_NAME).is_file():
        return f"It is a folder; name the file in it: {path / CONFIG_NAME}."
    beside = sorted(file.name for file in path.parent.glob("*.toml")) if path.parent.is_dir() else []
    found = f" In {path.parent} there is {', '.join(beside)}." if beside else ""
    return f"Check the path.{found} `hub init` writes a commented {CONFIG_NAME}."


class _Reader:
    """Turns the parsed file into settings, collecting problems on the way."""

    def __init__(self, path: Path, locator: Locator, environ: Mapping[str, str], plugins: Plugins) -> None:
        self.path = path
        self.locator = locator
        self.environ = environ
        self.plugins = plugins
        self.problems: list[Problem] = []
        self.from_environment: set[str] = set()

    def read(self, data: dict[str, Any]) -> Settings:
        for name in data.keys() - set(_SECTIONS):
            self._problem(name, "is not a section of hub.toml.", nearest(name, _SECTIONS))
        data = self._expand(data, ())
        settings = Settings(
            path=self.path,
            hub=self._model(HubSettings, data.get("hub", {}), "hub") or HubSettings(),
            connections=self._named(data, "connections", self._connection),
            identity=self._model(IdentitySettings, data.get("identity", {}), "identity") or IdentitySettings(),
            airflow=self._model(AirflowSettings, data.get("airflow", {}), "airflow") or AirflowSettings(),
            scores=self._named(data, "scores", self._scorer),
            segments=self._named(data, "segments", lambda n, v: self._model(SegmentSettings, v, f"segments.{n}")),
            push=self._model(PushSettings, data.get("push", {}), "push") or PushSettings(),
            syncs=self._named(data, "syncs", lambda n, v: self._model(SyncSettings, v, f"syncs.{n}")),
        )
        self._check_syncs(settings, data.get("connections", {}))
        if self.problems:
            count = len(self.problems)
            raise ConfigError(
                f"{self.path.name} has {count} problem{'s' if count > 1 else ''}.", problems=self.problems
            )
        return settings

    def _problem(self, key: str, message: str, hint: str = "") -> None:
        self.problems.append(self.locator.problem(key, message, hint))

    def _expand(self, value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            return {key: self._expand(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._expand(item, (*path, str(index))) for index, item in enumerate(value)]
        return self._expand_text(value, ".".join(path)) if isinstance(value, str) else value

    def _expand_text(self, text: str, key: str) -> str:
        def replace(match: re.Match[str]) -> str:
            if match[1]:
                return f"${{{match[2]}}}"
            if match[2] not in self.environ:
                self._problem(key, f"the environment variable {match[2]} is not set.", f"Run: export {match[2]}=…")
                return "unset"
            self.from_environment.add(self.environ[match[2]])
            return self.environ[match[2]]

        return _ENV.sub(replace, text)

    def _named(self, data: dict[str, Any], section: str, build: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        entries = data.get(section, {})
        if not isinstance(entries, dict):
            self._problem(section, f"must hold tables: write [{section}.NAME].")
            return found
        for name, value in entries.items():
            key = f"{section}.{name}"
            if not isinstance(value, dict):
                self._problem(key, f"must be a table: write [{key}].")
            elif not _NAME.match(name):
                self._problem(key, "the name may hold lower-case letters, digits, - and _ and begins with a letter.")
            elif (built := build(name, value)) is not None:
                found[name] = built
        return found

    def _model(self, model: type[BaseModel], value: Any, key: str) -> Any:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            self.problems += problems_of(error, model, self.locator, key, self.from_environment)
            return None

    def _connection(self, name: str, value: dict[str, Any]) -> Connection | None:
        key = f"connections.{name}"
        rest = dict(value)
        plugin, streams = rest.pop("plugin", None), rest.pop("streams", [])
        if not isinstance(plugin, str):
            self._problem(f"{key}.plugin", "is missing.", f"Installed: {', '.join(self._plugin_names())}.")
            return None
        source, destination = self.plugins.sources().get(plugin), self.plugins.destinations().get(plugin)
        if source is None and destination is None:
            self._problem(f"{key}.plugin", self._unknown_plugin(plugin), nearest(plugin, self._plugin_names()))
            return None
        chosen = self._streams(f"{key}.streams", streams)
        config = self._model((source or destination).Config, rest, key)  # type: ignore[union-attr]
        if config is None or chosen is None:
            return None
        return Connection(name, plugin, config, chosen, source is not None, destination is not None)

    def _streams(self, key: str, value: Any) -> tuple[str, ...] | None:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        self._problem(key, "must be a list of stream names.", 'Write streams = ["orders", "customers"].')
        return None

    def _plugin_names(self) -> list[str]:
        return sorted({*self.plugins.sources(), *self.plugins.destinations()})

    def _unknown_plugin(self, name: str) -> str:
        for loaded in self.plugins.loaded:
            if loaded.name == name and loaded.state != "loaded":
                return f"plugin {name!r} is {loaded.state}: {loaded.reason}."
        return f"no plugin {name!r} is installed."

    def _scorer(self, name: str, value: dict[str, Any]) -> Mapping[str, Any] | None:
        scorers = self.plugins.scorers()
        if name not in scorers:
            self._problem(f"scores.{name}", "no such scorer is installed.", nearest(name, scorers))
            return None
        return value if self._model(scorers[name].Config, value, f"scores.{name}") is not None else None

    def _check_syncs(self, settings: Settings, written: object) -> None:
        """Check where syncs go; a connection that is written but wrong has been told already."""
        for name, sync in settings.syncs.items():
            connection = settings.connections.get(sync.to)
            if connection is None and isinstance(written, dict) and sync.to in written:
                pass
            elif connection is None:
                known = [c.name for c in settings.connections.values() if c.is_destination]
                self._problem(f"syncs.{name}.to", f"there is no connection {sync.to!r}.", nearest(sync.to, known))
            elif not connection.is_destination:
                self._problem(f"syncs.{name}.to", f"plugin {connection.plugin!r} cannot receive, it is a source only.")
        segments = {*settings.segments, *self.plugins.segments()}
        for key, segment in segments_named(settings.push, settings.syncs):
            if segment not in segments:
                self._problem(key, f"there is no segment {segment!r}.", nearest(segment, segments))
        for key, problem in (*experiment_problems(settings.syncs), *condition_problems(settings.syncs)):
            self._problem(key, problem)
