"""Work out every customer's traits for an ``as_of``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from hub.context import Hub
from hub.errors import ConfigError, PluginError
from hub.pipeline.score_scope import Scope, keep_scope, scope_of
from hub.pipeline.score_traits import gather_traits, replace_traits
from hub.plugins import contained
from hub.scorer import Inputs, Scorer, Trait, TraitType, ValidOrders
from hub.warehouse.engine import DuckDBEngine, Engine, quoted
from hub.warehouse.inputs import compress, only_touched, scoring_inputs, settle
from hub.warehouse.left_out import orders_left_out
from hub.warehouse.people import create_views

__all__ = ["ScoreReport", "in_order", "inputs_for", "make_relations", "run_scorer", "score", "valid_orders"]


@dataclass
class ScoreReport:
    """What scoring did.

    Attributes:
        as_of: the instant the scores hold for.
        customers: customers there are.
        scored: customers that were looked at again; all of them on a new business day or with other settings.
        scorers: customers with at least one trait, by scorer; only among those looked at, for a scorer that sees no others.
        changed: customers whose traits are not as they were.
        left_out: orders that no score counts, by reason (:data:`hub.warehouse.left_out.LEFT_OUT`); told when everybody is scored.
    """

    as_of: dt.datetime
    customers: int = 0
    scored: int = 0
    scorers: Mapping[str, int] = field(default_factory=dict)
    changed: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)


def score(hub: Hub, as_of: dt.datetime | None = None) -> ScoreReport:
    """Run every scorer over every customer.

    Args:
        hub: the opened hub.
        as_of: the instant to score for; now when not given.

    Raises:
        ConfigError: ``as_of`` has no time zone.
        PluginError: a scorer gives something else than one row per customer with its traits; the traits stay as they were.
        LeaseHeldError: another process has the warehouse open.
    """
    moment = as_of or hub.now()
    if moment.tzinfo is None:
        raise ConfigError("--as-of needs a time zone.", hint="Write it like 2026-04-01T00:00:00+08:00.")
    report = ScoreReport(moment)
    scorers = in_order(hub.plugins.scorers())
    with hub.warehouse() as engine, hub.store.runs.open("score", as_of=moment) as run:
        _require_free_names(scorers, engine)
        create_views(engine, hub.settings.identity.open_platform)
        valid = valid_orders(hub, scorers)
        chain = (hub.settings.zone, hub.settings.hub.day_cutoff)
        with scoring_inputs(engine, moment, *chain, valid, everybody=False) as day:
            scope = scope_of(hub, engine, scorers, day)
            if scope.everybody or scope.per_customer != set(scorers):
                settle(engine)
            if scope.everybody:
                report.left_out = orders_left_out(engine, day, *chain, valid)
            report.scorers = _run_scorers(hub, engine, scorers, moment, day, scope)
        whole = gather_traits(engine, scorers, scope)
        with engine.transaction():
            report.changed = replace_traits(engine, whole=whole)
            _keep_population(engine, scope)
            keep_scope(hub, engine, scope)
            engine.execute("DELETE FROM _progress WHERE stage = 'score'")
            engine.execute("INSERT INTO _progress VALUES ('score', 0, ?)", [moment.isoformat()])
        report.customers = int(engine.value("SELECT count(*) FROM customers"))
        report.scored = report.customers if scope.everybody else scope.touched
        run.add(customers=report.customers, scored=report.scored, changed=report.changed)
        run.add(**{f"orders_left_out_{reason}": count for reason, count in report.left_out.items()})
    return report


def _require_free_names(scorers: Mapping[str, type[Scorer]], engine: Engine) -> None:
    """Segments and syncs name traits and customers' columns alike, so no trait may be called like a column."""
    columns = engine.columns("customers")
    for scorer in scorers.values():
        taken = [trait.name for trait in scorer.traits if trait.name in columns]
        if taken:
            raise PluginError(
                f"Scorer {scorer.name} declares {', '.join(taken)}, which every customer has already.",
                code="contract_broken",
                hint="Its author must rename the trait.",
            )


def in_order(scorers: Mapping[str, type[Scorer]]) -> dict[str, type[Scorer]]:
    """Return the scorers so that each comes after those it needs.

    Raises:
        PluginError: one needs a scorer that is not installed, or some need each other in a circle.
    """
    found: dict[str, type[Scorer]] = {}
    left = dict(scorers)
    while left:
        ready = [name for name, kind in left.items() if set(kind.needs) <= found.keys()]
        if not ready:
            name, kind = next(iter(left.items()))
            missing = ", ".join(one for one in kind.needs if one not in found)
            raise PluginError(
                f"Scorer {name} needs {missing}, which is not installed or needs {name} in turn.",
                code="contract_broken",
                hint="Install the plugin that offers it; `hub traits` lists the scorers there are.",
            )
        for name in ready:
            found[name] = left.pop(name)
    return found


def valid_orders(hub: Hub, scorers: Mapping[str, type[Scorer]]) -> ValidOrders:
    """Return which orders count, by the first scorer with rules for that; the usual ones without any."""
    for name, kind in scorers.items():
        found = kind().valid_orders(kind.Config.model_validate(hub.settings.scores.get(name, {})))
        if found is not None:
            return found
    return ValidOrders()


def inputs_for(
    hub: Hub, engine: DuckDBEngine, scorers: Mapping[str, type[Scorer]], name: str, as_of: dt.datetime, day: dt.date
) -> Inputs:
    """Return what one scorer may read, with the settings of those it needs."""
    configs = {
        one: scorers[one].Config.model_validate(hub.settings.scores.get(one, {}))
        for one in (name, *scorers[name].needs)
    }
    return Inputs(
        as_of=as_of,
        business_date=day,
        config=configs.pop(name),
        arrow=engine.arrow,
        settings=configs,
        zone=hub.settings.zone.key,
        day_cutoff=hub.settings.hub.day_cutoff,
        currency=hub.settings.hub.currency,
        models=hub.models,
    )


def _run_scorers(
    hub: Hub, engine: DuckDBEngine, scorers: Mapping[str, type[Scorer]], as_of: dt.datetime, day: dt.date, scope: Scope
) -> dict[str, int]:
    """Run those that see everybody, then those that see the touched customers only."""
    found = {}
    hub.progress.start("score", len(scorers))
    narrowed = False
    for name in sorted(scorers, key=lambda name: name in scope.per_customer):
        if name in scope.per_customer and not narrowed:
            only_touched(engine)
            narrowed = True
        inputs = inputs_for(hub, engine, scorers, name, as_of, day)
        with contained(f"Scoring with {name}"):
            scorer = scorers[name]()
            make_relations(engine, scorer, inputs, kept=narrowed)
            found[name] = run_scorer(engine, scorer, inputs)
        hub.progress.advance("score")
    hub.progress.finish("score")
    return found


_KEPT = "kept_"


def make_relations(engine: Engine, scorer: Scorer, inputs: Inputs, *, kept: bool = False) -> None:
    """Make a scorer's relations among the inputs.

    Args:
        engine: the warehouse, with the inputs.
        scorer: the scorer.
        inputs: what it is given.
        kept: take those over all customers from the last run that saw everybody.
    """
    _make(engine, scorer.tables(inputs))
    if kept:
        _look_up_population(engine, scorer)
    else:
        _make_population(engine, scorer, inputs)
    _make(engine, scorer.parts(inputs))


def _make(engine: Engine, relations: Mapping[str, str]) -> None:
    for name, sql in relations.items():
        engine.execute(f"CREATE TABLE scoring.inputs.{quoted(name)} AS {sql}")
        compress(engine, name)


def _look_up_population(engine: Engine, scorer: Scorer) -> None:
    prefix = f"{_KEPT}{scorer.name}."
    for table in _kept(engine, prefix, temporary=False):
        view = quoted(table.removeprefix(prefix))
        engine.execute(f"CREATE VIEW scoring.inputs.{view} AS FROM main.{quoted(table)}")


def _make_population(engine: Engine, scorer: Scorer, inputs: Inputs) -> None:
    prefix = f"{_KEPT}{scorer.name}."
    for name, found in scorer.population(inputs).items():
        table = quoted(prefix + name)
        if isinstance(found, pa.Table):
            with engine.register({"found": found}):
                engine.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS FROM found")
        else:
            engine.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {found}")
        engine.execute(f"CREATE VIEW scoring.inputs.{quoted(name)} AS FROM temp.{table}")


def _kept(engine: Engine, prefix: str, *, temporary: bool) -> list[str]:
    """Names of kept relations."""
    return [
        name
        for (name,) in engine.rows(
            "SELECT table_name FROM duckdb_tables() WHERE temporary = ? AND starts_with(table_name, ?) ORDER BY ALL",
            [temporary, prefix],
        )
    ]


def _keep_population(engine: Engine, scope: Scope) -> None:
    # With the database's name: main alone is the temporary tables' schema too, and they have the same names.
    place = f"{quoted(str(engine.value('SELECT current_database()')))}.main"
    if scope.everybody:
        for name in _kept(engine, _KEPT, temporary=False):
            engine.execute(f"DROP TABLE {place}.{quoted(name)}")
    for name in _kept(engine, _KEPT, temporary=True):
        engine.execute(f"CREATE OR REPLACE TABLE {place}.{quoted(name)} AS FROM temp.{quoted(name)}")


def run_scorer(engine: Engine, scorer: Scorer, inputs: Inputs) -> int:
    """Write one scorer's result to ``score_NAME``, checked: its columns, and one row per customer."""
    result = scorer.score(inputs)
    table = quoted(f"score_{scorer.name}")
    columns = ", ".join(map(_column, scorer.traits))
    create = f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT customer_id, {columns} FROM"
    if isinstance(result, pa.Table):
        _require_columns(scorer, result.column_names)
        with engine.register({"scored": result}):
            engine.execute(f"{create} scored")
    else:
        _require_columns(scorer, engine.arrow(f"DESCRIBE {result}")["column_name"].to_pylist())
        engine.execute(f"{create} ({result})")
    rows, customers = engine.rows(f"SELECT count(*), count(DISTINCT customer_id) FROM {table}")[0]
    if rows != customers:
        raise PluginError(
            f"Scorer {scorer.name} gave {rows} rows for {customers} customers.",
            code="contract_broken",
            hint="It must give one row per customer, and none without a customer_id.",
        )
    return int(rows)


def _column(trait: Trait) -> str:
    """A trait in its type; what is no number (a division by zero, a model's NaN) is not known."""
    value = f"CAST({quoted(trait.name)} AS {trait.type.sql})"
    if trait.type is TraitType.NUMBER:
        value = f"CASE WHEN isfinite({value}) THEN {value} END"
    return f"{value} AS {quoted(trait.name)}"


def _require_columns(scorer: Scorer, columns: list[str]) -> None:
    missing = [name for name in ("customer_id", *(t.name for t in scorer.traits)) if name not in columns]
    if missing:
        raise PluginError(
            f"Scorer {scorer.name} did not give {', '.join(missing)}.",
            code="contract_broken",
            hint="Its result must have customer_id and every trait it declares.",
        )
