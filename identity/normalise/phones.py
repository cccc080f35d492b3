"""Phone numbers: mainland mobiles by rule, everything else by the phonenumbers library.

A mainland mobile is ``1[3-9]`` and nine digits, whatever stands before it (+86, 86, 0086, a quote from a spreadsheet);
no table of carriers, because operators open prefixes faster than tables follow. The canonical form is E.164.
"""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

from identity.normalise.text import Normal, Status, clean, compact, is_nothing

__all__ = ["BLOCKED_PATTERN", "mask_of", "national", "phone"]

NOISE = " \t\r\n-_.()/'`\"‘’“”–—·"
"""Characters people and spreadsheets put into numbers."""

MOBILE_PATTERN = r"^(?:\+?86|0086)?0?(1[3-9]\d{9})$"
"""A mainland mobile once noise is gone; group 1 is the number. A leading 0 is the old way to dial out of town."""

MASKED_PATTERN = r"^(?:\+?86|0086)?(1[3-9]\d)[*xX#]{4}(\d{4})$"

_SAME_DIGIT = "|".join(f"{digit}{{8}}" for digit in "0123456789")
BLOCKED_PATTERN = rf"^\+861(\d\d({_SAME_DIGIT}|12345678|87654321)|3800138000)$"
"""What people type when they must type something; checked on the E.164 form."""

_MOBILE = re.compile(MOBILE_PATTERN)
_MASKED = re.compile(MASKED_PATTERN)
_BLOCKED = re.compile(BLOCKED_PATTERN)
_ALLOWED = re.compile(r"^\+?\d{5,20}$")
_PERSONAL = frozenset({phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE})
_OF_A_PLACE = frozenset(
    {
        phonenumbers.PhoneNumberType.FIXED_LINE,
        phonenumbers.PhoneNumberType.TOLL_FREE,
        phonenumbers.PhoneNumberType.SHARED_COST,
        phonenumbers.PhoneNumberType.PREMIUM_RATE,
        phonenumbers.PhoneNumberType.UAN,
        phonenumbers.PhoneNumberType.VOIP,
    }
)


def phone(raw: str) -> Normal:
    """Normalise one phone number.

    >>> phone("０086 154-1234-0001")
    Normal(value='+8615412340001', status=<Status.KEY: 'key'>)
    >>> phone("154****0001")
    Normal(value='154****0001', status=<Status.MASKED: 'masked'>)
    """
    if is_nothing(clean(raw)):
        return Normal(None, Status.EMPTY)
    text = compact(raw, NOISE)
    if mobile := _MOBILE.match(text):
        value = f"+86{mobile[1]}"
        return Normal(value, Status.BLOCKED if _BLOCKED.match(value) else Status.KEY)
    if masked := _MASKED.match(text):
        return Normal(f"{masked[1]}****{masked[2]}", Status.MASKED)
    return other_phone(text)


@lru_cache(maxsize=65_536)
def other_phone(text: str) -> Normal:
    """A number that is no mainland mobile: mobiles abroad are keys, landlines and service numbers are not."""
    if not _ALLOWED.match(text):
        return Normal(None, Status.INVALID)
    try:
        number = phonenumbers.parse(text, "CN")
    except phonenumbers.NumberParseException:
        return Normal(None, Status.INVALID)
    # Formatting an invalid number would succeed and invent one: validity comes first.
    if not phonenumbers.is_valid_number(number):
        return Normal(None, Status.INVALID)
    value = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    kind = phonenumbers.number_type(number)
    if kind in _PERSONAL:
        return Normal(value, Status.KEY)
    return Normal(value, Status.LANDLINE if kind in _OF_A_PLACE else Status.BLOCKED)


def national(value: str) -> str:
    """The form Chinese platforms take: eleven digits for a mainland mobile, E.164 unchanged for others."""
    return value[3:] if value.startswith("+861") and len(value) == 14 else value


def mask_of(value: str) -> str | None:
    """The mask a platform would show for a mainland mobile in E.164, or None for another number."""
    digits = national(value)
    return f"{digits[:3]}****{digits[7:]}" if len(digits) == 11 and digits[0] == "1" else None
