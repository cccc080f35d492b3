"""Targets ``level``, ``details`` and ``tag``: what is kept in a member's base data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from hub.destination import Operation, OperationKind, Outcome
from hub.errors import RowError
from plugins.pos.pospal.api import Api
from plugins.pos.pospal.values import text
from plugins.pos.pospal.writing.common import Desk, as_text, done, invalid, refusal_of, unchanged

__all__ = ["DetailWriter", "LevelWriter", "RemarkTags"]

_WRITABLE: Final = frozenset(
    ("name", "birthday", "qq", "email", "address", "remarks", "discount", "onAccount", "expiryDate")
)
_EXTRA: Final = frozenset(("nickName", "lunarBirthday", "creditLimit", "creditPeriod"))
_REMARK_LONGEST: Final = 500
_SEPARATOR: Final = "、"


def _one_by_one(carry_out: Callable[[Operation], Outcome], operations: Iterable[Operation]) -> Iterator[Outcome]:
    for operation in operations:
        try:
            yield carry_out(operation)
        except RowError as error:
            yield refusal_of(operation, error)


class DetailWriter:
    """Writes base data. A blank field is left as it is by the platform, so nothing can be emptied."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def write(self, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Carry out the operations one by one; a repeat changes nothing more."""
        return _one_by_one(self._carry_out, operations)

    def _carry_out(self, operation: Operation) -> Outcome:
        unknown = sorted(set(operation.values) - _WRITABLE - _EXTRA)
        if unknown:
            fields = ", ".join(sorted(_WRITABLE | _EXTRA))
            return invalid(operation, "field_unknown", f"{', '.join(unknown)} cannot be written; there are {fields}.")
        wanted = {name: as_text(value) for name, value in operation.values.items() if as_text(value)}
        if not wanted:
            return unchanged(operation, "Nothing to write: empty values leave a member as it is.")
        return self.update(operation, wanted)

    def update(self, operation: Operation, wanted: Mapping[str, str]) -> Outcome:
        """Write the fields that differ."""
        counter, member = self.desk.member(operation.key)
        details = member.get("extInfo") or {}
        base = {
            name: value for name, value in wanted.items() if name not in _EXTRA and as_text(member.get(name)) != value
        }
        extra = {
            name: value for name, value in wanted.items() if name in _EXTRA and as_text(details.get(name)) != value
        }
        if not base and not extra:
            return unchanged(operation, "Already so.")
        info: dict[str, Any] = {"customerUid": int(operation.key), **base, **({"extInfo": extra} if extra else {})}
        counter.client.change(Api.MEMBER_UPDATE, {"customerInfo": info}, repeatable=True)
        return done(operation)


class LevelWriter(DetailWriter):
    """Puts members into a level (会员等级), which must exist."""

    def _carry_out(self, operation: Operation) -> Outcome:
        level = as_text(operation.values.get("level"))
        if self.levels and level not in self.levels:
            known = ", ".join(sorted(self.levels))
            return invalid(operation, "level_unknown", f"There is no such level; there are: {known}.")
        return self.update(operation, {"categoryName": level})

    @cached_property
    def levels(self) -> frozenset[str]:
        """The names of the levels, of all shops."""
        names: set[str] = set()
        for shop in self.desk.config.leaders:
            rows = self.desk.counters.of(shop).client.ask(Api.LEVELS) or ()
            names |= {name for row in rows if (name := text(row.get("name")))}
        return frozenset(names)


class RemarkTags(DetailWriter):
    """Keeps segments as words in a member's remark, where cashiers see them: ``【标签:高价值、新客】``.

    Pospal has no interface for tags. What staff wrote around the brackets stays.
    """

    def _carry_out(self, operation: Operation) -> Outcome:
        head = self.desk.config.writing.remark_head
        wanted = [] if operation.kind is OperationKind.DELETE else self._words(operation.values)
        _, member = self.desk.member(operation.key)
        before = text(member.get("remarks")) or ""
        after = with_words(before, head, wanted)
        if after == before:
            return unchanged(operation, "Already so.")
        if len(after) > _REMARK_LONGEST:
            return invalid(operation, "remark_long", f"The remark would be longer than {_REMARK_LONGEST} characters.")
        # The platform leaves a member as it is where a field is blank, so the brackets stay when nothing else does.
        return self.update(operation, {"remarks": after or f"【{head}:】"})

    def _words(self, values: Mapping[str, Any]) -> list[str]:
        names = self.desk.config.writing.tag_names
        found: list[str] = []
        for field, value in values.items():
            if isinstance(value, list | tuple):
                found += [as_text(each) for each in value]
            elif value is True:
                found.append(field)
            elif value not in (None, False, ""):
                found.append(f"{names.get(field, field)}={as_text(value)}")
        return [names.get(word, word) for word in dict.fromkeys(found)]


def with_words(remark: str, head: str, words: Sequence[str]) -> str:
    """Return a remark with just these words in its brackets; what stands outside is kept."""
    pattern = re.compile(rf"\s*【{re.escape(head)}:[^】]*】")
    kept = pattern.sub("", remark).strip()
    clean = [word.replace("【", "").replace("】", "").replace(_SEPARATOR, " ") for word in words]
    if not clean:
        return kept
    return f"{kept} 【{head}:{_SEPARATOR.join(clean)}】".strip()
