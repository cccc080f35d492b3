"""Find, load and ask the plugins; a broken one is reported and left out, never taking the hub down.

Environment switches: ``HUB_PLUGINS`` names the only plugins to load (comma separated), ``HUB_PLUGINS_DISABLED`` those to
leave out, ``HUB_TRACE_PLUGINS=1`` logs every hook call with its arguments and result.
"""

from __future__ import annotations

import difflib
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy
from pluggy import PluginValidationError

from hub import hookspecs
from hub.destination import Destination
from hub.errors import HubError, PluginError, StreamError
from hub.hookspecs import HOOKSPEC_VERSION
from hub.redaction import redact
from hub.scorer import Scorer, Trait
from hub.segments import Segment
from hub.source import Source

if TYPE_CHECKING:
    from hub.simulation.simulated import SimulatedPlatformType

__all__ = ["Loaded", "Plugins", "contained", "installed_plugins", "load_plugins"]

GROUP = "hub"
_log = logging.getLogger("hub.plugins")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Loaded:
    """One plugin that was found.

    Attributes:
        name: its entry-point name.
        module: the module it points to.
        distribution: name and version of the package it came with.
        state: ``loaded``, ``disabled`` or ``broken``.
        hooks: names of the hooks it implements.
        reason: why it was left out.
        detail: the traceback of a broken one.
    """

    name: str
    module: str
    distribution: str
    state: str
    hooks: tuple[str, ...] = ()
    reason: str = ""
    detail: str = ""


@contextmanager
def contained(doing: str, secrets: Iterable[str] = ()) -> Iterator[None]:
    """Turn whatever a plugin raises within the block into an error of the hub, so that it stops no other work.

    Args:
        doing: what the plugin is doing, as the beginning of a sentence: ``Reading pos/orders``.
        secrets: the connection's secrets, kept out of the message.

    Raises:
        HubError: the plugin's own, as it is.
        StreamError: for an ``OSError``: something cannot be read or written now.
        PluginError: for everything else.
    """
    try:
        yield
    except HubError:
        raise
    except OSError as error:
        raise StreamError(
            f"{doing} failed: {error.strerror or type(error).__name__}.",
            code="stream_io",
            hint="Check that the place can be read; the next run goes on where this one stopped.",
        ) from error
    except Exception as error:
        raise PluginError(
            f"{doing} failed inside the plugin: {type(error).__name__}: {redact(str(error), secrets)}",
            code="plugin_failed",
            hint="Report this to the plugin's author, with the traceback of the command's --debug option.",
        ) from error


@dataclass
class Plugins:
    """The loaded plugins and what they offer.

    Attributes:
        manager: pluggy's; tests register plugins of their own here.
        loaded: every plugin that was found, with what became of it.
    """

    manager: pluggy.PluginManager
    loaded: list[Loaded] = field(default_factory=list)

    def sources(self) -> dict[str, type[Source]]:
        """Return every source class by plugin name."""
        return self._by_name(self._collect("register_sources", _class_of(Source)))

    def destinations(self) -> dict[str, type[Destination]]:
        """Return every destination class by plugin name."""
        return self._by_name(self._collect("register_destinations", _class_of(Destination)))

    def scorers(self) -> dict[str, type[Scorer]]:
        """Return every scorer class by name; two scorers may not declare the same trait."""
        scorers: dict[str, type[Scorer]] = self._by_name(self._collect("register_scorers", _class_of(Scorer)))
        owner: dict[str, str] = {}
        for scorer in scorers.values():
            for trait in scorer.traits:
                if owner.setdefault(trait.name, scorer.name) != scorer.name:
                    raise PluginError(f"Trait {trait.name} is declared by both {owner[trait.name]} and {scorer.name}.")
        return scorers

    def traits(self) -> dict[str, Trait]:
        """Return every trait by name."""
        return {trait.name: trait for scorer in self.scorers().values() for trait in scorer.traits}

    def segments(self) -> dict[str, Segment]:
        """Return every ready-made segment by name."""
        return self._by_name(self._collect("register_segments", _is_segment))

    def simulators(self) -> dict[str, SimulatedPlatformType]:
        """Return every simulated platform by name."""
        found: dict[str, SimulatedPlatformType] = self._by_name(self._collect("register_simulators", _is_platform))
        return found

    def source(self, name: str) -> type[Source]:
        """Return one source class, or raise with the nearest name there is."""
        return _pick(self.sources(), name, "source")

    def destination(self, name: str) -> type[Destination]:
        """Return one destination class, or raise with the nearest name there is."""
        return _pick(self.destinations(), name, "destination")

    def simulator(self, name: str) -> SimulatedPlatformType:
        """Return one simulated platform, or raise with the nearest name there is."""
        return _pick(self.simulators(), name, "simulator")

    def _collect(self, hook: str, fault: Callable[[Any], str | None]) -> list[Any]:
        """Ask every plugin; one that fails, or gives what it should not, is left out from then on."""
        found: list[Any] = []
        for plugin in self.manager.get_plugins():
            try:
                items = [item for answer in self._ask(plugin, hook) for item in answer]
                faults = [text for text in map(fault, items) if text]
            except Exception as error:  # noqa: BLE001 - a stranger's hook must not stop the hub
                faults = [f"raised {type(error).__name__}: {redact(str(error))}"]
            if faults:
                self._leave_out(plugin, f"{hook} {faults[0]}")
            else:
                found += items
        return found

    def _ask(self, plugin: object, hook: str) -> list[Any]:
        others = [other for other in self.manager.get_plugins() if other is not plugin]
        answers: list[Any] = self.manager.subset_hook_caller(hook, remove_plugins=others)()
        return answers

    def _leave_out(self, plugin: object, reason: str) -> None:
        name = self.manager.get_name(plugin) or ""
        _log.warning("plugin %s is left out: %s", name, reason)
        detail = traceback.format_exc() if sys.exc_info()[0] else ""
        self.manager.unregister(plugin)
        self.loaded = [
            replace(entry, state="broken", hooks=(), reason=reason, detail=detail) if entry.name == name else entry
            for entry in self.loaded
        ]

    @staticmethod
    def _by_name(items: list[Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for item in sorted(items, key=lambda item: str(item.name)):
            if item.name in found and found[item.name] is not item:
                raise PluginError(f"Two plugins offer {item.name!r}; disable one with HUB_PLUGINS_DISABLED.")
            found[item.name] = item
        return found


def _class_of(base: type) -> Callable[[Any], str | None]:
    def fault(item: Any) -> str | None:
        if not (isinstance(item, type) and issubclass(item, base)):
            return f"returned {item!r}, which is no {base.__name__} class"
        missing = [name for name in base.__annotations__ if not hasattr(item, name)]
        return f"returned {item.__name__}, which lacks {', '.join(missing)}" if missing else None

    return fault


def _is_platform(item: Any) -> str | None:
    wanted = ("name", "title", "start", "hub_toml", "move_to", "people", "received", "close")
    missing = [name for name in wanted if not hasattr(item, name)]
    return f"returned {item!r}, which lacks {', '.join(missing)}" if missing else None


def _is_segment(item: Any) -> str | None:
    return None if isinstance(item, Segment) else f"returned {item!r}, which is no Segment"


def _pick(known: Mapping[str, _T], name: str, kind: str) -> _T:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Installed: {', '.join(sorted(known)) or 'none'}."
    raise PluginError(f"There is no {kind} plugin named {name!r}.", code="plugin_unknown", hint=hint)


def _names(variable: str) -> frozenset[str]:
    return frozenset(name.strip() for name in os.environ.get(variable, "").split(",") if name.strip())


def load_plugins(entries: list[EntryPoint] | None = None) -> Plugins:
    """Load all plugins of the entry-point group ``hub``; broken ones are listed with their reason.

    Args:
        entries: entry points to use instead of the installed ones (tests).
    """
    manager = pluggy.PluginManager("hub")
    manager.add_hookspecs(hookspecs)
    if os.environ.get("HUB_TRACE_PLUGINS", "").lower() in {"1", "true", "yes"}:
        manager.add_hookcall_monitoring(_before, _after)
    plugins = Plugins(manager)
    only, disabled = _names("HUB_PLUGINS"), _names("HUB_PLUGINS_DISABLED")
    found = list(entry_points(group=GROUP)) if entries is None else entries
    for entry in sorted(found, key=lambda entry: entry.name):
        if entry.name in disabled or (only and entry.name not in only):
            variable = "HUB_PLUGINS_DISABLED" if entry.name in disabled else "HUB_PLUGINS"
            plugins.loaded.append(_listed(entry, "disabled", reason=f"switched off by {variable}"))
        else:
            plugins.loaded.append(_load(manager, entry))
    return plugins


@cache
def installed_plugins() -> Plugins:
    """Return the installed plugins, loaded once per process."""
    return load_plugins()


def _listed(entry: EntryPoint, state: str, **more: Any) -> Loaded:
    distribution = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "unknown"
    return Loaded(entry.name, entry.value, distribution, state, **more)


def _load(manager: pluggy.PluginManager, entry: EntryPoint) -> Loaded:
    try:
        if manager.has_plugin(entry.name):
            return _broken(
                entry, "has the name of another plugin that is loaded already: uninstall one of the two packages"
            )
        module = entry.load()
        wanted = getattr(module, "hub_api", HOOKSPEC_VERSION)
        if wanted > HOOKSPEC_VERSION:
            return _broken(
                entry, f"was written for plugin API {wanted}; this hub offers {HOOKSPEC_VERSION}: update the hub"
            )
        manager.register(module, name=entry.name)
        manager.check_pending()
    except PluginValidationError as error:
        manager.unregister(name=entry.name)
        return _broken(entry, f"does not fit the hooks: {error}")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's module must not stop the hub
        return _broken(entry, f"cannot be imported: {type(error).__name__}: {redact(str(error))}")
    hooks = tuple(sorted(caller.name for caller in manager.get_hookcallers(module) or ()))
    return _listed(entry, "loaded", hooks=hooks)


def _broken(entry: EntryPoint, reason: str) -> Loaded:
    _log.warning("plugin %s %s", entry.name, reason)
    detail = traceback.format_exc() if sys.exc_info()[0] else ""
    return _listed(entry, "broken", reason=reason, detail=detail)


def _before(hook_name: str, hook_impls: Any, kwargs: Any) -> None:
    _log.info("call %s(%s) on %s", hook_name, kwargs, [impl.plugin_name for impl in hook_impls])


def _after(outcome: Any, hook_name: str, hook_impls: Any, kwargs: Any) -> None:  # noqa: ARG001 - pluggy's signature
    _log.info("done %s -> %r", hook_name, outcome.get_result() if outcome.exception is None else outcome.exception)
