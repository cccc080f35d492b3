"""One POSLog transaction as rows of a ticket, its lines and its payments; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from lxml import etree

from plugins.pos.poslog.parsing import all_named, flag, local, named, text_of
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


def is_sale(transaction: etree._Element) -> bool:
    """Tell whether a transaction is one of a customer; sign-on, no-sale, till counts and the like are not."""
    return named(transaction, "RetailTransaction") is not None


def ticket_rows(transaction: etree._Element) -> Rows:
    """Return the rows of a retail transaction."""
    retail = named(transaction, "RetailTransaction")
    if retail is None:
        raise ValueError("not a retail transaction")
    place = _Place.of(transaction)
    items = all_named(retail, "LineItem")
    lines = list(_lines(items))
    tenders = [row for item in items if not flag(item, "VoidFlag") for row in _tenders(item)]
    ticket = _ticket(transaction, retail, place)
    _settle(ticket, lines, retail, items)
    kept = [{"id": place.key, **{name: value for name, value in row.items() if name != "took_off"}} for row in lines]
    return Rows(ticket, kept, [{"id": place.key, **row} for row in tenders])


@dataclass(frozen=True)
class _Place:
    """Where and when: what tells transactions apart, and what links carry. The sequence alone begins again."""

    store: str | None
    workstation: str | None
    day: str | None
    sequence: str | None

    @classmethod
    def of(cls, element: etree._Element, home: _Place | None = None) -> _Place:
        def first(name: str, own: str | None) -> str | None:
            return text_of(element, name) or own

        store = text_of(element, "RetailStoreID") or text_of(element, "BusinessUnit", "UnitID")
        return cls(
            store or (home.store if home else None),
            first("WorkstationID", home.workstation if home else None),
            first("BusinessDayDate", home.day if home else None),
            text_of(element, "SequenceNumber"),
        )

    @property
    def key(self) -> str | None:
        return (
            "/".join(part or "" for part in (self.store, self.workstation, self.day, self.sequence))
            if self.sequence
            else None
        )


def _ticket(transaction: etree._Element, retail: etree._Element, place: _Place) -> Row:
    times = (
        text_of(transaction, "EndDateTime"),
        text_of(retail, "ReceiptDateTime"),
        text_of(transaction, "BeginDateTime"),
    )
    customer = named(retail, "Customer")
    status = str(retail.get("TransactionStatus") or "").lower()
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


def _card(retail: etree._Element) -> str | None:
    paths = (
        ("LoyaltyAccount", "LoyaltyAccountID"), ("LoyaltyAccount", "LoyaltyID"), ("LoyaltyAccount", "CardID"),
        ("LineItem", "LoyaltyMembership", "LoyaltyID"), ("LineItem", "LoyaltyMembership", "MembershipID"),
        ("LoyaltyMembership", "LoyaltyID"), ("LoyaltyMembership", "MembershipID"),
    )  # fmt: skip
    return next((text for path in paths if (text := text_of(retail, *path))), None)


def _phone(customer: etree._Element | None) -> str | None:
    number = named(customer, "TelephoneNumber") if customer is not None else None
    if number is None:
        return None
    return (
        text_of(number, "FullTelephoneNumber") or text_of(number, "LocalNumber") or (number.text or "").strip() or None
    )


def _links(retail: etree._Element) -> Iterator[etree._Element]:
    """The sale that goods came from, as the ticket or one of its returns tells."""
    yield from all_named(retail, "TransactionLink")
    yield from all_named(retail, "LineItem", "Return", "TransactionLink")


# ---- lines -----------------------------------------------------------------------------------------------------------------


def _lines(items: list[etree._Element]) -> Iterator[Row]:
    """The lines that count: a line that takes back an earlier one goes together with it."""
    found: list[tuple[etree._Element, Row]] = []
    for item in items:
        for part in item:
            if local(part) not in {"Sale", "Return"}:
                continue
            row = _line(item, part)
            if not flag(item, "VoidFlag"):
                found.append((item, row))
            elif _takes_back(item, part):
                _drop_match(found, row)
    yield from (row for _, row in found)


def _takes_back(item: etree._Element, part: etree._Element) -> bool:
    """A voided line stands for itself, unless it is a second line that reverses an earlier one."""
    reversed_amount = (_number(text_of(part, "ExtendedAmount")) or 0) < 0 or (
        _number(text_of(part, "Quantity")) or 0
    ) < 0
    return reversed_amount or named(item, "LineItemLink") is not None or named(part, "ItemLink") is not None


def _drop_match(found: list[tuple[etree._Element, Row]], voided: Row) -> None:
    amount = abs(_number(voided["net_amount"]) or Decimal(0))
    for place in range(len(found) - 1, -1, -1):
        row = found[place][1]
        if row["product_id"] == voided["product_id"] and abs(_number(row["net_amount"]) or Decimal(0)) == amount:
            del found[place]
            return


def _line(item: etree._Element, part: etree._Element) -> Row:
    kind = str(part.get("ItemType") or "").lower()
    barcode = text_of(part, "POSIdentity", "POSItemID")
    quantity = named(part, "Quantity")
    return {
        "line_id": text_of(item, "SequenceNumber"),
        "kind": "refund"
        if local(part) == "Return"
        else "deposit"
        if any(word in kind for word in _DEPOSITS)
        else "item",
        "product_id": text_of(part, "ItemID") or barcode,
        "barcode": barcode,
        "name": text_of(part, "Description"),
        "category": text_of(part, "MerchandiseHierarchy"),
        "quantity": _quantity(quantity),
        "unit": quantity.get("UnitOfMeasureCode") if quantity is not None else None,
        "list_price": text_of(part, "RegularSalesUnitPrice"),
        "unit_price": text_of(part, "ActualSalesUnitPrice"),
        "net_amount": text_of(part, "ExtendedAmount"),
        "took_off": _discount(part),
    }


def _quantity(element: etree._Element | None) -> str | None:
    """Pieces stand in the text; of weighed goods the weight may stand in ``Units`` beside a text of 1."""
    if element is None:
        return None
    weight = element.get("Units") if str(element.get("UnitOfMeasureCode") or "").upper() in _WEIGHTS else None
    return weight or (element.text or "").strip() or None


def _discount(part: etree._Element) -> str | None:
    """What was taken off the line, as far as it says so."""
    told = text_of(part, "ExtendedDiscountAmount") or text_of(part, "DiscountAmount")
    if told:
        return told
    modifiers = [
        abs(_number(text_of(each, "Amount")) or Decimal(0))
        for each in all_named(part, "RetailPriceModifier")
        if str((amount.get("Action") if (amount := named(each, "Amount")) is not None else None) or "Subtract").lower()
        == "subtract"
    ]
    return str(sum(modifiers)) if modifiers else None


# ---- what the ticket comes to ------------------------------------------------------------------------------------------------


def _settle(ticket: Row, lines: list[Row], retail: etree._Element, items: list[etree._Element]) -> None:
    """Compare the lines with the ticket's total, and find where discounts and taxes stand.

    Producers differ: ``ExtendedAmount`` is after the line's discount or before it, ticket discounts are lines of their own or
    stand nowhere, tax is on top or inside. Of these readings the one that adds up counts. What is still left over becomes one
    line ``adjustment``, and the ticket says so.
    """
    totals = {str(each.get("TotalType") or "").lower(): _number(each.text) for each in all_named(retail, "Total")}
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
        {"kind": "adjustment", "name": "unallocated", "quantity": "1", "net_amount": str(difference), "took_off": None}
    )


def _apply(ticket: Row, lines: list[Row], offs: list[Decimal] | None, taken: Decimal, tax: Decimal | None) -> None:
    for place, row in enumerate(lines):
        if offs is not None:
            row["net_amount"] = str(abs(_number(row["net_amount"]) or Decimal(0)) - abs(offs[place]))
    if taken:
        ticket["ticket_discount"] = str(taken)
    if tax:
        ticket["tax_amount"], ticket["tax_exclusive"] = str(tax), "1"


def _ticket_discounts(items: list[etree._Element]) -> Decimal:
    """Discounts that are line items of their own, and rewards."""
    found = Decimal(0)
    for item in items:
        if flag(item, "VoidFlag"):
            continue
        for path in (("Discount", "Amount"), ("LoyaltyReward", "RewardBasis", "Amount"), ("LoyaltyReward", "Amount")):
            found += abs(_number(text_of(item, *path)) or Decimal(0))
    return found


def _tenders(item: etree._Element) -> Iterator[Row]:
    for tender in all_named(item, "Tender"):
        kind = str(tender.get("TypeCode") or "").lower()
        yield {
            "method": text_of(tender, "TenderID") if _is_plain(tender) else tender.get("TenderType"),
            "kind": "refund" if kind in {"refund", "change"} else "sale",
            "amount": text_of(tender, "Amount"),
            "change_amount": text_of(tender, "TenderChange", "Amount"),
            "reference": text_of(tender, "Authorization", "ReferenceNumber")
            or text_of(tender, "Authorization", "AuthorizationCode"),
        }


def _is_plain(tender: etree._Element) -> bool:
    """Shops name their wallets in ``TenderID``, because the standard has no word for them."""
    return str(tender.get("TenderType") or "").lower() in {"", "other", "ewallet", "wallet", "mobilewallet"}


def _number(text: Any) -> Decimal | None:
    try:
        return Decimal(str(text).strip()) if text not in (None, "") else None
    except InvalidOperation:
        return None
