"""The kinds of value a canonical record's fields have: amounts, texts, keys.

Import them from :mod:`hub.records`.
"""

from __future__ import annotations

from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Annotated, Final

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticKnownError

__all__ = ["ZERO", "Key", "Money", "Quantity", "Text"]

ZERO: Final = Decimal(0)

_WHOLE_DIGITS: Final = 14
_DECIMALS: Final = 4
_STEP: Final = Decimal("0.0001")
_EXACT: Final = Context(prec=28, Emin=MIN_EMIN, Emax=MAX_EMAX)
"""A context of one's own: the thread's may have been changed by a plugin, and takes the smallest numbers for zero."""
_LIMITED: Final[TypeAdapter[Decimal]] = TypeAdapter(Annotated[Decimal, Field(max_digits=18, decimal_places=4)])
"""Pydantic's own test of digits. It takes the digits of every value apart, which costs more than all other fields of a record
together; so it is asked only about values that :func:`_fits` doubts."""


def _fits(value: Decimal) -> Decimal:
    """Return an amount that fits its column; refuse another in the words of pydantic's own test."""
    if -_DECIMALS <= value.adjusted() < _WHOLE_DIGITS and not _EXACT.remainder(value, _STEP):
        return value
    try:
        return _LIMITED.validate_python(value)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise PydanticKnownError(fault["type"], fault.get("ctx")) from None  # type: ignore[arg-type] # it lists known names


Money = Annotated[Decimal, AfterValidator(_fits)]
"""An amount in the record's currency (yuan, not fen): at most 14 digits before and 4 after the point. More decimals are
refused rather than rounded: a mapping knows how its platform rounds, the hub does not."""

Quantity = Annotated[Decimal, AfterValidator(_fits)]
"""A number of pieces or kilograms, same limits; negative when goods come back."""

Text = str | None
"""Optional text; the platforms' empty strings mean "not known" and are stored as NULL."""

Key = Annotated[str, Field(min_length=1, max_length=512)]
"""A platform's own id, as text: 19-digit numbers and leading zeros survive."""
