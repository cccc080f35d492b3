"""One POSLog transaction as rows of a ticket, its lines and its payments; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any, Final

from plugins.pos.poslog.parsing import Node, all_named, flag, named, text_of
from plugins.pos.tickets.rules import Words

__all__ = ["WORDS", "Rows", "is_sale", "ticket_rows"]

Row = dict[str, str | None]

WORDS: Final = Words(
    tenders={
        "cash": "cash", "creditdebit": "card", "credit": "card", "debit": "card", "wechat": "wechat", "alipay": "alipay",
        "storedvalue": "stored_value", "customeraccount": "credit", "accountsreceivable": "credit", "giftcard": "gift_card",
        "giftcertificate": "gift_card", "voucher": "gift_card", "coupon": "coupon", "loyalty": "points", "points": "points",
        "check": "other",
    },
)  # fmt: skip
"""What tender types mean."""

_DEPOSITS: Final = ("giftcertificate", "giftcard", "storedvalue", "deposit")
_WEIGHTS: Final = frozenset({"KGM", "GRM", "LBR", "KG", "G", "LB"})


@dataclass
class Rows:
    """A ticket, its lines and its payments, with the columns of :mod:`plugins.pos.tickets.fields`."""

    ticket: Row
    lines: list[Row] = field(default_factory=list)
    tenders: list[Row] = field(default_factory=list)


def is_sale(transaction: Node) -> bool:
    """Tell whether a transaction is one of a customer; sign-on, no-sale, till counts and the like are not."""
    return named(transaction, "RetailTransaction") is not None


def ticket_rows(transaction: Node) -> Rows:
    """Return the rows of a retail transaction."""
    retail = named(transaction, "RetailTransaction")
    if retail is None:
        raise ValueError("not a retail transaction")
    place = _Place.of(transaction)
    items = all_named(retail, "LineItem")
    counted = [item for item in items if not flag(item, "VoidFlag")]
    lines = _lines(place.key, items)
    tenders = [row for item in counted for row in _tenders(place.key, item)]
    ticket = _ticket(transaction, retail, place)
    _settle(ticket, lines, retail, counted)
    for row in lines:
        del row["took_off"]  # it was to find out what the lines come to
    return Rows(ticket, lines, tenders)


@dataclass
class _Place:
    """Where and when: what tells transactions apart, and what links carry. The sequence alone begins again."""

    store: str | None
    workstation: str | None
    day: str | None
    sequence: str | None

    @classmethod
    def of(cls, element: Node, home: _Place | None = None) -> _Place:
        def first(name: str, own: str | None) -> str | None:
            return text_of(element, name) or own

        store = text_of(element, "RetailStoreID") or text_of(element, "BusinessUnit", "UnitID")
        return cls(
            store or (home.store if home else None),
            first("WorkstationID", home.workstation if home else None),
            first("BusinessDayDate", home.day if home else None),
            text_of(element, "SequenceNumber"),
        )

    @cached_property
    def key(self) -> str | None:
        if not self.sequence:
            return None
        return f"{self.store or ''}/{self.workstation or ''}/{self.day or ''}/{self.sequence}"


def _ticket(transaction: Node, retail: Node, place: _Place) -> Row:
    times = (
        text_of(transaction, "EndDateTime"),
        text_of(retail, "ReceiptDateTime"),
        text_of(transaction, "BeginDateTime"),
    )
    customer = named(retail, "Customer")
    status = retail.attributes.get("TransactionStatus", "").lower()
    link = next(_links(retail), None)
    return {
        "id": place.key,
        "number": text_of(retail, "ReceiptNumber") or text_of(transaction, "TransactionID") or place.sequence,
        "ordered_at": next((time for time in times if time), None),
        "business_date": place.day,
        "store_id": place.store,
        "register_id": place.workstation,
        "cashier_id": text_of(transaction, "OperatorID"),
        "channel": (text_of(transaction, "Channel") or "").lower() or None,
        "currency": text_of(transaction, "CurrencyCode"),
        "void": "1" if flag(transaction, "CancelFlag") or "void" in status or "cancel" in status else None,
        "training": "1" if flag(transaction, "TrainingModeFlag") else None,
        "status": "open" if "suspend" in status else None,
        "customer_id": text_of(customer, "CustomerID") or text_of(retail, "LoyaltyAccount", "CustomerID"),
        "card_no": _card(retail),
        "phone": _phone(customer),
        "email": text_of(customer, "eMail") or text_of(customer, "eMail", "eMailAddress"),
        "original_id": _Place.of(link, place).key if link is not None else None,
    }


def _card(retail: Node) -> str | None:
    paths = (
        ("LoyaltyAccount", "LoyaltyAccountID"), ("LoyaltyAccount", "LoyaltyID"), ("LoyaltyAccount", "CardID"),
        ("LineItem", "LoyaltyMembership", "LoyaltyID"), ("LineItem", "LoyaltyMembership", "MembershipID"),
        ("LoyaltyMembership", "LoyaltyID"), ("LoyaltyMembership", "MembershipID"),
    )  # fmt: skip
    return next((text for path in paths if (text := text_of(retail, *path))), None)


def _phone(customer: Node | None) -> str | None:
    number = named(customer, "TelephoneNumber") if customer is not None else None
    if number is None:
        return None
    return text_of(number, "FullTelephoneNumber") or text_of(number, "LocalNumber") or number.text


def _links(retail: Node) -> Iterator[Node]:
    """The sale that goods came from, as the ticket or one of its returns tells."""
    yield from all_named(retail, "TransactionLink")
    yield from all_named(retail, "LineItem", "Return", "TransactionLink")


# ---- lines -----------------------------------------------------------------------------------------------------------------


def _lines(key: str | None, items: list[Node]) -> list[Row]:
    """The lines that count: a line that takes back an earlier one goes together with it."""
    found: list[Row] = []
    for item in items:
        for part in [*item.children.get("Sale", ()), *item.children.get("Return", ())]:
            row = _line(key, item, part)
            if not flag(item, "VoidFlag"):
                found.append(row)
            elif _takes_back(item, part):
                _drop_match(found, row)
    return found


def _takes_back(item: Node, part: Node) -> bool:
    """A voided line stands for itself, unless it is a second line that reverses an earlier one."""
    reversed_amount = (_number(text_of(part, "ExtendedAmount")) or 0) < 0 or (
        _number(text_of(part, "Quantity")) or 0
    ) < 0
    return reversed_amount or named(item, "LineItemLink") is not None or named(part, "ItemLink") is not None


def _drop_match(found: list[Row], voided: Row) -> None:
    amount = abs(_number(voided["net_amount"]) or Decimal(0))
    for place in range(len(found) - 1, -1, -1):
        row = found[place]
        if row["product_id"] == voided["product_id"] and abs(_number(row["net_amount"]) or Decimal(0)) == amount:
            del found[place]
            return


def _line(key: str | None, item: Node, part: Node) -> Row:
    kind = part.attributes.get("ItemType", "").lower()
    barcode = text_of(part, "POSIdentity", "POSItemID")
    quantity = named(part, "Quantity")
    return {
        "id": key,
        "line_id": text_of(item, "SequenceNumber"),
        "kind": "refund" if part.name == "Return" else "deposit" if any(word in kind for word in _DEPOSITS) else "item",
        "product_id": text_of(part, "ItemID") or barcode,
        "barcode": barcode,
        "name": text_of(part, "Description"),
        "category": text_of(part, "MerchandiseHierarchy"),
        "quantity": _quantity(quantity),
        "unit": quantity.attributes.get("UnitOfMeasureCode") if quantity is not None else None,
        "list_price": text_of(part, "RegularSalesUnitPrice"),
        "unit_price": text_of(part, "ActualSalesUnitPrice"),
        "net_amount": text_of(part, "ExtendedAmount"),
        "took_off": _discount(part),
    }


def _quantity(element: Node | None) -> str | None:
    """Pieces stand in the text; of weighed goods the weight may stand in ``Units`` beside a text of 1."""
    if element is None:
        return None
    weight = (
        element.attributes.get("Units") if element.attributes.get("UnitOfMeasureCode", "").upper() in _WEIGHTS else None
    )
    return weight or element.text


def _discount(part: Node) -> str | None:
    """What was taken off the line, as far as it says so."""
    told = text_of(part, "ExtendedDiscountAmount") or text_of(part, "DiscountAmount")
    if told:
        return told
    modifiers = [
        abs(_number(text_of(each, "Amount")) or Decimal(0))
        for each in all_named(part, "RetailPriceModifier")
        if (
            (amount := named(each, "Amount")) is None
            or (amount.attributes.get("Action") or "subtract").lower() == "subtract"
        )
    ]
    return str(sum(modifiers)) if modifiers else None


# ---- what the ticket comes to ------------------------------------------------------------------------------------------------


def _settle(ticket: Row, lines: list[Row], retail: Node, items: list[Node]) -> None:
    """Compare the lines with the ticket's total, and find where discounts and taxes stand.

    Producers differ: ``ExtendedAmount`` is after the line's discount or before it, ticket discounts are lines of their own or
    stand nowhere, tax is on top or inside. Of these readings the one that adds up counts. What is still left over becomes one
    line ``adjustment``, and the ticket says so.
    """
    totals = {each.attributes.get("TotalType", "").lower(): _number(each.text) for each in all_named(retail, "Total")}
    total = totals.get("transactiongrandamount") or totals.get("transactionnetamount")
    rounding = next((value for kind, value in totals.items() if "round" in kind and value is not None), None)
    if rounding is not None:
        ticket["rounding_amount"] = str(rounding)
    if total is None:
        return
    signs = [(-1 if row["kind"] == "refund" else 1) for row in lines]
    nets = [abs(_number(row["net_amount"]) or Decimal(0)) * sign for row, sign in zip(lines, signs, strict=True)]
    offs = [abs(_number(row["took_off"]) or Decimal(0)) * sign for row, sign in zip(lines, signs, strict=True)]
    tax = sum(
        (_number(text_of(each, "Amount")) or Decimal(0) for each in all_named(retail, "LineItem", "Tax")), Decimal(0)
    )
    given = _ticket_discounts(items)
    if sum(nets) < 0 and total > 0:
        total = -total
    ticket["total_amount"] = str(total)
    wanted = total - (rounding or 0)
    for taken in (Decimal(0), given):
        for less, on_top in ((False, False), (True, False), (False, True), (True, True)):
            reached = sum(nets) - (sum(offs) if less else 0) - taken + (tax if on_top else 0)
            if reached == wanted:
                _apply(ticket, lines, offs if less else None, taken, tax if on_top else None)
                return
    difference = wanted - sum(nets)
    ticket["finding"] = "discount_unallocated"
    lines.append(
        {
            "id": ticket["id"],
            "kind": "adjustment",
            "name": "unallocated",
            "quantity": "1",
            "net_amount": str(difference),
            "took_off": None,
        }
    )


def _apply(ticket: Row, lines: list[Row], offs: list[Decimal] | None, taken: Decimal, tax: Decimal | None) -> None:
    for place, row in enumerate(lines):
        if offs is not None:
            row["net_amount"] = str(abs(_number(row["net_amount"]) or Decimal(0)) - abs(offs[place]))
    if taken:
        ticket["ticket_discount"] = str(taken)
    if tax:
        ticket["tax_amount"], ticket["tax_exclusive"] = str(tax), "1"


def _ticket_discounts(items: list[Node]) -> Decimal:
    """Discounts that are line items of their own, and rewards."""
    found = Decimal(0)
    for item in items:
        for path in (("Discount", "Amount"), ("LoyaltyReward", "RewardBasis", "Amount"), ("LoyaltyReward", "Amount")):
            found += abs(_number(text_of(item, *path)) or Decimal(0))
    return found


def _tenders(key: str | None, item: Node) -> Iterator[Row]:
    for tender in all_named(item, "Tender"):
        kind = tender.attributes.get("TypeCode", "").lower()
        yield {
            "id": key,
            "method": text_of(tender, "TenderID") if _is_plain(tender) else tender.attributes.get("TenderType"),
            "kind": "refund" if kind in {"refund", "change"} else "sale",
            "amount": text_of(tender, "Amount"),
            "change_amount": text_of(tender, "TenderChange", "Amount"),
            "reference": text_of(tender, "Authorization", "ReferenceNumber")
            or text_of(tender, "Authorization", "AuthorizationCode"),
        }


def _is_plain(tender: Node) -> bool:
    """Shops name their wallets in ``TenderID``, because the standard has no word for them."""
    return tender.attributes.get("TenderType", "").lower() in {"", "other", "ewallet", "wallet", "mobilewallet"}


def _number(text: Any) -> Decimal | None:
    try:
        return Decimal(str(text).strip()) if text not in (None, "") else None
    except InvalidOperation:
        return None
