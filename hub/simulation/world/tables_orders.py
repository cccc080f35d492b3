"""Orders, lines, tenders and refunds of one selling platform as of one moment."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hub.simulation.world.aftersales import REFUND_REASONS, split_order_key
from hub.simulation.world.arrays import DAY, HOUR, NEVER, NOBODY, Bools, Ints
from hub.simulation.world.baskets import Lines
from hub.simulation.world.chain import CITIES, DISTRICTS
from hub.simulation.world.moment import BlockMoment
from hub.simulation.world.names import full_names
from hub.simulation.world.orders import Kind, Orders
from hub.simulation.world.payments import TENDERS
from hub.simulation.world.phones import phone_text
from hub.simulation.world.platforms import Platform
from hub.simulation.world.seeds import key_of, permute
from hub.simulation.world.tables_chain import coupon_codes, option_lists, shop_ids, sku_ids, staff_ids
from hub.simulation.world.text import fixed, label, numbers

__all__ = ["OrderTables", "order_ids"]

_STATUS: Final = ("closed", "paid", "completed", "part_refunded", "refunded", "void")
_CLOSED, _PAID, _COMPLETED, _PART, _REFUNDED, _VOID = range(6)
_FULFILMENT: Final = ("in_store", "pick_up", "delivery")
_TICKET_BASE: Final = 700_000_000_000_000_000
_TICKET_BITS: Final = 56
_SEQUENCE: Final = 8
#: A refund is asked for at this share of the time between order and refund, and paid at its end.
_APPLIED: Final = 0.6


def order_ids(moment: BlockMoment, platform: Platform, orders: Orders) -> pa.StringArray:
    """The platform's order number.

    pos: ticket ``uid``, 18 digits · youzan: ``tid``, E and 23 digits, time in front · weimob: ``orderNo``, 18 digits ·
    miniprogram: M and 23 digits, time in front.
    """
    setting = moment.setting
    if platform in (Platform.POS, Platform.WEIMOB):
        base = _TICKET_BASE if platform == Platform.POS else _TICKET_BASE // 7
        return fixed(numbers(base + permute(orders.key, _TICKET_BITS, key_of(setting.seed, platform.code)), 18))
    letter = b"E" if platform == Platform.YOUZAN else b"M"
    return fixed(letter, *_serial(moment, orders, _SEQUENCE - 1))


def _serial(moment: BlockMoment, orders: Orders, width: int) -> tuple[Any, ...]:
    """Till time (14 digits), block (2) and sequence within the period, as digits."""
    block, sequence = split_order_key(orders.key)
    day, second = np.divmod(orders.till_time, DAY)
    year, month, date = moment.setting.calendar_parts(day)
    clock = second // HOUR * 10_000 + second % HOUR // 60 * 100 + second % 60
    return numbers((year * 100 + month) * 100 + date, 8), numbers(clock, 6), numbers(block, 2), numbers(sequence, width)


class OrderTables:
    """The order tables of one platform and one block. Row numbers are those of :attr:`orders`."""

    @classmethod
    def of(cls, moment: BlockMoment, platform: Platform) -> OrderTables:
        """The tables of a platform; made once per moment."""
        if ("orders", platform) not in moment.shared:
            moment.shared["orders", platform] = cls(moment, platform)
        made: OrderTables = moment.shared["orders", platform]
        return made

    def __init__(self, moment: BlockMoment, platform: Platform) -> None:
        self.moment = moment
        self.platform = platform
        self._mine: Bools = moment.orders.platform == platform
        self.orders: Orders = moment.orders.take(self._mine)
        self.account: Ints = moment.account[self._mine]
        self.ids = order_ids(moment, platform, self.orders)

    @cached_property
    def lines(self) -> Lines:
        """The lines of these orders, with row numbers of these orders."""
        place = np.cumsum(self._mine) - 1
        lines = self.moment.lines.take(self._mine[self.moment.lines.order])
        return Lines(**(lines.arrays() | {"order": place[lines.order]}))

    def members(self, account: Ints) -> pa.Array:
        """Member ids of account rows; null for ``NOBODY``."""
        return self.moment.member_ids.take(pa.array(np.maximum(account, 0), mask=account == NOBODY))

    def orders_table(self) -> dict[str, Any]:
        """The ``orders`` table."""
        moment, orders = self.moment, self.orders
        paid = np.where(orders.abandoned < NEVER, NEVER, orders.at + 30)
        paid = np.where(orders.platform == Platform.POS, orders.till_time, paid)
        moved = (orders.arrives, orders.completed, orders.abandoned, orders.voided, orders.refunded, orders.attached)
        profile = moment.setting.profile
        offers = np.where(orders.promotion_fen > 0, 0, NOBODY)
        return {
            "order_id": self.ids,
            "order_no": fixed(*_serial(moment, orders, _SEQUENCE)),
            "member_id": self.members(self.account),
            "shop_id": label(shop_ids(moment.setting), orders.shop),
            "guide_id": label(staff_ids(moment.block.chain), orders.guide),
            "kind": label(Kind.NAMES, orders.kind),
            "status": label(_STATUS, self._status()),
            "business_date": pa.array((orders.day + moment.setting.epoch_day).astype(np.int32)).cast(pa.date32()),
            "ordered_at": self._till_times(orders.till_time),
            "paid_at": self._till_times(paid),
            "completed_at": moment.times(orders.completed),
            "abandoned_at": moment.times(orders.abandoned),
            "voided_at": moment.times(orders.voided),
            "received_at": moment.times(orders.arrives),
            "updated_at": moment.times(moment.latest(*moved)),
            "goods_fen": orders.goods_fen,
            "promotion_fen": orders.promotion_fen,
            "promotion": label((profile.promotion.name,), offers),
            "coupon_fen": orders.coupon_fen,
            "coupon_code": coupon_codes(moment.setting, orders.coupon),
            "delivery_fen": orders.delivery_fen,
            "rounding_fen": orders.rounding_fen,
            "paid_fen": orders.paid_fen,
            "refunded_fen": np.where(orders.refunded <= moment.now, orders.refund_fen, 0),
            "units": orders.units,
            "fulfilment": label(_FULFILMENT, self._fulfilment()),
            **self._receivers(),
            "external_no": self._external_numbers(),
        }

    def _till_times(self, moments: Ints) -> pa.Array:
        """Times as the till wrote them: a fast clock may show a time that has not come."""
        missing = moments == NEVER
        stamps = self.moment.setting.epoch_seconds(np.where(missing, 0, moments)) * 1000
        return pa.array(stamps, pa.int64(), mask=missing).cast(self.moment.times(moments[:0]).type)

    def _status(self) -> Ints:
        orders, now = self.orders, self.moment.now
        status = np.where(orders.completed <= now, _COMPLETED, _PAID)
        status = np.where(orders.abandoned < NEVER, _CLOSED, status)
        back = orders.refunded <= now
        status = np.where(back, np.where(orders.refund_whole, _REFUNDED, _PART), status)
        return np.where(orders.voided <= now, _VOID, status)

    def _fulfilment(self) -> Ints:
        online = 0 if self.platform == Platform.POS else 1
        return np.where(self.orders.delivery, 2, online)

    def _receivers(self) -> dict[str, Any]:
        """Where deliveries go (text is made for them only). Receivers are not always the buyers."""
        block = self.moment.block
        delivered = np.flatnonzero(self.orders.receiver != NOBODY)
        who = self.orders.receiver[delivered]
        people, phones = block.people.take(who), block.phones.take(who)
        number = np.where(self.orders.at[delivered] < phones.changed_second, phones.first, phones.later)
        city = block.chain.shops.city[people.home]
        plain = np.zeros(len(who), np.int64)
        columns = {
            "receiver_name": full_names(people.surname, people.given, people.second),
            "receiver_phone": phone_text(number, plain, plain > 0),
            "receiver_province": label([entry[0] for entry in CITIES], city),
            "receiver_city": label([entry[1] for entry in CITIES], city),
            "receiver_district": label(DISTRICTS, city * 2 + block.chain.shops.district[people.home]),
            "receiver_address": addresses(people.street),
        }
        place = np.zeros(len(self.orders), np.int64)
        place[delivered] = np.arange(len(delivered))
        rows = pa.array(place, mask=self.orders.receiver == NOBODY)
        return {name: column.take(rows) for name, column in columns.items()}

    def _external_numbers(self) -> pa.StringArray:
        """The payment platform's number: ``4200`` and 24 digits; null for cash, stored value and unpaid orders."""
        orders = self.orders
        valid = np.isin(orders.tender, [TENDERS.index("wechat_pay"), TENDERS.index("alipay")])
        code = permute(orders.key, _TICKET_BITS, key_of(self.moment.setting.seed, "payment"))
        return fixed(b"4200", numbers(code, 18), numbers(orders.till_time % 10**6, 6), valid=valid)

    def lines_table(self) -> dict[str, Any]:
        """The ``order_lines`` table."""
        moment, lines = self.moment, self.lines
        profile = moment.setting.profile
        refunded = np.where(self.orders.refunded[lines.order] <= moment.now, lines.refunded, 0)
        sku_rows, sku_labels = sku_ids(moment.block.assortment, lines.product, lines.options)
        key = permute(
            self.orders.key[lines.order] * 8 + lines.number, _TICKET_BITS + 4, key_of(moment.setting.seed, "line")
        )
        return {
            "order_id": self.ids.take(pa.array(lines.order)),
            "line_no": lines.number + 1,
            "line_id": fixed(numbers(key, 19)),
            "product_id": label([product.code for product in profile.products], lines.product),
            "product_name": label([product.name for product in profile.products], lines.product),
            "sku_id": label(sku_labels, sku_rows),
            "quantity": lines.quantity,
            "unit_fen": lines.unit_fen,
            "goods_fen": lines.goods_fen,
            "discount_fen": lines.discount_fen,
            "net_fen": lines.net_fen,
            "refunded_quantity": refunded,
            "options": option_lists(profile, lines.options),
        }

    def tenders_table(self) -> dict[str, Any]:
        """The ``tenders`` table: one or two rows per paid order."""
        orders = self.orders
        first, second = np.flatnonzero(orders.tender != NOBODY), np.flatnonzero(orders.tender_two != NOBODY)
        row = np.r_[first, second]
        number = np.r_[np.zeros(len(first), np.int64), np.ones(len(second), np.int64)]
        order = np.lexsort((number, row))
        row, number = row[order], number[order]
        tender = np.where(number == 0, orders.tender[row], orders.tender_two[row])
        amount = np.where(number == 0, orders.paid_fen[row] - orders.tender_two_fen[row], orders.tender_two_fen[row])
        paid = np.where(orders.platform == Platform.POS, orders.till_time, orders.at + 30)
        return {
            "order_id": self.ids.take(pa.array(row)),
            "tender_no": number + 1,
            "tender": label(TENDERS, tender),
            "amount_fen": amount,
            "paid_at": self._till_times(paid[row]),
        }

    def refunds_table(self) -> dict[str, Any]:
        """The ``refunds`` table: applied for, then paid."""
        moment = self.moment
        applied = np.where(self.orders.refunded < NEVER, _applied(self.orders), NEVER)
        row = np.flatnonzero(applied <= moment.now)
        orders, applied = self.orders.take(row), applied[row]
        code = permute(orders.key, _TICKET_BITS, key_of(moment.setting.seed, "refund"))
        return {
            "refund_id": fixed(b"9", numbers(code, 18)),
            "order_id": self.ids.take(pa.array(row)),
            "member_id": self.members(self.account[row]),
            "shop_id": label(shop_ids(moment.setting), orders.shop),
            "amount_fen": orders.refund_fen,
            "whole": orders.refund_whole,
            "reason": label(REFUND_REASONS, orders.refund_reason),
            "tender": label(TENDERS, orders.tender),
            "status": label(("applied", "success"), (orders.refunded <= moment.now).astype(np.int64)),
            "applied_at": moment.times(applied),
            "refunded_at": moment.times(orders.refunded),
            "updated_at": moment.times(moment.latest(applied, orders.refunded, orders.attached)),
        }


def _applied(orders: Orders) -> Ints:
    begin = np.maximum(orders.completed, orders.arrives)
    return begin + (np.maximum(orders.refunded - begin, 0) * _APPLIED).astype(np.int64)


def addresses(street: Ints) -> pa.StringArray:
    """Street addresses in streets that do not exist: 样板一路 12号 3幢 402室."""
    names = [f"样板{number}路" for number in "一二三四五六七八九十"]
    house, rest = street % 300 + 1, street // 300
    parts = [
        pa.array(house).cast(pa.string()),
        pa.array(rest % 40 + 1).cast(pa.string()),
        pa.array(rest % 30 + 101).cast(pa.string()),
    ]
    road = pa.array(names).take(pa.array(rest % len(names)))
    return pc.binary_join_element_wise(road, parts[0], "号", parts[1], "幢", parts[2], "室", "")
