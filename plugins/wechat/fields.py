"""Which values a field of a subscription message (订阅消息) takes, by the kind its name begins with; pure functions.

Limits: developers.weixin.qq.com, subscribeMessage.send, 订阅消息参数值内容限制说明.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Template", "field_problem", "problems_of", "template_of"]

_CLOCK: Final = r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?"
_DAY: Final = r"(\d{4}年(0?[1-9]|1[0-2])月(0?[1-9]|[12]\d|3[01])日|\d{4}-(0?[1-9]|1[0-2])-(0?[1-9]|[12]\d|3[01]))"
_MOMENT: Final = rf"({_DAY}( ?{_CLOCK})?|{_CLOCK})"
_HAN: Final = r"[\u3400-\u9fff]"
_KEY: Final = re.compile(r"\{\{\s*([A-Za-z_]+?)(\d+)\.DATA\s*\}\}")
_CURRENCY: Final = r"[^\w\s.,+-]"


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    says: str


def _rule(pattern: str, says: str) -> _Rule:
    return _Rule(re.compile(pattern, re.DOTALL), says)


_RULES: Final[Mapping[str, _Rule]] = {
    "thing": _rule(r".{1,20}", "at most 20 characters"),
    "number": _rule(r"(?=.{1,32}\Z)-?\d+(\.\d+)?", "at most 32 digits, with or without decimals"),
    "letter": _rule(r"[A-Za-z]{1,32}", "at most 32 letters"),
    "symbol": _rule(r"[^\w\s]{1,5}", "at most 5 symbols"),
    "character_string": _rule(r"[\x20-\x7e]{1,32}", "at most 32 letters, digits or symbols"),
    "time": _rule(rf"{_MOMENT}( ?~ ?{_MOMENT})?", "a time like 15:01, with or without a day, or a span with ~"),
    "date": _rule(
        rf"{_DAY}( ?{_CLOCK})?( ?~ ?{_DAY}( ?{_CLOCK})?)?", "a day like 2026年3月8日 or 2026-03-08, with or without a time"
    ),
    "amount": _rule(
        rf"{_CURRENCY}?(?=(\.?\d){{1,10}}元?\Z)\d+(\.\d+)?元?",
        "one currency sign and at most 10 digits, with or without decimals; may end with 元",
    ),
    "phone_number": _rule(r"[\d+\-() ]{1,17}", "at most 17 digits and symbols"),
    "car_number": _rule(r".{1,8}", "at most 8 characters"),
    "name": _rule(rf"({_HAN}|·){{1,10}}|[^\d\u3400-\u9fff]{{1,20}}", "at most 10 Chinese characters or 20 letters and symbols"),
    "phrase": _rule(rf"{_HAN}{{1,5}}", "at most 5 Chinese characters"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Template:
    """A message template of the account.

    Attributes:
        id: ``priTmplId``.
        title: for people.
        keys: names of its fields, e.g. ``thing1``; every one must be given.
        choices: values that an ``enum`` field takes, where the platform lists them.
    """

    id: str
    title: str
    keys: tuple[str, ...]
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def template_of(row: Mapping[str, object]) -> Template:
    """Read a row of ``gettemplate``."""
    keys = tuple(f"{kind}{number}" for kind, number in _KEY.findall(str(row.get("content") or "")))
    listed = row.get("keywordEnumValueList") or ()
    choices = {
        str(entry.get("keywordCode")).removesuffix(".DATA"): tuple(map(str, entry.get("enumValueList") or ()))
        for entry in (listed if isinstance(listed, list) else ())
    }
    return Template(str(row["priTmplId"]), str(row.get("title") or ""), keys, choices)


def field_problem(key: str, value: str, choices: Iterable[str] = ()) -> str:
    """Return why a value does not fit the field of this name; empty if it does.

    The value itself is not repeated. A kind that is not known takes anything that is not empty.
    """
    if not value.strip():
        return f"{key} is empty"
    kind = key.rstrip("0123456789")
    allowed = tuple(choices)
    if kind == "enum":
        return "" if not allowed or value in allowed else f"{key} must be one of {', '.join(allowed)}"
    rule = _RULES.get(kind)
    if rule is None or rule.pattern.fullmatch(value):
        return ""
    return f"{key} has {len(value)} characters and must be {rule.says}"


def problems_of(template: Template, values: Mapping[str, str]) -> list[str]:
    """Return everything that is wrong with a message for this template."""
    missing = [f"{key} is missing" for key in template.keys if key not in values]
    unknown = [
        f"{key} is no field of the template, which has {', '.join(template.keys)}"
        for key in values
        if key not in template.keys
    ]
    wrong = [field_problem(key, value, template.choices.get(key, ())) for key, value in values.items()]
    return [*missing, *unknown, *filter(None, wrong)]
