"""The SQL of what a till's words mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from plugins.pos.tickets.rules import Words
from plugins.pos.tickets.typed import literal

__all__ = ["KINDS", "line_label", "line_word", "status_word", "tender_kind", "tender_word", "ticket_word"]

KINDS: Final = ("refund", "exchange", "deposit", "adjustment", "wholesale", "staff")
"""What a word makes of a ticket, against what its lines tell."""

_LINES: Final = (
    "item", "set", "component", "modifier", "gift", "service", "deposit", "adjustment", "refund", "discount", "rounding",
)  # fmt: skip
_TENDERS: Final = (
    "cash", "card", "wechat", "alipay", "stored_value", "points", "coupon", "gift_card", "credit", "other",
)  # fmt: skip


def ticket_word(words: Words, column: str) -> str:
    """What a ticket's kind means."""
    return _word(column, words.tickets, ("sale", *KINDS, "void", "training", "open"))


def status_word(words: Words, column: str) -> str:
    """What a ticket's status means."""
    return _word(column, {"paid": "sale", **words.statuses}, ("sale", "void", "training", "open"))


def line_word(words: Words, column: str) -> str:
    """What a line's kind means."""
    return _word(column, words.lines, _LINES)


def line_label(words: Words, column: str) -> str:
    """What the words of a line's kind mean where they stand somewhere in a text."""
    return _within(column, words.lines)


def tender_word(words: Words, column: str) -> str:
    """What a payment's method means; what has no meaning is ``other``."""
    return f"coalesce({_word(column, words.tenders, _TENDERS)}, {_within(column, words.tenders)}, 'other')"


def tender_kind(words: Words, column: str) -> str:
    """What a payment's kind means."""
    return _word(column, words.tender_kinds, ("sale", "refund", "skip"))


def _word(column: str, words: Mapping[str, str], known: Sequence[str]) -> str:
    """What a word means; NULL if it means nothing."""
    meanings = {word.lower(): word for word in known} | {word.lower(): meaning for word, meaning in words.items()}
    whens = " ".join(f"WHEN {literal(word)} THEN {literal(meaning)}" for word, meaning in meanings.items())
    return f"CASE lower({column}) {whens} END"


def _within(column: str, words: Mapping[str, str]) -> str:
    """What the first word that stands somewhere in a text means; codes of one letter stand everywhere."""
    whens = " ".join(
        f"WHEN contains(lower({column}), {literal(word.lower())}) THEN {literal(meaning)}"
        for word, meaning in words.items()
        if len(word) > 1 and not word.isdigit()
    )
    return f"CASE {whens} END" if whens else "NULL::VARCHAR"
