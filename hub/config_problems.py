"""Say what is wrong with a configuration in words a person can act on: the line, the key, the nearest right name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from hub.errors import Problem
from hub.redaction import is_secret_name, redact

__all__ = ["Locator", "nearest", "problems_of"]

_HEADER = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_.\"'-]+)\s*=")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint: the nearest known name, or all of them when none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known: {', '.join(names)}." if names else ""


class Locator:
    """Finds the line of a key in a TOML text, so that a problem can be shown where it stands."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        # A table that is only named as part of another stands where that one does: [connections.pos] is [connections] too.
        self._lines = {**dict(_implied_lines(text)), **dict(_key_lines(text))}

    def line(self, key: str) -> int | None:
        """Return the line (from 1) of a dotted key, or of the nearest table above it."""
        parts = key.split(".")
        while parts:
            if ".".join(parts) in self._lines:
                return self._lines[".".join(parts)]
            parts.pop()
        return None

    def problem(self, key: str, message: str, hint: str = "") -> Problem:
        """Return a problem at a dotted key."""
        return Problem(self.file, key, message, hint, self.line(key))


def _key_lines(text: str) -> Iterable[tuple[str, int]]:
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _plain(header[1])
            yield table, number
        elif key := _KEY.match(line):
            yield f"{table}.{_plain(key[1])}".lstrip("."), number


def _implied_lines(text: str) -> Iterable[tuple[str, int]]:
    found: dict[str, int] = {}
    for key, line in _key_lines(text):
        parts = key.split(".")
        for length in range(1, len(parts)):
            found.setdefault(".".join(parts[:length]), line)
    return found.items()


def _plain(key: str) -> str:
    return re.sub(r"[\"'\s]", "", key)


def problems_of(
    error: ValidationError, model: type[BaseModel], locator: Locator, key: str, secrets: Iterable[str] = ()
) -> list[Problem]:
    """Turn pydantic's findings into problems, one per fault; secret values are never repeated.

    Args:
        error: what pydantic found.
        model: the model it was looking at.
        locator: finds the lines.
        key: dotted key of the table that was checked.
        secrets: values that came from the environment.
    """
    known = tuple(secrets)
    return [_problem(detail, model, locator, key, known) for detail in error.errors(include_url=False)]


def _problem(
    detail: ErrorDetails, model: type[BaseModel], locator: Locator, key: str, secrets: tuple[str, ...]
) -> Problem:
    place = ".".join([key, *(str(part) for part in detail["loc"])])
    last = str(detail["loc"][-1]) if detail["loc"] else ""
    if detail["type"] == "extra_forbidden":
        return locator.problem(place, "is not a setting.", nearest(last, _settings_of(model, detail["loc"])))
    if detail["type"] == "missing":
        return locator.problem(place, "is required but missing.", _description(model, last))
    message = redact(detail["msg"].removeprefix("Value error, "), secrets)
    return locator.problem(place, f"{message}{_found(model, detail, secrets)}.", _description(model, last))


def _found(model: type[BaseModel], detail: ErrorDetails, secrets: tuple[str, ...]) -> str:
    value: Any = detail.get("input")
    if isinstance(value, dict | list) or _is_secret(model, detail["loc"]):
        return ""
    return f", found {redact(repr(value), secrets)}"


def _is_secret(model: type[BaseModel], loc: tuple[int | str, ...]) -> bool:
    """Whether a value is secret by its name, by that of what holds it, or by the type of its field."""
    if any(is_secret_name(str(part)) for part in loc):
        return True
    for part in loc:
        field = model.model_fields.get(str(part))
        if field is None:
            return False
        if _holds_secret(field.annotation):
            return True
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return False
        model = field.annotation
    return False


def _holds_secret(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, SecretStr | SecretBytes):
        return True
    return any(_holds_secret(argument) for argument in get_args(annotation))


def _settings_of(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Return the settings that stand beside the misspelt one, following nested models as far as they go."""
    for part in loc[:-1]:
        field = model.model_fields.get(str(part))
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _description(model: type[BaseModel], name: str) -> str:
    field = model.model_fields.get(name)
    return field.description or "" if field else ""
