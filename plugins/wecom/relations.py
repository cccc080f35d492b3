"""Whose customers are they? The relations that target ``tag`` and ``remark`` write to, with what they hold now."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from hub.errors import RowError
from hub.runtime import Runtime
from plugins.wecom.client import BATCH_LIMIT, WecomClient
from plugins.wecom.collection import Collection, Gathered, collect
from plugins.wecom.config import BELONGING, StaffChoice

__all__ = ["Follow", "Relations", "chosen"]

Follow = Mapping[str, Any]
"""One relation as the platform gives it."""

_FEW: Final = 100


def chosen(follows: Iterable[Follow], choice: StaffChoice, guide: str | None = None) -> list[Follow]:
    """Return the relations that are to be written.

    Args:
        follows: every relation of one customer.
        choice: ``all``, ``belonging``, or userids.
        guide: the belonging guide as the hub knows it; where it is not known, or does not follow the customer, the one
            who has followed longest stands in.
    """
    found = sorted(follows, key=lambda follow: (int(follow.get("createtime") or 0), str(follow["userid"])))
    if choice == BELONGING:
        return [follow for follow in found if follow["userid"] == guide] or found[:1]
    if choice == "all":
        return found
    return [follow for follow in found if follow["userid"] in choice]


class Relations:
    """Looks up relations: one by one where few are asked for, and all at once where that is cheaper.

    Args:
        client: the corp's API.
        runtime: time and the scratch folder.
        customers: how many customers there are, as far as is known.
    """

    def __init__(self, client: WecomClient, runtime: Runtime, customers: int) -> None:
        self._client = client
        self._runtime = runtime
        # One call gives a hundred relations in a full read, and one customer otherwise.
        self._worth_a_sweep = max(_FEW, customers // BATCH_LIMIT)
        self._looked_up = 0
        self._all: Collection | None = None

    def of(self, identifiers: Sequence[str]) -> Iterator[Gathered | None]:
        """Give each customer's relations in order, or None where :meth:`look_up` must ask; no call per customer is made."""
        self._looked_up += len(identifiers)
        if self._all is None and self._looked_up > self._worth_a_sweep:
            self._gather()
        for identifier in identifiers:
            yield self._all.customer(identifier) if self._all else None

    def _gather(self) -> None:
        collection = self.sweep()
        if collection.unread():
            # Relations are missing, and nobody can tell of whom: every customer is asked for.
            collection.remove()
            self._worth_a_sweep = sys.maxsize
        else:
            self._all = collection

    def look_up(self, identifier: str) -> Gathered:
        """Ask the platform for one customer; may be called from any thread.

        Raises:
            RowError: nobody follows this customer, or the id is not known.
        """
        answer = self._client.contact(identifier)
        follows = answer.get("follow_user") or []
        if not follows:
            raise RowError("Nobody follows this customer.", code="wecom_no_relation")
        return Gathered(identifier, answer.get("external_contact") or {}, follows)

    def sweep(self) -> Collection:
        """Read every relation into a new file in the scratch folder.

        Raises:
            HubError: the customers cannot be read.
        """
        collection = Collection(self._runtime.scratch / f"relations-{uuid.uuid4().hex}.db")
        try:
            collection.begin(sorted(set(self._client.follow_users())), self._runtime.now(), 0)
            collect(self._client, collection, self._runtime.now)
        except BaseException:
            collection.remove()
            raise
        return collection

    def close(self) -> None:
        """Remove what was gathered."""
        if self._all is not None:
            self._all.remove()
            self._all = None
