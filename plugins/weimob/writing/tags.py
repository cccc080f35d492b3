"""Target ``tag``: a customer carries just the values that a sync wants, among those of the tags that the hub keeps for itself.

Weimob's tags have values: the hub keeps one tag of several choices (多选), whose values are segments and scores. A tag holds twenty
values at most; more go to ``NAME 2``, ``NAME 3`` and so on. Customers are bound fifty at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.chunks import chunks
from hub.destination import Operation, OperationKind, Outcome
from hub.errors import RowError, StreamError
from plugins.weimob.answers import failures
from plugins.weimob.api import Api, Capability
from plugins.weimob.config import TagSettings
from plugins.weimob.reading.common import Merchant, pages_of
from plugins.weimob.values import text
from plugins.weimob.writing.common import as_text, done, first_failure, invalid, named_as_failed, needed, unchanged

__all__ = ["TagWriter", "wanted_values"]

_NAME_LENGTH: Final = 30
_VALUES: Final = 20
_READ: Final = 20
_BIND: Final = 50
_PAGE: Final = 20
_SEVERAL: Final = 1
_EXTERNAL: Final = 2
_OPEN_API: Final = 2
_WHY: Final = "Writing tags"

Value = tuple[int, int]
"""Tag id and value id."""


def wanted_values(values: Mapping[str, Any], settings: TagSettings) -> set[str]:
    """Return the names of the tag values that mapped values stand for.

    A list gives one per element (``segments``), a true flag one named like its field, anything else ``field:value``.
    """
    found: set[str] = set()
    for name, value in values.items():
        if isinstance(value, bool):
            found |= {name} if value else set()
        elif isinstance(value, list | tuple):
            found |= {as_text(item) for item in value}
        elif value not in (None, ""):
            found.add(f"{settings.names.get(name, name)}:{as_text(value)}")
    return {settings.names.get(name, name) for name in found}


@dataclass
class _Book:
    """The hub's tags as the platform has them: ids by name of value, and how full each tag is."""

    ids: dict[str, Value]
    sizes: dict[int, int]

    @property
    def names(self) -> Mapping[Value, str]:
        return {value: name for name, value in self.ids.items()}


class TagWriter:
    """Writes tags: one call to look at twenty customers, one per fifty and kind of change."""

    def __init__(self, merchant: Merchant) -> None:
        self._merchant = merchant
        self._settings = merchant.config.tags
        self._book: _Book | None = None

    def write(self, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Bring the customers' tags to what is wanted."""
        rows = list(operations)
        wanted = {row.id: self._wanted(row) for row in rows}
        book = self._prepared({name for names in wanted.values() for name in names if len(name) <= _NAME_LENGTH})
        good = [row for row in rows if all(len(name) <= _NAME_LENGTH for name in wanted[row.id])]
        named = {row.id for row in good}
        for row in rows:
            if row.id not in named:
                message = (
                    f"A tag value's name has more than {_NAME_LENGTH} characters; give it a shorter one in tags.names."
                )
                yield invalid(row, "tag_name_long", message)
        yield from self._bring(good, {row.id: {book.ids[name] for name in wanted[row.id]} for row in good}, book)

    def _wanted(self, operation: Operation) -> set[str]:
        return set() if operation.kind is OperationKind.DELETE else wanted_values(operation.values, self._settings)

    def _bring(self, rows: Sequence[Operation], wanted: Mapping[str, set[Value]], book: _Book) -> Iterator[Outcome]:
        has = self._of([row.key for row in rows], book)
        missing, surplus = (
            defaultdict[frozenset[Value], list[str]](list),
            defaultdict[frozenset[Value], list[str]](list),
        )
        for row in rows:
            for found, values in ((surplus, has[row.key] - wanted[row.id]), (missing, wanted[row.id] - has[row.key])):
                if values:
                    found[frozenset(values)].append(row.key)
        failed = {**self._relate(Api.TAGS_UNBIND, surplus), **self._relate(Api.TAGS_BIND, missing)}
        for row in rows:
            if row.key in failed:
                yield named_as_failed(row, *failed[row.key])
            elif has[row.key] == wanted[row.id]:
                yield unchanged(row, "The customer has just these tags.")
            else:
                yield done(row)

    # ---- customers ---------------------------------------------------------------------------------------------------

    def _of(self, wids: Sequence[str], book: _Book) -> dict[str, set[Value]]:
        """Return which of the hub's values customers have."""
        found: dict[str, set[Value]] = {wid: set() for wid in wids}
        mine = set(book.ids.values())
        for part in chunks(dict.fromkeys(wids), _READ):
            asked = {"widList": [int(wid) for wid in part], "isFilterCrow": True, "vid": self._merchant.vid}
            data = self._merchant.client.ask(Api.TAGS_OF, asked) or {}
            for wid, tags in (data.get("customerTagListMap") or {}).items():
                held = {
                    (int(tag["tagId"]), int(value["attrId"])) for tag in tags or () for value in tag.get("customerTagAttrVoList") or ()
                }  # fmt: skip
                found[str(wid)] = held & mine
        return found

    def _relate(
        self, capability: Capability, groups: Mapping[frozenset[Value], Sequence[str]]
    ) -> dict[str, tuple[str, str]]:
        """Bind or unbind groups of customers; return code and words of those that failed."""
        failed: dict[str, tuple[str, str]] = {}
        for values, wids in groups.items():
            for part in chunks(wids, _BIND):
                failed |= self._send(capability, part, values)
        return failed

    def _send(
        self, capability: Capability, wids: Sequence[str], values: frozenset[Value]
    ) -> dict[str, tuple[str, str]]:
        try:
            data = self._merchant.client.change(capability, self._request(capability, wids, values), repeatable=True)
        except RowError as error:
            if len(wids) == 1:
                said = (str(error.context.get("code") or error.code), str(error.context.get("said") or error.message))
                return {wids[0]: said}
            # One of them makes the platform refuse all: find it by halves.
            middle = len(wids) // 2
            return {**self._send(capability, wids[:middle], values), **self._send(capability, wids[middle:], values)}
        named = {str(entry.get("wid")): first_failure([entry]) or ("", "") for entry in failures(data)}
        if named or not _says_failed(data):
            return named
        return self._not_related(capability, wids, values)

    def _request(self, capability: Capability, wids: Sequence[str], values: frozenset[Value]) -> dict[str, Any]:
        config, tags = self._merchant.config, defaultdict[int, list[int]](list)
        for tag, value in sorted(values):
            tags[tag].append(value)
        body = {
            "vid": self._merchant.vid,
            "bosId": int(config.bos_id),
            "productInstanceId": needed(config.product_instance_id, "product_instance_id", _WHY),
            "merchantId": needed(config.merchant_id, "merchant_id", _WHY),
            "tcode": "weimob",
            "operationSource": _OPEN_API,
            "needReturnBindMsg": True,
            "widList": [int(wid) for wid in wids],
            "tagList": [{"tagId": tag, "attrIdList": found} for tag, found in tags.items()],
        }
        return {**body, "needCheckExist": True} if capability is Api.TAGS_BIND else body

    def _not_related(
        self, capability: Capability, wids: Sequence[str], values: frozenset[Value]
    ) -> dict[str, tuple[str, str]]:
        """Older answers say that something failed, not for whom: look who has what now."""
        book = self._book or _Book({}, {})
        has = self._of(wids, book)
        binding = capability is Api.TAGS_BIND
        lacking = [wid for wid in wids if (not values <= has[wid] if binding else bool(values & has[wid]))]
        return dict.fromkeys(lacking, ("weimob_not_done", "The platform says that it did not do it."))

    # ---- the hub's own tags ------------------------------------------------------------------------------------------

    def _prepared(self, names: set[str]) -> _Book:
        """Make sure that these values exist."""
        if self._book is None:
            self._book = self._load()
        missing = sorted(names - self._book.ids.keys())
        for name in missing:
            self._make(name, self._book)
        if missing:
            self._book = self._load()
        lost = names - self._book.ids.keys()
        if lost:
            raise StreamError(
                "A tag value could not be made.",
                code="weimob_tag_missing",
                hint=f"Make it in Weimob's console (客户 > 标签管理) as a value of the tag {self._settings.tag}.",
            )
        return self._book

    def _load(self) -> _Book:
        ids: dict[str, Value] = {}
        sizes: dict[int, int] = {}
        for rows in pages_of(
            self._merchant, Api.TAGS, {"vid": self._merchant.vid, "operationSource": _OPEN_API}, size=_PAGE
        ):
            for tag in rows:
                if not self._is_mine(str(tag.get("tagName"))):
                    continue
                number, values = int(tag["tagId"]), tag.get("openTagAttrVoList") or ()
                sizes[number] = len(values)
                for value in values:
                    ids.setdefault(str(value["attrName"]), (number, int(value["attrId"])))
        return _Book(ids, sizes)

    def _is_mine(self, name: str) -> bool:
        rest = name.removeprefix(self._settings.tag)
        return name == self._settings.tag or (rest != name and rest[:1] == " " and rest[1:].isdecimal())

    def _make(self, name: str, book: _Book) -> None:
        tag = next((number for number, size in sorted(book.sizes.items()) if size < _VALUES), None)
        if tag is None:
            self._make_tag(name, book)
            return
        body = {"tagId": tag, "attrName": name, "vid": self._merchant.vid}
        self._try(Api.TAG_VALUE_CREATE, body)
        book.sizes[tag] += 1

    def _make_tag(self, first: str, book: _Book) -> None:
        name = self._settings.tag if not book.sizes else f"{self._settings.tag} {len(book.sizes) + 1}"
        wish = {
            "source": _EXTERNAL, "tagName": name, "tagType": _SEVERAL, "isPersonal": 0, "tagAttrRequestList": [{"attrName": first}],
        }  # fmt: skip
        body = {
            "vid": self._merchant.vid, "vidType": self._merchant.config.vid_type, "operationSource": _OPEN_API,
            "openCreateTagRequestList": [wish],
        }  # fmt: skip
        data = self._try(Api.TAGS_CREATE, body) or {}
        made: Mapping[str, Any] = next(iter(data.get("listVo") or ()), {})
        if number := text(made.get("tagId")):
            book.sizes[int(number)] = 1

    def _try(self, capability: Capability, body: Mapping[str, Any]) -> Any:
        """Make something with a name of its own; that it exists already is told by reading."""
        try:
            # A repeat cannot make a second one: names are unique.
            return self._merchant.client.change(capability, body, repeatable=True)
        except RowError:
            return None


def _says_failed(data: object) -> bool:
    if not isinstance(data, Mapping):
        return data is False
    return data.get("isSuccess") is False or int(text(data.get("errorCount")) or 0) > 0
