"""The methods of the gateway this plugin calls, each with its version and the capability package (能力包) it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["TOKEN_PATH", "Api", "Method"]

TOKEN_PATH: Final = "/auth/token"  # noqa: S105 - a path


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the gateway.

    Attributes:
        name: dotted, without ``youzan.``.
        version: of its own for each method.
        package: what must be granted to the application, as the console calls it.
    """

    name: str
    version: str
    package: str

    @property
    def path(self) -> str:
        """Path below the gateway's address; the dots of the name stay in one segment."""
        return f"/api/youzan.{self.name}/{self.version}"


_CUSTOMERS, _CRM = "客户管理", "有赞CRM"
_TRADES, _REFUNDS, _COUPONS, _SHOPS = "交易管理", "售后管理", "优惠券管理", "店铺管理"


class Api:
    """Every method in use. Source: the method pages of doc.youzanyun.com, versions as of 2026."""

    CUSTOMER_LIST: Final = Method("scrm.customer.list", "1.0.0", _CUSTOMERS)
    CUSTOMER_SCAN: Final = Method("scrm.customer.search.customerlist", "1.0.0", "店铺客户信息同步")
    CUSTOMER_DETAIL: Final = Method("scrm.customer.detail.get", "1.0.1", _CUSTOMERS)
    CUSTOMER_ATTRIBUTES: Final = Method("scrm.customerinfo.update", "1.0.0", _CRM)
    USER_INFO: Final = Method("users.info.query", "1.0.1", "用户信息查询")
    GUIDE_OF: Final = Method("guide.relation.query.userId", "2.0.0", "导购管理")
    DECRYPT: Final = Method("cloud.secret.decrypt.batch", "1.0.0", "数据加解密")

    TAG_GROUP_CREATE: Final = Method("scrm.tag.category.create", "1.0.0", _CUSTOMERS)
    TAG_GROUP_LIST: Final = Method("scrm.tag.category.list", "1.0.1", _CUSTOMERS)
    TAG_CREATE: Final = Method("scrm.tag.template.create", "2.0.0", _CUSTOMERS)
    TAGS_ADD: Final = Method("scrm.tagrelation.add", "1.0.0", _CUSTOMERS)
    TAGS_DELETE: Final = Method("scrm.tagrelation.delete", "1.0.0", _CUSTOMERS)
    TAGS_OF: Final = Method("scrm.tagrelation.query", "1.0.0", _CUSTOMERS)
    NAMED_TAGS_ADD: Final = Method("scrm.tag.relation.add", "4.0.0", _CUSTOMERS)
    NAMED_TAGS_DELETE: Final = Method("scrm.tag.relation.delete", "4.0.0", _CUSTOMERS)
    NAMED_TAGS_OF: Final = Method("scrm.tag.relation.get", "4.0.0", _CUSTOMERS)

    LEVELS: Final = Method("scrm.level.list", "3.0.0", _CUSTOMERS)
    LEVEL_OF: Final = Method("scrm.level.get.userlevel", "1.0.0", _CUSTOMERS)
    LEVEL_SET: Final = Method("scrm.customer.level.set", "4.0.0", _CUSTOMERS)
    CARD_GRANT: Final = Method("scrm.customer.card.grant", "4.0.0", _CUSTOMERS)
    CARDS_OF: Final = Method("scrm.customer.card.list", "4.0.0", _CUSTOMERS)
    CARD_DELETE: Final = Method("scrm.customer.card.delete", "4.0.0", _CUSTOMERS)

    POINTS_INCREASE: Final = Method("crm.customer.points.increase", "4.0.0", "积分管理")
    POINTS_DECREASE: Final = Method("crm.customer.points.decrease", "4.0.0", "积分管理")
    POINTS_SET: Final = Method("crm.customer.points.sync", "4.0.0", "积分管理")
    POINTS_LOG: Final = Method("crm.customer.points.changelog.search", "4.0.2", "积分管理")

    COUPON_ACTIVITIES: Final = Method("ump.manage.activity.find", "1.0.0", _COUPONS)
    COUPON_ACTIVITY: Final = Method("ump.voucheractivity.detail.query", "3.0.4", _COUPONS)
    COUPON_LOG: Final = Method("ump.coupon.consume.fetchlogs.get", "3.0.2", _COUPONS)
    COUPON_SEND: Final = Method("ump.voucheractivity.send", "3.0.1", _COUPONS)
    COUPONS_OF: Final = Method("ump.voucher.query", "3.0.0", _COUPONS)
    COUPON_DETAIL: Final = Method("ump.voucher.query.detail", "1.0.1", _COUPONS)

    TRADES: Final = Method("trades.sold.get", "4.0.4", _TRADES)
    TRADE: Final = Method("trade.get", "4.0.2", _TRADES)
    REFUNDS: Final = Method("trade.refund.search", "3.0.1", _REFUNDS)
    REFUND: Final = Method("trade.refund.get", "3.0.1", _REFUNDS)

    ITEMS: Final = Method("item.base.search", "1.0.0", "商品管理")
    SHOP: Final = Method("shop.get", "3.0.0", _SHOPS)
    CHAIN: Final = Method("shop.chain.descendent.organization.list", "1.0.1", _SHOPS)
    CHAIN_STAFF: Final = Method("retail.open.chainstaff.querypage", "1.0.0", "员工管理")
    SHOP_STAFF: Final = Method("shop.single.staff.list.page", "1.0.0", "员工管理")

    @classmethod
    def methods(cls) -> tuple[Method, ...]:
        """Return every method in use."""
        return tuple(value for value in vars(cls).values() if isinstance(value, Method))
