"""The ``youzan`` destination."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import ClassVar, Final

from hub.destination import Destination, Mode, Operation, OperationKind, Outcome, RemoteRow, Target
from hub.runtime import Runtime
from hub.source import Check
from hub.titles import Title
from plugins.youzan.api import Api, Method
from plugins.youzan.client import YouzanClient
from plugins.youzan.config import TagStyle, YouzanConfig
from plugins.youzan.reading.common import Shop
from plugins.youzan.source import check_connection
from plugins.youzan.writing.attributes import AttributeWriter, CardWriter, LevelWriter
from plugins.youzan.writing.coupons import CouponWriter
from plugins.youzan.writing.once import OnceWriter
from plugins.youzan.writing.points import PointsWriter
from plugins.youzan.writing.tags import TagWriter, wanted_tags

__all__ = ["YouzanDestination"]

_KEYS: Final = ("profile", "yz_open_id")
_ADD_ONLY: Final = frozenset({Mode.UPSERT})


class YouzanDestination(Destination):
    """Writes to a shop or the head office of a chain."""

    name: ClassVar[str] = "youzan"
    title: ClassVar[Title] = Title("有赞", "Youzan")
    Config: ClassVar[type[YouzanConfig]] = YouzanConfig

    config: YouzanConfig

    def __init__(self, config: YouzanConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._client: YouzanClient | None = None

    @cached_property
    def _shop(self) -> Shop:
        self._client = YouzanClient(self.config, self.runtime)
        return Shop(self._client, self.config, self.runtime)

    @cached_property
    def _tags(self) -> TagWriter:
        return TagWriter(self._shop)

    @cached_property
    def _once(self) -> dict[str, OnceWriter]:
        return {"points": PointsWriter(self._shop), "coupon": CouponWriter(self._shop)}

    @cached_property
    def _states(self) -> dict[str, AttributeWriter | LevelWriter | CardWriter]:
        return {
            "attribute": AttributeWriter(self._shop),
            "level": LevelWriter(self._shop),
            "benefit_card": CardWriter(self._shop),
        }

    def check(self) -> Sequence[Check]:
        """Ask for a token and the shop's name, then whether tags and levels may be read."""
        asked: tuple[tuple[str, Method, dict[str, object]], ...] = (
            ("tag groups may be listed", Api.TAG_GROUP_LIST, {"page": 1, "page_size": 1}),
            ("levels may be listed", Api.LEVELS, {"level_type": 1}),
        )
        return check_connection(self._shop.client, asked)

    def targets(self) -> Sequence[Target]:
        """List the targets."""
        grouped = self.config.tags.style is TagStyle.GROUP
        return [
            Target(
                "tag", Title("标签", "Tags"), _KEYS, readable=grouped,
                description="Tags of the hub's own group: lists give a tag per element, flags one of their name.",
            ),
            Target(
                "attribute", Title("自定义资料项", "Attributes"), _KEYS, _ADD_ONLY,
                description="Custom fields; they must exist in the console (有赞CRM only).",
            ),
            Target("level", Title("等级", "Level"), _KEYS, _ADD_ONLY, required=("level",), description="A free level, by its alias."),
            Target(
                "points", Title("积分", "Points"), _KEYS, _ADD_ONLY, batch_size=50, idempotent=False, can_look_up=True,
                description="Adds `delta` points, or sets the `balance`.",
            ),
            Target(
                "coupon", Title("优惠券", "Coupon"), _KEYS, _ADD_ONLY, batch_size=50, idempotent=False, can_look_up=True,
                description="Issues one coupon of an activity.",
            ),
            Target("benefit_card", Title("权益卡", "Benefit card"), _KEYS, description="Grants a benefit card; mirror takes it back."),
        ]  # fmt: skip

    def write(self, target: Target, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Carry out the operations of one batch; see the targets' writers."""
        if target.name == "tag":
            return self._tags.write(operations)
        if target.name in self._once:
            return self._once[target.name].write(operations)
        return self._states[target.name].write(operations)

    def read_back(self, target: Target) -> Iterator[RemoteRow]:
        """Give the customers that have tags of the hub, once per tag."""
        return self._tags.read_back() if target.name == "tag" else super().read_back(target)

    def holds(self, target: Target, operation: Operation | None, rows: Sequence[RemoteRow]) -> bool:
        """Tell whether a customer has just the wanted tags of the hub's group."""
        if target.name != "tag":
            return super().holds(target, operation, rows)
        wanted: set[str] = set()
        if operation is not None and operation.kind is not OperationKind.DELETE:
            wanted = wanted_tags(operation.values, self.config.tags)
        return {str(row.values["tag"]) for row in rows} == wanted

    def look_up(self, target: Target, operations: Iterable[Operation], since: dt.datetime) -> Iterator[Outcome]:
        """Tell from the platform's ledgers what became of points and coupons whose outcome is unknown.

        :meth:`write` does this by itself for an answer that was lost. The hub calls it for operations that a killed run left
        open, before it plans them again.

        Args:
            target: ``points`` or ``coupon``.
            operations: as they were sent, with the same ids.
            since: a moment before they were sent, at most a month ago.

        Returns:
            ``accepted`` (code ``read_back``) for what was done, ``deferred`` (code ``not_booked``) for what may be sent again.

        Raises:
            KeyError: a target whose operations may simply be repeated.
        """
        return self._once[target.name].look_up(operations, since)

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
