"""What an endpoint's answer means for each row of a request. Pure functions.

An endpoint may say more than its status does, with a JSON body::

    {"results": [{"id": "<event id>", "status": "rejected", "code": "no_such_shop", "message": "门店不存在"}]}

``status`` is ``accepted``, ``unchanged``, ``rejected`` or ``deferred``; ``code`` and ``message`` are optional. A row that
is not named has the status that the HTTP status gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import orjson

from hub.destination import Outcome, OutcomeStatus
from hub.redaction import redact

__all__ = ["Verdict", "halves", "judge", "read_results"]

_STATUSES: Final = {
    "accepted": OutcomeStatus.ACCEPTED,
    "unchanged": OutcomeStatus.UNCHANGED,
    "rejected": OutcomeStatus.REJECTED,
    "deferred": OutcomeStatus.DEFERRED,
}
_TOO_LARGE: Final = 413
_MESSAGE_LENGTH: Final = 200
_RESPONSE_LENGTH: Final = 2_000
_T = TypeVar("_T")


@dataclass(frozen=True)
class Verdict:
    """The judgement on one request.

    Attributes:
        outcomes: rows that are settled.
        open: ids of the rows that must be sent again in smaller requests, in their order.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    open: list[str] = field(default_factory=list)


def read_results(body: bytes) -> dict[str, Mapping[str, Any]]:
    """Return the answer's per-row results by event id; empty where the body is anything else."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    results = data.get("results") if isinstance(data, Mapping) else None
    rows = results if isinstance(results, list) else []
    return {str(row["id"]): row for row in rows if isinstance(row, Mapping) and "id" in row}


def judge(status: int, body: bytes, ids: Sequence[str], secrets: tuple[str, ...] = ()) -> Verdict:
    """Settle the rows of one answered request.

    Success settles every row. A refusal settles the rows that the answer names, and a row that was alone; the others stay
    open, so that one bad row does not cost its neighbours.

    Args:
        status: the HTTP status, 2xx or 4xx.
        body: the answer's body.
        ids: event ids of the request.
        secrets: values that must not be shown.
    """
    named = read_results(body)
    verdict = Verdict()
    for row_id in ids:
        if row_id in named:
            verdict.outcomes.append(_named_outcome(row_id, named[row_id], status, secrets))
        elif status < 300:
            verdict.outcomes.append(Outcome(row_id, OutcomeStatus.ACCEPTED, http_status=status))
        elif len(ids) == 1:
            verdict.outcomes.append(_refused(row_id, status, _excerpt(body, secrets)))
        else:
            verdict.open.append(row_id)
    return verdict


def _excerpt(body: bytes, secrets: tuple[str, ...]) -> str:
    """The beginning of an answer, as it may be shown."""
    return redact(body[:_RESPONSE_LENGTH].decode(errors="replace"), secrets)


def _refused(row_id: str, status: int, response: str) -> Outcome:
    if status == _TOO_LARGE:
        message = "The endpoint says that this event alone is too large; map fewer values."
        return Outcome(
            row_id, OutcomeStatus.REJECTED, "event_too_large", message, http_status=status, response=response
        )
    message = f"The endpoint answered with HTTP status {status}."
    return Outcome(row_id, OutcomeStatus.REJECTED, f"http_{status}", message, http_status=status, response=response)


def _named_outcome(row_id: str, row: Mapping[str, Any], http_status: int, secrets: tuple[str, ...]) -> Outcome:
    status = _STATUSES.get(str(row.get("status")))
    response = _excerpt(orjson.dumps(dict(row)), secrets)
    if status is None:
        message = "The endpoint's answer names this event with a status that is not known."
        return Outcome(
            row_id, OutcomeStatus.UNKNOWN, "answer_unreadable", message, http_status=http_status, response=response
        )
    code, message = (redact(str(row.get(name) or ""), secrets)[:_MESSAGE_LENGTH] for name in ("code", "message"))
    fallback = "endpoint_rejected" if status is OutcomeStatus.REJECTED else ""
    return Outcome(row_id, status, code or fallback, message, http_status=http_status, response=response)


def halves(rows: Sequence[_T]) -> list[Sequence[_T]]:
    """Return the rows in two parts of nearly the same length; one row stays whole."""
    middle = len(rows) // 2
    return [part for part in (rows[:middle], rows[middle:]) if part]
