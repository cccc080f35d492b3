"""What DAG files need to know of ``hub.toml``, read cheaply: no plugin is imported, nothing is opened.

Which connections can be read is known only to their plugins. It is kept in a small file in the hub's home, made anew when
other plugins are installed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hub.config_airflow import AirflowSettings
from hub.errors import ConfigError, Problem

__all__ = ["Project", "read_project"]

_NAME = re.compile(r"^[a-z][a-z0-9_-]{0,62}$")


@dataclass(frozen=True)
class Project:
    """A hub as its DAGs see it.

    Attributes:
        path: the ``hub.toml``.
        settings: its ``[airflow]``.
        timezone: the chain's time zone, that crons are meant in.
        sources: connections that can be read, sorted.
        syncs: enabled syncs and the connection each writes to, sorted.
        connections: all connections, sorted.
    """

    path: Path
    settings: AirflowSettings
    timezone: str
    sources: tuple[str, ...] = ()
    syncs: Mapping[str, str] = field(default_factory=dict)
    connections: tuple[str, ...] = ()


def read_project(path: Path | str | None = None) -> Project:
    """Read what DAGs are made from.

    Args:
        path: the ``hub.toml``; ``HUB_CONFIG`` when not given.

    Raises:
        ConfigError: it cannot be read, or ``[airflow]`` is wrong; with every problem. Other sections are checked by the tasks.
    """
    file = _file(path)
    data = _parsed(file)
    hub = data.get("hub", {})
    connections = _tables(data, "connections")
    readable = _readable_plugins(_home(file, hub))
    return Project(
        path=file,
        settings=_settings(file, data.get("airflow", {}), connections),
        timezone=str(hub.get("timezone", "Asia/Shanghai")),
        sources=tuple(sorted(name for name, table in connections.items() if table.get("plugin") in readable)),
        syncs={
            name: str(table.get("to", ""))
            for name, table in sorted(_tables(data, "syncs").items())
            if table.get("enabled", True)
        },
        connections=tuple(sorted(connections)),
    )


def _file(path: Path | str | None) -> Path:
    given = path or os.environ.get("HUB_CONFIG")
    if not given:
        raise ConfigError(
            "The DAGs do not know their hub.toml.",
            code="config_missing",
            hint="Set HUB_CONFIG for all Airflow processes, or name the file: hub_dags('/srv/chain/hub.toml').",
        )
    return Path(given).expanduser().absolute()


def _parsed(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.", code="config_missing") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file.name} is not valid TOML: {error}.", hint="`hub check` tells all problems.") from error


def _tables(data: Mapping[str, Any], section: str) -> dict[str, dict[str, Any]]:
    """Well-formed tables of a section; what is not is told by the hub when a task opens it."""
    tables = data.get(section, {})
    if not isinstance(tables, dict):
        return {}
    return {name: table for name, table in tables.items() if isinstance(table, dict) and _NAME.match(name)}


def _settings(file: Path, table: object, connections: Mapping[str, object]) -> AirflowSettings:
    try:
        settings = AirflowSettings.model_validate(table)
    except ValidationError as error:
        problems = [
            Problem(file.name, ".".join(("airflow", *map(str, one["loc"]))), one["msg"]) for one in error.errors()
        ]
        raise ConfigError(f"[airflow] of {file.name} cannot be used.", problems=problems) from None
    unknown = [name for name in settings.ingest_of if name not in connections]
    if unknown:
        problems = [Problem(file.name, f"airflow.ingest_of.{name}", "there is no such connection.") for name in unknown]
        raise ConfigError(f"[airflow] of {file.name} cannot be used.", problems=problems)
    return settings


def _home(file: Path, hub: object) -> Path:
    given = hub.get("home") if isinstance(hub, dict) else None
    home = Path(str(given or ".hub")).expanduser()
    return home if home.is_absolute() else file.parent / home


def _readable_plugins(home: Path) -> frozenset[str]:
    """Names of the installed plugins that have a source."""
    installed = sorted((e.name, e.value, e.dist.version if e.dist else "") for e in entry_points(group="hub"))
    switches = [os.environ.get(name, "") for name in ("HUB_PLUGINS", "HUB_PLUGINS_DISABLED")]
    fingerprint = hashlib.sha256(repr((installed, switches)).encode()).hexdigest()
    kept = home / "airflow-plugins.json"
    try:
        known = json.loads(kept.read_text())
    except (OSError, ValueError):
        known = {}
    if known.get("fingerprint") == fingerprint:
        return frozenset(known["sources"])
    from hub.plugins import installed_plugins

    sources = sorted(installed_plugins().sources())
    _keep(kept, {"fingerprint": fingerprint, "sources": sources})
    return frozenset(sources)


def _keep(path: Path, found: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".airflow-", delete=False) as file:
        json.dump(found, file)
    Path(file.name).replace(path)
