"""Settings of a ``pos.database`` connection."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from hub.source import ConnectionConfig

__all__ = ["DIALECTS", "DatabaseConfig", "Hours", "dialect_of"]

DIALECTS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mssql": "mssql+pymssql",
    "sqlserver": "mssql+pymssql",
}
"""What an address may begin with, and the driver that is used when it names none."""

_NAMES = {"postgres": "postgresql", "mariadb": "mysql", "sqlserver": "mssql"}


def dialect_of(url: str) -> str:
    """Return the dialect of an address: ``sqlite``, ``postgresql``, ``mysql`` or ``mssql``, whatever the address calls it."""
    name = make_url(url).get_backend_name()
    return _NAMES.get(name, name)


Hours = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")]
"""A part of the day: ``22:00-06:00``."""


class DatabaseConfig(ConnectionConfig):
    """One database and the mapping that reads it.

    Attributes:
        url: ``sqlite:///till.db`` (relative to hub.toml), ``postgresql://…``, ``mysql://…``, ``mssql://…``.
        mapping: name of a preset (``siss``, ``ospos``, ``unicenta``, ``tryton``), path of a TOML file, or the mapping itself
            (perhaps with ``extends``).
        constants: values of ticket columns the database has none for, e.g. ``store_id`` where there is one database per shop.
        timezone: of times without an offset; the hub's if not given.
        day_cutoff: when the shop's day begins; the hub's if not given.
        scope: within what member and card numbers are unique; the connection's name if not given.
        reread_days: how far back tickets are read again, to catch late and changed ones; the mapping's if not given.
        page_tickets: tickets read at a time; up to three pages are held in memory.
        fetch_rows: rows fetched from the database at a time.
        pause_seconds: how long to leave the database alone after each page.
        hours: part of the day, on the shop's clock, in which the database may be read.
        statement_seconds: a query that takes longer is given up.
        connect_seconds: how long to wait for the connection.
    """

    url: SecretStr
    mapping: str | dict[str, Any]
    constants: dict[str, str] = Field(default_factory=dict)
    timezone: str | None = None
    day_cutoff: dt.time | None = None
    scope: str | None = None
    reread_days: Annotated[float, Field(ge=0, le=366)] | None = None
    page_tickets: Annotated[int, Field(ge=1, le=1_000_000)] = 50_000
    fetch_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    pause_seconds: Annotated[float, Field(ge=0, le=3600)] = 0
    hours: Hours | None = None
    statement_seconds: Annotated[int, Field(ge=1, le=86_400)] = 300
    connect_seconds: Annotated[int, Field(ge=1, le=600)] = 15

    @field_validator("url")
    @classmethod
    def _known_database(cls, value: SecretStr) -> SecretStr:
        try:
            name = make_url(value.get_secret_value()).get_backend_name()
        except ArgumentError:
            raise ValueError("it is no address; write e.g. mysql://reader:${TILL_PASSWORD}@10.0.0.5/till") from None
        if name not in DIALECTS:
            raise ValueError(f"there is no reader for {name!r}; use one of {', '.join(DIALECTS)}")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str | None) -> str | None:
        try:
            return ZoneInfo(value).key if value else None
        except (KeyError, ValueError, OSError):
            raise ValueError(f"there is no time zone {value!r}; use a name such as 'Asia/Shanghai'") from None
