"""Targets ``attribute``, ``level`` and ``benefit_card``: states of a customer that may be written again and again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from hub.destination import Operation, OperationKind, Outcome
from hub.errors import ConfigError
from hub.http import Unit
from plugins.youzan.api import Api
from plugins.youzan.reading.common import Shop
from plugins.youzan.values import milliseconds, text
from plugins.youzan.writing.common import as_text, done, invalid, one_by_one, refuse_unless_done, unchanged, user

__all__ = ["AttributeWriter", "CardWriter", "LevelWriter"]

_FREE: Final = 1
_HELD: Final = frozenset({"0", "1"})
"""``card_state`` of a card that is good or waits for its first use; the pages name the numbers 0 to 8, not their meaning."""


class AttributeWriter:
    """Writes custom fields (自定义资料项). They must exist in the shop's console; no method makes them."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def write(self, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Bring the customers' fields to the mapped values."""
        return one_by_one(self._bring, operations, self._shop.config.workers)

    def _bring(self, operation: Operation) -> Outcome:
        names = self._shop.config.attributes
        wanted = {names.get(name, name): as_text(value) for name, value in operation.values.items()}
        asked = {"yz_open_id": operation.key, "fields": "user_base", "is_do_ext_point": False}
        detail = self._shop.client.ask(Api.CUSTOMER_DETAIL, asked, unit=Unit.ROW).get("data") or {}
        has = {str(each.get("name")): as_text(each.get("value")) for each in detail.get("customer_attrInfos") or ()}
        changed = {name: value for name, value in wanted.items() if has.get(name, "") != value}
        if not changed:
            return unchanged(operation, "The customer has these values.")
        # Gender must be sent along: without it the method would forget it.
        info = {
            "gender": int(detail.get("gender") or 0),
            "attribute_value_list": [{"name": name, "value": value} for name, value in changed.items()],
        }
        account = {"account_type": "YzOpenId", "account_id": operation.key}
        answer = self._shop.client.change(
            Api.CUSTOMER_ATTRIBUTES, {"account": account, "customer_info": info}, repeatable=True
        )
        refuse_unless_done(answer.data)
        return done(operation)


class LevelWriter:
    """Sets free levels (等级), by alias."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._aliases: frozenset[str] | None = None

    def write(self, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Bring the customers to their levels."""
        rows = list(operations)
        self._aliases = self._aliases or self._list()
        return one_by_one(self._bring, rows, self._shop.config.workers)

    def _list(self) -> frozenset[str]:
        data = self._shop.client.ask(Api.LEVELS, {"level_type": _FREE}).get("data") or {}
        return frozenset(str(level["level_alias"]) for level in data.get("level_details") or ())

    def _bring(self, operation: Operation) -> Outcome:
        value = as_text(operation.values.get("level"))
        alias = self._shop.config.levels.get(value, value)
        if alias not in (self._aliases or ()):
            message = "The value is no free level of the shop: map it to a level's alias under `levels`."
            return invalid(operation, "level_unknown", message)
        asked = {"user": user(operation), "type": _FREE}
        has = self._shop.client.ask(Api.LEVEL_OF, asked, unit=Unit.ROW).get("data") or {}
        if has.get("level_alias") == alias:
            return unchanged(operation, "The customer has this level.")
        body = {"params": {"user": user(operation), "level_alias": alias}}
        refuse_unless_done(self._shop.client.change(Api.LEVEL_SET, body, repeatable=True).data)
        return done(operation)


class CardWriter:
    """Grants and takes back benefit cards (权益卡). Whoever holds the card is left alone, so that a repeat grants no second."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def write(self, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Grant or take back."""
        return one_by_one(self._bring, operations, self._shop.config.workers)

    def _bring(self, operation: Operation) -> Outcome:
        alias = as_text(operation.values.get("card_alias")) or self._shop.config.card.alias
        if not alias:
            raise ConfigError(
                "No benefit card is named.", hint="Map `card_alias` in the sync, or set card.alias in the connection."
            )
        held = self._held(operation, alias)
        if operation.kind is OperationKind.DELETE:
            return self._take_back(operation, held)
        if held is not None:
            return unchanged(operation, "The customer holds this card.", held)
        return self._grant(operation, alias)

    def _held(self, operation: Operation, alias: str) -> str | None:
        body = {"params": {"user": user(operation), "page_no": 1}}
        items = (self._shop.client.ask(Api.CARDS_OF, body, unit=Unit.ROW).get("data") or {}).get("items") or ()
        return next((text(item.get("card_no")) for item in items if self._is_good(item, alias)), None)

    def _is_good(self, item: Mapping[str, Any], alias: str) -> bool:
        ends = int(item.get("card_end_time") or 0)
        running = not ends or ends > milliseconds(self._shop.runtime.now())
        return item.get("card_alias") == alias and str(item.get("card_state")) in _HELD and running

    def _grant(self, operation: Operation, alias: str) -> Outcome:
        begin = self._shop.runtime.now()
        end = begin + dt.timedelta(days=self._shop.config.card.valid_days)
        params = {"card_alias": alias, "term_start_at": milliseconds(begin), "term_end_at": milliseconds(end)}
        # Not repeated here: the next run looks whether the card came before it grants one.
        answer = self._shop.client.change(
            Api.CARD_GRANT, {"params": {"user": user(operation), **params}}, repeatable=False
        )
        refuse_unless_done(answer.data)
        return done(operation, text((answer.data.get("data") or {}).get("card_no")))

    def _take_back(self, operation: Operation, held: str | None) -> Outcome:
        if held is None:
            return unchanged(operation, "The customer does not hold this card.")
        body = {"params": {"user": user(operation), "card_no": held}}
        refuse_unless_done(self._shop.client.change(Api.CARD_DELETE, body, repeatable=True).data)
        return done(operation)
