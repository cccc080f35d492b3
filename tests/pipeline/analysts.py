"""Scorers and segments made of functions, and a hub that has them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
from furnished import furnish
from toy import MORNING

from hub.context import Hub, open_hub
from hub.hookspecs import hookimpl
from hub.plugins import Plugins, load_plugins
from hub.scorer import Inputs, Scorer, Trait, TraitType
from hub.segments import Segment
from hub.titles import Title

Result: TypeAlias = str | pa.Table
_TITLE = Title("测试", "Test")


def scorer(name: str, traits: dict[str, TraitType], score: Callable[[Inputs], Result] | Result) -> type[Scorer]:
    """A scorer that gives a query or a table, or what a function makes of its inputs."""
    declared = tuple(Trait(trait, kind, _TITLE) for trait, kind in traits.items())

    class Made(Scorer):
        def score(self, inputs: Inputs) -> Result:
            return score(inputs) if callable(score) else score

    Made.name, Made.traits = name, declared
    return Made


def segment(name: str, where: str, family: str = "") -> Segment:
    """A segment of a plugin."""
    return Segment(name, _TITLE, where, family)


def plugins_with(*scorers: type[Scorer], segments: Sequence[Segment] = ()) -> Plugins:
    """Plugins that offer these and nothing else."""

    class Module:
        @hookimpl
        def register_scorers(self) -> Sequence[type[Scorer]]:
            return scorers

        @hookimpl
        def register_segments(self) -> Sequence[Segment]:
            return segments

    plugins = load_plugins([])
    plugins.manager.register(Module(), name="analysts")
    return plugins


def office(
    folder: Path,
    *scorers: type[Scorer],
    segments: Sequence[Segment] = (),
    config: str = "",
    clock: Callable[[], dt.datetime] = lambda: MORNING,
) -> Hub:
    """Open a hub with these scorers and segments; ``config`` is its hub.toml."""
    furnish(folder)
    path = folder / "hub.toml"
    path.write_text(config)
    return open_hub(path, plugins=plugins_with(*scorers, segments=segments), now=clock)


def customers_are(hub: Hub, *names: str) -> None:
    """Make these the hub's customers."""
    with hub.warehouse() as engine:
        engine.execute("DELETE FROM customers")
        for name in names:
            engine.execute("INSERT INTO customers (customer_id, name) VALUES (?, ?)", [name, name])


def table(hub: Hub, query: str) -> list[tuple[Any, ...]]:
    """Rows of a query over the warehouse."""
    with hub.warehouse() as engine:
        return engine.rows(query)
