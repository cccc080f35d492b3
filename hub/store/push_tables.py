"""Tables about whom a push may reach and how it went: consent, experiments, alerts."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, Column, Text
from sqlmodel import Field, SQLModel

from hub.store.tables import UtcDateTime

__all__ = ["Alert", "Consent", "Experiment", "Holdout", "SyncMapping"]


class SyncMapping(SQLModel, table=True):
    """The mapping of a sync's last push: what a changed one is compared with."""

    __tablename__ = "mappings"

    sync: str = Field(primary_key=True)
    connection: str = Field(primary_key=True)
    target: str = Field(primary_key=True)
    mapped: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    at: dt.datetime = Field(sa_column=Column(UtcDateTime(), nullable=False))


class Consent(SQLModel, table=True):
    """What a person said about being written to, by profile: it stays his when profiles are merged or parted."""

    __tablename__ = "consents"

    profile: str = Field(primary_key=True)
    """``connection:source_id``."""
    purpose: str = Field(primary_key=True)
    """Empty for every purpose."""
    channel: str = Field(primary_key=True)
    """Empty for every channel."""
    granted: bool
    source: str
    actor: str
    at: dt.datetime = Field(sa_column=Column(UtcDateTime(), nullable=False))


class Experiment(SQLModel, table=True):
    """An experiment's draw; locked from its first use on."""

    __tablename__ = "experiments"

    name: str = Field(primary_key=True)
    share: float
    salt: str
    locked_at: dt.datetime = Field(sa_column=Column(UtcDateTime(), nullable=False))


class Holdout(SQLModel, table=True):
    """Which group of an experiment a customer belongs to, and since when: what lift is worked out from."""

    __tablename__ = "holdouts"

    experiment: str = Field(primary_key=True)
    customer_id: str = Field(primary_key=True)
    held: bool
    at: dt.datetime = Field(sa_column=Column(UtcDateTime(), nullable=False))


class Alert(SQLModel, table=True):
    """Something is wrong with a sync, and somebody has been told; removed when it has recovered."""

    __tablename__ = "alerts"

    sync: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    message: str = Field(sa_column=Column(Text, nullable=False))
    raised_at: dt.datetime = Field(sa_column=Column(UtcDateTime(), nullable=False))
    told_at: dt.datetime | None = Field(default=None, sa_column=Column(UtcDateTime(), nullable=True))
    """When somebody was told; None while nobody could be."""
