"""The interfaces in use, by service and method. Misspelt words are the platform's own."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ["V2_PATHS", "Api"]


class Api(StrEnum):
    """An interface: the path below the shop's base address."""

    SHOPS = "userOpenApi/queryAllUser"
    CASHIERS = "cashierOpenApi/queryAllCashier"
    PAY_METHODS = "ticketOpenApi/queryAllPayMethod"
    MEMBERS = "customerOpenApi/queryCustomerPages"
    MEMBER = "customerOpenApi/queryByUid"
    LEVELS = "customerOpenApi/queryAllCustomerCategory"
    MEMBER_UPDATE = "customerOpenApi/updateBaseInfo"
    INCREMENT = "customerOpenApi/updateBalancePointByIncrement"
    RECHARGES = "customerOpenApi/queryAllRechargeLogs"
    TICKETS = "ticketOpenApi/queryTicketPages"
    TICKET = "ticketOpenApi/queryTicketBySn"
    SALE_OF_REFUND = "ticketOpenApi/querySellTicketByRefunTicketUid"
    PRODUCTS = "productOpenApi/queryProductPages"
    CATEGORIES = "productOpenApi/queryProductCategoryPages"
    COUPON_RULES = "promotionOpenApi/queryCouponPromotions"
    COUPON_ADD = "promotionOpenApi/addCouponcode"
    COUPONS_OF = "promotionOpenApi/queryCustomerCouponCodePage"
    COUPONS_USED = "promotionOpenApi/queryUsedPromotionCode"
    QUOTA = "openApiLimitAccess/queryAccessTimes"
    PUSH_URL = "openNotificationOpenApi/queryPushUrl"
    PUSH_URL_SET = "openNotificationOpenApi/updatePushUrl"


V2_PATHS: Final = {
    Api.COUPON_RULES: "promotionOpenApi/queryCouponPromotions",
    Api.COUPON_ADD: "promotionOpenApi/promotion/addCouponcode",
    Api.COUPONS_OF: "promotionOpenApi/queryCustomerCouponCodePage",
    Api.COUPONS_USED: "promotionOpenApi/queryUsedPromotionCode",
}
"""Interfaces of the V2 family, below a shop's ``v2_base_url``; the others have V1 only."""
