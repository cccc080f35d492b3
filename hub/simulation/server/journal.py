"""The request log: what was called, by whom, when, and what came of it. Redacted as it is written."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import dataclass

from hub.redaction import redact, redact_mapping, redact_url
from hub.simulation.server.call import Call, Reply
from hub.simulation.server.database import Database, to_json

__all__ = ["Counts", "Entry", "Journal"]

_LONGEST_BODY = 2000

_TABLES = """
CREATE TABLE IF NOT EXISTS sim_requests (
  number INTEGER PRIMARY KEY, at REAL NOT NULL, method TEXT NOT NULL, url TEXT NOT NULL, endpoint TEXT NOT NULL,
  grp TEXT NOT NULL, account TEXT NOT NULL, app TEXT NOT NULL, params TEXT NOT NULL, status INTEGER, code TEXT NOT NULL,
  accepted INTEGER NOT NULL, write INTEGER NOT NULL, fault TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS sim_requests_endpoint ON sim_requests (endpoint);
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One logged request.

    Attributes:
        number: 1, 2, 3 … in order of arrival.
        at: Unix seconds of the simulator's clock.
        method: the HTTP method.
        url: path and query, redacted.
        endpoint: the endpoint's name, the path when there is none.
        group: the endpoint's group.
        account: whose data was meant, empty when the caller was not known.
        app: the application that called.
        params: the parameters as JSON, redacted.
        status: the HTTP status, None when nothing was answered.
        code: the platform's business code, empty for a success without one.
        accepted: whether the work was done (the caller may not have heard of it: see ``fault``).
        write: whether the endpoint is a writing one.
        fault: the fault rule that hit the call, empty for none.
    """

    number: int
    at: float
    method: str
    url: str
    endpoint: str
    group: str
    account: str
    app: str
    params: str
    status: int | None
    code: str
    accepted: bool
    write: bool
    fault: str

    @classmethod
    def of(cls, row: sqlite3.Row) -> Entry:
        """Return the entry of a row."""
        values = list(row)
        values[11], values[12] = bool(values[11]), bool(values[12])
        return cls(*values)


@dataclass(frozen=True, slots=True)
class Counts:
    """How often one endpoint was called, did its work, said no, and was hit by a fault."""

    calls: int
    accepted: int
    refused: int
    faults: int


class Journal:
    """Writes and queries the request log."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(_TABLES)

    def add(self, call: Call, reply: Reply | None, *, accepted: bool, fault: str = "", answered: bool = True) -> None:
        """Log one call and what came of it; ``answered`` is false when the answer was thrown away."""
        endpoint = call.endpoint
        secrets = (call.caller.token,)
        self._database.execute(
            "INSERT INTO sim_requests (at, method, url, endpoint, grp, account, app, params, status, code, accepted,"
            " write, fault) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            call.at,
            call.method,
            redact_url(call.url, secrets),
            endpoint.name if endpoint else redact(call.path, secrets),
            endpoint.group if endpoint else "",
            call.caller.account,
            call.caller.app,
            to_json(redact_mapping(call.params, secrets))[:_LONGEST_BODY],
            reply.status if reply is not None and answered else None,
            reply.code if reply is not None else "",
            accepted,
            bool(endpoint and endpoint.write),
            fault,
        )

    def entries(
        self,
        *,
        endpoint: str | None = None,
        group: str | None = None,
        account: str | None = None,
        code: str | None = None,
        fault: str | None = None,
        accepted: bool | None = None,
        write: bool | None = None,
        since: float | None = None,
        until: float | None = None,
        after: int = 0,
        limit: int = -1,
    ) -> list[Entry]:
        """Return the entries that meet every given condition, oldest first.

        Args:
            endpoint: the endpoint's name.
            group: the endpoint's group.
            account: whose data was meant.
            code: the business code.
            fault: the rule that hit the call.
            accepted: whether the work was done.
            write: whether the endpoint is a writing one.
            since: not before this Unix second.
            until: before this Unix second.
            after: behind the entry with this number.
            limit: at most so many; -1 for all.
        """
        wanted = {
            "endpoint": endpoint,
            "grp": group,
            "account": account,
            "code": code,
            "fault": fault,
            "accepted": accepted,
            "write": write,
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        where = "".join(f" AND {name} = :{name}" for name in given)
        found = self._database.rows(
            "SELECT * FROM sim_requests WHERE number > :after AND at >= :since AND at < :until"
            f"{where} ORDER BY number LIMIT :limit",
            {
                **given,
                "after": after,
                "since": since or 0.0,
                "until": math.inf if until is None else until,
                "limit": limit,
            },
        )
        return [Entry.of(row) for row in found]

    def counts(self) -> dict[str, Counts]:
        """Return the counters of every endpoint that was called."""
        found = self._database.rows(
            "SELECT endpoint, count(*), sum(accepted), sum(code != '' AND NOT accepted), sum(fault != '')"
            " FROM sim_requests GROUP BY endpoint ORDER BY endpoint"
        )
        return {row[0]: Counts(*list(row)[1:]) for row in found}

    def calls(self, endpoint: str) -> int:
        """Return how often an endpoint was called."""
        return self.counts().get(endpoint, Counts(0, 0, 0, 0)).calls

    def writes(self, endpoint: str) -> int:
        """Return how often a writing endpoint did its work, whether or not the caller heard of it."""
        return self.counts().get(endpoint, Counts(0, 0, 0, 0)).accepted

    def clear(self) -> None:
        """Forget every entry."""
        self._database.execute("DELETE FROM sim_requests")
