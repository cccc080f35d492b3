"""Find a mapping profile, lay changes over it, and report everything that is wrong with it at once."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from hub.errors import ConfigError, Problem
from hub.runtime import Runtime
from plugins.files.mapping.fields import FIELDS, StreamName
from plugins.files.mapping.headers import normal_header
from plugins.files.mapping.profile import Profile

__all__ = ["load_profile", "shipped_profiles"]

_SHIPPED = files("plugins.files") / "profiles"
_TABLES = ("constants", "kinds", "tenders", "tender_columns", "patterns")


def shipped_profiles() -> list[str]:
    """Return the names of the profiles that come with the hub."""
    return sorted(entry.name.removesuffix(".toml") for entry in _SHIPPED.iterdir() if entry.name.endswith(".toml"))


def load_profile(mapping: str | Mapping[str, Any], runtime: Runtime) -> Profile:
    """Return the profile a connection's ``mapping`` means.

    Args:
        mapping: a shipped name, a TOML file's path, or the profile itself (perhaps with ``extends``).
        runtime: for the folder relative paths start from, and the connection's name for messages.

    Raises:
        ConfigError: it does not exist or is wrong; lists every problem.
    """
    where = f"mapping of connection {runtime.connection}" if isinstance(mapping, Mapping) else mapping
    raw = dict(mapping) if isinstance(mapping, Mapping) else _read(mapping, runtime)
    raw = _extended(raw, runtime, seen=())
    problems = list(_problems(raw, where))
    if not problems:
        return Profile.model_validate(raw)
    raise ConfigError(
        f"The mapping profile {where} cannot be used: {len(problems)} problem(s).",
        problems=problems,
        code="profile_invalid",
        hint="Mend what is listed; plugins/files/README.md describes every key.",
    )


def _read(name: str, runtime: Runtime) -> dict[str, Any]:
    shipped = _SHIPPED / f"{name}.toml"
    path = shipped if "/" not in name and shipped.is_file() else runtime.path(name)
    if not path.is_file():
        raise ConfigError(
            f"There is no mapping profile {name!r}.",
            code="profile_unknown",
            hint=f"Shipped: {', '.join(shipped_profiles())}; or give the path of a TOML file.",
            context={"connection": runtime.connection, "key": "mapping"},
        )
    try:
        return {"name": name, **tomllib.loads(path.read_text(encoding="utf-8"))}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The mapping profile {name} is not TOML: {error}.", code="profile_invalid") from error


def _extended(raw: dict[str, Any], runtime: Runtime, seen: tuple[str, ...]) -> dict[str, Any]:
    base_name = raw.pop("extends", None)
    if base_name is None:
        return raw
    if base_name in seen:
        raise ConfigError(f"Mapping profiles extend each other in a circle: {' → '.join((*seen, base_name))}.")
    base = _extended(_read(str(base_name), runtime), runtime, (*seen, str(base_name)))
    merged = {**base, **raw}
    for table in _TABLES:
        if isinstance(raw.get(table), Mapping):
            merged[table] = {
                **raw[table],
                **{key: base[table][key] for key in base.get(table, {}) if key not in raw[table]},
            }
    if isinstance(raw.get("columns"), Mapping):
        merged["columns"] = _merged_columns(base.get("columns", {}), raw["columns"])
    return merged


def _merged_columns(base: Mapping[str, list[str]], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Put the new headers first; a header that now means something else no longer means what it meant."""
    taken = {normal_header(header) for headers in changes.values() for header in _texts(headers)}
    merged: dict[str, Any] = {
        field: [header for header in headers if normal_header(header) not in taken] for field, headers in base.items()
    }
    for field, headers in changes.items():
        merged[field] = [*headers, *merged.get(field, [])] if headers and isinstance(headers, list) else headers
    return {field: headers for field, headers in merged.items() if headers != []}


def _texts(headers: Any) -> list[str]:
    return [header for header in headers if isinstance(header, str)] if isinstance(headers, list) else []


def _problems(raw: Mapping[str, Any], where: str) -> Iterator[Problem]:
    try:
        Profile.model_validate(raw)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_input=False):
            key = ".".join(str(part) for part in item["loc"])
            if item["type"] == "extra_forbidden":
                yield Problem(where, key, "there is no such key.", _near(key, Profile.model_fields))
            else:
                yield Problem(where, key, f"{item['msg']}.")
    if raw.get("stream") in set(StreamName):
        known = FIELDS[StreamName(raw["stream"])]
        yield from (Problem(where, key, text, hint) for key, text, hint in _field_problems(raw, known))
    yield from (Problem(where, key, text, hint) for key, text, hint in _value_problems(raw))


def _near(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean {close[0]!r}?" if close and close[0] != name else ""


def _field_problems(raw: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for key, name in _named_fields(raw):
        if name not in known:
            yield key, f"there is no field {name!r} in stream {raw['stream']}.", _near(name, known)
    owner: dict[str, str] = {}
    for place, headers in _headers(raw):
        for header in headers:
            other = owner.setdefault(normal_header(header), place)
            if other != place:
                yield place, f"header {header!r} stands for {other} too.", "Keep it in one of them."


def _headers(raw: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield every place where a profile names headers, with the headers."""
    for field, headers in _table(raw, "columns").items():
        yield f"columns.{field}", _texts(headers)
    yield "tender_columns", [str(header) for header in _table(raw, "tender_columns")]
    yield "options", _texts(raw.get("options"))
    yield "drop", _texts(raw.get("drop"))


def _named_fields(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every place where a profile names a field, with the name."""
    for table in ("columns", "constants"):
        for name in _table(raw, table):
            yield f"{table}.{name}", name
    for key in ("required", "key"):
        items = raw.get(key)
        for item in items if isinstance(items, list | tuple) else ():
            yield from ((key, name) for name in str(item).split("|"))
    for place, pattern in _table(raw, "patterns").items():
        try:
            yield from ((f"patterns.{place}", name) for name in re.compile(str(pattern)).groupindex)
        except re.error:
            continue  # reported by _value_problems


def _table(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = raw.get(key)
    return value if isinstance(value, Mapping) else {}


def _value_problems(raw: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for place, pattern in _table(raw, "patterns").items():
        try:
            re.compile(str(pattern))
        except re.error as error:
            yield f"patterns.{place}", f"is not a regular expression: {error}.", ""
    zone = raw.get("timezone")
    if isinstance(zone, str):
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            yield "timezone", f"there is no time zone {zone!r}.", "Use a name such as 'Asia/Shanghai'."
