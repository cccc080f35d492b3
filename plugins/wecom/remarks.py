"""Target ``remark``: the hub's own section within what a guide has written about a customer.

The section stands between two marks, ``喜欢连衣裙 〖高价值 90天未购〗``. What stands outside is the guide's and is never changed
or shortened; where it leaves no room, the row is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.destination import Operation, OperationKind, Outcome
from hub.errors import RowError
from hub.http import fan_out
from plugins.wecom.client import WecomClient
from plugins.wecom.collection import Gathered
from plugins.wecom.config import RemarkSettings
from plugins.wecom.outcomes import GUIDE, combined, guide_of, invalid, unreachable
from plugins.wecom.relations import Follow, Relations, chosen

__all__ = ["LIMITS", "Remarker", "with_section"]

LIMITS: Final[Mapping[str, int]] = {"remark": 20, "description": 150}
"""Characters that the platform takes (official document 92115)."""

_PHONE: Final = "phone"
_ELLIPSIS: Final = "…"


def with_section(text: str, section: str, marks: str, limit: int) -> str | None:
    """Return a guide's text with the hub's section put in, changed, or (for an empty one) taken out.

    Args:
        text: what is there now, an older section included.
        section: the hub's words; marks in it are left out, and it is shortened where the room does not suffice.
        marks: the two characters around the section.
        limit: most characters in all.

    Returns:
        The new text; None where the guide's own text leaves no room for a single character.
    """
    opening, closing = marks[0], marks[1]
    pattern = f" ?{re.escape(opening)}[^{re.escape(closing)}]*{re.escape(closing)}"
    words = section.replace(opening, "").replace(closing, "").strip()
    place = re.search(pattern, text)
    before, after = (text[: place.start()], text[place.end() :]) if place else (text, "")
    after = re.sub(pattern, "", after)
    if not words:
        return before + after
    # Always one blank, and always taken out with the section: the guide's own blanks stay what they were.
    gap = " " if before else ""
    room = limit - len(before) - len(gap) - len(after) - len(marks)
    if room < 1:
        return None
    short = words if len(words) <= room else words[: room - 1] + _ELLIPSIS
    return f"{before}{gap}{opening}{short}{closing}{after}"


@dataclass(frozen=True)
class _Row:
    operation: Operation
    gathered: Gathered | None


class Remarker:
    """Writes target ``remark``.

    Args:
        client: the corp's API.
        settings: marks, phones and whose relations.
        relations: looks up relations.
        workers: calls at once.
    """

    def __init__(self, client: WecomClient, settings: RemarkSettings, relations: Relations, workers: int) -> None:
        self._client = client
        self._settings = settings
        self._relations = relations
        self._workers = workers

    def write(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """Write the hub's section into the chosen relations of each customer.

        Raises:
            HubError: what concerns all rows; outcomes known by then are given first.
        """
        usable: list[Operation] = []
        for operation in operations:
            problem = None if operation.kind is OperationKind.DELETE else self._problem(operation.values)
            if problem:
                yield invalid(operation, "value_not_usable", problem)
            else:
                usable.append(operation)
        found = self._relations.of([operation.key for operation in usable])
        rows = (_Row(operation, known) for operation, known in zip(usable, found, strict=True))
        for result in fan_out(self._write_row, rows, workers=self._workers):
            yield result.unwrap()

    def _problem(self, values: Mapping[str, Any]) -> str | None:
        unknown = values.keys() - LIMITS.keys() - {_PHONE, GUIDE}
        if unknown:
            return f"there is no field {sorted(unknown)[0]!r}; the target takes remark, description, phone and guide"
        if values.get(_PHONE) and not self._settings.mobiles:
            return "phones are written only with remark.mobiles = true"
        if not values.keys() & {*LIMITS, _PHONE}:
            return "none of remark, description and phone is mapped"
        return None

    def _write_row(self, row: _Row) -> Outcome:
        try:
            gathered = row.gathered or self._relations.look_up(row.operation.key)
        except RowError as error:
            return unreachable(row.operation, error)
        follows = chosen(gathered.follows, self._settings.staff, guide_of(row.operation))
        is_leaving = row.operation.kind is OperationKind.DELETE
        values = dict.fromkeys(LIMITS, "") if is_leaving else row.operation.values
        return combined(row.operation, [self._write_one(gathered.id, follow, values) for follow in follows])

    def _write_one(self, customer: str, follow: Follow, values: Mapping[str, Any]) -> bool | RowError:
        try:
            changes = self._changes(follow, values)
            if changes:
                self._client.remark(str(follow["userid"]), customer, **changes)
        except RowError as error:
            return error
        return bool(changes)

    def _changes(self, follow: Follow, values: Mapping[str, Any]) -> dict[str, object]:
        changes: dict[str, object] = {}
        for name in LIMITS.keys() & values.keys():
            there = str(follow.get(name) or "")
            wanted = with_section(there, str(values[name] or ""), self._settings.marks, LIMITS[name])
            if wanted is None:
                raise RowError(
                    f"The guide's own {name} leaves no room.", code="no_room", hint="Map a field with more room."
                )
            if wanted != there:
                changes[name] = wanted
        phone, noted = values.get(_PHONE), [str(each) for each in follow.get("remark_mobiles") or [] if each]
        if phone and str(phone) not in noted:
            # The platform replaces the whole list, so what the guide has noted is sent along.
            changes["remark_mobiles"] = [*noted, str(phone)]
        return changes
