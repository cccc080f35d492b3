"""One trade of the simulated platform as ``full_order_info``, promotions and refunds. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

__all__ = ["Scene", "order_promotion", "render_trade", "spread"]

_STATUS_TEXTS: Final = {"WAIT_SELLER_SEND_GOODS": "待发货", "TRADE_SUCCESS": "已完成", "TRADE_CLOSED": "已关闭"}
_PAY_TYPES: Final = {
    "wechat_pay": (10, "WEIXIN_DAIXIAO"), "alipay": (3, "ALIPAY"), "stored_value": (35, "PREPAID_CARD"), "cash": (201, "CASH"),
    "bank_card": (112, "MARKED_POS"),
}  # fmt: skip
_MIXED: Final = (202, "MIXED")
_KINDS: Final = {"wholesale": 100}
_EXPRESS: Final = {"delivery": 2, "pick_up": 1}


class Scene:
    """What rendering a trade needs besides the trade: names, times and secrets of the platform.

    Args:
        root: the head office.
        hide: encrypts a personal value.
        time: writes a moment.
        item: number of an item or SKU.
        voucher: number of a coupon, by its code.
        shop: body of a shop, by its id.
    """

    def __init__(
        self,
        *,
        root: int,
        hide: Callable[[str | None], str],
        time: Callable[[float | None], str],
        item: Callable[[str], int],
        voucher: Callable[[str], int],
        shop: Callable[[str], Mapping[str, Any]],
    ) -> None:
        self.root = root
        self.hide = hide
        self.time = time
        self.item = item
        self.voucher = voucher
        self.shop = shop


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """Divide an amount by weights into whole numbers with the same sum."""
    whole = sum(weights)
    if not weights or not amount:
        return [0] * len(weights)
    if not whole:
        return [amount, *([0] * (len(weights) - 1))]
    shares = [amount * weight // whole for weight in weights]
    shares[weights.index(max(weights))] += amount - sum(shares)
    return shares


def render_trade(row: Mapping[str, Any], body: Mapping[str, Any], scene: Scene, *, detail: bool) -> dict[str, Any]:
    """Return ``full_order_info``.

    Args:
        row: the trade's row; of a copy its own ids and times.
        body: the order of the world, with lines and tenders.
        scene: names and secrets.
        detail: with the fields that only trade.get has.
    """
    lines = body["lines"]
    paid = body["paid_fen"]
    return {
        "order_info": _order_info(row, body, scene),
        "source_info": _source_info(body),
        "buyer_info": {
            "yz_open_id": row["open_id"] or "",
            "buyer_phone": scene.hide(body.get("receiver_phone")),
            "outer_user_id": "",
        },
        "pay_info": _pay_info(body, detail=detail),
        "remark_info": {"buyer_message": "", "trade_memo": row["memo"], "star": 0},
        "address_info": _address(body, scene),
        "orders": [
            _line(row, line, payment, reduced, scene)
            for line, payment, reduced in zip(lines, _payments(lines, paid), _reduced(body), strict=True)
        ],
    }


def _order_info(row: Mapping[str, Any], body: Mapping[str, Any], scene: Scene) -> dict[str, Any]:
    tender = [each["tender"] for each in body["tenders"]]
    pay_type, pay_text = (
        (0, "") if not tender else _PAY_TYPES.get(tender[0], (203, "OUTSIDE")) if len(tender) == 1 else _MIXED
    )
    shop = scene.shop(body["shop_id"])
    offline = body["fulfilment"] == "in_store"
    guide = (
        {"service_guide": _guide_block("service_guide", "service_guide_staff", body)} if body.get("guide_id") else {}
    )
    return {
        "tid": row["tid"], "status": row["status"], "status_str": _STATUS_TEXTS.get(row["status"], ""),
        "type": 61 if offline else _KINDS.get(body["kind"], 0), "pay_type": pay_type, "pay_type_str": pay_text, "team_type": 0,
        "close_type": body["close_type"], "express_type": _EXPRESS.get(body["fulfilment"], 9), "refund_state": body["refund_state"],
        "created": scene.time(row["created"]), "update_time": scene.time(row["updated"]), "pay_time": scene.time(row["paid"]),
        "consign_time": "", "confirm_time": "", "success_time": scene.time(row["success"]), "expired_time": "",
        "is_retail_order": offline, "offline_id": 0, "node_kdt_id": row["node"], "root_kdt_id": scene.root,
        "shop_name": shop["name"], "shop_display_no": shop["shop_id"],
        "order_tags": {"is_member": row["open_id"] is not None, "is_payed": bool(row["paid"]), "is_offline_order": offline},
        "order_extra": {"is_member": str(row["open_id"] is not None).lower(), **guide},
    }  # fmt: skip


def _guide_block(name: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: body["guide_id"], f"{name}_name": "", f"{name}_shop_no": body["shop_id"]}


def _source_info(body: Mapping[str, Any]) -> dict[str, Any]:
    offline = body["fulfilment"] == "in_store"
    # The order's number decides, so that both channels come up and a repeat gives the same.
    in_app = int(body["order_no"][-1]) % 4 != 0
    source = {"platform": "wx", "wx_entrance": "merchant_xcx"} if in_app else {"platform": "browser", "wx_entrance": ""}
    return {"is_offline_order": offline, "source": source, "order_mark": "wx_applet" if in_app else "wap"}


def _pay_info(body: Mapping[str, Any], *, detail: bool) -> dict[str, Any]:
    info = {
        "total_fee": _yuan(body["goods_fen"]), "post_fee": _yuan(body["delivery_fen"]), "payment": _yuan(body["paid_fen"]),
        "transaction": [body["order_no"]], "outer_transactions": [body["external_no"]] if body.get("external_no") else [],
        "phase_payments": [],
    }  # fmt: skip
    if not detail:
        return info
    covered = (
        sum(each["amount_fen"] for each in body["tenders"] if each["tender"] == "stored_value")
        if len(body["tenders"]) > 1
        else 0
    )
    return {
        **info,
        "real_payment": _yuan(body["paid_fen"] - covered),
        "deduction_pay": covered,
        "deduction_real_pay": covered,
    }


def _address(body: Mapping[str, Any], scene: Scene) -> dict[str, Any]:
    return {
        "receiver_name": scene.hide(body.get("receiver_name")), "receiver_tel": scene.hide(body.get("receiver_phone")),
        "delivery_province": body.get("receiver_province") or "", "delivery_city": body.get("receiver_city") or "",
        "delivery_district": body.get("receiver_district") or "", "delivery_address": scene.hide(body.get("receiver_address")),
        "delivery_postal_code": "", "address_extra": "{}", "self_fetch_info": "",
    }  # fmt: skip


def _payments(lines: Sequence[Mapping[str, Any]], paid: int) -> list[int]:
    """Σ lines = payment, to the fen: postage and rounding are spread over the lines."""
    nets = [line["net_fen"] for line in lines]
    return [net + share for net, share in zip(nets, spread(paid - sum(nets), nets), strict=True)]


def _reduced(body: Mapping[str, Any]) -> list[int]:
    """Return what item-level promotions took off each line."""
    return spread(body["promotion_fen"], [line["goods_fen"] for line in body["lines"]])


def _line(row: Mapping[str, Any], line: Mapping[str, Any], payment: int, reduced: int, scene: Scene) -> dict[str, Any]:
    item = scene.item(line["product_id"])
    total = line["goods_fen"] - reduced
    return {
        "oid": line_id(row, line), "item_id": item, "sku_id": scene.item(line["sku_id"]), "root_item_id": item, "unified_item_id": item,
        "title": line["product_name"], "num": line["quantity"], "price": _yuan(line["goods_fen"] / line["quantity"]),
        "total_fee": _yuan(total), "payment": _yuan(payment), "discount_price": _yuan(total / line["quantity"]),
        "outer_item_id": line["product_id"], "outer_sku_id": line["sku_id"], "item_type": 0, "is_present": False,
        "sku_properties_name": json.dumps([{"k": each["name"], "v": each["value"]} for each in line["options"] or ()], ensure_ascii=False),
    }  # fmt: skip


def line_id(row: Mapping[str, Any], line: Mapping[str, Any]) -> str:
    """Return the order-line id; a copied trade has its own."""
    return str(line["line_id"]) if row["copy_of"] is None else f"{row['tid'][1:]}{line['line_no']:02d}"


def order_promotion(row: Mapping[str, Any], body: Mapping[str, Any], scene: Scene) -> dict[str, Any]:
    """Return what was taken off and why."""
    items = [
        {
            "oid": line_id(row, line),
            "promotions": [{"promotion_type": "timelimitedDiscount", "discount_fee": _yuan(reduced)}],
        }
        for line, reduced in zip(body["lines"], _reduced(body), strict=True)
        if reduced
    ]
    coupon = {
        "promotion_type": "coupon", "promotion_type_id": 105, "promotion_type_name": "优惠券", "promotion_title": "优惠券",
        "discount_fee": _yuan(body["coupon_fen"]), "sub_promotion_type": "card",
        "coupon_id": str(scene.voucher(body["coupon_code"])) if body.get("coupon_code") else "",
    }  # fmt: skip
    return {
        "item": items,
        "order": [coupon] if body["coupon_fen"] else [],
        "item_discount_fee": _yuan(body["promotion_fen"]),
        "order_discount_fee": _yuan(body["coupon_fen"]),
        "adjust_fee": _yuan(-body["rounding_fen"]),
    }


def _yuan(fen: float) -> str:
    return f"{fen / 100:.2f}"
