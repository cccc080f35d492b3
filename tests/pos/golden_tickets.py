"""Twenty-four tickets that every POS connector must read alike, and what the hub must have stored of them.

Two shops of one chain: ``S01`` sells, ``S02`` is closed. The clocks show ``Asia/Shanghai``; the shop's day begins at 04:00.
A connector is asked twice: :data:`FIRST_READ` and :data:`SECOND_READ`. Between the two a member is added to ticket 15,
ticket 22 is voided and ticket 23 arrives, seventy hours late::

    from pos.golden_tickets import FIRST_READ, differences, tickets

    rows = [my_form_of(ticket) for ticket in tickets(1)]     # what the platform shows at the first read
    ...                                                      # read it
    assert differences(orders, tickets(1)) == []

Amounts are what the customer paid: lines after all discounts, refunds negative, change taken off the cash.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from hub.records import Customer, IdentifierKind, Order, OrderLine

ZONE: Final = ZoneInfo("Asia/Shanghai")
DAY_CUTOFF: Final = dt.time(4)
STORE, CLOSED_STORE, REGISTER, CASHIER = "S01", "S02", "01", "C01"

FIRST_READ: Final = dt.datetime(2026, 3, 4, 12, 0, tzinfo=ZONE)
SECOND_READ: Final = dt.datetime(2026, 3, 6, 12, 0, tzinfo=ZONE)


@dataclass(frozen=True)
class Member:
    """A member of the chain; the phone is 154…, which is given to nobody."""

    number: str
    name: str
    phone: str
    card_no: str


MEMBERS: Final = {
    "M1001": Member("M1001", "林小满", "15400010001", "80010001"),
    "M1002": Member("M1002", "苏叶", "15400010002", "80010002"),
    "M1003": Member("M1003", "何田", "15400010003", "80010003"),
}

PRODUCTS: Final = {
    "P01": ("茉莉绿茶", "24.50"), "P02": ("杨枝甘露", "34.00"), "P03": ("保温杯", "150.00"), "P04": ("茶叶罐", "50.00"),
    "P05": ("小份点心", "19.90"), "P06": ("中份点心", "29.90"), "P07": ("大份点心", "49.90"), "P08": ("马克杯", "25.00"),
    "P09": ("散装饼干", "12.34"), "P10": ("鲜荔枝", "35.80"), "P11": ("下午茶套餐", "28.00"), "P12": ("红茶", "0.00"),
    "P13": ("司康", "0.00"), "P14": ("奶茶", "16.00"), "P15": ("加珍珠", "2.00"), "P16": ("礼盒", "45.00"),
    "P17": ("环保袋", "0.00"), "P18": ("矿泉水", "9.90"), "P19": ("挂耳咖啡", "39.00"), "P20": ("随行杯", "59.00"),
    "P21": ("面包", "8.00"), "P22": ("三明治", "22.00"), "P23": ("沙拉", "31.00"), "P24": ("热巧克力", "18.00"),
    "P25": ("明信片", "15.00"),
}  # fmt: skip
"""Name and list price by code. P10 is sold by the kilogram, P15 is an extra, P12 and P13 are parts of the set P11."""


@dataclass(frozen=True)
class Line:
    """One line: ``net`` is after all discounts, ``discount`` what was taken off quantity times price."""

    product: str
    quantity: Decimal
    price: Decimal
    net: Decimal
    kind: str = "item"
    parent: int | None = None
    """Place of the set or drink it belongs to, from 0."""
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return PRODUCTS[self.product][0]

    @property
    def gross(self) -> Decimal:
        """Quantity times price, to the fen."""
        return (self.quantity * self.price).quantize(Decimal("0.01"))

    @property
    def discount(self) -> Decimal:
        return self.gross - self.net


@dataclass(frozen=True)
class Ticket:
    """One ticket as the till printed it, and at the same time what must be stored of it.

    Attributes:
        place: 1 to 24 as in the acceptance set; above it are the extras.
        title: what it is an example of.
        number: printed on the receipt, unique in the chain.
        at: the till's clock.
        kind, status: canonical.
        lines: in the order of the receipt.
        tenders: method and amount; change is already taken off.
        rounding: 抹零, negative.
        ticket_discount: how much of the lines' discounts was given on the ticket as a whole (a coupon).
        coupon: number of the coupon.
        member: key into :data:`MEMBERS`.
        member_by: how the till knew the member: ``card`` or ``phone``.
        original: number of the ticket the goods came from.
        business_date: the shop's day.
        arrives: 1 or 2, the read that finds it first.
        earlier: how it looked at the first read, if it is changed afterwards.
    """

    place: int
    title: str
    number: str
    at: dt.datetime
    kind: str = "sale"
    status: str = "paid"
    lines: tuple[Line, ...] = ()
    tenders: tuple[tuple[str, Decimal], ...] = ()
    rounding: Decimal = Decimal(0)
    ticket_discount: Decimal = Decimal(0)
    coupon: str | None = None
    member: str | None = None
    member_by: str = "card"
    original: str | None = None
    arrives: int = 1
    earlier: Mapping[str, Any] = field(default_factory=dict)

    @property
    def business_date(self) -> dt.date:
        cut = dt.timedelta(hours=DAY_CUTOFF.hour, minutes=DAY_CUTOFF.minute)
        return (self.at - cut).date()

    @property
    def total(self) -> Decimal:
        return sum((line.net for line in self.lines), self.rounding)

    @property
    def discount(self) -> Decimal:
        """All discounts of the lines, the ticket's included."""
        return sum((line.discount for line in self.lines), Decimal(0))

    @property
    def local_time(self) -> str:
        """As a till writes it: ``2026-03-01 15:30:12``."""
        return self.at.strftime("%Y-%m-%d %H:%M:%S")


def _line(product: str, quantity: str = "1", net: str | None = None, **more: Any) -> Line:
    price = Decimal(PRODUCTS[product][1])
    worth = (Decimal(quantity) * price).quantize(Decimal("0.01"))
    return Line(product, Decimal(quantity), price, worth if net is None else Decimal(net), **more)


def _ticket(place: int, title: str, at: str, *lines: Line, pay: Mapping[str, str], **more: Any) -> Ticket:
    when = dt.datetime.strptime(f"2026-{at}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZONE)
    tenders = tuple((method, Decimal(amount)) for method, amount in pay.items())
    return Ticket(place, title, f"T{260300 + place}", when, lines=lines, tenders=tenders, **more)


GOLDEN: Final = (
    _ticket(1, "simple cash", "03-02 10:01:00", _line("P01"), pay={"cash": "24.50"}),
    _ticket(2, "card", "03-02 10:05:00", _line("P02", "2"), pay={"card": "68.00"}),
    _ticket(3, "split cash and wallet", "03-02 10:20:00", _line("P03"), pay={"cash": "50.00", "wechat": "100.00"}),
    _ticket(4, "stored value and points", "03-02 10:40:00", _line("P04"), pay={"stored_value": "45.00", "points": "5.00"},
            member="M1001"),
    _ticket(5, "coupon on the ticket", "03-02 11:00:00", _line("P05", net="17.90"), _line("P06", net="26.90"),
            _line("P07", net="44.90"), pay={"wechat": "89.70"}, ticket_discount=Decimal("10.00"), coupon="CP20260302"),
    _ticket(6, "line discount", "03-02 11:15:00", _line("P08", "2", "40.00"), pay={"alipay": "40.00"}),
    _ticket(7, "rounded down (抹零)", "03-02 11:30:00", _line("P09"), pay={"cash": "12.30"}, rounding=Decimal("-0.04")),
    _ticket(8, "weighed, 0.385 kg", "03-02 12:00:00", _line("P10", "0.385"), pay={"cash": "13.78"}),
    _ticket(9, "set meal with two parts", "03-02 12:10:00", _line("P11", kind="set"),
            _line("P12", kind="component", parent=0), _line("P13", kind="component", parent=0), pay={"wechat": "28.00"}),
    _ticket(10, "paid extra", "03-02 12:20:00", _line("P14", options=("少糖",)),
            _line("P15", kind="modifier", parent=0), pay={"wechat": "18.00"}),
    _ticket(11, "gift line at 0", "03-02 12:20:00", _line("P16"), _line("P17", kind="gift"), pay={"card": "45.00"}),
    _ticket(12, "anonymous", "03-02 13:00:00", _line("P18"), pay={"cash": "9.90"}),
    _ticket(13, "member by card number", "03-02 13:30:00", _line("P01"), pay={"wechat": "24.50"}, member="M1001"),
    _ticket(14, "member by phone only", "03-02 14:00:00", _line("P02"), pay={"wechat": "34.00"}, member="M1002",
            member_by="phone"),
    _ticket(15, "member added after payment", "03-02 14:30:00", _line("P08"), pay={"alipay": "25.00"}, member="M1003",
            earlier={"member": None}),
    _ticket(16, "full refund next day, linked", "03-03 10:10:00", _line("P02", "-2"), pay={"card": "-68.00"},
            kind="refund", original="T260302"),
    _ticket(17, "partial refund, linked", "03-03 10:30:00", _line("P06", "-1", "-26.90"), pay={"wechat": "-26.90"},
            kind="refund", original="T260305"),
    _ticket(18, "refund, unlinked", "03-03 11:00:00", _line("P25", "-1"), pay={"cash": "-15.00"}, kind="refund",
            member="M1001"),
    _ticket(19, "exchange, customer pays", "03-03 11:30:00", _line("P19", "-1"), _line("P20"), pay={"cash": "20.00"},
            kind="exchange"),
    _ticket(20, "exchange, customer gets money", "03-03 12:00:00", _line("P20", "-1"), _line("P19"), pay={"cash": "-20.00"},
            kind="exchange"),
    _ticket(21, "void before it was closed", "03-03 12:30:00", _line("P21"), pay={}, status="void"),
    _ticket(22, "void after it was read", "03-03 13:00:00", _line("P22"), pay={"cash": "22.00"}, status="void",
            earlier={"status": "paid"}),
    _ticket(23, "70 hours late", "03-03 13:30:00", _line("P23"), pay={"wechat": "31.00"}, arrives=2),
    _ticket(24, "01:30, the day before's", "03-04 01:30:00", _line("P24"), pay={"cash": "18.00"}),
)  # fmt: skip
"""The acceptance set as it stands at the second read."""

TOP_UP: Final = _ticket(
    25, "stored-value top-up", "03-03 15:00:00", pay={"wechat": "100.00"}, kind="deposit", member="M1001"
)
"""Money in, no sale: a connector stores it as a deposit, as an event, or not at all, but never as revenue."""

TRAINING: Final = _ticket(26, "training", "03-03 15:30:00", _line("P01", "99"), pay={"cash": "2425.50"}, status="void")
"""A cashier practises: stored as void and flagged ``training``, or left out."""

WRONG_CLOCK: Final = _ticket(27, "till clock 3 days fast", "03-07 11:00:00", _line("P18"), pay={"cash": "9.90"})
"""Found by the first read with a time in the future: kept, flagged ``clock_suspect``."""


def tickets(read: int) -> tuple[Ticket, ...]:
    """Return the golden tickets as the platform shows them at the first (1) or second (2) read."""
    shown = [ticket for ticket in GOLDEN if ticket.arrives <= read]
    return tuple(replace(ticket, **ticket.earlier) if read == 1 else ticket for ticket in shown)


def by_number(orders: Iterable[Order]) -> dict[str, Order]:
    """Orders by the number on the receipt."""
    return {order.number or order.source_id: order for order in orders}


def revenue(orders: Iterable[Order]) -> Decimal:
    """What counts as turnover: everything but voids and top-ups."""
    counted = (o for o in orders if not o.deleted and o.status != "void" and o.kind != "deposit")
    return sum((order.total_amount for order in counted), Decimal(0))


def expected_revenue(read: int) -> Decimal:
    """Turnover of the golden tickets alone, without the extras."""
    return sum((ticket.total for ticket in tickets(read) if ticket.status != "void"), Decimal(0))


def _product_of(line: OrderLine) -> str | None:
    return line.product_id or line.sku_id or line.barcode


def differences(
    orders: Iterable[Order],
    expected: Sequence[Ticket],
    *,
    customers: Iterable[Customer] = (),
    lacks: Collection[str] = (),
    absent: Collection[int] = (),
    number_of: Callable[[Order], str | None] = lambda order: order.number,
    product_of: Callable[[OrderLine], str | None] = _product_of,
) -> list[str]:
    """Compare what the hub stored with the golden tickets; an empty list means they are the same to the fen.

    Args:
        orders: what the hub stored; orders whose number is none of the golden ones are left out of the comparison.
        expected: from :func:`tickets`.
        customers: what it stored of members, to follow an order's ``customer_id``.
        lacks: what this platform has no place for, out of ``line_kinds``, ``sets`` (sets, their parts and extras are items
            like others), ``options``, ``originals``, ``members``, ``discounts``, ``rounding`` (the total is compared all the
            same), ``methods`` (amounts are added up).
        absent: places of tickets that may be missing because the platform keeps no trace of them (21); if they are stored
            all the same they must be right.
        number_of: the receipt number of an order, where ``number`` is something else.
        product_of: the golden product code of a line, where ids are something else.
    """
    stored = {number: order for order in orders if (number := number_of(order))}
    numbers = {order.source_id: number for number, order in stored.items()}
    profiles = {customer.source_id: customer for customer in customers}
    unknown = set(lacks) - set(_ASPECTS) - {"methods"}
    if unknown:
        raise ValueError(f"unknown aspects: {sorted(unknown)}")
    found: list[str] = []
    for ticket in expected:
        order = stored.get(ticket.number)
        if order is None:
            found += [] if ticket.place in absent else [f"{ticket.place} ({ticket.title}): is missing"]
            continue
        view = _View(order, numbers, profiles, product_of)
        for aspect, compare in _ASPECTS.items():
            if aspect in lacks:
                continue
            wanted, got = compare(ticket, view, lacks)
            if wanted != got:
                found.append(f"{ticket.place} ({ticket.title}): {aspect} should be {wanted!r}, is {got!r}")
    return found


@dataclass(frozen=True)
class _View:
    order: Order
    numbers: Mapping[str, str]
    profiles: Mapping[str, Customer]
    product_of: Callable[[OrderLine], str | None]

    @property
    def member(self) -> str | None:
        """Who it is, by what the order says itself and by the profile it points at."""
        profile = self.profiles.get(self.order.customer_id or "")
        identifiers = (*self.order.identifiers, *(profile.identifiers if profile else ()))
        values = {each.value.replace(" ", "").removeprefix("+86") for each in identifiers}
        named = {name for name, member in MEMBERS.items() if values & {member.number, member.phone, member.card_no}}
        if len(named) > 1:
            return " and ".join(sorted(named))
        stranger = "somebody unknown" if self.order.customer_id or _personal(identifiers) else None
        return named.pop() if named else stranger


def _personal(identifiers: Iterable[Any]) -> bool:
    """A payer's id from a payment platform may stand on an anonymous ticket; a person's number may not."""
    return any(each.kind is not IdentifierKind.PAYMENT_TOKEN for each in identifiers)


def _methods(pairs: Iterable[tuple[str, Decimal]], *, together: bool) -> dict[str, Decimal]:
    sums: Counter[str] = Counter()
    for method, amount in pairs:
        sums["all" if together else str(method)] += amount  # type: ignore[assignment]
    return {method: Decimal(amount) for method, amount in sums.items() if amount}


def _compare_lines(ticket: Ticket, view: _View, _: Collection[str]) -> tuple[Any, Any]:
    wanted = sorted((line.product, line.quantity, line.net) for line in ticket.lines)
    got = sorted(
        (view.product_of(line) or "?", line.quantity.normalize(), line.net_amount.normalize())
        for line in view.order.lines
    )
    return [(p, q.normalize(), n.normalize()) for p, q, n in wanted], got


def _compare_kinds(ticket: Ticket, view: _View, lacks: Collection[str]) -> tuple[Any, Any]:
    same = {"set", "component", "modifier"} if "sets" in lacks else set()
    wanted = sorted((line.product, "item" if line.kind in same else line.kind) for line in ticket.lines)
    return wanted, sorted((view.product_of(line) or "?", line.kind) for line in view.order.lines)


def _compare_sets(ticket: Ticket, view: _View, _: Collection[str]) -> tuple[Any, Any]:
    wanted = sorted(
        (line.product, ticket.lines[line.parent].product) for line in ticket.lines if line.parent is not None
    )
    codes = {line.line_id: view.product_of(line) for line in view.order.lines}
    got = [(view.product_of(line), codes.get(line.parent_line_id)) for line in view.order.lines if line.parent_line_id]
    return wanted, sorted(got, key=str)


def _compare_options(ticket: Ticket, view: _View, _: Collection[str]) -> tuple[Any, Any]:
    wanted = sorted((line.product, line.options) for line in ticket.lines if line.options)
    return wanted, sorted((view.product_of(line), line.options) for line in view.order.lines if line.options)


def _compare_tenders(ticket: Ticket, view: _View, lacks: Collection[str]) -> tuple[Any, Any]:
    together = "methods" in lacks
    got = _methods(((tender.method, tender.amount) for tender in view.order.tenders), together=together)
    return _methods(ticket.tenders, together=together), got


def _compare_discounts(ticket: Ticket, view: _View, _: Collection[str]) -> tuple[Any, Any]:
    """Of sales only: one till gives goods back at the price that was paid, the next at the list price less the discount."""
    if ticket.kind != "sale":
        return None, None
    return ticket.discount, sum((line.discount_amount for line in view.order.lines), Decimal(0))


_ASPECTS: Final[Mapping[str, Callable[[Ticket, _View, Collection[str]], tuple[Any, Any]]]] = {
    "kind": lambda t, v, _: (t.kind, str(v.order.kind)),
    "status": lambda t, v, _: (t.status == "void", v.order.status == "void"),
    "time": lambda t, v, _: (t.at.astimezone(dt.UTC), v.order.ordered_at.astimezone(dt.UTC)),
    "business day": lambda t, v, _: (t.business_date, v.order.business_date),
    "shop": lambda t, v, _: (STORE, v.order.store_id),
    "total": lambda t, v, _: (t.total, v.order.total_amount),
    "rounding": lambda t, v, _: (t.rounding, v.order.rounding_amount),
    "discounts": _compare_discounts,
    "lines": _compare_lines,
    "line_kinds": _compare_kinds,
    "sets": _compare_sets,
    "options": _compare_options,
    "tenders": _compare_tenders,
    "members": lambda t, v, _: (t.member, v.member),
    "originals": lambda t, v, _: (t.original, v.numbers.get(v.order.original_id or "")),
    "balance": lambda t, v, _: (False, "balance_off" in v.order.flags),
}
