"""What several methods say of the same customers: detail, WeChat identities, belonging guide; asked side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Final

from hub.errors import RowError, StreamError
from hub.http import Unit
from hub.records import Customer
from hub.source import Page, Reject
from plugins.youzan.answers import GONE
from plugins.youzan.api import Api, Method
from plugins.youzan.mapping.customers import CustomerFacts, customer_secrets, to_customer
from plugins.youzan.reading.common import Shop, is_forbidden, reject
from plugins.youzan.values import text

__all__ = ["People"]

_BLOCKS: Final = "user_base,tags,benefit_cards,benefit_level,level,credit,behavior,giftcard,prepaid,coupon,auth_info"
_WECHAT_RESULTS: Final = [1, 2, 9]
"""公众号, 小程序, 大账号."""


@dataclass
class _Extras:
    """Methods that are asked while the account may use them."""

    closed: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    guard: Lock = field(default_factory=Lock)

    def close(self, method: Method) -> None:
        """Stop asking; tell it once."""
        with self.guard:
            if method.name not in self.closed:
                self.closed.add(method.name)
                self.notes.append(
                    f"youzan.{method.name} is not granted (能力包 {method.package}): customers are read without it."
                )

    def take_notes(self) -> list[str]:
        with self.guard:
            notes, self.notes = self.notes, []
        return notes


class People:
    """Reads customers by their ids."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._extras = _Extras()

    def page(self, ids: Iterable[str]) -> Page:
        """Return the profiles of these customers; those who are no longer customers are deletions.

        Raises:
            StreamError: customer.detail.get itself is not granted.
        """
        found, refused = self._shop.side_by_side(self._facts, list(dict.fromkeys(ids)))
        facts = [each for _, each in found]
        plain = self._decrypted(facts)

        def to_record(each: CustomerFacts) -> Customer:
            return to_customer(each, plain, self._shop.kdt_id)

        page = Page.of(facts, to_record, location="customer.detail.get")
        gone, rejects = _sorted(refused)
        return replace(page, deletions=gone, rejects=[*page.rejects, *rejects], notes=self._extras.take_notes())

    def _decrypted(self, facts: Sequence[CustomerFacts]) -> Mapping[str, str]:
        try:
            return self._shop.client.decrypt(value for each in facts for value in customer_secrets(each))
        except StreamError as error:
            if not is_forbidden(error):
                raise
            self._extras.close(Api.DECRYPT)
            return {}

    def _facts(self, open_id: str) -> CustomerFacts:
        asked = {"yz_open_id": open_id, "fields": _BLOCKS}
        detail = self._shop.client.ask(Api.CUSTOMER_DETAIL, asked, unit=Unit.ROW).get("data") or {}
        return CustomerFacts({"yz_open_id": open_id, **detail}, self._users(open_id), self._guide(open_id))

    def _users(self, open_id: str) -> Sequence[Mapping[str, Any]]:
        if not self._shop.config.customers.unionid:
            return ()
        data = self._extra(Api.USER_INFO, {"yz_open_id": open_id, "result_type_list": _WECHAT_RESULTS})
        return data.get("user_list") or ()

    def _guide(self, open_id: str) -> str | None:
        if not self._shop.config.customers.guides:
            return None
        data = self._extra(Api.GUIDE_OF, {"yz_open_id": open_id})
        # The page names the method, not its answer's fields.
        return next(filter(None, (text(data.get(key)) for key in ("staff_no", "guide_no", "guide_staff_no"))), None)

    def _extra(self, method: Method, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask what the account may not be allowed to ask, and the person may not have."""
        if method.name in self._extras.closed:
            return {}
        try:
            data = self._shop.client.ask(method, asked, unit=Unit.ROW).get("data")
        except RowError:
            return {}
        except StreamError as error:
            if not is_forbidden(error):
                raise
            self._extras.close(method)
            return {}
        return data if isinstance(data, Mapping) else {}


def _sorted(refused: Sequence[tuple[str, RowError]]) -> tuple[list[str], list[Reject]]:
    gone = [open_id for open_id, error in refused if error.context.get("code") in GONE]
    rejects = [reject("customer.detail.get", open_id, error) for open_id, error in refused if open_id not in gone]
    return gone, rejects
