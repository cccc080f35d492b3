"""Target ``tag``: a customer carries just the tags that a sync wants, among those the hub keeps for itself."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from hub.chunks import chunks
from hub.destination import Operation, OperationKind, Outcome, RemoteRow
from hub.errors import RetryError, RowError, StreamError
from hub.http import lists_of, numbered_pages, time_windows
from plugins.youzan.api import Api
from plugins.youzan.client import YouzanClient
from plugins.youzan.config import TagSettings, TagStyle, TimeUnit
from plugins.youzan.reading.common import Shop, begin_of
from plugins.youzan.reading.customer_list import CustomerList
from plugins.youzan.writing.common import (
    OPERATE_SOURCE,
    as_text,
    done,
    invalid,
    one_by_one,
    refuse_unless_done,
    unchanged,
    user,
)

__all__ = ["TagWriter", "wanted_tags"]

_NAME_LENGTH: Final = 30
_GROUP_PAGE: Final = 50
_STEP: Final = dt.timedelta(days=90)
_SEVERAL: Final = 1
_ALL_TAGS: Final = 2


def wanted_tags(values: Mapping[str, Any], settings: TagSettings) -> set[str]:
    """Return the names of the tags that mapped values stand for.

    A list gives a tag per element (``segments``), a true flag one named like its field, anything else ``field:value``.
    """
    found: set[str] = set()
    for name, value in values.items():
        if isinstance(value, bool):
            found |= {name} if value else set()
        elif isinstance(value, list | tuple):
            found |= {as_text(item) for item in value}
        elif value not in (None, ""):
            found.add(f"{settings.names.get(name, name)}:{as_text(value)}")
    prefix = settings.prefix if settings.style is TagStyle.NAME else ""
    return {prefix + settings.names.get(name, name) for name in found}


class _Tags(ABC):
    """One of Youzan's two tag systems."""

    most: int

    @abstractmethod
    def prepare(self, names: set[str]) -> None:
        """Make sure that these tags exist."""

    @abstractmethod
    def of(self, operation: Operation) -> set[str]:
        """Return which of the hub's tags a customer has."""

    @abstractmethod
    def add(self, operation: Operation, names: Sequence[str]) -> None:
        """Give a customer tags."""

    @abstractmethod
    def remove(self, operation: Operation, names: Sequence[str]) -> None:
        """Take tags from a customer."""

    @abstractmethod
    def known(self) -> Mapping[str, int]:
        """Return the hub's tags with their ids."""


class _GroupTags(_Tags):
    """Tags of one group (标签组), addressed by id."""

    most = 50

    def __init__(self, client: YouzanClient, settings: TagSettings) -> None:
        self._client = client
        self._group = settings.group
        self._id: int | None = None
        self._ids: dict[str, int] = {}

    def known(self) -> Mapping[str, int]:
        self._load()
        return self._ids

    def prepare(self, names: set[str]) -> None:
        if self._id is None and not self._load():
            self._make_group()
        for name in sorted(names - self._ids.keys()):
            self._make_tag(name)

    def _load(self) -> bool:
        def fetch(page: int) -> Mapping[str, Any]:
            asked = {"page": page, "page_size": _GROUP_PAGE, "tag_category_name": self._group}
            data: Mapping[str, Any] = self._client.ask(Api.TAG_GROUP_LIST, asked).get("data") or {}
            return data

        # The name may be a search word: only the very same name is ours.
        for data in numbered_pages(fetch, items=lambda data: data.get("items") or (), size=_GROUP_PAGE):
            for group in data["items"]:
                if group.get("tag_category_name") == self._group:
                    self._id = int(group["tag_category_id"])
                    self._ids = {str(tag["tag_name"]): int(tag["tag_id"]) for tag in group.get("tags") or ()}
                    return True
        return False

    def _make_group(self) -> None:
        body = {
            "tag_category_name": self._group,
            "tag_add_rule": _SEVERAL,
            "tag_category_status": 0,
            "operate_source": OPERATE_SOURCE,
        }
        self._make(Api.TAG_GROUP_CREATE, body)
        if not self._load():
            raise StreamError(
                f"The tag group {self._group} could not be made.",
                code="youzan_tag_group_missing",
                hint="Make it in Youzan's console (客户 > 标签管理), or name another as tags.group.",
            )

    def _make_tag(self, name: str) -> None:
        body = {"tag_name": name, "tag_category_id": self._id, "operate_source": OPERATE_SOURCE}
        self._make(Api.TAG_CREATE, {"tag_template_create_d_t_o": body})
        if not self._load() or name not in self._ids:
            raise StreamError(
                "A tag could not be made.",
                code="youzan_tag_missing",
                hint="Make it in Youzan's console, in the hub's tag group.",
            )

    def _make(self, method: Any, body: Mapping[str, Any]) -> None:
        """Make something with a name of its own; that it exists already, or may exist, is told by reading."""
        try:
            self._client.change(method, body, repeatable=False)
        except RowError:
            return
        except RetryError as error:
            if not error.sent:
                raise

    def of(self, operation: Operation) -> set[str]:
        asked = {
            "account": user(operation),
            "display_type": _ALL_TAGS,
            "filter_invalid_tag": True,
            "filter_category_tag": False,
        }
        data = self._client.change(Api.TAGS_OF, asked, repeatable=True).data.get("data") or {}
        mine = set(self._ids.values())
        return {str(tag["name"]) for tag in data.get("tags") or () if tag.get("tag_id") in mine}

    def add(self, operation: Operation, names: Sequence[str]) -> None:
        self._relate(Api.TAGS_ADD, operation, names)

    def remove(self, operation: Operation, names: Sequence[str]) -> None:
        self._relate(Api.TAGS_DELETE, operation, names)

    def _relate(self, method: Any, operation: Operation, names: Sequence[str]) -> None:
        body = {
            "account": user(operation),
            "tag_ids": [self._ids[name] for name in names],
            "operate_source": OPERATE_SOURCE,
        }
        refuse_unless_done(self._client.change(method, body, repeatable=True).data)


class _NamedTags(_Tags):
    """Tags without a group, addressed by name; the hub's begin with a prefix."""

    most = 20

    def __init__(self, client: YouzanClient, settings: TagSettings) -> None:
        self._client = client
        self._prefix = settings.prefix

    def known(self) -> Mapping[str, int]:
        raise StreamError(
            "Tags without a group cannot be listed.",
            code="youzan_tags_unlisted",
            hint='Use tags.style = "group" to read tags back.',
        )

    def prepare(self, names: set[str]) -> None:
        """Unknown names are made by giving them."""

    @staticmethod
    def _account(operation: Operation) -> dict[str, Any]:
        return {"account_type": "YzOpenId", "account_id": operation.key}

    def of(self, operation: Operation) -> set[str]:
        data = self._client.change(Api.NAMED_TAGS_OF, self._account(operation), repeatable=True).data.get("data") or ()
        return {name for tag in data if (name := str(tag.get("tag_name"))).startswith(self._prefix)}

    def add(self, operation: Operation, names: Sequence[str]) -> None:
        self._relate(Api.NAMED_TAGS_ADD, operation, names)

    def remove(self, operation: Operation, names: Sequence[str]) -> None:
        self._relate(Api.NAMED_TAGS_DELETE, operation, names)

    def _relate(self, method: Any, operation: Operation, names: Sequence[str]) -> None:
        body = {**self._account(operation), "tags": [{"tag_name": name} for name in names]}
        refuse_unless_done(self._client.change(method, body, repeatable=True).data)


class TagWriter:
    """Writes tags: one call to look, and one to add and one to remove where something differs."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._settings = shop.config.tags
        kind = _GroupTags if self._settings.style is TagStyle.GROUP else _NamedTags
        self._tags: _Tags = kind(shop.client, self._settings)

    def write(self, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Bring the customers' tags to what is wanted."""
        rows = list(operations)
        wanted = {row.id: self._wanted(row) for row in rows}
        self._tags.prepare({name for names in wanted.values() for name in names if len(name) <= _NAME_LENGTH})
        yield from one_by_one(lambda row: self._bring(row, wanted[row.id]), rows, self._shop.config.workers)

    def _wanted(self, operation: Operation) -> set[str]:
        return set() if operation.kind is OperationKind.DELETE else wanted_tags(operation.values, self._settings)

    def _bring(self, operation: Operation, wanted: set[str]) -> Outcome:
        if any(len(name) > _NAME_LENGTH for name in wanted):
            message = f"A tag's name has more than {_NAME_LENGTH} characters; give it a shorter one in tags.names."
            return invalid(operation, "tag_name_long", message)
        has = self._tags.of(operation)
        if has == wanted:
            return unchanged(operation, "The customer has just these tags.")
        for names in chunks(sorted(has - wanted), self._tags.most):
            self._tags.remove(operation, names)
        for names in chunks(sorted(wanted - has), self._tags.most):
            self._tags.add(operation, names)
        return done(operation)

    def read_back(self) -> Iterator[RemoteRow]:
        """Give every customer with a tag of the hub, once per tag."""
        until = self._shop.runtime.now()
        for name, tag in sorted(self._tags.known().items()):
            listing = CustomerList(self._shop, [tag])
            unit = listing.unit(until) or TimeUnit.SECONDS
            windows = time_windows(begin_of(self._shop.config.customers.since), until, step=_STEP)
            for page in lists_of(listing.windowed(unit), windows):
                for row in page.rows:
                    yield RemoteRow(str(row["yz_open_id"]), {"tag": name}, str(tag))
