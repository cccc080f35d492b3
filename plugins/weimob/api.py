"""The capabilities (能力) of the gateway this plugin calls, each with the group under which the console offers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["SHOP_TYPE", "TOKEN_PATH", "Api", "Capability"]

TOKEN_PATH: Final = "/fuwu/b/oauth2/token"  # noqa: S105 - a path
SHOP_TYPE: Final = "business_operation_system_id"
"""``shop_type`` of a WOS tenant; its ``shop_id`` is the bosId."""


@dataclass(frozen=True, slots=True)
class Capability:
    """One action of the gateway; each has to be applied for on its own (申请能力).

    Attributes:
        product: first part of the path.
        action: what is done.
        group: where the console lists it.
        version: of its own for each.
    """

    product: str
    action: str
    group: str
    version: str = "v2.0"

    @property
    def name(self) -> str:
        """Product and action, as messages name it."""
        return f"{self.product}/{self.action}"

    @property
    def path(self) -> str:
        """Path below the gateway's address."""
        return f"/apigw/{self.product}/{self.version}/{self.action}"


_ORG, _USER, _CRM, _CDP = "组织", "用户", "客户", "标签"
_CARD, _POINT, _BALANCE, _COUPON = "会员卡", "积分", "余额", "优惠券"
_ORDER, _RIGHTS, _GOODS, _GUIDE = "订单", "售后", "商品", "导购"


class Api:
    """Every capability in use. Source: the WOS section of doc.weimobcloud.com, autumn 2026."""

    INFO: Final = Capability("bos", "info/get", _ORG)
    ROOT: Final = Capability("bos", "organization/root/get", _ORG)
    ORGANISATIONS: Final = Capability("bos", "organization/getList", _ORG)
    ORGANISATION_DETAILS: Final = Capability("bos", "organization/detail/getList", _ORG)

    USER_SEARCH: Final = Capability("bos", "user/search", _USER, "v2.1")
    SUPER_WID: Final = Capability("bos", "user/superwid/get", _USER)
    CHANNELS: Final = Capability("bos", "user/channel/getList", _USER)

    CUSTOMERS: Final = Capability("weimob_crm", "customer/getList", _CRM)
    CUSTOMER_UPDATE: Final = Capability("weimob_crm", "customer/update", _CRM)

    CARDS: Final = Capability("weimob_crm", "membercard/getList", _CARD)
    CARD_PLANS: Final = Capability("weimob_crm", "membercard/plan/getList", _CARD)
    CARD_UPDATE: Final = Capability("weimob_crm", "membercard/update", _CARD)
    GROWTH_ADJUST: Final = Capability("weimob_crm", "membercard/growingcredit/adjust", _CARD)

    POINTS: Final = Capability("weimob_crm", "point/get", _POINT)
    POINTS_ADJUST: Final = Capability("weimob_crm", "point/adjust", _POINT)
    BALANCE: Final = Capability("weimob_crm", "balance/get", _BALANCE)
    BALANCE_ADJUST: Final = Capability("weimob_crm", "balance/adjust", _BALANCE)

    COUPON_TEMPLATES: Final = Capability("weimob_crm", "coupon/template/search", _COUPON)
    COUPON_CODES: Final = Capability("weimob_crm", "coupon/code/getList", _COUPON)
    COUPON_SEND: Final = Capability("weimob_crm", "coupon/receive", _COUPON)

    TAGS: Final = Capability("weimob_cdp", "tag/getList", _CDP)
    TAGS_CREATE: Final = Capability("weimob_cdp", "tag/insertList", _CDP)
    TAG_VALUE_CREATE: Final = Capability("weimob_cdp", "tag/attribute/create", _CDP)
    TAGS_OF: Final = Capability("weimob_cdp", "customer/tag/getList", _CDP)
    TAGS_BIND: Final = Capability("weimob_cdp", "customer/tag/bind", _CDP)
    TAGS_UNBIND: Final = Capability("weimob_cdp", "customer/tag/unbind", _CDP)

    ORDERS: Final = Capability("weimob_shop", "order/list/search", _ORDER)
    ORDER: Final = Capability("weimob_shop", "order/detail/get", _ORDER)
    RIGHTS: Final = Capability("weimob_shop", "rights/list/search", _RIGHTS)
    RIGHT: Final = Capability("weimob_shop", "rights/detail/get", _RIGHTS)
    GOODS: Final = Capability("weimob_shop", "goods/getList", _GOODS)

    GUIDES: Final = Capability("weimob_guide", "guider/getList", _GUIDE)
    GUIDE_CUSTOMERS: Final = Capability("weimob_guide", "guider/customer/getList", _GUIDE)

    @classmethod
    def all(cls) -> tuple[Capability, ...]:
        """Return every capability in use."""
        return tuple(value for value in vars(cls).values() if isinstance(value, Capability))
