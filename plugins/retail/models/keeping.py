"""When a model is fitted, and whether it may be used: kept models, looked up and renewed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial, wraps
from importlib import import_module
from typing import Any, ParamSpec, TypeAlias, TypeVar

import pyarrow as pa

from hub.models import Candidate, Model, ModelStore
from hub.scorer import Inputs

__all__ = [
    "Fitted",
    "Learn",
    "Refused",
    "Usable",
    "fit_day",
    "held_model",
    "held_models",
    "on_one_thread",
    "read_usable",
    "usable",
]

REFIT_DAYS = 28
_THREADED = ("scipy.linalg", "sklearn.utils")
"""What brings threads along. It must be there when the limit is set: what a fit loads itself is not limited."""
_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")


def on_one_thread(fit: Callable[_Given, _Found]) -> Callable[_Given, _Found]:
    """Make a fit use one thread: sums over threads come in any order, and small matrices are slower on several."""

    @wraps(fit)
    def fitted(*args: _Given.args, **kwargs: _Given.kwargs) -> _Found:
        from threadpoolctl import threadpool_limits

        for library in _THREADED:
            import_module(library)
        with threadpool_limits(1):
            return fit(*args, **kwargs)

    return fitted


@dataclass(frozen=True)
class Fitted:
    """A new model with its card, and whether it may be used: it is not worse than the one before."""

    payload: Mapping[str, Any]
    card: Mapping[str, Any]
    good: bool


@dataclass(frozen=True)
class Refused:
    """Why no model can be fitted, in words."""

    reason: str


Usable: TypeAlias = Mapping[str, Any] | Refused
"""The numbers of a model that may be used, or why there is none."""


def usable(held: Mapping[str, Model | Refused]) -> pa.Table:
    """Return models as a relation, for :meth:`hub.scorer.Scorer.population`: what changed customers are scored with until the next
    scoring of everybody, which alone may fit."""
    rows = [
        {"name": name, "payload": None, "reason": one.reason}
        if isinstance(one, Refused)
        else {"name": name, "payload": json.dumps(dict(one.payload)), "reason": None}
        for name, one in held.items()
    ]
    return pa.Table.from_pylist(rows, pa.schema([(name, pa.string()) for name in ("name", "payload", "reason")]))


def read_usable(inputs: Inputs, relation: str) -> dict[str, Usable]:
    """Read back what :func:`usable` gave."""
    rows = inputs.arrow(f"SELECT name, payload, reason FROM {relation}").to_pylist()
    return {
        row["name"]: Refused(row["reason"]) if row["payload"] is None else json.loads(row["payload"]) for row in rows
    }


def fit_day(first_day: int, today: int) -> int:
    """Return the day whose model is used today: every four weeks, counted from the chain's first purchase."""
    return first_day + (today - first_day) // REFIT_DAYS * REFIT_DAYS


Learn: TypeAlias = Callable[[int, Model | None], Fitted | Refused]
"""Fits a model for a day; given the one in use, to be compared with."""


def held_model(models: ModelStore, name: str, day: int, recipe: str, learn: Learn) -> Model | Refused:
    """Return the model to use, fitted now if that is due.

    Args:
        models: where models are kept.
        name: which model.
        day: number of the day the model is due for.
        recipe: settings and method.
        learn: what fits it.
    """
    return held_models(models, day, {name: (recipe, learn)})[name]


@on_one_thread
def _learnt(fits: Mapping[str, Callable[[], Fitted | Refused]]) -> dict[str, Fitted | Refused]:
    """Run fits beside each other. The limit of threads is set around all of them: a fit that ends would lift it for the others."""
    with ThreadPoolExecutor(len(fits)) as pool:
        running = {name: pool.submit(fit) for name, fit in fits.items()}
        return {name: one.result() for name, one in running.items()}


def held_models(models: ModelStore, day: int, wanted: Mapping[str, tuple[str, Learn]]) -> dict[str, Model | Refused]:
    """Return models to use as :func:`held_model` does; those that are due are fitted beside each other, a thread each.

    Args:
        models: where models are kept.
        day: number of the day the models are due for.
        wanted: recipe and what fits it, by model.
    """
    date = dt.date(1970, 1, 1) + dt.timedelta(days=day)
    used = {name: models.current(name, date, recipe) for name, (recipe, _) in wanted.items()}
    due = [name for name, (recipe, _) in wanted.items() if not models.known(name, date, recipe)]
    found = _learnt({name: partial(wanted[name][1], day, used[name]) for name in due}) if due else {}
    held = {}
    for name, (recipe, _) in wanted.items():
        fitted = found.get(name)
        if fitted is None:
            held[name] = used[name] or Refused("its model was rolled back, and there is none before it")
        elif isinstance(fitted, Refused):
            held[name] = used[name] or fitted
        else:
            models.offer(name, Candidate(date, recipe, fitted.payload, fitted.card), promote=fitted.good)
            now = models.current(name, date, recipe)
            held[name] = now or Refused(f"the model was not promoted: {fitted.card['decision']}")
    return held
