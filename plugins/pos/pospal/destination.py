"""The ``pos.pospal`` destination."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import ClassVar, Final

from hub.destination import Destination, Mode, Operation, Outcome, Target
from hub.runtime import Runtime
from hub.source import Check
from hub.titles import Title
from plugins.pos.pospal.config import PospalConfig
from plugins.pos.pospal.source import Counters, check_shops
from plugins.pos.pospal.writing.account import AccountWriter, Ledger
from plugins.pos.pospal.writing.common import Desk
from plugins.pos.pospal.writing.coupons import CouponWriter
from plugins.pos.pospal.writing.details import DetailWriter, LevelWriter, RemarkTags

__all__ = ["PospalDestination"]

_KEYS: Final = ("profile",)
_ADD_ONLY: Final = frozenset({Mode.UPSERT})


class PospalDestination(Destination):
    """Writes to members of the connection's shops."""

    name: ClassVar[str] = "pos.pospal"
    title: ClassVar[Title] = Title("银豹收银", "Pospal")
    Config: ClassVar[type[PospalConfig]] = PospalConfig

    config: PospalConfig

    def __init__(self, config: PospalConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._counters = Counters(config, runtime)

    @cached_property
    def _writers(self) -> dict[str, DetailWriter | AccountWriter | CouponWriter]:
        desk = Desk(self._counters)
        writers: dict[str, DetailWriter | AccountWriter | CouponWriter] = {
            "level": LevelWriter(desk),
            "details": DetailWriter(desk),
            "tag": RemarkTags(desk),
            "points": AccountWriter(desk, Ledger.points()),
            "coupon": CouponWriter(desk),
        }
        limit = self.config.writing.stored_value_limit
        if limit is not None:
            writers["stored_value"] = AccountWriter(desk, Ledger.stored_value(limit))
        return writers

    def check(self) -> Sequence[Check]:
        """Try every shop's key."""
        return check_shops(self._counters)

    def targets(self) -> Sequence[Target]:
        """List the targets; stored value is one only where its limit is set."""
        found = [
            Target(
                "level", Title("会员等级", "Level"), _KEYS, _ADD_ONLY, required=("level",),
                description="Puts members into an existing level.",
            ),
            Target(
                "details", Title("会员资料", "Details"), _KEYS, _ADD_ONLY,
                description="Base data and extended fields by their Pospal names; empty values change nothing.",
            ),
            Target(
                "tag", Title("备注标签", "Words in the remark"), _KEYS,
                description="Segments as words in brackets in the member's remark, where cashiers see them.",
            ),
            Target(
                "points", Title("积分", "Points"), _KEYS, _ADD_ONLY, batch_size=50, idempotent=False,
                description="Adds `delta` points, or brings them to `balance`.",
            ),
            Target(
                "coupon", Title("优惠券", "Coupon"), _KEYS, _ADD_ONLY, batch_size=50,
                description="Gives a member one coupon of a rule.",
            ),
        ]  # fmt: skip
        if self.config.writing.stored_value_limit is not None:
            found.append(
                Target(
                    "stored_value", Title("储值余额", "Stored value"), _KEYS, _ADD_ONLY, batch_size=50, idempotent=False,
                    description="Adds `delta` yuan, or brings the balance to `balance`.",
                )
            )  # fmt: skip
        return found

    def write(self, target: Target, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Carry out the operations of one batch; see the targets' writers."""
        return self._writers[target.name].write(operations)

    def close(self) -> None:
        """Close the connections."""
        self._counters.close()
