"""Rule sets before they are applied: what the chain's own data speaks for, and who would move under other settings.

Nothing is written; traits and segments stay as they are until the next run.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from hub.config_problems import Locator, nearest, problems_of
from hub.context import Hub
from hub.errors import ConfigError, Problem
from hub.pipeline.score import in_order, inputs_for, make_relations, run_scorer, valid_orders
from hub.pipeline.segment import check_segments, members_sql
from hub.plugins import contained
from hub.scorer import Scorer, Suggestion
from hub.segments import Segment
from hub.warehouse.engine import DuckDBEngine, literal, quoted
from hub.warehouse.inputs import scoring_inputs
from hub.warehouse.people import create_views

__all__ = ["Moves", "RuleDiff", "rules_diff", "rules_suggest"]


@dataclass(frozen=True)
class Moves:
    """How customers move between the segments of one family; a segment without family is a family of its own.

    Attributes:
        family: its name.
        moved: customers in another segment of it than before.
        matrix: (segment before, segment after, customers); None stands for in none.
    """

    family: str
    moved: int
    matrix: tuple[tuple[str | None, str | None, int], ...]


@dataclass
class RuleDiff:
    """What other settings would change.

    Attributes:
        as_of: the instant both sides were scored for.
        versions: rule version before and after, by scorer.
        customers: customers there are.
        moves: the families that somebody moves in.
        traits: customers whose trait would change, by trait.
    """

    as_of: dt.datetime
    versions: dict[str, tuple[str, str]] = field(default_factory=dict)
    customers: int = 0
    moves: list[Moves] = field(default_factory=list)
    traits: dict[str, int] = field(default_factory=dict)


def rules_suggest(hub: Hub, as_of: dt.datetime | None = None) -> list[tuple[str, Suggestion]]:
    """Ask every scorer which of its settings the chain's own data speaks for.

    Args:
        hub: the opened hub.
        as_of: the instant to look from; now when not given.

    Returns:
        Scorer and suggestion.
    """
    found: list[tuple[str, Suggestion]] = []
    scorers = in_order(hub.plugins.scorers())
    asked = [name for name, kind in scorers.items() if kind.suggest is not Scorer.suggest]
    with _looking(hub, as_of or hub.now()) as (engine, day):
        for name in asked:
            inputs = inputs_for(hub, engine, scorers, name, as_of or hub.now(), day)
            with contained(f"Asking {name}"):
                scorer = scorers[name]()
                make_relations(engine, scorer, inputs)
                found += [(name, suggestion) for suggestion in scorer.suggest(inputs)]
    return found


def rules_diff(hub: Hub, changes: Sequence[str]) -> RuleDiff:
    """Score once with the present settings and once with others, and compare traits and segments.

    Only the scorers that are changed run; the traits of the others are those of the last scoring, whose ``as_of`` is kept.

    Args:
        hub: the opened hub.
        changes: ``SCORER.KEY=VALUE`` each, the value as in hub.toml: ``retail.stages.active=45``.

    Raises:
        ConfigError: a change is not understood or not accepted; all of them are told.
    """
    trial, names = _with(hub, changes)
    scorers = in_order(hub.plugins.scorers())
    wanted = [name for name in scorers if name in _with_needs(scorers, names)]
    with hub.warehouse() as engine:
        columns = list({**engine.columns("traits"), **engine.columns("customers")})
        segments = check_segments(hub, columns)
        detail = engine.value("SELECT detail FROM _progress WHERE stage = 'score'")
        if detail is None:
            raise ConfigError("Nothing has been scored yet.", code="snapshot_missing", hint="Run `hub score` first.")
        as_of = dt.datetime.fromisoformat(detail)
        report = RuleDiff(as_of)
        for side, opened in (("before", hub), ("after", trial)):
            _score_aside(opened, engine, scorers, wanted, as_of, side)
            engine.execute(f"CREATE OR REPLACE TEMP TABLE members_{side} AS {members_sql(segments, f'people_{side}')}")
        report.versions = {name: (_version(hub, scorers, name), _version(trial, scorers, name)) for name in names}
        report.customers = int(engine.value("SELECT count(*) FROM customers"))
        report.moves = list(_moves(engine, segments))
        report.traits = _traits_moved(engine, [trait.name for name in names for trait in scorers[name].traits])
    return report


@contextmanager
def _looking(hub: Hub, as_of: dt.datetime) -> Iterator[tuple[DuckDBEngine, dt.date]]:
    with hub.warehouse() as engine:
        create_views(engine, hub.settings.identity.open_platform)
        valid = valid_orders(hub, in_order(hub.plugins.scorers()))
        with scoring_inputs(engine, as_of, hub.settings.zone, hub.settings.hub.day_cutoff, valid) as day:
            yield engine, day


def _with(hub: Hub, changes: Sequence[str]) -> tuple[Hub, list[str]]:
    """A hub with the changed settings, and the names of the scorers that are changed."""
    scorers = hub.plugins.scorers()
    scores: dict[str, Any] = copy.deepcopy({name: dict(value) for name, value in hub.settings.scores.items()})
    problems: list[Problem] = []
    names: list[str] = []
    for change in changes:
        try:
            parsed = tomllib.loads(change)
        except tomllib.TOMLDecodeError:
            problems.append(Problem("", change, 'write SCORER.KEY=VALUE; a text in quotes: retail.trade="tea".'))
            continue
        for name, value in parsed.items():
            if name not in scorers or not isinstance(value, dict):
                problems.append(Problem("", change, "no such scorer is installed.", nearest(name, scorers)))
                continue
            scores[name] = _merged(scores.get(name, {}), value)
            names.append(name)
    for name in dict.fromkeys(names):
        problems += _refused(name, scorers[name], scores[name])
    if problems:
        raise ConfigError("The rules cannot be tried.", problems=problems)
    trial = copy.copy(hub)
    trial.settings = dataclasses.replace(hub.settings, scores=scores)
    return trial, list(dict.fromkeys(names))


def _refused(name: str, kind: type[Scorer], value: Mapping[str, Any]) -> list[Problem]:
    try:
        kind.Config.model_validate(value)
    except ValidationError as error:
        return problems_of(error, kind.Config, Locator("", ""), f"scores.{name}")
    return []


def _merged(below: Any, above: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(below)
    for key, value in above.items():
        found[key] = (
            _merged(found[key], value) if isinstance(value, dict) and isinstance(found.get(key), Mapping) else value
        )
    return found


def _with_needs(scorers: Mapping[str, type[Scorer]], names: Sequence[str]) -> set[str]:
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += scorers[name].needs
    return found


def _version(hub: Hub, scorers: Mapping[str, type[Scorer]], name: str) -> str:
    kind = scorers[name]
    return kind().rule_version(kind.Config.model_validate(hub.settings.scores.get(name, {})))


def _score_aside(
    hub: Hub,
    engine: DuckDBEngine,
    scorers: Mapping[str, type[Scorer]],
    wanted: Sequence[str],
    as_of: dt.datetime,
    side: str,
) -> None:
    """``people_SIDE``: customers with the traits that these settings give, and the stored ones of all other scorers."""
    create_views(engine, hub.settings.identity.open_platform)
    valid = valid_orders(hub, scorers)
    with scoring_inputs(engine, as_of, hub.settings.zone, hub.settings.hub.day_cutoff, valid) as day:
        for name in wanted:
            inputs = inputs_for(hub, engine, scorers, name, as_of, day)
            with contained(f"Scoring with {name}"):
                scorer = scorers[name]()
                make_relations(engine, scorer, inputs)
                run_scorer(engine, scorer, inputs)
    new = [trait.name for name in wanted for trait in scorers[name].traits]
    known = engine.columns("traits")
    others = "".join(f", t.{quoted(column)}" for column in known if column not in (*new, "customer_id"))
    columns = "".join(f", {quoted(f'score_{name}')}.{quoted(t.name)}" for name in wanted for t in scorers[name].traits)
    joins = "".join(f" LEFT JOIN {quoted(f'score_{name}')} USING (customer_id)" for name in wanted)
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE people_{side} AS SELECT c.*{others}{columns} FROM customers AS c "
        f"LEFT JOIN traits AS t USING (customer_id){joins}"
    )


def _moves(engine: DuckDBEngine, segments: Mapping[str, Segment]) -> Iterator[Moves]:
    families: dict[str, list[str]] = {}
    for name, segment in segments.items():
        families.setdefault(segment.family or name, []).append(name)
    for family, names in families.items():
        chosen = ", ".join(map(literal, names))
        rows = engine.rows(
            f"""WITH b AS (SELECT customer_id, min(segment) AS segment FROM members_before WHERE segment IN ({chosen}) GROUP BY ALL),
                a AS (SELECT customer_id, min(segment) AS segment FROM members_after WHERE segment IN ({chosen}) GROUP BY ALL)
                SELECT b.segment, a.segment, count(*) FROM customers LEFT JOIN b USING (customer_id)
                LEFT JOIN a USING (customer_id) GROUP BY ALL ORDER BY ALL"""
        )
        moved = sum(int(count) for before, after, count in rows if before != after)
        if moved:
            yield Moves(family, moved, tuple((before, after, int(count)) for before, after, count in rows))


def _traits_moved(engine: DuckDBEngine, names: Sequence[str]) -> dict[str, int]:
    if not names:
        return {}
    counts = ", ".join(f"count(*) FILTER (a.{quoted(n)} IS DISTINCT FROM b.{quoted(n)})" for n in names)
    row = engine.rows(f"SELECT {counts} FROM people_before AS b JOIN people_after AS a USING (customer_id)")[0]
    return {name: int(count) for name, count in zip(names, row, strict=True) if count}
