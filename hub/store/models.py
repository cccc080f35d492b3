"""The models that scorers have learnt, as files below the hub's home.

``models/NAME/VERSION.json`` holds a version with its card and never changes; ``models/NAME/states.json`` says what became of
each. Both are JSON: a model is numbers that anybody can read, and nothing is executed when one is loaded.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hub.errors import StoreError
from hub.models import Candidate, MemoryModels, Model, ModelState

__all__ = ["FolderModels"]

_STATES = "states.json"


class FolderModels:
    """Models in a folder; several processes may use it at once.

    Args:
        root: the folder; made when the first model is kept.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> list[str]:
        """Return the models there are, by name."""
        return self._read().names()

    def versions(self, name: str) -> list[Model]:
        """Return a model's versions, the latest day last; see :meth:`hub.models.MemoryModels.versions`."""
        return self._read().versions(name)

    def version(self, name: str, version: str) -> Model:
        """Return one version, by its name or the beginning of it; see :meth:`hub.models.MemoryModels.version`."""
        return self._read().version(name, version)

    def current(self, name: str, day: dt.date, recipe: str | None = None) -> Model | None:
        """Return the promoted version with the latest day that is not after ``day``."""
        return self._read().current(name, day, recipe)

    def known(self, name: str, fitted_for: dt.date, recipe: str) -> bool:
        """Return whether a version was offered for that day, whatever became of it."""
        return self._read().known(name, fitted_for, recipe)

    def offer(self, name: str, candidate: Candidate, *, promote: bool) -> Model:
        """Keep a version; use it from its day on if ``promote``. One that was offered before stays what it is."""
        with self._writing() as models:
            return models.offer(name, candidate, promote=promote)

    def promote(self, name: str, version: str) -> Model:
        """Use a version from its day on; see :meth:`hub.models.MemoryModels.promote`."""
        with self._writing() as models:
            return models.promote(name, version)

    def roll_back(self, name: str) -> tuple[Model, Model | None]:
        """Withdraw the version in use; see :meth:`hub.models.MemoryModels.roll_back`."""
        with self._writing() as models:
            return models.roll_back(name)

    @contextmanager
    def _writing(self) -> Iterator[MemoryModels]:
        """Change the models alone among all processes; written when the block ends well."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with (self._root / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                models = self._read()
                yield models
                for name in models.names():
                    self._write(models.versions(name))
        except OSError as error:
            raise StoreError(
                f"A model cannot be kept: {error.strerror}.",
                hint="Free some space or mend the folder's rights, and score again.",
                context={"folder": str(self._root)},
            ) from error

    def _read(self) -> MemoryModels:
        models = MemoryModels()
        for states in sorted(self._root.glob(f"*/{_STATES}")):
            for version, state in _loaded(states).items():
                held = _loaded(states.with_name(f"{version}.json"))
                fitted_for = dt.date.fromisoformat(held["fitted_for"])
                candidate = Candidate(fitted_for, held["recipe"], held["payload"], held["card"])
                models.keep(states.parent.name, candidate, version, ModelState(state))
        return models

    def _write(self, versions: list[Model]) -> None:
        """The versions first, then what became of them: a process that dies in between leaves files nobody names."""
        folder = self._root / versions[0].name
        folder.mkdir(exist_ok=True)
        for one in versions:
            file = folder / f"{one.version}.json"
            if not file.exists():
                held = {"fitted_for": one.fitted_for.isoformat(), "recipe": one.recipe}
                _put(file, {**held, "card": one.card, "payload": one.payload})
        states = {one.version: one.state.value for one in versions}
        if not (folder / _STATES).exists() or _loaded(folder / _STATES) != states:
            _put(folder / _STATES, states)


def _loaded(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise StoreError(
            "A model's file cannot be read.",
            code="model_unreadable",
            hint="Put it back from a backup, or remove the model's folder: `hub score` fits the model anew.",
            context={"file": str(file)},
        ) from error


def _put(file: Path, document: Any) -> None:
    """Write a file whole or not at all."""
    aside = file.with_suffix(".writing")
    with aside.open("w", encoding="utf-8") as out:
        json.dump(document, out, ensure_ascii=False, indent=1)
        out.flush()
        os.fsync(out.fileno())
    aside.replace(file)
