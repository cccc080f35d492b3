"""Targets ``attribute`` and ``level``: states of a customer that may be written again and again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from hub.chunks import chunks
from hub.destination import Operation, Outcome
from hub.http import Unit
from plugins.weimob.answers import refuse_unless_done
from plugins.weimob.api import Api
from plugins.weimob.reading.common import Merchant
from plugins.weimob.values import text
from plugins.weimob.writing.common import as_text, done, invalid, needed, one_by_one, rejected, unchanged

__all__ = ["AttributeWriter", "LevelWriter"]

_MOST_FIELDS: Final = 25
_LEVEL_CHANGE: Final = 3
_WITH_LEVELS: Final = 2


class AttributeWriter:
    """Writes custom fields (自定义资料项). They must exist in the shop's console; no call makes them."""

    def __init__(self, merchant: Merchant) -> None:
        self._merchant = merchant

    def write(self, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Set the customers' fields to the mapped values."""
        return one_by_one(self._bring, operations, self._merchant.config.workers)

    def _bring(self, operation: Operation) -> Outcome:
        names = self._merchant.config.attributes
        wanted = {names.get(name, name): as_text(value) for name, value in operation.values.items()}
        for part in chunks(wanted.items(), _MOST_FIELDS):
            body = {"vid": self._merchant.vid, "wid": int(operation.key), "extMap": dict(part)}
            refuse_unless_done(self._merchant.client.change(Api.CUSTOMER_UPDATE, body, repeatable=True))
        return done(operation)


class LevelWriter:
    """Sets the level of a card plan (等级卡)."""

    def __init__(self, merchant: Merchant) -> None:
        self._merchant = merchant
        self._levels: frozenset[str] | None = None

    def write(self, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Bring the customers to their levels."""
        plan = needed(self._merchant.config.membership_plan_id, "membership_plan_id", "Writing levels")
        rows = list(operations)
        self._levels = self._levels or self._list(plan)
        return one_by_one(lambda row: self._bring(row, plan), rows, self._merchant.config.workers)

    def _list(self, plan: int) -> frozenset[str]:
        asked = {"queryType": [_WITH_LEVELS], "membershipPlanId": plan, "vid": self._merchant.vid}
        data = self._merchant.client.ask(Api.CARD_PLANS, asked) or ()
        plans = [each for each in data if str(each.get("membershipPlanId")) == str(plan)]
        return frozenset(
            found for each in plans for level in each.get("levelInfos") or () if (found := text(level.get("levelId")))
        )

    def _bring(self, operation: Operation, plan: int) -> Outcome:
        value = as_text(operation.values.get("level"))
        level = self._merchant.config.levels.get(value, value)
        if level not in (self._levels or ()):
            message = "The value is no level of the card plan: map it to a levelId under `levels`."
            return invalid(operation, "level_unknown", message)
        card = self._card(operation, plan)
        if card is None:
            return rejected(operation, "card_missing", "The customer holds no card of this plan.")
        if text(card.get("levelId")) == level:
            return unchanged(operation, "The customer has this level.")
        body = {
            "wid": int(operation.key), "membershipPlanId": plan, "updateType": _LEVEL_CHANGE, "levelId": int(level), "operatorName": "hub",
            "operatorWid": 0, "reason": self._merchant.config.points.reason, "channelType": self._merchant.config.points.growth_channel,
            "channelId": 0,
        }  # fmt: skip
        refuse_unless_done(self._merchant.client.change(Api.CARD_UPDATE, body, repeatable=True))
        return done(operation)

    def _card(self, operation: Operation, plan: int) -> Mapping[str, Any] | None:
        asked = {"wid": int(operation.key), "membershipPlanId": plan, "queryType": [1, 2]}
        data = self._merchant.client.ask(Api.CARDS, asked, unit=Unit.ROW) or ()
        return next((card for card in data if str(card.get("membershipPlanId", plan)) == str(plan)), None)
