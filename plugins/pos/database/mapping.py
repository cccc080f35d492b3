"""What a mapping is: a few queries whose columns have our names, and what the till's words mean."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hub.errors import ConfigError, Problem
from plugins.pos.database.guard import complaint
from plugins.pos.tickets.rules import Words

__all__ = ["Database", "Listing", "Tickets", "load_mapping", "presets"]

_PRESETS: Final = files("plugins.pos.database") / "presets"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tickets(_Part):
    """The queries of tickets.

    Attributes:
        tickets: one row per ticket, or several whose first filled values count.
        lines: one row per line.
        tenders: one row per payment.
        key: columns of all three that tell tickets apart.
        cursor: column of ``tickets`` that only grows: an insert sequence, else a time of change, else the sale's time.
        tie: column that tells rows of one cursor value apart; the key's last.
        grouped: ``tickets`` has several rows per ticket.
        window: column of ``tickets`` with a time: rows not older than ``reread_days`` are read again each time.
        reread_days: how far back that goes.
        words: what the till's words mean.
    """

    tickets: str
    lines: str | None = None
    tenders: str | None = None
    key: tuple[str, ...] = ("id",)
    cursor: str = "id"
    tie: str | None = None
    grouped: bool = False
    window: str | None = None
    reread_days: float = Field(default=3, ge=0, le=366)
    words: Words = Field(default_factory=Words)

    @property
    def queries(self) -> dict[str, str]:
        """The queries there are, by name."""
        named = {"tickets": self.tickets, "lines": self.lines, "tenders": self.tenders}
        return {name: sql for name, sql in named.items() if sql}


class Listing(_Part):
    """The query of a list that is read whole each time: members, products, shops, staff."""

    query: str
    key: tuple[str, ...] = ("id",)


class Database(_Part):
    """How one kind of database is read.

    Attributes:
        name, description: for people.
        utc: times without an offset are UTC.
        requires: tables and their columns that must be there.
        orders, customers, products, stores, staff: the streams.
    """

    name: str = "mapping"
    description: str = ""
    utc: bool = False
    requires: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    orders: Tickets | None = None
    customers: Listing | None = None
    products: Listing | None = None
    stores: Listing | None = None
    staff: Listing | None = None

    @model_validator(mode="after")
    def _has_a_stream(self) -> Database:
        if self.orders is None and not self.lists:
            raise ValueError("it needs orders, customers, products, stores or staff")
        return self

    @property
    def lists(self) -> dict[str, Listing]:
        """The lists there are, by stream."""
        named = {"customers": self.customers, "products": self.products, "stores": self.stores, "staff": self.staff}
        return {name: listing for name, listing in named.items() if listing}

    def queries(self) -> Iterator[tuple[str, str]]:
        """Every query with the place it stands at."""
        for name, sql in (self.orders.queries if self.orders else {}).items():
            yield f"orders.{name}", sql
        for name, listing in self.lists.items():
            yield f"{name}.query", listing.query


def presets() -> list[str]:
    """Names of the mappings that are shipped."""
    return sorted(path.name.removesuffix(".toml") for path in _PRESETS.iterdir() if path.name.endswith(".toml"))


def load_mapping(given: str | Mapping[str, Any], base: Path, dialect: str, where: str) -> Database:
    """Return a mapping by preset, path or table, with every mistake told at once.

    Args:
        given: what the connection says.
        base: folder that paths start from.
        dialect: of the SQL.
        where: the setting's place, for the messages.

    Raises:
        ConfigError: it does not exist, cannot be read, or does more than read.
    """
    raw = _extended(dict(given) if isinstance(given, Mapping) else _read(given, base), base, ())
    file = where if isinstance(given, Mapping) else given
    try:
        mapping = Database.model_validate(raw)
    except ValidationError as error:
        found = [
            Problem(file, ".".join(map(str, each["loc"])), f"{each['msg']}.", _nearest(each))
            for each in error.errors(include_url=False, include_input=False)
        ]
        raise _unusable(file, found) from None
    reasons = [(place, complaint(sql, dialect)) for place, sql in mapping.queries()]
    found = [Problem(file, place, f"{reason}.") for place, reason in reasons if reason]
    if found:
        raise _unusable(file, found)
    return mapping


def _unusable(file: str, problems: list[Problem]) -> ConfigError:
    return ConfigError(
        f"The mapping {file} cannot be used: {len(problems)} problem(s).",
        problems=problems,
        code="mapping_invalid",
        hint="Mend what is listed; plugins/pos/database/README.md describes every key.",
    )


def _nearest(error: Mapping[str, Any]) -> str:
    """A hint for a key that does not exist."""
    if error["type"] != "extra_forbidden":
        return ""
    known = [*Database.model_fields, *Tickets.model_fields, *Words.model_fields]
    close = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
    return f"Did you mean {close[0]}?" if close else ""


def _read(name: str, base: Path) -> dict[str, Any]:
    shipped = _PRESETS / f"{name}.toml"
    path = shipped if "/" not in name and shipped.is_file() else base / Path(name).expanduser()
    if not path.is_file():
        raise ConfigError(
            f"There is no mapping {name!r}.",
            code="mapping_unknown",
            hint=f"Shipped: {', '.join(presets())}; or give the path of a TOML file.",
        )
    try:
        return {"name": name, **tomllib.loads(path.read_text(encoding="utf-8"))}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The mapping {name} is not TOML: {error}.", code="mapping_invalid") from error


def _extended(raw: dict[str, Any], base: Path, seen: tuple[str, ...]) -> dict[str, Any]:
    parent = raw.pop("extends", None)
    if parent is None:
        return raw
    if parent in seen:
        raise ConfigError(
            f"Mappings extend each other in a circle: {' → '.join((*seen, parent))}.", code="mapping_invalid"
        )
    return _laid_over(_extended(_read(str(parent), base), base, (*seen, str(parent))), raw)


def _laid_over(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged key by key, with the changes' words first; everything else is replaced."""
    merged: dict[str, Any] = {}
    for key in [*changes, *(key for key in base if key not in changes)]:
        old, new = base.get(key), changes.get(key, base.get(key))
        merged[key] = _laid_over(old, new) if isinstance(old, Mapping) and isinstance(new, Mapping) else new
    return merged
