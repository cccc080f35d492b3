"""Target ``coupon``: give a member one coupon of a rule. The code is ours and unique, so a repeat is recognised."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from hub.destination import Operation, Outcome
from hub.errors import ConfigError, RowError
from plugins.pos.pospal.api import Api
from plugins.pos.pospal.reading.common import Counter
from plugins.pos.pospal.values import text
from plugins.pos.pospal.writing.common import Desk, as_text, done, refusal_of, rejected, unchanged

__all__ = ["CouponWriter", "code_for"]


class CouponWriter:
    """Issues coupons."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def write(self, operations: Iterable[Operation]) -> Iterator[Outcome]:
        """Carry out the operations one by one: a member gets one coupon of a rule, however often it is asked for."""
        for operation in operations:
            try:
                yield self._carry_out(operation)
            except RowError as error:
                yield refusal_of(operation, error)

    def _carry_out(self, operation: Operation) -> Outcome:
        rule = as_text(operation.values.get("coupon_uid")) or self.desk.config.writing.coupon_uid
        if not rule:
            raise ConfigError(
                "No coupon rule is named.",
                hint="Map `coupon_uid` in the sync, or set writing.coupon_uid in the connection.",
            )
        if not rule.isdecimal():
            return rejected(operation, "coupon_rule_invalid", "A coupon rule's uid has digits only.")
        counter, _ = self.desk.member(operation.key)
        code = code_for(operation.key, rule)
        body = {"promotionCouponUid": int(rule), "code": code, "customerUid": int(operation.key)}
        try:
            # Repeatable: the platform takes a code once.
            counter.client.change(Api.COUPON_ADD, body, repeatable=True)
        except RowError:
            if not self._holds(counter, operation.key, code):
                raise
            return unchanged(operation, "The member has this coupon.", code)
        return done(operation, code)

    @staticmethod
    def _holds(counter: Counter, uid: str, code: str) -> bool:
        pages = counter.client.pages(Api.COUPONS_OF, {"customerUid": int(uid)})
        return any(text(row.get("code")) == code for page in pages for row in page.rows)


def code_for(uid: str, rule: str) -> str:
    """Return the coupon code of a member and a rule: at most 50 letters and digits, unique, always the same."""
    return "H" + hashlib.sha256(f"{uid} {rule}".encode()).hexdigest()[:24].upper()
