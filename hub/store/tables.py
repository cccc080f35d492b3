"""Tables of the store: small, transactional, shared by many processes.

All times are UTC. JSON columns hold plain JSON values. Row logs (deliveries, rejects) are pruned by age; the ledger and
the cursors are not.
"""

import datetime as dt
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Index, Integer, LargeBinary, Text, TypeDecorator, text
from sqlalchemy.engine import Dialect
from sqlmodel import Field, SQLModel

__all__ = [
    "AuditEntry",
    "Cursor",
    "Delivery",
    "Erasure",
    "IdentityDecision",
    "Lease",
    "LedgerEntry",
    "Package",
    "Plan",
    "RejectedRow",
    "Run",
    "Snapshot",
    "TargetState",
    "Token",
    "Tombstone",
]


class UtcDateTime(TypeDecorator[dt.datetime]):
    """An aware instant, stored as UTC; SQLite has no time zones, so it is given back as UTC there too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002
        """Refuse instants without a zone and turn the others into UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without a time zone cannot be stored")
        return value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002
        """Give back an aware instant."""
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


# SQLite counts up only an INTEGER primary key; PostgreSQL wants 64 bits.
_BIG_KEY = BigInteger().with_variant(Integer(), "sqlite")


def _instant(*, nullable: bool = False, index: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcDateTime(), nullable=nullable, index=index))


def _json() -> Any:
    return Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


def _number() -> Any:
    return Field(default=None, sa_column=Column(_BIG_KEY, primary_key=True, autoincrement=True))


class Run(SQLModel, table=True):
    """One execution of a stage, or of one stream or sync within it."""

    __tablename__ = "runs"

    id: str = Field(primary_key=True)
    parent_id: str | None = Field(default=None, index=True)
    stage: str
    subject: str = Field(default="", index=True)
    """What it worked on: ``pos/orders``, a sync's name; empty for a whole stage."""
    state: str = "running"
    """``running``, ``succeeded``, ``partial``, ``failed``, ``skipped`` or ``interrupted``."""
    started_at: dt.datetime = _instant(index=True)
    ended_at: dt.datetime | None = _instant(nullable=True)
    as_of: dt.datetime | None = _instant(nullable=True)
    counts: dict[str, Any] = _json()
    notes: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    error_code: str | None = None
    error_message: str | None = Field(default=None, sa_column=Column(Text))


class Cursor(SQLModel, table=True):
    """How far one stream (or one of its partitions) has been read durably."""

    __tablename__ = "cursors"

    connection: str = Field(primary_key=True)
    stream: str = Field(primary_key=True)
    partition: str = Field(default="", primary_key=True)
    state: dict[str, Any] = _json()
    sweep: str | None = None
    """Id of the full read that is under way, if one is."""
    moved_at: dt.datetime = _instant()


class Package(SQLModel, table=True):
    """A sealed batch of one stream's canonical records."""

    __tablename__ = "packages"

    seq: int | None = _number()
    """Order of sealing: later packages win over earlier ones when the platform gives no time of change."""
    id: str = Field(unique=True)
    connection: str = Field(index=True)
    stream: str
    partition: str = ""
    record: str
    """Name of the parent table of its records."""
    location: str
    """Folder of its Parquet files, relative to the packages' root."""
    replaced: str | None = None
    """Folder it had before somebody's rows were taken out of it, until that one is removed."""
    rows: int
    rejects: int = 0
    bytes: int = 0
    state: str = Field(default="sealed", index=True)
    """``sealed``, ``loaded`` or ``pruned``."""
    sweep: str | None = None
    sweep_ends: bool = False
    """The last package of a full read: what that read did not contain is gone."""
    run_id: str | None = None
    sealed_at: dt.datetime = _instant()
    loaded_at: dt.datetime | None = _instant(nullable=True)


class RejectedRow(SQLModel, table=True):
    """A row that could not be used, with its reason."""

    __tablename__ = "rejects"

    id: int | None = _number()
    run_id: str = Field(index=True)
    package_id: str | None = None
    connection: str = Field(index=True)
    stream: str
    location: str
    column: str | None = None
    code: str
    reason: str = Field(sa_column=Column(Text, nullable=False))
    source_id: str | None = None
    raw: str | None = Field(default=None, sa_column=Column(Text))
    at: dt.datetime = _instant(index=True)


class Lease(SQLModel, table=True):
    """The right to do a piece of work alone; expires by itself when its holder dies."""

    __tablename__ = "leases"

    name: str = Field(primary_key=True)
    token: str
    """Random per acquisition: whoever still has it still holds the lease."""
    holder: str
    process: str = ""
    """Names the holder so that processes beside it can tell whether it lives."""
    acquired_at: dt.datetime = _instant()
    expires_at: dt.datetime = _instant()


class Token(SQLModel, table=True):
    """An access token, encrypted."""

    __tablename__ = "tokens"

    name: str = Field(primary_key=True)
    version: int
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    expires_at: dt.datetime | None = _instant(nullable=True)
    renewed_at: dt.datetime = _instant()


class Snapshot(SQLModel, table=True):
    """A published, immutable state of customers, traits and members."""

    __tablename__ = "snapshots"

    seq: int | None = _number()
    id: str = Field(unique=True)
    location: str
    as_of: dt.datetime = _instant()
    content_hash: str
    counts: dict[str, Any] = _json()
    state: str = "published"
    """``published``, ``aside`` (kept for looking back) or ``pruned``; the newest published one is current."""
    published_at: dt.datetime = _instant()


class Plan(SQLModel, table=True):
    """What one sync is about to send: a sealed list of operations, worked off batch by batch."""

    __tablename__ = "plans"

    id: str = Field(primary_key=True)
    sync: str = Field(index=True)
    connection: str
    target: str
    run_id: str
    location: str
    snapshot_id: str
    operations: int
    batches: int
    state: str = Field(default="open", index=True)
    """``open`` or ``closed``."""
    sealed_at: dt.datetime = _instant()
    closed_at: dt.datetime | None = _instant(nullable=True)


class Delivery(SQLModel, table=True):
    """One operation: written before it is sent (``sending``), its outcome right after."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_plan_batch", "plan_id", "batch"), Index("ix_deliveries_key", "sync", "key"))

    id: str = Field(primary_key=True)
    """The operation's id: the idempotency key at the destination."""
    plan_id: str
    batch: int
    run_id: str = Field(index=True)
    sync: str
    connection: str
    target: str
    key: str
    customer_id: str = Field(index=True)
    operation: str
    payload_hash: str
    outcome: str = Field(default="sending", index=True)
    code: str = ""
    message: str = Field(default="", sa_column=Column(Text, nullable=False))
    http_status: int | None = None
    remote_id: str | None = None
    request: str = Field(default="", sa_column=Column(Text, nullable=False))
    """Mapped values of a row that failed, redacted."""
    response: str = Field(default="", sa_column=Column(Text, nullable=False))
    """What the destination answered to a row that failed, redacted."""
    attempts: int = 0
    intended_at: dt.datetime = _instant(index=True)
    decided_at: dt.datetime | None = _instant(nullable=True)


class LedgerEntry(SQLModel, table=True):
    """What a destination last accepted for one row: the other side of every diff.

    Keyed by destination object, not by sync, so that two syncs that write the same object see each other.
    """

    __tablename__ = "ledger"
    __table_args__ = (
        Index("ix_ledger_touched", "connection", "target", "touched"),
        Index(
            "ix_ledger_failing", "sync", "outcome",
            sqlite_where=text("first_failed_at IS NOT NULL"), postgresql_where=text("first_failed_at IS NOT NULL"),
        ),
    )  # fmt: skip

    connection: str = Field(primary_key=True)
    target: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    sync: str = Field(index=True)
    customer_id: str
    accepted_hash: str | None = None
    """Hash of the mapped values last accepted; None when none was, or when it was removed."""
    attempted_hash: str | None = None
    doubtful: bool = False
    """A delivery got no answer, and none was accepted since: other values than the accepted ones may be there."""
    outcome: str
    code: str = ""
    remote_id: str | None = None
    version: int = 0
    """Number of the operation last tried: part of its id, so that going back to an old value is a new event."""
    failures: int = 0
    """Attempts with the same values since the last accepted one."""
    first_failed_at: dt.datetime | None = _instant(nullable=True)
    changed_at: dt.datetime = _instant()
    touched: int = Field(default=0, sa_column=Column(BigInteger(), nullable=False))
    """Counts up with every transaction that changes rows of the target: what has a higher number is newer."""


class TargetState(SQLModel, table=True):
    """A target that was switched off by what its destination answered (410 Gone)."""

    __tablename__ = "target_states"

    connection: str = Field(primary_key=True)
    target: str = Field(primary_key=True)
    state: str
    code: str = ""
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    since: dt.datetime = _instant()


class AuditEntry(SQLModel, table=True):
    """Who did what: merges undone, targets switched on again, data erased."""

    __tablename__ = "audit"

    id: int | None = _number()
    at: dt.datetime = _instant(index=True)
    actor: str
    action: str
    subject: str
    detail: dict[str, Any] = _json()


class IdentityDecision(SQLModel, table=True):
    """What a person decided about two profiles; rows are only ever added, and the newest of a pair is in force."""

    __tablename__ = "identity_decisions"

    id: int | None = _number()
    batch: str = Field(index=True)
    """One command's rows have one batch."""
    rule: str
    """``must_link``, ``cannot_link`` or ``withdrawn``."""
    left: str
    right: str
    """Profile keys; ``left`` comes first in order."""
    command: str
    """``merge``, ``unmerge``, ``accept``, ``refuse`` or ``withdraw``."""
    actor: str
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    at: dt.datetime = _instant()


class Tombstone(SQLModel, table=True):
    """A record or an identifier of a person who was forgotten, as a keyed digest that leads nobody back to it."""

    __tablename__ = "tombstones"

    digest: str = Field(primary_key=True)
    erasure: str = Field(index=True)
    at: dt.datetime = _instant()
    """What the person did until then stays away; what he does later begins anew."""


class Erasure(SQLModel, table=True):
    """A person's wish to be forgotten, and how far the hub has come with it."""

    __tablename__ = "erasures"

    id: str = Field(primary_key=True)
    at: dt.datetime = _instant()
    actor: str
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    counts: dict[str, Any] = _json()
    """Rows that were found, by place."""
    sealed: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    """Who it is, encrypted; nothing once everything is gone."""
    done_at: dt.datetime | None = _instant(nullable=True)
