"""The golden tickets as POSLog, in the dialects that producers speak."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from xml.sax.saxutils import escape

from pos.golden_tickets import CASHIER, GOLDEN, MEMBERS, REGISTER, STORE, Ticket

NAMESPACE = "http://www.nrf-arts.org/IXRetail/namespace/"


@dataclass(frozen=True)
class Dialect:
    """How a producer writes.

    Attributes:
        root: attributes of the root.
        prefix: of every element.
        unit: the shop stands in ``BusinessUnit/UnitID``.
        zone: times carry an offset.
        before_discount: ``ExtendedAmount`` is before the line's discount.
    """

    root: str
    prefix: str = ""
    unit: bool = False
    zone: bool = False
    before_discount: bool = False


DIALECTS = {
    "2.2, no namespace": Dialect(""),
    "2.2, namespace without its slash, amounts before discounts": Dialect(f' xmlns="{NAMESPACE.rstrip("/")}"', before_discount=True),
    "6.0, prefixed, with offsets": Dialect(
        f' xmlns:arts="{NAMESPACE}" xmlns:acs="http://www.example.com/acs" MajorVersion="6" MinorVersion="0" FixVersion="0"',
        prefix="arts:", unit=True, zone=True,
    ),
}  # fmt: skip
_NUMBERS = {ticket.number: ticket for ticket in GOLDEN}
_PAY = {
    "cash": ("Cash", ""), "card": ("CreditDebit", ""), "wechat": ("Other", "WeChat"), "alipay": ("Other", "Alipay"),
    "stored_value": ("StoredValue", ""), "points": ("Loyalty", ""),
}  # fmt: skip


def poslog(shown: Iterable[Ticket], dialect: Dialect, *more: str) -> str:
    """A POSLog of these tickets, with a sign-on of the cashier in front."""
    body = [_control(dialect), *(_transaction(ticket, dialect) for ticket in shown), *more]
    p = dialect.prefix
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{p}POSLog{dialect.root}>\n{"".join(body)}</{p}POSLog>\n'


class _Writer:
    def __init__(self, dialect: Dialect) -> None:
        self.prefix = dialect.prefix
        self.parts: list[str] = []

    def put(self, name: str, value: object = "", attributes: str = "") -> _Writer:
        text = escape(str(value))
        self.parts.append(f"<{self.prefix}{name}{attributes}>{text}</{self.prefix}{name}>")
        return self

    def wrap(self, name: str, inner: _Writer, attributes: str = "") -> _Writer:
        self.parts.append(f"<{self.prefix}{name}{attributes}>{inner.text}</{self.prefix}{name}>\n")
        return self

    @property
    def text(self) -> str:
        return "".join(self.parts)


def _place(dialect: Dialect, ticket: Ticket, out: _Writer) -> _Writer:
    if dialect.unit:
        out.wrap("BusinessUnit", _Writer(dialect).put("UnitID", STORE, ' TypeCode="RetailStore"'))
    else:
        out.put("RetailStoreID", STORE)
    out.put("WorkstationID", REGISTER).put("SequenceNumber", ticket.number)
    return out.put("BusinessDayDate", ticket.business_date.isoformat())


def _control(dialect: Dialect) -> str:
    inner = _Writer(dialect).put("RetailStoreID", STORE).put("WorkstationID", REGISTER).put("SequenceNumber", 1)
    inner.wrap("ControlTransaction", _Writer(dialect).put("SignOn"))
    return _Writer(dialect).wrap("Transaction", inner).text


def _transaction(ticket: Ticket, dialect: Dialect) -> str:
    out = _place(dialect, ticket, _Writer(dialect))
    when = ticket.at.isoformat() if dialect.zone else ticket.at.replace(tzinfo=None).isoformat()
    out.put("EndDateTime", when).put("OperatorID", CASHIER, ' OperatorName="Xiao Su"').put("CurrencyCode", "CNY")
    out.wrap("RetailTransaction", _retail(ticket, dialect), ' Version="2.2"')
    flags = ' CancelFlag="true"' if ticket.status == "void" and ticket.place != 26 else ""
    flags += ' TrainingModeFlag="true"' if ticket.place == 26 else ""
    return _Writer(dialect).wrap("Transaction", out, flags).text


def _retail(ticket: Ticket, dialect: Dialect) -> _Writer:
    out = _Writer(dialect)
    own_line = Decimal(0) if not dialect.before_discount else ticket.ticket_discount
    for place, line in enumerate(ticket.lines):
        sale = _Writer(dialect).put("ItemID", line.product).put("Description", line.name)
        sale.put("RegularSalesUnitPrice", line.price).put(
            "ActualSalesUnitPrice", abs(line.net / line.quantity).quantize(Decimal("0.0001"))
        )
        gross = bool(own_line) or dialect.before_discount
        sale.put("ExtendedAmount", abs(line.gross if gross else line.net)).put("Quantity", abs(line.quantity))
        if dialect.before_discount and line.discount and not own_line:
            sale.put("DiscountAmount", abs(line.discount))
        if line.quantity < 0 and ticket.original:
            sale.wrap(
                "TransactionLink", _place(dialect, _NUMBERS[ticket.original], _Writer(dialect)), ' ReasonCode="Return"'
            )
        out.wrap(
            "LineItem",
            _Writer(dialect).put("SequenceNumber", place).wrap("Return" if line.quantity < 0 else "Sale", sale),
        )
    if own_line:
        out.wrap("LineItem", _Writer(dialect).wrap("Discount", _Writer(dialect).put("Amount", own_line)))
    for method, amount in ticket.tenders:
        out.wrap("LineItem", _tender(dialect, method, amount))
    if ticket.member:
        member = MEMBERS[ticket.member]
        if ticket.member_by == "phone":
            out.wrap("Customer", _Writer(dialect).put("CustomerID", ticket.member).put("TelephoneNumber", member.phone))
        else:
            out.wrap("LoyaltyAccount", _Writer(dialect).put("LoyaltyAccountID", member.card_no))
    if ticket.rounding:
        out.put("Total", ticket.rounding, ' TotalType="TransactionRoundingAmount"')
    return out.put("Total", ticket.total, ' TotalType="TransactionNetAmount"')


def _tender(dialect: Dialect, method: str, amount: Decimal) -> _Writer:
    kind, name = _PAY[method]
    change = Decimal(5) if method == "cash" and amount > 0 else Decimal(0)
    inner = _Writer(dialect).put("TenderID", name) if name else _Writer(dialect)
    inner.put("Amount", abs(amount) + change)
    if change:
        inner.wrap("TenderChange", _Writer(dialect).put("Amount", change))
    code = "Refund" if amount < 0 else "Sale"
    return _Writer(dialect).wrap("Tender", inner, f' TenderType="{kind}" TypeCode="{code}"')
