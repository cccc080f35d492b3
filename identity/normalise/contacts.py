"""Email addresses, card and member numbers, account ids."""

from __future__ import annotations

import re

from identity.normalise.text import Normal, Status, clean, compact, is_nothing

__all__ = [
    "ACCOUNT_PATTERN",
    "EMAIL_BLOCKED_PATTERN",
    "EMAIL_PATTERN",
    "NUMBER_PATTERN",
    "account",
    "email",
    "number",
]

EMAIL_PATTERN = r"^[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$"
"""The addresses people have; quoted local parts and bare hosts are not among them."""

EMAIL_BLOCKED_PATTERN = r"^(test|none|null|noreply|no-reply|unknown|example|admin|abc|123|123456|a|aaa|xxx)@.*$"

NUMBER_NOISE = " -_\t\r\n'"
NUMBER_PATTERN = r"^[0-9A-Z]{3,40}$"
"""Card and member numbers: letters and digits, upper case, leading zeros kept."""

ACCOUNT_PATTERN = r"^[0-9A-Za-z_.:@/+=-]{4,200}$"
"""Ids that systems issue: taken as they are, because openid and unionid differ by case."""

_EMAIL = re.compile(EMAIL_PATTERN)
_EMAIL_BLOCKED = re.compile(EMAIL_BLOCKED_PATTERN)
_NUMBER = re.compile(NUMBER_PATTERN)
_ACCOUNT = re.compile(ACCOUNT_PATTERN)


def email(raw: str) -> Normal:
    """Lower case, half-width. Dots and plus tags stay: whether they matter is the provider's secret."""
    text = clean(raw).lower()
    if is_nothing(text):
        return Normal(None, Status.EMPTY)
    if not _EMAIL.match(text):
        return Normal(None, Status.INVALID)
    return Normal(text, Status.BLOCKED if _EMAIL_BLOCKED.match(text) else Status.KEY)


def number(raw: str) -> Normal:
    """A card, member or document number: upper case, without blanks and dashes, leading zeros kept."""
    text = compact(raw, NUMBER_NOISE).upper()
    if is_nothing(clean(raw)) or is_nothing(text):
        return Normal(None, Status.EMPTY)
    return Normal(text, Status.KEY) if _NUMBER.match(text) else Normal(None, Status.INVALID)


def account(raw: str) -> Normal:
    """An id a system issued (unionid, openid, external_userid …): only outer blanks go; case is part of it."""
    text = clean(raw)
    if is_nothing(text):
        return Normal(None, Status.EMPTY)
    return Normal(text, Status.KEY) if _ACCOUNT.match(text) else Normal(None, Status.INVALID)
