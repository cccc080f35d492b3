"""Kept models: what a scorer has learnt, with a card that says from what, how well, and until when it was used.

A scorer that learns asks for the model that holds for its ``as_of``, offers a new one when that is due, and says whether it is
fit to be used::

    held = inputs.models.current("clv", inputs.business_date, recipe)
    if held is None and not inputs.models.known("clv", inputs.business_date, recipe):
        inputs.models.offer("clv", Candidate(inputs.business_date, recipe, payload, card), promote=True)

A model that was fitted for a later day is never given for an earlier one, so that a score of the past does not know the future.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

from hub.errors import ConfigError

__all__ = ["Candidate", "MemoryModels", "Model", "ModelState", "ModelStore"]


class ModelState(StrEnum):
    """What became of a version."""

    PROMOTED = "promoted"
    """Used for every day from the one it was fitted for, until a newer one is promoted."""
    CANDIDATE = "candidate"
    """Fitted and kept, not used: it was worse than the one before."""
    WITHDRAWN = "withdrawn"
    """Was used; somebody rolled it back."""


@dataclass(frozen=True)
class Candidate:
    """What a scorer has learnt.

    Attributes:
        fitted_for: the shop's day it was fitted for; it saw nothing of that day or after it.
        recipe: settings and method it was made with; models of another recipe are not compared with it.
        payload: the model itself, of numbers and texts only.
        card: what a person should know of it: data window, rows, metrics, calibration, drift.
    """

    fitted_for: dt.date
    recipe: str
    payload: Mapping[str, Any]
    card: Mapping[str, Any]

    @property
    def version(self) -> str:
        """Name that follows from the content: the same fit has the same version everywhere."""
        content = [self.fitted_for.isoformat(), self.recipe, self.payload]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Model:
    """A kept version of a model.

    Attributes:
        name: which model, e.g. ``churn``.
        version: name of this version, made of its content.
        state: what became of it.
        fitted_for, recipe, payload, card: see :class:`Candidate`.
    """

    name: str
    version: str
    state: ModelState
    fitted_for: dt.date
    recipe: str
    payload: Mapping[str, Any]
    card: Mapping[str, Any]


class ModelStore(Protocol):
    """Where a scorer's models are kept."""

    def current(self, name: str, day: dt.date, recipe: str) -> Model | None:
        """Return the promoted version with the latest ``fitted_for`` that is not after ``day``."""

    def known(self, name: str, fitted_for: dt.date, recipe: str) -> bool:
        """Return whether a version was offered for that day, whatever became of it."""

    def offer(self, name: str, candidate: Candidate, *, promote: bool) -> Model:
        """Keep a version; use it from its day on if ``promote``. One that was offered before stays what it is."""


class MemoryModels:
    """Models kept in memory: for tests, and what the hub's own store is made of."""

    def __init__(self) -> None:
        self._versions: dict[str, list[Model]] = {}

    def names(self) -> list[str]:
        """Return the models there are, by name."""
        return sorted(self._versions)

    def versions(self, name: str) -> list[Model]:
        """Return a model's versions, the latest day last.

        Raises:
            ConfigError: there is no such model.
        """
        if name not in self._versions:
            known = ", ".join(self.names()) or "none; `hub score` fits them when there is enough data"
            raise ConfigError(f"There is no model {name!r}.", code="model_unknown", hint=f"There are: {known}.")
        return sorted(self._versions[name], key=lambda one: one.fitted_for)

    def version(self, name: str, version: str) -> Model:
        """Return one version, by its name or the beginning of it.

        Raises:
            ConfigError: there is none, or several begin like that.
        """
        found = [one for one in self.versions(name) if one.version.startswith(version)]
        if len(found) != 1:
            raise ConfigError(
                f"Model {name} has {'no' if not found else 'more than one'} version {version!r}.",
                code="model_unknown",
                hint="`hub model list` shows them.",
            )
        return found[0]

    def current(self, name: str, day: dt.date, recipe: str | None = None) -> Model | None:
        """Return the promoted version with the latest day that is not after ``day``, of any recipe if none is given."""
        usable = [
            one
            for one in self._versions.get(name, ())
            if one.state is ModelState.PROMOTED and one.fitted_for <= day and recipe in (None, one.recipe)
        ]
        return max(usable, key=lambda one: one.fitted_for, default=None)

    def known(self, name: str, fitted_for: dt.date, recipe: str) -> bool:
        """Return whether a version was offered for that day, whatever became of it."""
        return any(one.fitted_for == fitted_for and one.recipe == recipe for one in self._versions.get(name, ()))

    def offer(self, name: str, candidate: Candidate, *, promote: bool) -> Model:
        """Keep a version; use it from its day on if ``promote``. One that was offered before stays what it is."""
        for one in self._versions.get(name, ()):
            if one.version == candidate.version:
                return one
        return self.keep(name, candidate, candidate.version, ModelState.PROMOTED if promote else ModelState.CANDIDATE)

    def keep(self, name: str, candidate: Candidate, version: str, state: ModelState) -> Model:
        """Take in a version that is what it is, e.g. one read from a file."""
        made = Model(name, version, state, candidate.fitted_for, candidate.recipe, candidate.payload, candidate.card)
        self._versions.setdefault(name, []).append(made)
        return made

    def promote(self, name: str, version: str) -> Model:
        """Use a version from its day on, in place of the later ones of its recipe, which are withdrawn.

        Raises:
            ConfigError: there is no such model or version.
        """
        chosen = self.version(name, version)
        for one in self.versions(name):
            if one.version == chosen.version:
                self._put(replace(one, state=ModelState.PROMOTED))
            elif (
                one.recipe == chosen.recipe and one.fitted_for >= chosen.fitted_for and one.state is ModelState.PROMOTED
            ):
                self._put(replace(one, state=ModelState.WITHDRAWN))
        return self.version(name, chosen.version)

    def roll_back(self, name: str) -> tuple[Model, Model | None]:
        """Withdraw the version in use; return it and the one that is used instead, None if there is none.

        Raises:
            ConfigError: there is no such model, or no version of it is in use.
        """
        promoted = [one for one in self.versions(name) if one.state is ModelState.PROMOTED]
        if not promoted:
            raise ConfigError(
                f"No version of model {name} is in use.",
                code="model_unused",
                hint=f"`hub model promote {name} VERSION` uses one again.",
            )
        self._put(replace(promoted[-1], state=ModelState.WITHDRAWN))
        return promoted[-1], next((one for one in reversed(promoted[:-1]) if one.recipe == promoted[-1].recipe), None)

    def _put(self, model: Model) -> None:
        versions = self._versions[model.name]
        versions[next(i for i, one in enumerate(versions) if one.version == model.version)] = model
