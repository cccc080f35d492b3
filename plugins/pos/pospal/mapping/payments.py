"""Which kind of payment a shop's own name or code stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hub.records import TenderMethod
from plugins.pos.pospal.values import text

__all__ = ["PayMethods"]

_WORDS: Final = (
    (TenderMethod.WECHAT, ("微信", "wechat", "weixin")),
    (TenderMethod.ALIPAY, ("支付宝", "alipay")),
    (TenderMethod.POINTS, ("积分", "point")),
    (TenderMethod.GIFT_CARD, ("礼品卡", "购物卡", "次卡", "gift")),
    (TenderMethod.STORED_VALUE, ("储值", "会员余额", "余额", "会员卡", "balance", "prepaid")),
    (TenderMethod.COUPON, ("券", "团购", "美团", "抖音", "饿了么", "口碑", "coupon", "voucher")),
    (TenderMethod.CREDIT, ("挂账", "赊账", "签单", "credit sale")),
    (TenderMethod.CARD, ("刷卡", "银行卡", "信用卡", "借记卡", "银联", "云闪付", "card", "visa", "master")),
    (TenderMethod.CASH, ("现金", "cash")),
)
"""In this order: 储值卡 is no bank card, and 现金券 is a coupon."""


@dataclass(frozen=True)
class PayMethods:
    """One shop's methods of payment. The same code means different things in different shops, so the names decide.

    Attributes:
        names: name by code, as the shop lists them.
        configured: kind by name or code, as the connection's settings say.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    configured: Mapping[str, TenderMethod] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], configured: Mapping[str, TenderMethod]) -> PayMethods:
        """Read a shop's list."""
        names = {code: text(row.get("name")) or code for row in rows if (code := text(row.get("code")))}
        return cls(names, configured)

    def kind_of(self, code: str | None, name: str | None = None) -> tuple[TenderMethod, str | None]:
        """Return the kind of payment, and what the shop calls it."""
        shown = name or self.names.get(code or "") or code
        for known in (shown, code):
            if known is not None and known in self.configured:
                return self.configured[known], shown
        words = (shown or "").lower()
        kind = next((kind for kind, known in _WORDS if any(word in words for word in known)), TenderMethod.OTHER)
        return kind, shown
