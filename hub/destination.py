"""The contract of a destination: where segments and scores go.

A destination lists its targets; for each it takes operations and answers with one outcome per operation, in any order::

    def write(self, target: Target, operations: Iterable[Operation]) -> Iterator[Outcome]:
        for operation in operations:
            reply = self.client.set_tag(operation.key, operation.values)
            yield Outcome(operation.id, OutcomeStatus.ACCEPTED, remote_id=reply["id"])

The hub has written down what it is about to send before ``write`` is called, and writes down each outcome after it. An
operation without an outcome (the process died, the connection dropped) is repeated with the same ``id`` if the target is
idempotent. If it is not, it is ``unknown`` until :meth:`Destination.look_up` tells what became of it.
"""

from __future__ import annotations

import datetime as dt
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

from hub.errors import HubError
from hub.runtime import Runtime
from hub.source import Check, ConnectionConfig
from hub.titles import Title

__all__ = [
    "Destination",
    "Mode",
    "Operation",
    "OperationKind",
    "Outcome",
    "OutcomeStatus",
    "RemoteRow",
    "Target",
]


class Mode(StrEnum):
    """What a sync does with the rows that enter, change and leave."""

    UPSERT = "upsert"
    """Create and update; rows that leave stay at the destination."""
    MIRROR = "mirror"
    """Create, update and remove: the destination holds just what the sync selects."""
    INSERT = "insert"
    """Create only: a row that is there is never touched again."""
    UPDATE = "update"
    """Update only: rows the destination does not have yet are left out."""
    ADD = "add"
    """Add to an audience; whoever leaves the selection stays in it."""
    REMOVE = "remove"
    """Take the selected customers out of an audience, once."""
    DELETE = "delete"
    """Delete the selected rows, once."""

    @property
    def needs(self) -> Mode:
        """The mode a target must offer for this one: whatever removes rows needs ``mirror``."""
        return Mode.MIRROR if self in {Mode.MIRROR, Mode.REMOVE, Mode.DELETE} else Mode.UPSERT

    @property
    def removes_selected(self) -> bool:
        """Whether the selected rows are those that are to go."""
        return self in {Mode.REMOVE, Mode.DELETE}


class OperationKind(StrEnum):
    """What is to be done with one row."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    KEEP = "keep"
    """Already there and unchanged: only given to targets that take the whole set at once."""


class OutcomeStatus(StrEnum):
    """What became of one row."""

    ACCEPTED = "accepted"
    UNCHANGED = "unchanged"
    INVALID = "invalid"
    """Stopped by the hub before sending: no key, a value the target cannot take."""
    SUPPRESSED = "suppressed"
    """Held back: consent, exclusion list, frequency cap, holdout."""
    REJECTED = "rejected"
    """The destination said no to this row."""
    DEFERRED = "deferred"
    """Not sent: a budget was spent or the destination was down; a later run sends it."""
    UNKNOWN = "unknown"
    """Sent, no answer: it may or may not have been done."""


@dataclass(frozen=True, slots=True)
class Target:
    """An object a destination can write.

    Attributes:
        name: unique within the destination.
        title: name for people.
        keys: kinds of key it can be addressed by: ``customer_id``, an identifier kind, or ``profile`` (own source id).
        modes: what a sync may do here.
        batch_size: rows per ``write`` call; None hands over the whole set in one call (a file), whose outcomes must then
            come in the order of the operations.
        whole_set: every delivery carries all rows, unchanged ones as ``keep``.
        idempotent: repeating an operation with the same id changes nothing more.
        readable: whether :meth:`Destination.read_back` works.
        can_look_up: whether :meth:`Destination.look_up` works: for targets that are not idempotent.
        parallel: several batches may be written at the same time, each through an instance of its own: instances share nothing
            that they make on the way, such as a tag that is not there yet.
        required: value names every row must have.
        description: one sentence for ``hub describe``.
    """

    name: str
    title: Title
    keys: tuple[str, ...]
    modes: frozenset[Mode] = frozenset({Mode.UPSERT, Mode.MIRROR})
    batch_size: int | None = 100
    whole_set: bool = False
    idempotent: bool = True
    readable: bool = False
    can_look_up: bool = False
    parallel: bool = False
    required: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing to do to one row.

    Attributes:
        id: stays the same however often the operation is repeated; the destination's idempotency key.
        batch_id: the same for all operations handed over together, and again the same on a repeat.
        kind: what to do.
        key: the row's key at the destination.
        values: mapped values: JSON types, with ``Decimal`` for numbers that are not whole; days and instants as ISO 8601 text.
        customer_id: the hub's own id of the customer.
        remote_id: the destination's id of the row, if it gave one earlier.
    """

    id: str
    batch_id: str
    kind: OperationKind
    key: str
    values: Mapping[str, Any]
    customer_id: str
    remote_id: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one operation.

    Attributes:
        operation_id: the operation's id.
        status: what became of it.
        code: stable machine name of the reason; the platform's own code where there is one.
        message: the reason in one sentence, redacted.
        remote_id: the destination's id of the row, to be used from now on.
        http_status: status of the answer, if one came.
        retry_after: seconds after which trying again makes sense.
        response: what the destination answered, for a row that failed; kept redacted and shortened. :meth:`answered` fills it.
    """

    operation_id: str
    status: OutcomeStatus
    code: str = ""
    message: str = ""
    remote_id: str | None = None
    http_status: int | None = None
    retry_after: float | None = None
    response: str = ""

    def answered(self, error: HubError) -> Outcome:
        """Return the outcome with what the destination answered, as far as the error that came of it knows.

        Args:
            error: of :mod:`hub.http`: its context holds the call, its HTTP status, and the platform's code, words and trace.
        """
        told = {name: error.context[name] for name in _ANSWER if name in error.context}
        status = told.get("status")
        response = json.dumps(told, ensure_ascii=False, default=str) if told.keys() & _SAID else ""
        return replace(
            self,
            http_status=self.http_status or (status if isinstance(status, int) else None),
            response=self.response or response,
        )


_SAID = frozenset({"status", "code", "said", "trace"})
_ANSWER = ("call", "status", "code", "said", "trace")
"""What is kept of an error's context: the call, and what was said to it."""


@dataclass(frozen=True, slots=True)
class RemoteRow:
    """A row as the destination has it now."""

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)
    remote_id: str | None = None


class Destination(ABC):
    """Where segments and scores go. One instance serves one connection for one command.

    Class attributes: as for :class:`hub.source.Source`. One plugin name may have both a source and a destination; they share
    the connection's settings.
    """

    name: ClassVar[str]
    title: ClassVar[Title]
    Config: ClassVar[type[ConnectionConfig]]

    def __init__(self, config: Any, runtime: Runtime) -> None:
        self.config = config
        self.runtime = runtime

    @abstractmethod
    def check(self) -> Sequence[Check]:
        """Try whether the connection can do what it is configured for; never raises for a refused credential."""

    @abstractmethod
    def targets(self) -> Sequence[Target]:
        """List the targets of this connection; cheap, no network."""

    @abstractmethod
    def write(self, target: Target, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Carry out the operations of one batch.

        Raises:
            RetryError: the batch may be tried again (with the same ids if the target is idempotent).
            DeferError: nothing of the rest was sent; a later run sends it.
            StreamError: the target cannot be used; other targets go on.
            AuthError: the connection's credential is refused.
            RowError: the rows without an outcome were refused together and nothing of them was done: the hub hands them
                over again in halves, until each bad row is alone and has the refusal as its outcome.

        ``RetryError(sent=False)``, ``DeferError``, ``StreamError`` and ``AuthError`` say that the operations without an outcome
        were not carried out; after any other error nobody knows. A plugin that sends several at once waits for those under
        way and yields their outcomes before it raises (:func:`hub.http.fan_out` does).
        """

    def read_back(self, target: Target) -> Iterator[RemoteRow]:
        """Read what the destination holds for a ``readable`` target."""
        raise TypeError(f"Target {target.name} of {self.name} is declared readable but cannot be read back.")

    def holds(self, target: Target, operation: Operation | None, rows: Sequence[RemoteRow]) -> bool:  # noqa: ARG002
        """Tell whether the destination's rows of one key are what writing the operation would leave there.

        The default compares every mapped value with the one row's value of the same name.

        Args:
            target: a ``readable`` target.
            operation: what is wanted; None asks whether the rows are as good as none.
            rows: what :meth:`read_back` gave for the key.
        """
        if operation is None:
            return not rows
        found = rows[0].values if len(rows) == 1 else None
        return found is not None and all(
            _canonical(found.get(name)) == _canonical(value) for name, value in operation.values.items()
        )

    def look_up(
        self,
        target: Target,
        operations: Iterable[Operation],  # noqa: ARG002
        since: dt.datetime,  # noqa: ARG002
    ) -> Iterator[Outcome]:
        """Tell what became of operations whose outcome is unknown, for a target that ``can_look_up``.

        Args:
            target: where they were sent.
            operations: as they were sent, with the same ids.
            since: a moment before the first of them was sent.

        Returns:
            ``accepted`` for what was done, ``deferred`` for what was not and may be sent again, ``unknown`` for what cannot be
            told.
        """
        raise TypeError(f"Target {target.name} of {self.name} is declared to be looked up but cannot be.")

    def close(self) -> None:  # noqa: B027 - most destinations hold nothing open
        """Give back what the destination holds open."""


def _canonical(value: object) -> str:
    """Return a value in a form in which equal values are equal texts: 1, 1.0 and "1" are, lists whatever their order."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int | float | Decimal):
        number = Decimal(str(value))
        return format(number.normalize(), "f") if number else "0"
    if isinstance(value, list | tuple | set | frozenset):
        return json.dumps(sorted(map(_canonical, value)))
    return str(value)
