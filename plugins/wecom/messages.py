"""Target ``message``: mass-message tasks (企业群发) that guides confirm in their client. Never repeated, and capped.

Creating a task is accepted; whether a customer got the message shows when the guide has pressed send. A push may wait for
that (``wait_seconds``); the stream ``message_results`` tells it later in any case.
"""

from __future__ import annotations

import calendar
import datetime as dt
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hub.destination import Operation, Outcome, OutcomeStatus
from hub.errors import HubError, RetryError, StreamError
from hub.redaction import redact
from hub.runtime import Runtime
from plugins.wecom.client import WecomClient
from plugins.wecom.config import MessageSettings
from plugins.wecom.errors import code_of
from plugins.wecom.mapping import CHINA
from plugins.wecom.outcomes import invalid

__all__ = ["MESSAGE_BATCH", "MessageLog", "Messenger"]

MESSAGE_BATCH: Final = 10_000
"""Most customers in one task."""

_LONGEST_TEXT: Final = 4000
_FIELDS: Final = frozenset({"text", "sender"})
_NOBODY: Final = frozenset({"41048", "40096"})
_FIRST_LOOK: Final = 60.0
"""Results can be asked for only when the platform has handed the task out."""
_NEXT_LOOK: Final = 30.0
_KEPT_DAYS: Final = 62
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS sent (id TEXT, operation TEXT, day TEXT, PRIMARY KEY (id, operation)) WITHOUT ROWID"
)


class MessageLog:
    """Who was sent something on which day, for the caps per day and month.

    Args:
        folder: the connection's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._db = sqlite3.connect(folder / "messages.db", isolation_level=None, timeout=10)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(_TABLE)
        (folder / "messages.db").chmod(0o600)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def counts(self, identifier: str, day: dt.date) -> tuple[int, int]:
        """Return how many messages a customer was sent on a day, and in its month until then."""
        sql = "SELECT count(*) FILTER (WHERE day = ?), count(*) FROM sent WHERE id = ? AND day BETWEEN ? AND ?"
        row = self._db.execute(sql, [str(day), identifier, str(day.replace(day=1)), str(day)]).fetchone()
        return int(row[0]), int(row[1])

    def add(self, operations: Iterable[Operation], day: dt.date) -> None:
        """Count messages, before they are sent: what may have been sent counts."""
        with self._db:
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT OR REPLACE INTO sent VALUES (?, ?, ?)", [(each.key, each.id, str(day)) for each in operations]
            )
            self._db.execute("DELETE FROM sent WHERE day < ?", [str(day - dt.timedelta(days=_KEPT_DAYS))])

    def take_back(self, operations: Iterable[Operation]) -> None:
        """Uncount messages that were certainly not sent."""
        with self._db:
            self._db.execute("BEGIN")
            self._db.executemany(
                "DELETE FROM sent WHERE id = ? AND operation = ?", [(each.key, each.id) for each in operations]
            )


class Messenger:
    """Writes target ``message``.

    Args:
        client: the corp's API.
        settings: text, caps, patience.
        runtime: time and sleep.
        folder: the connection's folder.
    """

    def __init__(self, client: WecomClient, settings: MessageSettings, runtime: Runtime, folder: Path) -> None:
        self._client = client
        self._settings = settings
        self._runtime = runtime
        self._folder = folder

    def write(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """Create one task per text and sender.

        Raises:
            RetryError: a task may or may not have been created; its rows get no outcome.
            HubError: what concerns all rows.
        """
        log = MessageLog(self._folder)
        try:
            tasks: dict[tuple[str, str], list[Operation]] = {}
            counted: dict[str, int] = {}
            for operation in operations:
                outcome = self._held_back(operation, log, counted.get(operation.key, 0))
                if outcome:
                    yield outcome
                else:
                    counted[operation.key] = counted.get(operation.key, 0) + 1
                    tasks.setdefault(self._content(operation), []).append(operation)
            for (sender, text), members in tasks.items():
                yield from self._send(sender, text, members, log)
        finally:
            log.close()

    def _content(self, operation: Operation) -> tuple[str, str]:
        values = operation.values
        return str(values.get("sender") or self._settings.sender), str(values.get("text") or self._settings.text)

    def _today(self) -> dt.date:
        return self._runtime.now().astimezone(CHINA).date()

    def _held_back(self, operation: Operation, log: MessageLog, already: int) -> Outcome | None:
        """Return why a row is not sent, if it is not."""
        _, text = self._content(operation)
        unknown = operation.values.keys() - _FIELDS
        if unknown:
            return invalid(
                operation, "value_not_usable", f"there is no field {sorted(unknown)[0]!r}; map text or sender"
            )
        if len(text.encode()) > _LONGEST_TEXT:
            return invalid(operation, "text_too_long", f"the text has more than {_LONGEST_TEXT} bytes")
        if not text and not self._settings.attachments:
            return invalid(operation, "message_empty", "there is neither a text nor an attachment")
        day = self._today()
        on_day, in_month = log.counts(operation.key, day)
        per_month = self._settings.per_month or calendar.monthrange(day.year, day.month)[1]
        if on_day + already >= self._settings.per_day or in_month + already >= per_month:
            reason = "The customer has been sent as many messages as per_day or per_month allow."
            return Outcome(operation.id, OutcomeStatus.SUPPRESSED, "frequency_cap", reason)
        return None

    def _send(self, sender: str, text: str, members: Sequence[Operation], log: MessageLog) -> Iterator[Outcome]:
        log.add(members, self._today())
        try:
            answer = self._client.send_message(self._body(sender, text, members))
        except RetryError as error:
            if not error.sent:
                log.take_back(members)
            raise
        except HubError as error:
            log.take_back(members)
            if not isinstance(error, StreamError) or code_of(error) not in _NOBODY:
                raise
            message = redact(f"{error.message} {error.hint}")
            code = code_of(error)
            yield from (Outcome(each.id, OutcomeStatus.REJECTED, code, message).answered(error) for each in members)
            return
        failed = {str(identifier) for identifier in answer.get("fail_list") or []}
        out = [each for each in members if each.key in failed]
        log.take_back(out)
        reason = "The platform says that the customer cannot be reached."
        yield from (Outcome(each.id, OutcomeStatus.REJECTED, "unreachable", reason) for each in out)
        yield from self._results(str(answer["msgid"]), [each for each in members if each.key not in failed])

    def _body(self, sender: str, text: str, members: Sequence[Operation]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "chat_type": "single",
            "external_userid": [each.key for each in members],
            "allow_select": self._settings.allow_select,
        }
        optional = {"sender": sender, "text": {"content": text} if text else None}
        return body | {key: value for key, value in optional.items() if value} | self._attachments()

    def _attachments(self) -> dict[str, Any]:
        return {"attachments": list(self._settings.attachments)} if self._settings.attachments else {}

    # What became of it.

    def _results(self, msgid: str, members: Sequence[Operation]) -> Iterator[Outcome]:
        """Give an outcome for each customer, after waiting for the guides as long as is configured."""
        statuses: Mapping[str, int] = {}
        waited, pause = 0.0, _FIRST_LOOK
        while waited + pause <= self._settings.wait_seconds and len(statuses) < len(members):
            self._runtime.sleep(pause)
            waited, pause = waited + pause, _NEXT_LOOK
            statuses = self._look(msgid)
        for operation in members:
            yield _outcome(operation, msgid, statuses.get(operation.key, 0))

    def _look(self, msgid: str) -> dict[str, int]:
        """Return the status of every customer whose message is decided."""
        statuses: dict[str, int] = {}
        try:
            for task in self._client.message_tasks(msgid) or []:
                for row in self._client.message_results(msgid, str(task["userid"])) or []:
                    if row.get("status"):
                        statuses[str(row.get("external_userid"))] = int(row["status"])
        except HubError as error:
            # The task exists: that its results cannot be read must not look as if it did not.
            self._runtime.log.warning("results of a mass message cannot be read yet: %s", error.code)
        return statuses


def _outcome(operation: Operation, msgid: str, status: int) -> Outcome:
    accepted, rejected, suppressed = OutcomeStatus.ACCEPTED, OutcomeStatus.REJECTED, OutcomeStatus.SUPPRESSED
    known = {
        0: (accepted, "waiting_for_guide", "The task is with the guide, who has not pressed send."),
        1: (accepted, "", ""),
        2: (rejected, "not_a_friend", "The customer is no contact of the guide any more."),
        3: (suppressed, "platform_cap", "The customer has got as many mass messages as the platform allows."),
    }
    found, code, reason = known.get(
        status, (OutcomeStatus.UNKNOWN, f"status_{status}", "The platform's status is not known.")
    )
    return Outcome(operation.id, found, code, reason, remote_id=msgid)
