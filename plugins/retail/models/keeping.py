"""When a model is fitted, and whether it may be used: kept models, looked up and renewed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from hub.models import Candidate, Model, ModelStore

__all__ = ["Fitted", "Refused", "fit_day", "held_model", "on_one_thread"]

REFIT_DAYS = 28
_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")


def on_one_thread(fit: Callable[_Given, _Found]) -> Callable[_Given, _Found]:
    """Make a fit use one thread: sums over threads come in any order, and small matrices are slower on several."""

    @wraps(fit)
    def fitted(*args: _Given.args, **kwargs: _Given.kwargs) -> _Found:
        from threadpoolctl import threadpool_limits

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


def fit_day(first_day: int, today: int) -> int:
    """Return the day whose model is used today: every four weeks, counted from the chain's first purchase."""
    return first_day + (today - first_day) // REFIT_DAYS * REFIT_DAYS


def held_model(
    models: ModelStore,
    name: str,
    day: int,
    recipe: str,
    learn: Callable[[int, Model | None], Fitted | Refused],
) -> Model | Refused:
    """Return the model to use, fitted now if that is due.

    Args:
        models: where models are kept.
        name: which model.
        day: number of the day the model is due for.
        recipe: settings and method.
        learn: fits a model for a day; given the one in use, to be compared with.
    """
    date = dt.date(1970, 1, 1) + dt.timedelta(days=day)
    used = models.current(name, date, recipe)
    if models.known(name, date, recipe):
        return used or Refused("its model was rolled back, and there is none before it")
    found = learn(day, used)
    if isinstance(found, Refused):
        return used or found
    models.offer(name, Candidate(date, recipe, found.payload, found.card), promote=found.good)
    return models.current(name, date, recipe) or Refused(f"the model was not promoted: {found.card['decision']}")
