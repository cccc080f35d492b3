"""The ``weimob`` destination."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import ClassVar, Final

from hub.destination import Destination, Mode, Operation, Outcome, Target
from hub.runtime import Runtime
from hub.source import Check
from hub.titles import Title
from plugins.weimob.api import Api, Capability
from plugins.weimob.client import WeimobClient
from plugins.weimob.config import WeimobConfig
from plugins.weimob.reading.common import Merchant
from plugins.weimob.source import check_connection
from plugins.weimob.writing.bookings import BalanceWriter, BookingWriter, CouponWriter, GrowthWriter, PointsWriter
from plugins.weimob.writing.states import AttributeWriter, LevelWriter
from plugins.weimob.writing.tags import TagWriter

__all__ = ["WeimobDestination"]

_KEYS: Final = ("profile", "wid")
_ADD_ONLY: Final = frozenset({Mode.UPSERT})

_ASKED: tuple[tuple[str, Capability, Mapping[str, object]], ...] = (
    ("tags may be listed", Api.TAGS, {"pageNum": 1, "pageSize": 1, "vid": 0}),
    ("card plans may be listed", Api.CARD_PLANS, {"queryType": [1]}),
    ("coupon templates may be searched", Api.COUPON_TEMPLATES, {"pageNum": 1, "pageSize": 1}),
)


class WeimobDestination(Destination):
    """Writes to one merchant."""

    name: ClassVar[str] = "weimob"
    title: ClassVar[Title] = Title("微盟", "Weimob")
    Config: ClassVar[type[WeimobConfig]] = WeimobConfig

    config: WeimobConfig

    def __init__(self, config: WeimobConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._client: WeimobClient | None = None

    @cached_property
    def _merchant(self) -> Merchant:
        self._client = WeimobClient(self.config, self.runtime)
        return Merchant(self._client, self.config, self.runtime)

    @cached_property
    def _writers(self) -> dict[str, TagWriter | AttributeWriter | LevelWriter | BookingWriter]:
        return {
            "tag": TagWriter(self._merchant),
            "attribute": AttributeWriter(self._merchant),
            "level": LevelWriter(self._merchant),
            "points": PointsWriter(self._merchant),
            "growth": GrowthWriter(self._merchant),
            "balance": BalanceWriter(self._merchant),
            "coupon": CouponWriter(self._merchant),
        }

    def check(self) -> Sequence[Check]:
        """Ask for a token and the merchant's name, then whether tags, cards and coupons may be read."""
        return check_connection(self._merchant.client, _ASKED)

    def targets(self) -> Sequence[Target]:
        """List the targets; ``balance`` moves money and must be switched on."""
        found = [
            Target("tag", Title("标签", "Tag"), _KEYS, batch_size=500, description="Values of the hub's own tag: segments, or field:value."),
            Target("attribute", Title("自定义资料项", "Custom field"), _KEYS, _ADD_ONLY, description="Sets custom fields by their key."),
            Target("level", Title("等级", "Level"), _KEYS, _ADD_ONLY, required=("level",), description="Sets the level of a card plan."),
            Target(
                "points", Title("积分", "Points"), _KEYS, _ADD_ONLY, batch_size=50, required=("delta",),
                description="Adds or takes points, once per operation.",
            ),
            Target(
                "growth", Title("成长值", "Growth"), _KEYS, _ADD_ONLY, batch_size=50, required=("delta",),
                description="Adds or takes growth of a card plan, once per operation.",
            ),
            Target(
                "coupon", Title("优惠券", "Coupon"), _KEYS, _ADD_ONLY, batch_size=50, description="Issues one coupon of a template, once per operation.",
            ),
        ]  # fmt: skip
        if self.config.balance.enabled:
            description = "Adds or takes stored value in yuan, once per operation."
            title = Title("余额", "Stored value")
            found.append(
                Target("balance", title, _KEYS, _ADD_ONLY, batch_size=50, required=("delta",), description=description)
            )
        return found

    def write(self, target: Target, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Carry out the operations of one batch; see the targets' writers."""
        return self._writers[target.name].write(operations)

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
