"""From an identifier, as a person writes it, to the customers that carry it: in memory, in microseconds."""

from __future__ import annotations

import pyarrow as pa

from identity.normalise import account, email, number, phone
from identity.tables import State
from identity.workspace import Workspace

__all__ = ["Finder"]


class Finder:
    """An index over all identifiers of a state; it holds as much memory as they do.

    Args:
        state: of the last run; the index does not follow later ones.
    """

    def __init__(self, state: State) -> None:
        with Workspace() as work:
            work.put(link=state.links, member=state.memberships)
            table = work.table(
                """SELECT link.value, min(member.customer) AS customer FROM link JOIN member USING (profile)
                   WHERE status = 'key' AND NOT contains(kind, '+') GROUP BY link.value, member.customer ORDER BY ALL"""
            ).combine_chunks()
        self._values: pa.Array = table["value"].combine_chunks()
        self._customers: pa.Array = table["customer"].combine_chunks()

    def customers(self, text: str) -> list[str]:
        """The customers that carry an identifier, sorted; of any kind whose normal form the text has."""
        forms = {text.strip(), *(form(text).value for form in (phone, email, number, account))}
        return sorted({customer for value in forms if value for customer in self._of(value)})

    def _of(self, value: str) -> list[str]:
        place, found = self._first(value), []
        while place < len(self._values) and self._values[place].as_py() == value:
            found.append(self._customers[place].as_py())
            place += 1
        return found

    def _first(self, value: str) -> int:
        """Place of the first value that is not smaller; DuckDB sorts texts as Python does, by code point."""
        low, high = 0, len(self._values)
        while low < high:
            middle = (low + high) // 2
            if self._values[middle].as_py() < value:
                low = middle + 1
            else:
                high = middle
        return low
